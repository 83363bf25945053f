// Layer and RMS normalisation: the statistics of each row of x (rows, n).
//
//   forward   the sums of x - shift and of its square, then mean and variance from them. shift is the row's first
//             element, or for rows longer than kShortRow its mean: since shift belongs to the row, (mean - shift)^2 is at
//             most n times the variance, so that the subtraction in it loses no more than n units in the last place.
//   backward  g = dy act'(z), h = g gamma, t = (x - mean) rstd:
//             dx = rstd (h - mean(h) - t mean(h t)),  dgamma = sum_rows(g t),  dbeta = sum_rows(g)
//
// Parallel over rows, kRowChunk elements a chunk. kRowBlock rows are taken at a time, column by column: their sums are
// independent chains in registers, gamma and beta are read once for all of them, and the square roots are taken as
// vectors. dgamma and dbeta of a chunk are partial sums in the workspace, at most kMostChunks of them, added in order.
#pragma once
#include "kernels/norm_common.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kRowChunk = 1 << 14;
constexpr int kRowBlock = kVectorRegisters == 32 ? 8 : 4;
// A smooth activation's polynomials fill the time of single rows.
template <Follow F>
inline constexpr int kRowsAtOnce = F == Follow::smooth ? 1 : kRowBlock;
constexpr int64_t kShortRow = 512;
constexpr int64_t kMostChunks = 64;
constexpr int64_t kColumnChunk = 512;

// One number for each row of a block, padded so that they are also whole vectors.
template <class T>
struct PerRow {
  static constexpr int size = kRowBlock > width<T> ? kRowBlock : width<T>;
  alignas(64) T of[size] = {};
  template <class Formula>
  PL_INLINE void each(const Formula& formula) {
    for (int i = 0; i < size; i += width<T>) store(of + i, formula(i));
  }
  PL_INLINE vec<T> at(int i) const { return load(of + i); }
};

// term(j, r, run, first, second) adds what stands in column j of row r to the row's two sums.
template <class T, int kRows, class Term>
PL_INLINE void sum_rows(int64_t n, PerRow<T>& first, PerRow<T>& second, const Term& term) {
  vec<T> a[kRows] = {}, b[kRows] = {};
  each_run<T, 1>(n, [&](int64_t j, auto run) { term(j, run, a, b); });
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    first.of[r] = sum_lanes(a[r]);
    second.of[r] = sum_lanes(b[r]);
  }
}

template <class T, int kRows>
PL_INLINE void row_statistics(const T* x, int64_t n, bool rms, T epsilon, PerRow<T>& mean, PerRow<T>& rstd) {
  const T share = T(1) / static_cast<T>(n);
  PerRow<T> shift, sum, squares;
  if (!rms) {
    if (n > kShortRow) {
      sum_rows<T, kRows>(n, shift, sum, [&](int64_t j, auto run, vec<T>* a, vec<T>*) {
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) a[r] += run.get(x + r * n + j, 0);
      });
      shift.each([&](int i) { return shift.at(i) * share; });
    } else {
      for (int r = 0; r < kRows; ++r) shift.of[r] = x[r * n];
    }
  }
  sum_rows<T, kRows>(n, sum, squares, [&](int64_t j, auto run, vec<T>* a, vec<T>* b) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const vec<T> d = run.get_or(x + r * n + j, 0, shift.of[r]) - shift.of[r];  // 0 behind the end
      a[r] += d;
      b[r] = fma_(d, d, b[r]);
    }
  });
  if (rms) {
    rstd.each([&](int i) { return T(1) / sqrt_(squares.at(i) * share + epsilon); });
    return;
  }
  mean.each([&](int i) { return fma_(sum.at(i), broadcast(share), shift.at(i)); });
  rstd.each([&](int i) {
    const vec<T> rest = squares.at(i) - sum.at(i) * (sum.at(i) * share);
    return T(1) / sqrt_(select(rest < 0, vec<T>{}, rest) * share + epsilon);
  });
}

template <class T, Follow F, int kRows>
__attribute__((noinline)) void row_forward_block(const RowNormArgs& a, int64_t first) {
  const int64_t n = a.n;
  const T* const gamma = static_cast<const T*>(a.gamma);
  const T* const beta = static_cast<const T*>(a.beta);
  const T* const x = static_cast<const T*>(a.x) + first * n;
  PerRow<T> mean, rstd;
  row_statistics<T, kRows>(x, n, a.rms, static_cast<T>(a.epsilon), mean, rstd);
  for (int r = 0; r < kRows; ++r) {
    if (!a.rms) static_cast<T*>(a.mean)[first + r] = mean.of[r];
    static_cast<T*>(a.rstd)[first + r] = rstd.of[r];
  }
  if (!a.y) return;
  T* const y = static_cast<T*>(a.y) + first * n;
  const bool past = rows_go_past(a.y, a.rows * n * int64_t{sizeof(T)}, n * int64_t{sizeof(T)});
  each_run<T, 1>(n, [&](int64_t j, auto run) {
    const vec<T> scale = gamma ? run.get(gamma + j, 0) : splat<vec<T>>(T(1));
    const vec<T> offset = beta ? run.get(beta + j, 0) : vec<T>{};
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      __builtin_prefetch(x + (kRows + r) * n + j, 0, 2);  // the next rows
      const vec<T> t = (run.get(x + r * n + j, 0) - mean.of[r]) * rstd.of[r];
      run.put(y + r * n + j, 0, activated<F>(fma_(t, scale, offset), a.activation), past);
    }
  });
  if (past) fence_past();
}

template <class T, Follow F>
void row_forward(const RowNormArgs& a) {
  const int64_t grain = a.n >= kRowChunk ? 1 : kRowChunk / a.n;
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    int64_t r = begin;
    for (; r + kRowsAtOnce<F> <= end; r += kRowsAtOnce<F>) row_forward_block<T, F, kRowsAtOnce<F>>(a, r);
    for (; r < end; ++r) row_forward_block<T, F, 1>(a, r);
  });
}

struct RowPlan {
  int64_t rows, chunks;  // rows of a chunk
};
PL_INLINE RowPlan plan_rows(int64_t rows, int64_t n) {
  const int64_t wanted =
      norm_larger(norm_blocks(kRowChunk, norm_larger(n, 1)), norm_blocks(rows, kMostChunks));
  const int64_t each = norm_blocks(wanted, kRowBlock) * kRowBlock;
  return {each, norm_blocks(rows, each)};
}

// `fresh`: the partial sums hold nothing yet.
template <class T, Follow F, int kRows>
__attribute__((noinline)) void row_backward_block(const RowNormBackwardArgs& a, int64_t first, T* partial,
                                                  bool fresh) {
  using V = vec<T>;
  const int64_t n = a.n;
  const T* const gamma = static_cast<const T*>(a.gamma);
  const T* const beta = static_cast<const T*>(a.beta);
  const T* const x = static_cast<const T*>(a.x) + first * n;
  const T* const dy = static_cast<const T*>(a.dy) + first * n;
  PerRow<T> mean, rstd, mean_h, mean_ht;
  for (int r = 0; r < kRows; ++r) {
    if (!a.rms) mean.of[r] = static_cast<const T*>(a.mean)[first + r];
    rstd.of[r] = static_cast<const T*>(a.rstd)[first + r];
  }
  // t and g of row r in column j
  const auto terms = [&](int64_t j, int r, auto run, V scale, V& t) {
    t = (run.get(x + r * n + j, 0) - mean.of[r]) * rstd.of[r];
    const V g = run.get(dy + r * n + j, 0);
    if constexpr (F == Follow::none) return g;
    return through_activation<F>(g, fma_(t, scale, beta ? run.get(beta + j, 0) : V{}), a.activation);
  };
  if (a.dx) {
    sum_rows<T, kRows>(n, mean_h, mean_ht, [&](int64_t j, auto run, V* h_sum, V* ht_sum) {
      const V scale = gamma ? run.get(gamma + j, 0) : splat<V>(T(1));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        V t;
        const V h = terms(j, r, run, scale, t) * scale;  // 0 behind the end, as dy is
        h_sum[r] += h;
        ht_sum[r] = fma_(h, t, ht_sum[r]);
      }
    });
    const T share = T(1) / static_cast<T>(n);
    mean_h.each([&](int i) { return a.rms ? V{} : mean_h.at(i) * share; });
    mean_ht.each([&](int i) { return mean_ht.at(i) * share; });
  }
  T* const dx = static_cast<T*>(a.dx) + first * n;
  const bool past = rows_go_past(a.dx, a.rows * n * int64_t{sizeof(T)}, n * int64_t{sizeof(T)});
  each_run<T, 1>(n, [&](int64_t j, auto run) {
    const V scale = gamma ? run.get(gamma + j, 0) : splat<V>(T(1));
    V sum_g = fresh ? V{} : run.get(partial + j, 0), sum_gt = fresh ? V{} : run.get(partial + n + j, 0);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      V t;
      __builtin_prefetch(x + (kRows + r) * n + j, 0, 2);
      __builtin_prefetch(dy + (kRows + r) * n + j, 0, 2);
      const V g = terms(j, r, run, scale, t);
      sum_g += g;
      sum_gt = fma_(g, t, sum_gt);
      if (a.dx)
        run.put(dx + r * n + j, 0, (fma_(g, scale, splat<V>(-mean_h.of[r])) - t * mean_ht.of[r]) * rstd.of[r],
                past);
    }
    run.put(partial + j, 0, sum_g);
    run.put(partial + n + j, 0, sum_gt);
  });
  if (past) fence_past();
}

template <class T, Follow F>
void row_backward(const RowNormBackwardArgs& a) {
  const int64_t n = a.n;
  const RowPlan plan = plan_rows(a.rows, n);
  parallel_for(plan.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      T* const partial = static_cast<T*>(a.work) + chunk * 2 * n;
      const int64_t from = chunk * plan.rows, to = norm_smaller(from + plan.rows, a.rows);
      int64_t r = from;
      for (; r + kRowsAtOnce<F> <= to; r += kRowsAtOnce<F>)
        row_backward_block<T, F, kRowsAtOnce<F>>(a, r, partial, r == from);
      for (; r < to; ++r) row_backward_block<T, F, 1>(a, r, partial, r == from);
    }
  });
  if (!a.dgamma && !a.dbeta) return;
  parallel_for(n, kColumnChunk, [&](int64_t begin, int64_t end) {
    for (int k = 0; k < 2; ++k) {
      T* const out = static_cast<T*>(k == 0 ? a.dbeta : a.dgamma);
      if (!out) continue;
      for (int64_t j = begin; j < end; j += width<T>) {
        double total[width<T>] = {};
        const int64_t lanes = norm_smaller(width<T>, end - j);
        for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
          const T* const partial = static_cast<const T*>(a.work) + (chunk * 2 + k) * n + j;
          for (int64_t i = 0; i < lanes; ++i) total[i] += static_cast<double>(partial[i]);
        }
        for (int64_t i = 0; i < lanes; ++i) out[j + i] = static_cast<T>(total[i]);
      }
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
