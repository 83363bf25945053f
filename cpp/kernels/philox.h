// Philox4x32-10 (Salmon et al. 2011), as words in memory order; random.h says what they are used for.
//
// One lane of 64 bits runs one counter, its four words in the low halves of four vectors; the high halves carry rubbish
// that no product reads. The lanes' counters are ordered so that two zips bring the words into memory order.
#pragma once
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr uint64_t kLow = 0xffffffffu;
constexpr int kPhiloxStep = PL_VEC / 2;  // words of one round over all lanes

// `count` words, those of the counters from `counter` on; count is a multiple of kPhiloxStep.
PL_INLINE void philox(uint64_t seed, uint64_t draw, uint64_t counter, int count, uint32_t* words) {
  constexpr int lanes = PL_VEC / 8;
  const vul m0 = uint64_t{0xD2511F53u} - vul{}, m1 = uint64_t{0xCD9E8D57u} - vul{};
  vul lane;
  for (int i = 0; i < lanes; ++i) lane[i] = static_cast<uint64_t>(i % 2 * (lanes / 2) + i / 2);
  for (int w = 0; w < count; w += 4 * lanes, counter += lanes) {
    const vul c = counter + lane;
    vul c0 = c, c1 = c >> 32, c2 = draw - vul{}, c3 = (draw >> 32) - vul{};
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const vul p0 = mul_wide(m0, c0), p1 = mul_wide(m1, c2);
      c0 = (p1 >> 32) ^ c1 ^ uint64_t{k0};
      c2 = (p0 >> 32) ^ c3 ^ uint64_t{k1};
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const vul a = (c0 & kLow) | (c1 << 32), b = (c2 & kLow) | (c3 << 32);
    *reinterpret_cast<vul*>(words + w) = zip_low(a, b);
    *reinterpret_cast<vul*>(words + w + 2 * lanes) = zip_high(a, b);
  }
}

}  // namespace
}  // namespace pl::PL_ISA
