// Copies of operand blocks into the layout the tiles read best.
//
// A panel of B is (K, P) with P a whole number of vectors, row p at p*P; columns past the matrix are zero. It
// is a strided copy of B, or, when B is stored (N,K), a transposition through registers. A block of A keeps
// its order and only loses its row distance: rows a power of two apart would share cache sets and touch a
// page each.
#pragma once
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

// out[p*ldo + j] = in[p*ldi + j] for j < columns, and zero up to a whole number of vectors
template <class T>
void copy_rows(const T* in, int64_t ldi, int64_t rows, int64_t columns, T* out, int64_t ldo) {
  constexpr int W = width<T>;
  const int64_t whole = columns / W * W;
  for (int64_t p = 0; p < rows; ++p, in += ldi, out += ldo) {
    for (int64_t j = 0; j < whole; j += W) store(out + j, load(in + j));
    if (whole < columns) store(out + whole, load_n(in + whole, columns - whole));
  }
}

// clang forgets the reduced alignment of vec<T> where it is passed by reference, hence alignas below.
// W vectors as the rows of a square are replaced by its columns: log2(W) rounds of a perfect shuffle.
template <class T>
PL_INLINE void transpose_square(vec<T> (&x)[width<T>]) {
  constexpr int W = width<T>;
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
    alignas(PL_VEC) vec<T> y[W];
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; ++i) {
      y[2 * i] = interleave_low(x[i], x[i + W / 2]);
      y[2 * i + 1] = interleave_high(x[i], x[i + W / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) x[i] = y[i];
  }
}

// out[p*ldo + j] = in[j*ldi + p] for p < rows, j < columns, and zero up to a whole number of vectors
template <class T>
void copy_transposed(const T* in, int64_t ldi, int64_t rows, int64_t columns, T* out, int64_t ldo) {
  constexpr int W = width<T>;
  for (int64_t j = 0; j < columns; j += W, in += W * ldi, out += W) {
    const int64_t wide = columns - j < W ? columns - j : W;
    int64_t p = 0;
    if (wide == W) {
      for (; p + W <= rows; p += W) {
        alignas(PL_VEC) vec<T> x[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) x[i] = load(in + i * ldi + p);
        transpose_square<T>(x);
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) store(out + (p + i) * ldo, x[i]);
      }
    }
    for (; p < rows; p += W) {
      const int64_t tall = rows - p < W ? rows - p : W;
      alignas(PL_VEC) vec<T> x[W] = {};
      for (int64_t i = 0; i < wide; ++i)
        x[i] = tall == W ? load(in + i * ldi + p) : load_n(in + i * ldi + p, tall);
      transpose_square<T>(x);
      for (int64_t i = 0; i < tall; ++i) store(out + (p + i) * ldo, x[i]);
    }
  }
}

}  // namespace
}  // namespace pl::PL_ISA
