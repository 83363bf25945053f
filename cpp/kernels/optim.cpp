// SGD and Adam over the segments of one launch, in place; formulas in optim.h.
//
// The elements of all segments that are not frozen form one line of numbers, cut into chunks of kChunk; a
// chunk walks the (short) table to the segments it covers. So many small parameters cost no more than one
// large one, and a small model is one chunk, which runs inline. Two passes: the first only reads the
// gradients and answers whether all are finite, the second updates; neither can be interrupted, or the
// weights would be half updated.
#include "kernels/optim.h"

#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunk = 1 << 14;  // 64 KiB of float32 a stream

PL_INLINE int64_t active(const Segment& s) { return s.frozen || s.n < 0 ? 0 : s.n; }

int64_t total_elements(const Segment* segments, int64_t count) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += active(segments[i]);
  return total;
}

// fn(segment, begin, end) for the pieces of segments inside [begin, end) of the line.
template <class Fn>
PL_INLINE void each_piece(const Segment* segments, int64_t begin, int64_t end, const Fn& fn) {
  int64_t offset = 0;
  for (const Segment* s = segments; begin < end; ++s) {
    const int64_t n = active(*s);
    if (begin < offset + n) {
      const int64_t stop = end < offset + n ? end : offset + n;
      fn(*s, begin - offset, stop - offset);
      begin = stop;
    }
    offset += n;
  }
}

// 0 g is 0 for a finite g and NaN for any other; the sums of these stay 0 or become NaN.
template <class T>
bool all_finite(const T* g, int64_t n) {
  using V = vec<T>;
  constexpr int w = width<T>;
  V a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a = fma_(load(g + i), V{}, a);
    b = fma_(load(g + i + w), V{}, b);
    c = fma_(load(g + i + 2 * w), V{}, c);
    d = fma_(load(g + i + 3 * w), V{}, d);
  }
  for (; i + w <= n; i += w) a = fma_(load(g + i), V{}, a);
  if (i < n) b = fma_(load_n(g + i, n - i), V{}, b);
  const V sum = (a + b) + (c + d);
  return !any_((typename simd<T>::mask)(sum != sum));
}

template <class T, class Args>
bool gradients_finite(const Args& a, int64_t total) {
  if (a.loss && !all_finite(static_cast<const T*>(a.loss), 1)) return false;
  int32_t bad = 0;
  parallel_for(
      total, kChunk,
      [&](int64_t begin, int64_t end) {
        if (__atomic_load_n(&bad, __ATOMIC_RELAXED)) return;
        each_piece(a.segments, begin, end, [&](const Segment& s, int64_t from, int64_t to) {
          if (!all_finite(static_cast<const T*>(s.g) + from, to - from))
            __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
        });
      },
      false);
  return !bad;
}

// rule(segment, from, to) for the pieces of every chunk.
template <class Args, class Rule>
void update_all(const Args& a, int64_t total, const Rule& rule) {
  parallel_for(
      total, kChunk, [&](int64_t begin, int64_t end) { each_piece(a.segments, begin, end, rule); }, false);
}

template <class T>
void sgd_piece(const SgdArgs& a, double learning_rate, const Segment& s, int64_t from, int64_t to) {
  using V = vec<T>;
  T* p = static_cast<T*>(s.p);
  const T* g = static_cast<const T*>(s.g);
  T* velocity = static_cast<T*>(s.s1);
  const double rate = learning_rate * s.rate, decay = s.decay;
  const V minus_rate = splat<V>(static_cast<T>(-rate)), momentum = splat<V>(static_cast<T>(a.momentum));
  const V l2 = splat<V>(static_cast<T>(a.decoupled ? 0 : decay));
  const V minus_shrink = splat<V>(static_cast<T>(a.decoupled ? -rate * decay : 0));
  const bool has_l2 = !a.decoupled && decay != 0, shrinks = a.decoupled && decay != 0;
  const bool moves = a.momentum != 0 && velocity;
  const auto weights = [&](int64_t i, auto part) {
    const V w = part.get(p + i);
    return shrinks ? fma_(minus_shrink, w, w) : w;
  };
  const auto gradient = [&](int64_t i, auto part, V w) {
    const V v = part.get(g + i);
    return has_l2 ? fma_(l2, w, v) : v;
  };
  if (!moves) {
    each_vector<T>(from, to, [&](int64_t i, auto part) {
      const V w = weights(i, part);
      part.put(p + i, fma_(minus_rate, gradient(i, part, w), w));
    });
    return;
  }
  each_vector<T>(from, to, [&](int64_t i, auto part) {
    const V w = weights(i, part);
    const V push = minus_rate * gradient(i, part, w);
    const V v = fma_(momentum, part.get(velocity + i), push);
    part.put(velocity + i, v);
    part.put(p + i, a.nesterov ? w + fma_(momentum, v, push) : w + v);
  });
}

template <class T>
void adam_piece(const AdamArgs& a, double learning_rate, double correction, const Segment& s, int64_t from,
                int64_t to) {
  using V = vec<T>;
  T* p = static_cast<T*>(s.p);
  const T* g = static_cast<const T*>(s.g);
  T* m = static_cast<T*>(s.s1);
  T* v = static_cast<T*>(s.s2);
  const double rate = learning_rate * s.rate, decay = s.decay;
  const V minus_alpha = splat<V>(static_cast<T>(-rate * correction));
  const V b1 = splat<V>(static_cast<T>(a.beta_1)), c1 = splat<V>(static_cast<T>(1 - a.beta_1));
  const V b2 = splat<V>(static_cast<T>(a.beta_2)), c2 = splat<V>(static_cast<T>(1 - a.beta_2));
  const V epsilon = splat<V>(static_cast<T>(a.epsilon));
  const V l2 = splat<V>(static_cast<T>(decay)), minus_shrink = splat<V>(static_cast<T>(-rate * decay));
  const bool has_l2 = !a.decoupled && decay != 0, shrinks = a.decoupled && decay != 0;
  each_vector<T>(from, to, [&](int64_t i, auto part) {
    V w = part.get(p + i), d = part.get(g + i);
    if (has_l2) d = fma_(l2, w, d);
    if (shrinks) w = fma_(minus_shrink, w, w);
    const V first = fma_(b1, part.get(m + i), c1 * d);
    const V second = fma_(b2, part.get(v + i), c2 * d * d);
    part.put(m + i, first);
    part.put(v + i, second);
    part.put(p + i, w + minus_alpha * first / (sqrt_(second) + epsilon));
  });
}

template <class T>
void sgd_typed(const SgdArgs& a) {
  const int64_t total = total_elements(a.segments, a.n_segments);
  OptimScalars& scalars = *a.scalars;
  scalars.finite = gradients_finite<T>(a, total) ? 1 : 0;
  if (!scalars.finite) {
    scalars.skipped += 1;
    return;
  }
  const double rate = scalars.rate;
  update_all(a, total,
             [&](const Segment& s, int64_t from, int64_t to) { sgd_piece<T>(a, rate, s, from, to); });
  scalars.step += 1;
}

template <class T>
void adam_typed(const AdamArgs& a) {
  const int64_t total = total_elements(a.segments, a.n_segments);
  OptimScalars& scalars = *a.scalars;
  scalars.finite = gradients_finite<T>(a, total) ? 1 : 0;
  if (!scalars.finite) {
    scalars.skipped += 1;
    return;
  }
  const double rate = scalars.rate, t = static_cast<double>(scalars.step + 1);
  const double correction = __builtin_sqrt(1 - __builtin_pow(a.beta_2, t)) / (1 - __builtin_pow(a.beta_1, t));
  update_all(a, total, [&](const Segment& s, int64_t from, int64_t to) {
    adam_piece<T>(a, rate, correction, s, from, to);
  });
  scalars.step += 1;
}

void sgd(Stream, const SgdArgs& a) {
  if (a.dtype == DType::float32) sgd_typed<float>(a);
  if (a.dtype == DType::float64) sgd_typed<double>(a);
}

void adam(Stream, const AdamArgs& a) {
  if (a.dtype == DType::float32) adam_typed<float>(a);
  if (a.dtype == DType::float64) adam_typed<double>(a);
}

}  // namespace

extern const OptimKernels optim;
const OptimKernels optim = {
    .sgd = sgd,
    .adam = adam,
};

}  // namespace pl::PL_ISA
