// The register tile of the matrix product: C (R, V vectors) += A (R,K) B (K, V vectors), all of C in
// registers.
//
// Per step of k: V loads of B, R broadcasts of A, R*V fused multiply-adds. A is read where it lies, in either
// order: with rows_contiguous false A[i][p] = a[i*lda + p], else a[p*lda + i]. The shapes (rows, vectors)
// follow from the register file: R*V sums, V of B, one of A.
#pragma once
#include "kernels/activate.h"
#include "kernels/linalg.h"
#include "kernels/math.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t blocks_of(int64_t n, int64_t block) { return (n + block - 1) / block; }
constexpr int64_t round_up(int64_t n, int64_t to) { return blocks_of(n, to) * to; }

// Vectors across a panel of B: wide where registers allow it, as fewer loads are needed for each multiply-add
// and few rows of A are in flight at once (rows a power of two apart fall on the same cache sets).
inline constexpr int kPanelVectors = kVectorRegisters == 32 ? 4 : 2;
inline constexpr int kMaxTileRows = kVectorRegisters == 32 ? 12 : 8;

// Where a masked load costs what a plain one does, the last columns of B are read in place; elsewhere they
// are packed.
inline constexpr bool kMaskedLoads = PL_VEC == 64;

constexpr int tile_rows(int vectors) {
  const int rows = (kVectorRegisters - 1 - vectors - (kFusedMultiplyAdd ? 0 : 1)) / vectors;
  return rows < kMaxTileRows ? rows : kMaxTileRows;
}

// A region of memory (rows of `bytes`, `stride` bytes apart) that is needed soon. Tiles ask the second-level cache
// for it while they compute: `lines` cache lines after every `every` steps of k.
struct Ahead {
  const char* at = nullptr;
  int64_t rows = 0, bytes = 0, stride = 0;
  int64_t every = 1, lines = 1;
  int64_t column = 0;

  // Spreads the region over `steps` steps of k.
  void spread(const void* from, int64_t row_count, int64_t row_bytes, int64_t row_stride, int64_t steps) {
    const int64_t skew = static_cast<int64_t>(reinterpret_cast<uintptr_t>(from) % 64);
    at = static_cast<const char*>(from) - skew;
    rows = row_count;
    bytes = row_bytes + skew;
    stride = row_stride;
    column = 0;
    const int64_t all = larger(1, rows * blocks_of(bytes, 64));
    every = larger(1, steps / all);
    lines = blocks_of(all * every, larger(1, steps));
  }
  PL_INLINE void ask() {
    for (int64_t i = 0; i < lines && rows > 0; ++i) {
      __builtin_prefetch(at + column, 0, 2);
      column += 64;
      if (column < bytes) continue;
      column = 0;
      at += stride;
      --rows;
    }
  }
};

template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;  // elements from one k to the next
  T* c;
  int64_t ldc;
  int64_t last;  // columns in the last vector, 1 to its width
  bool add;      // to what C holds
  Ahead* ahead = nullptr;
};

template <class T, int R, int V, bool RowsContiguous, bool Ask>
void tile(const Tile<T>& t) {
  constexpr int W = width<T>;
  const int64_t lda = t.lda, ldb = t.ldb, k = t.k;
  const T* const a = t.a;
  const T* b = t.b;
  if (t.add) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) __builtin_prefetch(t.c + i * t.ldc + j * W, 1);
  }
  vec<T> sum[R][V] = {};
  int64_t end = k;
  for (int64_t p = 0; p < k;) {
    if constexpr (Ask) {
      t.ahead->ask();
      end = smaller(p + t.ahead->every, k);
    }
    for (; p < end; ++p) {
      vec<T> row[V];
#pragma GCC unroll 8
      for (int j = 0; j < V - 1; ++j) row[j] = load(b + j * W);
      row[V - 1] = kMaskedLoads ? load_n(b + (V - 1) * W, t.last) : load(b + (V - 1) * W);
      b += ldb;
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const vec<T> x = broadcast(RowsContiguous ? a[p * lda + i] : a[i * lda + p]);
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) sum[i][j] = fma_(x, row[j], sum[i][j]);
      }
    }
  }
  if (t.last == W) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) {
        T* const c = t.c + i * t.ldc + j * W;
        store(c, t.add ? sum[i][j] + load(c) : sum[i][j]);
      }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    T* const c = t.c + i * t.ldc;
#pragma GCC unroll 8
    for (int j = 0; j < V - 1; ++j) store(c + j * W, t.add ? sum[i][j] + load(c + j * W) : sum[i][j]);
    T* const end = c + (V - 1) * W;
    store_n(end, t.add ? sum[i][V - 1] + load_n(end, t.last) : sum[i][V - 1], t.last);
  }
}

template <class T>
using TileFn = void (*)(const Tile<T>&);

template <class T, bool RowsContiguous, int V, int R>
constexpr TileFn<T> tile_or_null() {
  if constexpr (V <= kPanelVectors && R <= tile_rows(V))
    return tile<T, R, V, RowsContiguous, false>;
  else
    return nullptr;
}

template <class T>
struct TileTable {
  TileFn<T> at[2][4][12];  // [rows_contiguous][vectors - 1][rows - 1]
};

template <class T, bool RowsContiguous, int V>
constexpr void fill_tiles(TileFn<T> (&at)[12]) {
  at[0] = tile_or_null<T, RowsContiguous, V, 1>();
  at[1] = tile_or_null<T, RowsContiguous, V, 2>();
  at[2] = tile_or_null<T, RowsContiguous, V, 3>();
  at[3] = tile_or_null<T, RowsContiguous, V, 4>();
  at[4] = tile_or_null<T, RowsContiguous, V, 5>();
  at[5] = tile_or_null<T, RowsContiguous, V, 6>();
  at[6] = tile_or_null<T, RowsContiguous, V, 7>();
  at[7] = tile_or_null<T, RowsContiguous, V, 8>();
  at[8] = tile_or_null<T, RowsContiguous, V, 9>();
  at[9] = tile_or_null<T, RowsContiguous, V, 10>();
  at[10] = tile_or_null<T, RowsContiguous, V, 11>();
  at[11] = tile_or_null<T, RowsContiguous, V, 12>();
}

template <class T>
constexpr TileTable<T> make_tiles() {
  TileTable<T> t{};
  fill_tiles<T, false, 1>(t.at[0][0]);
  fill_tiles<T, false, 2>(t.at[0][1]);
  fill_tiles<T, false, 3>(t.at[0][2]);
  fill_tiles<T, false, 4>(t.at[0][3]);
  fill_tiles<T, true, 1>(t.at[1][0]);
  fill_tiles<T, true, 2>(t.at[1][1]);
  fill_tiles<T, true, 3>(t.at[1][2]);
  fill_tiles<T, true, 4>(t.at[1][3]);
  return t;
}

template <class T>
constexpr TileTable<T> kTiles = make_tiles<T>();

// The tiles of a whole panel that ask ahead while they compute.
template <class T>
struct AskingTiles {
  TileFn<T> at[2][tile_rows(kPanelVectors)];  // [rows_contiguous][rows - 1]
};
template <class T, int R>
constexpr void fill_asking(AskingTiles<T>& t) {
  t.at[0][R - 1] = tile<T, R, kPanelVectors, false, true>;
  t.at[1][R - 1] = tile<T, R, kPanelVectors, true, true>;
  if constexpr (R > 1) fill_asking<T, R - 1>(t);
}
template <class T>
constexpr AskingTiles<T> make_asking() {
  AskingTiles<T> t{};
  fill_asking<T, tile_rows(kPanelVectors)>(t);
  return t;
}
template <class T>
constexpr AskingTiles<T> kAskingTiles = make_asking<T>();

// C (rows, columns) of a panel at most kPanelVectors wide, any number of rows, cut into tiles of nearly equal
// height.
template <class T>
void tile_column(int64_t rows, int64_t columns, int64_t k, const T* a, int64_t lda, bool rows_contiguous,
                 const T* b, int64_t ldb, T* c, int64_t ldc, bool add, Ahead* ahead = nullptr) {
  constexpr int W = width<T>;
  const int vectors = static_cast<int>((columns + W - 1) / W);
  const int64_t most = tile_rows(vectors);
  const int64_t tiles = (rows + most - 1) / most, low = rows / tiles, higher = rows % tiles;
  const bool asks = ahead && vectors == kPanelVectors && ahead->rows > 0;
  const TileFn<T>* const fn =
      asks ? kAskingTiles<T>.at[rows_contiguous] : kTiles<T>.at[rows_contiguous][vectors - 1];
  Tile<T> t{k, a, lda, b, ldb, c, ldc, columns - (vectors - 1) * W, add, ahead};
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t height = low + (i < higher ? 1 : 0);
    fn[height - 1](t);
    t.a += rows_contiguous ? height : height * lda;
    t.c += height * ldc;
  }
}

// What is added to C before the activation; row i of the residual is at i * its ldc. bias_step 0: one bias for all
// columns.
template <class T>
struct Added {
  const T* bias;
  int64_t bias_step;
  const T* residual;
};

template <class T, Activation F>
void finish_rows(T* c, int64_t ldc, int64_t rows, int64_t columns, Added<T> added) {
  constexpr int W = width<T>;
  const auto [bias, bias_step, residual] = added;
  for (int64_t i = 0; i < rows; ++i, c += ldc) {
    const T* const other = residual ? residual + i * ldc : nullptr;
    int64_t j = 0;
    for (; j + W <= columns; j += W) {
      vec<T> x = load(c + j);
      if (bias) x += bias_step ? load(bias + j) : broadcast(*bias);
      if (other) x += load(other + j);
      store(c + j, activate(x, F));
    }
    if (j == columns) continue;
    vec<T> x = load_n(c + j, columns - j);
    if (bias) x += bias_step ? load_n(bias + j, columns - j) : broadcast(*bias);
    if (other) x += load_n(other + j, columns - j);
    store_n(c + j, activate(x, F), columns - j);
  }
}

// c = act(c + bias + residual) while c is still in the first-level cache.
template <class T>
void finish(T* c, int64_t ldc, int64_t rows, int64_t columns, const T* bias, int64_t bias_step, Activation f,
            const T* residual = nullptr) {
  using A = Activation;
  const Added<T> added{bias, bias_step, residual};
  switch (f) {
    case A::none:
      if (bias || residual) finish_rows<T, A::none>(c, ldc, rows, columns, added);
      return;
    case A::relu: return finish_rows<T, A::relu>(c, ldc, rows, columns, added);
    case A::sigmoid: return finish_rows<T, A::sigmoid>(c, ldc, rows, columns, added);
    case A::tanh: return finish_rows<T, A::tanh>(c, ldc, rows, columns, added);
    case A::leaky_relu: return finish_rows<T, A::leaky_relu>(c, ldc, rows, columns, added);
    case A::elu: return finish_rows<T, A::elu>(c, ldc, rows, columns, added);
    case A::selu: return finish_rows<T, A::selu>(c, ldc, rows, columns, added);
    case A::softplus: return finish_rows<T, A::softplus>(c, ldc, rows, columns, added);
    case A::gelu: return finish_rows<T, A::gelu>(c, ldc, rows, columns, added);
    case A::gelu_tanh: return finish_rows<T, A::gelu_tanh>(c, ldc, rows, columns, added);
    case A::silu: return finish_rows<T, A::silu>(c, ldc, rows, columns, added);
  }
}

}  // namespace
}  // namespace pl::PL_ISA
