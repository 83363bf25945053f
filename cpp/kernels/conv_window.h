// Forward convolution and input gradient: sums over windows of an image, by register tiles that read it in place.
//
// y[n,i,j,f] = act(bias[f] + sum over k,l,c of x[n, i*stride_h + top + k*dilation_h, j*stride_w + left + l*dilation_w, c]
//                                              w[k,l,c,f]), zero outside x
//
// Parallel over bands of outputs (images, rows, columns) of about kBandWork multiply-adds. Within a band, panels of
// filters are outermost: a panel of the weights stays in the second-level cache while the band's pixels pass by. A tile's
// pixels meet the same taps: the inside of an output row, or, at the left and right margins, a run down a column; outside
// taps are left out, so padding costs nothing, neither copies nor multiplications. Of images too narrow for that, a tile
// takes one pixel of several images.
#pragma once
#include "core/parallel.h"
#include "kernels/conv_axis.h"
#include "kernels/conv_tile.h"
#include "kernels/gemm_pack.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kBandWork = int64_t{1} << 19;  // multiply-adds, some microseconds

template <class T>
struct Correlation {
  int64_t images;
  Axis rows, columns;
  int64_t channels, filters, groups;  // of a group
  const T* x;
  int64_t x_image, x_row, x_pixel;
  const T* weight;  // (taps, taps, channels, groups * filters), row distance ldb
  int64_t ldb;
  const T* bias;  // (groups * filters) or null
  T* y;
  int64_t y_image, y_row, y_pixel;
  Activation activation;

  int64_t pixel_work() const { return larger(1, rows.taps * columns.taps * channels * filters * groups); }
};

// Outputs a fixed distance apart that meet the same taps.
struct Run {
  int64_t count, x_step, y_step;
};

template <class T>
struct WindowPanel {
  const Correlation<T>& c;
  const T* x;  // the group's
  const T* weight;
  const T* bias;
  T* y;
  int64_t vectors, last, width;

  void run(int64_t image, int64_t i, int64_t j, Range kh, Range kw, Run r) const {
    // A row of taps is contiguous in x and in the weights unless something lies between.
    const bool merge = c.columns.dilation == 1 && c.groups == 1;
    WindowTile<T> t{};
    t.rows = kh.size();
    t.taps = merge ? 1 : kw.size();
    t.depth = merge ? kw.size() * c.channels : c.channels;
    t.a_row = c.rows.dilation * c.x_row;
    t.a_tap = c.columns.dilation * c.x_pixel;
    t.a_pixel = r.x_step;
    t.b_tap = c.channels * c.ldb;
    t.b_row = c.columns.taps * t.b_tap;
    t.ldb = c.ldb;
    t.b = weight + kh.begin * t.b_row + kw.begin * t.b_tap;
    t.c_pixel = r.y_step;
    t.bias = bias;
    t.last = last;
    t.relu = c.activation == Activation::relu;
    const T* const a = x + image * c.x_image +
                       (i * c.rows.stride + c.rows.start + kh.begin * c.rows.dilation) * c.x_row +
                       (j * c.columns.stride + c.columns.start + kw.begin * c.columns.dilation) * c.x_pixel;
    T* const to = y + image * c.y_image + i * c.y_row + j * c.y_pixel;
    const auto& tiles = kConvTiles<T>.windows[!kMaskedLoads && last == pl::PL_ISA::width<T>].at[vectors - 1];
    each_height(r.count, conv_rows(static_cast<int>(vectors)), [&](int64_t first, int64_t height) {
      t.a = a + first * r.x_step;
      t.c = to + first * r.y_step;
      tiles[height - 1](t);
      if (c.activation == Activation::sigmoid || c.activation == Activation::tanh)
        finish(t.c, t.c_pixel, height, width, static_cast<const T*>(nullptr), 1, c.activation);
    });
  }

  // Outputs of one image.
  void image(int64_t n, Range is, Range js) const {
    const Range whole_i = common(is, c.rows.whole()), whole_j = common(js, c.columns.whole());
    if (whole_j.size() > 0) {
      const Range kw{0, c.columns.taps};
      for (int64_t i = is.begin; i < is.end; ++i)
        run(n, i, whole_j.begin, c.rows.taps_at(i), kw,
            {whole_j.size(), c.columns.stride * c.x_pixel, c.y_pixel});
    }
    for (int64_t j = js.begin; j < js.end; ++j) {
      if (j == whole_j.begin) j += whole_j.size();
      if (j >= js.end) break;
      const Range kw = c.columns.taps_at(j);
      for (int64_t i = is.begin; i < is.end; ++i) {
        if (i == whole_i.begin && whole_i.size() > 0) {
          run(n, i, j, {0, c.rows.taps}, kw, {whole_i.size(), c.rows.stride * c.x_row, c.y_row});
          i = whole_i.end - 1;
        } else {
          run(n, i, j, c.rows.taps_at(i), kw, {1, 0, 0});
        }
      }
    }
  }

  // Pixel by pixel, of several images.
  void across(Range ns, Range is, Range js) const {
    for (int64_t i = is.begin; i < is.end; ++i)
      for (int64_t j = js.begin; j < js.end; ++j)
        run(ns.begin, i, j, c.rows.taps_at(i), c.columns.taps_at(j), {ns.size(), c.x_image, c.y_image});
  }
};

template <class T>
bool across_images(const Correlation<T>& c) {
  return c.images >= 4 && c.columns.whole().size() < 4;
}

template <class T>
void correlate(const Correlation<T>& c, Range ns, Range is, Range js) {
  const bool across = across_images(c);
  for (int64_t g = 0; g < c.groups; ++g) {
    each_panel<T>(c.filters, [&](int64_t f, int64_t vectors, int64_t last) {
      const int64_t at = g * c.filters + f;
      const WindowPanel<T> panel{c,
                                 c.x + g * c.channels,
                                 c.weight + at,
                                 c.bias ? c.bias + at : nullptr,
                                 c.y + at,
                                 vectors,
                                 last,
                                 (vectors - 1) * width<T> + last};
      if (across)
        panel.across(ns, is, js);
      else
        for (int64_t n = ns.begin; n < ns.end; ++n) panel.image(n, is, js);
    });
  }
}

// The cut of the outputs into bands: a number of images, else of rows, else of columns.
struct Bands {
  int64_t images, rows, columns;      // of a band
  int64_t per_image, per_row, count;  // bands; per_image counts bands of rows, per_row of columns
};
template <class T>
Bands bands_of(const Correlation<T>& c) {
  const int64_t pixels = larger(1, kBandWork / c.pixel_work());
  const int64_t i = larger(1, c.rows.out), j = larger(1, c.columns.out);
  Bands b{1, i, j, 1, 1, 1};
  if (across_images(c)) {
    b.images = smaller(c.images, round_up(larger(1, pixels / (i * j)), 2 * kConvRows));
  } else if (pixels >= i * j) {
    b.images = pixels / (i * j);
  } else if (pixels >= j) {
    b.rows = blocks_of(i, blocks_of(i, pixels / j));
  } else {
    b.rows = 1;
    b.columns = blocks_of(j, blocks_of(j, larger(pixels, 4 * kConvRows)));
  }
  b.per_image = blocks_of(i, b.rows);
  b.per_row = blocks_of(j, b.columns);
  b.count = blocks_of(c.images, b.images) * b.per_image * b.per_row;
  return b;
}

template <class T>
void correlate(const Correlation<T>& c) {
  const Bands b = bands_of(c);
  parallel_for(b.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t j = t % b.per_row * b.columns, i = t / b.per_row % b.per_image * b.rows,
                    n = t / (b.per_row * b.per_image) * b.images;
      correlate(c, {n, smaller(n + b.images, c.images)}, {i, smaller(i + b.rows, c.rows.out)},
                {j, smaller(j + b.columns, c.columns.out)});
    }
  });
}

// -- from the arguments ------------------------------------------------------------------------------------------------

// A kernel of one row that moves row by row does not know where an image ends: N images of H rows are one of N*H.
inline Conv2dArgs joined_images(Conv2dArgs a) {
  if (a.kh == 1 && a.stride_h == 1 && a.pad_top == 0 && a.oh == a.h) {
    a.h = a.oh = a.n * a.h;
    a.n = 1;
  }
  return a;
}
// Of one column too: the rows are one row.
inline Conv2dArgs joined_rows(Conv2dArgs a) {
  if (a.kh * a.kw == 1 && a.stride_h * a.stride_w == 1 && a.h == a.oh && a.w == a.ow && a.pad_top == 0 &&
      a.pad_left == 0) {
    a.w = a.ow = a.h * a.w;
    a.h = a.oh = 1;
  }
  return a;
}

template <class T>
Correlation<T> forward_of(const Conv2dArgs& a) {
  return {.images = a.n,
          .rows = {a.h, a.oh, a.kh, a.stride_h, a.dilation_h, -a.pad_top},
          .columns = {a.w, a.ow, a.kw, a.stride_w, a.dilation_w, -a.pad_left},
          .channels = a.c / a.groups,
          .filters = a.f / a.groups,
          .groups = a.groups,
          .x = static_cast<const T*>(a.x),
          .x_image = a.h * a.w * a.c,
          .x_row = a.w * a.c,
          .x_pixel = a.c,
          .weight = static_cast<const T*>(a.weight),
          .ldb = a.f,
          .bias = static_cast<const T*>(a.bias),
          .y = static_cast<T*>(a.out),
          .y_image = a.oh * a.ow * a.f,
          .y_row = a.ow * a.f,
          .y_pixel = a.f,
          .activation = a.activation};
}

// The weights as the phases read them: each tap turned, filters by channels, the taps of a phase one after the other.
template <class T>
int64_t turned_size(const Conv2dArgs& a) {
  return a.kh * a.kw * (a.f / a.groups) * round_up(a.c, width<T>);
}
template <class T>
void turn_tap(const Conv2dArgs& a, const T* from, T* to) {
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, ld = round_up(a.c, width<T>);
  if (a.groups == 1) return copy_transposed(from, a.f, filters, channels, to, ld);
  for (int64_t g = 0; g < a.groups; ++g)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t f = 0; f < filters; ++f) to[f * ld + g * channels + c] = from[c * a.f + g * filters + f];
}

// fn(row phase, column phase, their first output, place of their weights in the turned array)
template <class T, class Fn>
void each_phase(const Conv2dArgs& a, const Fn& fn) {
  const int64_t tap = (a.f / a.groups) * round_up(a.c, width<T>);
  int64_t at = 0;
  for (int64_t h = 0; h < smaller(a.stride_h, a.h); ++h) {
    const Phase rows = row_phase(a, h);
    for (int64_t w = 0; w < smaller(a.stride_w, a.w); ++w) {
      const Phase columns = column_phase(a, w);
      fn(rows, columns, h * a.w + w, at);
      at += rows.axis.taps * columns.axis.taps * tap;
    }
  }
}

template <class T>
void turn_weights(const Conv2dArgs& a) {
  const int64_t size = (a.f / a.groups) * round_up(a.c, width<T>), read = (a.c / a.groups) * a.f;
  each_phase<T>(a, [&](const Phase& rows, const Phase& columns, int64_t, int64_t at) {
    parallel_for(rows.axis.taps * columns.axis.taps, larger(1, (int64_t{1} << 15) / larger(1, size)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t t = begin; t < end; ++t) {
                     const int64_t k = rows.tap(t / columns.axis.taps),
                                   l = columns.tap(t % columns.axis.taps);
                     turn_tap(a, static_cast<const T*>(a.weight) + (k * a.kw + l) * read,
                              static_cast<T*>(a.work) + at + t * size);
                   }
                 });
  });
}

template <class T>
Correlation<T> input_of(const Conv2dArgs& a, const Phase& rows, const Phase& columns, int64_t first,
                        int64_t at) {
  return {.images = a.n,
          .rows = rows.axis,
          .columns = columns.axis,
          .channels = a.f / a.groups,
          .filters = a.c / a.groups,
          .groups = a.groups,
          .x = static_cast<const T*>(a.dy),
          .x_image = a.oh * a.ow * a.f,
          .x_row = a.ow * a.f,
          .x_pixel = a.f,
          .weight = static_cast<const T*>(a.work) + at,
          .ldb = round_up(a.c, width<T>),
          .bias = static_cast<const T*>(a.bias),
          .y = static_cast<T*>(a.out) + first * a.c,
          .y_image = a.h * a.w * a.c,
          .y_row = a.stride_h * a.w * a.c,
          .y_pixel = a.stride_w * a.c,
          .activation = a.activation};
}

template <class T>
void forward(const Conv2dArgs& a) {
  correlate(forward_of<T>(joined_rows(joined_images(a))));
}

template <class T>
void backward_input(const Conv2dArgs& args) {
  const Conv2dArgs a = joined_rows(joined_images(args));
  turn_weights<T>(a);
  each_phase<T>(a, [&](const Phase& rows, const Phase& columns, int64_t first, int64_t at) {
    correlate(input_of<T>(a, rows, columns, first, at));
  });
}

}  // namespace
}  // namespace pl::PL_ISA
