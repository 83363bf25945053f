# One instruction set: every kernel source compiled with its flags, made one object in which only the kernel
# tables are visible.
#
# The same templates compiled for several ISAs must never meet in the linker: it would keep one copy of a weak
# symbol, perhaps the AVX-512 one, for all of them. So the objects of an ISA are joined (ld -r), a weak symbol in
# the result stops the build, and what is left becomes local, except pl::<isa>::<family>.

set(PYLEARN_ISA_FLAGS_baseline -march=x86-64 -O2)  # a third smaller than -O3, for processors that few have
set(PYLEARN_ISA_FLAGS_v3 -march=x86-64-v3)
set(PYLEARN_ISA_FLAGS_v4 -march=x86-64-v4)
set(PYLEARN_ISA_FLAGS_v4bf16 -march=x86-64-v4 -mavx512bf16)  # for bf16.cpp only
set(PYLEARN_ISA_FLAGS_v4amx -march=x86-64-v4 -mamx-tile -mamx-bf16)  # likewise
set(PYLEARN_ISA_FLAGS_neon -march=armv8-a)
set(PYLEARN_KERNEL_FLAGS
    -std=c++20 -O3 -fPIC -fno-exceptions -ffp-contract=off -fvisibility=hidden
    -Wall -Wextra -Wno-uninitialized -Werror=missing-field-initializers
    $<$<CXX_COMPILER_ID:Clang>:-Wno-unknown-pragmas>)  # GCC ivdep

set(_check_symbols "${CMAKE_CURRENT_LIST_DIR}/check_symbols.py")

# Adds target kernels_<isa>; in <out> what a module links: the joined object, or, when the sanitizers are on (they
# emit weak symbols of their own), the plain objects. FAMILIES are the names of the tables that must be there.
function(pylearn_add_isa out isa)
  cmake_parse_arguments(arg "" "INCLUDE" "SOURCES;FAMILIES" ${ARGN})
  if(NOT DEFINED PYLEARN_ISA_FLAGS_${isa})
    message(FATAL_ERROR "PYLEARN_ISAS: '${isa}' is unknown; it is one of baseline, v3, v4 (x86-64), neon (aarch64)")
  endif()
  set(target kernels_${isa})
  add_library(${target} OBJECT ${arg_SOURCES})
  target_include_directories(${target} PRIVATE "${arg_INCLUDE}")
  target_compile_definitions(${target} PRIVATE PL_ISA=${isa})
  target_compile_options(${target} PRIVATE ${PYLEARN_KERNEL_FLAGS} ${PYLEARN_ISA_FLAGS_${isa}} ${PYLEARN_SANITIZE_FLAGS})
  if(PYLEARN_SANITIZE)
    set(${out} $<TARGET_OBJECTS:${target}> PARENT_SCOPE)
    return()
  endif()

  string(LENGTH ${isa} isa_length)
  set(keep "")
  set(tables "")
  foreach(family IN LISTS arg_FAMILIES)
    string(LENGTH ${family} family_length)
    set(symbol "_ZN2pl${isa_length}${isa}${family_length}${family}E")
    list(APPEND keep --keep-global-symbol=${symbol})
    list(APPEND tables ${symbol})
  endforeach()
  set(joined "${CMAKE_CURRENT_BINARY_DIR}/${target}.joined.o")
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}.o")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND ${CMAKE_LINKER} -r -o "${joined}" $<TARGET_OBJECTS:${target}>
    COMMAND ${Python_EXECUTABLE} "${_check_symbols}" --nm ${CMAKE_NM} "${joined}" ${tables}
    COMMAND ${CMAKE_OBJCOPY} ${keep} "${joined}" "${object}"
    DEPENDS ${target} $<TARGET_OBJECTS:${target}> "${_check_symbols}"
    COMMENT "Joining the ${isa} kernels and checking their symbols"
    COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  set(${out} "${object}" PARENT_SCOPE)
endfunction()
