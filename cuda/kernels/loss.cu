// Softmax and the losses that start from logits; formulas in loss.h.
//
// A row is taken by 8 lanes, a warp or a block (rows.cuh): read once and kept in registers up to 8192 columns, its
// maximum and the sum of e^(x - maximum) exchanged between the threads, the result written at once. Of longer rows
// maximum and sum are found together in one pass, the sum being brought to the new maximum whenever that grows (Milakov
// & Gimelshein 2018). The backward passes by labels need no exchange: the forward pass has left each row's maximum and
// the reciprocal of its sum. Every element is read before its place is written by the same thread, so results may
// overwrite x. NaN anywhere, +inf, or a row of -inf make the whole row NaN.
#include "kernels/loss.h"

#include "kernels/rows.cuh"

namespace pl::cuda {
namespace {

template <class T>
struct ExpSum {
  T max, sum;
};

// Maximum and sum of exponentials of a row; with kKeep its held elements become their exponentials.
template <class Shape, bool kKeep, class T = typename Shape::T>
__device__ __forceinline__ ExpSum<T> exp_sum(RowData<Shape>& x, int64_t cols, Group<Shape>& group) {
  T max = static_cast<T>(-INFINITY), sum = 0;
  if constexpr (Shape::held) {
    each_pack<Shape>(cols, [&](int k, int64_t) {
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) max = Larger{}(max, x.v[k].of[w]);
    });
    max = group.max(max);
    each_pack<Shape>(cols, [&](int k, int64_t) {
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) {
        const T e = exp_(x.v[k].of[w] - max);
        if (kKeep) x.v[k].of[w] = e;
        sum += e;
      }
    });
    return {max, group.sum(sum)};
  }
  each_pack<Shape>(cols, [&](int k, int64_t i) {
    const auto v = x.at(k, i);
    T now = max;
#pragma unroll
    for (int w = 0; w < Shape::w; ++w) now = Larger{}(now, v.of[w]);
    const T shift = now == static_cast<T>(-INFINITY) ? T(0) : now;  // nothing but -inf so far: terms of 0
    if (max < now) sum *= exp_(max - shift);
    max = now;
#pragma unroll
    for (int w = 0; w < Shape::w; ++w) sum += exp_(v.of[w] - shift);
  });
  const T all = group.max(max);
  return {all, group.sum(sum * (max == all ? all - all + T(1) : exp_(max - all)))};
}

template <class Shape, bool kLog>
__global__ void __launch_bounds__(Shape::threads) softmax_rows(SoftmaxArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const int64_t cols = live ? a.cols : 0;
    RowData<Shape> x(static_cast<const T*>(a.x) + r * a.cols, cols, wide);
    T* const y = static_cast<T*>(a.y) + r * a.cols;
    const ExpSum<T> row = exp_sum<Shape, !kLog>(x, cols, group);
    const T last = kLog ? log_(row.sum) : T(1) / row.sum;
    each_pack<Shape>(cols, [&](int k, int64_t i) {
      auto v = x.at(k, i);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) {
        if (kLog)
          v.of[w] = (v.of[w] - row.max) - last;
        else
          v.of[w] = (Shape::held ? v.of[w] : exp_(v.of[w] - row.max)) * last;
      }
      put_pack<Shape::w>(y + i, v, wide);
    });
  });
}

template <class Shape, bool kLog>
__global__ void __launch_bounds__(Shape::threads) softmax_backward_rows(SoftmaxBackwardArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const int64_t cols = live ? a.cols : 0;
    const RowData<Shape> y(static_cast<const T*>(a.y) + r * a.cols, cols, wide);
    const RowData<Shape> dy(static_cast<const T*>(a.dy) + r * a.cols, cols, wide);
    T* const dx = static_cast<T*>(a.dx) + r * a.cols;
    T sum = 0;
    each_pack<Shape>(cols, [&](int k, int64_t i) {
      const auto g = dy.at(k, i);
      if (kLog) {
#pragma unroll
        for (int w = 0; w < Shape::w; ++w) sum += g.of[w];
      } else {
        const auto p = y.at(k, i);
#pragma unroll
        for (int w = 0; w < Shape::w; ++w) sum += g.of[w] * p.of[w];
      }
    });
    sum = group.sum(sum);
    each_pack<Shape>(cols, [&](int k, int64_t i) {
      auto g = dy.at(k, i);
      const auto p = y.at(k, i);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w)
        g.of[w] = kLog ? g.of[w] - exp_(p.of[w]) * sum : p.of[w] * (g.of[w] - sum);
      put_pack<Shape::w>(dx + i, g, wide);
    });
  });
}

__device__ __forceinline__ int64_t label_at(const void* labels, DType dtype, int64_t r) {
  switch (dtype) {
    case DType::uint8: return static_cast<const uint8_t*>(labels)[r];
    case DType::int32: return static_cast<const int32_t*>(labels)[r];
    case DType::int64: return static_cast<const int64_t*>(labels)[r];
    default: return -1;
  }
}

template <class Shape>
__global__ void __launch_bounds__(Shape::threads) cross_entropy_rows(CrossEntropyArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const int64_t cols = live ? a.cols : 0;
    RowData<Shape> x(static_cast<const T*>(a.x) + r * a.cols, cols, wide);
    const ExpSum<T> row = exp_sum<Shape, false>(x, cols, group);
    const T log_sum = log_(row.sum);
    T loss = 0;
    if (a.target) {
      const T* const target = static_cast<const T*>(a.target) + r * a.cols;
      each_pack<Shape>(cols, [&](int k, int64_t i) {
        const auto v = x.at(k, i), t = get_pack<Shape::w>(target + i, wide);
#pragma unroll
        for (int w = 0; w < Shape::w; ++w) loss += t.of[w] * (log_sum - (v.of[w] - row.max));
      });
      loss = group.sum(loss);
    }
    if (!live || row_lane<Shape>() != 0) return;
    if (!a.target) {
      const int64_t label = label_at(a.label, a.label_dtype, r);
      if (label >= 0 && label < a.cols)
        loss = log_sum - (x.p[label] - row.max);
      else if (a.status)
        note(a.status, Status::index_out_of_range, r, label, a.cols);
    }
    static_cast<T*>(a.loss)[r] = loss;
    static_cast<T*>(a.stat)[2 * r] = row.max;
    static_cast<T*>(a.stat)[2 * r + 1] = T(1) / row.sum;
  });
}

template <class Shape>
__global__ void __launch_bounds__(Shape::threads) dense_backward_rows(CrossEntropyBackwardArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const int64_t cols = live ? a.cols : 0;
    const RowData<Shape> target(static_cast<const T*>(a.target) + r * a.cols, cols, wide);
    const T* const x = static_cast<const T*>(a.x) + r * a.cols;
    T* const dx = static_cast<T*>(a.dx) + r * a.cols;
    T mass = 0;
    each_pack<Shape>(cols, [&](int k, int64_t i) {
      const auto t = target.at(k, i);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) mass += t.of[w];
    });
    mass = group.sum(mass);
    if (!live) return;
    const T max = static_cast<const T*>(a.stat)[2 * r];
    mass *= static_cast<const T*>(a.stat)[2 * r + 1];
    const T scale = static_cast<const T*>(a.dloss)[r * a.stride_dloss];
    each_pack<Shape>(cols, [&](int k, int64_t i) {
      const auto t = target.at(k, i);
      auto v = get_pack<Shape::w>(x + i, wide);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) v.of[w] = (exp_(v.of[w] - max) * mass - t.of[w]) * scale;
      put_pack<Shape::w>(dx + i, v, wide);
    });
  });
}

template <class Shape>
__global__ void __launch_bounds__(Shape::threads) label_backward_rows(CrossEntropyBackwardArgs a, bool wide) {
  using T = typename Shape::T;
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    if (!live) return;
    const T* const x = static_cast<const T*>(a.x) + r * a.cols;
    T* const dx = static_cast<T*>(a.dx) + r * a.cols;
    const T max = static_cast<const T*>(a.stat)[2 * r];
    const T scale = static_cast<const T*>(a.dloss)[r * a.stride_dloss];
    const T factor = static_cast<const T*>(a.stat)[2 * r + 1] * scale;
    const int64_t label = label_at(a.label, a.label_dtype, r);
    const bool good = label >= 0 && label < a.cols;
    each_pack<Shape>(a.cols, [&](int, int64_t i) {
      auto v = get_pack<Shape::w>(x + i, wide);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) {
        const T g = exp_(v.of[w] - max) * factor;
        v.of[w] = !good ? T(0) : i + w == label ? g - scale : g;
      }
      put_pack<Shape::w>(dx + i, v, wide);
    });
  });
}

void softmax(Stream stream, const SoftmaxArgs& a) {
  with_float(a.dtype, [&](auto type) {
    with_row_shape<decltype(type)>(a.cols, [&](auto shape) {
      using Shape = decltype(shape);
      start_rows<Shape>(stream, a.rows, a.log ? softmax_rows<Shape, true> : softmax_rows<Shape, false>, a,
                        wide_access(a.x, a.y));
    });
  });
}

void softmax_backward(Stream stream, const SoftmaxBackwardArgs& a) {
  with_float(a.dtype, [&](auto type) {
    with_row_shape<decltype(type)>(a.cols, [&](auto shape) {
      using Shape = decltype(shape);
      start_rows<Shape>(stream, a.rows,
                        a.log ? softmax_backward_rows<Shape, true> : softmax_backward_rows<Shape, false>, a,
                        wide_access(a.y, a.dy, a.dx));
    });
  });
}

void cross_entropy(Stream stream, const CrossEntropyArgs& a) {
  with_float(a.dtype, [&](auto type) {
    with_row_shape<decltype(type)>(a.cols, [&](auto shape) {
      using Shape = decltype(shape);
      start_rows<Shape>(stream, a.rows, cross_entropy_rows<Shape>, a, wide_access(a.x, a.target));
    });
  });
}

void cross_entropy_backward(Stream stream, const CrossEntropyBackwardArgs& a) {
  with_float(a.dtype, [&](auto type) {
    with_row_shape<decltype(type)>(a.cols, [&](auto shape) {
      using Shape = decltype(shape);
      start_rows<Shape>(stream, a.rows, a.target ? dense_backward_rows<Shape> : label_backward_rows<Shape>, a,
                        wide_access(a.x, a.target, a.dx));
    });
  });
}

}  // namespace

extern const LossKernels loss;
const LossKernels loss = {
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
};

}  // namespace pl::cuda
