// A = U'U, and A = L L' with L = U'.
//
// Row-major U has contiguous rows, so U is what is computed; L is turned on the way in and out. Left-looking: rows
// [j0,j1) first take one product with all rows above, -U[0:j0,J]' U[0:j0,j0:] (every element of U is written once,
// which is what the caches care about), then the block on the diagonal is factored strip by strip, then the columns
// to the right are substituted. Parallel over the columns to the right.
#pragma once
#include "kernels/decomp.h"
#include "kernels/decomp_blocks.h"

namespace pl::PL_ISA {
namespace {

// Columns of a strip that are factored with its square on the diagonal: a vector, where that is wider.
template <class T>
inline constexpr int64_t kHead = larger(kStrip, width<T>);
template <class T>
constexpr int64_t cholesky_ld(int64_t n) {
  return padded<T>(n + kHead<T> - kStrip);  // the last strip's head lies inside
}

// U'U = the square on the diagonal of R rows, and the substitution of the head's other columns, in registers; `keep`
// columns are written. What is left below the diagonal has no meaning. Returns the row (from 1) of the first pivot
// that is not positive, or 0.
template <class T, int R>
int64_t factor_head(T* u, int64_t ld, int64_t keep, Coefficients<T>& f) {
  constexpr int W = width<T>, C = kHead<T> / W;
  vec<T> row[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) row[i][c] = load(u + i * ld + c * W);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const T pivot = row[i][i / W][i % W];
    if (!(pivot > 0)) return i + 1;
    const T d = root(pivot), inverse = T(1) / d;
    f.inverse[i] = inverse;
#pragma GCC unroll 4
    for (int c = i / W; c < C; ++c) {
      row[i][c] *= broadcast(inverse);
      if ((c + 1) * W <= keep)
        store(u + i * ld + c * W, row[i][c]);
      else if (c * W < keep)
        store_n(u + i * ld + c * W, row[i][c], keep - c * W);
    }
    u[i * ld + i] = d;
#pragma GCC unroll 8
    for (int k = i + 1; k < R; ++k) {
      const T x = f.c[k][i] = -row[i][k / W][k % W];
#pragma GCC unroll 4
      for (int c = k / W; c < C; ++c) row[k][c] = fma_(broadcast(x), row[i][c], row[k][c]);
    }
  }
  return 0;
}
template <class T>
int64_t factor_head(int64_t rows, T* u, int64_t ld, int64_t keep, Coefficients<T>& f) {
  switch (rows) {
    case 1: return factor_head<T, 1>(u, ld, keep, f);
    case 2: return factor_head<T, 2>(u, ld, keep, f);
    case 3: return factor_head<T, 3>(u, ld, keep, f);
    case 4: return factor_head<T, 4>(u, ld, keep, f);
    case 5: return factor_head<T, 5>(u, ld, keep, f);
    case 6: return factor_head<T, 6>(u, ld, keep, f);
    case 7: return factor_head<T, 7>(u, ld, keep, f);
    default: return factor_head<T, 8>(u, ld, keep, f);
  }
}

// The upper triangle of u (n, padded) in place; `above` has room for kBlock * n elements.
template <class T>
int64_t cholesky_upper(T* u, int64_t ld, int64_t n, T* above) {
  alignas(64) T block[kBlock * kBlock];  // the block on the diagonal, negated: rows of U
  Coefficients<T> f[kBlock / kStrip];
  for (int64_t j0 = 0; j0 < n; j0 += kBlock) {
    const int64_t j1 = smaller(j0 + kBlock, n), size = j1 - j0;
    if (j0 > 0) copy_negated(u + j0, ld, j0, size, above, kBlock);
    for (int64_t r = 0; r < size; r += kStrip) {
      const int64_t rows = smaller(kStrip, size - r), keep = smaller(kHead<T>, size - r);
      T* const strip = u + (j0 + r) * ld + j0 + r;
      product(rows, size - r, j0, above + r, kBlock, true, u + j0 + r, ld, strip, ld, true);
      product(rows, size - r, r, block + r, kBlock, true, u + j0 * ld + j0 + r, ld, strip, ld, true);
      Coefficients<T>& here = f[r / kStrip];
      if (const int64_t wrong = factor_head(rows, strip, ld, keep, here)) return j0 + r + wrong;
      substitute(rows, here, strip + keep, ld, size - r - keep);
      copy_negated(strip, ld, rows, size - r, block + r * kBlock + r, kBlock);
    }
    const double per_column =
        static_cast<double>(size) * (static_cast<double>(j0) + 0.5 * static_cast<double>(size));
    for_columns<T>(j1, n, per_column, [&](int64_t from, int64_t to) {
      const int64_t columns = to - from;
      T* const y = u + j0 * ld + from;
      product(size, columns, j0, above, kBlock, true, u + from, ld, y, ld, true);
      for (int64_t r = 0; r < size; r += kStrip) {
        const int64_t rows = smaller(kStrip, size - r);
        product(rows, columns, r, block + r, kBlock, true, y, ld, y + r * ld, ld, true);
        substitute(rows, f[r / kStrip], y + r * ld, ld, columns);
      }
    });
  }
  return 0;
}

template <class T>
T* cholesky_places(Arena& arena, int64_t n, T** above) {
  T* const u = arena.take<T>(n * cholesky_ld<T>(n));
  *above = arena.take<T>(kBlock * n);
  return u;
}
template <class T>
BatchPlan cholesky_plan(const CholeskyArgs& g) {
  Arena count{nullptr};
  T* above;
  cholesky_places<T>(count, g.n, &above);
  return plan_batch(g.batch, cubed(g.n) / 6, count.used);
}

template <class T>
void cholesky_of(const CholeskyArgs& g) {
  const int64_t n = g.n, ld = cholesky_ld<T>(n);
  int32_t minor = 0;
  const int64_t failed = for_batch(cholesky_plan<T>(g), g.work, &minor, [&](int64_t item, Arena arena) {
    const T* const a = static_cast<const T*>(g.a) + item * n * n;
    T* const out = static_cast<T*>(g.out) + item * n * n;
    T* above;
    T* const u = cholesky_places<T>(arena, n, &above);
    if (g.upper)
      copy_exact(a, n, n, n, u, ld);
    else
      for (int64_t i = 0; i < n; i += kBlock)  // the lower triangle, by block rows
        copy_transposed(a + i * n, n, smaller(i + kBlock, n), smaller(kBlock, n - i), u + i, ld);
    if (const int64_t wrong = cholesky_upper(u, ld, n, above)) return wrong;
    for (int64_t i = 1; i < n; ++i) clear(u + i * ld, i);
    if (g.upper)
      copy_exact(u, ld, n, n, out, n);
    else
      transpose_exact(u, ld, n, n, out, n);
    return int64_t{0};
  });
  report(g.status, Status::not_positive_definite, failed, minor);
}

}  // namespace
}  // namespace pl::PL_ISA
