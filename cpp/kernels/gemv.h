// Products with at most kThin rows or one column: bound by the reading of one matrix X, once.
//
// dots  out[v][i] = sum_p X[i][p] x[v][p]    X's rows along K: four rows at a time, two vector sums each
// axpys out[v][i] = sum_p X[p][i] x[v][p]    X's rows along the output: eight rows at a time over a block of
// columns
//                                            whose sums stay in the first-level cache, so X is read in long
//                                            runs
// Parallel over the outputs.
#pragma once
#include "core/parallel.h"
#include "kernels/gemm_tile.h"
#include "kernels/linalg.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kThin = 3;
inline constexpr int64_t kThinWork = 1 << 16;  // elements of X read by a task

template <class T>
struct Thin {
  int64_t vectors, outputs, k;
  const T* x;  // the matrix
  int64_t ldx;
  const T* v;  // the vectors: element p of vector i at v[i*v_row + p*v_step]
  int64_t v_row, v_step;
  T* out;  // element j of output i at out[i*out_row + j*out_step]
  int64_t out_row, out_step;
  const T* bias;
  int64_t bias_step;
  Activation activation;
  bool accumulate;
  const T* residual = nullptr;  // placed as out, or null
};

// The residual of the element c points to.
template <class T>
PL_INLINE const T* residual_at(const GemmArgs& g, const T* c) {
  return g.residual ? static_cast<const T*>(g.residual) + (c - static_cast<const T*>(g.c)) : nullptr;
}

template <class T>
PL_INLINE T sum_lanes(vec<T> x) {
  T lane[width<T>];
  store(lane, x);
  for (int half = width<T> / 2; half; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
}

template <class T, int R>
PL_INLINE void dot_rows(const T* x, int64_t ldx, const T* v, int64_t k, T* sums) {
  constexpr int W = width<T>;
  vec<T> low[R] = {}, high[R] = {};
  int64_t p = 0;
  for (; p + 2 * W <= k; p += 2 * W) {
    const vec<T> a = load(v + p), b = load(v + p + W);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      low[i] = fma_(load(x + i * ldx + p), a, low[i]);
      high[i] = fma_(load(x + i * ldx + p + W), b, high[i]);
    }
  }
  if (p + W <= k) {
    const vec<T> a = load(v + p);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) low[i] = fma_(load(x + i * ldx + p), a, low[i]);
    p += W;
  }
  if (p < k) {
    const vec<T> a = load_n(v + p, k - p);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) high[i] = fma_(load_n(x + i * ldx + p, k - p), a, high[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) sums[i] = sum_lanes<T>(low[i] + high[i]);
}

template <class T>
void finish_thin(const Thin<T>& t, int64_t begin, int64_t end) {
  if (t.accumulate) return;
  const T* const bias = t.bias ? t.bias + begin * t.bias_step : nullptr;
  for (int64_t i = 0; i < t.vectors; ++i) {
    const int64_t at = i * t.out_row + begin * t.out_step;
    T* const out = t.out + at;
    const T* const residual = t.residual ? t.residual + at : nullptr;
    if (t.out_step == 1)
      finish(out, 0, 1, end - begin, bias, t.bias_step, t.activation, residual);
    else
      finish(out, t.out_step, end - begin, 1, bias, t.bias_step, t.activation, residual);
  }
}

template <class T>
void dots(const Thin<T>& t) {
  const int64_t grain = larger(4, kThinWork / t.k / 4 * 4);
  parallel_for(
      t.outputs, grain,
      [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; j += 4) {
          for (int64_t i = 0; i < t.vectors; ++i) {
            const int64_t rows = smaller(4, end - j);
            const T *const x = t.x + j * t.ldx, *const v = t.v + i * t.v_row;
            T sums[4];
            if (rows == 4)
              dot_rows<T, 4>(x, t.ldx, v, t.k, sums);
            else
              for (int64_t r = 0; r < rows; ++r) dot_rows<T, 1>(x + r * t.ldx, 0, v, t.k, sums + r);
            T* out = t.out + i * t.out_row + j * t.out_step;
            for (int64_t r = 0; r < rows; ++r, out += t.out_step)
              *out = t.accumulate ? *out + sums[r] : sums[r];
          }
        }
        finish_thin(t, begin, end);
      },
      !t.accumulate);
}

// out[j] (+)= sum over R rows of factor * x, as two sums: a narrow output is one chain of additions otherwise
template <class T, int R>
void axpy_rows(const T* x, int64_t ldx, int64_t columns, const T* factor, int64_t step, T* out, bool add) {
  constexpr int W = width<T>;
  vec<T> f[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) f[r] = broadcast(factor[r * step]);
  int64_t j = 0;
  for (; j + W <= columns; j += W) {
    vec<T> sum[2] = {add ? load(out + j) : vec<T>{}, vec<T>{}};
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r % 2] = fma_(f[r], load(x + r * ldx + j), sum[r % 2]);
    store(out + j, sum[0] + sum[1]);
  }
  if (j == columns) return;
  vec<T> sum[2] = {add ? load_n(out + j, columns - j) : vec<T>{}, vec<T>{}};
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) sum[r % 2] = fma_(f[r], load_n(x + r * ldx + j, columns - j), sum[r % 2]);
  store_n(out + j, sum[0] + sum[1], columns - j);
}

template <class T>
void axpys(const Thin<T>& t) {
  constexpr int64_t kBlock =
      2048 / int64_t{sizeof(T)};  // columns: eight rows of them fill a third of the cache
  parallel_for(
      t.outputs, larger(kBlock, smaller(4 * kBlock, kThinWork / t.k / kBlock * kBlock)),
      [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; j += 2 * kBlock) {
          const int64_t columns = smaller(2 * kBlock, end - j);
          int64_t p = 0;
          for (; p < t.k;) {
            const bool eight = p + 8 <= t.k;
            for (int64_t i = 0; i < t.vectors; ++i) {
              const T *const x = t.x + p * t.ldx + j, *const f = t.v + i * t.v_row + p * t.v_step;
              T* const out = t.out + i * t.out_row + j;
              if (eight)
                axpy_rows<T, 8>(x, t.ldx, columns, f, t.v_step, out, t.accumulate || p > 0);
              else
                axpy_rows<T, 1>(x, t.ldx, columns, f, t.v_step, out, t.accumulate || p > 0);
            }
            p += eight ? 8 : 1;
          }
        }
        finish_thin(t, begin, end);
      },
      !t.accumulate);
}

// Runs the products that have one of the two forms; false for the others, which the tiles do.
template <class T>
bool gemm_thin(const GemmArgs& g) {
  if (g.batch != 1 || (g.m > kThin && g.n > 1)) return false;
  const T *const a = static_cast<const T*>(g.a), *const b = static_cast<const T*>(g.b);
  T* const c = static_cast<T*>(g.c);
  const T* const bias = static_cast<const T*>(g.bias);
  const bool deep = g.k >= 2 * width<T>;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_step = g.trans_a ? g.lda : 1;
  const int64_t b_step = g.trans_b ? 1 : g.ldb;
  if (g.n == 1 && g.m > 1) {
    Thin<T> t{1, g.m, g.k, a, g.lda, b, 0, b_step, c, 0, g.ldc, bias, 0, g.activation, g.accumulate};
    t.residual = residual_at<T>(g, c);
    if (!g.trans_a && b_step == 1 && deep) return dots(t), true;
    if (g.trans_a && g.ldc == 1) return axpys(t), true;
    return false;
  }
  if (g.m > kThin) return false;
  Thin<T> t{g.m, g.n, g.k, b, g.ldb, a, a_row, a_step, c, g.ldc, 1, bias, 1, g.activation, g.accumulate};
  t.residual = residual_at<T>(g, c);
  if (!g.trans_b) return axpys(t), true;
  if (a_step == 1 && deep) return dots(t), true;
  return false;
}

}  // namespace
}  // namespace pl::PL_ISA
