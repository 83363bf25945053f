// Products with few rows or columns (V of them, at most kThin): bound by the reading of one matrix X, once.
//
// dots   out[v][j] = sum_p X[j][p] x[v][p]   X's rows along K: a warp for a row, its lanes along K in packs
// axpys  out[v][j] = sum_p X[p][j] x[v][p]   X's rows along the output: a warp for a pack of columns a lane, the warps of
//                                            a block take the steps of k in turn
// Blocks over outputs, parts of K and the batch. A warp's sums are added up over its lanes in a fixed order.
#pragma once
#include "gemm_common.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kThinWarps = kThreads / kWarp;

template <class T>
struct Thin {
  int64_t outputs;
  const T* x;  // the matrix
  int64_t ldx;
  const T* v;  // the vectors: element p of vector i at v[i*v_row + p*v_step]
  int64_t v_row, v_step;
  bool of_b;  // the outputs are columns of C, else rows
  Target<T> target;

  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum) const {
    const int64_t row = of_b ? i : j, column = of_b ? j : i, at = row * target.ld + column;
    target.c[at] = finished<Field<T>>(target, sum, column, at);
  }
};

template <class T>
__device__ __forceinline__ Thin<T> thin_of(const GemmArgs& g, int splits, int64_t batch, int split) {
  const T* const a = static_cast<const T*>(g.a) + batch * g.batch_a;
  const T* const b = static_cast<const T*>(g.b) + batch * g.batch_b;
  const Target<T> t = target_of<T>(g, splits, batch, split);
  if (g.m <= kThin) return {g.n, b, g.ldb, a, g.trans_a ? 1 : g.lda, g.trans_a ? g.lda : 1, true, t};
  return {g.m, a, g.lda, b, g.trans_b ? g.ldb : 1, g.trans_b ? 1 : g.ldb, false, t};
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads) thin_dots(GemmArgs g, int splits, int64_t depth, int64_t across) {
  constexpr int P = kPack<T>;
  const int64_t block = blockIdx.x, rest = block / across, batch = rest % g.batch;
  const int split = static_cast<int>(rest / g.batch);
  const Thin<T> t = thin_of<T>(g, splits, batch, split);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t j = block % across * kThinWarps + warp;
  if (j >= t.outputs) return;
  const int64_t k0 = split * depth, k1 = smaller(k0 + depth, g.k);
  const T* const x = t.x + j * t.ldx;
  const bool x_packs = packs_aligned(t.x, t.ldx), v_packs = packs_aligned(t.v, t.v_row) && t.v_step == 1;
  T sum[V] = {};
#pragma unroll 4
  for (int64_t p = k0 + lane * P; p < k1; p += kWarp * P) {
    const int64_t left = k1 - p;
    Pack<T> a;
    if (x_packs && left >= P) {
      a = *reinterpret_cast<const Pack<T>*>(x + p);
    } else {
#pragma unroll
      for (int e = 0; e < P; ++e) a.x[e] = e < left ? x[p + e] : T{};
    }
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const T* const v = t.v + i * t.v_row;
      Pack<T> b;
      if (v_packs && left >= P) {
        b = *reinterpret_cast<const Pack<T>*>(v + p);
      } else {
#pragma unroll
        for (int e = 0; e < P; ++e) b.x[e] = e < left ? v[(p + e) * t.v_step] : T{};
      }
#pragma unroll
      for (int e = 0; e < P; ++e) sum[i] = fma_(a.x[e], b.x[e], sum[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i)
#pragma unroll
    for (int apart = kWarp / 2; apart > 0; apart /= 2) sum[i] += __shfl_xor_sync(~0u, sum[i], apart);
#pragma unroll
  for (int i = 0; i < V; ++i)
    if (lane == i) t.put(i, j, sum[i]);
}

template <class T, int V>
struct ThinShared {
  T part[kThinWarps][V][kWarp * kPack<T>];
};

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    thin_axpys(GemmArgs g, int splits, int64_t depth, int64_t across) {
  constexpr int P = kPack<T>, kWide = kWarp * P;
  auto& s = smem<ThinShared<T, V>>();
  const int64_t block = blockIdx.x, rest = block / across, batch = rest % g.batch;
  const int split = static_cast<int>(rest / g.batch);
  const Thin<T> t = thin_of<T>(g, splits, batch, split);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t j0 = block % across * kWide, j = j0 + lane * P;
  const int64_t k0 = split * depth, k1 = smaller(k0 + depth, g.k), left = t.outputs - j;
  const bool packs = packs_aligned(t.x, t.ldx) && left >= P;
  T sum[V][P] = {};
#pragma unroll 4
  for (int64_t p = k0 + warp; p < k1; p += kThinWarps) {
    const T* const x = t.x + p * t.ldx + j;
    Pack<T> a;
    if (packs) {
      a = *reinterpret_cast<const Pack<T>*>(x);
    } else {
#pragma unroll
      for (int e = 0; e < P; ++e) a.x[e] = e < left ? x[e] : T{};
    }
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const T v = t.v[i * t.v_row + p * t.v_step];
#pragma unroll
      for (int e = 0; e < P; ++e) sum[i][e] = fma_(a.x[e], v, sum[i][e]);
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i)
#pragma unroll
    for (int e = 0; e < P; ++e) s.part[warp][i][lane * P + e] = sum[i][e];
  __syncthreads();
#pragma unroll 1
  for (int q = static_cast<int>(threadIdx.x); q < V * kWide; q += kThreads) {
    const int i = q / kWide, column = q % kWide;
    if (j0 + column >= t.outputs) continue;
    T total = s.part[0][i][column];
#pragma unroll
    for (int w = 1; w < kThinWarps; ++w) total += s.part[w][i][column];
    t.put(i, j0 + column, total);
  }
}

template <class T, int V>
void start_thin_of(Stream stream, const GemmArgs& g, const GemmPlan& plan, int64_t outputs) {
  const bool dots = plan.path == GemmPath::dots;
  const int64_t across = blocks_of(outputs, dots ? kThinWarps : kWarp * kPack<T>);
  const dim3 grid(static_cast<unsigned>(across * g.batch * plan.splits));
  if (dots)
    start(stream, thin_dots<T, V>, grid, dim3(kThreads), 0, g, plan.splits, plan.depth, across);
  else
    start(stream, thin_axpys<T, V>, grid, dim3(kThreads), sizeof(ThinShared<T, V>), g, plan.splits,
          plan.depth, across);
}

template <class T>
void start_thin(Stream stream, const GemmArgs& g, const GemmPlan& plan) {
  const bool of_b = g.m <= kThin;
  const int64_t outputs = of_b ? g.n : g.m;
  switch (of_b ? g.m : g.n) {
    case 1: return start_thin_of<T, 1>(stream, g, plan, outputs);
    case 2: return start_thin_of<T, 2>(stream, g, plan, outputs);
    case 3: return start_thin_of<T, 3>(stream, g, plan, outputs);
    default: return start_thin_of<T, 4>(stream, g, plan, outputs);
  }
}

}  // namespace
}  // namespace pl::cuda
