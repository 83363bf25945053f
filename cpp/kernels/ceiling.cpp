// Ceilings of the machine: multiply-adds a second, and bytes a second to and from memory.
//
// fma     acc_i = acc_i m + c, i < chains. No memory is touched. A core that starts 2 FMAs a cycle with 4 cycles of
//         latency needs 8 chains; 12 leave room for m and c among 16 registers.
// stream  copy, triad and in-place update over arrays much larger than the caches. Parallel over blocks of 1 MB, large
//         enough for the prefetchers and small enough to share out evenly.
#include "kernels/ceiling.h"

#include "core/parallel.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int kChains = 12;
constexpr int64_t kBlock = int64_t{1} << 18;

float fma_chunk(int64_t rounds, float multiplier, float addend) {
  const vf m = broadcast(multiplier), c = broadcast(addend);
  vf acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = broadcast(1.0f + 0.01f * static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = fma_(acc[i], m, c);
  }
  vf sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum += acc[i];
  float total = 0;
  for (int lane = 0; lane < width<float>; ++lane) total += sum[lane];
  return total;
}

int64_t fma(Stream, const FmaArgs& args) {
  parallel_for(
      args.chunks, 1,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          args.out[i] = fma_chunk(args.rounds, args.multiplier, args.addend);
      },
      false);
  return 2 * args.chunks * args.rounds * kChains * width<float>;
}

// a[i] = the value at i, by vectors over the blocks and one by one for what is left.
template <class VectorBody, class ScalarBody>
PL_INLINE void blocks(const StreamArgs& args, const VectorBody& vector, const ScalarBody& scalar) {
  float* const a = args.a;
  parallel_for(
      args.n, kBlock,
      [&](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + 4 * width<float> <= end; i += 4 * width<float>) {
          vf v[4];
#pragma GCC unroll 4
          for (int j = 0; j < 4; ++j) v[j] = vector(i + j * width<float>);
#pragma GCC unroll 4
          for (int j = 0; j < 4; ++j) store(a + i + j * width<float>, v[j]);
        }
        for (; i < end; ++i) a[i] = scalar(i);
      },
      false);
}

void copy(Stream, const StreamArgs& args) {
  const float* const b = args.b;
  blocks(args, [=](int64_t i) { return load(b + i); }, [=](int64_t i) { return b[i]; });
}

void triad(Stream, const StreamArgs& args) {
  const float *const b = args.b, *const c = args.c, scale = args.scale;
  const vf scales = broadcast(scale);
  blocks(
      args, [=](int64_t i) { return fma_(scales, load(c + i), load(b + i)); },
      [=](int64_t i) { return fma_(scale, c[i], b[i]); });
}

void update(Stream, const StreamArgs& args) {
  const float *const a = args.a, *const b = args.b, scale = args.scale;
  const vf scales = broadcast(scale);
  blocks(
      args, [=](int64_t i) { return fma_(scales, load(b + i), load(a + i)); },
      [=](int64_t i) { return fma_(scale, b[i], a[i]); });
}

}  // namespace

extern const CeilingKernels ceiling;
const CeilingKernels ceiling = {
    .fma = fma,
    .copy = copy,
    .triad = triad,
    .update = update,
};

}  // namespace pl::PL_ISA
