// dz = dy act'(y) and db = the column sums of dz, in one pass: the backward pass of a dense layer's epilogue.
//
// Without db the elements are independent. With it, rows are cut into chunks whose number depends on the shape only; a
// block takes a chunk and kSlopeColumns columns, its warps the rows in turn, its lanes neighbouring columns. The warps'
// sums are added up in shared memory in order, and the chunks' sums, which go to the workspace, by a second kernel in
// the order of the chunks.
#pragma once
#include "launch.h"

#include "gemm_path.h"
#include "kernels/activate.h"

namespace pl::cuda {
namespace {

inline constexpr int kSlopeWarps = kThreads / kWarp;
inline constexpr int64_t kSlopeRows = 8 * kSlopeWarps;  // at least, of a chunk
inline constexpr int64_t kSlopeBlocks = 8 * 132;        // that fill a large GPU

inline int64_t slope_chunk_rows(const SlopeArgs& s) {
  const int64_t chunks = larger(1, kSlopeBlocks / blocks_of(larger(1, s.cols), kWarp));
  return larger(kSlopeRows, blocks_of(s.rows, chunks));
}
inline int64_t slope_chunks(const SlopeArgs& s) { return larger(1, blocks_of(s.rows, slope_chunk_rows(s))); }

template <class T, Activation F>
__device__ __forceinline__ T slope_at(const SlopeArgs& s, int64_t at) {
  T g = static_cast<const T*>(s.dy)[at];
  if constexpr (F != Activation::none) {
    g = slope_of<F>(g, static_cast<const T*>(s.y)[at]);
    if (s.dz) static_cast<T*>(s.dz)[at] = g;
  }
  return g;
}

template <class T, Activation F>
__global__ void __launch_bounds__(kThreads) slope_elements(SlopeArgs s) {
  const int64_t n = s.rows * s.cols;
  for (int64_t i = first(); i < n; i += stride()) slope_at<T, F>(s, i);
}

template <class T>
struct SlopeShared {
  T sum[kSlopeWarps][kWarp];
};

template <class T, Activation F>
__global__ void __launch_bounds__(kThreads) slope_sums(SlopeArgs s, int64_t rows, T* sums) {
  [[maybe_unused]] constexpr int kUnroll =
      slope_needs_input(F) ? 1 : 4;  // the long formulas fill the registers as they are
  auto& shared = smem<SlopeShared<T>>();
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t strips = blocks_of(s.cols, kWarp), chunk = blockIdx.x / strips;
  const int64_t j = blockIdx.x % strips * kWarp + lane;
  const int64_t end = smaller((chunk + 1) * rows, s.rows);
  T sum{};
  if (j < s.cols) {
#pragma unroll kUnroll
    for (int64_t r = chunk * rows + warp; r < end; r += kSlopeWarps) sum += slope_at<T, F>(s, r * s.cols + j);
  }
  shared.sum[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || j >= s.cols) return;
  for (int w = 1; w < kSlopeWarps; ++w) sum += shared.sum[w][lane];
  sums[chunk * s.cols + j] = sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) slope_join(int64_t cols, int64_t chunks, const T* sums, T* db) {
  for (int64_t j = first(); j < cols; j += stride()) {
    T sum = sums[j];
#pragma unroll 8
    for (int64_t c = 1; c < chunks; ++c) sum += sums[c * cols + j];
    db[j] = sum;
  }
}

template <class T, Activation F>
void start_slope_of(Stream stream, const SlopeArgs& s) {
  if (s.cols <= 0 || (!s.db && s.rows <= 0)) return;
  if (!s.db) {
    if (F != Activation::none && s.dz)
      start(stream, slope_elements<T, F>, blocks_for(s.rows * s.cols), dim3(kThreads), 0, s);
    return;
  }
  T* const db = static_cast<T*>(s.db);
  const int64_t rows = slope_chunk_rows(s), chunks = slope_chunks(s);
  T* const sums = chunks > 1 ? static_cast<T*>(s.work) : db;
  const dim3 grid(static_cast<unsigned>(chunks * blocks_of(s.cols, kWarp)));
  start(stream, slope_sums<T, F>, grid, dim3(kThreads), sizeof(SlopeShared<T>), s, rows, sums);
  if (chunks > 1)
    start(stream, slope_join<T>, blocks_for(s.cols), dim3(kThreads), 0, s.cols, chunks,
          static_cast<const T*>(sums), db);
}

template <class T>
void start_slope(Stream stream, const SlopeArgs& s) {
  using A = Activation;
  switch (s.activation) {
    case A::none: return start_slope_of<T, A::none>(stream, s);
    case A::relu: return start_slope_of<T, A::relu>(stream, s);
    case A::sigmoid: return start_slope_of<T, A::sigmoid>(stream, s);
    case A::tanh: return start_slope_of<T, A::tanh>(stream, s);
    case A::leaky_relu: return start_slope_of<T, A::leaky_relu>(stream, s);
    case A::elu: return start_slope_of<T, A::elu>(stream, s);
    case A::selu: return start_slope_of<T, A::selu>(stream, s);
    case A::softplus: return start_slope_of<T, A::softplus>(stream, s);
    case A::gelu: return start_slope_of<T, A::gelu>(stream, s);
    case A::gelu_tanh: return start_slope_of<T, A::gelu_tanh>(stream, s);
    case A::silu: return start_slope_of<T, A::silu>(stream, s);
  }
}

}  // namespace
}  // namespace pl::cuda
