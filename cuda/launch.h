// What every kernel file starts from: launching, scratch memory, bad data, the grid-stride loop. Compiled by nvcc and,
// for the emulated build (emulation/), by the host's C++ compiler; both define PL_CUDA and PL_ISA=cuda.
//
// House rules: kernels are started with start() only; shared memory is one struct, smem<S>(); inline PTX lives in
// ptx.cuh only; loops that wait call spin(); nothing that changes between steps is an argument, since arguments are
// frozen in a captured step. Sums are made in an order that depends on the shapes alone, so that every run has the same
// bits: no atomic addition of floats.
#pragma once
#include <cuda_runtime.h>

#include <type_traits>

#include "core/device.h"
#include "core/dtype.h"

#if !defined(PL_EMU)
namespace pl {
template <class S>
__device__ __forceinline__ S& smem() {
  extern __shared__ __align__(1024) unsigned char pl_dynamic_smem[];
  return *reinterpret_cast<S*>(pl_dynamic_smem);
}
__device__ __forceinline__ void spin() { __nanosleep(20); }
}  // namespace pl
#endif

namespace pl::cuda {

// Marks an entry of the table that has no CUDA kernel yet: the caller raises and names it.
inline constexpr std::nullptr_t missing = nullptr;

inline constexpr int kWarp = 32;
inline constexpr int kThreads = 256;  // of a block, where nothing asks for another number

// Keeps the first error of the calling thread until the host asks for it (backend.cu).
void note_error(cudaError_t error);

// Device memory for what one launch passes to the next, or its blocks to each other; the contents are undefined at the
// start of each kernel-table call. At most kScratch bytes; the same address always, so captured steps can use it.
inline constexpr size_t kScratch = size_t{64} << 20;
void* scratch(Stream stream);
// One zeroed counter a grid may use to find its last block; whoever uses it leaves it zero.
unsigned* counter(Stream stream);

int multiprocessors();

// Starts kernel(args...) in order on the stream.
template <class... E, class... A>
void start(Stream stream, void (*kernel)(E...), dim3 grid, dim3 block, size_t shared, A... args) {
  static_assert(sizeof...(E) == sizeof...(A));
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  if (shared > (size_t{48} << 10))
    note_error(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  note_error(cudaLaunchKernelEx(&config, kernel, static_cast<E>(args)...));
}

// Blocks for n independent elements: enough to fill the machine a few times over; the kernel strides over the rest.
inline dim3 blocks_for(int64_t n, int threads = kThreads) {
  const int64_t blocks = (n + threads - 1) / threads, most = int64_t{32} * multiprocessors();
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks < most ? blocks : most));
}

// for (int64_t i = first(); i < n; i += stride()) over a one-dimensional grid.
__device__ __forceinline__ int64_t first() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t stride() { return int64_t{gridDim.x} * blockDim.x; }

// The status word lies in memory that host and device share; the first to come is kept.
__device__ __forceinline__ void note(Status* status, Status::Code code, int64_t position, int64_t value,
                                     int64_t bound) {
  if (atomicCAS(&status->code, int32_t{Status::ok}, int32_t{code}) != Status::ok) return;
  status->position = position;
  status->value = value;
  status->bound = bound;
}

// f(T{}) for float or double.
template <class F>
void with_float(DType dtype, F&& f) {
  if (dtype == DType::float32)
    f(float{});
  else
    f(double{});
}
// f(T{}) for the types an id or a label may have.
template <class F>
void with_id(DType dtype, F&& f) {
  switch (dtype) {
    case DType::uint8: return f(uint8_t{});
    case DType::int32: return f(int32_t{});
    default: return f(int64_t{});
  }
}

}  // namespace pl::cuda
