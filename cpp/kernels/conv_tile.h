// The two register tiles of the convolution; each is a matrix product whose operands lie where they are.
//
// WindowTile, outputs of R pixels and V vectors of filters: sum over the kernel's rows and taps and `depth` contiguous
// channels. The pixels lie a fixed distance apart in x and in y; the weights are a matrix of row distance ldb. With
// dilation 1 a row of taps is contiguous in x (NHWC) and in the weights (HWIO), so it is one tap of depth KW * C.
// TapTile, the gradient of R channels of one tap by V vectors of filters: sum over images, rows and columns of pixels.
//
// Per step V loads, R broadcasts and R*V fused multiply-adds; the shapes follow from the register file, as in gemm_tile.h.
#pragma once
#include "kernels/gemm_tile.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int kConvRows = kMaxTileRows;
// Of one vector, fewer rows than sums fit: each row has a pointer, which is better held in a register too.
inline constexpr int kConvRowsOfOne = kVectorRegisters == 32 ? 10 : 8;

constexpr int conv_rows(int vectors) {
  const int rows = (kVectorRegisters - 1 - vectors - (kFusedMultiplyAdd ? 0 : 1)) / vectors;
  const int most = vectors == 1 ? kConvRowsOfOne : kConvRows;
  return rows < most ? rows : most;
}

template <class T>
struct WindowTile {
  int64_t rows, taps, depth;
  const T* a;
  int64_t a_row, a_tap, a_pixel;
  const T* b;
  int64_t b_row, b_tap, ldb;
  T* c;
  int64_t c_pixel;
  const T* bias;  // or null
  int64_t last;   // filters in the last vector, 1 to its width
  bool relu;
};

// Lanes past the last filter are never read from memory. With Whole there are none.
template <class T, int V, bool Whole>
PL_INLINE void load_vectors(const T* p, int64_t last, vec<T> (&to)[V]) {
  constexpr int W = width<T>;
#pragma GCC unroll 8
  for (int j = 0; j < V - 1; ++j) to[j] = load(p + j * W);
  to[V - 1] = Whole ? load(p + (V - 1) * W) : load_n(p + (V - 1) * W, last);
}
template <class T, int V, bool Whole>
PL_INLINE void store_vectors(T* p, int64_t last, const vec<T> (&from)[V]) {
  constexpr int W = width<T>;
#pragma GCC unroll 8
  for (int j = 0; j < V - 1; ++j) store(p + j * W, from[j]);
  if (Whole)
    store(p + (V - 1) * W, from[V - 1]);
  else
    store_n(p + (V - 1) * W, from[V - 1], last);
}

template <class T, int R, int V, bool Whole>
void window_tile(const WindowTile<T>& t) {
  alignas(PL_VEC) vec<T> sum[R][V] = {};
  if (t.bias) {
    alignas(PL_VEC) vec<T> bias[V];
    load_vectors<T, V, Whole>(t.bias, t.last, bias);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) sum[i][j] = bias[j];
  }
  const int64_t depth = t.depth, pixel = t.a_pixel, ldb = t.ldb, last = t.last;
  for (int64_t row = 0; row < t.rows; ++row) {
    for (int64_t tap = 0; tap < t.taps; ++tap) {
      const T* const a = t.a + row * t.a_row + tap * t.a_tap;
      const T* b = t.b + row * t.b_row + tap * t.b_tap;
      for (int64_t p = 0; p < depth; ++p, b += ldb) {
        alignas(PL_VEC) vec<T> w[V];
        load_vectors<T, V, Whole>(b, last, w);
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) {
          const vec<T> x = broadcast(a[i * pixel + p]);
#pragma GCC unroll 8
          for (int j = 0; j < V; ++j) sum[i][j] = fma_(x, w[j], sum[i][j]);
        }
      }
    }
  }
  if (t.relu) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) sum[i][j] = relu_(sum[i][j]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) store_vectors<T, V, Whole>(t.c + i * t.c_pixel, last, sum[i]);
}

template <class T>
struct TapTile {
  int64_t images, rows, columns;  // of pixels
  const T* a;
  int64_t a_image, a_row, a_pixel;
  const T* b;
  int64_t b_image, b_row, b_pixel;
  T* c;
  int64_t ldc;
  int64_t last;
};

// c += sum over pixels of a (R channels) b (V vectors)
template <class T, int R, int V, bool Whole>
void tap_tile(const TapTile<T>& t) {
  alignas(PL_VEC) vec<T> sum[R][V] = {};
  const int64_t columns = t.columns, a_pixel = t.a_pixel, b_pixel = t.b_pixel, last = t.last;
  for (int64_t n = 0; n < t.images; ++n) {
    for (int64_t row = 0; row < t.rows; ++row) {
      const T* a = t.a + n * t.a_image + row * t.a_row;
      const T* b = t.b + n * t.b_image + row * t.b_row;
      for (int64_t p = 0; p < columns; ++p, a += a_pixel, b += b_pixel) {
        alignas(PL_VEC) vec<T> d[V];
        load_vectors<T, V, Whole>(b, last, d);
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) {
          const vec<T> x = broadcast(a[i]);
#pragma GCC unroll 8
          for (int j = 0; j < V; ++j) sum[i][j] = fma_(x, d[j], sum[i][j]);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    alignas(PL_VEC) vec<T> before[V];
    load_vectors<T, V, Whole>(t.c + i * t.ldc, last, before);
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) sum[i][j] += before[j];
    store_vectors<T, V, Whole>(t.c + i * t.ldc, last, sum[i]);
  }
}

// at[vectors - 1][rows - 1]; null where the registers do not hold the tile
template <class Fn>
struct ConvTiles {
  Fn at[kPanelVectors][kConvRows] = {};
};
template <class T, bool Whole, int V, int R>
constexpr void add_tiles(ConvTiles<void (*)(const WindowTile<T>&)>& windows,
                         ConvTiles<void (*)(const TapTile<T>&)>& taps) {
  if constexpr (R <= conv_rows(V)) {
    windows.at[V - 1][R - 1] = window_tile<T, R, V, Whole>;
    taps.at[V - 1][R - 1] = tap_tile<T, R, V, Whole>;
    add_tiles<T, Whole, V, R + 1>(windows, taps);
  } else if constexpr (V < kPanelVectors) {
    add_tiles<T, Whole, V + 1, 1>(windows, taps);
  }
}
template <class T>
struct ConvTable {
  ConvTiles<void (*)(const WindowTile<T>&)> windows[2];  // [whole]
  ConvTiles<void (*)(const TapTile<T>&)> taps[2];
  constexpr ConvTable() {
    add_tiles<T, false, 1, 1>(windows[0], taps[0]);
    if constexpr (!kMaskedLoads) add_tiles<T, true, 1, 1>(windows[1], taps[1]);
  }
};
template <class T>
constexpr ConvTable<T> kConvTiles = {};

// `count` rows in tiles of nearly equal height: fn(first, height).
template <class Fn>
PL_INLINE void each_height(int64_t count, int64_t most, const Fn& fn) {
  const int64_t tiles = blocks_of(count, most);
  if (tiles == 0) return;
  const int64_t low = count / tiles, higher = count - low * tiles;
  for (int64_t i = 0, first = 0; i < tiles; ++i) {
    const int64_t height = low + (i < higher ? 1 : 0);
    fn(first, height);
    first += height;
  }
}

// fn(first filter, vectors, lanes of the last one) over panels of nearly equal width
template <class T, class Fn>
PL_INLINE void each_panel(int64_t filters, const Fn& fn) {
  constexpr int64_t W = width<T>;
  each_height(blocks_of(filters, W), kPanelVectors, [&](int64_t first, int64_t vectors) {
    fn(first * W, vectors, smaller(filters - (first + vectors - 1) * W, W));
  });
}

}  // namespace
}  // namespace pl::PL_ISA
