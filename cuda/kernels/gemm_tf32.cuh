// float32 products on the tensor cores: a = big + small, both of TF32 (11 bits), and
//   a b ~ big small' + small big' + big big'.
// What is left out, small small', is 2^-22 of the product. The tensor cores cut their sums instead of rounding them, so
// each step of 8 is summed there from zero and added to the running sum with a plain, rounded addition: the error of a
// product is that of a float32 sum, not one that grows with K.
//
// The tile is 128 or 64 wide, K in steps of 16 through the buffers of the plain kernel (gemm_simt.cuh); operands are
// split as the fragments are read. big is a rounded to 11 bits by Dekker's way, without integer instructions; small is exact.
// Infinities, NaN and numbers too large to split make a sum that is not finite; a block that has one does its tile again
// with the plain kernel's loop, so that such elements are what IEEE says.
#pragma once
#include "gemm_mma.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kTf32Step = 16;

template <int S>
union Tf32Shared {
  SimtShared<float, S, kTf32Step> plain;
  typename MmaTile<S>::Out out;
};

struct Tf32Pair {
  uint32_t big, small;
};
__device__ __forceinline__ Tf32Pair split_tf32(float a) {
  const float p = a * 8193.0f;  // 2^13 + 1
  const float big = p - (p - a);
  return {__float_as_uint(big), __float_as_uint(a - big)};
}

template <int S>
__device__ __forceinline__ void multiply_tf32(const SimtShared<float, S, kTf32Step>& s, int now,
                                              MmaTile<S>& tile) {
  using Tile = MmaTile<S>;
  const int g = Tile::group(), t = Tile::in_group(), top = Tile::top() + g, left = Tile::left() + g;
#pragma unroll
  for (int k = 0; k < kTf32Step; k += 8) {
    uint32_t big[Tile::kHigh][4], small[Tile::kHigh][4];
#pragma unroll
    for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const Tf32Pair p = split_tf32(s.in.a[now][k + t + e / 2 * 4][top + i * 16 + e % 2 * 8]);
        big[i][e] = p.big;
        small[i][e] = p.small;
      }
#pragma unroll
    for (int j = 0; j < Tile::kWide; ++j) {
      const Tf32Pair low = split_tf32(s.in.b[now][k + t][left + j * 8]);
      const Tf32Pair high = split_tf32(s.in.b[now][k + t + 4][left + j * 8]);
      const uint32_t b_big[2] = {low.big, high.big}, b_small[2] = {low.small, high.small};
#pragma unroll
      for (int i = 0; i < Tile::kHigh; ++i) {
        float d[4] = {};
        mma_tf32(d, big[i], b_small);
        mma_tf32(d, small[i], b_big);
        mma_tf32(d, big[i], b_big);
#pragma unroll
        for (int e = 0; e < 4; ++e) tile.sum[i][j][e] += d[e];
      }
    }
  }
}

template <int S>
__global__ void __launch_bounds__(kGemmThreads, S == 64 ? 2 : 1) tf32_gemm(GemmArgs g) {
  using Plain = Simt<Field<float>, S, kTf32Step>;
  auto& s = smem<Tf32Shared<S>>();
  const Place p = place_of(blockIdx.x, blocks_of(g.m, S), blocks_of(g.n, S), g.batch);
  const int64_t i0 = p.row * S, j0 = p.column * S;
  if (g.symmetric && j0 + S <= i0) return;  // below the diagonal
  const Target<float> target = target_of<float>(g, 1, p.batch, 0);
  MmaTile<S> tile;
  tile.clear();
  Plain::walk(s.plain, g, p.batch, i0, j0, 0, g.k, [&](int now) { multiply_tf32(s.plain, now, tile); });
  if (__syncthreads_or(!tile.finite())) {
    float sum[Plain::kRows][Plain::kColumns];
    Plain::run(s.plain, g, p.batch, i0, j0, 0, g.k, sum);
    Plain::write(s.plain, g, target, i0, j0, sum);
  } else {
    tile.write(s.out, g, target, i0, j0);
  }
}

template <int S>
void start_tf32(Stream stream, const GemmArgs& g) {
  start(stream, tf32_gemm<S>, dim3(static_cast<unsigned>(tiles_of(g, S))), dim3(kGemmThreads),
        sizeof(Tf32Shared<S>), g);
}

}  // namespace
}  // namespace pl::cuda
