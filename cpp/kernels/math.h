// Formulas written once, for vectors of float (vf) and double (vd) on the CPU and for plain float and double
// under CUDA, which is one more ISA here. Every function works lane by lane and branches on no lane, so a
// value never depends on its neighbours. Names end in _ to stay clear of <math.h>.
//
// The CPU's exp, expm1, log, log1p, tanh, sigmoid, ... are our own: range reduction and a minimax polynomial
// (Remez, relative error well below half an ulp) evaluated by Horner's rule through fma_. Against exact
// values they are within 4 ulp over the whole range, denormals and infinities included; NaN in gives NaN
// out. sin and cos hold that for float; double and the rare functions (each_lane) call the C library lane by
// lane.
#pragma once
#include <cmath>

#if defined(PL_CUDA)
#include <cuda_runtime.h>

#define PL_INLINE __host__ __device__ __forceinline__
#else
#include "kernels/simd.h"
#endif

namespace pl::PL_ISA {
namespace {

#if defined(PL_CUDA)

template <class V>
using lane_of = V;

PL_INLINE float select(bool m, float a, float b) { return m ? a : b; }
PL_INLINE double select(bool m, double a, double b) { return m ? a : b; }
PL_INLINE float fma_(float a, float b, float c) { return fmaf(a, b, c); }
PL_INLINE double fma_(double a, double b, double c) { return fma(a, b, c); }
template <class V>
PL_INLINE V splat(V x) {
  return x;
}
PL_INLINE float sqrt_(float x) { return sqrtf(x); }
PL_INLINE double sqrt_(double x) { return sqrt(x); }
PL_INLINE float abs_(float x) { return fabsf(x); }
PL_INLINE double abs_(double x) { return fabs(x); }
PL_INLINE float copysign_(float x, float s) { return copysignf(x, s); }
PL_INLINE double copysign_(double x, double s) { return copysign(x, s); }
PL_INLINE float round_(float x) { return rintf(x); }
PL_INLINE double round_(double x) { return rint(x); }
PL_INLINE float floor_(float x) { return floorf(x); }
PL_INLINE double floor_(double x) { return floor(x); }
PL_INLINE float ceil_(float x) { return ceilf(x); }
PL_INLINE double ceil_(double x) { return ceil(x); }
PL_INLINE float trunc_(float x) { return truncf(x); }
PL_INLINE double trunc_(double x) { return trunc(x); }
PL_INLINE float exp_(float x) { return expf(x); }
PL_INLINE double exp_(double x) { return exp(x); }
PL_INLINE float expm1_(float x) { return expm1f(x); }
PL_INLINE double expm1_(double x) { return expm1(x); }
PL_INLINE float log_(float x) { return logf(x); }
PL_INLINE double log_(double x) { return log(x); }
PL_INLINE float log1p_(float x) { return log1pf(x); }
PL_INLINE double log1p_(double x) { return log1p(x); }
PL_INLINE float log1p_unit_(float x) { return log1pf(x); }
PL_INLINE double log1p_unit_(double x) { return log1p(x); }
PL_INLINE float log2_(float x) { return log2f(x); }
PL_INLINE double log2_(double x) { return log2(x); }
PL_INLINE float log10_(float x) { return log10f(x); }
PL_INLINE double log10_(double x) { return log10(x); }
PL_INLINE float tanh_(float x) { return tanhf(x); }
PL_INLINE double tanh_(double x) { return tanh(x); }
PL_INLINE float sin_(float x) { return sinf(x); }
PL_INLINE double sin_(double x) { return sin(x); }
PL_INLINE float cos_(float x) { return cosf(x); }
PL_INLINE double cos_(double x) { return cos(x); }
PL_INLINE float erf_(float x) { return erff(x); }
PL_INLINE double erf_(double x) { return erf(x); }
PL_INLINE float erfc_(float x) { return erfcf(x); }
PL_INLINE double erfc_(double x) { return erfc(x); }
PL_INLINE float normal_cdf_(float x) { return normcdff(x); }
PL_INLINE double normal_cdf_(double x) { return normcdf(x); }

#else  // CPU vectors

template <class V>
using lane_of = decltype(+V{}[0]);

// What the bit tricks need to know of the two formats.
template <class T>
struct format;
template <>
struct format<float> {
  using bits = vu;
  static constexpr int mantissa = 23;
  static constexpr uint32_t sign = 0x80000000u, bias = 127, one = 0x3f800000u, sqrt_half = 0x3f3504f3u;
  static constexpr uint32_t two_mantissa = 0x4b000000u;  // 2^23 as a float
  static constexpr float magic = 12582912.0f;            // 1.5 * 2^23, rounds to whole numbers
  static constexpr float ln2_hi = 0.693359375f,
                         ln2_lo = -2.12194440e-4f;  // hi is short: whole multiples are exact
  static constexpr float log10_2_hi = 0.30078125f, log10_2_lo = 2.4874567e-4f;
  static constexpr float min_normal = 1.17549435e-38f, denormal_scale = 33554432.0f, denormal_shift = 25;
  static constexpr float exp_low = -105, exp_high = 89;  // beyond: 0 and infinity
  static constexpr float expm1_low = -20, tiny = 1e-9f;  // beyond: -1; f(x) = x
};
template <>
struct format<double> {
  using bits = vul;
  static constexpr int mantissa = 52;
  static constexpr uint64_t sign = 1ull << 63, bias = 1023, one = 0x3ff0000000000000u,
                            sqrt_half = 0x3fe6a09e667f3bcdu;
  static constexpr uint64_t two_mantissa = 0x4330000000000000u;
  static constexpr double magic = 6755399441055744.0;
  static constexpr double ln2_hi = 6.93147180369123816490e-01, ln2_lo = 1.90821492927058770002e-10;
  static constexpr double log10_2_hi = 0.3010299955494702, log10_2_lo = 1.1451100898021838e-10;
  static constexpr double min_normal = 2.2250738585072014e-308, denormal_scale = 18014398509481984.0,
                          denormal_shift = 54;
  static constexpr double exp_low = -747, exp_high = 710;
  static constexpr double expm1_low = -40, tiny = 1e-18;
};

// The same value in every lane of V.
template <class V>
PL_INLINE V splat(lane_of<V> x) {
  return x - V{};
}

template <class V>
PL_INLINE V abs_(V x) {
  using F = format<lane_of<V> >;
  return (V)((typename F::bits)x & ~F::sign);
}
// The size of x (not negative) with the sign of s.
template <class V>
PL_INLINE V copysign_(V x, V s) {
  using F = format<lane_of<V> >;
  using B = typename F::bits;
  return (V)(((B)x & ~F::sign) | ((B)s & F::sign));
}

// x rounded to a whole number: to even at halves, down, up, towards 0. The sign of a zero is x's.
template <class V>
PL_INLINE V round_(V x) {
  using T = lane_of<V>;
  constexpr T large = T(format<T>::magic / T(1.5));  // 2^mantissa: from here on all numbers are whole
  V size = abs_(x);
  return select(size < large, copysign_((size + large) - large, x), x);
}
template <class V>
PL_INLINE V floor_(V x) {
  using T = lane_of<V>;
  V whole = round_(x);
  return copysign_(select(whole > x, whole - T(1), whole), x);
}
template <class V>
PL_INLINE V ceil_(V x) {
  using T = lane_of<V>;
  V whole = round_(x);
  return copysign_(select(whole < x, whole + T(1), whole), x);
}
template <class V>
PL_INLINE V trunc_(V x) {
  return copysign_(floor_(abs_(x)), x);
}

PL_INLINE vf at_most(vf a, float limit) { return select(a > limit, splat<vf>(limit), a); }

// f(x) lane by lane: for the functions that are too rare to deserve a polynomial.
template <class V, class Fn>
PL_INLINE V each_lane(V x, Fn f) {
  using T = lane_of<V>;
  T lane[sizeof(V) / sizeof(T)];
  store<T>(lane, x);
  for (T& v : lane) v = f(v);
  return load<T>(lane);
}

// c[0] + c[1] x + ... by Horner's rule.
template <class V, class T, int N>
PL_INLINE V polynomial(V x, const T (&c)[N]) {
  V p = splat<V>(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i) p = fma_(p, x, splat<V>(c[i]));
  return p;
}

// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2
PL_INLINE vf exp_tail(vf r) {
  return polynomial(r, {0.5f, 0.16666666f, 0.0416663f, 0.008333499f, 0.0013944522f, 0.00019789286f});
}
PL_INLINE vd exp_tail(vd r) {
  return polynomial(
      r, {0.5, 0.16666666666666677, 0.04166666666666632, 0.00833333333332183, 0.0013888888889057856,
          0.00019841269885647133, 2.4801586984601264e-05, 2.755724465984027e-06, 2.7557562337825134e-07,
          2.5108891715258667e-08, 2.082633958001045e-09});
}

// x = n ln2 + r, |r| <= ln(2)/2, n whole
template <class V>
PL_INLINE V reduce_ln2(V x, V& n) {
  using T = lane_of<V>;
  using F = format<T>;
  n = fma_(x, splat<V>(T(1.44269504088896340736)), splat<V>(F::magic)) - F::magic;
  return fma_(n, splat<V>(-F::ln2_lo), fma_(n, splat<V>(-F::ln2_hi), x));
}

// e^(x + low), |low| small against 1
template <class V>
PL_INLINE V exp_sum_(V x, V low) {
  using T = lane_of<V>;
  using F = format<T>;
  x = select(x < F::exp_low, splat<V>(F::exp_low), x);
  x = select(x > F::exp_high, splat<V>(F::exp_high), x);
  V n, r = reduce_ln2(x, n) + low;
  return scale2_(fma_(r * r, exp_tail(r), r) + T(1), n);
}
template <class V>
PL_INLINE V exp_(V x) {
  using T = lane_of<V>;
  using F = format<T>;
  x = select(x < F::exp_low, splat<V>(F::exp_low), x);
  x = select(x > F::exp_high, splat<V>(F::exp_high), x);
  V n, r = reduce_ln2(x, n);
  return scale2_(fma_(r * r, exp_tail(r), r) + T(1), n);
}

// 2^n (e^r - 1) + (2^n - 1), halved on the way so that 2^n cannot overflow
template <class V>
PL_INLINE V expm1_(V x) {
  using T = lane_of<V>;
  using F = format<T>;
  using B = typename F::bits;
  V y = select(x < F::expm1_low, splat<V>(F::expm1_low), x);
  y = select(y > F::exp_high, splat<V>(F::exp_high), y);
  V n, r = reduce_ln2(y, n);
  V m = fma_(r * r, exp_tail(r), r);
  V half = (V)(((B)(n + (F::magic - 1)) << F::mantissa) + F::one);  // 2^(n-1)
  V e = fma_(half, m, half - T(0.5));
  return select(abs_(x) < F::tiny, x, e + e);
}

// e ln2 + log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2)
PL_INLINE vf log_reduced(vf f, vf e) {
  vf z = f * f;
  vf y = f * z *
         polynomial(f, {0.3333331f, -0.24999987f, 0.20002234f, -0.16669267f, 0.14218475f, -0.123839214f,
                        0.11874219f, -0.11793155f, 0.069162816f});
  y = fma_(z, splat<vf>(-0.5f), fma_(e, splat<vf>(format<float>::ln2_lo), y));
  return fma_(e, splat<vf>(format<float>::ln2_hi), f + y);
}
PL_INLINE vd log_reduced(vd f, vd e) {  // 2 atanh(s) with s = f / (2 + f)
  vd s = f / (f + 2.0), z = s * s, h = 0.5 * f * f;
  vd r =
      z * polynomial(z, {0.6666666666666666, 0.4000000000000601, 0.2857142856913908, 0.22222222640953643,
                         0.18181776012198622, 0.15387079499570266, 0.13250304253694511, 0.13250126466035927});
  vd low = fma_(s, h + r, e * format<double>::ln2_lo);
  return fma_(e, splat<vd>(format<double>::ln2_hi), f - (h - low));
}

// x = 2^e m with sqrt(1/2) <= m < sqrt(2), for normal x > 0
template <class V>
PL_INLINE V split_exponent(V x, V& e) {
  using F = format<lane_of<V> >;
  using B = typename F::bits;
  B b = (B)x + (F::one - F::sqrt_half);
  constexpr auto mask = (decltype(F::one)(1) << F::mantissa) - 1;
  constexpr auto offset = lane_of<V>((decltype(F::one)(1) << F::mantissa) + F::bias);
  e = (V)((b >> F::mantissa) | F::two_mantissa) - offset;
  return (V)((b & mask) + F::sqrt_half);
}
template <class V>
PL_INLINE V split_exponent_any(V x, V& e) {  // x > 0, also denormal
  using F = format<lane_of<V> >;
  auto small = x < F::min_normal;
  V m = split_exponent(select(small, x * F::denormal_scale, x), e);
  e = select(small, e - F::denormal_shift, e);
  return m;
}
// What a logarithm of x is outside (0, inf): -inf at 0, inf at inf, NaN below 0 and for NaN.
template <class V>
PL_INLINE V log_limits(V x, V y) {
  using T = lane_of<V>;
  const V inf = splat<V>(T(__builtin_inf())), nan = splat<V>(T(__builtin_nan("")));
  V outside = select(x > 0, x, select(x == 0, -inf, nan));
  return select((x > 0) & (x < inf), y, outside);
}

template <class V>
PL_INLINE V log_(V x) {
  V e, m = split_exponent_any(x, e);
  return log_limits(x, log_reduced(m - lane_of<V>(1), e));
}
template <class V>
PL_INLINE V log2_(V x) {  // exact at powers of two
  using T = lane_of<V>;
  V e, m = split_exponent_any(x, e);
  return log_limits(x, fma_(log_reduced(m - T(1), V{}), splat<V>(T(1.44269504088896340736)), e));
}
template <class V>
PL_INLINE V log10_(V x) {
  using T = lane_of<V>;
  using F = format<T>;
  V e, m = split_exponent_any(x, e);
  V y = fma_(e, splat<V>(F::log10_2_lo), log_reduced(m - T(1), V{}) * T(0.43429448190325182765));
  return log_limits(x, fma_(e, splat<V>(F::log10_2_hi), y));
}
// log(u) for u = 1 + x rounded, with the rounding error put back after the exponent is taken out
template <class V>
PL_INLINE V log1p_(V x) {
  using T = lane_of<V>;
  using F = format<T>;
  using B = typename F::bits;
  V u = x + T(1), t = u - T(1);
  V error = (T(1) - (u - t)) + (x - t);
  V e, m = split_exponent(u, e);
  V k = select(e > T(64), splat<V>(T(64)), e);  // the error no longer counts, and 2^-e must stay normal
  V f = fma_(error, (V)(((B)(F::magic - k) << F::mantissa) + F::one), m - T(1));
  return select(abs_(x) < F::tiny, x, log_limits(u, log_reduced(f, e)));
}

// log(1 + x) for x in [0, 1]: x, or (x - 1) / 2 with one more ln2, is in the polynomial's range as it is
template <class V>
PL_INLINE V log1p_unit_(V x) {
  using T = lane_of<V>;
  const auto high = x > T(0.41421356237309504880);
  return log_reduced(select(high, T(0.5) * x - T(0.5), x), select(high, splat<V>(T(1)), V{}));
}

// a P(a^2) / Q(a^2) for a = |x|, a rational minimax fit up to 9, from where on the result is 1. Within 6 ulp near 1.
PL_INLINE vf tanh_(vf x) {
  const vi far = abs_(x) > 9.02f;
  const vf one = splat<vf>(1.0f), a = select(far, one, abs_(x)), z = a * a;
  const vf p =
      polynomial(z, {1.0f, 0.136799149f, 0.00386832751f, 2.80074549e-05f, 3.05850156e-08f, -1.22034625e-11f});
  const vf q = polynomial(z, {1.0f, 0.470132469f, 0.0272458379f, 0.000393863073f, 1.28736636e-06f});
  const vf y = a * p / q;
  return copysign_(select(far | (y > 1.0f), one, y), x);
}
PL_INLINE vd tanh_(vd x) {
  const vd t = expm1_(abs_(x) * -2.0);
  return copysign_(-t / (t + 2.0), x);
}

// sin(r) and cos(r) for |r| <= pi/4
PL_INLINE vf sin_reduced(vf r) {
  vf z = r * r;
  return fma_(r * z, polynomial(z, {-0.16666655f, 0.008332176f, -0.00019516943f}), r);
}
PL_INLINE vf cos_reduced(vf r) {
  vf z = r * r;
  return fma_(z * z, polynomial(z, {0.041666646f, -0.0013887372f, 2.4438765e-05f}), 1.0f - 0.5f * z);
}
inline constexpr float kHalfPi[4] = {1.5706787109375f, 1.1761486530303955e-4f, 9.920313459588215e-10f,
                                     6.223372e-14f};
// sin(x + quarter pi/2). pi/2 is taken off in parts of 14 bits, whose multiples are exact for |x| <= limit.
PL_INLINE vf sin_quarter(vf x, int quarter) {
  vf n = fma_(x, splat<vf>(0.63661977f), splat<vf>(format<float>::magic)) - format<float>::magic;
  vf r = x - n * kHalfPi[0];
  r = r - n * kHalfPi[1];
  r = r - n * kHalfPi[2];
  r = r - n * kHalfPi[3];
  vu q = (vu)(n + format<float>::magic) + (uint32_t)quarter;
  vf y = select((vi)(q & 1u) != 0, cos_reduced(r), sin_reduced(r));
  return (vf)((vu)y ^ ((q & 2u) << 30));
}
inline constexpr float kSinLimit = 1600;
PL_INLINE vf sin_(vf x) {
  vf y = select(x == 0, x, sin_quarter(x, 0));
  vi far = ~(abs_(x) <= kSinLimit);
  if (__builtin_expect(any_(far), 0))
    y = select(far, each_lane(x, [](float v) { return __builtin_sinf(v); }), y);
  return y;
}
PL_INLINE vf cos_(vf x) {
  vf y = sin_quarter(x, 1);
  vi far = ~(abs_(x) <= kSinLimit);
  if (__builtin_expect(any_(far), 0))
    y = select(far, each_lane(x, [](float v) { return __builtin_cosf(v); }), y);
  return y;
}
PL_INLINE vd sin_(vd x) {
  return each_lane(x, [](double v) { return __builtin_sin(v); });
}
PL_INLINE vd cos_(vd x) {
  return each_lane(x, [](double v) { return __builtin_cos(v); });
}

// erf(x) / x - 1 for z = x^2 <= 1
PL_INLINE vf erf_ratio(vf z) {
  return polynomial(z, {0.12837917f, -0.37612626f, 0.11283584f, -0.026853766f, 0.0051882314f, -0.00080092653f,
                        7.850522e-05f});
}
// exp(y^2) erfc(y) for 0.95 <= y <= 10.2
PL_INLINE vf erfcx_tail(vf y) {
  vf t = 1.0f / (y + 2.0f);
  return t * polynomial((y - 2.0f) * t, {1.0215827f, -0.6871606f, 0.27947214f, -0.036445126f, -0.021509254f,
                                         0.006520517f, 0.003036307f, -0.0010066068f, -0.000322069f});
}
// exp(-scale a^2), a^2 in two parts: the first is exact
PL_INLINE vf exp_minus_square(vf a, float scale) {
  vf h = (vf)((vu)a & 0xfffff000u);
  return exp_sum_(h * h * -scale, (a - h) * (a + h) * -scale);
}

PL_INLINE vf erf_(vf x) {
  vf a = abs_(x), b = at_most(a, 5.0f);
  vf tail = 1.0f - exp_(-b * b) * erfcx_tail(b);
  return select(a < 1, fma_(x, erf_ratio(x * x), x), copysign_(tail, x));
}
PL_INLINE vf erfc_(vf x) {
  vf a = abs_(x), b = at_most(a, 10.2f);
  vf tail = exp_minus_square(b, 1.0f) * erfcx_tail(b);
  return select(a < 1, fma_(-x, erf_ratio(x * x), 1.0f - x), select(x < 0, 2.0f - tail, tail));
}
// The normal distribution function, erfc(-x / sqrt(2)) / 2, right in the left tail too.
PL_INLINE vf normal_cdf_(vf x) {
  vf y = x * 0.70710678f;
  vf b = at_most(abs_(x), 14.4f);
  vf tail = 0.5f * exp_minus_square(b, 0.5f) * erfcx_tail(b * 0.70710678f);
  vf middle = 0.5f * fma_(y, erf_ratio(y * y), 1.0f + y);
  return select(abs_(y) < 1, middle, select(x < 0, tail, 1.0f - tail));
}
PL_INLINE vd erf_(vd x) {
  return each_lane(x, [](double v) { return __builtin_erf(v); });
}
PL_INLINE vd erfc_(vd x) {
  return each_lane(x, [](double v) { return __builtin_erfc(v); });
}
PL_INLINE vd normal_cdf_(vd x) { return 0.5 * erfc_(x * -0.70710678118654752440); }

// One value, with the bits it would have as a lane of a vector.
PL_INLINE float sqrt_(float x) { return sqrt_(broadcast(x))[0]; }
PL_INLINE double sqrt_(double x) { return sqrt_(broadcast(x))[0]; }
PL_INLINE float exp_(float x) { return exp_(broadcast(x))[0]; }
PL_INLINE double exp_(double x) { return exp_(broadcast(x))[0]; }
PL_INLINE float expm1_(float x) { return expm1_(broadcast(x))[0]; }
PL_INLINE double expm1_(double x) { return expm1_(broadcast(x))[0]; }
PL_INLINE float log_(float x) { return log_(broadcast(x))[0]; }
PL_INLINE double log_(double x) { return log_(broadcast(x))[0]; }
PL_INLINE float log1p_(float x) { return log1p_(broadcast(x))[0]; }
PL_INLINE double log1p_(double x) { return log1p_(broadcast(x))[0]; }
PL_INLINE float tanh_(float x) { return tanh_(broadcast(x))[0]; }
PL_INLINE double tanh_(double x) { return tanh_(broadcast(x))[0]; }

#endif  // CPU vectors

// ---- shared by the CPU and CUDA ----

// NaN if either is NaN, as numpy.maximum.
template <class V>
PL_INLINE V max_(V a, V b) {
  return select((a > b) | (a != a), a, b);
}
template <class V>
PL_INLINE V min_(V a, V b) {
  return select((a < b) | (a != a), a, b);
}

// 1 / (1 + e^-x), with the exponential of a negative number only, so that neither tail overflows or loses
// digits.
template <class V>
PL_INLINE V sigmoid_(V x) {
  using T = lane_of<V>;
  V e = exp_(-abs_(x));
  return select(x < 0, e, splat<V>(T(1))) / (e + T(1));
}

// log(1 + e^x)
template <class V>
PL_INLINE V softplus_(V x) {
  return select(x > 0, x, V{}) + log1p_unit_(exp_(-abs_(x)));
}

// log(e^a + e^b)
template <class V>
PL_INLINE V logaddexp_(V a, V b) {
  using T = lane_of<V>;
  V y = max_(a, b) + log1p_unit_(exp_(-abs_(a - b)));
  return select(a == b, a + T(0.69314718055994530942), y);
}

// x times a weight that vanishes at -inf: 0 there, not NaN.
template <class V>
PL_INLINE V times_weight(V x, V weight) {
  using T = lane_of<V>;
  return select(x < T(-2000), splat<V>(T(-2000)), x) * weight;
}
template <class V>
PL_INLINE V silu_(V x) {
  return times_weight(x, sigmoid_(x));
}
template <class V>
PL_INLINE V gelu_(V x) {
  return times_weight(x, normal_cdf_(x));
}
// x (1 + tanh(u)) / 2 = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
template <class V>
PL_INLINE V gelu_tanh_(V x) {
  using T = lane_of<V>;
  V u = x * fma_(x * x, splat<V>(T(2 * 0.79788456080286535588 * 0.044715)),
                 splat<V>(T(2 * 0.79788456080286535588)));
  return times_weight(x, sigmoid_(u));
}

// The slopes of these three; x is bounded where its weight has vanished, so that no infinity meets a zero.
template <class V>
PL_INLINE V bounded(V x, lane_of<V> limit) {
  return select(x > limit, splat<V>(limit), select(x < -limit, splat<V>(-limit), x));
}
template <class V>
PL_INLINE V silu_slope_(V x) {
  using T = lane_of<V>;
  V s = sigmoid_(x);
  return s * fma_(bounded(x, T(2000)), T(1) - s, splat<V>(T(1)));
}
template <class V>
PL_INLINE V gelu_slope_(V x) {
  using T = lane_of<V>;
  V b = bounded(x, T(50));
  return fma_(b, exp_(b * b * T(-0.5)) * T(0.39894228040143267794), normal_cdf_(x));
}
// d/dx x sigmoid(2u) = s + x s (1 - s) 2u', s = sigmoid(2u)
template <class V>
PL_INLINE V gelu_tanh_slope_(V x) {
  using T = lane_of<V>;
  constexpr T c = T(2 * 0.79788456080286535588), k = T(2 * 0.79788456080286535588 * 0.044715);
  V b = bounded(x, T(50)), z = b * b;
  V s = sigmoid_(b * fma_(z, splat<V>(k), splat<V>(c)));
  return fma_(b * s * (T(1) - s), fma_(z, splat<V>(3 * k), splat<V>(c)), s);
}

template <class V>
PL_INLINE V relu_(V x) {  // NaN stays NaN
  return select(x < 0, V{}, x);
}
template <class V>
PL_INLINE V leaky_relu_(V x, lane_of<V> slope) {
  return select(x < 0, x * slope, x);
}
template <class V>
PL_INLINE V elu_(V x, lane_of<V> alpha) {
  return select(x < 0, expm1_(x) * alpha, x);
}
// Klambauer et al. 2017
template <class V>
PL_INLINE V selu_(V x) {
  using T = lane_of<V>;
  constexpr T scale = T(1.0507009873554804934), alpha = T(1.6732632423543772848);
  return select(x < 0, expm1_(x) * (scale * alpha), x * scale);
}
// clip(x / 6 + 1/2, 0, 1)
template <class V>
PL_INLINE V hard_sigmoid_(V x) {
  using T = lane_of<V>;
  V y = (x + T(3)) / T(6);
  y = select(y < 0, V{}, y);
  return select(y > T(1), splat<V>(T(1)), y);
}
// x / (1 + |x|)
template <class V>
PL_INLINE V softsign_(V x) {
  using T = lane_of<V>;
  V a = abs_(x);
  return select(a > T(1e30), copysign_(splat<V>(T(1)), x), x / (a + T(1)));
}

}  // namespace
}  // namespace pl::PL_ISA
