// The bfloat16 product with mma.sync (sm_80 and later) on packed operands (bf16_pack.cuh).
//
// A block of eight warps computes an S x S tile of C, S = 128 or 64, in steps of 64 of k: three stages of shared memory
// filled by cp.async, two of them under way while the third is multiplied, one barrier a step. A row of a stage is 128
// bytes, eight chunks of 16; chunk c of row r lies at c ^ (r % 8), so that neither the copies nor ldmatrix, which reads
// one chunk of eight rows at a time, meet in a bank. Rows beyond the matrix are filled with zeros by the copy.
#pragma once
#include "bf16_pack.cuh"
#include "gemm_mma.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kBf16Step = 64, kBf16Stages = 3;

// A and B as packed.
struct Bf16Operands {
  const uint16_t *a, *b;
  int64_t depth;             // of a row
  int64_t batch_a, batch_b;  // elements from one matrix to the next, or 0
};

template <int S>
union Bf16Shared {
  struct {
    alignas(128) uint16_t a[kBf16Stages][S][kBf16Step], b[kBf16Stages][S][kBf16Step];
  } in;
  typename MmaTile<S>::Out out;
};

__device__ __forceinline__ int chunk_at(int row, int chunk) { return (chunk ^ (row % 8)) * 8; }

// Rows [row0, row0+S) and 64 steps of k.
template <int S>
__device__ __forceinline__ void fetch_stage(uint16_t (&to)[S][kBf16Step], const uint16_t* from, int64_t rows,
                                            int64_t depth, int64_t row0, int64_t k0, int64_t k1) {
#pragma unroll
  for (int r = 0; r < S * 8 / kGemmThreads; ++r) {
    const int q = static_cast<int>(threadIdx.x) + r * kGemmThreads, row = q / 8, chunk = q % 8;
    const bool there = row0 + row < rows && k0 + chunk * 8 < k1;
    cp_async(&to[row][chunk_at(row, chunk)], there ? from + (row0 + row) * depth + k0 + chunk * 8 : from,
             there ? 16 : 0);
  }
}

template <int S>
__device__ __forceinline__ void multiply_stage(const uint16_t (&a)[S][kBf16Step],
                                               const uint16_t (&b)[S][kBf16Step], MmaTile<S>& tile) {
  using Tile = MmaTile<S>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < kBf16Step / 16; ++k) {
    uint32_t x[Tile::kHigh][4], y[Tile::kWide / 2][4];
#pragma unroll
    for (int i = 0; i < Tile::kHigh; ++i) {
      const int row = Tile::top() + i * 16 + lane % 16;
      ldmatrix(x[i], &a[row][chunk_at(row, k * 2 + lane / 16)]);
    }
#pragma unroll
    for (int j = 0; j < Tile::kWide / 2; ++j) {
      const int row = Tile::left() + j * 16 + lane / 16 * 8 + lane % 8;
      ldmatrix(y[j], &b[row][chunk_at(row, k * 2 + lane / 8 % 2)]);
    }
#pragma unroll
    for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
      for (int j = 0; j < Tile::kWide; ++j) {
        const uint32_t pair[2] = {y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]};
        mma_bf16(tile.sum[i][j], x[i], pair);
      }
  }
}

// g.work holds the sums of the parts where K is split.
template <int S>
__global__ void __launch_bounds__(kGemmThreads, 2)
    bf16_gemm(GemmArgs g, Bf16Operands o, int splits, int64_t depth) {
  auto& s = smem<Bf16Shared<S>>();
  const Place p = place_of(blockIdx.x, blocks_of(g.m, S), blocks_of(g.n, S), g.batch);
  const int64_t i0 = p.row * S, j0 = p.column * S;
  const int64_t k0 = p.split * depth, k1 = smaller(k0 + depth, o.depth),
                steps = blocks_of(k1 - k0, kBf16Step);
  const uint16_t *const a = o.a + p.batch * o.batch_a, *const b = o.b + p.batch * o.batch_b;
  const auto fetch = [&](int64_t step) {
    if (step < steps) {
      const int stage = static_cast<int>(step % kBf16Stages);
      fetch_stage(s.in.a[stage], a, g.m, o.depth, i0, k0 + step * kBf16Step, k1);
      fetch_stage(s.in.b[stage], b, g.n, o.depth, j0, k0 + step * kBf16Step, k1);
    }
    cp_async_commit();  // an empty group beyond the end, so that the number under way is always the same
  };
  MmaTile<S> tile;
  tile.clear();
#pragma unroll
  for (int step = 0; step < kBf16Stages - 1; ++step) fetch(step);
  for (int64_t step = 0; step < steps; ++step) {
    cp_async_wait<kBf16Stages - 2>();
    __syncthreads();  // the stage is there for all, and the one before it is read by none
    fetch(step + kBf16Stages - 1);
    const int stage = static_cast<int>(step % kBf16Stages);
    multiply_stage(s.in.a[stage], s.in.b[stage], tile);
  }
  cp_async_wait<0>();
  tile.write(s.out, g, target_of<float>(g, splits, p.batch, p.split), i0, j0);
}

template <int S>
void start_bf16_mma(Stream stream, const GemmArgs& g, const Bf16Operands& o, int splits, int64_t depth) {
  start(stream, bf16_gemm<S>, dim3(static_cast<unsigned>(tiles_of(g, S) * splits)), dim3(kGemmThreads),
        sizeof(Bf16Shared<S>), g, o, splits, depth);
}

}  // namespace
}  // namespace pl::cuda
