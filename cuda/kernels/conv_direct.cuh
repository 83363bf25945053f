// Convolutions that are no matrix products: depthwise ones, and groups of so few channels that tiles would stay empty.
//
// depthwise  A thread makes 16 bytes of channels of kNeighbours outputs side by side in a row: neighbouring threads read
//            neighbouring channels, and a tap's weights are read once for the neighbours. Forward and input gradient are
//            the same correlation (conv_window.cuh).
// direct     A thread makes one element of y or dx, in the order of the formula. Serves every shape, of any size.
// weight     A thread sums one element of dw over a slice of the rows of outputs; the elements past dw are dbias. Each
//            slice writes a copy, added in order. Serves depthwise convolutions and every other shape.
#pragma once
#include "kernels/conv_weight.cuh"
#include "kernels/conv_window.cuh"

namespace pl::cuda {
namespace {

constexpr int kNeighbours = 4;

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    depthwise(const __grid_constant__ Correlation<T> c, const __grid_constant__ Divisor packs) {
  const PhaseAxis& rows = c.rows[blockIdx.z / c.columns_phases];
  const PhaseAxis& columns = c.columns[blockIdx.z % c.columns_phases];
  const int runs = (columns.out + kNeighbours - 1) / kNeighbours;
  const int64_t count = c.images * rows.out * runs * packs.d;
  for (int64_t e = first(); e < count; e += stride()) {
    const int64_t run = packs.divide(e), channel = (e - run * packs.d) * N;
    const int64_t row = run / runs, image = row / rows.out;
    const int i = static_cast<int>(row - image * rows.out);
    const int j = static_cast<int>(run - row * runs) * kNeighbours;
    const int h0 = i * c.stride_h + rows.start, w0 = j * c.stride_w + columns.start;
    const T* const x = c.x + image * c.x_image + channel;
    const T* const weight = c.weight + rows.weight + columns.weight + channel;

    Pack<T, N> sum[kNeighbours];
#pragma unroll
    for (int p = 0; p < kNeighbours; ++p) sum[p] = c.bias ? load<N>(c.bias + channel) : Pack<T, N>{};
    for (int k = 0; k < rows.taps; ++k) {
      const int h = h0 + k * c.dilation_h;
      if (h < 0 || h >= c.h) continue;
      for (int l = 0; l < columns.taps; ++l) {
        const Pack<T, N> tap = load<N>(weight + k * rows.step + l * columns.step);
#pragma unroll
        for (int p = 0; p < kNeighbours; ++p) {
          const int w = w0 + p * c.stride_w + l * c.dilation_w;
          if (w < 0 || w >= c.w) continue;
          const Pack<T, N> v = load<N>(x + h * c.x_row + w * c.x_pixel);
#pragma unroll
          for (int n = 0; n < N; ++n) sum[p].at[n] = fma_(v.at[n], tap.at[n], sum[p].at[n]);
        }
      }
    }
    T* const y = c.y + image * c.y_image + rows.y + i * c.y_row + columns.y + j * c.y_pixel + channel;
    const bool relu = c.activation == Activation::relu;
#pragma unroll
    for (int p = 0; p < kNeighbours; ++p) {
      if (j + p >= columns.out) break;
#pragma unroll
      for (int n = 0; n < N; ++n) sum[p].at[n] = relu ? relu_(sum[p].at[n]) : sum[p].at[n];
      store(y + p * c.y_pixel, sum[p]);
    }
    if (is_cheap(c.activation)) continue;
    const int here = columns.out - j < kNeighbours ? columns.out - j : kNeighbours;
#pragma unroll 1
    for (int p = 0; p < here * N; ++p) {
      T* const at = y + p / N * c.y_pixel + p % N;
      *at = activate(*at, c.activation);
    }
  }
}

template <class T>
void run_depthwise(Stream stream, const Conv2dArgs& a) {
  each_correlation<T>(a, [&](const Correlation<T>& c) {
    with_pack<T>(
        a.c,
        [&](auto n) {
          const int64_t runs = (c.columns[0].out + kNeighbours - 1) / kNeighbours;
          dim3 grid = blocks_for(c.images * c.rows[0].out * runs * (a.c / n()));
          grid.z = static_cast<unsigned>(c.rows_phases * c.columns_phases);
          start(stream, depthwise<T, n()>, grid, kThreads, 0, c, Divisor(a.c / n()));
        },
        c.x, c.weight, c.bias, c.y);
  });
}

// -- one element at a time -----------------------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kThreads)
    direct_forward(const __grid_constant__ Conv2dArgs a, const __grid_constant__ Places<1> places) {
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, count = a.n * a.oh * a.ow * a.f;
  const T* const bias = static_cast<const T*>(a.bias);
  T* const y = static_cast<T*>(a.out);
  for (int64_t e = first(); e < count; e += stride()) {
    const Place o = places.at(e);
    const int64_t h0 = o.h * a.stride_h - a.pad_top, w0 = o.w * a.stride_w - a.pad_left;
    const T* const x = static_cast<const T*>(a.x) + o.image * a.h * a.w * a.c + o.c / filters * channels;
    const T* w = static_cast<const T*>(a.weight) + o.c;
    T sum = bias ? bias[o.c] : T(0);
    for (int64_t k = 0; k < a.kh; ++k) {
      const int64_t h = h0 + k * a.dilation_h;
      for (int64_t l = 0; l < a.kw; ++l, w += channels * a.f) {
        const int64_t at = w0 + l * a.dilation_w;
        if (h < 0 || h >= a.h || at < 0 || at >= a.w) continue;
        const T* const from = x + (h * a.w + at) * a.c;
        for (int64_t c = 0; c < channels; ++c) sum = fma_(from[c], w[c * a.f], sum);
      }
    }
    y[e] = activate(sum, a.activation);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    direct_input(const __grid_constant__ Conv2dArgs a, const __grid_constant__ Places<1> places) {
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, count = a.n * a.h * a.w * a.c;
  const T* const bias = static_cast<const T*>(a.bias);
  T* const dx = static_cast<T*>(a.out);
  for (int64_t e = first(); e < count; e += stride()) {
    const Place o = places.at(e);
    const int64_t group = o.c / channels;
    const T* const dy = static_cast<const T*>(a.dy) + o.image * a.oh * a.ow * a.f + group * filters;
    const T* w = static_cast<const T*>(a.weight) + (o.c - group * channels) * a.f + group * filters;
    T sum = bias ? bias[o.c] : T(0);
    for (int64_t k = 0; k < a.kh; ++k) {
      // the output i whose tap k is here: i stride = h + pad - k dilation
      const int64_t up = o.h + a.pad_top - k * a.dilation_h, i = up / a.stride_h;
      const bool row = up >= 0 && i * a.stride_h == up && i < a.oh;
      for (int64_t l = 0; l < a.kw; ++l, w += channels * a.f) {
        if (!row) continue;
        const int64_t left = o.w + a.pad_left - l * a.dilation_w, j = left / a.stride_w;
        if (left < 0 || j * a.stride_w != left || j >= a.ow) continue;
        const T* const from = dy + (i * a.ow + j) * a.f;
        for (int64_t f = 0; f < filters; ++f) sum = fma_(from[f], w[f], sum);
      }
    }
    dx[e] = activate(sum, a.activation);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    direct_weight(const __grid_constant__ Conv2dArgs a, int64_t slice_rows, int64_t copy, T* dw, T* dbias) {
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups;
  const int64_t weights = a.kh * a.kw * channels * a.f, all = weights + (dbias ? a.f : 0);
  const int64_t rows = a.n * a.oh, begin = blockIdx.z * slice_rows;
  const int64_t end = begin + slice_rows < rows ? begin + slice_rows : rows;
  dw += blockIdx.z * copy;
  for (int64_t e = first(); e < all; e += stride()) {
    const T* dy = static_cast<const T*>(a.dy);
    T sum = 0;
    if (e >= weights) {
      const int64_t f = e - weights;
      for (int64_t p = begin * a.ow; p < end * a.ow; ++p) sum += dy[p * a.f + f];
      dbias[blockIdx.z * copy + f] = sum;
      continue;
    }
    const int64_t row = e / a.f, f = e - row * a.f, tap = row / channels, c = row - tap * channels;
    const int64_t k = tap / a.kw, l = tap - k * a.kw;
    const int64_t w = l * a.dilation_w - a.pad_left;
    const Range js = inside(w, a.stride_w, a.w, a.ow);
    const T* const x = static_cast<const T*>(a.x) + f / filters * channels + c;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t n = r / a.oh, h = (r - n * a.oh) * a.stride_h + k * a.dilation_h - a.pad_top;
      if (h < 0 || h >= a.h) continue;
      const T* from = x + ((n * a.h + h) * a.w + js.begin * a.stride_w + w) * a.c;
      const T* gradient = dy + (r * a.ow + js.begin) * a.f + f;
      T along = 0;
      for (int64_t j = js.begin; j < js.end; ++j, from += a.stride_w * a.c, gradient += a.f)
        along = fma_(*from, *gradient, along);
      sum += along;
    }
    dw[e] = sum;
  }
}

template <class T>
void run_direct_forward(Stream stream, const Conv2dArgs& a) {
  start(stream, direct_forward<T>, blocks_for(a.n * a.oh * a.ow * a.f), kThreads, 0, a,
        Places<1>(a.oh, a.ow, a.f));
}
template <class T>
void run_direct_input(Stream stream, const Conv2dArgs& a) {
  start(stream, direct_input<T>, blocks_for(a.n * a.h * a.w * a.c), kThreads, 0, a, Places<1>(a.h, a.w, a.c));
}
template <class T>
void run_direct_weight(Stream stream, const Conv2dArgs& a, int64_t slices, int64_t slice_rows) {
  const int64_t weights = a.kh * a.kw * (a.c / a.groups) * a.f;
  T* const dw = static_cast<T*>(slices > 1 ? a.work : a.out);
  T* const dbias = !a.dbias ? nullptr : slices > 1 ? dw + weights : static_cast<T*>(a.dbias);
  dim3 grid = blocks_for(weights + (a.dbias ? a.f : 0));
  grid.z = static_cast<unsigned>(slices);
  start(stream, direct_weight<T>, grid, kThreads, 0, a, slice_rows, slices > 1 ? weight_copy(a) : 0, dw,
        dbias);
  if (slices > 1) add_weight_copies<T>(stream, a, slices);
}

}  // namespace
}  // namespace pl::cuda
