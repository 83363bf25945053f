// The product with bfloat16 operands: both are packed into the workspace, then multiplied on the tensor cores.
#include "bf16_wgmma.cuh"
#include "kernels/bf16.h"

namespace pl::cuda {
namespace {

// mma.sync with tiles of 64 x 64 and 128 x 128; wgmma with tiles of 128 x 128 and 128 x 256.
enum class Bf16Path : uint8_t { small, large, hopper, hopper_wide };

struct Bf16Plan {
  Bf16Path path;
  int splits;
  int64_t part;   // steps of k in a part
  int64_t depth;  // of a packed row
  int64_t batches_a, batches_b;
  int64_t a_bytes, b_bytes, partial_bytes;
};

// Of the arguments and the architecture alone.
Bf16Plan bf16_path_of(const GemmArgs& g) {
  Bf16Plan p{};
  p.depth = round_up(g.k, 8);
  const int64_t tiles = tiles_of(g, 128), wide = g.batch * blocks_of(g.m, 128) * blocks_of(g.n, 256);
  const bool hopper = has_wgmma() && g.k > 0 && larger(g.m, g.n) * g.batch < int64_t{1} << 31;
  if (tiles < kFullMachine / 2)
    p.path = Bf16Path::small;
  else
    p.path = !hopper ? Bf16Path::large : wide >= kFullMachine ? Bf16Path::hopper_wide : Bf16Path::hopper;
  p.part = larger(p.depth, kBf16Step);
  if (p.path == Bf16Path::small) {
    const GemmPlan parts = split(g, GemmPath::medium, tiles_of(g, 64));
    if (parts.splits > 1) p.part = round_up(parts.depth, kBf16Step);
  }
  p.splits = static_cast<int>(larger(1, blocks_of(p.depth, p.part)));
  p.batches_a = g.batch_a == 0 ? 1 : g.batch;
  p.batches_b = g.batch_b == 0 ? 1 : g.batch;
  p.a_bytes = round_up(p.batches_a * g.m * p.depth * 2, 1024);
  p.b_bytes = round_up(p.batches_b * g.n * p.depth * 2, 1024);
  p.partial_bytes = p.splits > 1 ? p.splits * g.batch * g.m * g.n * 4 : 0;
  return p;
}

void gemm(Stream stream, const GemmArgs& args) {
  if (args.m <= 0 || args.n <= 0 || args.batch <= 0 || (args.k <= 0 && args.accumulate)) return;
  const Bf16Plan p = bf16_path_of(args);
  auto* const work = static_cast<unsigned char*>(args.work);
  auto* const a = reinterpret_cast<uint16_t*>(work);
  auto* const b = reinterpret_cast<uint16_t*>(work + p.a_bytes);
  GemmArgs g = args;
  g.dtype = DType::float32;
  g.symmetric = false;
  g.work = work + p.a_bytes + p.b_bytes;
  if (g.k > 0) {
    const PackArgs pack{{static_cast<const float*>(g.a), g.lda, g.batch_a, !g.trans_a, g.m, p.batches_a, a},
                        {static_cast<const float*>(g.b), g.ldb, g.batch_b, g.trans_b, g.n, p.batches_b, b},
                        g.k,
                        p.depth};
    const int64_t blocks_a = pack_blocks(pack.a, p.depth), blocks_b = pack_blocks(pack.b, p.depth);
    start(stream, pack_bf16, dim3(static_cast<unsigned>(blocks_a + blocks_b)), dim3(kThreads),
          sizeof(PackShared), pack, blocks_a);
  }
  const Bf16Operands o{a, b, p.depth, p.batches_a > 1 ? g.m * p.depth : 0,
                       p.batches_b > 1 ? g.n * p.depth : 0};
  switch (p.path) {
    case Bf16Path::small: start_bf16_mma<64>(stream, g, o, p.splits, p.part); break;
    case Bf16Path::large: start_bf16_mma<128>(stream, g, o, p.splits, p.part); break;
    case Bf16Path::hopper: start_wgmma<128>(stream, g, o); break;
    case Bf16Path::hopper_wide: start_wgmma<256>(stream, g, o); break;
  }
  if (p.splits > 1)
    start(stream, join_parts<float>, blocks_for(g.batch * g.m * g.n), dim3(kThreads), 0, g, p.splits);
}

int64_t gemm_workspace(const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.k <= 0 || g.batch <= 0) return 0;
  const Bf16Plan p = bf16_path_of(g);
  return p.a_bytes + p.b_bytes + p.partial_bytes;
}

}  // namespace

extern const Bf16Kernels bf16;
const Bf16Kernels bf16 = {.gemm = gemm, .gemm_workspace = gemm_workspace};

}  // namespace pl::cuda
