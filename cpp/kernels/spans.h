// How a span (see strided.h) is made from a formula, and how a table of spans is made from a list of
// functions.
#pragma once
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

// Booleans are stored as bytes 0 and 1 and computed as such; `boolean` keeps them apart from uint8.
enum class boolean : uint8_t {};

template <DType>
struct element;
template <>
struct element<DType::boolean> {
  using type = boolean;
};
template <>
struct element<DType::uint8> {
  using type = uint8_t;
};
template <>
struct element<DType::int32> {
  using type = int32_t;
};
template <>
struct element<DType::int64> {
  using type = int64_t;
};
template <>
struct element<DType::float32> {
  using type = float;
};
template <>
struct element<DType::float64> {
  using type = double;
};

template <class T>
inline constexpr bool is_real = false;
template <>
inline constexpr bool is_real<float> = true;
template <>
inline constexpr bool is_real<double> = true;
template <class T>
inline constexpr bool is_boolean = false;
template <>
inline constexpr bool is_boolean<boolean> = true;

// Arithmetic that wraps around, as NumPy's: done unsigned.
template <class T>
struct wrapping;
template <>
struct wrapping<boolean> {
  using type = uint8_t;
};
template <>
struct wrapping<uint8_t> {
  using type = uint32_t;
};
template <>
struct wrapping<int32_t> {
  using type = uint32_t;
};
template <>
struct wrapping<int64_t> {
  using type = uint64_t;
};

// A table indexed by dtype and function: Maker<F, T>::span for each function F of the enum and element type
// T, null where the pair has no meaning (the op layer has rejected or cast those).
template <class Op, template <Op, class> class Maker>
struct SpanTable {
  static constexpr int kOps = static_cast<int>(Op::count_);
  Span span[kDTypeCount][kOps];

  template <int D = 0, int F = 0>
  constexpr void fill() {
    span[D][F] = Maker<static_cast<Op>(F), typename element<static_cast<DType>(D)>::type>::span();
    if constexpr (F + 1 < kOps) {
      fill<D, F + 1>();
    } else if constexpr (D + 1 < kDTypeCount) {
      fill<D + 1, 0>();
    }
  }
  constexpr SpanTable() : span{} { fill(); }
};

}  // namespace
}  // namespace pl::PL_ISA
