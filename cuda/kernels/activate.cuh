// The activations that join another kernel's last step.
#pragma once
#include "kernels/linalg.h"
#include "kernels/math.h"

namespace pl::cuda {
namespace {

template <class T>
PL_INLINE T activate(T x, Activation f) {
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
// Those cheap enough to be written out for every element a thread holds; the others are applied in a loop over what it
// has stored, so that their code is there once and takes no registers from the sums.
PL_INLINE bool is_cheap(Activation f) { return f == Activation::none || f == Activation::relu; }

}  // namespace
}  // namespace pl::cuda
