// What is drawn from the words of philox.h; the mapping from words to elements is in random.h.
//
// Words are made a block at a time on the stack, then turned into values: the whole block always runs through the
// vector formula, so that a value does not depend on n. Parallel over blocks, 64 a chunk.
#include "kernels/random.h"

#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/philox.h"
#include "kernels/random_formulas.h"

namespace pl::PL_ISA {
namespace {

constexpr int kWords = 512;  // a block: 2 KiB of words, and at most as much of values
constexpr int64_t kBlocksPerChunk = 64;

// Uniforms in [0, 1), exact: the high 24 bits of a word, the high 53 of two.
PL_INLINE vf uniform_(vu bits) { return __builtin_convertvector((vi)(bits >> 8), vf) * 0x1p-24f; }
PL_INLINE vd uniform_(vul bits) {
  const vul u = bits >> 11;  // converted in two halves planted into the mantissas of 2^52 and 2^84
  const vd low = (vd)((u & kLow) | uint64_t{0x4330000000000000u});
  const vd high = (vd)((u >> 32) | uint64_t{0x4530000000000000u});
  return ((high - (0x1p84 + 0x1p52)) + low) * 0x1p-53;
}

template <class T>
struct Pair {
  vec<T> first, second;
};

// sin and cos of |r| <= pi/4; in double their Taylor series, cut below 1e-16
PL_INLINE Pair<float> sin_cos_small(vf r) { return {sin_reduced(r), cos_reduced(r)}; }
PL_INLINE Pair<double> sin_cos_small(vd r) {
  const vd z = r * r;
  const vd s = polynomial(z, {-1 / 6.0, 1 / 120.0, -1 / 5040.0, 1 / 362880.0, -1 / 39916800.0,
                              1 / 6227020800.0, -1 / 1307674368000.0});
  const vd c = polynomial(z, {1 / 24.0, -1 / 720.0, 1 / 40320.0, -1 / 3628800.0, 1 / 479001600.0,
                              -1 / 87178291200.0, 1 / 20922789888000.0});
  return {fma_(r * z, s, r), fma_(z * z, c, 1.0 - 0.5 * z)};
}

// Box-Muller. u in [0, 1) becomes 1 - u in (0, 1], so that the logarithm is finite. The angle is counted in
// turns: quarters come off exactly, before pi rounds anything.
template <class V>
PL_INLINE Pair<lane_of<V>> box_muller(V u1, V u2) {
  using T = lane_of<V>;
  using F = format<T>;
  using B = typename F::bits;
  const V radius = sqrt_(log_(T(1) - u1) * T(-2));
  const V turned = u2 * T(4) + F::magic;
  const B quarter = (B)turned;
  const auto angle = sin_cos_small((u2 * T(4) - (turned - F::magic)) * T(1.57079632679489661923));
  const auto odd = (quarter & 1) != 0;
  const B s = (B)select(odd, angle.second, angle.first), c = (B)select(odd, angle.first, angle.second);
  constexpr int to_sign = sizeof(T) * 8 - 2;
  return {radius * (V)(c ^ (((quarter + 1) & 2) << to_sign)), radius * (V)(s ^ ((quarter & 2) << to_sign))};
}

template <class T>
inline constexpr int kValues = kWords / (sizeof(T) / 4);  // values a block gives

struct Uniform {
  template <class T>
  PL_INLINE void operator()(const uint32_t* words, T* y, const RandomArgs& a) const {
    using B = typename format<T>::bits;
    const T low = static_cast<T>(a.low), span = static_cast<T>(a.high - a.low);
    for (int i = 0; i < kValues<T>; i += width<T>) {
      const B bits = *reinterpret_cast<const B*>(reinterpret_cast<const T*>(words) + i);
      store(y + i, uniform_(bits) * span + low);
    }
  }
};

struct TruncatedNormal {
  template <class T>
  PL_INLINE void operator()(const uint32_t* words, T* y, const RandomArgs& a) const {
    using B = typename format<T>::bits;
    const T mean = static_cast<T>(a.low), deviation = static_cast<T>(a.high);
    for (int i = 0; i < kValues<T>; i += width<T>) {
      const B bits = *reinterpret_cast<const B*>(reinterpret_cast<const T*>(words) + i);
      store(y + i, truncated_normal_(uniform_(bits)) * deviation + mean);
    }
  }
};

// Pairs of neighbours (u1, u2) become pairs (z1, z2): two vectors are split into firsts and seconds, and
// back.
struct Normal {
  PL_INLINE void operator()(const uint32_t* words, float* y, const RandomArgs& a) const {
    const float mean = static_cast<float>(a.low), deviation = static_cast<float>(a.high);
    constexpr int w = width<float>;
    for (int i = 0; i < kWords; i += 2 * w) {
      const vul p = *reinterpret_cast<const vul*>(words + i),
                q = *reinterpret_cast<const vul*>(words + i + w);
      const vu bits_1 = (vu)((p & kLow) | (q << 32)), bits_2 = (vu)((p >> 32) | (q & ~kLow));
      const auto z = box_muller(uniform_(bits_1), uniform_(bits_2));
      const vul b1 = (vul)(z.first * deviation + mean), b2 = (vul)(z.second * deviation + mean);
      store(y + i, (vf)((b1 & kLow) | (b2 << 32)));
      store(y + i + w, (vf)((b1 >> 32) | (b2 & ~kLow)));
    }
  }
  PL_INLINE void operator()(const uint32_t* words, double* y, const RandomArgs& a) const {
    constexpr int w = width<double>;
    for (int i = 0; i < kValues<double>; i += 2 * w) {
      const vul p = *reinterpret_cast<const vul*>(words + 2 * i);
      const vul q = *reinterpret_cast<const vul*>(words + 2 * (i + w));
      const auto z = box_muller(uniform_(zip_low(p, q)), uniform_(zip_high(p, q)));
      const vul b1 = (vul)(z.first * a.high + a.low), b2 = (vul)(z.second * a.high + a.low);
      store(y + i, (vd)zip_low(b1, b2));
      store(y + i + w, (vd)zip_high(b1, b2));
    }
  }
};

struct Bits {
  PL_INLINE void operator()(const uint32_t* words, int64_t* y, const RandomArgs& a) const {
    const uint64_t span = static_cast<uint64_t>(a.ihigh) - static_cast<uint64_t>(a.ilow);
    for (int i = 0; i < kValues<int64_t>; ++i) {
      uint64_t bits;
      __builtin_memcpy(&bits, words + 2 * i, 8);
      const uint64_t offset = static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * span >> 64);
      y[i] = static_cast<int64_t>(static_cast<uint64_t>(a.ilow) + offset);
    }
  }
};

template <class T, class Values>
void fill_with(const RandomArgs& a, const Values& values) {
  const uint64_t seed = a.state->seed, draw = a.state->draw;
  constexpr int per = kValues<T>;
  parallel_for((a.n + per - 1) / per, kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kWords];
    for (int64_t b = begin; b < end; ++b) {
      philox(seed, draw, static_cast<uint64_t>(b) * (kWords / 4), kWords, words);
      T* y = static_cast<T*>(a.y) + b * per;
      const int64_t left = a.n - b * per;
      if (left >= per) {
        values(words, y, a);
      } else {
        T last[per];
        values(words, last, a);
        __builtin_memcpy(y, last, static_cast<size_t>(left) * sizeof(T));
      }
    }
  });
}

template <class T>
void fill_float(const RandomArgs& a) {
  switch (a.distribution) {
    case Distribution::uniform: return fill_with<T>(a, Uniform{});
    case Distribution::normal: return fill_with<T>(a, Normal{});
    case Distribution::truncated_normal: return fill_with<T>(a, TruncatedNormal{});
    case Distribution::bits: return;
  }
}

void fill(Stream, const RandomArgs& a) {
  if (a.distribution == Distribution::bits) {
    fill_with<int64_t>(a, Bits{});
  } else if (a.dtype == DType::float32) {
    fill_float<float>(a);
  } else if (a.dtype == DType::float64) {
    fill_float<double>(a);
  }
  a.state->draw += 1;
}

template <class T>
void dropout_typed(const DropoutArgs& a) {
  const uint64_t seed = a.state->seed, draw = a.state->draw;
  const uint32_t least = keep_from(a.rate);
  const T scale = static_cast<T>(1 / (1 - a.rate));
  parallel_for((a.n + kWords - 1) / kWords, kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kWords];
    for (int64_t b = begin; b < end; ++b) {
      philox(seed, draw, static_cast<uint64_t>(b) * (kWords / 4), kWords, words);
      const T* x = static_cast<const T*>(a.x) + b * kWords;
      T* y = static_cast<T*>(a.y) + b * kWords;
      bool* mask = a.mask + b * kWords;
      const int64_t left = a.n - b * kWords, k = left < kWords ? left : kWords;
      for (int64_t i = 0; i < k; ++i) y[i] = keep_if(words[i] >= least, x[i] * scale);
      for (int64_t i = 0; i < k; ++i) mask[i] = words[i] >= least;
    }
  });
}

void dropout(Stream, const DropoutArgs& a) {
  if (a.dtype == DType::float32) dropout_typed<float>(a);
  if (a.dtype == DType::float64) dropout_typed<double>(a);
  a.state->draw += 1;
}

template <class T>
void dropout_backward_typed(const DropoutBackwardArgs& a) {
  const T* dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const uint8_t* mask = reinterpret_cast<const uint8_t*>(a.mask);
  const T scale = static_cast<T>(a.scale);
  parallel_for(a.n, kWords * kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) dx[i] = keep_if(mask[i] != 0, dy[i] * scale);
  });
}

void dropout_backward(Stream, const DropoutBackwardArgs& a) {
  if (a.dtype == DType::float32) dropout_backward_typed<float>(a);
  if (a.dtype == DType::float64) dropout_backward_typed<double>(a);
}

}  // namespace

extern const RandomKernels random;
const RandomKernels random = {
    .fill = fill,
    .dropout = dropout,
    .dropout_backward = dropout_backward,
};

}  // namespace pl::PL_ISA
