// What surrounds a rule in one part of a segment: accumulation, limits, weight decay before it, averages behind it.
// Values only; which elements, and how they are loaded, is the business of the CPU's and of CUDA's kernel.
#pragma once
#include "kernels/optim_rules.h"

namespace pl::PL_ISA {
namespace {

// The gradient as the rule will see it, before any limit: with accumulation the mean of `count`.
template <class T>
struct Gradient {
  using V = vec<T>;
  const T* g;
  const T* sum;  // or null
  V count;
  PL_INLINE V of(V here, V waiting) const { return (here + waiting) / count; }
};

template <class T>
PL_INLINE Gradient<T> gradient_of(const Segment& s, double count) {
  return {static_cast<const T*>(s.g), static_cast<const T*>(s.sum), constant<T>(count)};
}

// Some elements of all the arrays of a segment, those that it has.
template <class T, class Rule>
struct OneStep {
  vec<T> p, g, sum, average;
  vec<T> s[Rule::slots > 0 ? Rule::slots : 1];
};

// `kPlain`: nothing surrounds the rule.
template <class T, class Rule, bool kPlain>
struct Surroundings {
  using V = vec<T>;
  Gradient<T> gradient;
  T *p, *average;
  V limit, factor, l2, minus_shrink, keep, take;
  bool limits, scales, has_l2, shrinks, first, overwrites;

  PL_INLINE Surroundings(const OptimArgs& a, const Segment& s, double rate, double clip_factor, int64_t t,
                         double count)
      : gradient(gradient_of<T>(s, count)),
        p(static_cast<T*>(s.p)),
        average(static_cast<T*>(s.average)),
        limit(constant<T>(a.clip_at)),
        factor(constant<T>(clip_factor)),
        l2(constant<T>(s.decay)),
        minus_shrink(constant<T>(-rate * s.decay)),
        keep(constant<T>(a.ema)),
        take(constant<T>(1 - a.ema)),
        limits(a.clip == Clip::value),
        scales(clip_factor != 1),
        has_l2(!a.hyper.decoupled && s.decay != 0),
        shrinks(a.hyper.decoupled && s.decay != 0),
        first(t == 1),
        overwrites(a.overwrite > 0 && t % a.overwrite == 0) {}

  // The gradients waiting, or null; an update leaves zeros there.
  PL_INLINE T* sum() const { return const_cast<T*>(gradient.sum); }
  PL_INLINE bool plain() const { return !(sum() || average || limits || scales || has_l2 || shrinks); }

  PL_INLINE void step(const Rule& rule, OneStep<T, Rule>& x) const {
    V w = x.p, g = x.g;
    if constexpr (!kPlain) {
      if (sum()) g = gradient.of(g, x.sum);
      if (limits) g = min_(max_(g, -limit), limit);
      if (scales) g = g * factor;
      if (has_l2) g = fma_(l2, w, g);
      if (shrinks) w = fma_(minus_shrink, w, w);
    }
    w = rule.step(w, g, x.s);
    if (!kPlain && average) {
      x.average = first ? w : fma_(keep, x.average, take * w);
      if (overwrites) w = x.average;
    }
    x.p = w;
  }
};

}  // namespace
}  // namespace pl::PL_ISA
