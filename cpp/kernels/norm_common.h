// What the normalisation kernels share: the following activation, and runs of vectors.
#pragma once
#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/norm.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t norm_larger(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t norm_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t norm_blocks(int64_t n, int64_t block) { return (n + block - 1) / block; }

template <Activation A, class V>
PL_INLINE V activated(V z) {
  if constexpr (A == Activation::relu)
    return relu_(z);
  else if constexpr (A == Activation::sigmoid)
    return sigmoid_(z);
  else if constexpr (A == Activation::tanh)
    return tanh_(z);
  else
    return z;
}
// g times the activation's slope at z
template <Activation A, class V>
PL_INLINE V through_activation(V g, V z) {
  using T = lane_of<V>;
  if constexpr (A == Activation::relu) {
    return select(z > 0, g, V{});
  } else if constexpr (A == Activation::sigmoid) {
    const V y = sigmoid_(z);
    return g * y * (T(1) - y);
  } else if constexpr (A == Activation::tanh) {
    const V y = tanh_(z);
    return g * (T(1) - y * y);
  } else {
    return g;
  }
}

// fn(activation) with the activation as a type: each body is compiled for it.
template <Activation A>
struct ActivationIs {
  static constexpr Activation value = A;
};
template <class Fn>
PL_INLINE void with_activation(Activation activation, const Fn& fn) {
  switch (activation) {
    case Activation::none: return fn(ActivationIs<Activation::none>{});
    case Activation::relu: return fn(ActivationIs<Activation::relu>{});
    case Activation::sigmoid: return fn(ActivationIs<Activation::sigmoid>{});
    case Activation::tanh: return fn(ActivationIs<Activation::tanh>{});
  }
}

// A run of whole vectors, or the first lanes of one.
template <class T, int kVectors>
struct Run {
  static constexpr int vectors = kVectors;
  PL_INLINE vec<T> get(const T* p, int v) const { return load(p + v * width<T>); }
  PL_INLINE vec<T> get_or(const T* p, int v, T) const { return load(p + v * width<T>); }
  PL_INLINE void put(T* p, int v, vec<T> value) const { store(p + v * width<T>, value); }
};
template <class T>
struct LastRun {
  static constexpr int vectors = 1;
  int64_t n;
  PL_INLINE vec<T> get(const T* p, int) const { return load_n(p, n); }  // zeros behind
  PL_INLINE vec<T> get_or(const T* p, int, T behind) const { return load_n(p, n, broadcast(behind)); }
  PL_INLINE void put(T* p, int, vec<T> value) const { store_n(p, value, n); }
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
