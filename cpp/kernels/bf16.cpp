// C = act(bf16(op(A)) bf16(op(B)) + bias + residual), sums in float32.
//
// Two steps of k make a pair of bfloat16 in 32 bits, low half first, and a product sums pairs: the dot-product
// instruction where there is one (the ISA v4bf16, which compiles this file only; an intrinsic, as no vector type says
// it: 1.9 times the float32 product at 1024^3), else two multiply-adds on halves widened again. Both operands are packed into the workspace by all threads, rounded on the way: A in rows of pairs,
// B in panels (pairs, P columns). What is stored the other way round is paired first and then turned.
// K goes in blocks of kDepth steps, C in blocks of kRows by kColumns; a task covers a few tiles of them. Parallel over
// panels and strips of rows, then over tasks; the cut depends on the shape only.
#include "kernels/bf16.h"

#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"

namespace pl::PL_ISA {
namespace {

constexpr int W = width<float>;
constexpr int64_t P = kPanelVectors * W;  // columns of a panel
constexpr int64_t kDepth = 1024;          // a panel of this depth is 128 KB where registers are 64 bytes wide
constexpr int64_t kStrip = 96;            // rows of A packed by one task: 200 KB
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

#if defined(__AVX512BF16__)
PL_INLINE vf dot(vf sum, vu a, vu b) { return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }
#else
PL_INLINE vf dot(vf sum, vu a, vu b) {
  sum = fma_((vf)(a << 16), (vf)(b << 16), sum);
  return fma_((vf)(a & 0xffff0000u), (vf)(b & 0xffff0000u), sum);
}
#endif

struct DotTile {
  int64_t pairs;
  const uint32_t* a;
  int64_t lda;
  const uint32_t* b;  // P apart
  float* c;
  int64_t ldc;
  int64_t last;  // columns in the last vector
  bool add;
};

template <int R, int V>
void dot_tile(const DotTile& t) {
  const uint32_t *const a = t.a, *b = t.b;
  const int64_t lda = t.lda;
  vf sum[R][V] = {};
  for (int64_t q = 0; q < t.pairs; ++q, b += P) {
    vu row[V];
#pragma GCC unroll 4
    for (int j = 0; j < V; ++j) row[j] = *reinterpret_cast<const vu*>(b + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const vu x = a[i * lda + q] - vu{};
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) sum[i][j] = dot(sum[i][j], x, row[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < V; ++j) {
      float* const c = t.c + i * t.ldc + j * W;
      const bool whole = j + 1 < V || t.last == W;
      vf y = sum[i][j];
      if (t.add) y += whole ? load(c) : load_n(c, t.last);
      whole ? store(c, y) : store_n(c, y, t.last);
    }
  }
}

using DotFn = void (*)(const DotTile&);
struct DotTable {
  DotFn at[kPanelVectors][kMaxTileRows];  // [vectors - 1][rows - 1]
};
template <int V, int R>
constexpr void fill_dots(DotTable& t) {
  t.at[V - 1][R - 1] = dot_tile<R, V>;
  if constexpr (R > 1)
    fill_dots<V, R - 1>(t);
  else if constexpr (V > 1)
    fill_dots<V - 1, tile_rows(V - 1)>(t);
}
constexpr DotTable make_dots() {
  DotTable t{};
  fill_dots<kPanelVectors, tile_rows(kPanelVectors)>(t);
  return t;
}
constexpr DotTable kDots = make_dots();

struct Bf16Plan {
  int64_t depth, pairs;    // of a block of K
  int64_t lda;             // of packed A, in pairs
  int64_t rows, columns;   // of C between two packings
  int64_t b_size, a_size;  // of the workspace, in pairs
};

Bf16Plan plan_bf16(const GemmArgs& g) {
  Bf16Plan p{};
  p.depth = round_up(blocks_of(g.k, blocks_of(g.k, kDepth)), 2);
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
      const int64_t columns = smaller(P, j1 - at), vectors = blocks_of(columns, W),
                    most = tile_rows(static_cast<int>(vectors));
      float* const out = c + i0 * g.ldc + at;
      DotTile t{blocks_of(depth, 2),
                packed_a + (i0 - i) * plan.lda,
                plan.lda,
                packed_b + (at - j) * plan.pairs,
                out,
                g.ldc,
                columns - (vectors - 1) * W,
                g.accumulate || k > 0};
      const int64_t tiles = blocks_of(i1 - i0, most), low = (i1 - i0) / tiles, higher = (i1 - i0) % tiles;
      for (int64_t n = 0; n < tiles; ++n) {
        const int64_t height = low + (n < higher ? 1 : 0);
        kDots.at[vectors - 1][height - 1](t);
        t.a += height * plan.lda;
        t.c += height * g.ldc;
      }
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
