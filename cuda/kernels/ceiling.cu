// Ceilings of the device: multiply-adds a second, and bytes a second to and from memory.
//
// fma     a chunk is a block of kThreads threads with kChains independent chains each: with eight blocks on a
//         multiprocessor its four schedulers start one multiply-add a cycle each, whatever the latency. A chunk's sum is
//         made in a fixed order.
// stream  copy, triad and in-place update by the elementwise loop, 16 bytes a load.
#include "kernels/ceiling.h"

#include "map.cuh"

namespace pl::cuda {
namespace {

constexpr int kChains = 8;

struct WarpSums {
  float sum[kThreads / kWarp];
};

__global__ void __launch_bounds__(kThreads) fma_kernel(const FmaArgs a) {
  auto& shared = smem<WarpSums>();
  for (int64_t chunk = blockIdx.x; chunk < a.chunks; chunk += gridDim.x) {
    float acc[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) acc[i] = 1.0f + 0.01f * static_cast<float>(i);
    for (int64_t r = 0; r < a.rounds; ++r) {
#pragma unroll
      for (int i = 0; i < kChains; ++i) acc[i] = fma_(acc[i], a.multiplier, a.addend);
    }
    float sum = acc[0];
#pragma unroll
    for (int i = 1; i < kChains; ++i) sum += acc[i];
    for (int by = kWarp / 2; by > 0; by /= 2) sum += __shfl_down_sync(~0u, sum, static_cast<unsigned>(by));
    if (threadIdx.x % kWarp == 0) shared.sum[threadIdx.x / kWarp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      float total = shared.sum[0];
      for (int w = 1; w < kThreads / kWarp; ++w) total += shared.sum[w];
      a.out[chunk] = total;
    }
    __syncthreads();
  }
}

int64_t fma(Stream stream, const FmaArgs& a) {
  if (a.chunks > 0) start(stream, fma_kernel, blocks_for(a.chunks, 1), dim3(kThreads), sizeof(WarpSums), a);
  return 2 * a.chunks * a.rounds * kChains * kThreads;
}

template <class... X>
Box<sizeof...(X)> flat(int64_t n, X*... p) {
  const int64_t one = 1;
  Box<sizeof...(X)> b;
  b.ndim = 1;
  b.shape[0] = n;
  int k = 0;
  (set_operand(b.op[k++], p, sizeof(float), &one, 1), ...);
  return b;
}

struct Copied {
  __device__ __forceinline__ float operator()(float b) const { return b; }
};
// b + scale c
struct Added {
  float scale;
  __device__ __forceinline__ float operator()(float b, float c) const { return fma_(scale, c, b); }
};

void copy(Stream stream, const StreamArgs& a) {
  map<true, float, float>(stream, flat(a.n, a.a, a.b), Copied{});
}
void triad(Stream stream, const StreamArgs& a) {
  map<true, float, float, float>(stream, flat(a.n, a.a, a.b, a.c), Added{a.scale});
}
void update(Stream stream, const StreamArgs& a) {
  map<true, float, float, float>(stream, flat(a.n, a.a, a.a, a.b), Added{a.scale});
}

}  // namespace

extern const CeilingKernels ceiling;
const CeilingKernels ceiling = {
    .fma = fma,
    .copy = copy,
    .triad = triad,
    .update = update,
};

}  // namespace pl::cuda
