// Register tiles of the bfloat16 product: R rows by V vectors of sums, a vector of pairs at a time. The dot product of
// pairs is an intrinsic where there is one, as no vector type says it: 1.9 times the float32 product at 1024^3.
#pragma once
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "kernels/bf16_panel.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kPairs = 1;

#if defined(__AVX512BF16__)
PL_INLINE vf dot(vf sum, vu a, vu b) { return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }
#else
PL_INLINE vf dot(vf sum, vu a, vu b) {
  sum = fma_((vf)(a << 16), (vf)(b << 16), sum);
  return fma_((vf)(a & 0xffff0000u), (vf)(b & 0xffff0000u), sum);
}
#endif

template <int R, int V>
void dot_tile(const PanelProduct& t, int64_t last) {  // columns in the last vector
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
      const bool whole = j + 1 < V || last == W;
      vf y = sum[i][j];
      if (t.add) y += whole ? load(c) : load_n(c, last);
      whole ? store(c, y) : store_n(c, y, last);
    }
  }
}

using DotFn = void (*)(const PanelProduct&, int64_t);
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

void multiply_panel(PanelProduct t) {
  const int64_t vectors = blocks_of(t.columns, W), most = tile_rows(static_cast<int>(vectors));
  const int64_t tiles = blocks_of(t.rows, most), low = t.rows / tiles, higher = t.rows % tiles;
  for (int64_t n = 0; n < tiles; ++n) {
    const int64_t height = low + (n < higher ? 1 : 0);
    kDots.at[vectors - 1][height - 1](t, t.columns - (vectors - 1) * W);
    t.a += height * t.lda;
    t.c += height * t.ldc;
  }
}

}  // namespace
}  // namespace pl::PL_ISA
