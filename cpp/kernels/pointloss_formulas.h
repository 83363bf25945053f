// The losses of pointloss.h element by element: a loss is a struct with its value and both derivatives, over V: vectors
// on the CPU, plain numbers under CUDA.
#pragma once
#include "kernels/math.h"
#include "kernels/pointloss.h"

namespace pl::PL_ISA {
namespace {

template <class V>
PL_INLINE V number(double x) {
  return splat<V>(static_cast<lane_of<V>>(x));
}
template <class V>
PL_INLINE V sign_of(V x) {  // NaN where x is
  return select(x == 0, x, copysign_(number<V>(1), x) + (x - x));
}

template <class V>
struct SquaredError {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  explicit SquaredError(double) {}
  PL_INLINE V value(V x, V t) const { return (x - t) * (x - t); }
  PL_INLINE V slope(V x, V t) const { return (x - t) * T(2); }
  PL_INLINE V target_slope(V x, V t) const { return -slope(x, t); }
};

template <class V>
struct AbsoluteError {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  explicit AbsoluteError(double) {}
  PL_INLINE V value(V x, V t) const { return abs_(x - t); }
  PL_INLINE V slope(V x, V t) const { return sign_of(x - t); }
  PL_INLINE V target_slope(V x, V t) const { return -slope(x, t); }
};

template <class V>
struct Huber {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  V delta, half;
  explicit Huber(double c) : delta(number<V>(c)), half(number<V>(0.5 * c)) {}
  PL_INLINE V value(V x, V t) const {
    const V d = x - t, size = abs_(d);
    return select(size <= delta, T(0.5) * d * d, delta * (size - half));
  }
  PL_INLINE V slope(V x, V t) const {
    const V d = x - t, low = select(d < -delta, -delta, d);
    return select(low > delta, delta, low);
  }
  PL_INLINE V target_slope(V x, V t) const { return -slope(x, t); }
};

// cosh(d) - 1 = (1 - e)^2 / (2 e) with e = e^-|d|, which keeps its digits where d is small; where it is not,
// log(cosh(d)) = |d| - log(2) + log(1 + e^2).
template <class V>
struct LogCosh {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  explicit LogCosh(double) {}
  PL_INLINE V value(V x, V t) const {
    const V size = abs_(x - t), m = expm1_(-size), e = m + T(1);
    const auto small = size < T(1);
    const V tail = log1p_unit_(select(small, m * m / (e + e), e * e));
    return select(small, tail, size - T(0.69314718055994530942) + tail);
  }
  PL_INLINE V slope(V x, V t) const { return tanh_(x - t); }
  PL_INLINE V target_slope(V x, V t) const { return -tanh_(x - t); }
};

template <class V>
struct SquaredLogarithmicError {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  V c;
  explicit SquaredLogarithmicError(double least) : c(number<V>(least)) {}
  PL_INLINE V ratio(V x, V t) const { return log1p_(max_(x, c)) - log1p_(max_(t, c)); }
  PL_INLINE V value(V x, V t) const {
    const V d = ratio(x, t);
    return d * d;
  }
  PL_INLINE V slope(V x, V t) const { return select(x < c, V{}, T(2) * ratio(x, t) / (max_(x, c) + T(1))); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class V>
struct AbsolutePercentageError {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  V c;
  explicit AbsolutePercentageError(double least) : c(number<V>(least)) {}
  PL_INLINE V value(V x, V t) const { return abs_((t - x) / max_(abs_(t), c)) * T(100); }
  PL_INLINE V slope(V x, V t) const { return sign_of(x - t) / max_(abs_(t), c) * T(100); }
  PL_INLINE V target_slope(V x, V t) const {
    const V size = max_(abs_(t), c);
    const V bend = select(abs_(t) > c, abs_(t - x) * copysign_(number<V>(1), t) / size, V{});
    return (sign_of(t - x) - bend) / size * T(100);
  }
};

template <class V>
struct Poisson {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  V c;
  explicit Poisson(double epsilon) : c(number<V>(epsilon)) {}
  PL_INLINE V value(V x, V t) const { return x - t * log_(x + c); }
  PL_INLINE V slope(V x, V t) const { return T(1) - t / (x + c); }
  PL_INLINE V target_slope(V x, V) const { return -log_(x + c); }
};

template <class V>
struct Hinge {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  explicit Hinge(double) {}
  PL_INLINE V value(V x, V t) const { return max_(T(1) - t * x, V{}); }
  PL_INLINE V slope(V x, V t) const { return select(T(1) - t * x <= 0, V{}, -t); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class V>
struct SquaredHinge {
  using T = lane_of<V>;
  static constexpr bool costly = false;
  explicit SquaredHinge(double) {}
  PL_INLINE V value(V x, V t) const {
    const V h = max_(T(1) - t * x, V{});
    return h * h;
  }
  PL_INLINE V slope(V x, V t) const { return T(-2) * t * max_(T(1) - t * x, V{}); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class V>
struct KlDivergence {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  V c;
  explicit KlDivergence(double least) : c(number<V>(least)) {}
  PL_INLINE V cut(V x) const { return min_(max_(x, c), number<V>(1)); }
  PL_INLINE auto outside(V x) const { return (x < c) | (x > T(1)); }
  PL_INLINE V value(V x, V t) const {
    const V a = cut(t);
    return a * log_(a / cut(x));
  }
  PL_INLINE V slope(V x, V t) const { return select(outside(x), V{}, -cut(t) / cut(x)); }
  PL_INLINE V target_slope(V x, V t) const { return select(outside(t), V{}, log_(cut(t) / cut(x)) + T(1)); }
};

template <class V>
struct BinaryCrossEntropy {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  V low, high;
  explicit BinaryCrossEntropy(double c) : low(number<V>(c)), high(number<V>(1 - c)) {}
  PL_INLINE V cut(V x) const { return min_(max_(x, low), high); }
  PL_INLINE V value(V x, V t) const {
    const V p = cut(x);
    return -(t * log_(p) + (T(1) - t) * log_(T(1) - p));
  }
  PL_INLINE V slope(V x, V t) const {
    const V p = cut(x);
    return select((x < low) | (x > high), V{}, (p - t) / (p * (T(1) - p)));
  }
  PL_INLINE V target_slope(V x, V) const {
    const V p = cut(x);
    return log_(T(1) - p) - log_(p);
  }
};

template <class V>
struct BinaryCrossEntropyWithLogits {
  using T = lane_of<V>;
  static constexpr bool costly = true;
  explicit BinaryCrossEntropyWithLogits(double) {}
  PL_INLINE V value(V z, V t) const { return select(z > 0, z, V{}) - z * t + log1p_unit_(exp_(-abs_(z))); }
  PL_INLINE V slope(V z, V t) const { return sigmoid_(z) - t; }
  PL_INLINE V target_slope(V z, V) const { return -z; }
};

template <class L>
struct LossType {
  using of = L;
};
// fn(type of the loss); `type` carries it as type::of.
template <class V, class Fn>
PL_INLINE void with_loss(PointLoss loss, const Fn& fn) {
  switch (loss) {
    case PointLoss::squared_error: return fn(LossType<SquaredError<V>>{});
    case PointLoss::absolute_error: return fn(LossType<AbsoluteError<V>>{});
    case PointLoss::huber: return fn(LossType<Huber<V>>{});
    case PointLoss::log_cosh: return fn(LossType<LogCosh<V>>{});
    case PointLoss::squared_logarithmic_error: return fn(LossType<SquaredLogarithmicError<V>>{});
    case PointLoss::absolute_percentage_error: return fn(LossType<AbsolutePercentageError<V>>{});
    case PointLoss::poisson: return fn(LossType<Poisson<V>>{});
    case PointLoss::hinge: return fn(LossType<Hinge<V>>{});
    case PointLoss::squared_hinge: return fn(LossType<SquaredHinge<V>>{});
    case PointLoss::kl_divergence: return fn(LossType<KlDivergence<V>>{});
    case PointLoss::binary_cross_entropy: return fn(LossType<BinaryCrossEntropy<V>>{});
    case PointLoss::binary_cross_entropy_with_logits: return fn(LossType<BinaryCrossEntropyWithLogits<V>>{});
  }
}

}  // namespace
}  // namespace pl::PL_ISA
