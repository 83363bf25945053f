# The CUDA library: every kernel family as one more instruction set, opened at run time by _core, so it links against
# nothing of Python and its absence is no error.
#
#   PYLEARN_CUDA   auto: where nvcc and NVIDIA's driver are found (compiling takes minutes an architecture); on: or fail;
#                  off; pypi: with the nvcc of PyPI's wheels
#   PYLEARN_CUDA_EMULATED   also libpylearn_cuda_emulated.so: the same sources on the CPU (cuda/emulation)
#
# Both come from the cache or from the environment: PYLEARN_CUDA=pypi pip install .

set(cuda_default auto)
if(DEFINED ENV{PYLEARN_CUDA})
  set(cuda_default "$ENV{PYLEARN_CUDA}")
endif()
set(PYLEARN_CUDA "${cuda_default}" CACHE STRING "The CUDA library: auto, on, off or pypi")
string(TOLOWER "${PYLEARN_CUDA}" cuda_wanted)
if(NOT cuda_wanted MATCHES "^(auto|on|off|pypi)$")
  message(FATAL_ERROR "PYLEARN_CUDA=${PYLEARN_CUDA} is unknown; it is one of auto, on, off, pypi")
endif()
option(PYLEARN_CUDA_EMULATED "Build the CUDA kernels for the CPU as well" "$ENV{PYLEARN_CUDA_EMULATED}")
# 90a is not forward-compatible; the last one is the PTX that newer GPUs compile.
set(PYLEARN_CUDA_ARCHITECTURES "80-real;90a-real;100-real;100-virtual" CACHE STRING "What to compile CUDA for")

file(GLOB cuda_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cu"
     "${CMAKE_CURRENT_SOURCE_DIR}/cuda/kernels/*.cu")

# A family without a file of its name is a table of entries that are missing.
set(missing_tables "#include \"kernels/table.h\"\n\nnamespace pl::cuda {\n")
set(missing_families "")
foreach(family IN LISTS families)
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/kernels/${family}.cu")
    file(STRINGS "${table_header}" field REGEX "^  [A-Za-z0-9]+Kernels ${family};")
    string(REGEX REPLACE "^ *([A-Za-z0-9]+Kernels) .*" "\\1" struct "${field}")
    string(APPEND missing_tables "extern const ${struct} ${family};\nconst ${struct} ${family} = {};\n")
    list(APPEND missing_families ${family})
  endif()
endforeach()
if(missing_families)
  message(STATUS "CUDA kernels missing altogether: ${missing_families}")
  set(cuda_missing "${CMAKE_CURRENT_BINARY_DIR}/generated/cuda_missing.cpp")
  file(CONFIGURE OUTPUT "${cuda_missing}" CONTENT "${missing_tables}}  // namespace pl::cuda\n" @ONLY)
  list(APPEND cuda_sources "${cuda_missing}")
endif()

set(cuda_definitions PL_CUDA PL_ISA=cuda)
set(cuda_includes "${CMAKE_CURRENT_SOURCE_DIR}/cuda" "${CMAKE_CURRENT_SOURCE_DIR}/cpp")
set(cuda_exports "${CMAKE_CURRENT_LIST_DIR}/cuda_exports.map")  # pylearn_backend and nothing else

if(PYLEARN_CUDA_EMULATED)
  add_subdirectory(cuda/emulation)  # of its own: there a .cu is C++
endif()

# Whether to build with nvcc, and with which.
set(cuda_found FALSE)
if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/backend.cu")
  set(cuda_why "there is no cuda/backend.cu")
elseif(cuda_wanted STREQUAL "off")
  set(cuda_why "PYLEARN_CUDA=off")
elseif(cuda_wanted STREQUAL "auto" AND NOT EXISTS /proc/driver/nvidia/version AND NOT EXISTS /dev/dxg)
  set(cuda_why "this machine has no NVIDIA driver (PYLEARN_CUDA=on builds it nevertheless)")
else()
  if(cuda_wanted STREQUAL "pypi")
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c "import nvidia.cu13, pathlib; print(*nvidia.cu13.__path__)"
      OUTPUT_VARIABLE cuda_wheels OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT EXISTS "${cuda_wheels}/bin/nvcc")
      message(FATAL_ERROR "PYLEARN_CUDA=pypi: no nvcc in the wheels of ${Python_EXECUTABLE}. pip install --no-build-isolation "
                          "needs nvidia-cuda-nvcc, -nvvm, -crt, -runtime and -cccl 13.0 to be installed first")
    endif()
    set(ENV{CUDACXX} "${cuda_wheels}/bin/nvcc")
    set(ENV{NVCC_APPEND_FLAGS} "-L${cuda_wheels}/lib")  # wheels have lib/, nvcc looks in lib64/
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(cuda_found TRUE)
  elseif(cuda_wanted STREQUAL "auto")
    set(cuda_why "no nvcc was found")
  else()
    message(FATAL_ERROR "PYLEARN_CUDA=${PYLEARN_CUDA}, but no nvcc was found: put it on the PATH, name it in CUDACXX, or take "
                        "that of PyPI's wheels (PYLEARN_CUDA=pypi)")
  endif()
endif()

if(cuda_found)
  set(CMAKE_CUDA_ARCHITECTURES ${PYLEARN_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  message(STATUS "libpylearn_cuda.so: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${PYLEARN_CUDA_ARCHITECTURES}")
  string(JOIN "," architectures ${PYLEARN_CUDA_ARCHITECTURES})
  add_library(pylearn_cuda MODULE ${cuda_sources})
  target_include_directories(pylearn_cuda PRIVATE ${cuda_includes})
  target_compile_definitions(pylearn_cuda PRIVATE ${cuda_definitions}
    PL_CUDA_BUILD="${CMAKE_CUDA_COMPILER_VERSION} ${architectures}")
  set_target_properties(pylearn_cuda PROPERTIES
    CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static
    CUDA_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden LINK_DEPENDS "${cuda_exports}")
  # -fmad=false: as on the CPU, a fused multiply-add is one that is written.
  target_compile_options(pylearn_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-O3 -fmad=false --expt-relaxed-constexpr --compress-mode=size -Xcompiler=-Wall,-Wno-unknown-pragmas>
    $<$<COMPILE_LANGUAGE:CXX>:-O2 -Wall -Wextra>)
  target_link_options(pylearn_cuda PRIVATE "LINKER:--version-script=${cuda_exports}" LINKER:--no-undefined)
  if(cuda_wanted STREQUAL "pypi")
    target_link_directories(pylearn_cuda PRIVATE "${cuda_wheels}/lib")
  endif()
  target_link_libraries(pylearn_cuda PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  install(TARGETS pylearn_cuda DESTINATION pylearn)
else()
  message(STATUS "No libpylearn_cuda.so: ${cuda_why}")
endif()
