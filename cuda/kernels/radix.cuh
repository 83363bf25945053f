// Stable sorting of rows of elements that lie in global memory. Elements are unsigned numbers, or a key of 64 bits with a
// place. Rows of up to kBlockSort elements are sorted by one block in shared memory (bitonic; elements that carry their
// place are all different, so nothing can change places that should not). Longer ones by radix, least significant digit
// first, 8 bits a pass, three launches each, blocks over tiles of a row:
//
//   count    a tile's digits, in shared memory                counts (rows, 256, tiles)
//   scan     a block for each row and digit, along the tiles; the digit's total
//   scatter  a warp takes 1/8 of the tile, 32 elements at a time in order: the rank of an element is that of its lane
//            among those of the same digit (match), behind all before it
#pragma once
#include "kernels/blocks.cuh"

namespace pl::cuda {
namespace {

struct KeyPlace {
  uint64_t key;
  int64_t place;
};
__device__ __forceinline__ bool below(const KeyPlace& a, const KeyPlace& b) {
  return a.key < b.key || (a.key == b.key && a.place < b.place);
}
__device__ __forceinline__ int digit_of(const KeyPlace& e, int shift) {
  return static_cast<int>(e.key >> shift & 255);
}
__device__ __forceinline__ void set_last(KeyPlace& e) { e = {~uint64_t{0}, INT64_MAX}; }
template <class U>
__device__ __forceinline__ bool below(U a, U b) {
  return a < b;
}
template <class U>
__device__ __forceinline__ int digit_of(U e, int shift) {
  return static_cast<int>(e >> shift & 255);
}
template <class U>
__device__ __forceinline__ void set_last(U& e) {
  e = ~U{0};
}

inline constexpr int64_t kBlockSort = 4096;
inline constexpr int kDigits = 256;
inline constexpr int64_t kRadixTile = 4096, kMostTiles = 8192;
static_assert(kDigits == kThreads);

// Elements of a tile, and tiles of a row.
inline int64_t radix_tile(int64_t n) {
  const int64_t least = (n + kMostTiles - 1) / kMostTiles;
  return least <= kRadixTile ? kRadixTile : (least + kRadixTile - 1) / kRadixTile * kRadixTile;
}
inline int64_t radix_tiles(int64_t n) { return (n + radix_tile(n) - 1) / radix_tile(n); }
// Numbers that a sort of rows of n needs beside the elements: counts and totals. At most 17 MiB for one row.
inline int64_t radix_counts(int64_t rows, int64_t n) {
  return n <= kBlockSort ? 0 : rows * kDigits * (radix_tiles(n) + 1);
}

// Sorts each `size` (a power of two) of `count` elements in shared memory.
template <class E>
__device__ void sort_block(E* e, int count, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int d = run / 2; d > 0; d /= 2) {
      for (int i = threadIdx.x; i < count / 2; i += kThreads) {
        const int low = i / d * 2 * d + i % d, high = low + d;
        const E a = e[low], b = e[high];
        if (below(b, a) == (run == size || (low & run) == 0)) e[low] = b, e[high] = a;
      }
      __syncthreads();
    }
}

template <class E>
__global__ void __launch_bounds__(kThreads) sort_rows_kernel(E* rows, int64_t count, int n, int size) {
  E* const e = &smem<E>();  // as many as the launch says
  for (int64_t row = blockIdx.x; row < count; row += gridDim.x) {
    for (int i = threadIdx.x; i < size; i += kThreads) {
      if (i < n)
        e[i] = rows[row * n + i];
      else
        set_last(e[i]);
    }
    __syncthreads();
    sort_block(e, size, size);
    for (int i = threadIdx.x; i < n; i += kThreads) rows[row * n + i] = e[i];
    __syncthreads();
  }
}

struct RadixArgs {
  int64_t n, tile, tiles;
  int shift;
  int64_t *counts, *totals;
};

struct CountShared {
  unsigned count[kDigits];
};
template <class E>
__global__ void __launch_bounds__(kThreads) radix_count(const E* from, RadixArgs a) {
  unsigned* const count = smem<CountShared>().count;
  const int64_t row = blockIdx.x / a.tiles, tile = blockIdx.x % a.tiles;
  count[threadIdx.x] = 0;
  __syncthreads();
  const int64_t end = (tile + 1) * a.tile < a.n ? (tile + 1) * a.tile : a.n;
  for (int64_t i = tile * a.tile + threadIdx.x; i < end; i += kThreads)
    atomicAdd(&count[digit_of(from[row * a.n + i], a.shift)], 1u);
  __syncthreads();
  a.counts[(row * kDigits + threadIdx.x) * a.tiles + tile] = count[threadIdx.x];
}

struct ScanShared {
  int64_t parts[kWarps];
};
__global__ void __launch_bounds__(kThreads) radix_scan(RadixArgs a) {
  ScanShared& shared = smem<ScanShared>();
  int64_t* const counts = a.counts + blockIdx.x * a.tiles;
  int64_t before = 0;
  for (int64_t t = 0; t < a.tiles; t += kThreads) {
    const int64_t i = t + threadIdx.x, own = i < a.tiles ? counts[i] : 0;
    int64_t total;
    const int64_t upto = block_scan(own, shared.parts, total);
    if (i < a.tiles) counts[i] = before + upto - own;
    before += total;
  }
  if (threadIdx.x == 0) a.totals[blockIdx.x] = before;
}

struct ScatterShared {
  int64_t parts[kWarps];
  int64_t at[kWarps][kDigits];  // where the next element of a digit goes, of those that a warp has
};
template <class E>
__global__ void __launch_bounds__(kThreads) radix_scatter(const E* from, E* to, RadixArgs a) {
  ScatterShared& shared = smem<ScatterShared>();
  const int64_t row = blockIdx.x / a.tiles, tile = blockIdx.x % a.tiles;
  const int64_t share = a.tile / kWarps, own = tile * a.tile + warp() * share;
  const int64_t end = own + share < a.n ? own + share : a.n;
  from += row * a.n;
  to += row * a.n;
  int64_t* const at = shared.at[warp()];
  for (int d = lane(); d < kDigits; d += kWarp) at[d] = 0;
  __syncwarp();
  // Lanes of one digit add their number once: the lowest of them.
  const auto peers = [&](int64_t i, int& digit) {
    digit = i < end ? digit_of(from[i], a.shift) : kDigits;
    return __match_any_sync(~0u, digit);
  };
  int digit;
  for (int64_t i = own + lane(); i - lane() < end; i += kWarp) {
    const unsigned same = peers(i, digit);
    if (i < end && lane() == __ffs(same) - 1) at[digit] += __popc(same);
    __syncwarp();
  }
  __syncthreads();
  {
    const int d = threadIdx.x;
    int64_t all;
    const int64_t total = a.totals[row * kDigits + d];
    int64_t next = block_scan(total, shared.parts, all) - total;
    next += a.counts[(row * kDigits + d) * a.tiles + tile];
    for (int w = 0; w < kWarps; ++w) {
      const int64_t here = shared.at[w][d];
      shared.at[w][d] = next;
      next += here;
    }
  }
  __syncthreads();
  for (int64_t i = own + lane(); i - lane() < end; i += kWarp) {
    const unsigned same = peers(i, digit);
    const int rank = __popc(same & ((1u << lane()) - 1));
    int64_t place = 0;
    if (i < end) place = at[digit];
    __syncwarp();
    if (i < end) {
      to[place + rank] = from[i];
      if (rank == 0) at[digit] = place + __popc(same);
    }
    __syncwarp();
  }
}

// The least that is not below n, from 2.
inline int power_of_two(int64_t n) {
  int size = 2;
  while (size < n) size *= 2;
  return size;
}

// Sorts `rows` rows of n elements by bits [low, high) of their keys, those below being the place, which grows. The result
// is in `from` or in `to`: the return value says where. `counts` has radix_counts(rows, n) numbers.
template <class E>
E* sort_elements(Stream stream, E* from, E* to, int64_t rows, int64_t n, int low, int high, int64_t* counts) {
  if (rows <= 0 || n < 2) return from;
  if (n <= kBlockSort) {
    const int size = power_of_two(n);
    const int64_t most = int64_t{16} * multiprocessors();
    start(stream, sort_rows_kernel<E>, dim3(static_cast<unsigned>(rows < most ? rows : most)), kThreads,
          static_cast<size_t>(size) * sizeof(E), from, rows, static_cast<int>(n), size);
    return from;
  }
  RadixArgs a{n, radix_tile(n), radix_tiles(n), 0, counts, counts + rows * kDigits * radix_tiles(n)};
  const dim3 tiles(static_cast<unsigned>(rows * a.tiles)), digits(static_cast<unsigned>(rows * kDigits));
  for (a.shift = low; a.shift < high; a.shift += 8) {
    start(stream, radix_count<E>, tiles, kThreads, sizeof(CountShared), from, a);
    start(stream, radix_scan, digits, kThreads, sizeof(ScanShared), a);
    start(stream, radix_scatter<E>, tiles, kThreads, sizeof(ScatterShared), from, to, a);
    E* const sorted = to;
    to = from;
    from = sorted;
  }
  return from;
}

// The bits that numbers below n need.
inline int bits_of(int64_t n) {
  int bits = 0;
  while (bits < 63 && ((n - 1) >> bits) > 0) ++bits;
  return bits;
}

}  // namespace
}  // namespace pl::cuda
