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

// S rows and 64 steps of k, of which `rows` and `steps` are there.
template <int S>
__device__ __forceinline__ void fetch_stage(uint16_t (&to)[S][kBf16Step], const uint16_t* from, int depth,
                                            int rows, int steps) {
  const int row = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
  constexpr int kAtOnce = kGemmThreads / 8;
  static_assert(kAtOnce % 8 == 0);
#pragma unroll
  for (int r = 0; r < S; r += kAtOnce) {
    const bool there = row + r < rows && chunk * 8 < steps;
    cp_async(&to[row + r][chunk_at(row, chunk)], there ? from + int64_t{row + r} * depth + chunk * 8 : from,
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
  const int64_t k0 = p.split * depth;
  const int all = static_cast<int>(smaller(depth, o.depth - k0)), steps = (all + kBf16Step - 1) / kBf16Step;
  const uint16_t* const a = o.a + p.batch * o.batch_a + i0 * o.depth + k0;
  const uint16_t* const b = o.b + p.batch * o.batch_b + j0 * o.depth + k0;
  const int rows_a = static_cast<int>(smaller(S, g.m - i0)), rows_b = static_cast<int>(smaller(S, g.n - j0));
  const auto fetch = [&](int step, int stage) {
    if (step < steps) {
      const int at = step * kBf16Step;
      fetch_stage(s.in.a[stage], a + at, static_cast<int>(o.depth), rows_a, all - at);
      fetch_stage(s.in.b[stage], b + at, static_cast<int>(o.depth), rows_b, all - at);
    }
    cp_async_commit();  // an empty group beyond the end, so that the number under way is always the same
  };
  MmaTile<S> tile;
  tile.clear();
#pragma unroll
  for (int step = 0; step < kBf16Stages - 1; ++step) fetch(step, step);
  for (int step = 0, stage = 0; step < steps; ++step) {
    cp_async_wait<kBf16Stages - 2>();
    __syncthreads();  // the stage is there for all, and the one before it is read by none
    fetch(step + kBf16Stages - 1, stage == 0 ? kBf16Stages - 1 : stage - 1);
    multiply_stage(s.in.a[stage], s.in.b[stage], tile);
    stage = stage + 1 == kBf16Stages ? 0 : stage + 1;
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
