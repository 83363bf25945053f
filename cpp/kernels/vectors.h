// A contiguous run of elements as whole vectors and one last, partial one, so that a formula is written once.
#pragma once
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

// Where an element loop stands: `Whole` vectors, or the first n lanes of one.
template <class T>
struct Whole {
  PL_INLINE vec<T> get(const T* p) const { return load(p); }
  PL_INLINE void put(T* p, vec<T> v) const { store(p, v); }
};
template <class T>
struct Part {
  int64_t n;
  PL_INLINE vec<T> get(const T* p) const { return load_n(p, n); }  // zeros behind
  PL_INLINE void put(T* p, vec<T> v) const { store_n(p, v, n); }
};

// step(i, part) for the vectors from element `from` to `to`.
template <class T, class Step>
PL_INLINE void each_vector(int64_t from, int64_t to, const Step& step) {
  int64_t i = from;
  for (; i + width<T> <= to; i += width<T>) step(i, Whole<T>{});
  if (i < to) step(i, Part<T>{to - i});
}

// The sum of term(i, part) over n elements, in blocks of 64 vectors: a sum of sums loses fewer digits than
// one chain. The lanes behind the end must come out of term as zeros.
template <class T, class Term>
PL_INLINE T sum_vectors(int64_t n, const Term& term) {
  vec<T> total{};
  for (int64_t i = 0; i < n;) {
    const int64_t end = n - i > 64 * width<T> ? i + 64 * width<T> : n;
    vec<T> sum{};
    each_vector<T>(i, end, [&](int64_t j, auto part) { sum += term(j, part); });
    total += sum;
    i = end;
  }
  return sum_lanes(total);
}

}  // namespace
}  // namespace pl::PL_ISA
