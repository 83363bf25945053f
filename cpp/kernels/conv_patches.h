// Images of few channels, as of a first layer. A vector of channels would be nearly empty, so the kernel's taps and
// channels are taken together: K = KH*KW*C of them, KW*C next to each other in x.
//
// weight  dw (K,F) = sum over outputs of window (K) dy (F): the windows of some outputs are copied to the stack.
// input   part (outputs, K) = dy w', kept on the stack for a band of rows, and dx[h,w,c] the sum of the parts of the
//         outputs that met it. Parallel over bands of rows of dx; bands share the outputs between them, and compute those
//         twice.
#pragma once
#include "kernels/conv_window.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kPatchBytes = 16 << 10;  // of windows on the stack
inline constexpr int64_t kPartBytes = 96 << 10;   // of parts on the stack

inline int64_t patch_depth(const Conv2dArgs& a) { return a.kh * a.kw * a.c; }

template <class T>
int64_t patches_held(const Conv2dArgs& a) {
  return kPatchBytes / int64_t{sizeof(T)} / patch_depth(a);
}
template <class T>
bool few_channels(const Conv2dArgs& a) {
  return a.groups == 1 && a.c * 2 < width<T> && a.kh * a.kw > 1 && a.kh * a.kw <= 256 &&
         patch_depth(a) * int64_t{sizeof(T)} * 8 <= kPatchBytes;
}

template <class T>
PL_INLINE void copy_run(const T* from, T* to, int64_t n) {
  constexpr int W = width<T>;
  if (n <= 4) {  // shorter than what masks cost
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (; n > W; n -= W, from += W, to += W) store(to, load(from));
  store_n(to, load_n(from, n), n);
}

// The window of one output, (KH, KW, C), of which the taps kh, kw lie inside of x; zeros outside.
template <class T>
PL_INLINE void copy_window(const Conv2dArgs& a, int64_t row_distance, int64_t tap_distance, const T* corner,
                           Range kh, Range kw, T* to) {
  const int64_t row = a.kw * a.c;
  if (kh.size() < a.kh || kw.size() < a.kw)
    __builtin_memset(to, 0, static_cast<size_t>(a.kh * row) * sizeof(T));
  for (int64_t k = kh.begin; k < kh.end; ++k) {
    const T* const from = corner + k * row_distance;
    if (tap_distance == a.c) {
      copy_run(from + kw.begin * a.c, to + k * row + kw.begin * a.c, kw.size() * a.c);
    } else {
      for (int64_t l = kw.begin; l < kw.end; ++l)
        copy_run(from + l * tap_distance, to + k * row + l * a.c, a.c);
    }
  }
}

// -- input gradient ----------------------------------------------------------------------------------------------------

template <class T>
int64_t part_size(const Conv2dArgs& a) {
  return round_up(patch_depth(a), width<T>);
}

// Rows of dx whose parts fit: rows of outputs beyond those met by one row of dx, times the stride.
template <class T>
int64_t part_rows(const Conv2dArgs& a) {
  const int64_t held = kPartBytes / int64_t{sizeof(T)} / larger(1, a.ow * part_size<T>(a));
  const int64_t met = ((a.kh - 1) * a.dilation_h + a.stride_h) / a.stride_h + 1;
  return held < 2 * met ? 0 : (held - met) * a.stride_h;
}
template <class T>
bool input_by_parts(const Conv2dArgs& a) {
  return few_channels<T>(a) && part_rows<T>(a) > 0;
}

template <class T>
struct Parts {
  const Conv2dArgs& a;
  const T* turned;  // (F, part_size)
  T* parts;         // (rows from `first` on, OW, part_size)
  int64_t first;

  void compute(int64_t n, int64_t end) const {
    const int64_t size = part_size<T>(a);
    WindowTile<T> t{};
    t.rows = t.taps = 1;
    t.depth = a.f;
    t.a_pixel = a.f;
    t.ldb = t.c_pixel = size;
    const T* const dy = static_cast<const T*>(a.dy) + (n * a.oh + first) * a.ow * a.f;
    each_panel<T>(size, [&](int64_t k, int64_t vectors, int64_t) {
      t.b = turned + k;
      t.last = width<T>;
      const auto& tiles = kConvTiles<T>.windows[!kMaskedLoads].at[vectors - 1];
      each_height((end - first) * a.ow, conv_rows(static_cast<int>(vectors)),
                  [&](int64_t pixel, int64_t height) {
                    t.a = dy + pixel * a.f;
                    t.c = parts + pixel * size + k;
                    tiles[height - 1](t);
                  });
    });
  }

  // dx of the rows [h0, h1) of image n
  void gather(int64_t n, int64_t h0, int64_t h1) const {
    for (int64_t h = h0; h < h1; ++h) {
      const Phase rows = row_phase(a, h % a.stride_h);
      const int64_t m = h / a.stride_h;
      const Range kh = rows.axis.taps_at(m);
      for (int64_t w = 0; w < smaller(a.stride_w, a.w); ++w) {
        const Phase columns = column_phase(a, w);
        const Range all = columns.axis.whole();
        const auto at = [&](int64_t j) {
          return static_cast<T*>(a.out) + ((n * a.h + h) * a.w + w + j * a.stride_w) * a.c;
        };
        int64_t j = 0;
        const auto one = [&] { pixels<1>(rows, m, kh, columns, j, columns.axis.taps_at(j), at(j)); };
        for (; j < all.begin; ++j) one();
        for (; j + 8 <= all.end; j += 8) pixels<8>(rows, m, kh, columns, j, {0, columns.axis.taps}, at(j));
        for (; j < columns.axis.out; ++j) one();
      }
    }
  }

  // Some neighbours of one phase and row, which meet the taps kh, kw.
  template <int kPixels>
  void pixels(const Phase& rows, int64_t m, Range kh, const Phase& columns, int64_t j, Range kw,
              T* to) const {
    const int64_t channels = a.c, distance = a.stride_w * a.c;
    const auto each_part = [&](const auto& add) {
      for (int64_t t = kh.begin; t < kh.end; ++t) {
        const int64_t i = m + rows.axis.start + t * rows.axis.dilation - first;
        for (int64_t u = kw.begin; u < kw.end; ++u) {
          const int64_t o = j + columns.axis.start + u * columns.axis.dilation;
          add(parts + (i * a.ow + o) * part_size<T>(a) + (rows.tap(t) * a.kw + columns.tap(u)) * channels);
        }
      }
    };
    if (channels == 1)
      add_scalars<kPixels>(each_part, to, distance);
    else
      add_vectors<kPixels>(each_part, to, distance);
    finish(to, distance, kPixels, channels, static_cast<const T*>(a.bias), 1, a.activation);
  }

  // A vector of one channel, though masked, often lies across two cache lines, and its load costs two.
  template <int kPixels, class Each>
  void add_scalars(const Each& each_part, T* to, int64_t distance) const {
    const int64_t size = part_size<T>(a);
    T sum[kPixels] = {};
    each_part([&](const T* part) {
#pragma GCC unroll 8
      for (int k = 0; k < kPixels; ++k) sum[k] += part[k * size];
    });
#pragma GCC unroll 8
    for (int k = 0; k < kPixels; ++k) to[k * distance] = sum[k];
  }

  template <int kPixels, class Each>
  void add_vectors(const Each& each_part, T* to, int64_t distance) const {
    const int64_t size = part_size<T>(a), channels = a.c;
    alignas(PL_VEC) vec<T> sum[kPixels] = {};
    each_part([&](const T* part) {
#pragma GCC unroll 8
      for (int k = 0; k < kPixels; ++k) sum[k] += load_n(part + k * size, channels);
    });
#pragma GCC unroll 8
    for (int k = 0; k < kPixels; ++k) store_n(to + k * distance, sum[k], channels);
  }
};

template <class T>
void backward_input_by_parts(const Conv2dArgs& a) {
  const int64_t size = part_size<T>(a);
  T* const turned = static_cast<T*>(a.work);
  copy_transposed(static_cast<const T*>(a.weight), a.f, a.f, patch_depth(a), turned, size);
  const int64_t most = part_rows<T>(a), work = larger(1, a.ow * size * a.f);
  const int64_t fair = larger(4 * a.stride_h, kBandWork / work * a.stride_h);
  const int64_t per_image = blocks_of(a.h, smaller(most, fair)), rows = blocks_of(a.h, per_image);
  const int64_t grain = larger(1, kBandWork / larger(1, work * rows / a.stride_h));
  parallel_for(a.n * per_image, grain, [&](int64_t begin, int64_t end) {
    alignas(64) T parts[kPartBytes / sizeof(T)];
    for (int64_t band = begin; band < end; ++band) {
      const int64_t n = band / per_image, h0 = (band - n * per_image) * rows, h1 = smaller(h0 + rows, a.h);
      if (h0 >= h1) continue;
      // outputs i with i*stride <= h + pad and i*stride + (kh-1)*dilation >= h + pad for some h in [h0, h1)
      const int64_t low = h0 + a.pad_top - (a.kh - 1) * a.dilation_h, high = h1 - 1 + a.pad_top;
      const int64_t first = smaller(low <= 0 ? 0 : low / a.stride_h, a.oh);
      const int64_t last = larger(first, smaller(high / a.stride_h + 1, a.oh));
      const Parts<T> p{a, turned, parts, first};
      p.compute(n, last);
      p.gather(n, h0, h1);
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
