// Elements moved by their size alone: strided copies and transposed tiles.
#pragma once
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

// Whatever the element's type. A member type, because a template argument would lose may_alias.
template <int size>
struct raw;
template <>
struct raw<1> {
  typedef uint8_t type __attribute__((may_alias));
};
template <>
struct raw<4> {
  typedef uint32_t type __attribute__((may_alias));
};
template <>
struct raw<8> {
  typedef uint64_t type __attribute__((may_alias));
};
typedef uint32_t byte4 __attribute__((may_alias));
typedef uint64_t byte8 __attribute__((may_alias));

PL_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
PL_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// to[i * to_stride] = from[i * from_stride], strides in elements
template <int size>
inline void copy_elements(void* to, int64_t to_stride, const void* from, int64_t from_stride, int64_t n) {
  using U = typename raw<size>::type;
  U* y = static_cast<U*>(to);
  const U* x = static_cast<const U*>(from);
  if (to_stride == 1 && from_stride == 1) {
    if (n * size >= 64) {
      if (y != x) __builtin_memmove(y, x, n * size);
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = x[i];
    }
  } else if (from_stride == 0) {
    const U v = *x;
    for (int64_t i = 0; i < n; ++i) y[i * to_stride] = v;
  } else if (to_stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * from_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * to_stride] = x[i * from_stride];
  }
}
inline void copy_elements(int size, void* to, int64_t to_stride, const void* from, int64_t from_stride,
                          int64_t n) {
  switch (size) {
    case 1: return copy_elements<1>(to, to_stride, from, from_stride, n);
    case 4: return copy_elements<4>(to, to_stride, from, from_stride, n);
    default: return copy_elements<8>(to, to_stride, from, from_stride, n);
  }
}

typedef uint32_t u32x4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint64_t u64x2 __attribute__((vector_size(16), aligned(8), may_alias));

// y[i * sy + j] = x[j * sx + i]: one small square in registers. Strides in elements.
PL_INLINE void transpose_square(const byte4* x, int64_t sx, byte4* y, int64_t sy) {
  const u32x4 a = *(const u32x4*)x, b = *(const u32x4*)(x + sx);
  const u32x4 c = *(const u32x4*)(x + 2 * sx), d = *(const u32x4*)(x + 3 * sx);
  const u32x4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
              ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const u32x4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
              cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(u32x4*)y = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *(u32x4*)(y + sy) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *(u32x4*)(y + 2 * sy) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *(u32x4*)(y + 3 * sy) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}
PL_INLINE void transpose_square(const byte8* x, int64_t sx, byte8* y, int64_t sy) {
  const u64x2 a = *(const u64x2*)x, b = *(const u64x2*)(x + sx);
  *(u64x2*)y = __builtin_shufflevector(a, b, 0, 2);
  *(u64x2*)(y + sy) = __builtin_shufflevector(a, b, 1, 3);
}

// y[i * sy + j] = x[j * sx + i] for i < rows, j < cols
template <int size>
inline void transpose_tile(const void* x_, int64_t sx, void* y_, int64_t sy, int64_t rows, int64_t cols) {
  using U = typename raw<size>::type;
  const U* x = static_cast<const U*>(x_);
  U* y = static_cast<U*>(y_);
  int64_t whole_rows = 0, whole_cols = 0;
  if constexpr (size > 1) {
    constexpr int64_t w = 16 / size;
    whole_rows = rows / w * w;
    whole_cols = cols / w * w;
    for (int64_t i = 0; i < whole_rows; i += w)
      for (int64_t j = 0; j < whole_cols; j += w) transpose_square(x + j * sx + i, sx, y + i * sy + j, sy);
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole_cols : 0; j < cols; ++j) y[i * sy + j] = x[j * sx + i];
}

inline void transpose_tile(int size, const void* x, int64_t sx, void* y, int64_t sy, int64_t rows,
                           int64_t cols) {
  switch (size) {
    case 1: return transpose_tile<1>(x, sx, y, sy, rows, cols);
    case 4: return transpose_tile<4>(x, sx, y, sy, rows, cols);
    default: return transpose_tile<8>(x, sx, y, sy, rows, cols);
  }
}

// y[r * y_row + c * y_col] = x[r * x_row + c * x_col]
inline void copy_tile(int size, void* y, int64_t y_row, int64_t y_col, const void* x, int64_t x_row,
                      int64_t x_col, int64_t rows, int64_t cols) {
  if (x_row == 1 && y_col == 1 && rows >= 4) return transpose_tile(size, x, x_col, y, y_row, rows, cols);
  if (y_row == 1 && x_col == 1 && rows >= 4) return transpose_tile(size, x, x_row, y, y_col, cols, rows);
  for (int64_t r = 0; r < rows; ++r)
    copy_elements(size, static_cast<char*>(y) + r * y_row * size, y_col,
                  static_cast<const char*>(x) + r * x_row * size, x_col, cols);
}

}  // namespace
}  // namespace pl::PL_ISA
