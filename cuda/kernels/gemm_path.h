// Which kernel does a matrix product, and how K is cut: a function of the arguments alone, so that a product has the
// same bits on every run, captured or not.
#pragma once
#include "kernels/linalg.h"

namespace pl::cuda {
namespace {

enum class GemmPath : uint8_t {
  dots,    // few rows or columns, the large operand's rows along K: bound by reading it once (gemm_thin.cuh)
  axpys,   // the same, its rows along the output
  small,   // C in tiles of 32 x 32 (gemm_simt.cuh)
  medium,  // 64 x 64
  large,   // 128 x 128
  tf32,    // 128 x 128 on tensor cores, float32 in three products of TF32 (gemm_tf32.cuh)
};

struct GemmPlan {
  GemmPath path;
  int splits;     // parts of K; their sums go to the workspace and are added up in order
  int64_t depth;  // steps of k in a part
};

constexpr int kThin = 4;               // rows or columns of a thin product
constexpr int64_t kFullMachine = 132;  // blocks that keep a large GPU busy
constexpr int64_t kSplitDepth = 128;   // steps of k that pay for a part
constexpr int64_t kTf32Depth = 128;    // below it the tensor cores wait for memory

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t blocks_of(int64_t n, int64_t block) { return (n + block - 1) / block; }
constexpr int64_t round_up(int64_t n, int64_t to) { return blocks_of(n, to) * to; }

constexpr int tile_size(GemmPath p) { return p == GemmPath::small ? 32 : p == GemmPath::medium ? 64 : 128; }

constexpr int64_t tiles_of(const GemmArgs& g, int64_t size) {
  return g.batch * blocks_of(g.m, size) * blocks_of(g.n, size);
}

constexpr GemmPlan whole(const GemmArgs& g, GemmPath path) { return {path, 1, g.k}; }

// K in parts of equal depth, so many that `blocks` of each fill the machine twice; whole steps of the tiles' depth.
constexpr GemmPlan split(const GemmArgs& g, GemmPath path, int64_t blocks) {
  const int64_t most = smaller(g.k / kSplitDepth, 2 * kFullMachine / larger(1, blocks));
  if (most <= 1) return whole(g, path);
  const int64_t depth = round_up(blocks_of(g.k, most), 32);
  return {path, static_cast<int>(blocks_of(g.k, depth)), depth};
}

constexpr GemmPlan path_of(const GemmArgs& g) {
  const bool is_float = g.dtype == DType::float32 || g.dtype == DType::float64;
  if (is_float && !g.symmetric && (g.m <= kThin || g.n <= kThin)) {
    const bool of_b = g.m <= kThin;  // is B the large operand?
    const bool dots = of_b ? g.trans_b : !g.trans_a;
    const int64_t outputs = of_b ? g.n : g.m;
    return dots ? split(g, GemmPath::dots, g.batch * blocks_of(outputs, 8))
                : split(g, GemmPath::axpys, g.batch * blocks_of(outputs, 128));
  }
  if (g.dtype == DType::float32 && tiles_of(g, 128) >= kFullMachine * 3 / 4)
    return whole(g, g.k >= kTf32Depth ? GemmPath::tf32 : GemmPath::large);
  const int64_t medium = tiles_of(g, 64);
  if (is_float && medium * larger(1, g.k / kSplitDepth) >= kFullMachine / 2)
    return split(g, GemmPath::medium, medium);
  if (is_float) return split(g, GemmPath::small, tiles_of(g, 32));
  return whole(g, medium >= kFullMachine / 2 ? GemmPath::medium : GemmPath::small);
}

// The sums of the parts: (splits, batch, M, N), rows without gaps.
constexpr int64_t partial_bytes(const GemmArgs& g, const GemmPlan& p) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0 || p.splits <= 1) return 0;
  return p.splits * g.batch * g.m * g.n * static_cast<int64_t>(itemsize(g.dtype));
}

}  // namespace
}  // namespace pl::cuda
