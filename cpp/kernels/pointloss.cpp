// Losses element by element; formulas in pointloss_formulas.h, the walks over elements and rows here.
//
// Parallel over the elements, or over rows when they are reduced: kChunk elements a chunk, fewer where each costs an
// exponential or a logarithm. A row is summed in blocks of 64 vectors (sum_vectors), in a fixed order.
#include "kernels/pointloss.h"

#include "core/parallel.h"
#include "kernels/pointloss_formulas.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunk = 1 << 15, kCostlyChunk = 1 << 13;

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
  with_loss<vec<T>>(a.loss, [&](auto type) { forward_typed<T, typename decltype(type)::of>(a); });
}

template <class T>
void backward_of(const PointLossBackwardArgs& a) {
  with_loss<vec<T>>(a.loss, [&](auto type) {
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
