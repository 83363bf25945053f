// The bfloat16 product with TMA and wgmma (sm_90a) on packed operands (bf16_pack.cuh).
//
// As many blocks as the machine has multiprocessors walk over the tiles of C, 128 x Wide each. One warpgroup of a block
// only copies: a thread keeps a ring of four stages full, each 64 steps of k of both operands, by TMA, which swizzles the
// rows of 128 bytes and fills with zeros what lies outside. Two warpgroups multiply, 64 rows each: the sums, 64 x Wide
// float32, are in registers, of which they take those that the first gives up. A stage is free again once all eight
// warps have multiplied it, one product later, so that the tensor cores never wait for the hand-over; while a tile's sums
// leave through shared memory, the copies of the next tile are under way. Neighbouring blocks have neighbouring tiles
// (place_of), whose operands they find in the second-level cache.
#pragma once
#include "bf16_mma.cuh"
#include "ptx.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kWgmmaHigh = 128, kWgmmaStages = 4, kWgmmaThreads = 3 * 128;
inline constexpr int kWgmmaOut = 32;  // columns that leave at a time

template <int Wide>
struct alignas(1024) WgmmaShared {
  uint16_t a[kWgmmaStages][kWgmmaHigh][kBf16Step], b[kWgmmaStages][Wide][kBf16Step];
  float out[2][64][kWgmmaOut + 4];  // of a warpgroup
  uint64_t full[kWgmmaStages], empty[kWgmmaStages];
};

struct WgmmaShape {
  int64_t tiles, rows, columns;  // rows and columns of tiles
  int steps;                     // of k, of a tile
  int64_t rows_a, rows_b;        // of a packed matrix, or 0 where all products share it
};

// Where the ring is: stage and parity of a count of stages used.
struct Ring4 {
  int stage = 0;
  uint32_t parity = 0;
  __device__ __forceinline__ void next() {
    stage = (stage + 1) % kWgmmaStages;
    parity ^= stage == 0;
  }
};

template <int Wide>
__device__ __forceinline__ void wgmma_copy(WgmmaShared<Wide>& s, const CUtensorMap& map_a,
                                           const CUtensorMap& map_b, const GemmArgs& g,
                                           const WgmmaShape& shape) {
  Ring4 at;
  for (int64_t tile = blockIdx.x; tile < shape.tiles; tile += gridDim.x) {
    const Place p = place_of(tile, shape.rows, shape.columns, g.batch);
    const int row_a = static_cast<int>(p.batch * shape.rows_a + p.row * kWgmmaHigh);
    const int row_b = static_cast<int>(p.batch * shape.rows_b + p.column * Wide);
    for (int step = 0; step < shape.steps; ++step, at.next()) {
      mbarrier_wait(&s.empty[at.stage], at.parity ^ 1);
      mbarrier_expect(&s.full[at.stage], (kWgmmaHigh + Wide) * kBf16Step * 2);
      tma_load(s.a[at.stage], map_a, &s.full[at.stage], step * kBf16Step, row_a);
      tma_load(s.b[at.stage], map_b, &s.full[at.stage], step * kBf16Step, row_b);
    }
  }
}

template <int Wide>
__device__ __forceinline__ void wgmma_multiply(WgmmaShared<Wide>& s, const GemmArgs& g,
                                               const WgmmaShape& shape, int consumer) {
  const int thread = static_cast<int>(threadIdx.x) % 128, lane = thread % kWarp;
  Ring4 at;
  for (int64_t tile = blockIdx.x; tile < shape.tiles; tile += gridDim.x) {
    float sum[Wide / 2];
    int before = -1;  // the stage that is still multiplied
    for (int step = 0; step < shape.steps; ++step, at.next()) {
      mbarrier_wait(&s.full[at.stage], at.parity);
      const uint16_t *const a = s.a[at.stage][consumer * 64], *const b = s.b[at.stage][0];
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < kBf16Step / 16; ++k)
        wgmma_bf16<Wide>(sum, wgmma_descriptor(a + k * 16), wgmma_descriptor(b + k * 16), step > 0 || k > 0);
      wgmma_commit();
      wgmma_wait<1>();
      if (before >= 0 && lane == 0) mbarrier_arrive(&s.empty[before]);
      before = at.stage;
    }
    wgmma_wait<0>();
    if (lane == 0) mbarrier_arrive(&s.empty[before]);

    const Place p = place_of(tile, shape.rows, shape.columns, g.batch);
    const Target<float> target = target_of<float>(g, 1, p.batch, 0);
    auto& out = s.out[consumer];
    const int row = thread / kWarp * 16 + lane / 4, column = lane % 4 * 2;
#pragma unroll 1
    for (int j0 = 0; j0 < Wide; j0 += kWgmmaOut) {
#pragma unroll
      for (int j = 0; j < Wide; j += 8) {
        if (j / kWgmmaOut * kWgmmaOut != j0) continue;
#pragma unroll
        for (int e = 0; e < 4; ++e) out[row + e / 2 * 8][j % kWgmmaOut + column + e % 2] = sum[j / 2 + e];
      }
      barrier_sync(1 + consumer, 128);
      write_rows<Field<float>, 64, kWgmmaOut, 128>(target, out, p.row * kWgmmaHigh + consumer * 64,
                                                   p.column * Wide + j0, g.m, g.n, thread);
      barrier_sync(1 + consumer, 128);
    }
  }
}

template <int Wide>
__global__ void __launch_bounds__(kWgmmaThreads, 1)
    wgmma_gemm(PL_TENSOR_MAP map_a, PL_TENSOR_MAP map_b, GemmArgs g, WgmmaShape shape) {
#if defined(PL_EMU) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  auto& s = smem<WgmmaShared<Wide>>();
  if (threadIdx.x == 0) {
    tma_prefetch(map_a);
    tma_prefetch(map_b);
    for (int i = 0; i < kWgmmaStages; ++i) {
      mbarrier_init(&s.full[i], 1);
      mbarrier_init(&s.empty[i], 8);
    }
    mbarrier_fence_init();
  }
  __syncthreads();
  const int group = static_cast<int>(threadIdx.x) / 128;
  if (group == 0) {
    give_registers<24>();
    if (threadIdx.x == 0) wgmma_copy(s, map_a, map_b, g, shape);
  } else {
    take_registers<240>();
    wgmma_multiply(s, g, shape, group - 1);
  }
#endif
}

inline bool has_wgmma() {
  static const bool has = [] {
    int device = 0, major = 0;
    note_error(cudaGetDevice(&device));
    note_error(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    return major == 9;
  }();
  return has;
}

// Packed rows as an array of (rows, depth), read in boxes of `box` rows and 64 steps.
inline CUtensorMap packed_map(const uint16_t* p, int64_t depth, int64_t rows, int box) {
  CUtensorMap map{};
  const uint64_t size[] = {static_cast<uint64_t>(depth), static_cast<uint64_t>(rows)};
  const uint64_t strides[] = {static_cast<uint64_t>(depth) * 2};
  const uint32_t boxes[] = {kBf16Step, static_cast<uint32_t>(box)};
  note_error(make_tensor_map(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, p, size, strides, boxes,
                             CU_TENSOR_MAP_SWIZZLE_128B));
  return map;
}

template <int Wide>
void start_wgmma(Stream stream, const GemmArgs& g, const Bf16Operands& o) {
  const int64_t rows = blocks_of(g.m, kWgmmaHigh), columns = blocks_of(g.n, Wide),
                tiles = rows * columns * g.batch;
  const WgmmaShape shape{tiles,
                         rows,
                         columns,
                         static_cast<int>(blocks_of(o.depth, kBf16Step)),
                         o.batch_a > 0 ? g.m : 0,
                         o.batch_b > 0 ? g.n : 0};
  const CUtensorMap map_a = packed_map(o.a, o.depth, o.batch_a > 0 ? g.batch * g.m : g.m, kWgmmaHigh);
  const CUtensorMap map_b = packed_map(o.b, o.depth, o.batch_b > 0 ? g.batch * g.n : g.n, Wide);
  start(stream, wgmma_gemm<Wide>, dim3(static_cast<unsigned>(smaller(tiles, multiprocessors()))),
        dim3(kWgmmaThreads), sizeof(WgmmaShared<Wide>), map_a, map_b, g, shape);
}

}  // namespace
}  // namespace pl::cuda
