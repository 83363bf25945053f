// The update rules, one struct each: `slots`, constants as vectors, and step(w, g, s), which moves one vector of weights
// from its gradient and its slots; formulas in optim.h. What surrounds a rule (decay, clipping, averages) is written
// once, in optim_step.h. CPU and CUDA share both.
#pragma once
#include "kernels/math.h"
#include "kernels/optim.h"

namespace pl::PL_ISA {
namespace {

#if defined(PL_CUDA)
template <class T>
using vec = T;
#endif

// What the number of the update makes of the constants, once a launch.
struct StepFactors {
  double first = 1, second = 1, third = 1;
};

// b(1) ... b(t). The first kNadamWarm factors from the product that the update before left, or from the beginning: the
// same bits either way; behind them 0.96^t no longer counts and every factor is beta_1.
constexpr int64_t kNadamWarm = 1000;
PL_INLINE double nadam_momentum(double beta_1, double t) { return beta_1 * (1 - 0.5 * std::pow(0.96, t)); }
PL_INLINE double nadam_product(double beta_1, OptimScalars& s) {
  const int64_t t = s.step + 1, warm = t < kNadamWarm ? t : kNadamWarm;
  if (s.product_step < 1 || s.product_step > warm) s.product_step = 0, s.product = 1;
  for (; s.product_step < warm; ++s.product_step)
    s.product *= nadam_momentum(beta_1, static_cast<double>(s.product_step + 1));
  return s.product * std::pow(beta_1, static_cast<double>(t - warm));
}

PL_INLINE StepFactors step_factors(const OptimHyper& h, OptimScalars& s) {
  const double t = static_cast<double>(s.step + 1);
  switch (h.rule) {
    case OptimRule::adam:
      return {.first = std::sqrt(1 - std::pow(h.beta_2, t)) / (1 - std::pow(h.beta_1, t))};
    case OptimRule::adamax: return {.first = 1 / (1 - std::pow(h.beta_1, t))};
    case OptimRule::nadam: {
      const double now = nadam_momentum(h.beta_1, t), next = nadam_momentum(h.beta_1, t + 1);
      const double product = nadam_product(h.beta_1, s);
      return {.first = next / (1 - product * next),
              .second = (1 - now) / (1 - product),
              .third = 1 / (1 - std::pow(h.beta_2, t))};
    }
    default: return {};
  }
}

template <class T>
PL_INLINE vec<T> constant(double x) {
  return splat<vec<T>>(static_cast<T>(x));
}

// A decaying mean: b mean + (1-b) x.
template <class T>
struct Mean {
  using V = vec<T>;
  V keep, take;
  PL_INLINE explicit Mean(double b) : keep(constant<T>(b)), take(constant<T>(1 - b)) {}
  PL_INLINE V of(V mean, V x) const { return fma_(keep, mean, take * x); }
  PL_INLINE V of_square(V mean, V x) const { return fma_(keep, mean, take * x * x); }
};

enum class Momentum { none, plain, nesterov };

template <class T, Momentum kMomentum>
struct Sgd {
  using V = vec<T>;
  static constexpr int slots = kMomentum == Momentum::none ? 0 : 1;
  V minus_rate, momentum;
  PL_INLINE Sgd(const OptimHyper& h, double rate, const StepFactors&)
      : minus_rate(constant<T>(-rate)), momentum(constant<T>(h.momentum)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    if constexpr (kMomentum == Momentum::none) {
      return fma_(minus_rate, g, w);
    } else {
      const V push = minus_rate * g;
      s[0] = fma_(momentum, s[0], push);
      return w + (kMomentum == Momentum::nesterov ? fma_(momentum, s[0], push) : s[0]);
    }
  }
};

template <class T, bool kAmsgrad>
struct Adam {
  using V = vec<T>;
  static constexpr int slots = kAmsgrad ? 3 : 2;
  Mean<T> first, second;
  V minus_alpha, epsilon;
  PL_INLINE Adam(const OptimHyper& h, double rate, const StepFactors& f)
      : first(h.beta_1),
        second(h.beta_2),
        minus_alpha(constant<T>(-rate * f.first)),
        epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = first.of(s[0], g);
    s[1] = second.of_square(s[1], g);
    V v = s[1];
    if constexpr (kAmsgrad) v = s[2] = select(s[2] < v, v, s[2]);
    return w + minus_alpha * s[0] / (sqrt_(v) + epsilon);
  }
};

template <class T>
struct Adagrad {
  using V = vec<T>;
  static constexpr int slots = 1;
  V minus_rate, epsilon;
  PL_INLINE Adagrad(const OptimHyper& h, double rate, const StepFactors&)
      : minus_rate(constant<T>(-rate)), epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = fma_(g, g, s[0]);
    return w + minus_rate * g / sqrt_(s[0] + epsilon);
  }
};

template <class T>
struct Adadelta {
  using V = vec<T>;
  static constexpr int slots = 2;
  Mean<T> mean;
  V minus_rate, epsilon;
  PL_INLINE Adadelta(const OptimHyper& h, double rate, const StepFactors&)
      : mean(h.rho), minus_rate(constant<T>(-rate)), epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = mean.of_square(s[0], g);
    const V u = g * sqrt_(s[1] + epsilon) / sqrt_(s[0] + epsilon);
    s[1] = mean.of_square(s[1], u);
    return fma_(minus_rate, u, w);
  }
};

// Slots: v, then c when centered, then the momentum.
template <class T, bool kCentered, bool kMomentum>
struct RmsProp {
  using V = vec<T>;
  static constexpr int slots = 1 + kCentered + kMomentum;
  Mean<T> mean;
  V rate, momentum, epsilon;
  PL_INLINE RmsProp(const OptimHyper& h, double r, const StepFactors&)
      : mean(h.rho),
        rate(constant<T>(r)),
        momentum(constant<T>(h.momentum)),
        epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = mean.of_square(s[0], g);
    V v = s[0];
    if constexpr (kCentered) {
      s[1] = mean.of(s[1], g);
      v = v - s[1] * s[1];
      v = select(v < 0, V{}, v);  // a variance that rounding has taken below 0
    }
    V u = rate * g / sqrt_(v + epsilon);
    if constexpr (kMomentum) u = s[slots - 1] = fma_(momentum, s[slots - 1], u);
    return w - u;
  }
};

template <class T>
struct Adamax {
  using V = vec<T>;
  static constexpr int slots = 2;
  Mean<T> first;
  V beta_2, minus_alpha, epsilon;
  PL_INLINE Adamax(const OptimHyper& h, double rate, const StepFactors& f)
      : first(h.beta_1),
        beta_2(constant<T>(h.beta_2)),
        minus_alpha(constant<T>(-rate * f.first)),
        epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = first.of(s[0], g);
    const V size = abs_(g), kept = beta_2 * s[1];
    s[1] = select(kept < size, size, kept);
    return w + minus_alpha * s[0] / (s[1] + epsilon);
  }
};

template <class T>
struct Nadam {
  using V = vec<T>;
  static constexpr int slots = 2;
  Mean<T> first, second;
  V of_mean, of_gradient, of_square, epsilon;
  PL_INLINE Nadam(const OptimHyper& h, double rate, const StepFactors& f)
      : first(h.beta_1),
        second(h.beta_2),
        of_mean(constant<T>(rate * f.first)),
        of_gradient(constant<T>(rate * f.second)),
        of_square(constant<T>(f.third)),
        epsilon(constant<T>(h.epsilon)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    s[0] = first.of(s[0], g);
    s[1] = second.of_square(s[1], g);
    return w - fma_(of_mean, s[0], of_gradient * g) / (sqrt_(s[1] * of_square) + epsilon);
  }
};

template <class T>
struct Lion {
  using V = vec<T>;
  static constexpr int slots = 1;
  Mean<T> look, mean;
  V rate;
  PL_INLINE Lion(const OptimHyper& h, double r, const StepFactors&)
      : look(h.beta_1), mean(h.beta_2), rate(constant<T>(r)) {}
  PL_INLINE V step(V w, V g, V* s) const {
    const V ahead = look.of(s[0], g);
    s[0] = mean.of(s[0], g);
    return w - select(ahead != 0, copysign_(rate, ahead), V{});
  }
};

// fn(type of the rule), for the one that the constants choose; `type` carries the rule as type::of.
template <class R>
struct RuleType {
  using of = R;
};
template <class T, class Fn>
inline void with_rule(const OptimHyper& h, const Fn& fn) {
  switch (h.rule) {
    case OptimRule::sgd:
      if (h.momentum == 0) return fn(RuleType<Sgd<T, Momentum::none>>{});
      if (h.nesterov) return fn(RuleType<Sgd<T, Momentum::nesterov>>{});
      return fn(RuleType<Sgd<T, Momentum::plain>>{});
    case OptimRule::adam: return h.amsgrad ? fn(RuleType<Adam<T, true>>{}) : fn(RuleType<Adam<T, false>>{});
    case OptimRule::adagrad: return fn(RuleType<Adagrad<T>>{});
    case OptimRule::adadelta: return fn(RuleType<Adadelta<T>>{});
    case OptimRule::rmsprop:
      if (h.centered)
        return h.momentum != 0 ? fn(RuleType<RmsProp<T, true, true>>{})
                               : fn(RuleType<RmsProp<T, true, false>>{});
      return h.momentum != 0 ? fn(RuleType<RmsProp<T, false, true>>{})
                             : fn(RuleType<RmsProp<T, false, false>>{});
    case OptimRule::adamax: return fn(RuleType<Adamax<T>>{});
    case OptimRule::nadam: return fn(RuleType<Nadam<T>>{});
    case OptimRule::lion: return fn(RuleType<Lion<T>>{});
  }
}

}  // namespace
}  // namespace pl::PL_ISA
