// Pooling: y[n,p,q,c] = max or mean of x[n,h,w,c] over the window (p,q), and its gradients.
//
// Vectors run along the channels; the last vector of a pixel overlaps the one before it rather than being masked, so
// that only images of fewer channels than lanes use masks. Up to four vectors a pixel are in flight, with the windows
// of 2 x 2 and 3 x 3 unrolled. The forward pass notes where each maximum was (a byte per output), which makes the
// backward pass read a quarter of what comparing with x again would.
//
// Both directions are in gather form: a task is a range of the output's pixels (of dx's in the backward pass), each
// of which is written once, from all the windows that hold it. So nothing is zeroed first, nothing is added to
// memory, and the order of each sum is fixed. A few large windows (global pooling) are cut along the channels too.
// About 64 KiB are read or written in a task.
#include "kernels/pool.h"

#include "core/parallel.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kFewPixels = 32;      // below this, tasks are cut along the channels
constexpr int64_t kChannelBlock = 128;  // ... in parts of so many

// One window along one axis: positions [begin, end) of the image; `start` may be outside.
struct Span {
  int64_t start, begin, end;
};
PL_INLINE Span span_of(const PoolAxis& a, int64_t o) {
  if (a.adaptive) {
    const int64_t begin = o * a.size / a.out, end = ((o + 1) * a.size + a.out - 1) / a.out;
    return {begin, begin, end};
  }
  const int64_t start = o * a.stride - a.before, end = start + a.kernel;
  return {start, start < 0 ? 0 : start, end < a.size ? end : a.size};
}

// The windows [first, last) that hold position i, moved on from those of a smaller i.
struct Holders {
  int64_t first = 0, last = 0;
  PL_INLINE void advance(const PoolAxis& a, int64_t i) {
    while (first < a.out && span_of(a, first).end <= i) ++first;
    while (last < a.out && span_of(a, last).start <= i) ++last;
  }
  // Near those of position i, to start from.
  PL_INLINE void seek(const PoolAxis& a, int64_t i) {
    const int64_t guess = a.adaptive ? i * a.out / a.size - 1 : (i + a.before - a.kernel) / a.stride;
    first = last = guess < 0 ? 0 : guess;
    advance(a, i);
  }
};

// Vectors of the offsets of width<T> lanes, and the lanes of a comparison they are widened to.
template <class T>
struct offset_lanes {
  typedef uint8_t narrow __attribute__((vector_size(width<T>), aligned(1), may_alias));
  typedef int32_t wide __attribute__((vector_size(4 * width<T>), aligned(4), may_alias));
};
template <class T>
using lanes = typename simd<T>::mask;

template <class T>
PL_INLINE lanes<T> load_offsets(const uint8_t* p) {
  return __builtin_convertvector(*reinterpret_cast<const typename offset_lanes<T>::narrow*>(p), lanes<T>);
}
template <class T>
PL_INLINE lanes<T> load_offsets(const int32_t* p) {
  return __builtin_convertvector(*reinterpret_cast<const typename offset_lanes<T>::wide*>(p), lanes<T>);
}
template <class T>
PL_INLINE void store_offsets(uint8_t* p, lanes<T> v) {
  *reinterpret_cast<typename offset_lanes<T>::narrow*>(p) =
      __builtin_convertvector(v, typename offset_lanes<T>::narrow);
}
template <class T>
PL_INLINE void store_offsets(int32_t* p, lanes<T> v) {
  *reinterpret_cast<typename offset_lanes<T>::wide*>(p) =
      __builtin_convertvector(v, typename offset_lanes<T>::wide);
}

// Whole vectors, or the first n lanes.
struct Whole {
  template <class T>
  PL_INLINE vec<T> read(const T* p) const {
    return load(p);
  }
  template <class T>
  PL_INLINE void write(T* p, vec<T> v) const {
    store(p, v);
  }
  template <class T, class I>
  PL_INLINE lanes<T> read_offsets(const I* p) const {
    return load_offsets<T>(p);
  }
  template <class T, class I>
  PL_INLINE void write_offsets(I* p, lanes<T> v) const {
    store_offsets<T>(p, v);
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
  template <class T, class I>
  PL_INLINE lanes<T> read_offsets(const I* p) const {
    lanes<T> v{};
    for (int i = 0; i < width<T>; ++i)
      if (i < n) v[i] = p[i];
    return v;
  }
  template <class T, class I>
  PL_INLINE void write_offsets(I* p, lanes<T> v) const {
    for (int i = 0; i < width<T>; ++i)
      if (i < n) p[i] = static_cast<I>(v[i]);
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

// -- forward -----------------------------------------------------------------------------------------------------

// The maximum of a window of rows x cols positions, of kSize x kSize when that is not 0. x is the window's first
// position in the image, whose offset is `first`; rows are `pitch` elements and `kernel` offsets apart.
template <class T, int kSize, int kCount, class I, class Access>
PL_INLINE void max_window(const T* x, int64_t rows, int64_t cols, int64_t c, int64_t pitch, int64_t first,
                          int64_t kernel, T* y, I* offsets, Access access) {
  vec<T> best[kCount];
  lanes<T> at[kCount];
  for (int v = 0; v < kCount; ++v) {
    best[v] = access.read(x + v * width<T>);
    at[v] = static_cast<decltype(at[v][0] + 0)>(first) - lanes<T>{};
  }
  if (kSize) rows = cols = kSize;
#pragma GCC unroll 3
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 3
    for (int64_t j = i == 0; j < cols; ++j) {
      const lanes<T> place = static_cast<decltype(at[0][0] + 0)>(first + i * kernel + j) - lanes<T>{};
      for (int v = 0; v < kCount; ++v) {
        const vec<T> value = access.read(x + i * pitch + j * c + v * width<T>);
        const lanes<T> more = ~(value <= best[v]) & (best[v] == best[v]);
        best[v] = select(more, value, best[v]);
        at[v] = more ? place : at[v];
      }
    }
  }
  for (int v = 0; v < kCount; ++v) {
    access.write(y + v * width<T>, best[v]);
    if (offsets) access.template write_offsets<T>(offsets + v * width<T>, at[v]);
  }
}

// Sums of at most kRun positions are added up, which keeps the error of long windows small.
constexpr int64_t kRun = 64;

template <class T, int kSize, int kCount, class Access>
PL_INLINE void mean_window(const T* x, int64_t rows, int64_t cols, int64_t c, int64_t pitch, T* y,
                           Access access) {
  vec<T> total[kCount] = {};
  if (kSize) rows = cols = kSize;
#pragma GCC unroll 3
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j0 = 0; j0 < cols; j0 += kRun) {
      const int64_t j1 = j0 + kRun < cols ? j0 + kRun : cols;
      vec<T> sum[kCount] = {};
#pragma GCC unroll 3
      for (int64_t j = j0; j < j1; ++j)
        for (int v = 0; v < kCount; ++v) sum[v] += access.read(x + i * pitch + j * c + v * width<T>);
      for (int v = 0; v < kCount; ++v) total[v] += sum[v];
    }
  }
  const vec<T> n = broadcast(static_cast<T>(rows * cols));
  for (int v = 0; v < kCount; ++v) access.write(y + v * width<T>, total[v] / n);
}

// Calls window(x, rows, cols, first offset, place in y, size) for each output pixel; size is Size<2> or Size<3> for
// whole windows of 2 x 2 and 3 x 3, else Size<0>.
template <int kValue>
struct Size {
  static constexpr int value = kValue;
};
template <class T, class Window>
PL_INLINE void over_windows(const PoolArgs& a, const Window& window) {
  const int64_t pitch = a.w.size * a.c, whole = a.h.kernel * a.w.kernel;
  const int64_t square = a.h.kernel == a.w.kernel && !a.h.adaptive && !a.w.adaptive ? a.h.kernel : 0;
  over_pixels(a.n, a.h.out, a.w.out, a.c, whole * a.c,
              [&](int64_t image, int64_t p, int64_t q0, int64_t q1, int64_t c0, int64_t c1) {
                const Span h = span_of(a.h, p);
                const T* row = static_cast<const T*>(a.in) + (image * a.h.size + h.begin) * pitch;
                const int64_t rows = h.end - h.begin, out = (image * a.h.out + p) * a.w.out;
                for (int64_t q = q0; q < q1; ++q) {
                  const Span w = span_of(a.w, q);
                  const int64_t cols = w.end - w.begin, place = (out + q) * a.c;
                  const int64_t first = (h.begin - h.start) * a.w.kernel + w.begin - w.start;
                  const T* x = row + w.begin * a.c;
                  over_channels<T>(c0, c1, [&](int64_t c, auto vectors, auto access) {
                    if (square == 2 && rows * cols == 4)
                      window(x + c, rows, cols, first, place + c, Size<2>{}, vectors, access);
                    else if (square == 3 && rows * cols == 9)
                      window(x + c, rows, cols, first, place + c, Size<3>{}, vectors, access);
                    else
                      window(x + c, rows, cols, first, place + c, Size<0>{}, vectors, access);
                  });
                }
              });
}

template <class T, class I>
void max_forward(const PoolArgs& a) {
  T* y = static_cast<T*>(a.out);
  I* offsets = static_cast<I*>(a.offsets);
  over_windows<T>(a, [&](const T* x, int64_t rows, int64_t cols, int64_t first, int64_t place, auto size,
                         auto vectors, auto access) {
    max_window<T, decltype(size)::value, decltype(vectors)::count>(
        x, rows, cols, a.c, a.w.size * a.c, first, a.w.kernel, y + place, offsets ? offsets + place : nullptr,
        access);
  });
}

template <class T>
void avg_forward(const PoolArgs& a) {
  T* y = static_cast<T*>(a.out);
  over_windows<T>(a, [&](const T* x, int64_t rows, int64_t cols, int64_t, int64_t place, auto size,
                         auto vectors, auto access) {
    mean_window<T, decltype(size)::value, decltype(vectors)::count>(x, rows, cols, a.c, a.w.size * a.c,
                                                                    y + place, access);
  });
}

// y[o] = x at the offset of o.
template <class T, class I>
void gather(const PoolArgs& a) {
  const T* x = static_cast<const T*>(a.in);
  const I* offsets = static_cast<const I*>(a.offsets);
  T* y = static_cast<T*>(a.out);
  over_pixels(a.n, a.h.out, a.w.out, a.c, a.c,
              [&](int64_t image, int64_t p, int64_t q0, int64_t q1, int64_t c0, int64_t c1) {
                for (int64_t q = q0; q < q1; ++q) {
                  const int64_t out = ((image * a.h.out + p) * a.w.out + q) * a.c;
                  const int64_t h = span_of(a.h, p).start, w = span_of(a.w, q).start;
                  for (int64_t c = c0; c < c1; ++c) {
                    const int64_t i = offsets[out + c] / a.w.kernel, j = offsets[out + c] - i * a.w.kernel;
                    y[out + c] = x[((image * a.h.size + h + i) * a.w.size + w + j) * a.c + c];
                  }
                }
              });
}

// -- backward ----------------------------------------------------------------------------------------------------

// dx of each pixel: the terms of the windows that hold it, added in their order. term(place in y, tap, p, q) tells
// what one window gives; `tap` is the pixel's offset in it.
template <class T, class Terms>
PL_INLINE void over_gradient(const PoolArgs& a, const Terms& terms) {
  T* dx = static_cast<T*>(a.out);
  over_pixels(a.n, a.h.size, a.w.size, a.c, a.c,
              [&](int64_t image, int64_t h, int64_t w0, int64_t w1, int64_t c0, int64_t c1) {
                Holders rows, cols;
                rows.seek(a.h, h);
                cols.seek(a.w, w0);
                for (int64_t w = w0; w < w1; ++w) {
                  cols.advance(a.w, w);
                  T* to = dx + ((image * a.h.size + h) * a.w.size + w) * a.c;
                  over_channels<T>(c0, c1, [&](int64_t c, auto vectors, auto access) {
                    constexpr int count = decltype(vectors)::count;
                    vec<T> sum[count] = {};
                    for (int64_t p = rows.first; p < rows.last; ++p) {
                      const Span sh = span_of(a.h, p);
                      const int64_t out = (image * a.h.out + p) * a.w.out;
                      for (int64_t q = cols.first; q < cols.last; ++q) {
                        const Span sw = span_of(a.w, q);
                        terms.template add<count>(sum, (out + q) * a.c + c, sh, sw,
                                                  (h - sh.start) * a.w.kernel + w - sw.start, access);
                      }
                    }
                    for (int v = 0; v < count; ++v) access.write(to + c + v * width<T>, sum[v]);
                  });
                }
              });
}

template <class T, class I>
struct MaxTerms {
  const T* dy;
  const I* offsets;
  template <int kCount, class Access>
  PL_INLINE void add(vec<T>* sum, int64_t place, Span, Span, int64_t tap, Access access) const {
    const lanes<T> here = static_cast<decltype(lanes<T>{}[0] + 0)>(tap) - lanes<T>{};
    for (int v = 0; v < kCount; ++v) {
      const lanes<T> at = access.template read_offsets<T>(offsets + place + v * width<T>);
      sum[v] += select(at == here, access.read(dy + place + v * width<T>), vec<T>{});
    }
  }
};

template <class T>
struct MeanTerms {
  const T* dy;
  template <int kCount, class Access>
  PL_INLINE void add(vec<T>* sum, int64_t place, Span h, Span w, int64_t, Access access) const {
    const T n = static_cast<T>((h.end - h.begin) * (w.end - w.begin));
    const vec<T> scale = broadcast(T(1) / n);
    for (int v = 0; v < kCount; ++v) sum[v] += access.read(dy + place + v * width<T>) * scale;
  }
};

template <class T, class I>
void max_backward(const PoolArgs& a) {
  over_gradient<T>(a, MaxTerms<T, I>{static_cast<const T*>(a.in), static_cast<const I*>(a.offsets)});
}
template <class T>
void avg_backward(const PoolArgs& a) {
  over_gradient<T>(a, MeanTerms<T>{static_cast<const T*>(a.in)});
}

// -- the table ---------------------------------------------------------------------------------------------------

void max_pool(Stream, const PoolArgs& a) {
  const bool narrow = a.offset_dtype == DType::uint8;
  if (a.dtype == DType::float32)
    return narrow ? max_forward<float, uint8_t>(a) : max_forward<float, int32_t>(a);
  return narrow ? max_forward<double, uint8_t>(a) : max_forward<double, int32_t>(a);
}
void max_pool_backward(Stream, const PoolArgs& a) {
  const bool narrow = a.offset_dtype == DType::uint8;
  if (a.dtype == DType::float32)
    return narrow ? max_backward<float, uint8_t>(a) : max_backward<float, int32_t>(a);
  return narrow ? max_backward<double, uint8_t>(a) : max_backward<double, int32_t>(a);
}
void max_pool_gather(Stream, const PoolArgs& a) {
  const bool narrow = a.offset_dtype == DType::uint8;
  if (a.dtype == DType::float32) return narrow ? gather<float, uint8_t>(a) : gather<float, int32_t>(a);
  return narrow ? gather<double, uint8_t>(a) : gather<double, int32_t>(a);
}
void avg_pool(Stream, const PoolArgs& a) {
  return a.dtype == DType::float32 ? avg_forward<float>(a) : avg_forward<double>(a);
}
void avg_pool_backward(Stream, const PoolArgs& a) {
  return a.dtype == DType::float32 ? avg_backward<float>(a) : avg_backward<double>(a);
}

}  // namespace

extern const PoolKernels pool;
const PoolKernels pool = {
    .max_pool = max_pool,
    .max_pool_backward = max_pool_backward,
    .max_pool_gather = max_pool_gather,
    .avg_pool = avg_pool,
    .avg_pool_backward = avg_pool_backward,
};

}  // namespace pl::PL_ISA
