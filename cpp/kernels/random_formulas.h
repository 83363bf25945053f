// What becomes of random words, element by element. Shared by the CPU and CUDA.
#pragma once
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

// keep ? v : 0 as a mask of bits. The compiler makes a branch of the plain form, mispredicted half the time.
PL_INLINE float keep_if(bool keep, float v) {
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, v) & (0u - uint32_t{keep}));
}
PL_INLINE double keep_if(bool keep, double v) {
  return __builtin_bit_cast(double, __builtin_bit_cast(uint64_t, v) & (uint64_t{0} - uint64_t{keep}));
}

// What a word must reach for its element to be kept: word 2^-32 >= rate.
PL_INLINE uint32_t keep_from(double rate) {
  const double threshold = __builtin_ceil(rate * 0x1p32);
  return threshold >= 0x1p32 ? 0xffffffffu : static_cast<uint32_t>(threshold);
}

// (sqrt(2) erf^-1(x)) / t for x = erf(sqrt(2)) t, as a polynomial in v = -log(1 - x^2) - 1.2, |t| <= 1
template <class V>
PL_INLINE V truncated_ratio(V v) {
  if constexpr (sizeof(lane_of<V>) == 4)
    return polynomial(v, {1.58891723f, 0.336456065f, 0.00384983118f, -0.00307908701f, 0.000182518163f,
                          4.282528e-05f, -6.12446498e-06f});
  else
    return polynomial(
        v, {1.588917237680705, 0.3364562303463797, 0.0038496389129200638, -0.0030799975001332843,
            0.00018306070643416187, 4.407604785209909e-05, -6.650598585864982e-06, -4.9094539658968779e-07,
            1.7253924156917333e-07, 1.9513460993292054e-10, -3.8062655273601865e-09, 2.1782125617568127e-10,
            7.2166656009049964e-11, -7.8155436958170903e-12, -1.047287948367087e-12});
}
template <class V>
PL_INLINE V truncated_normal_(V u) {
  using T = lane_of<V>;
  const V t = u + u - T(1), x = t * T(0.9544997361036415856);
  const V z = t * truncated_ratio(T(-1.2) - log_((T(1) - x) * (T(1) + x)));
  return min_(max_(z, splat<V>(T(-2))), splat<V>(T(2)));
}

}  // namespace
}  // namespace pl::PL_ISA
