// C = act(op(A) op(B) + bias + residual) by fused multiply-adds, any element type.
//
// A block of 256 threads computes a square tile of C, 128, 64 or 32 wide, and walks K in steps of D; the next tile of
// the operands is on its way from memory while the block multiplies (gemm_common.cuh), in two buffers with one barrier a
// step. Eight warps lie 4 x 2 over the tile, the lanes of a warp 4 x 8, and a thread holds a square of sums in registers
// in groups of one pack: 8 x 8 of float read 16 values from shared memory for 64 multiply-adds, where a warp's reads of
// A are 4 and those of B 8 neighbouring packs, without bank conflicts. The sums leave through shared memory, a quarter
// of the rows at a time, so that C is written in whole lines and the code of the activations exists once.
// Every element is summed in the order of k, whatever the tile.
#pragma once
#include "gemm_common.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kGemmThreads = 256;

template <class T, int S, int D>
union SimtShared {
  using Stage = Staged<T, S, D, kGemmThreads>;
  struct {
    T a[2][D][Stage::kStride], b[2][D][Stage::kStride];
  } in;
  T out[S / 4][S + 1];
};

template <class R, int S, int D>
struct Simt {
  using T = typename R::type;
  using Shared = SimtShared<T, S, D>;
  using Stage = typename Shared::Stage;
  static constexpr int kRows = S / 16, kColumns = S / 16;  // of a thread
  static constexpr int G = kRows < kPack<T> ? kRows : kPack<T>;

  // Of sum r of a thread, in the tile.
  __device__ __forceinline__ static int row_of(int r) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    return warp / 2 * (S / 4) + r / G * (4 * G) + lane / 8 * G + r % G;
  }
  __device__ __forceinline__ static int column_of(int r) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    return warp % 2 * (S / 2) + r / G * (8 * G) + lane % 8 * G + r % G;
  }

  __device__ __forceinline__ static void multiply(const T (&a)[D][Stage::kStride],
                                                  const T (&b)[D][Stage::kStride],
                                                  T (&sum)[kRows][kColumns]) {
    struct alignas(sizeof(T) * G) Group {
      T x[G];
    };
#pragma unroll
    for (int k = 0; k < D; ++k) {
      Group x[kRows / G], y[kColumns / G];
#pragma unroll
      for (int r = 0; r < kRows / G; ++r) x[r] = *reinterpret_cast<const Group*>(&a[k][row_of(r * G)]);
#pragma unroll
      for (int r = 0; r < kColumns / G; ++r) y[r] = *reinterpret_cast<const Group*>(&b[k][column_of(r * G)]);
#pragma unroll
      for (int r = 0; r < kRows; ++r)
#pragma unroll
        for (int c = 0; c < kColumns; ++c)
          sum[r][c] = R::multiply_add(sum[r][c], x[r / G].x[r % G], y[c / G].x[c % G]);
    }
  }

  // The sums of the tile at row i0 and column j0 over k in [k0, k1).
  __device__ __forceinline__ static void run(Shared& s, const GemmArgs& g, int64_t batch, int64_t i0,
                                             int64_t j0, int64_t k0, int64_t k1, T (&sum)[kRows][kColumns]) {
    const T* const a = static_cast<const T*>(g.a) + batch * g.batch_a;
    const T* const b = static_cast<const T*>(g.b) + batch * g.batch_b;
    const bool a_aligned = packs_aligned(a, g.lda), b_aligned = packs_aligned(b, g.ldb);
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int c = 0; c < kColumns; ++c) sum[r][c] = T{};
    if (k0 >= k1) return;
    Stage at, bt;
    at.fetch(a, g.lda, !g.trans_a, a_aligned, i0, g.m, k0, k1);
    bt.fetch(b, g.ldb, g.trans_b, b_aligned, j0, g.n, k0, k1);
    at.put(s.in.a[0], !g.trans_a);
    bt.put(s.in.b[0], g.trans_b);
    __syncthreads();
    int now = 0;
    for (int64_t k = k0; k < k1; k += D, now ^= 1) {
      const bool more = k + D < k1;
      if (more) {
        at.fetch(a, g.lda, !g.trans_a, a_aligned, i0, g.m, k + D, k1);
        bt.fetch(b, g.ldb, g.trans_b, b_aligned, j0, g.n, k + D, k1);
      }
      multiply(s.in.a[now], s.in.b[now], sum);
      if (more) {
        at.put(s.in.a[now ^ 1], !g.trans_a);
        bt.put(s.in.b[now ^ 1], g.trans_b);
      }
      __syncthreads();
    }
  }

  // To C by way of shared memory.
  __device__ __forceinline__ static void write(Shared& s, const GemmArgs& g, const Target<T>& t, int64_t i0,
                                               int64_t j0, const T (&sum)[kRows][kColumns]) {
    const int warp_row = static_cast<int>(threadIdx.x) / (2 * kWarp);
#pragma unroll 1
    for (int q = 0; q < 4; ++q) {
      if (warp_row == q) {
#pragma unroll
        for (int r = 0; r < kRows; ++r)
#pragma unroll
          for (int c = 0; c < kColumns; ++c) s.out[row_of(r) - q * (S / 4)][column_of(c)] = sum[r][c];
      }
      __syncthreads();
      write_rows<R, S / 4, S, kGemmThreads>(t, s.out, i0 + q * (S / 4), j0, g.m, g.n);
      __syncthreads();
    }
  }
};

template <class R, int S, int D>
__global__ void __launch_bounds__(kGemmThreads, S == 128 ? 2 : 1)
    simt_gemm(GemmArgs g, int splits, int64_t depth) {
  using K = Simt<R, S, D>;
  auto& s = smem<typename K::Shared>();
  const Place p = place_of(blockIdx.x, blocks_of(g.m, S), blocks_of(g.n, S), g.batch);
  const int64_t i0 = p.row * S, j0 = p.column * S, k0 = p.split * depth;
  if (g.symmetric && j0 + S <= i0) return;  // below the diagonal
  typename R::type sum[K::kRows][K::kColumns];
  K::run(s, g, p.batch, i0, j0, k0, smaller(k0 + depth, g.k), sum);
  K::write(s, g, target_of<typename R::type>(g, splits, p.batch, p.split), i0, j0, sum);
}

template <class R, int S, int D>
void start_simt(Stream stream, const GemmArgs& g, const GemmPlan& plan) {
  const dim3 grid(static_cast<unsigned>(tiles_of(g, S) * plan.splits));
  start(stream, simt_gemm<R, S, D>, grid, dim3(kGemmThreads), sizeof(SimtShared<typename R::type, S, D>), g,
        plan.splits, plan.depth);
}

}  // namespace
}  // namespace pl::cuda
