// Neighbouring elements that are moved as one word of up to 16 bytes; what is longer takes several.
#pragma once
#include <cstring>

#include "launch.h"

namespace pl::cuda {
namespace {

template <int bytes>
struct alignas(bytes) Raw {
  uint32_t word[bytes / 4];
};
template <>
struct Raw<2> {
  uint16_t half;
};
template <>
struct Raw<1> {
  uint8_t byte;
};

// n neighbouring elements, moved as one word.
template <class T, int n>
struct Pack {
  T v[n];
  using Word = Raw<sizeof(T) * n>;
  __device__ __forceinline__ void load(const void* p) {
    const Word w = *static_cast<const Word*>(p);
    memcpy(v, &w, sizeof v);
  }
  __device__ __forceinline__ void store(void* p) const {
    Word w;
    memcpy(&w, v, sizeof v);
    *static_cast<Word*>(p) = w;
  }
};

// May packs of n elements of `size` bytes be taken from p?
inline bool is_aligned(const void* p, int64_t n, size_t size) {
  return reinterpret_cast<uintptr_t>(p) % (static_cast<uintptr_t>(n) * size) == 0;
}

}  // namespace
}  // namespace pl::cuda
