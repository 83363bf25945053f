// What a reduction keeps of the elements it has seen. Shared by the CPU and CUDA. For elements T such a struct has
//   Output, State       a State is the reduction of some elements, kept wider than T where that matters
//   start(s)            of no elements
//   take(s, x, at)      takes in element x, whose index `at` is larger than those taken before
//   merge(a, b)         takes in what b has seen
//   finish(s, n)        the result over n elements
#pragma once
#include "kernels/elements.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

// Sums of blocks: float in double, double with the rounding errors beside.
template <class T>
struct Total;
template <>
struct Total<float> {
  double sum;
  PL_INLINE void add(double x) { sum += x; }
  PL_INLINE void add(const Total& t) { sum += t.sum; }
  PL_INLINE double value() const { return sum; }
};
template <>
struct Total<double> {
  double sum, error;
  PL_INLINE void add(double x) {
    const double s = sum + x, t = s - sum;
    error += (sum - (s - t)) + (x - t);
    sum = s;
  }
  PL_INLINE void add(const Total& t) {
    add(t.sum);
    error += t.error;
  }
  PL_INLINE double value() const { return sum - sum == 0 ? sum + error : sum; }  // infinities have no error
};

enum class SumKind { sum, mean, squares };

template <class T, SumKind kind>
struct SumOf {
  using Output = T;
  using State = Total<T>;
  template <class V>
  static PL_INLINE V term(V x) {
    return kind == SumKind::squares ? x * x : x;
  }
  static PL_INLINE void start(State& s) { s = {}; }
  static PL_INLINE void take(State& s, T x, int64_t) { s.add(term(x)); }
  static PL_INLINE void merge(State& a, const State& b) { a.add(b); }
  static PL_INLINE T finish(const State& s, int64_t n) {
    return T(kind == SumKind::mean ? s.value() / double(n) : s.value());
  }
};

// States that are one number: lift makes one of an element, join one of two, and `first` is that of no elements.
template <class State_, class Output_, class Derived>
struct NumberOf {
  using State = State_;
  using Output = Output_;
  static PL_INLINE void start(State& s) { s = Derived::first; }
  static PL_INLINE void take(State& s, auto x, int64_t) { s = Derived::join(s, Derived::lift(x)); }
  static PL_INLINE void merge(State& a, const State& b) { a = Derived::join(a, b); }
  static PL_INLINE Output finish(const State& s, int64_t) { return Output(s); }
};

template <class T>
struct IntegerSumOf : NumberOf<uint64_t, int64_t, IntegerSumOf<T>> {
  static constexpr uint64_t first = 0;
  static PL_INLINE uint64_t lift(T x) { return uint64_t(int64_t(x)); }
  static PL_INLINE uint64_t join(uint64_t a, uint64_t b) { return a + b; }
};

template <class T>
struct IntegerProductOf : NumberOf<uint64_t, int64_t, IntegerProductOf<T>> {
  static constexpr uint64_t first = 1;
  static PL_INLINE uint64_t lift(T x) { return uint64_t(int64_t(x)); }
  static PL_INLINE uint64_t join(uint64_t a, uint64_t b) { return a * b; }
};

template <class T>
struct RealProductOf : NumberOf<double, T, RealProductOf<T>> {
  static constexpr double first = 1;
  static PL_INLINE double lift(T x) { return x; }
  static PL_INLINE double join(double a, double b) { return a * b; }
};

template <class T, bool all>
struct TruthOf : NumberOf<uint8_t, uint8_t, TruthOf<T, all>> {
  static constexpr uint8_t first = all;
  static PL_INLINE uint8_t lift(T x) { return x != T(0); }
  static PL_INLINE uint8_t join(uint8_t a, uint8_t b) { return all ? a & b : a | b; }
};

// The largest (or smallest) element; NaN if there is one.
template <bool largest, class T>
PL_INLINE T extremum(T a, T b) {
  if constexpr (is_real<T>) {
    return ((largest ? a > b : a < b) | (a != a)) ? a : b;
  } else {
    return (largest ? a > b : a < b) ? a : b;
  }
}
template <class T, bool largest>
struct ExtremumOf {
  using Output = T;
  struct State {
    T best;
    bool any;
  };
  static PL_INLINE void start(State& s) { s = {}; }
  static PL_INLINE void take(State& s, T x, int64_t) {
    s.best = s.any ? extremum<largest>(s.best, x) : x;
    s.any = true;
  }
  static PL_INLINE void merge(State& a, const State& b) {
    if (b.any) take(a, b.best, 0);
  }
  static PL_INLINE T finish(const State& s, int64_t) { return s.best; }
};

// The index of the first NaN, else of the first extremum.
template <class T, bool largest>
struct ArgExtremumOf {
  using Output = int64_t;
  struct State {
    T best;
    int64_t at;  // -1: none yet
  };
  static PL_INLINE void start(State& s) { s = {T{}, -1}; }
  static PL_INLINE bool better(T x, const State& s) {
    return s.at < 0 || (largest ? x > s.best : x < s.best) || (x != x && s.best == s.best);
  }
  static PL_INLINE void take(State& s, T x, int64_t at) {
    if (better(x, s)) s = {x, at};
  }
  static PL_INLINE void merge(State& a, const State& b) {
    if (b.at < 0) return;
    const bool same = a.best == b.best || (a.best != a.best && b.best != b.best);
    if (better(b.best, a) || (same && b.at < a.at)) a = b;
  }
  static PL_INLINE int64_t finish(const State& s, int64_t) { return s.at; }
};

// log(sum(exp(x))) as max + log(sum(exp(x - max))).
template <class T>
struct LogSumExpOf {
  using Output = T;
  struct State {
    T max;
    double sum;  // of exp(x - max), when max is finite
  };
  static constexpr T kInf = T(__builtin_inf());
  static PL_INLINE void start(State& s) { s = {-kInf, 0}; }
  // One exponential and no branch: of the new element, or of what the sum so far shrinks by.
  static PL_INLINE void take(State& s, T x, int64_t) {
    const bool higher = !(x <= s.max) & (s.max == s.max);
    const T e = x == -kInf ? T(0) : exp_(higher ? s.max - x : x - s.max);
    s.sum = higher ? s.sum * e + 1 : s.sum + e;
    s.max = higher ? x : s.max;
  }
  static PL_INLINE void merge(State& a, const State& b) {
    if (b.max == -kInf) return;
    if (a.max == -kInf) {
      a = b;
    } else if (extremum<true>(a.max, b.max) == a.max) {
      a.sum += b.sum * exp_(double(b.max) - double(a.max));
    } else {
      a = {extremum<true>(a.max, b.max), b.sum + a.sum * exp_(double(a.max) - double(b.max))};
    }
  }
  static PL_INLINE T finish(const State& s, int64_t) {
    return s.max - s.max == 0 ? T(double(s.max) + log_(s.sum))
                              : s.max;  // -inf, inf and NaN stand for themselves
  }
};

}  // namespace
}  // namespace pl::PL_ISA
