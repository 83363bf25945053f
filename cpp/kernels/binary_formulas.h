// The binary functions of two elements, or of two vectors of reals. Shared by the CPU and CUDA.
#pragma once
#include "kernels/unary_formulas.h"

namespace pl::PL_ISA {
namespace {

PL_INLINE float library(float a, float b, float (*f)(float, float), double (*)(double, double)) {
  return f(a, b);
}
PL_INLINE double library(double a, double b, float (*)(float, float), double (*f)(double, double)) {
  return f(a, b);
}

// numpy.divmod: the remainder has the divisor's sign, and quotient * b + remainder = a but for rounding.
template <class T>
PL_INLINE void divide_floor(T a, T b, T& quotient, T& rest) {
  rest = library(a, b, ::fmodf, ::fmod);
  quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = b < 0 ? T(-0.0) : T(0);
  }
  if (quotient != 0) {
    const T whole = T(__builtin_floor(double(quotient)));
    quotient = quotient - whole > T(0.5) ? whole + 1 : whole;
  } else {
    quotient = T(0) * (a / b);
  }
}

// pow, with the common exponents in one or two exact steps (a power of a whole array takes them by vectors).
template <class T>
PL_INLINE T square_root_power(T a) {  // pow(a, 0.5), which differs from sqrt at -0 and -inf
  return a == -T(__builtin_inf()) ? T(__builtin_inf()) : sqrt_(a + T(0));
}
template <class T>
PL_INLINE T power(T a, T b) {
  if (b == T(2)) return a * a;
  if (b == T(1)) return a;
  if (b == T(0.5)) return square_root_power(a);
  return library(a, b, ::powf, ::pow);
}

template <BinaryOp op, class V>
PL_INLINE V real_formula(V a, V b) {
  using T = lane_of<V>;
  using B = BinaryOp;
  if constexpr (op == B::add)
    return a + b;
  else if constexpr (op == B::subtract)
    return a - b;
  else if constexpr (op == B::multiply)
    return a * b;
  else if constexpr (op == B::divide)
    return a / b;
  else if constexpr (op == B::maximum)
    return max_(a, b);
  else if constexpr (op == B::minimum)
    return min_(a, b);
  else if constexpr (op == B::logaddexp)
    return logaddexp_(a, b);
  else if constexpr (op == B::copysign)
    return copysign_(a, b);
  else if constexpr (op == B::relu_grad)
    return select(b > 0, a, V{});
  else if constexpr (op == B::sigmoid_grad)
    return a * b * (T(1) - b);
  else if constexpr (op == B::tanh_grad)
    return a * (T(1) - b * b);
  else if constexpr (op == B::silu_grad)
    return a * silu_slope_(b);
  else if constexpr (op == B::gelu_grad)
    return a * gelu_slope_(b);
  else if constexpr (op == B::gelu_tanh_grad)
    return a * gelu_tanh_slope_(b);
}

constexpr bool calls_library(BinaryOp op) {
  return op == BinaryOp::floor_divide || op == BinaryOp::remainder || op == BinaryOp::power ||
         op == BinaryOp::arctan2 || op == BinaryOp::hypot || op == BinaryOp::fmod;
}
constexpr bool is_for_integers(BinaryOp op) {
  return op == BinaryOp::add || op == BinaryOp::subtract || op == BinaryOp::multiply ||
         op == BinaryOp::floor_divide || op == BinaryOp::remainder || op == BinaryOp::power ||
         op == BinaryOp::maximum || op == BinaryOp::minimum || op == BinaryOp::fmod || is_test(op);
}

template <BinaryOp op, class T>
PL_INLINE T real_library(T a, T b) {
  using B = BinaryOp;
  if constexpr (op == B::floor_divide || op == B::remainder) {
    if (b == 0) return op == B::remainder ? T(__builtin_nan("")) : a / b;
    T quotient, rest;
    divide_floor(a, b, quotient, rest);
    return op == B::remainder ? rest : quotient;
  } else if constexpr (op == B::power)
    return power(a, b);
  else if constexpr (op == B::arctan2)
    return library(a, b, ::atan2f, ::atan2);
  else if constexpr (op == B::hypot)
    return library(a, b, ::hypotf, ::hypot);
  else if constexpr (op == B::fmod)
    return library(a, b, ::fmodf, ::fmod);
}

// Sums and products wrap around; division by 0 gives 0; the smallest number divided by -1 is itself.
template <BinaryOp op, class T>
PL_INLINE T integer_function(T a, T b) {
  using B = BinaryOp;
  using W = typename wrapping<T>::type;
  if constexpr (is_boolean<T>) {  // add is or, multiply is and
    const uint8_t x = uint8_t(a), y = uint8_t(b);
    if constexpr (op == B::add || op == B::maximum)
      return T(x | y);
    else if constexpr (op == B::multiply || op == B::minimum || op == B::floor_divide)
      return T(x & y);
    else if constexpr (op == B::subtract)
      return T(x ^ y);
    else if constexpr (op == B::power)
      return T(x | (y ^ 1));
    else
      return T(0);
  } else if constexpr (op == B::add)
    return T(W(a) + W(b));
  else if constexpr (op == B::subtract)
    return T(W(a) - W(b));
  else if constexpr (op == B::multiply)
    return T(W(a) * W(b));
  else if constexpr (op == B::maximum)
    return a > b ? a : b;
  else if constexpr (op == B::minimum)
    return a < b ? a : b;
  else if constexpr (op == B::power) {
    W y = 1, x = W(a);
    for (auto e = b; e > 0; e >>= 1) {
      if (e & 1) y *= x;
      x *= x;
    }
    return T(y);
  } else {
    if (b == 0) return 0;
    if (T(-1) < T(0) && b == T(-1)) return op == B::floor_divide ? T(W(0) - W(a)) : T(0);
    const T quotient = T(a / b), rest = T(a - quotient * b);
    const bool down = rest != 0 && is_below_zero(rest) != is_below_zero(b);
    if constexpr (op == B::floor_divide)
      return T(quotient - down);
    else if constexpr (op == B::fmod)
      return rest;
    else
      return down ? T(rest + b) : rest;
  }
}

template <BinaryOp op, class T>
PL_INLINE uint8_t test(T a, T b) {
  using B = BinaryOp;
  if constexpr (op == B::equal)
    return a == b;
  else if constexpr (op == B::not_equal)
    return a != b;
  else if constexpr (op == B::less)
    return a < b;
  else if constexpr (op == B::less_equal)
    return a <= b;
  else if constexpr (op == B::greater)
    return a > b;
  else if constexpr (op == B::greater_equal)
    return a >= b;
  else if constexpr (op == B::logical_and)
    return (a != T(0)) & (b != T(0));
  else if constexpr (op == B::logical_or)
    return (a != T(0)) | (b != T(0));
  else
    return (a != T(0)) ^ (b != T(0));
}

}  // namespace
}  // namespace pl::PL_ISA
