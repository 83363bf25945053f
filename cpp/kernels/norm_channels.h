// Batch, group and instance normalisation: statistics over the positions of x (n, s, c), for each n and each group of
// neighbouring channels.
//
// The positions are cut into chunks. A chunk's sums are those of x - shift, where shift is the mean of the chunk's
// first kSample positions: because these belong to the chunk, its variance is at least kSample / positions of
// (mean - shift)^2, so that the subtraction sum of squares - square of sum loses no more than some ten bits whatever
// the data. Chunks are combined in order, in double (Chan, Golub, LeVeque 1983).
//
//   forward   y = act((x - mean) scale + beta), scale = gamma rstd
//   backward  g = dy act'(z), h = g gamma, t = (x - mean) rstd, means over the group:
//             dx = rstd (h - mean(h) - t mean(h t)) = g a + (x - mean) b + d with a, b, d of the channel
//
// Vectors run over channels. Fewer than kWideChannels of them: several positions are taken as one long row, a whole
// number of vectors, with the channels' numbers repeated along it (Period); kRowBlock such rows at a time keep their
// sums in registers. Parallel over n where there are kManySamples, so that a sample is still in cache for its second
// pass; else over n and chunks.
#pragma once
#include "kernels/norm_common.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChannelChunk = 1 << 15;  // elements
constexpr int64_t kSample = 16;
constexpr int64_t kManySamples = 4;
constexpr int64_t kWideRows = 8;
constexpr int64_t kChannelBlock = 64;
template <class T>
inline constexpr int64_t kWideChannels = 8 * width<T>;
template <class T>
inline constexpr int64_t kMostPeriod = kWideChannels<T> * width<T>;

PL_INLINE int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

template <class T>
struct ChannelPlan {
  int64_t repeat;  // positions in a long row
  int64_t period;  // its elements
  int64_t rows;    // positions of a chunk
  int64_t chunks;
};
template <class T>
ChannelPlan<T> plan_channels(int64_t s, int64_t c) {
  int64_t repeat = 1;
  if (c < kWideChannels<T>) {
    const int64_t unit = width<T> / common_divisor(c, width<T>);
    repeat = norm_larger(1, norm_smaller(s, unit * norm_blocks(4 * width<T>, unit * c)));
  }
  const int64_t wanted = norm_larger(kSample, kChannelChunk / c);
  const int64_t rows = norm_blocks(wanted, repeat) * repeat;
  return {repeat, repeat * c, rows, norm_blocks(s, rows)};
}

// A channel's numbers along a long row.
template <class T>
struct Period {
  alignas(64) T own[kMostPeriod<T>];
  const T* of(const T* values, const ChannelPlan<T>& plan, int64_t c) {
    if (!values || plan.repeat == 1) return values;
    for (int64_t k = 0; k < plan.repeat; ++k)
      for (int64_t j = 0; j < c; ++j) own[k * c + j] = values[j];
    return own;
  }
};

// step(first, j, rows, run): `rows` long rows from element `first` on, one run of columns starting at j.
template <class T, int kMost, class Step>
PL_INLINE void each_column(int64_t elements, int64_t period, const Step& step) {
  const int64_t full = elements / period;
  for (int64_t r = 0; r < full; r += kWideRows) {
    const int64_t rows = norm_smaller(kWideRows, full - r);
    each_run<T, kMost>(period, [&](int64_t j, auto run) { step(r * period + j, j, rows, run); });
  }
  each_run<T, kMost>(elements - full * period,
                     [&](int64_t j, auto run) { step(full * period + j, j, int64_t{1}, run); });
}

// The workspace: for each n and chunk three rows of c (T); for each n two rows of c sums (double) and five of
// coefficients (T).
enum Coefficient { kMean, kScale, kBeta, kSlope, kOffset, kCoefficients };
template <class T>
struct ChannelWork {
  ChannelPlan<T> plan;
  int64_t n, c;
  double* sums;
  T* coefficients;
  T* partials;
  ChannelWork(const ChannelPlan<T>& p, int64_t n_, int64_t c_, void* memory)
      : plan(p),
        n(n_),
        c(c_),
        sums(static_cast<double*>(memory)),
        coefficients(reinterpret_cast<T*>(sums + n * 2 * c)),
        partials(coefficients + n * kCoefficients * c) {}
  static int64_t bytes(const ChannelPlan<T>& p, int64_t n, int64_t c) {
    return n * c * (2 * int64_t{sizeof(double)} + (kCoefficients + 3 * p.chunks) * int64_t{sizeof(T)});
  }
  double* sum(int64_t i, int k) const { return sums + (i * 2 + k) * c; }
  T* coefficient(int64_t i, int k) const { return coefficients + (i * kCoefficients + k) * c; }
  T* partial(int64_t i, int64_t chunk, int k) const {
    return partials + ((i * plan.chunks + chunk) * 3 + k) * c;
  }
};

// Two sums per column over the elements of a chunk, into `first` and `second` (c):
// term(at, j, run, v, a, b) adds what stands at element `at` to its two sums.
template <class T, int kMost, class Term>
PL_INLINE void sum_columns(const ChannelPlan<T>& plan, int64_t elements, int64_t c, T* first, T* second,
                           const Term& term) {
  alignas(64) T own[2][kMostPeriod<T>];
  T* const a = plan.repeat == 1 ? first : own[0];
  T* const b = plan.repeat == 1 ? second : own[1];
  for (int64_t j = 0; j < plan.period; ++j) a[j] = b[j] = 0;
  each_column<T, kMost>(elements, plan.period, [&](int64_t at, int64_t j, int64_t rows, auto run) {
    vec<T> sum_a[run.vectors], sum_b[run.vectors];
    for (int v = 0; v < run.vectors; ++v) {
      sum_a[v] = run.get(a + j, v);
      sum_b[v] = run.get(b + j, v);
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < run.vectors; ++v) term(at + r * plan.period, j, run, v, sum_a[v], sum_b[v]);
    for (int v = 0; v < run.vectors; ++v) {
      run.put(a + j, v, sum_a[v]);
      run.put(b + j, v, sum_b[v]);
    }
  });
  if (plan.repeat == 1) return;
  for (int64_t j = 0; j < c; ++j) {
    T sum_a = 0, sum_b = 0;
    for (int64_t k = 0; k < plan.repeat; ++k) {
      sum_a += a[k * c + j];
      sum_b += b[k * c + j];
    }
    first[j] = sum_a;
    second[j] = sum_b;
  }
}

// fn(i, chunk) in one pass, or the three phases of a sample one after the other.
template <class First, class Middle, class Last>
PL_INLINE void run_phases(int64_t n, int64_t chunks, int64_t work, const First& first, const Middle& middle,
                          const Last& last) {
  if (n >= kManySamples) {
    const int64_t grain = norm_larger(1, kChannelChunk / norm_larger(1, work));
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t k = 0; k < chunks; ++k) first(i, k);
        middle(i);
        for (int64_t k = 0; k < chunks; ++k) last(i, k);
      }
    });
    return;
  }
  const auto each = [&](const auto& fn) {
    parallel_for(n * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) fn(t / chunks, t % chunks);
    });
  };
  each(first);
  for (int64_t i = 0; i < n; ++i) middle(i);
  each(last);
}

template <class T>
struct ChannelForward {
  const ChannelNormArgs& a;
  ChannelPlan<T> plan;
  ChannelWork<T> work;

  const T* x_at(int64_t i, int64_t chunk) const {
    return static_cast<const T*>(a.x) + (i * a.s + chunk * plan.rows) * a.c;
  }
  int64_t rows_of(int64_t chunk) const { return norm_smaller(plan.rows, a.s - chunk * plan.rows); }

  // partial: mean, (scratch), sum of squares about the mean
  __attribute__((noinline)) void measure(int64_t i, int64_t chunk) const {
    const T* const x = x_at(i, chunk);
    const int64_t rows = rows_of(chunk), c = a.c, sample = norm_smaller(rows, kSample);
    T* const shift = work.partial(i, chunk, 0);
    T* const sum = work.partial(i, chunk, 1);
    T* const squares = work.partial(i, chunk, 2);
    each_run<T, 1>(c, [&](int64_t j, auto run) {
      vec<T> s{};
      for (int64_t r = 0; r < sample; ++r) s += run.get(x + r * c + j, 0);
      s *= T(1) / static_cast<T>(sample);
      run.put(shift + j, 0, select(s - s == 0, s, vec<T>{}));  // infinity and NaN come in with the sums
    });
    Period<T> repeated;
    const T* const m = repeated.of(shift, plan, c);
    sum_columns<T, 4>(plan, rows * c, c, sum, squares,
                      [&](int64_t at, int64_t j, auto run, int v, vec<T>& s, vec<T>& q) {
                        const vec<T> d = run.get(x + at, v) - run.get(m + j, v);
                        s += d;
                        q = fma_(d, d, q);
                      });
    for (int64_t j = 0; j < c; ++j) {
      const T off = sum[j] / static_cast<T>(rows), rest = squares[j] - sum[j] * off;
      shift[j] += off;
      squares[j] = rest < 0 ? T(0) : rest;
    }
  }

  __attribute__((noinline)) void combine(int64_t i) const {
    const int64_t c = a.c, size = c / norm_larger(a.groups, 1);
    double* const mean = work.sum(i, 0);
    double* const squares = work.sum(i, 1);
    if (!a.frozen) {
      parallel_for(c, kChannelBlock, [&](int64_t begin, int64_t end) {
        const double count = static_cast<double>(a.s);
        for (int64_t j = begin; j < end; ++j) mean[j] = squares[j] = 0;
        for (int64_t k = 0; k < plan.chunks; ++k) {
          const double rows = static_cast<double>(rows_of(k));
          for (int64_t j = begin; j < end; ++j)
            mean[j] += rows * static_cast<double>(work.partial(i, k, 0)[j]);
        }
        for (int64_t j = begin; j < end; ++j) mean[j] /= count;
        for (int64_t k = 0; k < plan.chunks; ++k) {
          const double rows = static_cast<double>(rows_of(k));
          for (int64_t j = begin; j < end; ++j) {
            const double d = static_cast<double>(work.partial(i, k, 0)[j]) - mean[j];
            squares[j] += static_cast<double>(work.partial(i, k, 2)[j]) + rows * d * d;
          }
        }
      });
    }
    T* const means = static_cast<T*>(a.mean) + i * a.groups;
    T* const vars = static_cast<T*>(a.var) + i * a.groups;
    for (int64_t g = 0; g < a.groups; ++g) {
      const int64_t from = g * size, to = from + size;
      if (!a.frozen) {
        double m = 0, q = 0;
        for (int64_t j = from; j < to; ++j) m += mean[j];
        m /= static_cast<double>(size);
        for (int64_t j = from; j < to; ++j)
          q += squares[j] + static_cast<double>(a.s) * (mean[j] - m) * (mean[j] - m);
        means[g] = static_cast<T>(m);
        vars[g] = static_cast<T>(q / (static_cast<double>(a.s) * static_cast<double>(size)));
      }
      const double rstd = 1 / __builtin_sqrt(static_cast<double>(vars[g]) + a.epsilon);
      for (int64_t j = from; j < to; ++j) {
        const double gamma = a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[j]) : 1;
        work.coefficient(i, kMean)[j] = means[g];
        work.coefficient(i, kScale)[j] = static_cast<T>(gamma * rstd);
        work.coefficient(i, kBeta)[j] = a.beta ? static_cast<const T*>(a.beta)[j] : T(0);
      }
    }
  }

  template <Follow F>
  __attribute__((noinline)) void apply(int64_t i, int64_t chunk) const {
    const T* const x = x_at(i, chunk);
    T* const y = static_cast<T*>(a.y) + (x - static_cast<const T*>(a.x));
    const bool past = rows_go_past(a.y, a.n * a.s * a.c * int64_t{sizeof(T)}, a.c * int64_t{sizeof(T)});
    Period<T> repeated[3];
    const T* const mean = repeated[0].of(work.coefficient(i, kMean), plan, a.c);
    const T* const scale = repeated[1].of(work.coefficient(i, kScale), plan, a.c);
    const T* const beta = repeated[2].of(work.coefficient(i, kBeta), plan, a.c);
    each_column<T, kRunVectors<F>>(
        rows_of(chunk) * a.c, plan.period, [&](int64_t at, int64_t j, int64_t rows, auto run) {
          for (int v = 0; v < run.vectors; ++v) {
            const vec<T> m = run.get(mean + j, v), s = run.get(scale + j, v), b = run.get(beta + j, v);
            for (int64_t r = 0, p = at; r < rows; ++r, p += plan.period)
              run.put(y + p, v, activated<F>(fma_(run.get(x + p, v) - m, s, b), a.activation), past);
          }
        });
    if (past) fence_past();
  }
};

template <class T>
void channel_forward(const ChannelNormArgs& a) {
  const ChannelPlan<T> plan = plan_channels<T>(a.s, a.c);
  const ChannelForward<T> f{a, plan, {plan, a.n, a.c, a.work}};
  with_activation(a.activation, [&](auto activation) {
    run_phases(
        a.n, plan.chunks, a.s * a.c,
        [&](int64_t i, int64_t chunk) {
          if (!a.frozen) f.measure(i, chunk);
        },
        [&](int64_t i) { f.combine(i); },
        [&](int64_t i, int64_t chunk) {
          if (a.y) f.template apply<decltype(activation)::value>(i, chunk);
        });
  });
}

template <class T>
struct ChannelBackward {
  const ChannelNormBackwardArgs& a;
  ChannelPlan<T> plan;
  ChannelWork<T> work;

  int64_t start(int64_t i, int64_t chunk) const { return (i * a.s + chunk * plan.rows) * a.c; }
  int64_t rows_of(int64_t chunk) const { return norm_smaller(plan.rows, a.s - chunk * plan.rows); }
  double rstd(int64_t i, int64_t g) const {
    return 1 /
           __builtin_sqrt(static_cast<double>(static_cast<const T*>(a.var)[i * a.groups + g]) + a.epsilon);
  }

  // What the sums need of each channel: mean, scale, beta.
  void prepare(int64_t i) const {
    const int64_t size = a.c / norm_larger(a.groups, 1);
    for (int64_t g = 0; g < a.groups; ++g) {
      const double r = rstd(i, g);
      for (int64_t j = g * size; j < (g + 1) * size; ++j) {
        const double gamma = a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[j]) : 1;
        work.coefficient(i, kMean)[j] = static_cast<const T*>(a.mean)[i * a.groups + g];
        work.coefficient(i, kScale)[j] = static_cast<T>(gamma * r);
        work.coefficient(i, kBeta)[j] = a.beta ? static_cast<const T*>(a.beta)[j] : T(0);
      }
    }
  }

  // partial: sum g, sum g (x - mean)
  template <Follow F>
  __attribute__((noinline)) void measure(int64_t i, int64_t chunk) const {
    const T* const x = static_cast<const T*>(a.x) + start(i, chunk);
    const T* const dy = static_cast<const T*>(a.dy) + start(i, chunk);
    Period<T> repeated[3];
    const T* const mean = repeated[0].of(work.coefficient(i, kMean), plan, a.c);
    const T* const scale = repeated[1].of(work.coefficient(i, kScale), plan, a.c);
    const T* const beta = repeated[2].of(work.coefficient(i, kBeta), plan, a.c);
    sum_columns<T, kRunVectors<F>>(
        plan, rows_of(chunk) * a.c, a.c, work.partial(i, chunk, 0), work.partial(i, chunk, 1),
        [&](int64_t at, int64_t j, auto run, int v, vec<T>& s, vec<T>& q) {
          const vec<T> d = run.get(x + at, v) - run.get(mean + j, v);
          vec<T> g = run.get(dy + at, v);
          if constexpr (F != Follow::none)
            g = through_activation<F>(g, fma_(d, run.get(scale + j, v), run.get(beta + j, v)), a.activation);
          s += g;
          q = fma_(g, d, q);
        });
  }

  __attribute__((noinline)) void combine(int64_t i) const {
    const int64_t c = a.c, size = c / norm_larger(a.groups, 1);
    double* const sum_g = work.sum(i, 0);
    double* const sum_gd = work.sum(i, 1);
    parallel_for(c, kChannelBlock, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) sum_g[j] = sum_gd[j] = 0;
      for (int64_t k = 0; k < plan.chunks; ++k)
        for (int64_t j = begin; j < end; ++j) {
          sum_g[j] += static_cast<double>(work.partial(i, k, 0)[j]);
          sum_gd[j] += static_cast<double>(work.partial(i, k, 1)[j]);
        }
    });
    const double count = static_cast<double>(a.s) * static_cast<double>(size);
    for (int64_t g = 0; g < a.groups; ++g) {
      const double r = rstd(i, g);
      double sum_h = 0, sum_hd = 0;
      for (int64_t j = g * size; j < (g + 1) * size; ++j) {
        const double gamma = a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[j]) : 1;
        sum_h += gamma * sum_g[j];
        sum_hd += gamma * sum_gd[j];
        sum_gd[j] *= r;  // from here on the gradient of gamma
      }
      double slope = -r * r * r * sum_hd / count, offset = -r * sum_h / count;
      if (a.dmean) offset += static_cast<double>(static_cast<const T*>(a.dmean)[i * a.groups + g]) / count;
      if (a.dvar) slope += 2 * static_cast<double>(static_cast<const T*>(a.dvar)[i * a.groups + g]) / count;
      for (int64_t j = g * size; j < (g + 1) * size; ++j) {
        work.coefficient(i, kSlope)[j] = static_cast<T>(slope);
        work.coefficient(i, kOffset)[j] = static_cast<T>(offset);
      }
    }
  }

  template <Follow F>
  __attribute__((noinline)) void apply(int64_t i, int64_t chunk) const {
    const T* const x = static_cast<const T*>(a.x) + start(i, chunk);
    const T* const dy = static_cast<const T*>(a.dy) + start(i, chunk);
    T* const dx = static_cast<T*>(a.dx) + start(i, chunk);
    const bool past = rows_go_past(a.dx, a.n * a.s * a.c * int64_t{sizeof(T)}, a.c * int64_t{sizeof(T)});
    Period<T> repeated[5];
    const T* const mean = repeated[0].of(work.coefficient(i, kMean), plan, a.c);
    const T* const scale = repeated[1].of(work.coefficient(i, kScale), plan, a.c);
    const T* const beta = repeated[2].of(work.coefficient(i, kBeta), plan, a.c);
    const T* const slope = repeated[3].of(work.coefficient(i, kSlope), plan, a.c);
    const T* const offset = repeated[4].of(work.coefficient(i, kOffset), plan, a.c);
    each_column<T, kRunVectors<F>>(
        rows_of(chunk) * a.c, plan.period, [&](int64_t at, int64_t j, int64_t rows, auto run) {
          for (int v = 0; v < run.vectors; ++v) {
            const vec<T> m = run.get(mean + j, v), s = run.get(scale + j, v), b = run.get(beta + j, v);
            const vec<T> k = run.get(slope + j, v), o = run.get(offset + j, v);
            for (int64_t r = 0, p = at; r < rows; ++r, p += plan.period) {
              vec<T> g = run.get(dy + p, v), d{};
              if (F != Follow::none || !a.frozen) d = run.get(x + p, v) - m;
              if constexpr (F != Follow::none) g = through_activation<F>(g, fma_(d, s, b), a.activation);
              run.put(dx + p, v, a.frozen ? g * s : fma_(g, s, fma_(d, k, o)), past);
            }
          }
        });
    if (past) fence_past();
  }
};

template <class T>
void channel_backward(const ChannelNormBackwardArgs& a) {
  const ChannelPlan<T> plan = plan_channels<T>(a.s, a.c);
  const ChannelBackward<T> f{a, plan, {plan, a.n, a.c, a.work}};
  for (int64_t i = 0; i < a.n; ++i) f.prepare(i);
  const bool sums = !a.frozen || a.dgamma || a.dbeta;
  with_activation(a.activation, [&](auto activation) {
    constexpr Follow F = decltype(activation)::value;
    run_phases(
        a.n, plan.chunks, a.s * a.c,
        [&](int64_t i, int64_t chunk) {
          if (sums) f.template measure<F>(i, chunk);
        },
        [&](int64_t i) {
          if (sums) f.combine(i);
        },
        [&](int64_t i, int64_t chunk) {
          if (a.dx) f.template apply<F>(i, chunk);
        });
  });
  for (int k = 0; k < 2; ++k) {
    T* const out = static_cast<T*>(k == 0 ? a.dbeta : a.dgamma);
    if (!out) continue;
    parallel_for(a.c, kChannelBlock, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        double total = 0;
        for (int64_t i = 0; i < a.n; ++i) total += f.work.sum(i, k)[j];
        out[j] = static_cast<T>(total);
      }
    });
  }
}

}  // namespace
}  // namespace pl::PL_ISA
