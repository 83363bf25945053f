// Y = A X and Y = A' X for A in compressed rows. X and Y are dense, row-major, N columns.
//
// A X: a warp for each row of Y and 32 columns, or, when N is 1, the lanes along the entries of the row.
// A' X: a warp for each range of 32 columns of A (rows of Y) and 32 columns of X, whose sums it keeps in shared memory; it
// walks all of A, 32 entries at a time, and keeps those of its range. So every element of Y is summed in the order of A's
// rows, and no sum is shared.
#pragma once
#include "launch.h"

#include "gemm_path.h"
#include "kernels/math.h"

namespace pl::cuda {
namespace {

inline constexpr int kCsrWarps = kThreads / kWarp;

template <class T>
__global__ void __launch_bounds__(kThreads) csr_rows(CsrGemmArgs g) {
  const T* const values = static_cast<const T*>(g.values);
  const T* const x = static_cast<const T*>(g.x);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t columns = blocks_of(g.n, kWarp), tasks = g.rows * columns;
  for (int64_t t = first() / kWarp; t < tasks; t += stride() / kWarp) {
    const int64_t i = t / columns, j = t % columns * kWarp + lane, end = g.indptr[i + 1];
    T sum{};
    if (j < g.n)
      for (int64_t e = g.indptr[i]; e < end; ++e) sum = fma_(values[e], x[g.indices[e] * g.n + j], sum);
    if (j < g.n) static_cast<T*>(g.y)[i * g.n + j] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) csr_vector(CsrGemmArgs g) {
  const T* const values = static_cast<const T*>(g.values);
  const T* const x = static_cast<const T*>(g.x);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t i = first() / kWarp; i < g.rows; i += stride() / kWarp) {
    const int64_t end = g.indptr[i + 1];
    T sum{};
    for (int64_t e = g.indptr[i] + lane; e < end; e += kWarp) sum = fma_(values[e], x[g.indices[e]], sum);
#pragma unroll
    for (int apart = kWarp / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(~0u, sum, apart);
    if (lane == 0) static_cast<T*>(g.y)[i] = sum;
  }
}

template <class T>
struct CsrShared {
  T sum[kCsrWarps][kWarp][kWarp];  // of a warp: column of A, column of X
};

template <class T>
__global__ void __launch_bounds__(kThreads) csr_columns(CsrGemmArgs g) {
  auto& s = smem<CsrShared<T>>();
  const T* const values = static_cast<const T*>(g.values);
  const T* const x = static_cast<const T*>(g.x);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  auto& sum = s.sum[warp];
  const int64_t ranges = blocks_of(g.cols, kWarp), tasks = ranges * blocks_of(g.n, kWarp),
                all = g.indptr[g.rows];
  for (int64_t t = first() / kWarp; t < tasks; t += stride() / kWarp) {
    const int64_t begin = t % ranges * kWarp, j = t / ranges * kWarp + lane;
    for (int r = 0; r < kWarp; ++r) sum[r][lane] = T{};
    int64_t row = 0;  // of the entry at hand: rows' ends are looked at 32 at a time
    for (int64_t e0 = 0; e0 < all; e0 += kWarp) {
      const int64_t column = e0 + lane < all ? g.indices[e0 + lane] - begin : -1;
      unsigned mine = __ballot_sync(~0u, column >= 0 && column < kWarp);
      while (mine != 0) {
        const int at = __ffs(static_cast<int>(mine)) - 1;
        mine &= mine - 1;
        const int64_t e = e0 + at;
        for (int passed = kWarp; passed == kWarp; row += passed) {
          const bool before = row + lane < g.rows && g.indptr[row + lane + 1] <= e;
          passed = __popc(__ballot_sync(~0u, before));
        }
        const int r = static_cast<int>(__shfl_sync(~0u, column, at));
        if (j < g.n) sum[r][lane] = fma_(values[e], x[row * g.n + j], sum[r][lane]);
      }
    }
    for (int r = 0; r < kWarp && begin + r < g.cols; ++r)
      if (j < g.n) static_cast<T*>(g.y)[(begin + r) * g.n + j] = sum[r][lane];
  }
}

template <class T>
void start_csr(Stream stream, const CsrGemmArgs& g) {
  if (g.n <= 0 || (g.transpose ? g.cols : g.rows) <= 0) return;
  const int64_t across = blocks_of(g.n, kWarp);
  if (g.transpose)
    start(stream, csr_columns<T>, blocks_for(blocks_of(g.cols, kWarp) * across * kWarp), dim3(kThreads),
          sizeof(CsrShared<T>), g);
  else if (g.n == 1)
    start(stream, csr_vector<T>, blocks_for(g.rows * kWarp), dim3(kThreads), 0, g);
  else
    start(stream, csr_rows<T>, blocks_for(g.rows * across * kWarp), dim3(kThreads), 0, g);
}

}  // namespace
}  // namespace pl::cuda
