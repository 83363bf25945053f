// One result for each column of a table of partial results, in double and in an order that depends on the shape alone.
//
// A block takes `across` neighbouring columns (a power of two up to 32, so that reads are whole sectors) with `down`
// threads each; a thread goes through every down-th row, and the threads of a column are joined pair by pair.
#pragma once
#include "launch.h"

namespace pl::cuda {
namespace {

inline constexpr int kColumnThreads = 512;

// Term: State; take(state, i, k, j) adds row k, column j of table i; join(state, other); put(i, j, state).
template <class Term>
__global__ void __launch_bounds__(kColumnThreads)
    join_columns(Term term, int64_t n, int64_t rows, int64_t cols) {
  using State = typename Term::State;
  struct Shared {
    State state[kColumnThreads];
  };
  const int across = static_cast<int>(blockDim.x), down = static_cast<int>(blockDim.y);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int64_t tiles = (cols + across - 1) / across;
  State* const shared = smem<Shared>().state;
  for (int64_t task = blockIdx.x; task < n * tiles; task += gridDim.x) {
    const int64_t i = task / tiles, j = task % tiles * across + x;
    State state{};
    if (j < cols)
      for (int64_t k = y; k < rows; k += down) term.take(state, i, k, j);
    shared[y * across + x] = state;
    for (int step = down / 2; step > 0; step /= 2) {
      __syncthreads();
      if (y < step) term.join(shared[y * across + x], shared[(y + step) * across + x]);
    }
    __syncthreads();  // down may be 1
    if (y == 0 && j < cols) term.put(i, j, shared[x]);
    __syncthreads();
  }
}

template <class Term>
void start_columns(Stream stream, const Term& term, int64_t n, int64_t rows, int64_t cols) {
  if (n <= 0 || cols <= 0) return;
  int across = 1;
  while (across < 32 && across < cols) across *= 2;
  start(stream, join_columns<Term>, blocks_for(n * ((cols + across - 1) / across), 1),
        dim3(static_cast<unsigned>(across), static_cast<unsigned>(kColumnThreads / across)),
        kColumnThreads * sizeof(typename Term::State), term, n, rows, cols);
}

}  // namespace
}  // namespace pl::cuda
