// Stable radix sort of keys with their places: least significant byte first, a pass for each byte in which the keys
// differ. Serial: for what is too short to share.
#pragma once
#include <cstdint>

#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

struct KeyPlace {
  uint64_t key;
  int64_t place;
};

constexpr int64_t kRadixCounts = 8 * 256;

// Sorts n pairs by key; equal keys keep their order. Returns where the result is: `pairs` or `other`, both of n.
inline const KeyPlace* radix_sort(KeyPlace* pairs, KeyPlace* other, int64_t n, int64_t* counts) {
  __builtin_memset(counts, 0, kRadixCounts * sizeof(int64_t));
  uint64_t all = ~uint64_t{0}, any = 0;  // bits that are set in all keys, in any key
  for (int64_t i = 0; i < n; ++i) {
    all &= pairs[i].key;
    any |= pairs[i].key;
  }
  const uint64_t differ = all ^ any;
  for (int byte = 0; byte < 8; ++byte) {
    const int shift = 8 * byte;
    if (n < 2 || ((differ >> shift) & 255) == 0) continue;
    int64_t* count = counts + 256 * byte;
    for (int64_t i = 0; i < n; ++i) ++count[(pairs[i].key >> shift) & 255];
    int64_t at = 0;
    for (int b = 0; b < 256; ++b) {
      const int64_t here = count[b];
      count[b] = at;
      at += here;
    }
    for (int64_t i = 0; i < n; ++i) other[count[(pairs[i].key >> shift) & 255]++] = pairs[i];
    KeyPlace* swap = pairs;
    pairs = other;
    other = swap;
  }
  return pairs;
}

}  // namespace
}  // namespace pl::PL_ISA
