// Stable radix sort, least significant digit first, of keys that may carry their place. A pass counts the digits of
// each chunk, adds the counts up (digit by digit, chunk by chunk inside a digit), and moves the elements of each chunk
// to where its counts begin: both halves run in parallel over chunks, and the order does not depend on the threads.
// Passes in which all digits are the same move nothing.
//
// Digits have 8 bits, or 11 where the elements are many more than the 2048 counters.
#pragma once
#include "core/parallel.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

// What is sorted: a key alone, a key of 32 bits with a place below 2^32, a key of 64 bits with any place.
template <class K>
struct Key {
  using type = K;
  K key;
  PL_INLINE static Key make(K key, int64_t) { return {key}; }
};
struct PackedKey {
  using type = uint32_t;
  uint64_t bits;
  PL_INLINE static PackedKey make(uint32_t key, int64_t place) {
    return {static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(place)};
  }
};
struct KeyPlace {
  using type = uint64_t;
  uint64_t key;
  int64_t place;
  PL_INLINE static KeyPlace make(uint64_t key, int64_t place) { return {key, place}; }
};
template <class E>
PL_INLINE typename E::type key_of(const E& e) {
  return e.key;
}
PL_INLINE uint32_t key_of(const PackedKey& e) { return static_cast<uint32_t>(e.bits >> 32); }
PL_INLINE int64_t place_of(const PackedKey& e) { return static_cast<int64_t>(e.bits & 0xffffffffu); }
PL_INLINE int64_t place_of(const KeyPlace& e) { return e.place; }

constexpr int64_t kWideDigits = 1 << 14;  // elements from which digits have 11 bits
constexpr int64_t kChunkElements = 1 << 15;
constexpr int64_t kMostChunks = 16;

constexpr int64_t radix_chunks(int64_t n) {
  const int64_t chunks = n / kChunkElements;
  return chunks < 1 ? 1 : chunks > kMostChunks ? kMostChunks : chunks;
}
constexpr int64_t radix_counts(int64_t n) { return radix_chunks(n) * (n < kWideDigits ? 256 : 2048); }

template <int kBits, class E>
E* radix_passes(E* from, E* to, int64_t n, int64_t* counts) {
  constexpr int64_t kDigits = 1 << kBits;
  const int64_t chunks = radix_chunks(n), step = (n + chunks - 1) / chunks;
  auto end_of = [&](int64_t chunk) { return (chunk + 1) * step < n ? (chunk + 1) * step : n; };
  for (int shift = 0; shift < static_cast<int>(8 * sizeof(typename E::type)); shift += kBits) {
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        int64_t* count = counts + chunk * kDigits;
        __builtin_memset(count, 0, kDigits * sizeof(int64_t));
        const E* last = from + end_of(chunk);
        for (const E* e = from + chunk * step; e < last; ++e) ++count[(key_of(*e) >> shift) & (kDigits - 1)];
      }
    });
    int64_t at = 0, most = 0;
    for (int64_t digit = 0; digit < kDigits; ++digit) {
      const int64_t before = at;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t here = counts[chunk * kDigits + digit];
        counts[chunk * kDigits + digit] = at;
        at += here;
      }
      most = at - before > most ? at - before : most;
    }
    if (most == n) continue;
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        int64_t* count = counts + chunk * kDigits;
        const E* last = from + end_of(chunk);
        E* out = to;
        for (const E* e = from + chunk * step; e < last; ++e)
          out[count[(key_of(*e) >> shift) & (kDigits - 1)]++] = *e;
      }
    });
    E* swap = from;
    from = to;
    to = swap;
  }
  return from;
}

// Sorts n elements by key. The result is in `from` or in `to`, both of n: the return value says where. counts has
// radix_counts(n) elements.
template <class E>
E* radix_sort(E* from, E* to, int64_t n, int64_t* counts) {
  if (n < 2) return from;
  return n < kWideDigits ? radix_passes<8>(from, to, n, counts) : radix_passes<11>(from, to, n, counts);
}

}  // namespace
}  // namespace pl::PL_ISA
