// Losses element by element; formulas in pointloss_formulas.h, shared with the CPU.
//
// Not reduced: a thread takes 16 bytes at a time of each array, the grid striding over them. Reduced: a row is taken by
// 8 lanes, a warp or a block (rows.cuh), each element read once; partial sums are exchanged in the order of the row's
// shape. Backward, reduced or not, every element is on its own; a row's number is read once by each of its threads.
#include "kernels/pointloss.h"

#include "kernels/rows.cuh"
// after rows.cuh, which knows what a __device__ is
#include "kernels/pointloss_formulas.h"

namespace pl::cuda {
namespace {

// fn(pack or element by element: i, width) over n elements
template <class T, class Fn>
__device__ __forceinline__ void each_element(int64_t n, bool wide, const Fn& fn) {
  constexpr int kW = kPackWidth<T>;
  const int64_t packs = wide ? n / kW : 0;
  for (int64_t p = first(); p < packs; p += stride()) fn(p * kW, std::integral_constant<int, kW>{});
  for (int64_t i = packs * kW + first(); i < n; i += stride()) fn(i, std::integral_constant<int, 1>{});
}

template <class T, class Loss>
__global__ void __launch_bounds__(kThreads) loss_elements(Loss loss, PointLossArgs a, bool wide) {
  const T* const x = static_cast<const T*>(a.x);
  const T* const t = static_cast<const T*>(a.t);
  each_element<T>(a.rows * a.cols, wide, [&](int64_t i, auto width) {
    constexpr int kW = decltype(width)::value;
    auto v = get_pack<kW>(x + i, wide);
    const auto u = get_pack<kW>(t + i, wide);
#pragma unroll
    for (int w = 0; w < kW; ++w) v.of[w] = loss.value(v.of[w], u.of[w]);
    put_pack<kW>(static_cast<T*>(a.y) + i, v, wide);
  });
}

template <class Shape, class Loss>
__global__ void __launch_bounds__(Shape::threads) loss_rows(Loss loss, PointLossArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const T* const x = static_cast<const T*>(a.x) + r * a.cols;
    const T* const t = static_cast<const T*>(a.t) + r * a.cols;
    T sum = 0;
    each_pack<Shape>(live ? a.cols : 0, [&](int, int64_t i) {
      const auto v = get_pack<Shape::w>(x + i, wide), u = get_pack<Shape::w>(t + i, wide);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) sum += loss.value(v.of[w], u.of[w]);
    });
    sum = group.sum(sum);
    if (live && row_lane<Shape>() == 0)
      static_cast<T*>(a.y)[r] = a.reduction == Reduction::mean ? sum / static_cast<T>(a.cols) : sum;
  });
}

template <class Loss, class T>
__device__ __forceinline__ T slope_of(const Loss& loss, bool of_target, T x, T t) {
  return of_target ? loss.target_slope(x, t) : loss.slope(x, t);
}

template <class T, class Loss>
__global__ void __launch_bounds__(kThreads) loss_slopes(Loss loss, PointLossBackwardArgs a, bool wide) {
  const T* const x = static_cast<const T*>(a.x);
  const T* const t = static_cast<const T*>(a.t);
  const T* const dy = static_cast<const T*>(a.dy);
  each_element<T>(a.rows * a.cols, wide, [&](int64_t i, auto width) {
    constexpr int kW = decltype(width)::value;
    auto v = get_pack<kW>(x + i, wide);
    const auto u = get_pack<kW>(t + i, wide);
    Pack<T, kW> g;
    if (a.stride_dy != 0)
      g = get_pack<kW>(dy + i, wide);
    else
#pragma unroll
      for (int w = 0; w < kW; ++w) g.of[w] = dy[0];
#pragma unroll
    for (int w = 0; w < kW; ++w) v.of[w] = g.of[w] * slope_of(loss, a.of_target, v.of[w], u.of[w]);
    put_pack<kW>(static_cast<T*>(a.d) + i, v, wide);
  });
}

template <class Shape, class Loss>
__global__ void __launch_bounds__(Shape::threads)
    loss_slope_rows(Loss loss, PointLossBackwardArgs a, bool wide) {
  using T = typename Shape::T;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    if (!live) return;
    const T* const x = static_cast<const T*>(a.x) + r * a.cols;
    const T* const t = static_cast<const T*>(a.t) + r * a.cols;
    T* const d = static_cast<T*>(a.d) + r * a.cols;
    const T cols = a.reduction == Reduction::mean ? static_cast<T>(a.cols) : T(1);
    const T by = static_cast<const T*>(a.dy)[r * a.stride_dy] / cols;
    each_pack<Shape>(a.cols, [&](int, int64_t i) {
      auto v = get_pack<Shape::w>(x + i, wide);
      const auto u = get_pack<Shape::w>(t + i, wide);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) v.of[w] = slope_of(loss, a.of_target, v.of[w], u.of[w]) * by;
      put_pack<Shape::w>(d + i, v, wide);
    });
  });
}

// fn(shape) for rows that are walked once: short ones element by element
template <class T, class Fn>
void with_passed_row_shape(int64_t cols, const Fn& fn) {
  if (cols <= 32) return fn(RowShape<T, 8, 0, 1>{});
  if (cols <= 1024) return fn(RowShape<T, 32, 0, 1>{});
  if (cols % kPackWidth<T> == 0) return fn(RowShape<T, 512, 0, kPackWidth<T>>{});
  fn(RowShape<T, 512, 0, 1>{});
}

template <class Args>
bool by_elements(const Args& a) {
  return a.reduction == Reduction::none || a.cols == 1;
}

void forward(Stream stream, const PointLossArgs& a) {
  if (a.rows <= 0) return;
  with_float(a.dtype, [&](auto dtype) {
    using T = decltype(dtype);
    with_loss<T>(a.loss, [&](auto type) {
      using Loss = typename decltype(type)::of;
      const bool wide = wide_access(a.x, a.t, a.y);
      if (by_elements(a)) {
        if (a.cols > 0)
          start(stream, loss_elements<T, Loss>, blocks_for(a.rows * a.cols, kThreads * kPackWidth<T>),
                dim3(kThreads), 0, Loss(a.c), a, wide);
        return;
      }
      with_passed_row_shape<T>(a.cols, [&](auto shape) {
        start_rows<decltype(shape)>(stream, a.rows, loss_rows<decltype(shape), Loss>, Loss(a.c), a,
                                    wide_access(a.x, a.t));
      });
    });
  });
}

void backward(Stream stream, const PointLossBackwardArgs& a) {
  if (a.rows <= 0 || a.cols <= 0) return;
  with_float(a.dtype, [&](auto dtype) {
    using T = decltype(dtype);
    with_loss<T>(a.loss, [&](auto type) {
      using Loss = typename decltype(type)::of;
      if (by_elements(a)) {
        const bool wide = wide_access(a.x, a.t, a.d, a.stride_dy != 0 ? a.dy : nullptr);
        start(stream, loss_slopes<T, Loss>, blocks_for(a.rows * a.cols, kThreads * kPackWidth<T>),
              dim3(kThreads), 0, Loss(a.c), a, wide);
        return;
      }
      with_passed_row_shape<T>(a.cols, [&](auto shape) {
        start_rows<decltype(shape)>(stream, a.rows, loss_slope_rows<decltype(shape), Loss>, Loss(a.c), a,
                                    wide_access(a.x, a.t, a.d));
      });
    });
  });
}

}  // namespace

extern const PointLossKernels pointloss;
const PointLossKernels pointloss = {
    .forward = forward,
    .backward = backward,
};

}  // namespace pl::cuda
