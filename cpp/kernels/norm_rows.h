// Layer and RMS normalisation: the statistics of each row of x (rows, n).
//
//   forward   mean = sum(x) / n, then sum((x - mean)^2) about it, corrected by the rest of the mean: exact to the
//             type's digits whatever the mean's size. A row stays in cache for its passes.
//   backward  g = dy act'(z), h = g gamma, t = (x - mean) rstd:
//             dx = rstd (h - mean(h) - t mean(h t)),  dgamma = sum_rows(g t),  dbeta = sum_rows(g)
//
// Parallel over rows, kRowChunk elements a chunk. The backward pass takes kRowBlock rows at a time column by column,
// so that dgamma and dbeta stay in registers over them; each chunk has partial sums of its own in the workspace,
// at most kMostChunks of them, added in order.
#pragma once
#include "kernels/norm_common.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kRowChunk = 1 << 14;
constexpr int64_t kRowBlock = 8;
constexpr int64_t kMostChunks = 64;
constexpr int64_t kColumnChunk = 512;

// The sums of one or two terms over a row: term(j, run, v, first, second) adds to its two sums.
template <class T>
struct TwoSums {
  T first, second;
};
template <class T, class Term>
PL_INLINE TwoSums<T> sum_row(int64_t n, const Term& term) {
  vec<T> a[4] = {}, b[4] = {};
  each_run<T, 4>(n, [&](int64_t j, auto run) {
    for (int v = 0; v < run.vectors; ++v) term(j, run, v, a[v], b[v]);
  });
  return {sum_lanes((a[0] + a[1]) + (a[2] + a[3])), sum_lanes((b[0] + b[1]) + (b[2] + b[3]))};
}
template <class T>
struct RowStatistics {
  T mean, rstd;
};
template <class T>
PL_INLINE RowStatistics<T> row_statistics(const T* x, int64_t n, bool rms, double epsilon) {
  const T count = static_cast<T>(n);
  T mean = 0, squares;
  if (rms) {
    squares = sum_row<T>(n, [&](int64_t j, auto run, int v, vec<T>& s, vec<T>&) {
                const vec<T> value = run.get(x + j, v);
                s = fma_(value, value, s);
              }).first;
  } else {
    mean =
        sum_row<T>(n, [&](int64_t j, auto run, int v, vec<T>& s, vec<T>&) { s += run.get(x + j, v); }).first /
        count;
    const TwoSums<T> rest = sum_row<T>(n, [&](int64_t j, auto run, int v, vec<T>& s, vec<T>& q) {
      const vec<T> d = run.get_or(x + j, v, mean) - mean;  // 0 behind the end
      s += d;
      q = fma_(d, d, q);
    });
    const T off = rest.first / count;
    mean += off;
    squares = rest.second - rest.first * off;
    if (squares < 0) squares = 0;
  }
  const T variance = squares / count;
  return {mean, T(1) / sqrt_(broadcast(variance + static_cast<T>(epsilon)))[0]};
}

template <class T, Activation A>
void row_forward(const RowNormArgs& a) {
  const int64_t n = a.n, grain = n >= kRowChunk ? 1 : kRowChunk / n;
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* x = static_cast<const T*>(a.x) + r * n;
      const RowStatistics<T> stat = row_statistics(x, n, a.rms, a.epsilon);
      if (a.mean) static_cast<T*>(a.mean)[r] = stat.mean;
      static_cast<T*>(a.rstd)[r] = stat.rstd;
      if (!a.y) continue;
      T* y = static_cast<T*>(a.y) + r * n;
      each_run<T, 2>(n, [&](int64_t j, auto run) {
        for (int v = 0; v < run.vectors; ++v) {
          vec<T> z = (run.get(x + j, v) - stat.mean) * stat.rstd;
          if (gamma) z *= run.get(gamma + j, v);
          if (beta) z += run.get(beta + j, v);
          run.put(y + j, v, activated<A>(z));
        }
      });
    }
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

template <class T, Activation A>
void row_backward(const RowNormBackwardArgs& a) {
  using V = vec<T>;
  const int64_t n = a.n;
  const RowPlan plan = plan_rows(a.rows, n);
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  const bool sums = a.dgamma || a.dbeta;

  // g and t at one place of a row
  const auto terms = [&](const T* dy, const T* x, T mean, T rstd, int64_t j, auto run, int v, V& g, V& t) {
    t = (run.get(x + j, v) - mean) * rstd;
    g = run.get(dy + j, v);
    if constexpr (A != Activation::none) {
      V z = t;
      if (gamma) z *= run.get(gamma + j, v);
      if (beta) z += run.get(beta + j, v);
      g = through_activation<A>(g, z);
    }
  };

  parallel_for(plan.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      T* const partial = static_cast<T*>(a.work) + chunk * 2 * n;
      const int64_t from = chunk * plan.rows, to = norm_smaller(from + plan.rows, a.rows);
      for (int64_t first = from; first < to; first += kRowBlock) {
        const int64_t count = norm_smaller(kRowBlock, to - first);
        T mean[kRowBlock], rstd[kRowBlock], mean_h[kRowBlock], mean_ht[kRowBlock];
        const T* const dy = static_cast<const T*>(a.dy) + first * n;
        const T* const x = static_cast<const T*>(a.x) + first * n;
        for (int64_t r = 0; r < count; ++r) {
          mean[r] = a.rms ? T(0) : static_cast<const T*>(a.mean)[first + r];
          rstd[r] = static_cast<const T*>(a.rstd)[first + r];
          if (!a.dx) continue;
          const TwoSums<T> s = sum_row<T>(n, [&](int64_t j, auto run, int v, V& sum_h, V& sum_ht) {
            V g, t;
            terms(dy + r * n, x + r * n, mean[r], rstd[r], j, run, v, g, t);
            if (gamma) g *= run.get(gamma + j, v);  // zero behind the end, as dy is
            sum_h += g;
            sum_ht = fma_(g, t, sum_ht);
          });
          mean_h[r] = a.rms ? T(0) : s.first / static_cast<T>(n);
          mean_ht[r] = s.second / static_cast<T>(n);
        }
        each_run<T, 2>(n, [&](int64_t j, auto run) {
          V sum_g[run.vectors] = {}, sum_gt[run.vectors] = {};
          if (first > from && sums)
            for (int v = 0; v < run.vectors; ++v) {
              sum_g[v] = run.get(partial + j, v);
              sum_gt[v] = run.get(partial + n + j, v);
            }
          for (int64_t r = 0; r < count; ++r) {
            for (int v = 0; v < run.vectors; ++v) {
              V g, t;
              terms(dy + r * n, x + r * n, mean[r], rstd[r], j, run, v, g, t);
              sum_g[v] += g;
              sum_gt[v] = fma_(g, t, sum_gt[v]);
              if (!a.dx) continue;
              if (gamma) g *= run.get(gamma + j, v);
              run.put(static_cast<T*>(a.dx) + (first + r) * n + j, v,
                      (g - mean_h[r] - t * mean_ht[r]) * rstd[r]);
            }
          }
          if (sums)
            for (int v = 0; v < run.vectors; ++v) {
              run.put(partial + j, v, sum_g[v]);
              run.put(partial + n + j, v, sum_gt[v]);
            }
        });
      }
    }
  });
  if (!sums) return;
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
