// Pooling: y[n,p,q,c] = max or mean of x[n,h,w,c] over the window (p,q), and its gradients.
//
// A thread makes 16 bytes of channels of one pixel of what is written (one element where channels do not come in 16
// bytes), so neighbouring threads read and write neighbouring channels, then pixels; what windows share comes from the
// caches. A few large windows (global pooling) would leave most of the machine idle: there a block of 8 x 32 threads
// makes 32 packs, its rows sharing the positions of a window. The gradients are in gather form, each pixel of dx from
// the windows that hold it, in their order: every element is written once and nothing is added to.
#include "kernels/pool.h"

#include "kernels/pack.cuh"
#include "kernels/pool_axis.h"

namespace pl::cuda {
namespace {

// The part of a window that lies in the image.
template <class T>
struct Window {
  const T* x;  // its first position
  int64_t rows, cols;
  int64_t first;  // offset of that position
};
template <class T>
PL_INLINE Window<T> window_of(const PoolArgs& a, Place o) {
  const Span h = span_of(a.h, o.h), w = span_of(a.w, o.w);
  return {static_cast<const T*>(a.in) + ((o.image * a.h.size + h.begin) * a.w.size + w.begin) * a.c + o.c,
          h.end - h.begin, w.end - w.begin, (h.begin - h.start) * a.w.kernel + w.begin - w.start};
}

// Maxima and where they were. A NaN is the maximum; the first of equals stays.
template <class T, int N>
struct Best {
  Pack<T, N> value;
  int32_t at[N];

  PL_INLINE void start(const Pack<T, N>& v, int64_t place) {
    value = v;
#pragma unroll
    for (int k = 0; k < N; ++k) at[k] = static_cast<int32_t>(place);
  }
  PL_INLINE void meet(const Pack<T, N>& v, int64_t place) {
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const bool more = !(v.at[k] <= value.at[k]) && value.at[k] == value.at[k];
      value.at[k] = more ? v.at[k] : value.at[k];
      at[k] = more ? static_cast<int32_t>(place) : at[k];
    }
  }
  // With the best of other positions of the window, before or after these.
  PL_INLINE void meet(const Best& b) {
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T u = value.at[k], v = b.value.at[k];
      const bool equal = u == v || (u != u && v != v);
      const bool more = equal ? b.at[k] < at[k] : !(v <= u) && u == u;
      value.at[k] = more ? v : u;
      at[k] = more ? b.at[k] : at[k];
    }
  }
  template <class I>
  PL_INLINE void write(T* y, I* offsets) const {
    store(y, value);
    if (!offsets) return;
    Pack<I, N> places;
#pragma unroll
    for (int k = 0; k < N; ++k) places.at[k] = static_cast<I>(at[k]);
    store(offsets, places);
  }
};

// -- forward -----------------------------------------------------------------------------------------------------

template <class T, class I, int N>
__global__ void __launch_bounds__(kThreads)
    max_forward(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<N> places) {
  T* const y = static_cast<T*>(a.out);
  I* const offsets = static_cast<I*>(a.offsets);
  const int64_t pitch = a.w.size * a.c, packs = a.n * a.h.out * a.w.out * (a.c / N);
  for (int64_t e = first(); e < packs; e += stride()) {
    const Window<T> w = window_of<T>(a, places.at(e));
    Best<T, N> best;
    best.start(load<N>(w.x), w.first);
    for (int64_t i = 0; i < w.rows; ++i)
      for (int64_t j = i == 0; j < w.cols; ++j)
        best.meet(load<N>(w.x + i * pitch + j * a.c), w.first + i * a.w.kernel + j);
    best.write(y + e * N, offsets ? offsets + e * N : nullptr);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    mean_forward(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<N> places) {
  T* const y = static_cast<T*>(a.out);
  const int64_t pitch = a.w.size * a.c, packs = a.n * a.h.out * a.w.out * (a.c / N);
  for (int64_t e = first(); e < packs; e += stride()) {
    const Window<T> w = window_of<T>(a, places.at(e));
    Pack<T, N> total = {};
    for (int64_t i = 0; i < w.rows; ++i) {
      for (int64_t j0 = 0; j0 < w.cols; j0 += kRun) {
        const int64_t j1 = j0 + kRun < w.cols ? j0 + kRun : w.cols;
        Pack<T, N> sum = {};
        for (int64_t j = j0; j < j1; ++j) {
          const Pack<T, N> v = load<N>(w.x + i * pitch + j * a.c);
#pragma unroll
          for (int k = 0; k < N; ++k) sum.at[k] += v.at[k];
        }
#pragma unroll
        for (int k = 0; k < N; ++k) total.at[k] += sum.at[k];
      }
    }
    const T n = static_cast<T>(w.rows * w.cols);
#pragma unroll
    for (int k = 0; k < N; ++k) total.at[k] /= n;
    store(y + e * N, total);
  }
}

// A window to kSharers threads, each with every kSharers-th position; shared memory brings them together.
constexpr int kSharers = 8;
template <class V>
struct Shares {
  V of[kSharers][kWarp];
};

template <class T, class I, int N>
__global__ void __launch_bounds__(kWarp* kSharers)
    max_shared(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<N> places) {
  auto& shares = smem<Shares<Best<T, N>>>();
  T* const y = static_cast<T*>(a.out);
  I* const offsets = static_cast<I*>(a.offsets);
  const int64_t pitch = a.w.size * a.c, packs = a.n * a.h.out * a.w.out * (a.c / N);
  for (int64_t begin = int64_t{blockIdx.x} * kWarp; begin < packs; begin += int64_t{gridDim.x} * kWarp) {
    const int64_t e = begin + threadIdx.x;
    if (e < packs) {
      const Window<T> w = window_of<T>(a, places.at(e));
      const int64_t cols = w.cols, count = w.rows * cols;
      int64_t i = threadIdx.y / cols, j = threadIdx.y - i * cols;
      const int64_t down = kSharers / cols, along = kSharers - down * cols;
      Best<T, N> best;  // sharers without a position repeat the first, which changes nothing
      best.start(load<N>(w.x), w.first);
      for (int64_t p = threadIdx.y; p < count; p += kSharers) {
        const Pack<T, N> v = load<N>(w.x + i * pitch + j * a.c);
        const int64_t place = w.first + i * a.w.kernel + j;
        if (p < kSharers)
          best.start(v, place);
        else
          best.meet(v, place);
        i += down, j += along;
        if (j >= cols) j -= cols, ++i;
      }
      shares.of[threadIdx.y][threadIdx.x] = best;
    }
    __syncthreads();
    if (e < packs && threadIdx.y == 0) {
      Best<T, N> best = shares.of[0][threadIdx.x];
      for (int s = 1; s < kSharers; ++s) best.meet(shares.of[s][threadIdx.x]);
      best.write(y + e * N, offsets ? offsets + e * N : nullptr);
    }
    __syncthreads();
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kWarp* kSharers)
    mean_shared(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<N> places) {
  auto& shares = smem<Shares<Pack<T, N>>>();
  T* const y = static_cast<T*>(a.out);
  const int64_t pitch = a.w.size * a.c, packs = a.n * a.h.out * a.w.out * (a.c / N);
  for (int64_t begin = int64_t{blockIdx.x} * kWarp; begin < packs; begin += int64_t{gridDim.x} * kWarp) {
    const int64_t e = begin + threadIdx.x;
    int64_t count = 0;
    if (e < packs) {
      const Window<T> w = window_of<T>(a, places.at(e));
      const int64_t cols = w.cols;
      count = w.rows * cols;
      int64_t i = threadIdx.y / cols, j = threadIdx.y - i * cols;
      const int64_t down = kSharers / cols, along = kSharers - down * cols;
      Pack<T, N> total = {};
      for (int64_t p = threadIdx.y; p < count;) {
        Pack<T, N> sum = {};
        for (int64_t r = 0; r < kRun && p < count; ++r, p += kSharers) {
          const Pack<T, N> v = load<N>(w.x + i * pitch + j * a.c);
#pragma unroll
          for (int k = 0; k < N; ++k) sum.at[k] += v.at[k];
          i += down, j += along;
          if (j >= cols) j -= cols, ++i;
        }
#pragma unroll
        for (int k = 0; k < N; ++k) total.at[k] += sum.at[k];
      }
      shares.of[threadIdx.y][threadIdx.x] = total;
    }
    __syncthreads();
    if (e < packs && threadIdx.y == 0) {
      Pack<T, N> total = shares.of[0][threadIdx.x];
      for (int s = 1; s < kSharers; ++s)
#pragma unroll
        for (int k = 0; k < N; ++k) total.at[k] += shares.of[s][threadIdx.x].at[k];
#pragma unroll
      for (int k = 0; k < N; ++k) total.at[k] /= static_cast<T>(count);
      store(y + e * N, total);
    }
    __syncthreads();
  }
}

// y[o] = x at the offset of o.
template <class T, class I>
__global__ void __launch_bounds__(kThreads)
    gather(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<1> places) {
  const T* const x = static_cast<const T*>(a.in);
  const I* const offsets = static_cast<const I*>(a.offsets);
  T* const y = static_cast<T*>(a.out);
  const int kernel = static_cast<int>(a.w.kernel);
  const int64_t elements = a.n * a.h.out * a.w.out * a.c;
  for (int64_t e = first(); e < elements; e += stride()) {
    const Place o = places.at(e);
    const int offset = offsets[e], i = offset / kernel, j = offset - i * kernel;
    const int64_t h = span_of(a.h, o.h).start + i, w = span_of(a.w, o.w).start + j;
    y[e] = x[((o.image * a.h.size + h) * a.w.size + w) * a.c + o.c];
  }
}

// -- backward ----------------------------------------------------------------------------------------------------

// What a window gives to the position at offset `tap`: to a maximum all of its gradient, to a mean its share.
template <class T, class I, int N>
struct FromMax {
  const I* offsets;
  PL_INLINE void add(Pack<T, N>& sum, const Pack<T, N>& dy, int64_t place, int64_t tap, int64_t) const {
    const Pack<I, N> at = load<N>(offsets + place);
#pragma unroll
    for (int k = 0; k < N; ++k) sum.at[k] += at.at[k] == tap ? dy.at[k] : T(0);
  }
};
template <class T, int N>
struct FromMean {
  PL_INLINE void add(Pack<T, N>& sum, const Pack<T, N>& dy, int64_t, int64_t, int64_t positions) const {
    const T scale = T(1) / static_cast<T>(positions);
#pragma unroll
    for (int k = 0; k < N; ++k) sum.at[k] += dy.at[k] * scale;
  }
};

template <class T, int N, class From>
__global__ void __launch_bounds__(kThreads, 4)
    backward(const __grid_constant__ PoolArgs a, const __grid_constant__ Places<N> places,
             const __grid_constant__ From from) {
  const T* const dy = static_cast<const T*>(a.in);
  T* const dx = static_cast<T*>(a.out);
  const int64_t packs = a.n * a.h.size * a.w.size * (a.c / N);
  for (int64_t e = first(); e < packs; e += stride()) {
    const Place i = places.at(e);
    const Holders rows = holders(a.h, i.h), cols = holders(a.w, i.w);
    Pack<T, N> sum = {};
    for (int64_t p = rows.first; p < rows.last; ++p) {
      const Span h = span_of(a.h, p);
      for (int64_t q = cols.first; q < cols.last; ++q) {
        const Span w = span_of(a.w, q);
        const int64_t place = ((i.image * a.h.out + p) * a.w.out + q) * a.c + i.c;
        from.add(sum, load<N>(dy + place), place, (i.h - h.start) * a.w.kernel + i.w - w.start,
                 (h.end - h.begin) * (w.end - w.begin));
      }
    }
    store(dx + e * N, sum);
  }
}

// -- the table ---------------------------------------------------------------------------------------------------

template <class F>
void with_offset(DType dtype, F&& f) {
  if (dtype == DType::uint8)
    f(uint8_t{});
  else
    f(int32_t{});
}
int64_t outputs(const PoolArgs& a) { return a.n * a.h.out * a.w.out * a.c; }
int64_t inputs(const PoolArgs& a) { return a.n * a.h.size * a.w.size * a.c; }

// So few threads would make the outputs, and so many positions each would read, that windows are shared.
constexpr int64_t kFewThreads = 1 << 16, kLargeWindow = 32;
bool shares_windows(const PoolArgs& a, int pack) {
  return outputs(a) / pack <= kFewThreads && a.h.kernel * a.w.kernel >= kLargeWindow;
}
dim3 blocks_of_sharers(int64_t packs) { return blocks_for(packs, kWarp); }

// f(T{}, N): N channels at a time.
template <class F>
void with_packs(const PoolArgs& a, F&& f) {
  with_float(a.dtype,
             [&](auto t) { with_pack<decltype(t)>(a.c, [&](auto n) { f(t, n); }, a.in, a.offsets, a.out); });
}

void max_pool(Stream stream, const PoolArgs& a) {
  if (outputs(a) == 0) return;
  with_packs(a, [&](auto t, auto n) {
    with_offset(a.offset_dtype, [&](auto i) {
      using T = decltype(t);
      using I = decltype(i);
      constexpr int N = n();
      const int64_t packs = outputs(a) / N;
      const Places<N> places(a.h.out, a.w.out, a.c);
      if (shares_windows(a, N))
        start(stream, max_shared<T, I, N>, blocks_of_sharers(packs), dim3(kWarp, kSharers),
              sizeof(Shares<Best<T, N>>), a, places);
      else
        start(stream, max_forward<T, I, N>, blocks_for(packs), kThreads, 0, a, places);
    });
  });
}
void max_pool_backward(Stream stream, const PoolArgs& a) {
  if (inputs(a) == 0) return;
  with_packs(a, [&](auto t, auto n) {
    with_offset(a.offset_dtype, [&](auto i) {
      using From = FromMax<decltype(t), decltype(i), n()>;
      start(stream, backward<decltype(t), n(), From>, blocks_for(inputs(a) / n()), kThreads, 0, a,
            Places<n()>(a.h.size, a.w.size, a.c), From{static_cast<const decltype(i)*>(a.offsets)});
    });
  });
}
void max_pool_gather(Stream stream, const PoolArgs& a) {
  if (outputs(a) == 0) return;
  with_float(a.dtype, [&](auto t) {
    with_offset(a.offset_dtype, [&](auto i) {
      start(stream, gather<decltype(t), decltype(i)>, blocks_for(outputs(a)), kThreads, 0, a,
            Places<1>(a.h.out, a.w.out, a.c));
    });
  });
}
void avg_pool(Stream stream, const PoolArgs& a) {
  if (outputs(a) == 0) return;
  with_packs(a, [&](auto t, auto n) {
    using T = decltype(t);
    constexpr int N = n();
    const int64_t packs = outputs(a) / N;
    const Places<N> places(a.h.out, a.w.out, a.c);
    if (shares_windows(a, N))
      start(stream, mean_shared<T, N>, blocks_of_sharers(packs), dim3(kWarp, kSharers),
            sizeof(Shares<Pack<T, N>>), a, places);
    else
      start(stream, mean_forward<T, N>, blocks_for(packs), kThreads, 0, a, places);
  });
}
void avg_pool_backward(Stream stream, const PoolArgs& a) {
  if (inputs(a) == 0) return;
  with_packs(a, [&](auto t, auto n) {
    using From = FromMean<decltype(t), n()>;
    start(stream, backward<decltype(t), n(), From>, blocks_for(inputs(a) / n()), kThreads, 0, a,
          Places<n()>(a.h.size, a.w.size, a.c), From{});
  });
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

}  // namespace pl::cuda
