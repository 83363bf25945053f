// Multiply-add of the integers, which wrap around, and of bool, where it is or-of-ands, as in NumPy; shared by the CPU
// and CUDA.
#pragma once
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct Ring {
  using type = T;
  PL_INLINE static type multiply_add(type c, type a, type b) { return static_cast<type>(c + a * b); }
};
template <>
struct Ring<int32_t> {  // unsigned, so that overflow wraps
  using type = uint32_t;
  PL_INLINE static type multiply_add(type c, type a, type b) { return c + a * b; }
};
template <>
struct Ring<int64_t> {
  using type = uint64_t;
  PL_INLINE static type multiply_add(type c, type a, type b) { return c + a * b; }
};
template <>
struct Ring<bool> {
  using type = uint8_t;
  PL_INLINE static type multiply_add(type c, type a, type b) {
    return static_cast<type>((c != 0) | ((a != 0) & (b != 0)));
  }
};

}  // namespace
}  // namespace pl::PL_ISA
