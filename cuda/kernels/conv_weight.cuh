// Weight gradient: dw[k,l,c,f] = sum over n,i,j of x[n, i*stride_h + top + k*dilation_h, j*..., c] dy[n,i,j,f], and
// dbias[f] = sum of dy.
//
// A matrix product too: M the taps and channels (rows of dw), N the filters of a group, K the output pixels. Both operands
// lie along M and N in memory, so panels are copied as they are. A thread brings one pixel of each panel, whose place it
// moves along by additions, and of that pixel always the same taps and channels. dbias is summed from the panels of dy by
// the blocks of the first rows.
// Parallel over tiles of M, then N, groups, and slices of the pixels, each of which writes a copy of dw and dbias; the
// copies are added in order. How many there are depends on the shapes only.
#pragma once
#include "kernels/conv_tile.cuh"

namespace pl::cuda {
namespace {

template <class T>
struct WeightProduct {
  int oh, ow, h, w;
  int stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int kw, channels, filters, groups;  // of a group
  int rows;                           // of dw, KH*KW*channels
  int64_t pixels, slice_pixels;
  int64_t x_image, x_row, x_pixel, f;
  const T* x;
  const T* dy;
  T* dw;     // of the first slice
  T* dbias;  // likewise, or null
  int64_t copy;
  bool wide_dy;  // dy and dw 16 bytes at a time
};

template <class Tile>
struct WeightMemory {
  typename Tile::Panels panels;
};

// An output pixel, which a thread moves by kDepth.
struct Pixel {
  int64_t n;
  int i, j;
  __device__ __forceinline__ Pixel(int64_t p, int oh, int ow) {
    const int64_t row = p / ow;
    j = static_cast<int>(p - row * ow);
    n = row / oh;
    i = static_cast<int>(row - n * oh);
  }
  __device__ __forceinline__ void move(const Pixel& by, int oh, int ow) {
    j += by.j;
    if (j >= ow) j -= ow, ++i;
    i += by.i;
    if (i >= oh) i -= oh, ++n;
    n += by.n;
  }
};

// kPackX: channels read at a time.
template <class Tile, int kPackX>
__global__ void __launch_bounds__(Tile::threads, kPackX == 1 ? 1 : Tile::resident)
    weight_product(const __grid_constant__ WeightProduct<typename Tile::type> c) {
  using T = typename Tile::type;
  constexpr int threads = Tile::threads, W = Tile::pack;
  constexpr int lanes = threads / kDepth;  // threads to a pixel
  constexpr int rows_each = (Tile::m + lanes * kPackX - 1) / (lanes * kPackX);
  constexpr int packs_each = (Tile::n + lanes * W - 1) / (lanes * W);
  auto& panels = smem<WeightMemory<Tile>>().panels;

  const int thread = threadIdx.x, group = blockIdx.y, slice = blockIdx.z;
  const unsigned tiles_n = (c.filters + Tile::n - 1) / Tile::n;
  const int row0 = static_cast<int>(blockIdx.x / tiles_n) * Tile::m;
  const int filter0 = static_cast<int>(blockIdx.x % tiles_n) * Tile::n;
  const int64_t begin = slice * c.slice_pixels;
  const int64_t end = begin + c.slice_pixels < c.pixels ? begin + c.slice_pixels : c.pixels;
  const int lane = thread % lanes, own = thread / lanes;  // own pixel of each panel

  // The taps and channels of this thread: how far from the pixel's corner, along both axes and in elements.
  int dh[rows_each], dw[rows_each];
  int64_t to[rows_each];
#pragma unroll
  for (int r = 0; r < rows_each; ++r) {
    const int at = (lane + r * lanes) * kPackX, row = row0 + at;
    dh[r] = dw[r] = -(1 << 30), to[r] = 0;  // never inside
    if (at >= Tile::m || row >= c.rows) continue;
    const int tap = row / c.channels, k = tap / c.kw;
    dh[r] = k * c.dilation_h, dw[r] = (tap - k * c.kw) * c.dilation_w;
    to[r] = dh[r] * c.x_row + dw[r] * c.x_pixel + (row - tap * c.channels);
  }
  const T* const x = c.x + int64_t{group} * c.channels;
  const T* const dy = c.dy + int64_t{group} * c.filters + filter0;

  Sums<Tile> sums;
  const typename Tile::Place place = Tile::place(thread);
  static_assert(Tile::n <= threads);
  const bool sums_bias = c.dbias && row0 == 0 && thread < Tile::n;  // a filter each
  T bias = 0;
  if (begin < end) {
    int64_t p = begin + own;
    Pixel pixel(p, c.oh, c.ow);
    const Pixel by(kDepth, c.oh, c.ow);

    Pack<T, kPackX> a[rows_each];
    Pack<T, W> b[packs_each];
    const auto fetch = [&] {
      const bool there = p < end;
      const int h = pixel.i * c.stride_h - c.pad_top, w = pixel.j * c.stride_w - c.pad_left;
      const T* const corner = x + pixel.n * c.x_image + h * c.x_row + w * c.x_pixel;
#pragma unroll
      for (int r = 0; r < rows_each; ++r) {
        const bool inside_x = there && static_cast<unsigned>(h + dh[r]) < static_cast<unsigned>(c.h) &&
                              static_cast<unsigned>(w + dw[r]) < static_cast<unsigned>(c.w);
        a[r] = inside_x ? load<kPackX>(corner + to[r]) : Pack<T, kPackX>{};
      }
      const T* const gradient = dy + p * c.f;
#pragma unroll
      for (int r = 0; r < packs_each; ++r) {
        const int f = (lane + r * lanes) * W;
        const bool some = there && f < Tile::n;
        if (some && c.wide_dy && filter0 + f < c.filters) {
          b[r] = load<W>(gradient + f);
        } else {
#pragma unroll
          for (int v = 0; v < W; ++v)
            b[r].at[v] = some && filter0 + f + v < c.filters ? gradient[f + v] : T(0);
        }
      }
      pixel.move(by, c.oh, c.ow);
      p += kDepth;
    };
    const auto put = [&](int buffer) {
#pragma unroll
      for (int r = 0; r < rows_each; ++r) {
        const int at = (lane + r * lanes) * kPackX;
        if (at < Tile::m) store(&panels.a[buffer][own][at], a[r]);
      }
#pragma unroll
      for (int r = 0; r < packs_each; ++r) {
        const int f = (lane + r * lanes) * W;
        if (f < Tile::n) store(&panels.b[buffer][own][f], b[r]);
      }
    };
    each_panel<Tile>((end - begin + kDepth - 1) / kDepth, fetch, put, [&](int buffer) {
      sums.add(panels, buffer, place);
      if (!sums_bias) return;
#pragma unroll
      for (int k = 0; k < kDepth; ++k) bias += panels.b[buffer][k][thread];
    });
  }

  T* const out = c.dw + slice * c.copy + int64_t{group} * c.filters;
#pragma unroll
  for (int i = 0; i < Tile::rows; ++i) {
    const int row = row0 + Tile::row(place, i);
    if (row >= c.rows) continue;
#pragma unroll
    for (int j = 0; j < Tile::columns; j += W) {
      const int f = filter0 + Tile::column(place, j);
      if (f >= c.filters) continue;
      T* const at = out + row * c.f + f;
      Pack<T, W> v;
#pragma unroll
      for (int e = 0; e < W; ++e) v.at[e] = sums.at[i][j + e];
      if (c.wide_dy) {
        store(at, v);
      } else {
#pragma unroll
        for (int e = 0; e < W; ++e)
          if (f + e < c.filters) at[e] = v.at[e];
      }
    }
  }
  if (sums_bias && filter0 + thread < c.filters)
    c.dbias[slice * c.copy + int64_t{group} * c.filters + filter0 + thread] = bias;
}

// Elements of a copy of dw and dbias, a whole number of packs.
inline int64_t weight_copy(const Conv2dArgs& a) {
  return (a.kh * a.kw * (a.c / a.groups) * a.f + a.f + 3) / 4 * 4;
}

template <class T>
void add_weight_copies(Stream stream, const Conv2dArgs& a, int64_t slices) {
  const int64_t weights = a.kh * a.kw * (a.c / a.groups) * a.f;
  add_copies<T>(stream, {.from = static_cast<const T*>(a.work),
                         .count = slices,
                         .distance = weight_copy(a),
                         .size = weights,
                         .tail_size = a.dbias ? a.f : 0,
                         .out = static_cast<T*>(a.out),
                         .tail = static_cast<T*>(a.dbias),
                         .bias = nullptr,
                         .filters = Divisor(1),
                         .activation = Activation::none});
}

template <class Tile>
void run_weight_product(Stream stream, const Conv2dArgs& a, int64_t slices, int64_t slice_pixels) {
  using T = typename Tile::type;
  constexpr int W = kPack<T>;
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, rows = a.kh * a.kw * channels;
  WeightProduct<T> c = {};
  c.oh = static_cast<int>(a.oh), c.ow = static_cast<int>(a.ow);
  c.h = static_cast<int>(a.h), c.w = static_cast<int>(a.w);
  c.stride_h = static_cast<int>(a.stride_h), c.stride_w = static_cast<int>(a.stride_w);
  c.dilation_h = static_cast<int>(a.dilation_h), c.dilation_w = static_cast<int>(a.dilation_w);
  c.pad_top = static_cast<int>(a.pad_top), c.pad_left = static_cast<int>(a.pad_left);
  c.kw = static_cast<int>(a.kw), c.groups = static_cast<int>(a.groups);
  c.channels = static_cast<int>(channels), c.filters = static_cast<int>(filters);
  c.rows = static_cast<int>(rows);
  c.pixels = a.n * a.oh * a.ow, c.slice_pixels = slice_pixels;
  c.x_image = a.h * a.w * a.c, c.x_row = a.w * a.c, c.x_pixel = a.c, c.f = a.f;
  c.x = static_cast<const T*>(a.x);
  c.dy = static_cast<const T*>(a.dy);
  c.dw = static_cast<T*>(slices > 1 ? a.work : a.out);
  c.dbias = !a.dbias ? nullptr : slices > 1 ? c.dw + rows * a.f : static_cast<T*>(a.dbias);
  c.copy = slices > 1 ? weight_copy(a) : 0;
  c.wide_dy = filters % W == 0 && aligned(c.dy) && aligned(c.dw);
  // one tile at least, for dbias
  const int64_t tiles = (rows > 0 ? (rows + Tile::m - 1) / Tile::m : 1) * ((filters + Tile::n - 1) / Tile::n);
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(a.groups),
                  static_cast<unsigned>(slices));
  if (channels % W == 0 && aligned(c.x))
    start(stream, weight_product<Tile, W>, grid, dim3(Tile::threads), sizeof(WeightMemory<Tile>), c);
  else
    start(stream, weight_product<Tile, 1>, grid, dim3(Tile::threads), sizeof(WeightMemory<Tile>), c);
  if (slices > 1) add_weight_copies<T>(stream, a, slices);
}

}  // namespace
}  // namespace pl::cuda
