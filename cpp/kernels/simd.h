// Vector types of one ISA: the only file with ISA conditionals. Everything is in an anonymous namespace
// inside pl::PL_ISA, so that code compiled for one ISA can never be linked into another.
#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define PL_VEC 64
#elif defined(__AVX2__)
#define PL_VEC 32
#else
#define PL_VEC 16
#endif

#define PL_INLINE inline __attribute__((always_inline))

// Before a loop: its iterations are independent of each other (an output is one of the inputs, or apart from them).
// Clang's word for it warns wherever a loop cannot be vectorized, so there the compiler tests for overlap itself.
#if defined(__clang__)
#define PL_INDEPENDENT
#else
#define PL_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace pl::PL_ISA {
namespace {

// Element alignment only, and may alias: a pointer into any array can be read as a vector.
typedef float vf __attribute__((vector_size(PL_VEC), aligned(4), may_alias));
typedef double vd __attribute__((vector_size(PL_VEC), aligned(8), may_alias));
typedef int32_t vi __attribute__((vector_size(PL_VEC), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(PL_VEC), aligned(4), may_alias));
typedef int64_t vl __attribute__((vector_size(PL_VEC), aligned(8), may_alias));
typedef uint64_t vul __attribute__((vector_size(PL_VEC), aligned(8), may_alias));

// simd<T>: the vector of T, the integer vector of the same lanes, and their number.
template <class T>
struct simd;
template <>
struct simd<float> {
  using type = vf;
  using mask = vi;
  static constexpr int width = PL_VEC / 4;
};
template <>
struct simd<double> {
  using type = vd;
  using mask = vl;
  static constexpr int width = PL_VEC / 8;
};

template <class T>
using vec = typename simd<T>::type;
template <class T>
inline constexpr int width = simd<T>::width;

template <class T>
PL_INLINE vec<T> load(const T* p) {
  return *reinterpret_cast<const vec<T>*>(p);
}
template <class T>
PL_INLINE void store(T* p, vec<T> v) {
  *reinterpret_cast<vec<T>*>(p) = v;
}
template <class T>
PL_INLINE vec<T> broadcast(T x) {
  return x - vec<T>{};
}

// a * b + c in one rounding where the ISA has it. The build forbids contraction elsewhere
// (-ffp-contract=off), so this is the only place a fused multiply-add comes from and fusing kernels never
// changes bits.
PL_INLINE float fma_(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
PL_INLINE double fma_(double a, double b, double c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}
PL_INLINE vf fma_(vf a, vf b, vf c) {
#if PL_VEC == 64
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif PL_VEC == 32
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
PL_INLINE vd fma_(vd a, vd b, vd c) {
#if PL_VEC == 64
  return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif PL_VEC == 32
  return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
  return (vd)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
  return a * b + c;
#endif
}

PL_INLINE vf sqrt_(vf x) {
#if PL_VEC == 64
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif PL_VEC == 32
  return (vf)_mm256_sqrt_ps((__m256)x);
#elif defined(__aarch64__)
  return (vf)vsqrtq_f32((float32x4_t)x);
#else
  return (vf)_mm_sqrt_ps((__m128)x);
#endif
}
PL_INLINE vd sqrt_(vd x) {
#if PL_VEC == 64
  return (vd)_mm512_sqrt_pd((__m512d)x);
#elif PL_VEC == 32
  return (vd)_mm256_sqrt_pd((__m256d)x);
#elif defined(__aarch64__)
  return (vd)vsqrtq_f64((float64x2_t)x);
#else
  return (vd)_mm_sqrt_pd((__m128d)x);
#endif
}

// The register file, from which kernels derive their tile shapes.
#if PL_VEC == 64 || defined(__aarch64__)
inline constexpr int kVectorRegisters = 32;
#else
inline constexpr int kVectorRegisters = 16;
#endif
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool kFusedMultiplyAdd = true;
#else
inline constexpr bool kFusedMultiplyAdd = false;
#endif

// The lower (upper) halves of a and b, interleaved: a0 b0 a1 b1 ...
#if defined(__clang__)
PL_INLINE vf interleave_low(vf a, vf b) {
#if PL_VEC == 64
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif PL_VEC == 32
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}
PL_INLINE vf interleave_high(vf a, vf b) {
#if PL_VEC == 64
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif PL_VEC == 32
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}
PL_INLINE vd interleave_low(vd a, vd b) {
#if PL_VEC == 64
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif PL_VEC == 32
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
  return __builtin_shufflevector(a, b, 0, 2);
#endif
}
PL_INLINE vd interleave_high(vd a, vd b) {
#if PL_VEC == 64
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif PL_VEC == 32
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  return __builtin_shufflevector(a, b, 1, 3);
#endif
}
#else  // GCC: the index vector follows from the width
template <class V, class M>
PL_INLINE V interleave_(V a, V b, int half) {
  constexpr int n = sizeof(V) / sizeof(a[0]);
  M index{};
  for (int i = 0; i < n / 2; ++i) {
    index[2 * i] = i + half * (n / 2);
    index[2 * i + 1] = i + half * (n / 2) + n;
  }
  return __builtin_shuffle(a, b, index);
}
PL_INLINE vf interleave_low(vf a, vf b) { return interleave_<vf, vi>(a, b, 0); }
PL_INLINE vf interleave_high(vf a, vf b) { return interleave_<vf, vi>(a, b, 1); }
PL_INLINE vd interleave_low(vd a, vd b) { return interleave_<vd, vl>(a, b, 0); }
PL_INLINE vd interleave_high(vd a, vd b) { return interleave_<vd, vl>(a, b, 1); }
#endif

// Lane-wise choice: m is what a comparison of two vectors gives (all ones or zero).
PL_INLINE vf select(vi m, vf a, vf b) { return m ? a : b; }
PL_INLINE vd select(vl m, vd a, vd b) { return m ? a : b; }

// Lanes folded in halves, down to one.
template <int kBytes>
struct lanes_of {
  typedef float f __attribute__((vector_size(kBytes), aligned(4), may_alias));
  typedef double d __attribute__((vector_size(kBytes), aligned(8), may_alias));
};
template <class V, class Half, class Fold>
PL_INLINE Half fold_half(V v, Fold fold) {
  Half h[2];
  __builtin_memcpy(h, &v, sizeof v);
  return fold(h[0], h[1]);
}
template <class Fold>
PL_INLINE float fold_lanes(vf v, Fold fold) {
#if PL_VEC == 64
  const auto u = fold_half<vf, lanes_of<32>::f>(v, fold);
  const auto t = fold_half<lanes_of<32>::f, lanes_of<16>::f>(u, fold);
#elif PL_VEC == 32
  const auto t = fold_half<vf, lanes_of<16>::f>(v, fold);
#else
  const auto t = v;
#endif
  return fold(fold((float)t[0], (float)t[2]), fold((float)t[1], (float)t[3]));
}
template <class Fold>
PL_INLINE double fold_lanes(vd v, Fold fold) {
#if PL_VEC == 64
  const auto u = fold_half<vd, lanes_of<32>::d>(v, fold);
  const auto t = fold_half<lanes_of<32>::d, lanes_of<16>::d>(u, fold);
#elif PL_VEC == 32
  const auto t = fold_half<vd, lanes_of<16>::d>(v, fold);
#else
  const auto t = v;
#endif
  return fold((double)t[0], (double)t[1]);
}
struct FoldSum {
  template <class V>
  PL_INLINE V operator()(V a, V b) const {
    return a + b;
  }
};
struct FoldMax {
  template <class V>
  PL_INLINE V operator()(V a, V b) const {
    return a < b ? b : a;
  }  // a where either is NaN
};
template <class V>
PL_INLINE auto sum_lanes(V v) {
  return fold_lanes(v, FoldSum{});
}
template <class V>
PL_INLINE auto max_lanes(V v) {
  return fold_lanes(v, FoldMax{});
}

// The product of the low 32 bits of each 64-bit lane.
PL_INLINE vul mul_wide(vul a, vul b) {
#if PL_VEC == 64
  return (vul)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif PL_VEC == 32
  return (vul)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
  return (vul)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
  return (vul)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

// Inside each 128-bit block: the low (high) 64-bit lanes of a and b, a's first. Zipping twice gives a and b back.
PL_INLINE vul zip_low(vul a, vul b) {
#if PL_VEC == 64
  return (vul)_mm512_unpacklo_epi64((__m512i)a, (__m512i)b);
#elif PL_VEC == 32
  return (vul)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
  return (vul)vzip1q_u64((uint64x2_t)a, (uint64x2_t)b);
#else
  return (vul)_mm_unpacklo_epi64((__m128i)a, (__m128i)b);
#endif
}
PL_INLINE vul zip_high(vul a, vul b) {
#if PL_VEC == 64
  return (vul)_mm512_unpackhi_epi64((__m512i)a, (__m512i)b);
#elif PL_VEC == 32
  return (vul)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
  return (vul)vzip2q_u64((uint64x2_t)a, (uint64x2_t)b);
#else
  return (vul)_mm_unpackhi_epi64((__m128i)a, (__m128i)b);
#endif
}

// As many bytes as T has lanes, as those lanes' integers, and back (of values 0 to 255). GCC 12 takes
// __builtin_convertvector apart into single elements.
PL_INLINE void widen_bytes(const uint8_t* p, vi& out) {
#if PL_VEC == 64
  out = (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
#elif PL_VEC == 32
  out = (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
#else
  for (int i = 0; i < PL_VEC / 4; ++i) out[i] = p[i];
#endif
}
PL_INLINE void widen_bytes(const uint8_t* p, vl& out) {
#if PL_VEC == 64
  out = (vl)_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i*)p));
#elif PL_VEC == 32
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  out = (vl)_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
#else
  for (int i = 0; i < PL_VEC / 8; ++i) out[i] = p[i];
#endif
}
PL_INLINE void narrow_bytes(uint8_t* p, vi v) {
#if PL_VEC == 64
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8((__m512i)v));
#elif PL_VEC == 32
  const __m128i two =
      _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
  _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(two, two));
#else
  for (int i = 0; i < PL_VEC / 4; ++i) p[i] = static_cast<uint8_t>(v[i]);
#endif
}
PL_INLINE void narrow_bytes(uint8_t* p, vl v) {
#if PL_VEC == 64
  _mm_storel_epi64((__m128i*)p, _mm512_cvtepi64_epi8((__m512i)v));
#else
  for (int i = 0; i < PL_VEC / 8; ++i) p[i] = static_cast<uint8_t>(v[i]);
#endif
}

// Is any lane of a comparison's result set?
PL_INLINE bool any_(vi m) {
#if PL_VEC == 64
  return _mm512_test_epi32_mask((__m512i)m, (__m512i)m) != 0;
#elif PL_VEC == 32
  return _mm256_movemask_epi8((__m256i)m) != 0;
#elif defined(__aarch64__)
  return vmaxvq_u32((uint32x4_t)m) != 0;
#else
  return _mm_movemask_epi8((__m128i)m) != 0;
#endif
}
PL_INLINE bool any_(vl m) { return any_((vi)m); }

// p * 2^n for a whole n and p near 1, in two steps, of which only the second can round: results may be
// denormal.
PL_INLINE vf scale2_(vf p, vf n) {
#if PL_VEC == 64
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  const vf magic = 12582912.0f - vf{};  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
  vf a = n * 0.5f + magic, b = (n - (a - magic)) + magic;
  const vu one = (vu)(1.0f - vf{});
  return p * (vf)(((vu)a << 23) + one) * (vf)(((vu)b << 23) + one);
#endif
}
PL_INLINE vd scale2_(vd p, vd n) {
#if PL_VEC == 64
  return (vd)_mm512_scalef_pd((__m512d)p, (__m512d)n);
#else
  const vd magic = 6755399441055744.0 - vd{};  // 1.5 * 2^52
  vd a = n * 0.5 + magic, b = (n - (a - magic)) + magic;
  const vul one = (vul)(1.0 - vd{});
  return p * (vd)(((vul)a << 52) + one) * (vd)(((vul)b << 52) + one);
#endif
}

// The first n <= width elements; the other lanes are `fill` and are not written. Array ends go through the same vector
// formula as the rest, so that a value never depends on its place in the array.
#if PL_VEC == 32
// All ones in the first n lanes.
PL_INLINE vi first_lanes_4(int64_t n) { return vi{0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n; }
PL_INLINE vl first_lanes_8(int64_t n) { return vl{0, 1, 2, 3} < n; }
#endif
template <class T>
PL_INLINE vec<T> load_n(const T* p, int64_t n, vec<T> fill = vec<T>{}) {
#if PL_VEC == 64
  if constexpr (sizeof(T) == 4)
    return (vec<T>)_mm512_mask_loadu_ps((__m512)fill, (__mmask16)((1u << n) - 1), p);
  else
    return (vec<T>)_mm512_mask_loadu_pd((__m512d)fill, (__mmask8)((1u << n) - 1), p);
#elif PL_VEC == 32
  if constexpr (sizeof(T) == 4) {
    const vi m = first_lanes_4(n);
    return select(m, (vf)_mm256_maskload_ps(p, (__m256i)m), fill);
  } else {
    const vl m = first_lanes_8(n);
    return select(m, (vd)_mm256_maskload_pd(p, (__m256i)m), fill);
  }
#else
  for (int i = 0; i < width<T>; ++i)
    if (i < n) fill[i] = p[i];
  return fill;
#endif
}
template <class T>
PL_INLINE void store_n(T* p, vec<T> v, int64_t n) {
#if PL_VEC == 64
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
  else
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif PL_VEC == 32
  if constexpr (sizeof(T) == 4)
    _mm256_maskstore_ps(p, (__m256i)first_lanes_4(n), (__m256)v);
  else
    _mm256_maskstore_pd(p, (__m256i)first_lanes_8(n), (__m256d)v);
#else
  for (int i = 0; i < width<T>; ++i)
    if (i < n) p[i] = v[i];
#endif
}
// Past the caches; p at a multiple of PL_VEC bytes.
template <class T>
PL_INLINE void store_past(T* p, vec<T> v) {
#if PL_VEC == 64
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
#elif PL_VEC == 32
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
#elif defined(__x86_64__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
#else
  store(p, v);
#endif
}
// Such stores are not ordered with others: a task that made some ends with this.
PL_INLINE void fence_past() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace pl::PL_ISA
