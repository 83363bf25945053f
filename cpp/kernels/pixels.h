// Walking over the pixels and channels of images (N,H,W,C): vectors run along the channels, the last vector of a pixel
// overlapping the one before it rather than being masked, so that only images of fewer channels than lanes use masks.
#pragma once
#include "core/parallel.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kFewPixels = 32;      // below this, tasks are cut along the channels
constexpr int64_t kChannelBlock = 128;  // ... in parts of so many

// Whole vectors, or the first n lanes of one.
struct Whole {
  template <class T>
  PL_INLINE vec<T> read(const T* p) const {
    return load(p);
  }
  template <class T>
  PL_INLINE void write(T* p, vec<T> v) const {
    store(p, v);
  }
};
struct First {
  int64_t n;
  template <class T>
  PL_INLINE vec<T> read(const T* p) const {
    return load_n(p, n);
  }
  template <class T>
  PL_INLINE void write(T* p, vec<T> v) const {
    store_n(p, v, n);
  }
};

// The channels [c0, c1) in blocks of 4, 2 and 1 vectors: block(first channel, Vectors<n>, access).
template <int kCount>
struct Vectors {
  static constexpr int count = kCount;
};
template <class T, class Block>
PL_INLINE void over_channels(int64_t c0, int64_t c1, const Block& block) {
  constexpr int64_t w = width<T>;
  if (c1 - c0 < w) return block(c0, Vectors<1>{}, First{c1 - c0});
  int64_t c = c0;
  for (; c + 4 * w <= c1; c += 4 * w) block(c, Vectors<4>{}, Whole{});
  if (c + 2 * w <= c1) block(c, Vectors<2>{}, Whole{}), c += 2 * w;
  if (c + w <= c1) block(c, Vectors<1>{}, Whole{}), c += w;
  if (c < c1) block(c1 - w, Vectors<1>{}, Whole{});
}

// Runs row(image, h, w0, w1, c0, c1) over all pixels of n images (h, w, c), of which each costs `work` elements.
template <class Row>
void over_pixels(int64_t n, int64_t h, int64_t w, int64_t c, int64_t work, const Row& row) {
  const int64_t pixels = n * h * w;
  const int64_t parts = pixels < kFewPixels ? (c + kChannelBlock - 1) / kChannelBlock : 1;
  const int64_t grain = work >= parts * kTaskElements ? 1 : parts * kTaskElements / (work < 1 ? 1 : work);
  parallel_for(pixels * parts, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t pixel = begin / parts, part = begin - pixel * parts;
      const int64_t image = pixel / (h * w), at = pixel - image * h * w, y = at / w, x = at - y * w;
      if (parts == 1) {
        const int64_t stop = x + end - begin < w ? x + end - begin : w;
        row(image, y, x, stop, int64_t{0}, c);
        begin += stop - x;
      } else {
        const int64_t c0 = part * kChannelBlock;
        row(image, y, x, x + 1, c0, c0 + kChannelBlock < c ? c0 + kChannelBlock : c);
        ++begin;
      }
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
