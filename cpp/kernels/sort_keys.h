// Elements as unsigned keys of the same order, NaN last, and back; the CPU and CUDA share them.
#pragma once
#include <cstring>

#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct keys;
template <>
struct keys<uint8_t> {
  using type = uint32_t;
  PL_INLINE static type of(uint8_t v, bool) { return v; }
  PL_INLINE static uint8_t value(type k) { return static_cast<uint8_t>(k); }
};
template <>
struct keys<int32_t> {
  using type = uint32_t;
  PL_INLINE static type of(int32_t v, bool) { return static_cast<uint32_t>(v) ^ 0x80000000u; }
  PL_INLINE static int32_t value(type k) { return static_cast<int32_t>(k ^ 0x80000000u); }
};
template <>
struct keys<int64_t> {
  using type = uint64_t;
  PL_INLINE static type of(int64_t v, bool) { return static_cast<uint64_t>(v) ^ 0x8000000000000000u; }
  PL_INLINE static int64_t value(type k) { return static_cast<int64_t>(k ^ 0x8000000000000000u); }
};
// Positive floats grow with their bits, negative ones shrink. -0 stays below 0 when only values are sorted, and is
// equal to it when positions are.
template <class F, class K, class S>
struct float_keys {
  using type = K;
  static constexpr K kTop = K(1) << (8 * sizeof(K) - 1);
  PL_INLINE static K of(F v, bool zeros_equal) {
    K bits;
    std::memcpy(&bits, &v, sizeof v);
    if (zeros_equal) bits = bits == kTop ? 0 : bits;
    const K sign = static_cast<K>(static_cast<S>(bits) >> (8 * sizeof(K) - 1));
    return v != v ? ~K(0) : bits ^ (sign | kTop);
  }
  PL_INLINE static F value(K k) {
    const K bits = k & kTop ? k ^ kTop : ~k;
    F v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
};
template <>
struct keys<float> : float_keys<float, uint32_t, int32_t> {};
template <>
struct keys<double> : float_keys<double, uint64_t, int64_t> {};

}  // namespace
}  // namespace pl::PL_ISA
