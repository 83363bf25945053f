// The unary functions of one element, or of a vector of reals. Real formulas are math.h's; the rare functions call the
// C library lane by lane. Shared by the CPU and CUDA.
#pragma once
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

// psi(x) = log x - 1/(2x) - sum B_2k / (2k x^2k) for large x (Abramowitz & Stegun 6.3.18), reached by
// psi(x) = psi(x + 1) - 1/x; below 0 the reflection psi(1 - x) - pi / tan(pi x). -inf at 0, NaN at the other
// poles.
PL_INLINE double digamma(double x) {
  if (x == 0) return __builtin_copysign(__builtin_inf(), -x);
  double reflected = 0;
  if (x < 0) {
    const double whole = __builtin_rint(x);
    if (x == whole) return __builtin_nan("");
    constexpr double pi = 3.14159265358979323846;
    reflected = -pi / __builtin_tan(pi * (x - whole));
    x = 1 - x;
  }
  double shift = 0;
  for (; x < 10; x += 1) shift -= 1 / x;
  const double z = 1 / (x * x);
  constexpr double c[] = {-1.0 / 12, 1.0 / 120, -1.0 / 252, 1.0 / 240, -1.0 / 132, 691.0 / 32760, -1.0 / 12};
  double tail = 0;
  for (int i = 6; i >= 0; --i) tail = (tail + c[i]) * z;
  return (__builtin_log(x) - 0.5 / x + tail) + shift + reflected;
}

// lgamma without its global sign
#if defined(PL_CUDA)
PL_INLINE double log_gamma(double x) { return ::lgamma(x); }
PL_INLINE float log_gamma(float x) { return ::lgammaf(x); }
#else
inline double log_gamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}
inline float log_gamma(float x) {
  int sign;
  return ::lgammaf_r(x, &sign);
}
#endif

PL_INLINE float library(float x, float (*f)(float), double (*)(double)) { return f(x); }
PL_INLINE double library(double x, float (*)(float), double (*f)(double)) { return f(x); }

// Functions of a vector of reals, one IEEE operation or a formula of math.h.
template <UnaryOp op, class V>
PL_INLINE V real_formula(V x, double p0) {
  using T = lane_of<V>;
  using U = UnaryOp;
  if constexpr (op == U::negative)
    return -x;
  else if constexpr (op == U::abs)
    return abs_(x);
  else if constexpr (op == U::sign)
    return select(x == 0, V{}, select(x != x, x, copysign_(splat<V>(T(1)), x)));
  else if constexpr (op == U::square)
    return x * x;
  else if constexpr (op == U::sqrt)
    return sqrt_(x);
  else if constexpr (op == U::rsqrt)
    return T(1) / sqrt_(x);
  else if constexpr (op == U::reciprocal)
    return T(1) / x;
  else if constexpr (op == U::exp)
    return exp_(x);
  else if constexpr (op == U::expm1)
    return expm1_(x);
  else if constexpr (op == U::log)
    return log_(x);
  else if constexpr (op == U::log1p)
    return log1p_(x);
  else if constexpr (op == U::log2)
    return log2_(x);
  else if constexpr (op == U::log10)
    return log10_(x);
  else if constexpr (op == U::sin)
    return sin_(x);
  else if constexpr (op == U::cos)
    return cos_(x);
  else if constexpr (op == U::tanh)
    return tanh_(x);
  else if constexpr (op == U::sigmoid)
    return sigmoid_(x);
  else if constexpr (op == U::softplus)
    return softplus_(x);
  else if constexpr (op == U::relu)
    return relu_(x);
  else if constexpr (op == U::elu)
    return elu_(x, T(p0));
  else if constexpr (op == U::selu)
    return selu_(x);
  else if constexpr (op == U::silu)
    return silu_(x);
  else if constexpr (op == U::gelu)
    return gelu_(x);
  else if constexpr (op == U::gelu_tanh)
    return gelu_tanh_(x);
  else if constexpr (op == U::leaky_relu)
    return leaky_relu_(x, T(p0));
  else if constexpr (op == U::hard_sigmoid)
    return hard_sigmoid_(x);
  else if constexpr (op == U::softsign)
    return softsign_(x);
  else if constexpr (op == U::floor)
    return floor_(x);
  else if constexpr (op == U::ceil)
    return ceil_(x);
  else if constexpr (op == U::round)
    return round_(x);
  else if constexpr (op == U::trunc)
    return trunc_(x);
  else if constexpr (op == U::erf)
    return erf_(x);
  else if constexpr (op == U::erfc)
    return erfc_(x);
}

// Functions of one real number.
template <UnaryOp op, class T>
PL_INLINE T real_library(T x) {
  using U = UnaryOp;
  if constexpr (op == U::tan)
    return library(x, ::tanf, ::tan);
  else if constexpr (op == U::arcsin)
    return library(x, ::asinf, ::asin);
  else if constexpr (op == U::arccos)
    return library(x, ::acosf, ::acos);
  else if constexpr (op == U::arctan)
    return library(x, ::atanf, ::atan);
  else if constexpr (op == U::sinh)
    return library(x, ::sinhf, ::sinh);
  else if constexpr (op == U::cosh)
    return library(x, ::coshf, ::cosh);
  else if constexpr (op == U::lgamma)
    return log_gamma(x);
  else if constexpr (op == U::digamma)
    return T(digamma(x));
}

// x < 0; never for types without a sign
template <class T>
PL_INLINE bool is_below_zero(T x) {
  if constexpr (T(-1) < T(0))
    return x < T(0);
  else
    return false;
}

// Functions of an integer or a boolean that keep its type. Booleans are unchanged by all of them.
template <UnaryOp op, class T>
PL_INLINE T integer_function(T x) {
  using U = UnaryOp;
  if constexpr (!is_boolean<T>) {
    using W = typename wrapping<T>::type;
    if constexpr (op == U::negative)
      return T(W(0) - W(x));
    else if constexpr (op == U::abs)
      return is_below_zero(x) ? T(W(0) - W(x)) : x;
    else if constexpr (op == U::sign)
      return T((x > 0) - is_below_zero(x));
    else if constexpr (op == U::square)
      return T(W(x) * W(x));
    else if constexpr (op == U::relu)
      return is_below_zero(x) ? T(0) : x;
    else
      return x;
  } else {
    return x;
  }
}

constexpr bool is_rounding(UnaryOp op) {
  return op == UnaryOp::floor || op == UnaryOp::ceil || op == UnaryOp::round || op == UnaryOp::trunc;
}
constexpr bool calls_library(UnaryOp op) {
  return op == UnaryOp::tan || op == UnaryOp::arcsin || op == UnaryOp::arccos || op == UnaryOp::arctan ||
         op == UnaryOp::sinh || op == UnaryOp::cosh || op == UnaryOp::lgamma || op == UnaryOp::digamma;
}
// Functions that integers have too; the caller casts to a real type for the others.
constexpr bool is_for_integers(UnaryOp op) {
  return op == UnaryOp::negative || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
         op == UnaryOp::relu || is_rounding(op);
}

template <UnaryOp op, class T>
PL_INLINE uint8_t test(T x) {
  using U = UnaryOp;
  if constexpr (op == U::logical_not)
    return x == T(0);
  else if constexpr (!is_real<T>)
    return op == U::isfinite;
  else if constexpr (op == U::isnan)
    return x != x;
  else {
    const T size = x < 0 ? -x : x;
    if constexpr (op == U::isinf)
      return size == T(__builtin_inf());
    else
      return size < T(__builtin_inf());
  }
}

}  // namespace
}  // namespace pl::PL_ISA
