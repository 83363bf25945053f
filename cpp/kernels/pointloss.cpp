// Losses element by element; formulas in pointloss.h. A loss is a struct with its value and both derivatives, and the
// walks over elements and rows are written once.
//
// Parallel over the elements, or over rows when they are reduced: kChunk elements a chunk, fewer where each costs an
// exponential or a logarithm. A row is summed in blocks of 64 vectors (sum_vectors), in a fixed order.
#include "kernels/pointloss.h"

#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunk = 1 << 15, kCostlyChunk = 1 << 13;

template <class T>
PL_INLINE vec<T> number(double x) {
  return splat<vec<T>>(static_cast<T>(x));
}
template <class T>
PL_INLINE vec<T> sign_of(vec<T> x) {  // NaN where x is
  return select(x == 0, x, copysign_(number<T>(1), x) + (x - x));
}

template <class T>
struct SquaredError {
  using V = vec<T>;
  static constexpr bool costly = false;
  explicit SquaredError(double) {}
  PL_INLINE V value(V x, V t) const { return (x - t) * (x - t); }
  PL_INLINE V slope(V x, V t) const { return (x - t) * T(2); }
  PL_INLINE V target_slope(V x, V t) const { return -slope(x, t); }
};

template <class T>
struct AbsoluteError {
  using V = vec<T>;
  static constexpr bool costly = false;
  explicit AbsoluteError(double) {}
  PL_INLINE V value(V x, V t) const { return abs_(x - t); }
  PL_INLINE V slope(V x, V t) const { return sign_of<T>(x - t); }
  PL_INLINE V target_slope(V x, V t) const { return -slope(x, t); }
};

template <class T>
struct Huber {
  using V = vec<T>;
  static constexpr bool costly = false;
  V delta, half;
  explicit Huber(double c) : delta(number<T>(c)), half(number<T>(0.5 * c)) {}
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
template <class T>
struct LogCosh {
  using V = vec<T>;
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

template <class T>
struct SquaredLogarithmicError {
  using V = vec<T>;
  static constexpr bool costly = true;
  V c;
  explicit SquaredLogarithmicError(double least) : c(number<T>(least)) {}
  PL_INLINE V ratio(V x, V t) const { return log1p_(max_(x, c)) - log1p_(max_(t, c)); }
  PL_INLINE V value(V x, V t) const {
    const V d = ratio(x, t);
    return d * d;
  }
  PL_INLINE V slope(V x, V t) const { return select(x < c, V{}, T(2) * ratio(x, t) / (max_(x, c) + T(1))); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class T>
struct AbsolutePercentageError {
  using V = vec<T>;
  static constexpr bool costly = false;
  V c;
  explicit AbsolutePercentageError(double least) : c(number<T>(least)) {}
  PL_INLINE V value(V x, V t) const { return abs_((t - x) / max_(abs_(t), c)) * T(100); }
  PL_INLINE V slope(V x, V t) const { return sign_of<T>(x - t) / max_(abs_(t), c) * T(100); }
  PL_INLINE V target_slope(V x, V t) const {
    const V size = max_(abs_(t), c);
    const V bend = select(abs_(t) > c, abs_(t - x) * copysign_(number<T>(1), t) / size, V{});
    return (sign_of<T>(t - x) - bend) / size * T(100);
  }
};

template <class T>
struct Poisson {
  using V = vec<T>;
  static constexpr bool costly = true;
  V c;
  explicit Poisson(double epsilon) : c(number<T>(epsilon)) {}
  PL_INLINE V value(V x, V t) const { return x - t * log_(x + c); }
  PL_INLINE V slope(V x, V t) const { return T(1) - t / (x + c); }
  PL_INLINE V target_slope(V x, V) const { return -log_(x + c); }
};

template <class T>
struct Hinge {
  using V = vec<T>;
  static constexpr bool costly = false;
  explicit Hinge(double) {}
  PL_INLINE V value(V x, V t) const { return max_(T(1) - t * x, V{}); }
  PL_INLINE V slope(V x, V t) const { return select(T(1) - t * x <= 0, V{}, -t); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class T>
struct SquaredHinge {
  using V = vec<T>;
  static constexpr bool costly = false;
  explicit SquaredHinge(double) {}
  PL_INLINE V value(V x, V t) const {
    const V h = max_(T(1) - t * x, V{});
    return h * h;
  }
  PL_INLINE V slope(V x, V t) const { return T(-2) * t * max_(T(1) - t * x, V{}); }
  PL_INLINE V target_slope(V x, V t) const { return slope(t, x); }
};

template <class T>
struct KlDivergence {
  using V = vec<T>;
  static constexpr bool costly = true;
  V c;
  explicit KlDivergence(double least) : c(number<T>(least)) {}
  PL_INLINE V cut(V x) const { return min_(max_(x, c), number<T>(1)); }
  PL_INLINE auto outside(V x) const { return (x < c) | (x > T(1)); }
  PL_INLINE V value(V x, V t) const {
    const V a = cut(t);
    return a * log_(a / cut(x));
  }
  PL_INLINE V slope(V x, V t) const { return select(outside(x), V{}, -cut(t) / cut(x)); }
  PL_INLINE V target_slope(V x, V t) const { return select(outside(t), V{}, log_(cut(t) / cut(x)) + T(1)); }
};

template <class T>
struct BinaryCrossEntropy {
  using V = vec<T>;
  static constexpr bool costly = true;
  V low, high;
  explicit BinaryCrossEntropy(double c) : low(number<T>(c)), high(number<T>(1 - c)) {}
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

template <class T>
struct BinaryCrossEntropyWithLogits {
  using V = vec<T>;
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
template <class T, class Fn>
PL_INLINE void with_loss(PointLoss loss, const Fn& fn) {
  switch (loss) {
    case PointLoss::squared_error: return fn(LossType<SquaredError<T>>{});
    case PointLoss::absolute_error: return fn(LossType<AbsoluteError<T>>{});
    case PointLoss::huber: return fn(LossType<Huber<T>>{});
    case PointLoss::log_cosh: return fn(LossType<LogCosh<T>>{});
    case PointLoss::squared_logarithmic_error: return fn(LossType<SquaredLogarithmicError<T>>{});
    case PointLoss::absolute_percentage_error: return fn(LossType<AbsolutePercentageError<T>>{});
    case PointLoss::poisson: return fn(LossType<Poisson<T>>{});
    case PointLoss::hinge: return fn(LossType<Hinge<T>>{});
    case PointLoss::squared_hinge: return fn(LossType<SquaredHinge<T>>{});
    case PointLoss::kl_divergence: return fn(LossType<KlDivergence<T>>{});
    case PointLoss::binary_cross_entropy: return fn(LossType<BinaryCrossEntropy<T>>{});
    case PointLoss::binary_cross_entropy_with_logits: return fn(LossType<BinaryCrossEntropyWithLogits<T>>{});
  }
}

// Lanes behind the end of a row count for nothing in its sum.
template <class T>
PL_INLINE vec<T> inside(vec<T> v, Whole<T>) {
  return v;
}
template <class T>
PL_INLINE vec<T> inside(vec<T> v, Part<T> part) {
  T lanes[width<T>];
  store(lanes, v);
  return load_n(lanes, part.n);
}

template <class Fn>
PL_INLINE void each_chunk_of_rows(int64_t rows, int64_t cols, int64_t chunk, const Fn& fn) {
  parallel_for(rows, cols >= chunk ? 1 : chunk / (cols > 0 ? cols : 1), fn);
}

template <class T, class Loss>
void forward_typed(const PointLossArgs& a) {
  constexpr int64_t chunk = Loss::costly ? kCostlyChunk : kChunk;
  const Loss loss(a.c);
  const T* x = static_cast<const T*>(a.x);
  const T* t = static_cast<const T*>(a.t);
  T* y = static_cast<T*>(a.y);
  if (a.reduction == Reduction::none || a.cols == 1) {
    parallel_for(a.rows * a.cols, chunk, [&](int64_t begin, int64_t end) {
      each_vector<T>(begin, end, [&](int64_t i, auto part) {
        part.put(y + i, loss.value(part.get(x + i), part.get(t + i)));
      });
    });
    return;
  }
  const T cols = a.reduction == Reduction::mean ? static_cast<T>(a.cols) : T(1);
  each_chunk_of_rows(a.rows, a.cols, chunk, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *xr = x + r * a.cols, *tr = t + r * a.cols;
      y[r] = sum_vectors<T>(a.cols,
                            [&](int64_t i, auto part) {
                              return inside(loss.value(part.get(xr + i), part.get(tr + i)), part);
                            }) /
             cols;
    }
  });
}

template <class T, class Loss, bool kOfTarget>
void backward_typed(const PointLossBackwardArgs& a) {
  constexpr int64_t chunk = Loss::costly ? kCostlyChunk : kChunk;
  const Loss loss(a.c);
  const T* x = static_cast<const T*>(a.x);
  const T* t = static_cast<const T*>(a.t);
  const T* dy = static_cast<const T*>(a.dy);
  T* d = static_cast<T*>(a.d);
  const auto slope = [&](int64_t i, auto part) {
    const vec<T> u = part.get(x + i), v = part.get(t + i);
    if constexpr (kOfTarget)
      return loss.target_slope(u, v);
    else
      return loss.slope(u, v);
  };
  const auto scaled = [&](int64_t begin, int64_t end, T by) {
    each_vector<T>(begin, end, [&](int64_t i, auto part) { part.put(d + i, slope(i, part) * by); });
  };
  if (a.reduction == Reduction::none || a.cols == 1) {
    parallel_for(a.rows * a.cols, chunk, [&](int64_t begin, int64_t end) {
      if (a.stride_dy == 0) return scaled(begin, end, *dy);
      each_vector<T>(begin, end,
                     [&](int64_t i, auto part) { part.put(d + i, part.get(dy + i) * slope(i, part)); });
    });
    return;
  }
  const T cols = a.reduction == Reduction::mean ? static_cast<T>(a.cols) : T(1);
  each_chunk_of_rows(a.rows, a.cols, chunk, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) scaled(r * a.cols, (r + 1) * a.cols, dy[r * a.stride_dy] / cols);
  });
}

template <class T>
void forward_of(const PointLossArgs& a) {
  with_loss<T>(a.loss, [&](auto type) { forward_typed<T, typename decltype(type)::of>(a); });
}

template <class T>
void backward_of(const PointLossBackwardArgs& a) {
  with_loss<T>(a.loss, [&](auto type) {
    using Loss = typename decltype(type)::of;
    a.of_target ? backward_typed<T, Loss, true>(a) : backward_typed<T, Loss, false>(a);
  });
}

void forward(Stream, const PointLossArgs& a) {
  if (a.dtype == DType::float32) forward_of<float>(a);
  if (a.dtype == DType::float64) forward_of<double>(a);
}

void backward(Stream, const PointLossBackwardArgs& a) {
  if (a.dtype == DType::float32) backward_of<float>(a);
  if (a.dtype == DType::float64) backward_of<double>(a);
}

}  // namespace

extern const PointLossKernels pointloss;
const PointLossKernels pointloss = {
    .forward = forward,
    .backward = backward,
};

}  // namespace pl::PL_ISA
