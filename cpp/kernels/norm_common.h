// What the normalisation kernels share: runs of vectors.
#pragma once
#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/norm.h"
#include "kernels/norm_activation.h"
#include "kernels/past.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t norm_larger(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t norm_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t norm_blocks(int64_t n, int64_t block) { return (n + block - 1) / block; }

// Vectors in a run: a smooth activation's polynomials keep the processor busy alone.
template <Follow F>
inline constexpr int kRunVectors = F == Follow::smooth ? 1 : 4;

// A run of whole vectors, or the first lanes of one.
template <class T, int kVectors>
struct Run {
  static constexpr int vectors = kVectors;
  PL_INLINE vec<T> get(const T* p, int v) const { return load(p + v * width<T>); }
  PL_INLINE vec<T> get_or(const T* p, int v, T) const { return load(p + v * width<T>); }
  PL_INLINE void put(T* p, int v, vec<T> value) const { store(p + v * width<T>, value); }
  PL_INLINE void put(T* p, int v, vec<T> value, bool past) const {
    past ? store_past(p + v * width<T>, value) : store(p + v * width<T>, value);
  }
};
template <class T>
struct LastRun {
  static constexpr int vectors = 1;
  int64_t n;
  PL_INLINE vec<T> get(const T* p, int) const { return load_n(p, n); }  // zeros behind
  PL_INLINE vec<T> get_or(const T* p, int, T behind) const { return load_n(p, n, broadcast(behind)); }
  PL_INLINE void put(T* p, int, vec<T> value, bool = false) const { store_n(p, value, n); }
};
// fn(j, run) over [0, n): runs of kMost vectors, then of one.
template <class T, int kMost, class Fn>
PL_INLINE void each_run(int64_t n, const Fn& fn) {
  constexpr int w = width<T>;
  int64_t j = 0;
  for (; j + kMost * w <= n; j += kMost * w) fn(j, Run<T, kMost>{});
  for (; j + w <= n; j += w) fn(j, Run<T, 1>{});
  if (j < n) fn(j, LastRun<T>{n - j});
}

}  // namespace
}  // namespace pl::PL_ISA
