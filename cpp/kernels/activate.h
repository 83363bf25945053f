// The activations of a product's epilogue and their slopes, lane by lane; shared by the CPU and CUDA.
#pragma once
#include "kernels/linalg.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

template <class V>
PL_INLINE V activate(V x, Activation f) {
  using T = lane_of<V>;
  switch (f) {
    case Activation::none: return x;
    case Activation::relu: return relu_(x);
    case Activation::sigmoid: return sigmoid_(x);
    case Activation::tanh: return tanh_(x);
    case Activation::leaky_relu: return leaky_relu_(x, T(0.2));
    case Activation::elu: return elu_(x, T(1));
    case Activation::selu: return selu_(x);
    case Activation::softplus: return softplus_(x);
    case Activation::gelu: return gelu_(x);
    case Activation::gelu_tanh: return gelu_tanh_(x);
    case Activation::silu: return silu_(x);
  }
  return x;
}

// y without the infinities, beyond which the slopes are constant anyway
template <class V>
PL_INLINE V within(V y, lane_of<V> limit) {
  return select(abs_(y) > limit, copysign_(splat<V>(limit), y), y);
}

// g act'(.), of what slope_needs_input() says
template <Activation F, class V>
PL_INLINE V slope_of(V g, V y) {
  using A = Activation;
  using T = lane_of<V>;
  const V one = splat<V>(T(1));
  if constexpr (F == A::relu)
    return select(y > 0, g, V{});
  else if constexpr (F == A::sigmoid)
    return g * y * (T(1) - y);
  else if constexpr (F == A::tanh)
    return g * (T(1) - y * y);
  else if constexpr (F == A::leaky_relu)
    return select(y > 0, g, g * T(0.2));
  else if constexpr (F == A::elu)
    return select(y > 0, g, g * (y + T(1)));
  else if constexpr (F == A::selu) {
    constexpr T scale = T(1.0507009873554804934), alpha = T(1.6732632423543772848);
    return g * select(y > 0, splat<V>(scale), y + scale * alpha);
  } else if constexpr (F == A::softplus)
    return g * -expm1_(-y);
  else if constexpr (F == A::silu) {
    const V x = within(y, T(2000)), s = sigmoid_(x);
    return g * (s * fma_(x, T(1) - s, one));
  } else if constexpr (F == A::gelu) {
    const V x = within(y, T(2000));
    return g * fma_(x, exp_(x * x * T(-0.5)) * T(0.39894228040143267794), normal_cdf_(x));
  } else if constexpr (F == A::gelu_tanh) {
    constexpr T c = T(2 * 0.79788456080286535588), a = T(0.044715);
    const V x = within(y, T(100)), square = x * x;
    const V s = sigmoid_(x * fma_(square, splat<V>(c * a), splat<V>(c)));
    return g * (s + x * s * (T(1) - s) * fma_(square, splat<V>(3 * c * a), splat<V>(c)));
  } else
    return g;
}

}  // namespace
}  // namespace pl::PL_ISA
