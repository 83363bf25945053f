// Depthwise convolution, a kernel for each channel: there are no sums over channels, so vectors run along them.
//
// forward, input  parallel over bands as in conv_window.h; kPixels neighbours of a row and one vector of channels are in
//                 registers while the taps pass by.
// weight          dw[k,l,c] = sum over n,i,j of x dy. Parallel over slices of the rows (n,i), each with a copy of dw; one
//                 tap and one vector of channels is summed along a row. The copies are added in order.
#pragma once
#include "kernels/conv_weight.h"
#include "kernels/conv_window.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int kPixels = 8;

// Lanes past the last channel are neither read nor written.
template <class T>
PL_INLINE vec<T> load_lanes(const T* p, int64_t lanes) {
  return lanes == width<T> ? load(p) : load_n(p, lanes);
}

template <class T, int P>
PL_INLINE void depthwise_pixels(const Correlation<T>& c, const T* x, Range kh, Range kw, int64_t at,
                                int64_t lanes, T* y) {
  const int64_t step = c.columns.stride * c.x_pixel;
  const vec<T> bias = c.bias ? load_lanes(c.bias + at, lanes) : vec<T>{};
  alignas(PL_VEC) vec<T> sum[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) sum[p] = bias;
  for (int64_t k = kh.begin; k < kh.end; ++k) {
    for (int64_t l = kw.begin; l < kw.end; ++l) {
      const vec<T> w = load_lanes(c.weight + (k * c.columns.taps + l) * c.ldb + at, lanes);
      const T* const from = x + k * c.rows.dilation * c.x_row + l * c.columns.dilation * c.x_pixel;
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[p] = fma_(load_lanes(from + p * step, lanes), w, sum[p]);
    }
  }
  if (c.activation == Activation::relu) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sum[p] = relu_(sum[p]);
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) store_n(y + p * c.y_pixel, sum[p], lanes);
}

// One row of outputs.
template <class T>
void depthwise_row(const Correlation<T>& c, int64_t n, int64_t i, Range js) {
  const Range kh = c.rows.taps_at(i), whole = common(js, c.columns.whole());
  const int64_t corner =
      n * c.x_image + (i * c.rows.stride + c.rows.start) * c.x_row + c.columns.start * c.x_pixel;
  const int64_t step = c.columns.stride * c.x_pixel;
  T* const y = c.y + n * c.y_image + i * c.y_row;
  for (int64_t at = 0; at < c.groups; at += width<T>) {
    const int64_t lanes = smaller(width<T>, c.groups - at);
    const T* const x = c.x + corner + at;
    const auto one = [&](int64_t j, Range kw) {
      depthwise_pixels<T, 1>(c, x + j * step, kh, kw, at, lanes, y + j * c.y_pixel + at);
    };
    int64_t j = js.begin;
    for (; j < whole.begin; ++j) one(j, c.columns.taps_at(j));
    for (; j + kPixels <= whole.end; j += kPixels)
      depthwise_pixels<T, kPixels>(c, x + j * step, kh, {0, c.columns.taps}, at, lanes,
                                   y + j * c.y_pixel + at);
    for (; j < js.end; ++j) one(j, c.columns.taps_at(j));
  }
  if (c.activation == Activation::sigmoid || c.activation == Activation::tanh)
    finish(y + js.begin * c.y_pixel, c.y_pixel, js.size(), c.groups, static_cast<const T*>(nullptr), 1,
           c.activation);
}

template <class T>
void depthwise(const Correlation<T>& c) {
  const int64_t rows = c.rows.out * c.images;
  parallel_for(rows, larger(1, kBandWork / 4 / larger(1, c.columns.out * c.pixel_work())),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r)
                   depthwise_row(c, r / c.rows.out, r % c.rows.out, {0, c.columns.out});
               });
}

template <class T>
void depthwise_forward(const Conv2dArgs& a) {
  depthwise(forward_of<T>(a));
}
template <class T>
void depthwise_input(const Conv2dArgs& a) {
  turn_weights<T>(a);
  each_phase<T>(a, [&](const Phase& rows, const Phase& columns, int64_t first, int64_t at) {
    depthwise(input_of<T>(a, rows, columns, first, at));
  });
}

struct DepthwiseSlices {
  int64_t rows, slices, copy;
};
template <class T>
DepthwiseSlices depthwise_slices(const Conv2dArgs& a) {
  const int64_t rows = larger(1, a.n * a.oh), weights = a.kh * a.kw * a.f;
  const int64_t copy = round_up(weights + a.f, width<T>);
  const int64_t wanted = larger(1, smaller(smaller(kMaxSlices, kCopiesBytes / (copy * int64_t{sizeof(T)})),
                                           rows * larger(1, a.ow) * weights / (kSliceWork / 4)));
  const int64_t of_slice = blocks_of(rows, wanted);
  return {of_slice, blocks_of(rows, of_slice), copy};
}
template <class T>
int64_t depthwise_weight_size(const Conv2dArgs& a) {
  const DepthwiseSlices s = depthwise_slices<T>(a);
  return s.slices * s.copy;
}

// to += sum over the columns of x dy, one vector of channels.
template <class T>
PL_INLINE void add_products(const T* x, int64_t x_step, const T* dy, int64_t dy_step, int64_t count,
                            int64_t lanes, T* to) {
  alignas(PL_VEC) vec<T> sum[4] = {};
  int64_t j = 0;
  for (; j + 4 <= count; j += 4) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k)
      sum[k] =
          fma_(load_lanes(x + (j + k) * x_step, lanes), load_lanes(dy + (j + k) * dy_step, lanes), sum[k]);
  }
  for (; j < count; ++j)
    sum[0] = fma_(load_lanes(x + j * x_step, lanes), load_lanes(dy + j * dy_step, lanes), sum[0]);
  store_n(to, load_lanes(to, lanes) + ((sum[0] + sum[1]) + (sum[2] + sum[3])), lanes);
}

template <class T>
void depthwise_weight(const Conv2dArgs& a) {
  const DepthwiseSlices s = depthwise_slices<T>(a);
  const int64_t weights = a.kh * a.kw * a.f;
  const Axis rows{a.h, a.oh, a.kh, a.stride_h, a.dilation_h, -a.pad_top},
      columns{a.w, a.ow, a.kw, a.stride_w, a.dilation_w, -a.pad_left};
  T* const copies = static_cast<T*>(a.work);
  parallel_for(s.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slice = begin; slice < end; ++slice) {
      T* const dw = copies + slice * s.copy;
      __builtin_memset(dw, 0, static_cast<size_t>(s.copy) * sizeof(T));
      for (int64_t r = slice * s.rows; r < smaller((slice + 1) * s.rows, a.n * a.oh); ++r) {
        const int64_t n = r / a.oh, i = r - n * a.oh;
        const T* const dy = static_cast<const T*>(a.dy) + r * a.ow * a.f;
        const Range kh = rows.taps_at(i);
        for (int64_t k = kh.begin; k < kh.end; ++k) {
          const int64_t h = i * rows.stride + rows.start + k * rows.dilation;
          for (int64_t l = 0; l < a.kw; ++l) {
            const Range js = columns.outputs_of(l);
            const int64_t w = js.begin * columns.stride + columns.start + l * columns.dilation;
            if (js.size() == 0) continue;
            const T* const x = static_cast<const T*>(a.x) + ((n * a.h + h) * a.w + w) * a.c;
            for (int64_t c = 0; c < a.c; c += width<T>)
              add_products(x + c, columns.stride * a.c, dy + js.begin * a.f + c, a.f, js.size(),
                           smaller(width<T>, a.c - c), dw + (k * a.kw + l) * a.c + c);
          }
        }
        if (a.dbias) WeightBlock<T>::add_rows(dy, a.ow, a.f, dw + weights);
      }
    }
  });
  sum_copies(copies, s.slices, s.copy, weights, static_cast<T*>(a.out));
  if (a.dbias) sum_copies(copies + weights, s.slices, s.copy, a.f, static_cast<T*>(a.dbias));
}

}  // namespace
}  // namespace pl::PL_ISA
