// The activations of a recurrence, and their slopes as functions of the value: formulas that the CPU and CUDA share.
#pragma once
#include "kernels/math.h"
#include "kernels/rnn.h"

namespace pl::PL_ISA {
namespace {

template <RnnActivation A>
struct Act {
  template <class V>
  static PL_INLINE V value(V x) {
    if constexpr (A == RnnActivation::relu) return relu_(x);
    if constexpr (A == RnnActivation::sigmoid) return sigmoid_(x);
    if constexpr (A == RnnActivation::tanh) return tanh_(x);
    if constexpr (A == RnnActivation::hard_sigmoid) return hard_sigmoid_(x);
    if constexpr (A == RnnActivation::softsign) return softsign_(x);
    if constexpr (A == RnnActivation::softplus) return softplus_(x);
    if constexpr (A == RnnActivation::elu) return elu_(x, lane_of<V>(1));
    if constexpr (A == RnnActivation::selu) return selu_(x);
    if constexpr (A == RnnActivation::exponential) return exp_(x);
    return x;
  }

  // g times the slope where the value is y
  template <class V>
  static PL_INLINE V times_slope(V g, V y) {
    using T = lane_of<V>;
    constexpr T scale = T(1.0507009873554804934), alpha = T(1.6732632423543772848);
    if constexpr (A == RnnActivation::relu) return select(y > 0, g, V{});
    if constexpr (A == RnnActivation::sigmoid) return g * (y * (T(1) - y));
    if constexpr (A == RnnActivation::tanh) return g * (T(1) - y * y);
    if constexpr (A == RnnActivation::hard_sigmoid) return select((y > 0) & (y < T(1)), g / T(6), V{});
    if constexpr (A == RnnActivation::softsign) {
      const V a = T(1) - abs_(y);
      return g * (a * a);
    }
    if constexpr (A == RnnActivation::softplus) return g * -expm1_(-y);
    if constexpr (A == RnnActivation::elu) return g * select(y < 0, y + T(1), splat<V>(T(1)));
    if constexpr (A == RnnActivation::selu) return g * select(y < 0, y + scale * alpha, splat<V>(scale));
    if constexpr (A == RnnActivation::exponential) return g * y;
    return g;
  }
};

template <class F>
PL_INLINE void with_activation(RnnActivation a, const F& f) {
  switch (a) {
    case RnnActivation::linear: return f(Act<RnnActivation::linear>{});
    case RnnActivation::relu: return f(Act<RnnActivation::relu>{});
    case RnnActivation::sigmoid: return f(Act<RnnActivation::sigmoid>{});
    case RnnActivation::tanh: return f(Act<RnnActivation::tanh>{});
    case RnnActivation::hard_sigmoid: return f(Act<RnnActivation::hard_sigmoid>{});
    case RnnActivation::softsign: return f(Act<RnnActivation::softsign>{});
    case RnnActivation::softplus: return f(Act<RnnActivation::softplus>{});
    case RnnActivation::elu: return f(Act<RnnActivation::elu>{});
    case RnnActivation::selu: return f(Act<RnnActivation::selu>{});
    case RnnActivation::exponential: return f(Act<RnnActivation::exponential>{});
  }
}

}  // namespace
}  // namespace pl::PL_ISA
