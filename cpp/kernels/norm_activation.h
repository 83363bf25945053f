// The activation that follows a normalisation, and its slope, made again from its input; for the CPU and CUDA.
#pragma once
#include "kernels/linalg.h"  // Activation
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

// How bodies are compiled for an activation: none and relu cost next to nothing and are part of the loops, the smooth
// ones (sigmoid, tanh) are chosen vector by vector.
enum class Follow { none, relu, smooth };
template <Follow F>
struct FollowIs {
  static constexpr Follow value = F;
};
template <class Fn>
PL_INLINE void with_activation(Activation activation, const Fn& fn) {
  if (activation == Activation::none) return fn(FollowIs<Follow::none>{});
  if (activation == Activation::relu) return fn(FollowIs<Follow::relu>{});
  return fn(FollowIs<Follow::smooth>{});
}

template <Follow F, class V>
PL_INLINE V activated(V z, Activation activation) {
  if constexpr (F == Follow::none) return z;
  if constexpr (F == Follow::relu) return relu_(z);
  return activation == Activation::sigmoid ? sigmoid_(z) : tanh_(z);
}
// g times the activation's slope at z
template <Follow F, class V>
PL_INLINE V through_activation(V g, V z, Activation activation) {
  using T = lane_of<V>;
  if constexpr (F == Follow::none) return g;
  if constexpr (F == Follow::relu) return select(z > 0, g, V{});
  if (activation == Activation::sigmoid) {
    const V y = sigmoid_(z);
    return g * y * (T(1) - y);
  }
  const V y = tanh_(z);
  return g * (T(1) - y * y);
}

}  // namespace
}  // namespace pl::PL_ISA
