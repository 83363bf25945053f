// A grid whose blocks wait for each other: all of them run at once, and a counter in global memory tells how many have
// come. What a block writes before a barrier the others see behind it, if they read past their first-level caches
// (__ldcg).
#pragma once
#include "launch.h"

namespace pl::cuda {
namespace {

// As start(), for a grid of at most one block for each multiprocessor.
template <class... E, class... A>
void start_together(Stream stream, void (*kernel)(E...), dim3 grid, dim3 block, size_t shared, A... args) {
  static_assert(sizeof...(E) == sizeof...(A));
  cudaLaunchAttribute together = {};
  together.id = cudaLaunchAttributeCooperative;
  together.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  config.attrs = &together;
  config.numAttrs = 1;
  if (shared > (size_t{48} << 10))
    note_error(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  note_error(cudaLaunchKernelEx(&config, kernel, static_cast<E>(args)...));
}

// Of a one-dimensional grid; the counter is zero before the kernel and after it.
class GridBarrier {
 public:
  __device__ explicit GridBarrier(unsigned* counter) : counter_(counter) {}

  __device__ void wait() {
    target_ += gridDim.x;
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      atomicAdd(counter_, 1u);
      while (*static_cast<volatile unsigned*>(counter_) < target_) spin();
      __threadfence();
    }
    __syncthreads();
  }
  // The last to come has nobody waiting behind it.
  __device__ void finish() {
    if (threadIdx.x == 0 && atomicAdd(counter_, 1u) + 1 == target_ + gridDim.x) *counter_ = 0;
  }

 private:
  unsigned* counter_;
  unsigned target_ = 0;
};

}  // namespace
}  // namespace pl::cuda
