// P A = L U with partial pivoting, and what is solved with it.
//
// Right-looking by blocks of 64 columns, inside a block by 8 (a vector, where that is wider). The innermost columns
// are factored turned, each contiguous: column after column takes its predecessors, is searched for its largest
// element and scaled. Rows are swapped as contiguous runs, the rows of U to the right are substituted, and the rest
// takes a product. Parallel over the columns to the right.
#pragma once
#include "kernels/decomp.h"
#include "kernels/decomp_blocks.h"

namespace pl::PL_ISA {
namespace {

template <class T>
inline constexpr int64_t kNarrow = larger(kStrip, width<T>);

// Columns of a tall matrix, turned: col (columns, rows) with rows `ld` apart. Pivots are rows of this matrix.
// Returns the first column (from 1) without a pivot, or 0.
template <class T>
int64_t factor_narrow(T* col, int64_t ld, int64_t rows, int64_t columns, int32_t* pivots) {
  int64_t singular = 0;
  for (int64_t j = 0; j < columns; ++j) {
    T* const x = col + j * ld;
    for (int64_t k = 0; k < j; ++k)  // the part in U
      for (int64_t i = k + 1; i < j; ++i) x[i] = fma_(-col[k * ld + i], x[k], x[i]);
    vec<T> f[kNarrow<T>], best{};
    for (int64_t k = 0; k < j; ++k) f[k] = broadcast(-x[k]);
    each_vector<T>(j, rows, [&](int64_t i, auto part) {
      vec<T> y = part.get(x + i);
      for (int64_t k = 0; k < j; ++k) y = fma_(f[k], part.get(col + k * ld + i), y);
      part.put(x + i, y);
      const vec<T> size = y < 0 ? -y : y;
      best = best < size ? size : best;  // NaNs are passed over
    });
    const T most = max_lanes(best);
    int64_t p = j;
    if (magnitude(x[j]) != most)
      for (int64_t i = j + 1; i < rows; ++i)
        if (magnitude(x[i]) == most) {
          p = i;
          break;
        }
    pivots[j] = static_cast<int32_t>(p);
    const T pivot = x[p];
    if (p != j)
      for (int64_t c = 0; c < columns; ++c) {
        const T keep = col[c * ld + j];
        col[c * ld + j] = col[c * ld + p];
        col[c * ld + p] = keep;
      }
    if (pivot == 0) {
      if (!singular) singular = j + 1;
      continue;
    }
    const T inverse = T(1) / pivot;
    if (magnitude(inverse) <= kLargest<T>)
      scale(inverse, x + j + 1, rows - j - 1);
    else
      for (int64_t i = j + 1; i < rows; ++i) x[i] /= pivot;
  }
  return singular;
}

// lu (n, padded) in place.
template <class T>
int64_t factor_lu(T* lu, int64_t ld, int64_t n, int32_t* pivots, T* turned, T* below) {
  constexpr int64_t N = kNarrow<T>, ldb = kBlock + kLine / int64_t{sizeof(T)};
  const int64_t ldt = padded<T>(n);
  int64_t singular = 0;
  for (int64_t j0 = 0; j0 < n; j0 += kBlock) {
    const int64_t j1 = smaller(j0 + kBlock, n);
    for (int64_t c = j0; c < j1; c += N) {
      const int64_t columns = smaller(N, j1 - c), rows = n - c, end = c + columns;
      copy_transposed(lu + c * ld + c, ld, columns, rows, turned, ldt);
      const int64_t wrong = factor_narrow(turned, ldt, rows, columns, pivots + c);
      if (wrong && !singular) singular = c + wrong;
      copy_transposed(turned, ldt, rows, columns, lu + c * ld + c, ld);
      for (int64_t k = c; k < end; ++k) {
        pivots[k] += static_cast<int32_t>(c);
        if (pivots[k] == k) continue;
        T* const a = lu + k * ld;
        T* const b = lu + pivots[k] * ld;
        swap_rows(a, b, c);
        swap_rows(a + end, b + end, n - end);
      }
      if (end == j1) continue;
      const Triangle<T> unit{lu + c * ld + c, ld, true, false, true, columns};
      solve_block(unit, 0, columns, lu + c * ld + end, ld, j1 - end);
      copy_negated(lu + end * ld + c, ld, n - end, columns, below, N);
      product(n - end, j1 - end, columns, below, N, false, lu + c * ld + end, ld, lu + end * ld + end, ld,
              true);
    }
    if (j1 == n) break;
    copy_negated(lu + j1 * ld + j0, ld, n - j1, kBlock, below, ldb);
    const Triangle<T> unit{lu + j0 * ld + j0, ld, true, false, true, kBlock};
    const double per_column = static_cast<double>(kBlock) * static_cast<double>(n - j1);
    for_columns<T>(j1, n, per_column, [&](int64_t from, int64_t to) {
      solve_block(unit, 0, kBlock, lu + j0 * ld + from, ld, to - from);
      product(n - j1, to - from, kBlock, below, ldb, false, lu + j0 * ld + from, ld, lu + j1 * ld + from, ld,
              true);
    });
  }
  return singular;
}

template <class T>
struct LuPlaces {
  T *lu, *turned, *below;
  LuPlaces(Arena& arena, int64_t n)
      : lu(arena.take<T>(n * padded<T>(n))),
        turned(arena.take<T>(kNarrow<T> * padded<T>(n))),
        below(arena.take<T>((kBlock + kLine / int64_t{sizeof(T)}) * n)) {}
};
template <class T>
BatchPlan lu_plan(const LuArgs& g) {
  Arena count{nullptr};
  LuPlaces<T> places(count, g.n);
  return plan_batch(g.batch, cubed(g.n) / 3, count.used);
}
template <class T>
void lu_of(const LuArgs& g) {
  const int64_t n = g.n, ld = padded<T>(n);
  int32_t row = 0;
  const int64_t failed = for_batch(lu_plan<T>(g), g.work, &row, [&](int64_t item, Arena arena) {
    const LuPlaces<T> places(arena, n);
    copy_exact(static_cast<const T*>(g.a) + item * n * n, n, n, n, places.lu, ld);
    const int64_t singular = factor_lu(places.lu, ld, n, g.pivots + item * n, places.turned, places.below);
    copy_exact(places.lu, ld, n, n, static_cast<T*>(g.lu) + item * n * n, n);
    return singular;
  });
  report(g.status, Status::singular, failed, row);
}

// -- solving -----------------------------------------------------------------------------------------------------------

template <class T>
BatchPlan lu_solve_plan(const LuSolveArgs& g) {
  const int64_t bytes = g.n * right_side_ld<T>(g.columns) * int64_t{sizeof(T)};
  return plan_batch(
      g.batch, static_cast<double>(g.n) * static_cast<double>(g.n) * static_cast<double>(g.columns), bytes);
}
template <class T>
void lu_solve_of(const LuSolveArgs& g) {
  const int64_t n = g.n, columns = g.columns, ld = right_side_ld<T>(columns);
  int32_t unused;
  for_batch(lu_solve_plan<T>(g), g.work, &unused, [&](int64_t item, Arena arena) {
    const T* const lu = static_cast<const T*>(g.lu) + item * g.batch_lu * n * n;
    const int32_t* const pivots = g.pivots + item * g.batch_lu * n;
    T* const y = arena.take<T>(n * ld);
    if (g.b)
      copy_exact(static_cast<const T*>(g.b) + item * n * columns, columns, n, columns, y, ld);
    else
      for (int64_t i = 0; i < n; ++i) {
        clear(y + i * ld, columns);
        y[i * ld + i] = 1;
      }
    const Triangle<T> lower{lu, n, true, g.trans, true, n}, upper{lu, n, false, g.trans, false, n};
    if (g.trans) {
      solve_triangle(upper, y, ld, columns);
      solve_triangle(lower, y, ld, columns);
      for (int64_t i = n - 1; i >= 0; --i)
        if (pivots[i] != i) swap_rows(y + i * ld, y + pivots[i] * ld, columns);
    } else {
      for (int64_t i = 0; i < n; ++i)
        if (pivots[i] != i) swap_rows(y + i * ld, y + pivots[i] * ld, columns);
      solve_triangle(lower, y, ld, columns);
      solve_triangle(upper, y, ld, columns);
    }
    copy_exact(y, ld, n, columns, static_cast<T*>(g.x) + item * n * columns, columns);
    return 0;
  });
}

template <class T>
BatchPlan triangular_plan(const TriangularArgs& g) {
  const int64_t bytes = g.n * right_side_ld<T>(g.columns) * int64_t{sizeof(T)};
  return plan_batch(
      g.batch, 0.5 * static_cast<double>(g.n) * static_cast<double>(g.n) * static_cast<double>(g.columns),
      bytes);
}
template <class T>
void triangular_of(const TriangularArgs& g) {
  const int64_t n = g.n, columns = g.columns, ld = right_side_ld<T>(columns);
  int32_t row = 0;
  const int64_t failed = for_batch(triangular_plan<T>(g), g.work, &row, [&](int64_t item, Arena arena) {
    const T* const a = static_cast<const T*>(g.a) + item * g.batch_a;
    if (!g.unit)
      for (int64_t i = 0; i < n; ++i)
        if (a[i * n + i] == 0) return i + 1;
    T* const y = arena.take<T>(n * ld);
    copy_exact(static_cast<const T*>(g.b) + item * n * columns, columns, n, columns, y, ld);
    solve_triangle(Triangle<T>{a, n, g.lower, g.trans, g.unit, n}, y, ld, columns);
    copy_exact(y, ld, n, columns, static_cast<T*>(g.x) + item * n * columns, columns);
    return int64_t{0};
  });
  report(g.status, Status::singular, failed, row);
}

// The product of U's diagonal, as a number and as sign and logarithm.
template <class T>
void lu_determinant_of(const LuDeterminantArgs& g) {
  const int64_t n = g.n;
  parallel_for(g.batch, larger(1, kWork / 64 / larger(1, n)), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const T* const lu = static_cast<const T*>(g.lu) + item * n * n;
      double fraction = 1, sign = 1, logabs = 0;
      int exponent = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double u = lu[i * n + i], size = magnitude(u);
        int e = 0;
        fraction = __builtin_frexp(fraction * u, &e);  // the product itself may leave the range on its way
        exponent += e;
        if (u == 0 || u != u)
          sign *= u;
        else if (u < 0)
          sign = -sign;
        if (g.pivots[item * n + i] != i) {
          fraction = -fraction;
          sign = -sign;
        }
        logabs += __builtin_log(size);
      }
      if (sign == 0) sign = 0;  // not -0
      if (fraction == 0) fraction = 0;
      if (g.det) static_cast<T*>(g.det)[item] = static_cast<T>(__builtin_ldexp(fraction, exponent));
      if (g.sign) static_cast<T*>(g.sign)[item] = static_cast<T>(sign);
      if (g.logabs) static_cast<T*>(g.logabs)[item] = static_cast<T>(logabs);
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
