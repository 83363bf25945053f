// Forward convolution and input gradient as one thing: a correlation of an image with a kernel, and the implicit matrix
// product that computes it.
//
// y[n,i,j,f] = act(bias[f] + sum over k,l,c of x[n, i*stride_h + start_h + k*dilation_h, j*..., c] w[k,l,c,f]), zero outside
// x. Of an input gradient with strides there are stride_h * stride_w phases, each a correlation with some of the taps, last
// one first (conv_axis.h); one launch serves up to kPhases x kPhases of them.
//
// The product: M output pixels of all images, N filters of a group, K taps and channels. A is never built: a thread knows
// the place in x of its pixels and walks along K by additions, (tap row, tap column, channel) with a carry; what lies
// outside x is 0. Channels that come in 16 bytes are read so, others one by one with the lanes along K. B is the weights
// where they are: for the forward pass (K,N), for the gradient (N,K), so nothing is transposed beforehand.
// Parallel over tiles of M, then N, groups, phases, and, of few tiles, over slices of K, whose sums are added in order.
#pragma once
#include "kernels/conv_axis.h"
#include "kernels/conv_tile.cuh"

namespace pl::cuda {
namespace {

constexpr int kPhases = 4;  // along an axis

// One axis of one phase.
struct PhaseAxis {
  int out, taps, start;
  int64_t weight, step;  // elements of w: the first tap's place, and from tap to tap
  int64_t y;             // elements of y: the first output's place
};

template <class T>
struct Correlation {
  int64_t images;
  int h, w;  // of x
  int stride_h, stride_w, dilation_h, dilation_w;
  int channels, filters, groups;  // of a group
  const T* x;
  int64_t x_image, x_row, x_pixel;
  const T* weight;
  int64_t w_channel, w_filter, w_group;
  const T* bias;  // or null
  T* y;
  int64_t y_image, y_row, y_pixel;
  Activation activation;
  bool wide_w, wide_y;  // read and written 16 bytes at a time
  int rows_phases, columns_phases;
  PhaseAxis rows[kPhases], columns[kPhases];
  int slices;           // of K
  int64_t slice_steps;  // of kDepth
  int64_t copy;         // elements of a copy of y; y is the first where slices > 1
};

template <class T>
PL_INLINE int64_t pixels(const Correlation<T>& c, const PhaseAxis& rows, const PhaseAxis& columns) {
  return c.images * rows.out * columns.out;
}

// What the threads of a block know of its pixels.
template <int kM>
struct PixelTable {
  int64_t x[kM], y[kM];  // places; y < 0 past the last pixel
  int h[kM], w[kM];      // of the first tap, in x
};
constexpr int kOutside = -(1 << 30);  // plus any tap is still negative

template <int kM, class T>
__device__ __forceinline__ void fill_pixels(const Correlation<T>& c, const PhaseAxis& rows,
                                            const PhaseAxis& columns, int64_t first, int group,
                                            PixelTable<kM>& table) {
  const int64_t count = pixels(c, rows, columns);
  for (int r = threadIdx.x; r < kM; r += blockDim.x) {
    const int64_t p = first + r;
    if (p >= count) {
      table.x[r] = 0, table.y[r] = -1, table.h[r] = table.w[r] = kOutside;
      continue;
    }
    const int64_t row = p / columns.out, image = row / rows.out;
    const int i = static_cast<int>(row - image * rows.out), j = static_cast<int>(p - row * columns.out);
    const int h = i * c.stride_h + rows.start, w = j * c.stride_w + columns.start;
    table.h[r] = h, table.w[r] = w;
    table.x[r] = image * c.x_image + h * c.x_row + w * c.x_pixel + int64_t{group} * c.channels;
    table.y[r] =
        image * c.y_image + rows.y + i * c.y_row + columns.y + j * c.y_pixel + int64_t{group} * c.filters;
  }
}

// A place along K, which a thread moves by kDepth.
struct Walk {
  int k, l, c;  // tap row, tap column, channel

  __device__ __forceinline__ Walk(int64_t at, int taps, int channels) {
    const int64_t tap = at / channels;
    c = static_cast<int>(at - tap * channels);
    k = static_cast<int>(tap / taps);
    l = static_cast<int>(tap - int64_t{k} * taps);
  }
  // by: kDepth as such a place
  __device__ __forceinline__ void move(const Walk& by, int taps, int channels) {
    c += by.c;
    if (c >= channels) c -= channels, ++l;
    l += by.l;
    if (l >= taps) l -= taps, ++k;
    k += by.k;
  }
};

template <class Tile>
struct ProductMemory {
  PixelTable<Tile::m> pixels;
  typename Tile::Panels panels;
};

// kPackX: channels read at a time. kTurned: the weights of a filter lie side by side along K (input gradient).
template <class Tile, int kPackX, bool kTurned>
__global__ void __launch_bounds__(Tile::threads, kPackX == 1 ? 1 : Tile::resident)
    correlate(const __grid_constant__ Correlation<typename Tile::type> c) {
  using T = typename Tile::type;
  constexpr int threads = Tile::threads, W = Tile::pack;
  constexpr int per_pixel = kDepth / kPackX;  // threads to a pixel (or a filter)
  constexpr int pixels_each = Tile::m * per_pixel / threads;
  static_assert(pixels_each * threads == Tile::m * per_pixel);
  constexpr int filters_each = (Tile::n * per_pixel + threads - 1) / threads;
  constexpr int packs_each = (Tile::n / W * kDepth + threads - 1) / threads;
  static_assert(threads % (Tile::n / W) == 0);
  auto& memory = smem<ProductMemory<Tile>>();

  const int thread = threadIdx.x, group = blockIdx.y;
  const int phase = static_cast<int>(blockIdx.z) / c.slices, slice = static_cast<int>(blockIdx.z) % c.slices;
  const PhaseAxis& rows = c.rows[phase / c.columns_phases];
  const PhaseAxis& columns = c.columns[phase % c.columns_phases];
  const unsigned tiles_n = (c.filters + Tile::n - 1) / Tile::n;
  const int64_t pixel0 = int64_t{blockIdx.x / tiles_n} * Tile::m;
  const int filter0 = static_cast<int>(blockIdx.x % tiles_n) * Tile::n;
  if (pixel0 >= pixels(c, rows, columns)) return;
  fill_pixels<Tile::m>(c, rows, columns, pixel0, group, memory.pixels);
  __syncthreads();

  const int depth = rows.taps * columns.taps * c.channels;
  const int64_t begin = slice * c.slice_steps;
  const int64_t steps_all = (depth + kDepth - 1) / kDepth - begin;
  const int64_t steps = steps_all < c.slice_steps ? steps_all : c.slice_steps;

  Sums<Tile> sums;
  const typename Tile::Place place = Tile::place(thread);
  if (steps > 0) {
    const int k0 = thread % per_pixel * kPackX, r0 = thread / per_pixel;
    constexpr int r_step = threads / per_pixel;
    const T* x[pixels_each];
    int h[pixels_each], w[pixels_each];
#pragma unroll
    for (int r = 0; r < pixels_each; ++r) {
      x[r] = c.x + memory.pixels.x[r0 + r * r_step];
      h[r] = memory.pixels.h[r0 + r * r_step];
      w[r] = memory.pixels.w[r0 + r * r_step];
    }
    const T* const weight =
        c.weight + rows.weight + columns.weight + group * c.w_group + filter0 * c.w_filter;
    Walk at(begin * kDepth + k0, columns.taps, c.channels);
    const Walk by(kDepth, columns.taps, c.channels);
    // Not turned: the thread's first pack of filters, which goes down the rows of the weights.
    constexpr int packs = Tile::n / W, rows_apart = threads / packs;
    const int b_row = thread / packs, b_filter = thread % packs * W;
    int k = static_cast<int>(begin) * kDepth + b_row;
    const T* from = weight + k * c.w_channel + b_filter;

    Pack<T, kPackX> a[pixels_each];
    Pack<T, kTurned ? kPackX : W> b[kTurned ? filters_each : packs_each];
    const auto fetch = [&] {
      const bool met = at.k < rows.taps;
      const int dh = at.k * c.dilation_h, dw = at.l * c.dilation_w;
      const int64_t to = dh * c.x_row + dw * c.x_pixel + at.c;
#pragma unroll
      for (int r = 0; r < pixels_each; ++r) {
        const bool inside_x = met && static_cast<unsigned>(h[r] + dh) < static_cast<unsigned>(c.h) &&
                              static_cast<unsigned>(w[r] + dw) < static_cast<unsigned>(c.w);
        a[r] = inside_x ? load<kPackX>(x[r] + to) : Pack<T, kPackX>{};
      }
      if constexpr (kTurned) {
        const int64_t tap = at.k * rows.step + at.l * columns.step + at.c;
#pragma unroll
        for (int r = 0; r < filters_each; ++r) {
          const int f = r0 + r * r_step;
          const bool there = met && f < Tile::n && filter0 + f < c.filters;
          b[r] = there ? load<kPackX>(weight + tap + f * c.w_filter) : Pack<T, kPackX>{};
        }
      } else {
#pragma unroll
        for (int r = 0; r < packs_each; ++r) {
          const bool there = b_row + r * rows_apart < kDepth && k + r * rows_apart < depth;
          const T* const w_row = from + r * rows_apart * c.w_channel;
          if (there && c.wide_w && filter0 + b_filter < c.filters) {
            b[r] = load<W>(w_row);
          } else {
#pragma unroll
            for (int v = 0; v < W; ++v)
              b[r].at[v] = there && filter0 + b_filter + v < c.filters ? w_row[v] : T(0);
          }
        }
        from += kDepth * c.w_channel;
        k += kDepth;
      }
      at.move(by, columns.taps, c.channels);
    };
    const auto put = [&](int buffer) {
#pragma unroll
      for (int r = 0; r < pixels_each; ++r)
#pragma unroll
        for (int v = 0; v < kPackX; ++v) memory.panels.a[buffer][k0 + v][r0 + r * r_step] = a[r].at[v];
      if constexpr (kTurned) {
#pragma unroll
        for (int r = 0; r < filters_each; ++r)
#pragma unroll
          for (int v = 0; v < kPackX; ++v)
            if (r0 + r * r_step < Tile::n) memory.panels.b[buffer][k0 + v][r0 + r * r_step] = b[r].at[v];
      } else {
#pragma unroll
        for (int r = 0; r < packs_each; ++r) {
          const int row = b_row + r * rows_apart;
          if (row < kDepth) store(&memory.panels.b[buffer][row][b_filter], b[r]);
        }
      }
    };
    each_panel<Tile>(steps, fetch, put, [&](int buffer) { sums.add(memory.panels, buffer, place); });
  }

  // bias, activation, and out
  const bool whole = c.slices == 1;
  T* const y = c.y + slice * c.copy;
  const T* const bias = whole && c.bias ? c.bias + int64_t{group} * c.filters : nullptr;
  const bool relu = whole && c.activation == Activation::relu;
#pragma unroll
  for (int j = 0; j < Tile::columns; j += W) {
    const int f = filter0 + Tile::column(place, j);
    if (f >= c.filters) continue;
    T added[W];
#pragma unroll
    for (int v = 0; v < W; ++v) added[v] = bias && f + v < c.filters ? bias[f + v] : T(0);
#pragma unroll
    for (int i = 0; i < Tile::rows; ++i) {
      const int64_t to = memory.pixels.y[Tile::row(place, i)];
      if (to < 0) continue;
      Pack<T, W> v;
#pragma unroll
      for (int e = 0; e < W; ++e) {
        const T s = sums.at[i][j + e] + added[e];
        v.at[e] = relu ? relu_(s) : s;
      }
      if (c.wide_y) {
        store(y + to + f, v);
      } else {
#pragma unroll
        for (int e = 0; e < W; ++e)
          if (f + e < c.filters) y[to + f + e] = v.at[e];
      }
    }
  }
  if (!whole || is_cheap(c.activation)) return;
#pragma unroll 1
  for (int e = 0; e < Tile::rows * Tile::columns; ++e) {
    const int f = filter0 + Tile::column(place, e % Tile::columns);
    const int64_t to = memory.pixels.y[Tile::row(place, e / Tile::columns)];
    if (to >= 0 && f < c.filters) y[to + f] = activate(y[to + f], c.activation);
  }
}

// -- from the arguments ------------------------------------------------------------------------------------------------

template <class T>
Correlation<T> forward_of(const Conv2dArgs& a) {
  constexpr int W = kPack<T>;
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, tap = channels * a.f;
  Correlation<T> c = {};
  c.images = a.n;
  c.h = static_cast<int>(a.h), c.w = static_cast<int>(a.w);
  c.stride_h = static_cast<int>(a.stride_h), c.stride_w = static_cast<int>(a.stride_w);
  c.dilation_h = static_cast<int>(a.dilation_h), c.dilation_w = static_cast<int>(a.dilation_w);
  c.channels = static_cast<int>(channels), c.filters = static_cast<int>(filters);
  c.groups = static_cast<int>(a.groups);
  c.x = static_cast<const T*>(a.x);
  c.x_image = a.h * a.w * a.c, c.x_row = a.w * a.c, c.x_pixel = a.c;
  c.weight = static_cast<const T*>(a.weight);
  c.w_channel = a.f, c.w_filter = 1, c.w_group = filters;
  c.bias = static_cast<const T*>(a.bias);
  c.y = static_cast<T*>(a.out);
  c.y_image = a.oh * a.ow * a.f, c.y_row = a.ow * a.f, c.y_pixel = a.f;
  c.activation = a.activation;
  c.wide_w = filters % W == 0 && aligned(a.weight);
  c.rows_phases = c.columns_phases = 1;
  c.rows[0] = {
      static_cast<int>(a.oh), static_cast<int>(a.kh), -static_cast<int>(a.pad_top), 0, a.kw * tap, 0};
  c.columns[0] = {static_cast<int>(a.ow), static_cast<int>(a.kw), -static_cast<int>(a.pad_left), 0, tap, 0};
  c.slices = 1;
  return c;
}

PhaseAxis phase_axis(const Phase& p, int64_t tap, int64_t y) {
  return {static_cast<int>(p.axis.out),
          static_cast<int>(p.axis.taps),
          static_cast<int>(p.axis.start),
          p.axis.taps > 0 ? p.tap(0) * tap : 0,
          -p.step * tap,
          y};
}
// The phases from (h0, w0) on.
template <class T>
Correlation<T> input_of(const Conv2dArgs& a, int64_t h0, int64_t w0) {
  const int64_t channels = a.f / a.groups, filters = a.c / a.groups, tap = filters * a.f;
  Correlation<T> c = {};
  c.images = a.n;
  c.h = static_cast<int>(a.oh), c.w = static_cast<int>(a.ow);
  c.stride_h = c.stride_w = 1;
  c.dilation_h = static_cast<int>(row_phase(a, 0).axis.dilation);
  c.dilation_w = static_cast<int>(column_phase(a, 0).axis.dilation);
  c.channels = static_cast<int>(channels), c.filters = static_cast<int>(filters);
  c.groups = static_cast<int>(a.groups);
  c.x = static_cast<const T*>(a.dy);
  c.x_image = a.oh * a.ow * a.f, c.x_row = a.ow * a.f, c.x_pixel = a.f;
  c.weight = static_cast<const T*>(a.weight);
  c.w_channel = 1, c.w_filter = a.f, c.w_group = channels;
  c.bias = static_cast<const T*>(a.bias);
  c.y = static_cast<T*>(a.out);
  c.y_image = a.h * a.w * a.c, c.y_row = a.stride_h * a.w * a.c, c.y_pixel = a.stride_w * a.c;
  c.activation = a.activation;
  for (int64_t h = h0; h < a.h && h < a.stride_h && h < h0 + kPhases; ++h)
    c.rows[c.rows_phases++] = phase_axis(row_phase(a, h), a.kw * tap, h * a.w * a.c);
  for (int64_t w = w0; w < a.w && w < a.stride_w && w < w0 + kPhases; ++w)
    c.columns[c.columns_phases++] = phase_axis(column_phase(a, w), tap, w * a.c);
  c.slices = 1;
  return c;
}

// run(correlation) for the forward pass, or for the phases of the input gradient.
template <class T, class Run>
void each_correlation(const Conv2dArgs& a, const Run& run) {
  if (a.pass == ConvPass::forward) return run(forward_of<T>(a));
  for (int64_t h = 0; h < a.h && h < a.stride_h; h += kPhases)
    for (int64_t w = 0; w < a.w && w < a.stride_w; w += kPhases) run(input_of<T>(a, h, w));
}

template <class Tile, int kPackX, bool kTurned>
void start_correlate(Stream stream, const Correlation<typename Tile::type>& c) {
  // The first phase of an axis has the most outputs.
  const int64_t tiles =
      (pixels(c, c.rows[0], c.columns[0]) + Tile::m - 1) / Tile::m * ((c.filters + Tile::n - 1) / Tile::n);
  const int phases = c.rows_phases * c.columns_phases;
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(c.groups),
                  static_cast<unsigned>(phases * c.slices));
  start(stream, correlate<Tile, kPackX, kTurned>, grid, dim3(Tile::threads), sizeof(ProductMemory<Tile>), c);
}

// The matrix product, by tiles; of slices > 1, which go to a.work, the sum.
template <class Tile>
void run_product(Stream stream, const Conv2dArgs& a, int slices, int64_t slice_steps) {
  using T = typename Tile::type;
  constexpr int W = kPack<T>;
  const bool forward = a.pass == ConvPass::forward;
  const int64_t size = forward ? a.n * a.oh * a.ow * a.f : a.n * a.h * a.w * a.c;
  const int64_t channels = forward ? a.c : a.f, filters = forward ? a.f : a.c;
  each_correlation<T>(a, [&](Correlation<T> c) {
    if (slices > 1) c.y = static_cast<T*>(a.work);
    c.slices = slices, c.slice_steps = slice_steps, c.copy = size;
    c.wide_y = filters / a.groups % W == 0 && aligned(c.y) && (slices == 1 || size % W == 0);
    const bool wide_x = channels / a.groups % W == 0 && aligned(c.x) && (forward || aligned(c.weight));
    if (forward)
      wide_x ? start_correlate<Tile, W, false>(stream, c) : start_correlate<Tile, 1, false>(stream, c);
    else
      wide_x ? start_correlate<Tile, W, true>(stream, c) : start_correlate<Tile, 1, true>(stream, c);
  });
  if (slices == 1) return;
  add_copies<T>(stream, {.from = static_cast<const T*>(a.work),
                         .count = slices,
                         .distance = size,
                         .size = size,
                         .tail_size = 0,
                         .out = static_cast<T*>(a.out),
                         .tail = nullptr,
                         .bias = static_cast<const T*>(a.bias),
                         .filters = Divisor(filters),
                         .activation = a.activation});
}

}  // namespace
}  // namespace pl::cuda
