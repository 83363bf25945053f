// Sums and scans over a block of kThreads threads, always in the same order: lanes of a warp in halves, then warps.
// Every thread of the block must come along.
#pragma once
#include "launch.h"

namespace pl::cuda {
namespace {

inline constexpr int kWarps = kThreads / kWarp;

__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / kWarp; }

template <class T>
__device__ __forceinline__ T warp_sum(T v) {
  for (int d = kWarp / 2; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
  return v;
}
// Of the lanes up to this one.
template <class T>
__device__ __forceinline__ T warp_scan(T v) {
  for (int d = 1; d < kWarp; d *= 2) {
    const T before = __shfl_up_sync(~0u, v, d);
    if (lane() >= d) v += before;
  }
  return v;
}

// `parts` has kWarps numbers in shared memory, free before and after.
template <class T>
__device__ __forceinline__ T block_sum(T v, T* parts) {
  v = warp_sum(v);
  if (lane() == 0) parts[warp()] = v;
  __syncthreads();
  v = parts[0];
  for (int w = 1; w < kWarps; ++w) v += parts[w];
  __syncthreads();
  return v;
}
// Of the threads up to this one; `total`: of all.
template <class T>
__device__ __forceinline__ T block_scan(T v, T* parts, T& total) {
  v = warp_scan(v);
  if (lane() == kWarp - 1) parts[warp()] = v;
  __syncthreads();
  T before{};
  total = T{};
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp()) before += parts[w];
    total += parts[w];
  }
  __syncthreads();
  return before + v;
}

// True in all threads of the block that comes last: what the others wrote before is then to be seen.
__device__ __forceinline__ bool last_block(unsigned* counter, int* flag) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    *flag = atomicAdd(counter, 1u) + 1 == gridDim.x;
    if (*flag) *counter = 0;
  }
  __syncthreads();
  const bool last = *flag != 0;
  __threadfence();
  return last;
}

// 16 bytes of T at once.
template <class T>
struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T v[size];
};
__device__ __forceinline__ bool aligned(const void* p) { return (reinterpret_cast<uintptr_t>(p) & 15) == 0; }

}  // namespace
}  // namespace pl::cuda
