// Weight gradient: dw[k,l,c,f] = sum over n,i,j of x[n, i*stride_h + top + k*dilation_h, j*..., c] dy[n,i,j,f].
//
// A register tile holds R channels of one tap by V vectors of filters and sums over the pixels of a block of images and
// rows, small enough for x and dy to stay in the first caches while all tiles pass over it. Pixels whose tap lies outside
// of x are left out. Few channels would leave tiles of a tap nearly empty: there the windows of some pixels are first
// copied to the stack, one row of KH*KW*C each, zeros where they leave x, and the tile holds R of those.
//
// Parallel over `slices` of the pixels times `groups` of the taps and channels. Each slice adds into a copy of dw (and
// dbias) of its own; the copies are summed in order. Slices depend on the shape only.
#pragma once
#include "kernels/conv_patches.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kSliceWork = int64_t{1} << 20;  // multiply-adds of a slice at least
inline constexpr int64_t kCopiesBytes = 2 << 20;         // of all copies of dw
inline constexpr int64_t kMaxSlices = 16;
inline constexpr int64_t kBlockBytes = 24 << 10;  // of x and a panel of dy: the first-level cache

inline constexpr int64_t kUnitChannels = 64;

// Long rows of pixels, but still several: slices are made of rows.
inline Conv2dArgs joined_for_weight(Conv2dArgs a) { return joined_images(a.n > 1 ? joined_rows(a) : a); }

struct WeightPlan {
  int64_t images, rows;       // of a slice
  int64_t per_image, slices;  // slices along the rows of an image; all
  int64_t block_images, block_rows, block_columns;
  int64_t channels;       // of a unit: what is shared out is taps times blocks of channels
  int64_t units, groups;  // all; the shares
  int64_t copy;           // elements of a copy of dw and dbias
};
template <class T>
WeightPlan plan_weight(const Conv2dArgs& a) {
  const int64_t size = sizeof(T), channels = a.c / a.groups, weights = a.kh * a.kw * channels * a.f;
  const int64_t pixel = larger(1, weights), work = larger(1, a.n * a.oh * a.ow) * pixel;
  const int64_t row_count = larger(1, a.oh);
  WeightPlan p{};
  p.copy = round_up(weights + a.f, PL_VEC / size);
  const int64_t most = larger(1, smaller(kMaxSlices, kCopiesBytes / (p.copy * size)));
  const int64_t wanted = larger(1, smaller(most, work / kSliceWork));
  p.images = 1;
  p.rows = row_count;
  if (a.n >= wanted)
    p.images = blocks_of(a.n, wanted);
  else
    p.rows = blocks_of(row_count, blocks_of(wanted, a.n));
  p.per_image = blocks_of(row_count, p.rows);
  p.slices = blocks_of(a.n, p.images) * p.per_image;

  // A block's x, and a panel of its dy, are read once for each tile.
  const int64_t panel = smaller(a.f, kPanelVectors * width<T>);
  int64_t pixels =
      larger(8, kBlockBytes / ((smaller(a.stride_h * a.stride_w, a.h * a.w) * a.c + panel) * size));
  const int64_t columns = larger(1, a.ow);
  if (few_channels<T>(a)) pixels = smaller(pixels, patches_held<T>(a));
  p.block_columns = blocks_of(columns, blocks_of(columns, pixels));
  const int64_t rows = larger(1, pixels / columns);
  p.block_images = larger(1, rows / row_count);
  p.block_rows = blocks_of(row_count, blocks_of(row_count, rows));

  p.channels = blocks_of(channels, blocks_of(channels, kUnitChannels));
  p.units = few_channels<T>(a) ? 1 : a.kh * a.kw * blocks_of(channels, p.channels);
  p.groups =
      larger(1, smaller(smaller(p.units, blocks_of(kMaxSlices, p.slices)), work / p.slices / kSliceWork));
  return p;
}

template <class T>
int64_t weight_workspace(const Conv2dArgs& args) {  // elements
  if (args.n * args.oh * args.ow * args.f * args.c == 0) return 0;
  const WeightPlan p = plan_weight<T>(joined_for_weight(args));
  return p.slices == 1 ? 0 : p.slices * p.copy;
}

// dw += of some taps and the pixels of a block.
template <class T>
struct WeightBlock {
  const Conv2dArgs& a;
  Axis rows, columns;
  Range images, is, js;
  T* dw;
  T* dbias;

  const T* x() const { return static_cast<const T*>(a.x); }
  const T* dy() const { return static_cast<const T*>(a.dy); }

  // Rows [begin, end) of dw (KH*KW*C, F), all of one tap.
  void tap(int64_t begin, int64_t end) const {
    const int64_t channels = a.c / a.groups, filters = a.f / a.groups;
    const int64_t tap = begin / channels, k = tap / a.kw, l = tap % a.kw;
    const Range i = common(is, rows.outputs_of(k)), j = common(js, columns.outputs_of(l));
    if (i.size() == 0 || j.size() == 0) return;
    const int64_t h = i.begin * rows.stride + rows.start + k * rows.dilation,
                  w = j.begin * columns.stride + columns.start + l * columns.dilation;
    TapTile<T> t{};
    t.images = images.size();
    t.rows = i.size();
    t.columns = j.size();
    t.a_image = a.h * a.w * a.c;
    t.a_row = rows.stride * a.w * a.c;
    t.a_pixel = columns.stride * a.c;
    t.b_image = a.oh * a.ow * a.f;
    t.b_row = a.ow * a.f;
    t.b_pixel = a.f;
    t.ldc = a.f;
    const T* const from = x() + ((images.begin * a.h + h) * a.w + w) * a.c + (begin - tap * channels);
    const T* const grad = dy() + ((images.begin * a.oh + i.begin) * a.ow + j.begin) * a.f;
    for (int64_t g = 0; g < a.groups; ++g)
      cover(t, from + g * channels, grad + g * filters, dw + begin * a.f + g * filters, end - begin, filters);
  }

  static void cover(TapTile<T>& t, const T* from, const T* grad, T* to, int64_t channels, int64_t filters) {
    each_panel<T>(filters, [&](int64_t f, int64_t vectors, int64_t last) {
      const auto& tiles = kConvTiles<T>.taps[!kMaskedLoads && last == width<T>].at[vectors - 1];
      t.b = grad + f;
      t.last = last;
      each_height(channels, conv_rows(static_cast<int>(vectors)), [&](int64_t c, int64_t height) {
        t.a = from + c;
        t.c = to + c * t.ldc + f;
        tiles[height - 1](t);
      });
    });
  }

  void patches() const {
    constexpr int W = width<T>;
    alignas(64) T patch[kPatchBytes / sizeof(T) + W];
    const int64_t depth = patch_depth(a), run = a.kw * a.c;
    // A row of taps in one vector, stored whole: what is too much is overwritten by the rows and windows after it.
    const bool in_vectors = kMaskedLoads && columns.dilation == 1 && run <= W;
    // rows whose windows fit, of which dy is one run
    const int64_t held = js.size() == a.ow ? larger(1, patches_held<T>(a) / a.ow) : 1;
    const Range whole = columns.whole();
    TapTile<T> t{};
    t.images = t.rows = 1;
    t.a_pixel = depth;
    t.b_pixel = t.ldc = a.f;
    for (int64_t n = images.begin; n < images.end; ++n) {
      for (int64_t i = is.begin; i < is.end; i += held) {
        const int64_t to = smaller(i + held, is.end);
        for (int64_t r = i; r < to; ++r) {
          const Range kh = rows.taps_at(r);
          const T* const row = x() + ((n * a.h + r * rows.stride + rows.start) * a.w + columns.start) * a.c;
          for (int64_t j = js.begin; j < js.end; ++j) {
            const bool all = whole.begin <= j && j < whole.end;
            const T* const corner = row + j * columns.stride * a.c;
            T* const to = patch + ((r - i) * js.size() + j - js.begin) * depth;
            if (all && in_vectors && kh.size() == a.kh)
              for (int64_t k = 0; k < a.kh; ++k)
                store(to + k * run, load_n(corner + k * rows.dilation * a.w * a.c, run));
            else
              copy_window(a, rows.dilation * a.w * a.c, columns.dilation * a.c, corner, kh,
                          all ? Range{0, a.kw} : columns.taps_at(j), to);
          }
        }
        t.columns = (to - i) * js.size();
        cover(t, patch, dy() + ((n * a.oh + i) * a.ow + js.begin) * a.f, dw, depth, a.f);
      }
    }
  }

  void bias() const {
    for (int64_t n = images.begin; n < images.end; ++n)
      for (int64_t i = is.begin; i < is.end; ++i)
        add_rows(dy() + ((n * a.oh + i) * a.ow + js.begin) * a.f, js.size(), a.f, dbias);
  }

  // to[f] += sum over the rows of (rows, f)
  static void add_rows(const T* from, int64_t rows, int64_t filters, T* to) {
    constexpr int W = width<T>;
    for (int64_t f = 0; f < filters; f += W) {
      const int64_t lanes = smaller(W, filters - f);
      vec<T> sum[4] = {};
      int64_t r = 0;
      if (lanes == W) {
        for (; r + 4 <= rows; r += 4)
          for (int k = 0; k < 4; ++k) sum[k] += load(from + (r + k) * filters + f);
        for (; r < rows; ++r) sum[0] += load(from + r * filters + f);
      } else {
        for (; r < rows; ++r) sum[r & 3] += load_n(from + r * filters + f, lanes);
      }
      store_n(to + f, load_n(to + f, lanes) + ((sum[0] + sum[1]) + (sum[2] + sum[3])), lanes);
    }
  }
};

// out = the sum of the copies, in order.
template <class T>
void sum_copies(const T* copies, int64_t count, int64_t distance, int64_t size, T* out) {
  constexpr int W = width<T>;
  parallel_for(blocks_of(size, W), blocks_of(int64_t{1} << 15, count * W), [&](int64_t begin, int64_t end) {
    for (int64_t e = begin * W; e < smaller(end * W, size); e += W) {
      const int64_t lanes = smaller(W, size - e);
      vec<T> sum = load_n(copies + e, lanes);
      for (int64_t k = 1; k < count; ++k) sum += load_n(copies + k * distance + e, lanes);
      store_n(out + e, sum, lanes);
    }
  });
}

template <class T>
void backward_weight(const Conv2dArgs& args) {
  const Conv2dArgs a = joined_for_weight(args);
  const bool patches = few_channels<T>(a);
  const int64_t channels = a.c / a.groups, depth = a.kh * a.kw * channels, weights = depth * a.f;
  if (a.n * a.oh * a.ow * weights == 0) {
    __builtin_memset(a.out, 0, static_cast<size_t>(weights) * sizeof(T));
    if (a.dbias) __builtin_memset(a.dbias, 0, static_cast<size_t>(a.f) * sizeof(T));
    return;
  }
  const WeightPlan p = plan_weight<T>(a);
  const int64_t blocks = patches ? 1 : p.units / (a.kh * a.kw);  // of channels
  T* const copies = static_cast<T*>(a.work);
  const Axis rows{a.h, a.oh, a.kh, a.stride_h, a.dilation_h, -a.pad_top},
      columns{a.w, a.ow, a.kw, a.stride_w, a.dilation_w, -a.pad_left};
  // the rows of dw that make up a unit
  const auto unit = [&](int64_t u) -> Range {
    if (patches) return {0, depth};
    const int64_t tap = u / blocks, c = (u - tap * blocks) * p.channels;
    return {tap * channels + c, tap * channels + smaller(c + p.channels, channels)};
  };
  parallel_for(p.slices * p.groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t slice = task / p.groups, group = task - slice * p.groups;
      const int64_t n0 = slice / p.per_image * p.images, n1 = smaller(n0 + p.images, a.n);
      const int64_t i0 = slice % p.per_image * p.rows, i1 = smaller(i0 + p.rows, a.oh);
      const int64_t u0 = p.units * group / p.groups, u1 = p.units * (group + 1) / p.groups;
      const bool alone = p.slices == 1;
      T* const dw = alone ? static_cast<T*>(a.out) : copies + slice * p.copy;
      T* const dbias = !a.dbias || group > 0 ? nullptr : alone ? static_cast<T*>(a.dbias) : dw + weights;
      const int64_t first = unit(u0).begin * a.f, last = unit(u1 - 1).end * a.f;
      __builtin_memset(dw + first, 0, static_cast<size_t>(last - first) * sizeof(T));
      if (dbias) __builtin_memset(dbias, 0, static_cast<size_t>(a.f) * sizeof(T));
      for (int64_t n = n0; n < n1; n += p.block_images) {
        for (int64_t i = i0; i < i1; i += p.block_rows) {
          for (int64_t j = 0; j < a.ow; j += p.block_columns) {
            const WeightBlock<T> block{a,
                                       rows,
                                       columns,
                                       {n, smaller(n + p.block_images, n1)},
                                       {i, smaller(i + p.block_rows, i1)},
                                       {j, smaller(j + p.block_columns, a.ow)},
                                       dw,
                                       dbias};
            if (patches)
              block.patches();
            else
              for (int64_t u = u0; u < u1; ++u) block.tap(unit(u).begin, unit(u).end);
            if (dbias) block.bias();
          }
        }
      }
    }
  });
  if (p.slices == 1) return;
  sum_copies(copies, p.slices, p.copy, weights, static_cast<T*>(a.out));
  if (a.dbias) sum_copies(copies + weights, p.slices, p.copy, a.f, static_cast<T*>(a.dbias));
}

}  // namespace
}  // namespace pl::PL_ISA
