// What is reduced, as small structs that reduce.cpp's loops are written over: those of reductions.h, with
//   block(s, x, n, at)     takes n <= kBlockOf<T> contiguous elements in, of which the first has index `at`
//   rows(s, x, stride, rows, cols, at)   the same for s[c] and x[r * stride + c], rows <= kRows, cols <= kTile
// Inside a block sums run in vectors of T, at most 16 additions deep; blocks are
// added in double for float, with a compensation (Knuth's two-sum) for double: errors stay below NumPy's
// pairwise sums.
#pragma once
#include "kernels/reductions.h"
#include "kernels/spans.h"

namespace pl::PL_ISA {
namespace {

// Elements of a row block: four vector accumulators, 16 additions deep.
template <class T>
inline constexpr int64_t kBlockOf = 512;
template <>
inline constexpr int64_t kBlockOf<float> = 64 * width<float>;
template <>
inline constexpr int64_t kBlockOf<double> = 64 * width<double>;

inline constexpr int64_t kRows = 32;   // rows of a column block: two accumulators, 16 additions deep
inline constexpr int64_t kTile = 128;  // columns: whole cache lines, accumulators well inside L1

// The lanes of v combined as a tree.
template <class T, class F>
PL_INLINE T fold_lanes(vec<T> v, F f) {
  T lane[width<T>];
  store<T>(lane, v);
#pragma GCC unroll 8
  for (int half = width<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lane[i] = f(lane[i], lane[i + half]);
  }
  return lane[0];
}

// sum of f(x[i]), with f(0) = 0
template <class T, class F>
PL_INLINE T sum_block(const T* x, int64_t n, F f) {
  constexpr int w = width<T>;
  vec<T> a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a += f(load<T>(x + i));
    b += f(load<T>(x + i + w));
    c += f(load<T>(x + i + 2 * w));
    d += f(load<T>(x + i + 3 * w));
  }
  for (; i + w <= n; i += w) a += f(load<T>(x + i));
  if (i < n) b += f(load_n<T>(x + i, n - i));
  return fold_lanes<T>((a + b) + (c + d), [](T p, T q) { return p + q; });
}

template <class T, SumKind kind>
struct RealSum : SumOf<T, kind> {
  using typename SumOf<T, kind>::State;
  using SumOf<T, kind>::term;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    s.add(sum_block<T>(x, n, [](vec<T> v) { return term(v); }));
  }
  static PL_INLINE void rows(State* s, const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t) {
    alignas(64) T part[kTile];
    int64_t c = 0;
    for (; c + width<T> <= cols; c += width<T>) {
      vec<T> a{}, b{};
      int64_t r = 0;
      for (; r + 2 <= rows; r += 2) {
        a += term(load<T>(x + r * stride + c));
        b += term(load<T>(x + (r + 1) * stride + c));
      }
      if (r < rows) a += term(load<T>(x + r * stride + c));
      store<T>(part + c, a + b);
    }
    if (c < cols) {
      vec<T> a{}, b{};
      int64_t r = 0;
      for (; r + 2 <= rows; r += 2) {
        a += term(load_n<T>(x + r * stride + c, cols - c));
        b += term(load_n<T>(x + (r + 1) * stride + c, cols - c));
      }
      if (r < rows) a += term(load_n<T>(x + r * stride + c, cols - c));
      store_n<T>(part + c, a + b, cols - c);
    }
    for (c = 0; c < cols; ++c) s[c].add(part[c]);
  }
};

// Reducers whose state is one number, updated element by element.
template <class T, class Base>
struct Simple : Base {
  static PL_INLINE void rows(auto* s, const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t) {
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = x + r * stride;
      PL_INDEPENDENT
      for (int64_t c = 0; c < cols; ++c) s[c] = Base::join(s[c], Base::lift(row[c]));
    }
  }
};

template <class T>
struct IntegerSum : Simple<T, IntegerSumOf<T>> {
  using typename IntegerSumOf<T>::State;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    if constexpr (sizeof(T) == 1) {
      uint32_t sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += uint8_t(x[i]);
      s += sum;
    } else {
      State sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += State(x[i]);
      s += sum;
    }
  }
};

template <class T>
struct IntegerProduct : Simple<T, IntegerProductOf<T>> {
  using typename IntegerProductOf<T>::State;
  using IntegerProductOf<T>::lift;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) s *= lift(x[i]);
  }
};

template <class T>
struct RealProduct : Simple<T, RealProductOf<T>> {
  using typename RealProductOf<T>::State;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    State p[4] = {s, 1, 1, 1};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
      for (int k = 0; k < 4; ++k) p[k] *= x[i + k];
    for (; i < n; ++i) p[0] *= x[i];
    s = (p[0] * p[1]) * (p[2] * p[3]);
  }
};

template <bool largest, class T>
PL_INLINE T extremum_block(const T* x, int64_t n) {  // n > 0
  if constexpr (is_real<T>) {
    constexpr int w = width<T>;
    const auto pick = [](vec<T> a, vec<T> b) { return largest ? max_(a, b) : min_(a, b); };
    vec<T> a = broadcast(x[0]), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 * w <= n; i += 4 * w) {
      a = pick(a, load<T>(x + i));
      b = pick(b, load<T>(x + i + w));
      c = pick(c, load<T>(x + i + 2 * w));
      d = pick(d, load<T>(x + i + 3 * w));
    }
    for (; i + w <= n; i += w) a = pick(a, load<T>(x + i));
    T best = fold_lanes<T>(pick(pick(a, b), pick(c, d)), [](T p, T q) { return extremum<largest>(p, q); });
    for (; i < n; ++i) best = extremum<largest>(best, x[i]);
    return best;
  } else {
    T best = x[0];
    for (int64_t i = 1; i < n; ++i) best = extremum<largest>(best, x[i]);
    return best;
  }
}

template <class T, bool largest>
struct Extremum : ExtremumOf<T, largest> {
  using typename ExtremumOf<T, largest>::State;
  using ExtremumOf<T, largest>::take;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    take(s, extremum_block<largest>(x, n), 0);
  }
  static PL_INLINE void rows(State* s, const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t) {
    T best[kTile];
    for (int64_t c = 0; c < cols; ++c) best[c] = x[c];
    for (int64_t r = 1; r < rows; ++r) {
      const T* row = x + r * stride;
      PL_INDEPENDENT
      for (int64_t c = 0; c < cols; ++c) best[c] = extremum<largest>(best[c], row[c]);
    }
    for (int64_t c = 0; c < cols; ++c) take(s[c], best[c], 0);
  }
};

// Where `value` (or NaN) first stands in x; it is there.
template <class T>
PL_INLINE int64_t first_of(const T* x, int64_t n, T value) {
  int64_t i = 0;
  if constexpr (is_real<T>) {
    using M = typename simd<T>::mask;
    if (value == value) {
      while (i + width<T> <= n && !any_(M(load<T>(x + i) == value))) i += width<T>;
    } else {
      while (i + width<T> <= n && !any_(M(load<T>(x + i) != load<T>(x + i)))) i += width<T>;
    }
  }
  while (x[i] != value && (value == value || x[i] == x[i])) ++i;
  return i;
}

// The index of the first NaN, else of the first extremum.
template <class T, bool largest>
struct ArgExtremum : ArgExtremumOf<T, largest> {
  using typename ArgExtremumOf<T, largest>::State;
  using ArgExtremumOf<T, largest>::better, ArgExtremumOf<T, largest>::take;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t at) {
    const T best = extremum_block<largest>(x, n);
    if (!better(best, s)) return;
    s = {best, at + first_of(x, n, best)};
  }
  static PL_INLINE void rows(State* s, const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t at) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) take(s[c], x[r * stride + c], at + r);
  }
};

template <class T, bool all>
struct Truth : Simple<T, TruthOf<T, all>> {
  using typename TruthOf<T, all>::State;
  using TruthOf<T, all>::lift, TruthOf<T, all>::join;
  static PL_INLINE void block(State& s, const T* x, int64_t n, int64_t) {
    if (s != all) return;  // decided
    uint8_t found = all;
    for (int64_t i = 0; i < n; ++i) found = join(found, lift(x[i]));
    s = found;
  }
};

// log(sum(exp(x))) as max + log(sum(exp(x - max))), block by block.
template <class T>
struct LogSumExp : LogSumExpOf<T> {
  using typename LogSumExpOf<T>::State;
  using LogSumExpOf<T>::kInf, LogSumExpOf<T>::merge;
  static T shift_of(T max) { return max - max == 0 ? max : T(0); }
  static void block(State& s, const T* x, int64_t n, int64_t) {
    const T max = extremum_block<true>(x, n), shift = shift_of(max);
    constexpr int w = width<T>;
    vec<T> a{}, b{};
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w) {
      a += exp_(load<T>(x + i) - shift);
      b += exp_(load<T>(x + i + w) - shift);
    }
    for (; i < n; i += w) {
      T lane[w];
      for (int k = 0; k < w; ++k) lane[k] = i + k < n ? x[i + k] - shift : -kInf;
      a += exp_(load<T>(lane));
    }
    merge(s, {max, fold_lanes<T>(a + b, [](T p, T q) { return p + q; })});
  }
  static void rows(State* s, const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t) {
    for (int64_t c = 0; c < cols; c += width<T>) {
      const int64_t n = least(cols - c, width<T>);
      const auto at = [&](int64_t r) {
        return n == width<T> ? load<T>(x + r * stride + c) : load_n<T>(x + r * stride + c, n);
      };
      vec<T> max = at(0);
      for (int64_t r = 1; r < rows; ++r) max = max_(max, at(r));
      const vec<T> shift = select(max - max == 0, max, vec<T>{});
      vec<T> sum{};
      for (int64_t r = 0; r < rows; ++r) sum += exp_(at(r) - shift);
      for (int64_t k = 0; k < n; ++k) merge(s[c + k], {max[k], sum[k]});
    }
  }
};

}  // namespace
}  // namespace pl::PL_ISA
