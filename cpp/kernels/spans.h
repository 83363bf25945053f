// How a span (see strided.h) is made from a formula.
#pragma once
#include "kernels/elements.h"
#include "kernels/math.h"
#include "kernels/strided.h"

namespace pl::PL_ISA {
namespace {

// y = f(x) by vectors of T; the end goes through the same formula, so no value depends on its place.
template <class T, class F>
PL_INLINE void map_vectors(const void* x_, void* y_, int64_t n, F f) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  int64_t i = 0;
  for (; i + width<T> <= n; i += width<T>) store<T>(y + i, f(load<T>(x + i)));
  if (i < n) store_n<T>(y + i, f(load_n<T>(x + i, n - i)), n - i);
}
template <class T, class F>
PL_INLINE void map_vectors(const void* a_, const void* b_, void* y_, int64_t n, F f) {
  const T* a = static_cast<const T*>(a_);
  const T* b = static_cast<const T*>(b_);
  T* y = static_cast<T*>(y_);
  int64_t i = 0;
  for (; i + width<T> <= n; i += width<T>) store<T>(y + i, f(load<T>(a + i), load<T>(b + i)));
  if (i < n) store_n<T>(y + i, f(load_n<T>(a + i, n - i), load_n<T>(b + i, n - i)), n - i);
}

// y = f(x) by single elements, which the compiler vectorizes where it can: for integers, results of another
// type, and functions that round in one IEEE operation or call the C library. y is x or apart from it, hence
// the pragma.
template <class X, class Y, class F>
PL_INLINE void map_elements(const void* x_, void* y_, int64_t n, F f) {
  const X* x = static_cast<const X*>(x_);
  Y* y = static_cast<Y*>(y_);
  PL_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
template <class X, class Y, class F>
PL_INLINE void map_elements(const void* a_, const void* b_, void* y_, int64_t n, F f) {
  const X* a = static_cast<const X*>(a_);
  const X* b = static_cast<const X*>(b_);
  Y* y = static_cast<Y*>(y_);
  PL_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
}

}  // namespace
}  // namespace pl::PL_ISA
