// Direct two-dimensional convolution; shapes and the formula in conv.h. Vectors run over f, which is
// contiguous in w, y and dy; the channels of a group are a range of c and a range of f. Nothing is packed and
// there is no workspace.
//
// forward          parallel over (n, oh). One output position holds up to kTile vectors of f in registers
// over kh, kw, c. backward_input   parallel over (n, h). One input position holds kTile channels, each a
// vector of partial products
//                  over f, folded into one number at the end.
// backward_weight  parallel over (kh, kw, kTile channels). Registers hold kTile channels by two vectors of f
// over one
//                  row (n, oh), added to the sum of the rows before: short sums lose fewer digits.
#include "kernels/conv.h"

#include "core/parallel.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

constexpr int kTile = 4;
constexpr int64_t kChunkFlops = 1 << 18;  // multiply-adds a chunk, some 20 us

int64_t grain_of(int64_t flops) { return flops >= kChunkFlops ? 1 : kChunkFlops / (flops < 1 ? 1 : flops); }

// The indices t >= 0 with 0 <= start + t step < limit, as [begin, end), cut at count. step > 0.
struct Range {
  int64_t begin, end;
};
PL_INLINE Range inside(int64_t start, int64_t step, int64_t limit, int64_t count) {
  const int64_t begin = start >= 0 ? 0 : (-start + step - 1) / step;
  const int64_t end = start >= limit ? 0 : (limit - start + step - 1) / step;
  return {begin, end < count ? end : count};
}

// A run of kVectors vectors of f, of which the last holds `last` lanes unless the run is whole.
template <class T, int kVectors, bool kWhole>
struct Run {
  static constexpr int vectors = kVectors;
  int64_t last;
  PL_INLINE vec<T> get(const T* p, int v) const {
    return kWhole || v + 1 < vectors ? load(p + v * width<T>) : load_n(p + v * width<T>, last);
  }
  PL_INLINE void put(T* p, int v, vec<T> value) const {
    if (kWhole || v + 1 < vectors)
      store(p + v * width<T>, value);
    else
      store_n(p + v * width<T>, value, last);
  }
};
// fn(f, run) over [0, filters) in runs of at most kMost vectors.
template <class T, int kMost, class Fn>
PL_INLINE void each_run(int64_t filters, const Fn& fn) {
  constexpr int w = width<T>;
  int64_t f = 0;
  for (; f + kMost * w <= filters; f += kMost * w) fn(f, Run<T, kMost, true>{w});
  const int64_t rest = filters - f, vectors = (rest + w - 1) / w, last = rest - (vectors - 1) * w;
  static_assert(kMost <= 4);
  if (vectors == 1) fn(f, Run<T, 1, false>{last});
  if constexpr (kMost >= 2) {
    if (vectors == 2) fn(f, Run<T, 2, false>{last});
  }
  if constexpr (kMost >= 3) {
    if (vectors == 3) fn(f, Run<T, 3, false>{last});
    if (vectors == 4) fn(f, Run<T, 4, false>{last});
  }
}

template <int kCount>
struct Count {
  static constexpr int value = kCount;
};
// fn(c, number) over [0, channels) in tiles of kTile and a last, smaller one, whose size the compiler knows.
template <class Fn>
PL_INLINE void each_tile(int64_t begin, int64_t end, const Fn& fn) {
  for (; begin + kTile <= end; begin += kTile) fn(begin, Count<kTile>{});
  if (end - begin == 1)
    fn(begin, Count<1>{});
  else if (end - begin == 2)
    fn(begin, Count<2>{});
  else if (end - begin == 3)
    fn(begin, Count<3>{});
}

template <class T>
void forward(const Conv2dArgs& a) {
  using V = vec<T>;
  const T* x = static_cast<const T*>(a.x);
  const T* w = static_cast<const T*>(a.weight);
  const T* bias = static_cast<const T*>(a.bias);
  T* y = static_cast<T*>(a.out);
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups;

  // one position of y, one run of the filters from `f` on
  const auto position = [&](int64_t corner, Range rows, Range columns, int64_t f, auto run, T* to) {
    V sum[run.vectors];
    for (int v = 0; v < run.vectors; ++v) sum[v] = bias ? run.get(bias + f, v) : V{};
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      for (int64_t j = columns.begin; j < columns.end; ++j) {
        const T* from = x + (corner + (i * a.dilation_h * a.w + j * a.dilation_w) * a.c);
        const T* weight = w + ((i * a.kw + j) * channels * a.f + f);
        for (int64_t c = 0; c < channels; ++c, weight += a.f) {
          const V b = splat<V>(from[c]);
          for (int v = 0; v < run.vectors; ++v) sum[v] = fma_(b, run.get(weight, v), sum[v]);
        }
      }
    }
    for (int v = 0; v < run.vectors; ++v) run.put(to, v, sum[v]);
  };

  parallel_for(a.n * a.oh, grain_of(a.ow * a.f * a.kh * a.kw * channels), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / a.oh, top = (row - n * a.oh) * a.stride_h - a.pad_top;
      const Range rows = inside(top, a.dilation_h, a.h, a.kh);
      for (int64_t ow = 0; ow < a.ow; ++ow) {
        const int64_t left = ow * a.stride_w - a.pad_left;
        const Range columns = inside(left, a.dilation_w, a.w, a.kw);
        const int64_t corner = ((n * a.h + top) * a.w + left) * a.c;  // of the window; may lie outside of x
        for (int64_t g = 0; g < a.groups; ++g) {
          T* to = y + ((row * a.ow + ow) * a.f + g * filters);
          each_run<T, kTile>(filters, [&](int64_t f, auto run) {
            position(corner + g * channels, rows, columns, g * filters + f, run, to + f);
          });
        }
      }
    }
  });
}

// The output index whose window starts `distance` before, -1 if there is none.
PL_INLINE int64_t source(int64_t distance, int64_t stride, int64_t limit) {
  if (distance < 0) return -1;
  const int64_t index = stride == 1 ? distance : distance / stride;
  return index * stride == distance && index < limit ? index : -1;
}

template <class T>
void backward_input(const Conv2dArgs& a) {
  using V = vec<T>;
  const T* dy = static_cast<const T*>(a.dy);
  const T* w = static_cast<const T*>(a.weight);
  T* dx = static_cast<T*>(a.out);
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups;

  // one position of x, the channels [c, c + tile) of group g
  const auto position = [&](int64_t n, int64_t h, int64_t column, int64_t g, int64_t c, auto tile, T* to) {
    V sum[tile.value] = {};
    for (int64_t i = 0; i < a.kh; ++i) {
      const int64_t oh = source(h + a.pad_top - i * a.dilation_h, a.stride_h, a.oh);
      if (oh < 0) continue;
      for (int64_t j = 0; j < a.kw; ++j) {
        const int64_t ow = source(column + a.pad_left - j * a.dilation_w, a.stride_w, a.ow);
        if (ow < 0) continue;
        const T* from = dy + (((n * a.oh + oh) * a.ow + ow) * a.f + g * filters);
        const T* weight = w + (((i * a.kw + j) * channels + c) * a.f + g * filters);
        each_run<T, 1>(filters, [&](int64_t f, auto run) {
          const V d = run.get(from + f, 0);
          for (int k = 0; k < tile.value; ++k) sum[k] = fma_(d, run.get(weight + k * a.f + f, 0), sum[k]);
        });
      }
    }
    for (int k = 0; k < tile.value; ++k) to[k] = sum_lanes(sum[k]);
  };

  parallel_for(a.n * a.h, grain_of(a.w * a.c * a.kh * a.kw * filters), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / a.h, h = row - n * a.h;
      for (int64_t column = 0; column < a.w; ++column) {
        for (int64_t g = 0; g < a.groups; ++g) {
          T* to = dx + ((row * a.w + column) * a.c + g * channels);
          each_tile(0, channels, [&](int64_t c, auto tile) { position(n, h, column, g, c, tile, to + c); });
        }
      }
    }
  });
}

template <class T>
void backward_weight(const Conv2dArgs& a) {
  using V = vec<T>;
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  T* dw = static_cast<T*>(a.out);
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups;

  // dw[i, j, c..c+tile), a run of group g's filters from `f` on
  const auto block = [&](int64_t i, int64_t j, int64_t c, auto tile, int64_t g, int64_t f, auto run) {
    constexpr int tiles = decltype(tile)::value, vectors = decltype(run)::vectors;
    const int64_t top = i * a.dilation_h - a.pad_top, left = j * a.dilation_w - a.pad_left;
    const Range rows = inside(top, a.stride_h, a.h, a.oh), columns = inside(left, a.stride_w, a.w, a.ow);
    V total[tiles][vectors] = {};
    for (int64_t n = 0; n < a.n; ++n) {
      for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
        V sum[tiles][vectors] = {};
        const int64_t from = ((n * a.h + top + oh * a.stride_h) * a.w + left) * a.c + g * channels + c;
        const int64_t grad = (n * a.oh + oh) * a.ow * a.f + g * filters + f;
        for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
          const T* p = x + (from + ow * a.stride_w * a.c);
          V d[vectors];
          for (int v = 0; v < vectors; ++v) d[v] = run.get(dy + (grad + ow * a.f), v);
          for (int k = 0; k < tiles; ++k)
            for (int v = 0; v < vectors; ++v) sum[k][v] = fma_(splat<V>(p[k]), d[v], sum[k][v]);
        }
        for (int k = 0; k < tiles; ++k)
          for (int v = 0; v < vectors; ++v) total[k][v] += sum[k][v];
      }
    }
    T* to = dw + (((i * a.kw + j) * channels + c) * a.f + g * filters + f);
    for (int k = 0; k < tiles; ++k)
      for (int v = 0; v < vectors; ++v) run.put(to + k * a.f, v, total[k][v]);
  };

  const int64_t tasks = (channels + kTile - 1) / kTile;
  parallel_for(
      a.kh * a.kw * tasks, grain_of(a.n * a.oh * a.ow * a.f * kTile), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t tap = task / tasks, i = tap / a.kw, j = tap - i * a.kw,
                        c = (task - tap * tasks) * kTile;
          each_tile(c, c + kTile < channels ? c + kTile : channels, [&](int64_t first, auto tile) {
            for (int64_t g = 0; g < a.groups; ++g)
              each_run<T, 2>(filters, [&](int64_t f, auto run) { block(i, j, first, tile, g, f, run); });
          });
        }
      });
}

void conv2d(Stream, const Conv2dArgs& a) {
  if (a.dtype == DType::float32) forward<float>(a);
  if (a.dtype == DType::float64) forward<double>(a);
}

void conv2d_backward_input(Stream, const Conv2dArgs& a) {
  if (a.dtype == DType::float32) backward_input<float>(a);
  if (a.dtype == DType::float64) backward_input<double>(a);
}

void conv2d_backward_weight(Stream, const Conv2dArgs& a) {
  if (a.dtype == DType::float32) backward_weight<float>(a);
  if (a.dtype == DType::float64) backward_weight<double>(a);
}

}  // namespace

extern const ConvKernels conv;
const ConvKernels conv = {
    .conv2d = conv2d,
    .conv2d_backward_input = conv2d_backward_input,
    .conv2d_backward_weight = conv2d_backward_weight,
};

}  // namespace pl::PL_ISA
