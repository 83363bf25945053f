// Random numbers, dropout and its gradient; the mapping from words to elements is in random.h. Integers, uniforms and
// masks have the CPU's bits; normals differ by the rounding of log, sin and cos.
//
// A thread makes the four words of one counter at a time and all elements they give: four floats, or two doubles or
// integers, stored as 16 bytes; a pair of Box-Muller never leaves its counter. Grid strides over the counters, blocks of
// 256. The last block to finish counts the draw, so the state is read by all before it changes, without a second launch.
#include "kernels/random.h"

#include "kernels/random_formulas.h"
#include "map.cuh"
#include "philox.cuh"

namespace pl::cuda {
namespace {

// Called by every thread when it has read the state. `arrived` is counter().
__device__ __forceinline__ void count_draw(RngState* state, unsigned* arrived) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence();
  if (atomicAdd(arrived, 1u) != gridDim.x - 1) return;
  *arrived = 0;
  state->draw += 1;
}

// Element e of those that w gives, as a uniform in [0, 1), exact: the high 24 bits of a word, the high 53 of two.
__device__ __forceinline__ uint64_t double_word(const Words& w, int e) {
  return uint64_t{w.w[2 * e]} | uint64_t{w.w[2 * e + 1]} << 32;
}
template <class T>
__device__ __forceinline__ T uniform_of(const Words& w, int e) {
  if constexpr (sizeof(T) == 4)
    return static_cast<float>(w.w[e] >> 8) * 0x1p-24f;
  else
    return static_cast<double>(double_word(w, e) >> 11) * 0x1p-53;
}

template <class T>
inline constexpr int kPer = 16 / sizeof(T);  // elements of a counter

template <class T>
struct Uniform {
  T low, span;
  __device__ __forceinline__ void operator()(const Words& w, T* y) const {
#pragma unroll
    for (int e = 0; e < kPer<T>; ++e) y[e] = uniform_of<T>(w, e) * span + low;
  }
};

template <class T>
struct TruncatedNormal {
  T mean, deviation;
  __device__ __forceinline__ void operator()(const Words& w, T* y) const {
#pragma unroll
    for (int e = 0; e < kPer<T>; ++e) y[e] = truncated_normal_(uniform_of<T>(w, e)) * deviation + mean;
  }
};

__device__ __forceinline__ void sin_cos_pi(float x, float* s, float* c) { sincospif(x, s, c); }
__device__ __forceinline__ void sin_cos_pi(double x, double* s, double* c) { sincospi(x, s, c); }

// Box-Muller. u in [0, 1) becomes 1 - u in (0, 1], so that the logarithm is finite.
template <class T>
struct Normal {
  T mean, deviation;
  __device__ __forceinline__ void operator()(const Words& w, T* y) const {
#pragma unroll
    for (int e = 0; e < kPer<T>; e += 2) {
      const T radius = sqrt_(log_(T(1) - uniform_of<T>(w, e)) * T(-2));
      T s, c;
      sin_cos_pi(uniform_of<T>(w, e + 1) * T(2), &s, &c);
      y[e] = radius * c * deviation + mean;
      y[e + 1] = radius * s * deviation + mean;
    }
  }
};

// Multiply-shift: the high word of a product of 64 by 64 bits.
struct Bits {
  uint64_t low, span;
  __device__ __forceinline__ void operator()(const Words& w, int64_t* y) const {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const auto product = static_cast<unsigned __int128>(double_word(w, e)) * span;
      y[e] = static_cast<int64_t>(low + static_cast<uint64_t>(product >> 64));
    }
  }
};

template <class T, class Values>
__global__ void __launch_bounds__(kThreads)
    fill_kernel(RngState* state, unsigned* arrived, int64_t n, bool aligned, T* y, const Values values) {
  constexpr int per = kPer<T>;
  const uint64_t seed = state->seed, draw = state->draw;
  for (int64_t c = first(); c * per < n; c += stride()) {
    Pack<T, per> out;
    values(philox(seed, draw, static_cast<uint64_t>(c)), out.v);
    if (aligned && (c + 1) * per <= n) {
      out.store(y + c * per);
    } else {
#pragma unroll
      for (int e = 0; e < per; ++e)
        if (c * per + e < n) y[c * per + e] = out.v[e];
    }
  }
  count_draw(state, arrived);
}

template <class T, class Values>
void fill_with(Stream stream, const RandomArgs& a, const Values& values) {
  constexpr int per = kPer<T>;
  start(stream, fill_kernel<T, Values>, blocks_for((a.n + per - 1) / per), dim3(kThreads), 0, a.state,
        counter(stream), a.n, is_aligned(a.y, per, sizeof(T)), static_cast<T*>(a.y), values);
}

template <class T>
void fill_float(Stream stream, const RandomArgs& a) {
  const T low = static_cast<T>(a.low);
  switch (a.distribution) {
    case Distribution::uniform:
      return fill_with<T>(stream, a, Uniform<T>{low, static_cast<T>(a.high - a.low)});
    case Distribution::normal: return fill_with<T>(stream, a, Normal<T>{low, static_cast<T>(a.high)});
    case Distribution::truncated_normal:
      return fill_with<T>(stream, a, TruncatedNormal<T>{low, static_cast<T>(a.high)});
    case Distribution::bits: return;
  }
}

void fill(Stream stream, const RandomArgs& a) {
  if (a.distribution == Distribution::bits) {
    const uint64_t low = static_cast<uint64_t>(a.ilow);
    return fill_with<int64_t>(stream, a, Bits{low, static_cast<uint64_t>(a.ihigh) - low});
  }
  with_float(a.dtype, [&](auto t) { fill_float<decltype(t)>(stream, a); });
}

struct DropoutShape {
  int64_t n;
  uint32_t least;  // what a word must reach
  double scale;
  bool aligned;
};

// Four elements a step in either type, those of one counter.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(RngState* state, unsigned* arrived, const DropoutShape a, const T* x, uint8_t* mask,
                   T* y) {
  constexpr int half = kPer<T>;  // elements of 16 bytes
  const uint64_t seed = state->seed, draw = state->draw;
  const T scale = static_cast<T>(a.scale);
  for (int64_t c = first(); c * 4 < a.n; c += stride()) {
    const Words w = philox(seed, draw, static_cast<uint64_t>(c));
    if (a.aligned && c * 4 + 4 <= a.n) {
      Pack<uint8_t, 4> keep;
#pragma unroll
      for (int e = 0; e < 4; ++e) keep.v[e] = w.w[e] >= a.least;
      keep.store(mask + c * 4);
#pragma unroll
      for (int h = 0; h < 4; h += half) {
        Pack<T, half> v;
        v.load(x + c * 4 + h);
#pragma unroll
        for (int e = 0; e < half; ++e) v.v[e] = keep_if(keep.v[h + e] != 0, v.v[e] * scale);
        v.store(y + c * 4 + h);
      }
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int64_t i = c * 4 + e;
        if (i >= a.n) break;
        y[i] = keep_if(w.w[e] >= a.least, x[i] * scale);
        mask[i] = w.w[e] >= a.least;
      }
    }
  }
  count_draw(state, arrived);
}

void dropout(Stream stream, const DropoutArgs& a) {
  with_float(a.dtype, [&](auto t) {
    using T = decltype(t);
    const bool aligned = is_aligned(a.x, kPer<T>, sizeof(T)) && is_aligned(a.y, kPer<T>, sizeof(T)) &&
                         is_aligned(a.mask, 4, 1);
    start(stream, dropout_kernel<T>, blocks_for((a.n + 3) / 4), dim3(kThreads), 0, a.state, counter(stream),
          DropoutShape{a.n, keep_from(a.rate), 1 / (1 - a.rate), aligned}, static_cast<const T*>(a.x),
          reinterpret_cast<uint8_t*>(a.mask), static_cast<T*>(a.y));
  });
}

template <class T>
struct KeepScaled {
  T scale;
  __device__ __forceinline__ T operator()(uint8_t mask, T dy) const { return keep_if(mask != 0, dy * scale); }
};

void dropout_backward(Stream stream, const DropoutBackwardArgs& a) {
  with_float(a.dtype, [&](auto t) {
    using T = decltype(t);
    const int64_t one = 1;
    Box<3> b;
    b.ndim = 1;
    b.shape[0] = a.n;
    set_operand(b.op[0], a.dx, sizeof(T), &one, 1);
    set_operand(b.op[1], a.mask, 1, &one, 1);
    set_operand(b.op[2], a.dy, sizeof(T), &one, 1);
    map<true, T, uint8_t, T>(stream, b, KeepScaled<T>{static_cast<T>(a.scale)});
  });
}

}  // namespace

extern const RandomKernels random;
const RandomKernels random = {
    .fill = fill,
    .dropout = dropout,
    .dropout_backward = dropout_backward,
};

}  // namespace pl::cuda
