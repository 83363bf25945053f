// Pooling: y[n,p,q,c] = max or mean of x[n,h,w,c] over the window (p,q), and its gradients.
//
// Vectors run along the channels; the last vector of a pixel overlaps the one before it rather than being masked, so
// that only images of fewer channels than lanes use masks. Up to four vectors a pixel are in flight, with the windows
// of 2 x 2 and 3 x 3 unrolled. The forward pass notes where each maximum was (a byte per output), which makes the
// backward pass read a quarter of what comparing with x again would.
//
// A task is a range of pixels of what is written (of dx in the backward pass), about 64 KiB of it or of what it reads,
// and takes from all the windows that hold those pixels, in their order: no task writes where another does. A few large
// windows (global pooling) are cut along the channels too. Where windows do not overlap, each element of dx is written
// once; where they do, a row of dx is cleared and added to while it is in the cache.
#include "kernels/pool.h"

#include "kernels/pixels.h"
#include "kernels/pool_axis.h"

namespace pl::PL_ISA {
namespace {

// Offsets as the lanes of a comparison: bytes, or int32 where windows are large.
template <class T>
using lanes = typename simd<T>::mask;
template <class T>
PL_INLINE lanes<T> load_offsets(const uint8_t* p) {
  lanes<T> v;
  widen_bytes(p, v);
  return v;
}
template <class T>
PL_INLINE lanes<T> load_offsets(const int32_t* p) {
  lanes<T> v;
  if constexpr (sizeof(T) == 4)
    v = *reinterpret_cast<const vi*>(p);
  else
    for (int i = 0; i < width<T>; ++i) v[i] = p[i];
  return v;
}
template <class T>
PL_INLINE void store_offsets(uint8_t* p, lanes<T> v) {
  narrow_bytes(p, v);
}
template <class T>
PL_INLINE void store_offsets(int32_t* p, lanes<T> v) {
  if constexpr (sizeof(T) == 4)
    *reinterpret_cast<vi*>(p) = v;
  else
    for (int i = 0; i < width<T>; ++i) p[i] = static_cast<int32_t>(v[i]);
}

template <class T, class I>
PL_INLINE lanes<T> read_offsets(const I* p, Whole) {
  return load_offsets<T>(p);
}
template <class T, class I>
PL_INLINE lanes<T> read_offsets(const I* p, First first) {
  I some[width<T>] = {};
  for (int64_t i = 0; i < width<T> && i < first.n; ++i) some[i] = p[i];
  return load_offsets<T>(some);
}
template <class T, class I>
PL_INLINE void write_offsets(I* p, lanes<T> v, Whole) {
  store_offsets<T>(p, v);
}
template <class T, class I>
PL_INLINE void write_offsets(I* p, lanes<T> v, First first) {
  I some[width<T>];
  store_offsets<T>(some, v);
  __builtin_memcpy(p, some, static_cast<size_t>(first.n) * sizeof(I));
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
    if (offsets) write_offsets<T>(offsets + v * width<T>, at[v], access);
  }
}

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

// What one vector of a window's gradients gives to its taps.
template <class T>
struct MaxGradient {
  vec<T> dy;
  lanes<T> at;
  PL_INLINE vec<T> of(int64_t tap) const {
    const lanes<T> here = static_cast<decltype(at[0] + 0)>(tap) - lanes<T>{};
    return select(at == here, dy, vec<T>{});
  }
};
template <class T, class I>
struct MaxGradients {
  const T* dy;
  const I* offsets;
  template <class Access>
  PL_INLINE MaxGradient<T> read(int64_t place, const Access& access) const {
    return {access.read(dy + place), read_offsets<T>(offsets + place, access)};
  }
  PL_INLINE MaxGradients window(int64_t) const { return *this; }
};
template <class T>
struct MeanGradient {
  vec<T> dx;
  PL_INLINE vec<T> of(int64_t) const { return dx; }
};
template <class T>
struct MeanGradients {
  const T* dy;
  T scale;
  template <class Access>
  PL_INLINE MeanGradient<T> read(int64_t place, const Access& access) const {
    return {access.read(dy + place) * broadcast(scale)};
  }
  PL_INLINE MeanGradients window(int64_t positions) const { return {dy, T(1) / static_cast<T>(positions)}; }
};

// kTaps neighbouring pixels of dx, c elements apart, from the window at `place`: written, or added to.
template <class T, int kTaps, bool kAdd, class Gradients>
PL_INLINE void give_taps(T* dx, const Gradients& from, int64_t place, int64_t tap, int64_t c, int64_t c0,
                         int64_t c1) {
  constexpr int64_t w = width<T>;
  auto block = [&](int64_t at, auto access) __attribute__((always_inline)) {
    const auto given = from.read(place + at, access);
    for (int j = 0; j < kTaps; ++j) {
      T* to = dx + j * c + at;
      vec<T> v = given.of(tap + j);
      if constexpr (kAdd) v += access.read(to);
      access.write(to, v);
    }
  };
  int64_t at = c0;
  for (; at + w <= c1; at += w) block(at, Whole{});
  if (at == c1) return;
  if (kAdd || c1 - c0 < w)
    block(at, First{c1 - at});
  else
    block(c1 - w, Whole{});
}
template <class T, bool kAdd, class Gradients>
PL_INLINE void give(T* dx, const Gradients& from, int64_t place, int64_t tap, int64_t taps, int64_t c,
                    int64_t c0, int64_t c1) {
  int64_t j = 0;
  if (taps == 3) return give_taps<T, 3, kAdd>(dx, from, place, tap, c, c0, c1);
  for (; j + 2 <= taps; j += 2) give_taps<T, 2, kAdd>(dx + j * c, from, place, tap + j, c, c0, c1);
  if (j < taps) give_taps<T, 1, kAdd>(dx + j * c, from, place, tap + j, c, c0, c1);
}

// The same for `windows` windows of kTaps side by side, all channels.
template <class T, int kTaps, class Gradients>
PL_INLINE void give_run(T* dx, const Gradients& from, int64_t place, int64_t tap, int64_t windows,
                        int64_t c) {
  for (int64_t q = 0; q < windows; ++q)
    give_taps<T, kTaps, false>(dx + q * kTaps * c, from, place + q * c, tap, c, 0, c);
}

template <class T>
PL_INLINE void clear(T* dx, int64_t pixels, int64_t c, int64_t c0, int64_t c1) {
  if (c0 == 0 && c1 == c) {
    if (pixels > 0) __builtin_memset(dx, 0, static_cast<size_t>(pixels * c) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < pixels; ++i)
    __builtin_memset(dx + i * c + c0, 0, static_cast<size_t>(c1 - c0) * sizeof(T));
}

PL_INLINE bool disjoint(const PoolAxis& a) { return a.adaptive ? a.size % a.out == 0 : a.stride >= a.kernel; }

// dx over pixels [w0, w1) of a row: from one row of disjoint windows each pixel is written once; from more, the row is
// cleared and added to, window after window.
template <class T, class Gradients>
void over_gradient(const PoolArgs& a, const Gradients& all) {
  const bool apart = disjoint(a.w);
  const bool adjoin = !a.w.adaptive && a.w.kernel == a.w.stride && (a.w.kernel == 2 || a.w.kernel == 3);
  const int64_t side = adjoin ? a.w.kernel : 0;  // of windows that are given in runs
  over_pixels(a.n, a.h.size, a.w.size, a.c, a.c,
              [&](int64_t image, int64_t h, int64_t w0, int64_t w1, int64_t c0, int64_t c1) {
                const Holders rows = holders(a.h, h);
                const int64_t q0 = holders(a.w, w0).first, q1 = holders(a.w, w1 - 1).last;
                T* row = static_cast<T*>(a.out) + (image * a.h.size + h) * a.w.size * a.c;
                const bool once = apart && rows.last - rows.first <= 1;
                if (!once || rows.first == rows.last) clear(row + w0 * a.c, w1 - w0, a.c, c0, c1);
                for (int64_t p = rows.first; p < rows.last; ++p) {
                  const Span sh = span_of(a.h, p);
                  const int64_t out = (image * a.h.out + p) * a.w.out, tap = (h - sh.start) * a.w.kernel;
                  int64_t done = w0;
                  for (int64_t q = q0; q < q1; ++q) {
                    const Span sw = span_of(a.w, q);
                    const int64_t begin = sw.begin < w0 ? w0 : sw.begin, end = sw.end < w1 ? sw.end : w1;
                    const auto from = all.window((sh.end - sh.begin) * (sw.end - sw.begin));
                    T* dx = row + begin * a.c;
                    const int64_t place = (out + q) * a.c, first = tap + begin - sw.start;
                    if (!once) {
                      give<T, true>(dx, from, place, first, end - begin, a.c, c0, c1);
                      continue;
                    }
                    clear(row + done * a.c, begin - done, a.c, c0, c1);
                    const int64_t whole = side && begin == sw.start ? (w1 - begin) / side : 0;
                    if (whole > 1 && c1 - c0 == a.c) {
                      const int64_t windows = whole < q1 - q ? whole : q1 - q;
                      if (side == 2)
                        give_run<T, 2>(dx, from, place, first, windows, a.c);
                      else
                        give_run<T, 3>(dx, from, place, first, windows, a.c);
                      q += windows - 1;
                      done = begin + windows * side;
                      continue;
                    }
                    give<T, false>(dx, from, place, first, end - begin, a.c, c0, c1);
                    done = end;
                  }
                  if (once) clear(row + done * a.c, w1 - done, a.c, c0, c1);
                }
              });
}

template <class T, class I>
void max_backward(const PoolArgs& a) {
  over_gradient<T>(a, MaxGradients<T, I>{static_cast<const T*>(a.in), static_cast<const I*>(a.offsets)});
}
template <class T>
void avg_backward(const PoolArgs& a) {
  over_gradient<T>(a, MeanGradients<T>{static_cast<const T*>(a.in), T(1)});
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
