// Winograd's F(2x2, 3x3) (Lavin & Gray 2016): 3x3 kernels, stride and dilation 1, float32. 16 multiplications where four
// outputs of a direct sum take 36.
//
// y = A'[(G w G') * (B' x B)]A for a tile x of 4x4 pixels and y of 2x2, * element by element:
//   forward, input gradient  M[e] (tiles, F) = X[e] (tiles, C) W[e] (C, F) for the 16 elements e, X = B' x B, W = G w G'
//   weight gradient          W[e] (C, F) = sum over tiles X[e]' Y[e], Y = A dy A', then dw = G' W G
// Parallel over blocks of tiles (weight: over slices of them, whose sums are added in order), small enough for X, M and Y
// to lie on the stack and in the second-level cache. The transforms are sums of vectors of channels. Errors are some
// three times those of the direct sum; an infinity or NaN in x reaches all four outputs of the tiles that hold it.
#pragma once
#include "kernels/conv_window.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int kElements = 16;
inline constexpr int64_t kWinogradLeast = 16, kWinogradMost = 256;  // channels and filters
inline constexpr int64_t kWinogradBytes = 104 << 10;                // of X, M or Y on the stack
inline constexpr int64_t kWinogradTiles = 48;                       // of a block at most
inline constexpr int64_t kWinogradBlocks = 16;                      // at least, of some size
inline constexpr int64_t kWinogradCopies = 4 << 20;                 // bytes of all slices' W

// By measured cost: with fewer channels the transforms cost what the multiplications save.
template <class T>
bool winograd_serves(const Conv2dArgs& a) {
  return sizeof(T) == 4 && a.groups == 1 && a.kh == 3 && a.kw == 3 && a.stride_h == 1 && a.stride_w == 1 &&
         a.dilation_h == 1 && a.dilation_w == 1 && a.c >= kWinogradLeast && a.f >= kWinogradLeast &&
         a.c <= kWinogradMost && a.f <= kWinogradMost && a.oh >= 4 && a.ow >= 4;
}

// The tiles of all images, numbered row by row.
struct TileGrid {
  int64_t rows, columns, count;
  TileGrid(int64_t images, int64_t out_rows, int64_t out_columns)
      : rows(blocks_of(out_rows, 2)), columns(blocks_of(out_columns, 2)), count(images * rows * columns) {}
};
// fn(number in the block, image, first output row, first column) over `count` tiles from `first` on.
template <class Fn>
PL_INLINE void each_tile(const TileGrid& g, int64_t first, int64_t count, const Fn& fn) {
  int64_t row = first / g.columns, j = first - row * g.columns, image = row / g.rows,
          i = row - image * g.rows;
  for (int64_t t = 0; t < count; ++t) {
    fn(t, image, 2 * i, 2 * j);
    if (++j < g.columns) continue;
    j = 0;
    if (++i < g.rows) continue;
    i = 0;
    ++image;
  }
}

template <class T>
inline constexpr int64_t kWinogradSize = kWinogradBytes / int64_t{sizeof(T)};

// Elements between X[e] and X[e+1]: not a power of two, so that the 16 do not share cache sets.
template <class T>
int64_t element_distance(int64_t tiles, int64_t wide) {
  return tiles * wide + width<T>;
}
template <class T>
int64_t block_tiles(int64_t wide, int64_t count) {
  const int64_t most = smaller((kWinogradSize<T> / kElements - width<T>) / wide, kWinogradTiles);
  const int64_t shared = larger(1, smaller(most, blocks_of(count, kWinogradBlocks)));
  return most >= 12 ? smaller(most, round_up(shared, 12)) / 12 * 12 : most;
}

// X = B' x B of one tile and the vectors of channels, each to its element; `wide` is the channels in whole vectors.
template <class T, bool Inside>
PL_INLINE void transform_input(const T* const* at, int64_t pixel, int64_t channels, T* to, int64_t distance) {
  constexpr int W = width<T>;
  for (int64_t c = 0; c < channels; c += W) {
    const int64_t lanes = smaller(W, channels - c);
    const auto get = [&](int r, int s) {
      const T* const p = Inside ? at[r] + s * pixel + c : at[4 * r + s] + c;
      return lanes == W ? load(p) : load_n(p, lanes);
    };
    alignas(PL_VEC) vec<T> t[4][4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) {
      const vec<T> d0 = get(0, s), d1 = get(1, s), d2 = get(2, s), d3 = get(3, s);
      t[0][s] = d0 - d2;
      t[1][s] = d1 + d2;
      t[2][s] = d2 - d1;
      t[3][s] = d1 - d3;
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      T* const out = to + 4 * r * distance + c;
      store(out, t[r][0] - t[r][2]);
      store(out + distance, t[r][1] + t[r][2]);
      store(out + 2 * distance, t[r][2] - t[r][1]);
      store(out + 3 * distance, t[r][1] - t[r][3]);
    }
  }
}

struct Image {
  int64_t h, w, row, pixel;  // sizes; elements from one row, one pixel to the next
};

// The 4x4 pixels from (h, w) of an image, zero outside.
template <class T>
PL_INLINE void input_tile(const T* image, const Image& m, int64_t h, int64_t w, int64_t channels,
                          const T* zeros, T* to, int64_t distance) {
  if (h >= 0 && w >= 0 && h + 4 <= m.h && w + 4 <= m.w) {
    const T* const corner = image + h * m.row + w * m.pixel;
    const T* const rows[4] = {corner, corner + m.row, corner + 2 * m.row, corner + 3 * m.row};
    return transform_input<T, true>(rows, m.pixel, channels, to, distance);
  }
  const T* at[16];
  for (int r = 0; r < 4; ++r)
    for (int s = 0; s < 4; ++s) {
      const bool inside = h + r >= 0 && h + r < m.h && w + s >= 0 && w + s < m.w;
      at[4 * r + s] = inside ? image + (h + r) * m.row + (w + s) * m.pixel : zeros;
    }
  transform_input<T, false>(at, m.pixel, channels, to, distance);
}

// W = G w G', (16, C, wide) from (3, 3, C, ldb).
template <class T>
void transform_weights(const T* w, int64_t channels, int64_t filters, int64_t ldb, T* to) {
  constexpr int W = width<T>;
  const int64_t wide = round_up(filters, W), tap = channels * ldb, distance = channels * wide;
  parallel_for(channels, larger(1, 4096 / wide), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      for (int64_t f = 0; f < filters; f += W) {
        const int64_t lanes = smaller(W, filters - f);
        const T* const from = w + c * ldb + f;
        T* const out = to + c * wide + f;
        alignas(PL_VEC) vec<T> t[4][3];
#pragma GCC unroll 3
        for (int s = 0; s < 3; ++s) {
          const vec<T> g0 = load_n(from + s * tap, lanes), g1 = load_n(from + (3 + s) * tap, lanes),
                       g2 = load_n(from + (6 + s) * tap, lanes), sum = g0 + g2;
          t[0][s] = g0;
          t[1][s] = (sum + g1) * T(0.5);
          t[2][s] = (sum - g1) * T(0.5);
          t[3][s] = g2;
        }
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
          const vec<T> sum = t[r][0] + t[r][2];
          store(out + 4 * r * distance, t[r][0]);
          store(out + (4 * r + 1) * distance, (sum + t[r][1]) * T(0.5));
          store(out + (4 * r + 2) * distance, (sum - t[r][1]) * T(0.5));
          store(out + (4 * r + 3) * distance, t[r][2]);
        }
      }
    }
  });
}

// act(A' M A + bias) of one tile and one vector of filters.
template <class T>
PL_INLINE void transform_output(const T* m, int64_t distance, vec<T> bias, bool relu, int64_t lanes,
                                int64_t rows, int64_t columns, T* y, int64_t y_row, int64_t y_pixel) {
  alignas(PL_VEC) vec<T> t[2][4];
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    const vec<T> m0 = load(m + s * distance), m1 = load(m + (4 + s) * distance),
                 m2 = load(m + (8 + s) * distance), m3 = load(m + (12 + s) * distance);
    t[0][s] = m0 + m1 + m2;
    t[1][s] = m1 - m2 - m3;
  }
#pragma GCC unroll 2
  for (int r = 0; r < 2; ++r) {
    if (r == rows) break;
    vec<T> left = t[r][0] + t[r][1] + t[r][2] + bias, right = t[r][1] - t[r][2] - t[r][3] + bias;
    if (relu) left = relu_(left), right = relu_(right);
    T* const to = y + r * y_row;
    if (lanes == width<T>) {
      store(to, left);
      if (columns == 2) store(to + y_pixel, right);
    } else {
      store_n(to, left, lanes);
      if (columns == 2) store_n(to + y_pixel, right, lanes);
    }
  }
}

// M (count, W) = X (count, W) B (W, W), W the lanes of a vector: B stays in half the registers.
template <class T>
inline constexpr bool kHoldWeights = kVectorRegisters == 32 && width<T> == 16;
template <class T, int R>
PL_INLINE void multiply_rows(const T* x, const vec<T>* b, T* m) {
  constexpr int W = width<T>;
  alignas(PL_VEC) vec<T> sum[R] = {};
#pragma GCC unroll 16
  for (int k = 0; k < W; ++k)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r] = fma_(broadcast(x[r * W + k]), b[k], sum[r]);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) store(m + r * W, sum[r]);
}
template <class T>
void multiply_held(const T* x, const T* from, int64_t count, T* m) {
  constexpr int W = width<T>;
  alignas(PL_VEC) vec<T> b[W];
#pragma GCC unroll 16
  for (int k = 0; k < W; ++k) b[k] = load(from + k * W);
  int64_t t = 0;
  for (; t + 8 <= count; t += 8) multiply_rows<T, 8>(x + t * W, b, m + t * W);
  for (; t < count; ++t) multiply_rows<T, 1>(x + t * W, b, m + t * W);
}

template <class T>
int64_t winograd_weights_size(int64_t channels, int64_t filters) {
  return kElements * channels * round_up(filters, width<T>);
}

// As correlate(), with room for the transformed weights.
template <class T>
void winograd(const Correlation<T>& c, T* transformed) {
  constexpr int W = width<T>;
  transform_weights(c.weight, c.channels, c.filters, c.ldb, transformed);
  const TileGrid grid(c.images, c.rows.out, c.columns.out);
  const int64_t wide = round_up(c.channels, W), ldb = round_up(c.filters, W);
  const int64_t panel = smaller(ldb, kPanelVectors * W);
  const int64_t tiles = block_tiles<T>(larger(wide, panel), grid.count);
  const Image image{c.rows.in, c.columns.in, c.x_row, c.x_pixel};
  parallel_for(blocks_of(grid.count, tiles), 1, [&](int64_t begin, int64_t end) {
    alignas(64) T x[kWinogradSize<T>], m[kWinogradSize<T>];
    alignas(64) T zeros[kWinogradMost] = {};
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * tiles, count = smaller(tiles, grid.count - first);
      const int64_t x_distance = element_distance<T>(count, wide);
      each_tile(grid, first, count, [&](int64_t t, int64_t n, int64_t i, int64_t j) {
        input_tile(c.x + n * c.x_image, image, i + c.rows.start, j + c.columns.start, c.channels, zeros,
                   x + t * wide, x_distance);
      });
      each_panel<T>(c.filters, [&](int64_t f, int64_t vectors, int64_t last) {
        const int64_t m_wide = vectors * W, m_distance = element_distance<T>(count, m_wide);
        WindowTile<T> tile{};
        tile.rows = tile.taps = 1;
        tile.depth = c.channels;
        tile.a_pixel = wide;
        tile.ldb = ldb;
        tile.c_pixel = m_wide;
        tile.last = W;
        const auto& fn = kConvTiles<T>.windows[!kMaskedLoads].at[vectors - 1];
        for (int e = 0; e < kElements; ++e) {
          tile.b = transformed + e * c.channels * ldb + f;
          if constexpr (kHoldWeights<T>) {
            if (c.channels == W && ldb == W) {
              multiply_held(x + e * x_distance, tile.b, count, m + e * m_distance);
              continue;
            }
          }
          each_height(count, conv_rows(static_cast<int>(vectors)), [&](int64_t t, int64_t height) {
            tile.a = x + e * x_distance + t * wide;
            tile.c = m + e * m_distance + t * m_wide;
            fn[height - 1](tile);
          });
        }
        each_tile(grid, first, count, [&](int64_t t, int64_t n, int64_t i, int64_t j) {
          const int64_t rows = smaller(2, c.rows.out - i), columns = smaller(2, c.columns.out - j);
          T* const y = c.y + n * c.y_image + i * c.y_row + j * c.y_pixel + f;
          for (int64_t v = 0; v < vectors; ++v) {
            const int64_t lanes = v + 1 < vectors ? W : last;
            const vec<T> bias = c.bias ? load_n(c.bias + f + v * W, lanes) : vec<T>{};
            transform_output(m + t * m_wide + v * W, m_distance, bias, c.activation == Activation::relu,
                             lanes, rows, columns, y + v * W, c.y_row, c.y_pixel);
          }
          if (c.activation == Activation::sigmoid || c.activation == Activation::tanh)
            for (int64_t r = 0; r < rows; ++r)
              finish(y + r * c.y_row, c.y_pixel, columns, (vectors - 1) * W + last,
                     static_cast<const T*>(nullptr), 1, c.activation);
        });
      });
    }
  });
}

template <class T>
void winograd_forward(const Conv2dArgs& a) {
  winograd(forward_of<T>(a), static_cast<T*>(a.work));
}
template <class T>
void winograd_input(const Conv2dArgs& a) {
  turn_weights<T>(a);
  each_phase<T>(a, [&](const Phase& rows, const Phase& columns, int64_t first, int64_t at) {
    winograd(input_of<T>(a, rows, columns, first, at), static_cast<T*>(a.work) + turned_size<T>(a));
  });
}

// -- weight gradient ---------------------------------------------------------------------------------------------------

// Y = A dy A' of one tile.
template <class T>
PL_INLINE void transform_gradient(const T* dy, int64_t row, int64_t pixel, int64_t rows, int64_t columns,
                                  int64_t filters, T* to, int64_t distance) {
  constexpr int W = width<T>;
  for (int64_t f = 0; f < filters; f += W) {
    const int64_t lanes = smaller(W, filters - f);
    const auto get = [&](int r, int s) {
      if (r >= rows || s >= columns) return vec<T>{};
      const T* const p = dy + r * row + s * pixel + f;
      return lanes == W ? load(p) : load_n(p, lanes);
    };
    const vec<T> a = get(0, 0), b = get(0, 1), c = get(1, 0), d = get(1, 1);
    const vec<T> left[4] = {a, a + c, a - c, -c}, right[4] = {b, b + d, b - d, -d};
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      T* const out = to + 4 * r * distance + f;
      store(out, left[r]);
      store(out + distance, left[r] + right[r]);
      store(out + 2 * distance, left[r] - right[r]);
      store(out + 3 * distance, -right[r]);
    }
  }
}

struct WinogradSlices {
  int64_t tiles, slices, per_slice, copy;
};
template <class T>
WinogradSlices winograd_slices(const Conv2dArgs& a) {
  const TileGrid grid(a.n, a.oh, a.ow);
  WinogradSlices s{};
  s.copy = kElements * a.c * round_up(a.f, width<T>) + round_up(a.f, width<T>);
  s.tiles = block_tiles<T>(round_up(larger(a.c, a.f), width<T>), INT64_MAX / 64);
  const int64_t blocks = larger(1, blocks_of(grid.count, s.tiles));
  const int64_t most = larger(2, smaller(16, kWinogradCopies / (s.copy * int64_t{sizeof(T)})));
  s.per_slice = blocks_of(blocks, smaller(blocks, most));
  s.slices = blocks_of(blocks, s.per_slice);
  return s;
}

template <class T>
int64_t winograd_weight_size(const Conv2dArgs& a) {
  const WinogradSlices s = winograd_slices<T>(a);
  return s.slices * s.copy;
}

template <class T>
void winograd_weight(const Conv2dArgs& a) {
  constexpr int W = width<T>;
  const TileGrid grid(a.n, a.oh, a.ow);
  const WinogradSlices s = winograd_slices<T>(a);
  const int64_t wide = round_up(a.c, W), ldb = round_up(a.f, W);
  const Image image{a.h, a.w, a.w * a.c, a.c};
  T* const copies = static_cast<T*>(a.work);
  parallel_for(s.slices, 1, [&](int64_t begin, int64_t end) {
    alignas(64) T x[kWinogradSize<T>], y[kWinogradSize<T>];
    alignas(64) T zeros[kWinogradMost] = {};
    for (int64_t slice = begin; slice < end; ++slice) {
      T* const sums = copies + slice * s.copy;
      T* const dbias = sums + kElements * a.c * ldb;
      __builtin_memset(sums, 0, static_cast<size_t>(s.copy) * sizeof(T));
      const int64_t last = smaller((slice + 1) * s.per_slice * s.tiles, grid.count);
      for (int64_t first = slice * s.per_slice * s.tiles; first < last; first += s.tiles) {
        const int64_t count = smaller(s.tiles, last - first);
        const int64_t x_distance = element_distance<T>(count, wide),
                      y_distance = element_distance<T>(count, ldb);
        each_tile(grid, first, count, [&](int64_t t, int64_t n, int64_t i, int64_t j) {
          input_tile(static_cast<const T*>(a.x) + n * a.h * a.w * a.c, image, i - a.pad_top, j - a.pad_left,
                     a.c, zeros, x + t * wide, x_distance);
          transform_gradient(static_cast<const T*>(a.dy) + ((n * a.oh + i) * a.ow + j) * a.f, a.ow * a.f, a.f,
                             a.oh - i, a.ow - j, a.f, y + t * ldb, y_distance);
        });
        TapTile<T> tile{};
        tile.images = tile.rows = 1;
        tile.columns = count;
        tile.a_pixel = wide;
        tile.b_pixel = tile.ldc = ldb;
        tile.last = W;
        for (int e = 0; e < kElements; ++e) {
          each_panel<T>(ldb, [&](int64_t f, int64_t vectors, int64_t) {
            const auto& fn = kConvTiles<T>.taps[!kMaskedLoads].at[vectors - 1];
            tile.b = y + e * y_distance + f;
            each_height(a.c, conv_rows(static_cast<int>(vectors)), [&](int64_t c, int64_t height) {
              tile.a = x + e * x_distance + c;
              tile.c = sums + (e * a.c + c) * ldb + f;
              fn[height - 1](tile);
            });
          });
        }
        // element (1,1) of Y is the sum of the tile
        for (int64_t f = 0; f < ldb; f += W) {
          vec<T> sum{};
          for (int64_t t = 0; t < count; ++t) sum += load(y + 5 * y_distance + t * ldb + f);
          store(dbias + f, load(dbias + f) + sum);
        }
      }
    }
  });
  const auto total = [&](int64_t at) {
    vec<T> sum = load(copies + at);
    for (int64_t slice = 1; slice < s.slices; ++slice) sum += load(copies + slice * s.copy + at);
    return sum;
  };
  // dw = G' W G
  parallel_for(a.c, larger(1, 8192 / (ldb * s.slices)), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      for (int64_t f = 0; f < a.f; f += W) {
        alignas(PL_VEC) vec<T> t[3][4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          const auto at = [&](int r) { return total(((4 * r + k) * a.c + c) * ldb + f); };
          const vec<T> w0 = at(0), w1 = at(1), w2 = at(2), w3 = at(3);
          const vec<T> even = (w1 + w2) * T(0.5);
          t[0][k] = w0 + even;
          t[1][k] = (w1 - w2) * T(0.5);
          t[2][k] = even + w3;
        }
        T* const dw = static_cast<T*>(a.out) + c * a.f + f;
        const int64_t lanes = smaller(W, a.f - f), tap = a.c * a.f;
#pragma GCC unroll 3
        for (int r = 0; r < 3; ++r) {
          const vec<T> even = (t[r][1] + t[r][2]) * T(0.5);
          store_n(dw + 3 * r * tap, t[r][0] + even, lanes);
          store_n(dw + (3 * r + 1) * tap, (t[r][1] - t[r][2]) * T(0.5), lanes);
          store_n(dw + (3 * r + 2) * tap, even + t[r][3], lanes);
        }
      }
    }
  });
  if (a.dbias)
    for (int64_t f = 0; f < a.f; f += W)
      store_n(static_cast<T*>(a.dbias) + f, total(kElements * a.c * ldb + f), smaller(W, a.f - f));
}

}  // namespace
}  // namespace pl::PL_ISA
