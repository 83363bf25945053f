// C = act(bf16(op(A)) bf16(op(B)) + bias + residual), sums in float32.
//
// Two steps of k make a pair of bfloat16 in 32 bits, low half first, and a product sums pairs. Two ISAs compile this file
// only, with intrinsics, as no vector type says what they do: v4bf16 has a dot-product instruction for pairs, v4amx tile
// registers of 16 rows by 16 pairs (bf16_amx.h); elsewhere it is two multiply-adds on halves widened again. Both operands
// are packed into the workspace by all threads, rounded on the way: A in rows of pairs, B in panels (pairs, P columns).
// What is stored the other way round is paired first and then turned.
// K goes in blocks of kDepth steps, C in blocks of kRows by kColumns; a task covers a few tiles of them. Parallel over
// panels and strips of rows, then over tasks; the cut depends on the shape only.
#include "kernels/bf16.h"

#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#if defined(__AMX_BF16__)
#include "kernels/bf16_amx.h"
#else
#include "kernels/bf16_dot.h"
#endif

namespace pl::PL_ISA {
namespace {

constexpr int64_t kDepth = 1024;  // a panel of this depth is 128 KB where registers are 64 bytes wide
constexpr int64_t kStrip = 96;    // rows of A packed by one task: 200 KB
constexpr int64_t kRows = 4096, kColumns = 8192;  // of C between two packings: bounds the workspace
constexpr int64_t kTurned = 64;                   // pairs turned at a time

typedef uint32_t half_u __attribute__((vector_size(PL_VEC / 2), aligned(4), may_alias));

// bfloat16 in the upper half of each lane; NaN stays NaN.
PL_INLINE vu rounded(vf x) {
  const vu u = (vu)x;
  const vu up = u + 0x7fffu + ((u >> 16) & 1u);
  return (vu)select(x == x, (vf)up, (vf)(u | 0x400000u));
}
PL_INLINE vu pairs(vf low, vf high) { return (rounded(low) >> 16) | (rounded(high) & 0xffff0000u); }

// out[q*ldo + j] = (in[2q][j], in[2q+1][j]): pairs across rows. Columns are filled up with zeros to whole vectors.
void pair_rows(const float* in, int64_t ldi, int64_t rows, int64_t columns, uint32_t* out, int64_t ldo) {
  for (int64_t p = 0; p < rows; p += 2, in += 2 * ldi, out += ldo) {
    const bool last = p + 1 == rows;
    for (int64_t j = 0; j < columns; j += W) {
      const int64_t n = smaller(W, columns - j);
      const vf low = n == W ? load(in + j) : load_n(in + j, n);
      const vf high = last ? vf{} : n == W ? load(in + ldi + j) : load_n(in + ldi + j, n);
      *reinterpret_cast<vu*>(out + j) = pairs(low, high);
    }
  }
}

// out[i*ldo + q] = (in[i][2q], in[i][2q+1]): pairs along rows, filled up with zeros to whole half vectors.
void pair_columns(const float* in, int64_t ldi, int64_t rows, int64_t columns, uint32_t* out, int64_t ldo) {
  for (int64_t i = 0; i < rows; ++i, in += ldi, out += ldo)
    for (int64_t p = 0; p < columns; p += W) {
      const int64_t n = smaller(W, columns - p);
      const vul two = (vul)rounded(n == W ? load(in + p) : load_n(in + p, n));
      const vul pair = ((two >> 16) & 0xffffu) | ((two >> 32) & 0xffff0000u);
      *reinterpret_cast<half_u*>(out + p / 2) = __builtin_convertvector(pair, half_u);
    }
}

struct Bf16Plan {
  int64_t depth, pairs;    // of a block of K
  int64_t lda;             // of packed A, in pairs
  int64_t rows, columns;   // of C between two packings
  int64_t b_size, a_size;  // of the workspace, in pairs
};

Bf16Plan plan_bf16(const GemmArgs& g) {
  Bf16Plan p{};
  p.depth = round_up(blocks_of(g.k, blocks_of(g.k, kDepth)), 2 * kPairs);
  p.pairs = p.depth / 2;
  p.lda = round_up(p.pairs, W) + W;  // rows a power of two apart would fall on the same cache sets
  p.rows = smaller(g.m, kRows);
  p.columns = smaller(round_up(g.n, P), kColumns);
  p.b_size = p.columns * p.pairs;
  p.a_size = round_up(p.rows, W) * p.lda;
  return p;
}

struct Bf16Product {
  const GemmArgs& g;
  Bf16Plan plan;
  const float *a, *b;
  float* c;
  uint32_t *packed_b, *packed_a;

  // Columns [j, j+columns) of B, steps [k, k+depth) of K.
  void pack_b(int64_t k, int64_t depth, int64_t j, int64_t columns, uint32_t* out) const {
    for (int64_t q = blocks_of(depth, 2); q % kPairs != 0; ++q)
      __builtin_memset(out + q * P, 0, P * sizeof(uint32_t));
    if (!g.trans_b) return pair_rows(b + k * g.ldb + j, g.ldb, depth, columns, out, P);
    alignas(64) uint32_t strip[P * kTurned];
    for (int64_t q = 0; q < depth; q += 2 * kTurned) {
      const int64_t n = smaller(2 * kTurned, depth - q);
      pair_columns(b + j * g.ldb + k + q, g.ldb, columns, n, strip, kTurned);
      copy_transposed(reinterpret_cast<const float*>(strip), kTurned, blocks_of(n, 2), columns,
                      reinterpret_cast<float*>(out + q / 2 * P), P);
    }
  }
  void pack_a(int64_t k, int64_t depth, int64_t i, int64_t rows, uint32_t* out) const {
    for (int64_t q = blocks_of(depth, 2); q % kPairs != 0; ++q)
      for (int64_t r = 0; r < rows; ++r) out[r * plan.lda + q] = 0;
    if (!g.trans_a) return pair_columns(a + i * g.lda + k, g.lda, rows, depth, out, plan.lda);
    alignas(64) uint32_t strip[kTurned * kStrip];
    for (int64_t q = 0; q < depth; q += 2 * kTurned) {
      const int64_t n = smaller(2 * kTurned, depth - q);
      pair_rows(a + (k + q) * g.lda + i, g.lda, n, rows, strip, kStrip);
      copy_transposed(reinterpret_cast<const float*>(strip), kStrip, rows, blocks_of(n, 2),
                      reinterpret_cast<float*>(out + q / 2), plan.lda);
    }
  }

  // Rows [i0,i1), columns [j0,j1), of the packed block at row i and column j.
  void cover(int64_t i, int64_t i0, int64_t i1, int64_t j, int64_t j0, int64_t j1, int64_t k,
             int64_t depth) const {
    for (int64_t at = j0; at < j1; at += P) {
      const int64_t columns = smaller(P, j1 - at);
      float* const out = c + i0 * g.ldc + at;
      multiply_panel({blocks_of(depth, 2 * kPairs) * kPairs, packed_a + (i0 - i) * plan.lda, plan.lda,
                      packed_b + (at - j) * plan.pairs, out, g.ldc, i1 - i0, columns, g.accumulate || k > 0});
      if (k + depth == g.k && !g.accumulate) finish_block(out, i1 - i0, columns, at);
    }
  }

  // Columns [j, j+columns) of C, complete but for its epilogue.
  void finish_block(float* out, int64_t rows, int64_t columns, int64_t j) const {
    const float *const bias = static_cast<const float*>(g.bias), *const residual =
                                                                     static_cast<const float*>(g.residual);
    finish(out, g.ldc, rows, columns, bias ? bias + j : nullptr, 1, g.activation,
           residual ? residual + (out - static_cast<const float*>(g.c)) : nullptr);
  }

  void run() const {
    for (int64_t j = 0; j < g.n; j += plan.columns)
      for (int64_t k = 0; k < g.k; k += plan.depth)
        for (int64_t i = 0; i < g.m; i += plan.rows)
          block(i, smaller(i + plan.rows, g.m), j, smaller(j + plan.columns, g.n), k,
                smaller(plan.depth, g.k - k));
  }

  void block(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k, int64_t depth) const {
    const int64_t panels = i0 == 0 ? blocks_of(j1 - j0, P) : 0, strips = blocks_of(i1 - i0, kStrip);
    parallel_for(
        panels + strips, 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; ++t) {
            if (t < panels) {
              const int64_t j = j0 + t * P;
              pack_b(k, depth, j, smaller(P, j1 - j), packed_b + t * P * plan.pairs);
            } else {
              const int64_t i = i0 + (t - panels) * kStrip;
              pack_a(k, depth, i, smaller(kStrip, i1 - i), packed_a + (i - i0) * plan.lda);
            }
          }
        },
        !g.accumulate);
    const int64_t across = blocks_of(j1 - j0, P), wide = blocks_of(across, blocks_of(64, strips)) * P;
    const int64_t columns = blocks_of(j1 - j0, wide);
    parallel_for(
        strips * columns, 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; ++t) {
            const int64_t i = i0 + t % strips * kStrip, j = j0 + t / strips * wide;
            cover(i0, i, smaller(i + kStrip, i1), j0, j, smaller(j + wide, j1), k, depth);
          }
        },
        !g.accumulate);
  }
};

void gemm(Stream, const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return;
  const Bf16Plan plan = g.k > 0 ? plan_bf16(g) : Bf16Plan{};
  for (int64_t n = 0; n < g.batch; ++n) {
    const Bf16Product product{g,
                              plan,
                              static_cast<const float*>(g.a) + n * g.batch_a,
                              static_cast<const float*>(g.b) + n * g.batch_b,
                              static_cast<float*>(g.c) + n * g.batch_c,
                              static_cast<uint32_t*>(g.work),
                              static_cast<uint32_t*>(g.work) + plan.b_size};
    if (g.k > 0) {
      product.run();
      continue;
    }
    if (g.accumulate) continue;
    for (int64_t i = 0; i < g.m; ++i)
      __builtin_memset(product.c + i * g.ldc, 0, static_cast<size_t>(g.n) * sizeof(float));
    product.finish_block(product.c, g.m, g.n, 0);
  }
}

int64_t gemm_workspace(const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.k <= 0 || g.batch <= 0) return 0;
  const Bf16Plan plan = plan_bf16(g);
  return (plan.b_size + plan.a_size) * int64_t{sizeof(uint32_t)};
}

}  // namespace

extern const Bf16Kernels bf16;
const Bf16Kernels bf16 = {.gemm = gemm, .gemm_workspace = gemm_workspace};

}  // namespace pl::PL_ISA
