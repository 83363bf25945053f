// op(A) and op(B) of a product rounded to bfloat16 (to nearest, ties to even), with k last: A (batch, M, depth),
// B (batch, N, depth), depth a multiple of 8 with zeros beyond K. So the tensor-core kernels see one layout only, on 16
// bytes, and read half of the bytes as often as they like; the pass is a small part of a product worth it.
//
// A block packs a square of 64 rows and 64 steps of k, of one operand. What lies along k in memory is read and written as
// it is; what lies along the rows is turned through shared memory.
#pragma once
#include "launch.h"

#include <cuda_bf16.h>

#include "gemm_path.h"
#include "kernels/linalg.h"

namespace pl::cuda {
namespace {

inline constexpr int kPackSquare = 64;

struct PackOperand {
  const float* from;
  int64_t ld, batch_stride;
  bool along_k;
  int64_t rows, batch;
  uint16_t* to;
};
struct PackArgs {
  PackOperand a, b;
  int64_t k, depth;
};
struct PackShared {
  float x[kPackSquare][kPackSquare + 1];  // [k][row]
};

struct alignas(16) Bf16Pack {
  uint16_t x[8];
};

inline int64_t pack_blocks(const PackOperand& o, int64_t depth) {
  return o.batch * blocks_of(o.rows, kPackSquare) * blocks_of(depth, kPackSquare);
}

__global__ void __launch_bounds__(kThreads) pack_bf16(PackArgs args, int64_t blocks_a) {
  constexpr int S = kPackSquare;
  auto& s = smem<PackShared>();
  const bool of_a = blockIdx.x < blocks_a;
  const PackOperand o = of_a ? args.a : args.b;
  const int64_t block = of_a ? blockIdx.x : blockIdx.x - blocks_a;
  const int64_t across = blocks_of(args.depth, S), down = blocks_of(o.rows, S);
  const int64_t k0 = block % across * S, row0 = block / across % down * S, batch = block / across / down;
  const float* const from = o.from + batch * o.batch_stride;
  uint16_t* const to = o.to + batch * o.rows * args.depth;
  const int thread = static_cast<int>(threadIdx.x);
  if (!o.along_k) {
#pragma unroll 8
    for (int q = thread; q < S * S; q += kThreads) {
      const int64_t k = k0 + q / S, row = row0 + q % S;
      s.x[q / S][q % S] = k < args.k && row < o.rows ? from[k * o.ld + row] : 0.0f;
    }
    __syncthreads();
  }
  const bool aligned = reinterpret_cast<uintptr_t>(from) % 16 == 0 && o.ld % 4 == 0;
#pragma unroll
  for (int q = thread; q < S * S / 8; q += kThreads) {
    const int in_k = q % (S / 8) * 8, in_row = q / (S / 8);
    const int64_t k = k0 + in_k, row = row0 + in_row;
    if (row >= o.rows || k >= args.depth) continue;
    float x[8];
    if (!o.along_k) {
#pragma unroll
      for (int e = 0; e < 8; ++e) x[e] = s.x[in_k + e][in_row];
    } else if (aligned && k + 8 <= args.k) {
      const float4 low = *reinterpret_cast<const float4*>(from + row * o.ld + k);
      const float4 high = *reinterpret_cast<const float4*>(from + row * o.ld + k + 4);
      x[0] = low.x, x[1] = low.y, x[2] = low.z, x[3] = low.w;
      x[4] = high.x, x[5] = high.y, x[6] = high.z, x[7] = high.w;
    } else {
#pragma unroll
      for (int e = 0; e < 8; ++e) x[e] = k + e < args.k ? from[row * o.ld + k + e] : 0.0f;
    }
    Bf16Pack y;
#pragma unroll
    for (int e = 0; e < 8; ++e) y.x[e] = __bfloat16_as_ushort(__float2bfloat16_rn(x[e]));
    *reinterpret_cast<Bf16Pack*>(to + row * args.depth + k) = y;
  }
}

}  // namespace
}  // namespace pl::cuda
