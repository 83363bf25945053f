// What CUDA C++ has beside C++: atomics, loads with a hint, arithmetic, conversions and bits. Overloads are those CUDA
// has, so that what compiles here compiles there.
#pragma once
#include <math.h>

#include <algorithm>
#include <bit>
#include <cfenv>
#include <climits>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "machine.h"

namespace emu {
template <class T, class... Of>
concept OneOf = (std::same_as<T, Of> || ...);
template <class T>
using as_given = std::type_identity_t<T>;
using ull = unsigned long long;

// Old value, new value stored.
template <class T, class F>
T change(T* p, F&& f) {
  const T old = *p;
  *p = f(old);
  return old;
}
// Integers wrap.
template <class T>
T wrapped_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
  else
    return a + b;
}
}  // namespace emu

// ---- atomics: nothing runs beside the thread

template <emu::OneOf<int, unsigned, emu::ull, float, double> T>
T atomicAdd(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return emu::wrapped_sum(old, v); });
}
template <emu::OneOf<int, unsigned> T>
T atomicSub(T* p, emu::as_given<T> v) {
  return emu::change(
      p, [&](T old) { return emu::wrapped_sum(old, static_cast<T>(0u - static_cast<unsigned>(v))); });
}
template <emu::OneOf<int, unsigned, emu::ull, float> T>
T atomicExch(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T) { return v; });
}
template <emu::OneOf<int, unsigned, emu::ull, long long> T>
T atomicMax(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return std::max(old, v); });
}
template <emu::OneOf<int, unsigned, emu::ull, long long> T>
T atomicMin(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return std::min(old, v); });
}
template <emu::OneOf<int, unsigned, emu::ull, unsigned short> T>
T atomicCAS(T* p, emu::as_given<T> expected, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return old == expected ? v : old; });
}
template <emu::OneOf<int, unsigned, emu::ull> T>
T atomicAnd(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return old & v; });
}
template <emu::OneOf<int, unsigned, emu::ull> T>
T atomicOr(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return old | v; });
}
template <emu::OneOf<int, unsigned, emu::ull> T>
T atomicXor(T* p, emu::as_given<T> v) {
  return emu::change(p, [&](T old) { return old ^ v; });
}
inline unsigned atomicInc(unsigned* p, unsigned last) {
  return emu::change(p, [&](unsigned old) { return old >= last ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* p, unsigned last) {
  return emu::change(p, [&](unsigned old) { return old == 0 || old > last ? last : old - 1; });
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) { emu::spin(); }
inline long long clock64() { return static_cast<long long>(emu::now()); }
[[noreturn]] inline void __trap() { emu::die("__trap()"); }

// ---- loads and stores with a hint

#define EMU_LOAD(name) \
  template <class T>   \
  T name(const T* p) { \
    return *p;         \
  }
EMU_LOAD(__ldg)
EMU_LOAD(__ldca)
EMU_LOAD(__ldcg)
EMU_LOAD(__ldcs)
EMU_LOAD(__ldlu)
EMU_LOAD(__ldcv)
#undef EMU_LOAD
#define EMU_STORE(name)                 \
  template <class T>                    \
  void name(T* p, emu::as_given<T> v) { \
    *p = v;                             \
  }
EMU_STORE(__stwb)
EMU_STORE(__stcg)
EMU_STORE(__stcs)
EMU_STORE(__stwt)
#undef EMU_STORE

// ---- bits

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(std::bit_cast<uint64_t>(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(std::bit_cast<uint64_t>(x)); }
inline double __hiloint2double(int high, int low) {
  return std::bit_cast<double>(uint64_t{static_cast<unsigned>(high)} << 32 | static_cast<unsigned>(low));
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(emu::ull x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<emu::ull>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1) << (31 - i);
  return r;
}
inline emu::ull __brevll(emu::ull x) {
  return emu::ull{__brev(static_cast<unsigned>(x))} << 32 | __brev(static_cast<unsigned>(x >> 32));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  unsigned r = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned s = selector >> 4 * i & 15, byte = static_cast<unsigned>(bytes >> 8 * (s & 7)) & 255;
    r |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * i;
  }
  return r;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) {
  return static_cast<unsigned>((uint64_t{high} << 32 | low) << (n & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) {
  return static_cast<unsigned>((uint64_t{high} << 32 | low) >> (n & 31));
}
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
inline int __mulhi(int a, int b) { return static_cast<int>(int64_t{a} * b >> 32); }
inline emu::ull __umul64hi(emu::ull a, emu::ull b) {
  return static_cast<emu::ull>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline long long __mul64hi(long long a, long long b) {
  return static_cast<long long>(static_cast<__int128>(a) * b >> 64);
}
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i) c += static_cast<int8_t>(a >> 8 * i) * static_cast<int8_t>(b >> 8 * i);
  return c;
}

// ---- arithmetic. What CUDA computes to a few ulp with the fast functions is computed as well as the C library does.

inline float __expf(float x) { return std::exp(x); }
inline float __exp10f(float x) { return std::pow(10.0f, x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __log10f(float x) { return std::log10(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __tanf(float x) { return std::tan(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rcbrtf(float x) { return 1.0f / std::cbrt(x); }
inline float normcdff(float x) { return 0.5f * std::erfc(-x * 0.70710678f); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }
inline float sinpif(float x) {
  return static_cast<float>(std::sin(3.14159265358979324 * std::fmod(double{x}, 2.0)));
}
inline float cospif(float x) {
  return static_cast<float>(std::cos(3.14159265358979324 * std::fmod(double{x}, 2.0)));
}
inline double sinpi(double x) { return std::sin(3.14159265358979324 * std::fmod(x, 2.0)); }
inline double cospi(double x) { return std::cos(3.14159265358979324 * std::fmod(x, 2.0)); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline void sincospi(double x, double* s, double* c) { *s = sinpi(x), *c = cospi(x); }
inline void __sincosf(float x, float* s, float* c) { *s = std::sin(x), *c = std::cos(x); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / std::sqrt(double{x})); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline double __drcp_rn(double x) { return 1.0 / x; }
inline double __dsqrt_rn(double x) { return std::sqrt(x); }

// ::min and ::max; of floats the one that is a number, as fmin and fmax.
template <class A, class B>
  requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return std::fmin(T(a), T(b));
  else
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B>
  requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return std::fmax(T(a), T(b));
  else
    return T(a) < T(b) ? T(b) : T(a);
}

// ---- conversions: NaN becomes 0 (of 64 bits: the most negative), what is out of range the nearest integer

namespace emu {
template <class I, class F>
I to_integer(F x) {
  if (x != x) return sizeof(I) == 8 ? I{1} << 63 : I{0};
  if (x >= static_cast<F>(std::numeric_limits<I>::max())) return std::numeric_limits<I>::max();
  if (x <= static_cast<F>(std::numeric_limits<I>::min())) return std::numeric_limits<I>::min();
  return static_cast<I>(x);
}
}  // namespace emu
#define EMU_CONVERT(F, from, I, to)                                                    \
  inline I __##from##2##to##_rn(F x) { return emu::to_integer<I>(std::nearbyint(x)); } \
  inline I __##from##2##to##_rz(F x) { return emu::to_integer<I>(std::trunc(x)); }     \
  inline I __##from##2##to##_rd(F x) { return emu::to_integer<I>(std::floor(x)); }     \
  inline I __##from##2##to##_ru(F x) { return emu::to_integer<I>(std::ceil(x)); }
EMU_CONVERT(float, float, int, int)
EMU_CONVERT(float, float, unsigned, uint)
EMU_CONVERT(float, float, long long, ll)
EMU_CONVERT(float, float, emu::ull, ull)
EMU_CONVERT(double, double, int, int)
EMU_CONVERT(double, double, unsigned, uint)
EMU_CONVERT(double, double, long long, ll)
EMU_CONVERT(double, double, emu::ull, ull)
#undef EMU_CONVERT
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(emu::ull x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }
inline double __ull2double_rn(emu::ull x) { return static_cast<double>(x); }
