// Results too large to be found in the caches again are stored past them: a line that is overwritten whole need not be
// read first, a third of the traffic of a copy.
#pragma once
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kPastBytes = 32 << 20;  // of a result, from which on it goes past

// May rows of so many bytes, `bytes` in all, be stored past the caches, all their vectors whole?
PL_INLINE bool rows_go_past(const void* out, int64_t bytes, int64_t row_bytes) {
  return bytes >= kPastBytes &&
         (reinterpret_cast<uintptr_t>(out) | static_cast<uintptr_t>(row_bytes)) % PL_VEC == 0;
}

template <class T>
struct Past {
  PL_INLINE vec<T> get(const T* p) const { return load(p); }
  PL_INLINE void put(T* p, vec<T> v) const { store_past(p, v); }
};
// step(i, part) for the elements from `from` to `to` of a result at out: part.put(out + i, …) goes past the caches.
template <class T, class Step>
PL_INLINE void each_vector_past(const T* out, int64_t from, int64_t to, const Step& step) {
  int64_t i = from;
  const auto skew = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out + i) % PL_VEC / sizeof(T));
  if (skew && i < to) {
    const int64_t n = width<T> - skew < to - i ? width<T> - skew : to - i;
    step(i, Part<T>{n});
    i += n;
  }
  for (; i + width<T> <= to; i += width<T>) step(i, Past<T>{});
  if (i < to) step(i, Part<T>{to - i});
}

}  // namespace
}  // namespace pl::PL_ISA
