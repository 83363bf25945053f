// The tile of C that mma.sync fills: S x S by eight warps 2 x 4, each a part of S/2 rows and S/4 columns in tiles of
// 16 x 8. The sums leave through shared memory, half of the rows at a time.
#pragma once
#include "gemm_simt.cuh"
#include "ptx_mma.cuh"

namespace pl::cuda {
namespace {

template <int S>
struct MmaTile {
  static constexpr int kHigh = S / 32, kWide = S / 32;  // tiles of a warp
  using Out = float[S / 2][S + 4];

  float sum[kHigh][kWide][4];

  // The first row and column of a warp's part.
  __device__ __forceinline__ static int top() {
    return static_cast<int>(threadIdx.x) / (4 * kWarp) * (S / 2);
  }
  __device__ __forceinline__ static int left() { return static_cast<int>(threadIdx.x) / kWarp % 4 * (S / 4); }
  __device__ __forceinline__ static int group() { return static_cast<int>(threadIdx.x) % kWarp / 4; }
  __device__ __forceinline__ static int in_group() { return static_cast<int>(threadIdx.x) % 4; }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kHigh; ++i)
#pragma unroll
      for (int j = 0; j < kWide; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) sum[i][j][e] = 0;
  }

  __device__ __forceinline__ bool finite() const {
    bool all = true;
#pragma unroll
    for (int i = 0; i < kHigh; ++i)
#pragma unroll
      for (int j = 0; j < kWide; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) all &= fabsf(sum[i][j][e]) <= 3.402823466e38f;
    return all;
  }

  __device__ __forceinline__ void write(Out& out, const GemmArgs& g, const Target<float>& t, int64_t i0,
                                        int64_t j0) const {
#pragma unroll 1
    for (int half = 0; half < 2; ++half) {
      __syncthreads();
      if (top() == half * (S / 2)) {
#pragma unroll
        for (int i = 0; i < kHigh; ++i)
#pragma unroll
          for (int j = 0; j < kWide; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e)
              out[i * 16 + group() + e / 2 * 8][left() + j * 8 + in_group() * 2 + e % 2] = sum[i][j][e];
      }
      __syncthreads();
      write_rows<Field<float>, S / 2, S, kGemmThreads>(t, out, i0 + half * (S / 2), j0, g.m, g.n);
    }
  }
};

}  // namespace
}  // namespace pl::cuda
