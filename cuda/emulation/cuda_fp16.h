// IEEE half precision.
#pragma once
#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace emu {
inline float half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                     : exponent     ? std::ldexp(static_cast<float>(fraction + 1024), exponent - 25)
                                    : std::ldexp(static_cast<float>(fraction), -24);
  return h & 0x8000 ? -size : size;
}
inline uint16_t half_bits(float x) {  // to nearest, ties to even
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const float size = std::fabs(x);
  if (x != x) return 0x7FFF;
  if (size >= 65520.0f) return sign | 0x7C00;
  if (size < 6.103515625e-05f)
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(size, 24)));  // subnormal
  int exponent;
  const float fraction =
      std::frexp(size, &exponent);  // in [0.5, 1); rounding up to 2048 carries into the exponent
  return static_cast<uint16_t>(sign + ((exponent + 13) << 10) +
                               static_cast<int>(std::nearbyint(std::ldexp(fraction, 11))));
}
}  // namespace emu

struct __half_raw {
  unsigned short x;
};
struct __half {
  __half() = default;
  __half(float x) : bits(emu::half_bits(x)) {}
  __half(double x) : bits(emu::half_bits(static_cast<float>(x))) {}
  __half(int x) : bits(emu::half_bits(static_cast<float>(x))) {}
  __half(__half_raw raw) : bits(raw.x) {}
  operator float() const { return emu::half_value(bits); }
  operator __half_raw() const { return {bits}; }

 private:
  uint16_t bits;
};
struct alignas(4) __half2 {
  __half x, y;
};
using half = __half;
using half2 = __half2;

inline float __half2float(__half x) { return x; }
inline __half __float2half(float x) { return x; }
inline __half __float2half_rn(float x) { return x; }
inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
inline __half2 __float22half2_rn(float2 v) { return {v.x, v.y}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
inline unsigned short __half_as_ushort(__half x) { return std::bit_cast<unsigned short>(x); }
inline __half __ushort_as_half(unsigned short x) { return std::bit_cast<__half>(x); }
