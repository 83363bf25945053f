// Neighbouring elements read and written at once: 16 bytes where they are aligned, else one.
#pragma once
#include <cstdint>

#include "kernels/math.h"
#include "launch.h"

namespace pl::cuda {
namespace {

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};
template <class T>
inline constexpr int kPack = 16 / int{sizeof(T)};

template <int N, class T>
PL_INLINE Pack<T, N> load(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}
template <class T, int N>
PL_INLINE void store(T* p, Pack<T, N> v) {
  *reinterpret_cast<Pack<T, N>*>(p) = v;
}

inline bool aligned(const void* p) { return (reinterpret_cast<uintptr_t>(p) & 15) == 0; }

// f(std::integral_constant<int, N>{}): N elements at a time where a row of n elements, and the arrays, allow it.
template <class T, class F, class... P>
void with_pack(int64_t n, F&& f, P... arrays) {
  if (n % kPack<T> == 0 && (aligned(arrays) && ...))
    f(std::integral_constant<int, kPack<T>>{});
  else
    f(std::integral_constant<int, 1>{});
}

// n / d without a division, 0 <= n < 2^63: with 2^(l-1) < d <= 2^l and m = floor(2^(63+l) / d) + 1, which is less than
// 2^64, the error n (m d - 2^(63+l)) is less than 2^(63+l) (Granlund and Montgomery 1994).
struct Divisor {
  uint64_t m;
  int64_t d;
  int shift;

  Divisor() = default;
  explicit Divisor(int64_t by) : m(0), d(by), shift(0) {
    if (by <= 1) return;
    while ((int64_t{1} << shift) < by) ++shift;
    m = static_cast<uint64_t>((static_cast<unsigned __int128>(1) << (63 + shift)) /
                              static_cast<uint64_t>(by)) +
        1;
    --shift;
  }
  __device__ __forceinline__ int64_t divide(int64_t n) const {
    return m == 0 ? n : static_cast<int64_t>(__umul64hi(static_cast<uint64_t>(n), m) >> shift);
  }
};

// Element i of an array (.., h, w, c) in packs of N along c.
struct Place {
  int64_t image, h, w, c;
};
template <int N>
struct Places {
  Divisor packs, w, h;
  Places(int64_t h, int64_t w, int64_t c) : packs(c / N), w(w), h(h) {}
  __device__ __forceinline__ Place at(int64_t i) const {
    const int64_t pixel = packs.divide(i), row = w.divide(pixel), image = h.divide(row);
    return {image, row - image * h.d, pixel - row * w.d, (i - pixel * packs.d) * N};
  }
};

}  // namespace
}  // namespace pl::cuda
