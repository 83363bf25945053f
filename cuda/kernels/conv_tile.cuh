// The register tile of the convolution's matrix products: C (m,n) = A (m,k) B (k,n) from panels in shared memory.
//
// A block owns m x n sums, a thread rows x columns of them, 8 x 8 where the registers hold it: per k it reads 16 numbers
// and makes 64 multiply-adds, 4 of them for each 16 bytes read by each of the 32 lanes, which is what shared memory can
// feed. A warp's lanes are 4 x 8: its reads of A are broadcasts of 4 packs, those of B 8 packs side by side, without
// bank conflicts. A thread's rows and columns come in packs that lie `down` or `across` packs apart. Panels are kDepth
// deep and double buffered: while one is multiplied, the next is on its way into registers.
#pragma once
#include "kernels/activate.cuh"
#include "kernels/pack.cuh"

namespace pl::cuda {
namespace {

constexpr int kDepth = 8;

template <class T, int kM, int kN, int kRows, int kColumns>
struct Tile {
  using type = T;
  static constexpr int m = kM, n = kN, rows = kRows, columns = kColumns;
  static constexpr int pack = kPack<T>;
  static constexpr int down = m / rows, across = n / columns, threads = down * across;
  // Blocks on a multiprocessor, for which the compiler limits registers: to 128 a thread, or 168 where the sums take 64
  // of them, or elements two each, and blocks are small enough for that to be worth it.
  static constexpr int resident = threads >= 256 ? 2 : rows * columns == 64 || sizeof(T) == 8 ? 3 : 4;
  static constexpr int lanes_across = across < 8 ? across : 8, lanes_down = kWarp / lanes_across;
  static_assert(rows % pack == 0 && columns % pack == 0 && down % lanes_down == 0 && threads % kWarp == 0);

  // Rows of A's panel lie m + 16 bytes apart: a warp that stores 8 (k) x 4 (m) or 2 packs (k) x 16 (m) meets all banks.
  struct Panels {
    alignas(16) T a[2][kDepth][m + pack];
    alignas(16) T b[2][kDepth][n + pack];
  };

  // This thread's place among `down` x `across`.
  struct Place {
    int y, x;
  };
  static PL_INLINE Place place(int thread) {
    const int warp = thread / kWarp, lane = thread % kWarp;
    constexpr int warps_across = across / lanes_across;
    return {warp / warps_across * lanes_down + lane / lanes_across,
            warp % warps_across * lanes_across + lane % lanes_across};
  }
  // Of the thread's i-th row or column in the block's tile.
  static PL_INLINE int row(Place p, int i) { return (i / pack * down + p.y) * pack + i % pack; }
  static PL_INLINE int column(Place p, int j) { return (j / pack * across + p.x) * pack + j % pack; }
};

template <class Tile>
struct Sums {
  using T = typename Tile::type;
  T at[Tile::rows][Tile::columns] = {};

  __device__ __forceinline__ void add(const typename Tile::Panels& panels, int buffer,
                                      typename Tile::Place p) {
    constexpr int W = Tile::pack;
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      T a[Tile::rows], b[Tile::columns];
#pragma unroll
      for (int i = 0; i < Tile::rows; i += W) {
        const Pack<T, W> v = load<W>(&panels.a[buffer][k][Tile::row(p, i)]);
#pragma unroll
        for (int e = 0; e < W; ++e) a[i + e] = v.at[e];
      }
#pragma unroll
      for (int j = 0; j < Tile::columns; j += W) {
        const Pack<T, W> v = load<W>(&panels.b[buffer][k][Tile::column(p, j)]);
#pragma unroll
        for (int e = 0; e < W; ++e) b[j + e] = v.at[e];
      }
#pragma unroll
      for (int i = 0; i < Tile::rows; ++i)
#pragma unroll
        for (int j = 0; j < Tile::columns; ++j) at[i][j] = fma_(a[i], b[j], at[i][j]);
    }
  }
};

// sums of `steps` panels: fetch(step) into registers, put(buffer) from there to shared memory.
template <class Tile, class Fetch, class Put, class Multiply>
__device__ __forceinline__ void each_panel(int64_t steps, const Fetch& fetch, const Put& put,
                                           const Multiply& multiply) {
  if (steps <= 0) return;
  fetch();
  put(0);
  __syncthreads();
  int buffer = 0;
  for (int64_t step = 1; step < steps; ++step) {
    fetch();
    multiply(buffer);
    buffer ^= 1;
    put(buffer);  // its readers passed the last barrier
    __syncthreads();
  }
  multiply(buffer);
}

// -- adding copies -----------------------------------------------------------------------------------------------------

// out = act(bias + the sum of the copies), in an order that depends on their number only; what lies past `size` in a copy
// is added to `tail` (dbias), without bias or activation.
template <class T>
struct Copies {
  const T* from;
  int64_t count, distance;  // elements from one copy to the next
  int64_t size, tail_size;
  T* out;
  T* tail;
  const T* bias;  // (filters) or null
  Divisor filters;
  Activation activation;
};

// kSharers threads to an element, each adding every kSharers-th copy.
template <class T, int kSharers>
struct CopyShares {
  T of[kSharers][kWarp];
};
template <class T, int kSharers>
__global__ void __launch_bounds__(kWarp* kSharers) sum_copies(const __grid_constant__ Copies<T> c) {
  auto& shares = smem<CopyShares<T, kSharers>>();
  const int64_t all = c.size + c.tail_size;
  for (int64_t begin = int64_t{blockIdx.x} * kWarp; begin < all; begin += int64_t{gridDim.x} * kWarp) {
    const int64_t e = begin + threadIdx.x;
    T sum = 0;
    if (e < all)
      for (int64_t k = threadIdx.y; k < c.count; k += kSharers) sum += c.from[k * c.distance + e];
    shares.of[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (e < all && threadIdx.y == 0) {
      for (int s = 1; s < kSharers; ++s) sum += shares.of[s][threadIdx.x];
      if (e >= c.size) {
        c.tail[e - c.size] = sum;
      } else {
        if (c.bias) sum += c.bias[e - c.filters.divide(e) * c.filters.d];
        c.out[e] = activate(sum, c.activation);
      }
    }
    __syncthreads();
  }
}
template <class T>
void add_copies(Stream stream, const Copies<T>& c) {
  const dim3 blocks = blocks_for(c.size + c.tail_size, kWarp);
  if (c.count >= 16)
    start(stream, sum_copies<T, 8>, blocks, dim3(kWarp, 8), sizeof(CopyShares<T, 8>), c);
  else
    start(stream, sum_copies<T, 2>, blocks, dim3(kWarp, 2), sizeof(CopyShares<T, 2>), c);
}

}  // namespace
}  // namespace pl::cuda
