// Philox4x32-10 (Salmon et al. 2011), one counter at a time; random.h says what its words are used for.
#pragma once
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

namespace pl::cuda {
namespace {

// Four words in memory order: those of elements 4 counter to 4 counter + 3.
struct PhiloxWords {
  uint32_t of[4];
};
__device__ __forceinline__ PhiloxWords philox(uint64_t seed, uint64_t draw, uint64_t counter) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = static_cast<uint32_t>(draw), c3 = static_cast<uint32_t>(draw >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// What a word must reach for its element to be kept: word 2^-32 >= rate.
inline uint32_t keep_from(double rate) {
  const double threshold = std::ceil(rate * 0x1p32);
  return threshold >= 0x1p32 ? 0xffffffffu : static_cast<uint32_t>(threshold);
}

}  // namespace
}  // namespace pl::cuda
