// Casts of one element. Shared by the CPU and CUDA.
#pragma once
#include "kernels/elements.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct limits;
template <>
struct limits<uint8_t> {
  static constexpr uint8_t low = 0, high = 255;
};
template <>
struct limits<int32_t> {
  static constexpr int32_t low = -2147483647 - 1, high = 2147483647;
};
template <>
struct limits<int64_t> {
  static constexpr int64_t low = -9223372036854775807 - 1, high = 9223372036854775807;
};

// Real to integer truncates and saturates, NaN gives 0; integers wrap around; to boolean is x != 0.
template <class From, class To>
PL_INLINE To cast(From x) {
  if constexpr (is_boolean<To>) {
    return To(x != From(0));
  } else if constexpr (is_boolean<From>) {
    return To(uint8_t(x));
  } else if constexpr (is_real<From> && !is_real<To>) {
    using L = limits<To>;
    const bool high = x >= From(L::high);  // may round up to a power of two, which is out of range too
    const bool low = x <= From(L::low);
    const bool outside = high | low | (x != x);
    const To inside = To(outside ? From(0) : x);
    return high ? L::high : low ? L::low : inside;
  } else {
    return To(x);
  }
}

}  // namespace
}  // namespace pl::PL_ISA
