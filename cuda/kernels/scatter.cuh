// Sums by destination, each in the order of its terms: y[o, r, c] = the sum of x[o, i, c] over the i with row(i) = r.
//
// Rows are packed with their places into words (row, place) and sorted (radix.cuh), which makes runs of equal rows. A
// thread takes kRunTile sorted places and one column; it writes the runs that begin and end there, and leaves the sums of
// those that come in from the tile before or go on into the next one as edges. A second launch joins the edges of a run
// in order. So every element has one writer and one order, and an id that half of a batch has (padding) costs little
// more than others. As many terms at a time as fit the scratch memory; the next terms add to what is there.
#pragma once
#include "kernels/lookup.cuh"
#include "kernels/radix.cuh"

namespace pl::cuda {
namespace {

constexpr int64_t kRunTile = 32;
constexpr int kRunAhead = 8;  // terms that are loaded together

// Sorted words, their places below bit `bits`.
struct Runs {
  const uint64_t* words;
  int64_t n;
  int bits;
  __device__ __forceinline__ uint64_t row(int64_t k) const { return words[k] >> bits; }
  __device__ __forceinline__ int64_t place(int64_t k) const {
    return static_cast<int64_t>(words[k] & ((uint64_t{1} << bits) - 1));
  }
  // Do the places on both sides of k, where a tile begins, belong to one run?
  __device__ __forceinline__ bool crosses(int64_t k) const { return k > 0 && k < n && row(k - 1) == row(k); }
};

template <class T>
struct Sums {
  const T* x;  // (outer, terms, inner), from the first of these terms on
  T* y;        // (outer, rows, inner)
  T* edges;    // (outer, tiles, 2, inner): of the runs that come in, that go on
  int64_t terms, outer, rows, inner, tiles;
  bool fresh;  // y is zero as yet
};

// f(o, tile, c) for this thread's ones.
template <class I, class T, class F>
__device__ __forceinline__ void each_tile(const Sums<T>& s, const F& f) {
  const I inner = static_cast<I>(s.inner), tiles = static_cast<I>(s.tiles);
  for (int64_t at = first(); at < s.outer * s.tiles * s.inner; at += stride()) {
    const I tile = static_cast<I>(at) / inner, c = static_cast<I>(at) - tile * inner, o = tile / tiles;
    f(int64_t{o}, int64_t{tile - o * tiles}, int64_t{c});
  }
}

template <class T, class I>
__global__ void __launch_bounds__(kThreads) add_tiles(Runs runs, Sums<T> s) {
  each_tile<I>(s, [&](int64_t o, int64_t tile, int64_t c) {
    const int64_t begin = tile * kRunTile, end = begin + kRunTile < runs.n ? begin + kRunTile : runs.n;
    const T* const x = s.x + o * s.terms * s.inner + c;
    T* const y = s.y + o * s.rows * s.inner + c;
    T* const edges = s.edges + (o * s.tiles + tile) * 2 * s.inner + c;
    bool inside = runs.crosses(begin);  // the run has come in
    const bool onward = runs.crosses(end);
    uint64_t row = runs.row(begin);
    const auto begun = [&] {
      return s.fresh || inside || row >= static_cast<uint64_t>(s.rows)
                 ? T(0)
                 : y[static_cast<int64_t>(row) * s.inner];
    };
    T sum = begun();
    const auto leave = [&](bool goes_on) {
      if (row >= static_cast<uint64_t>(s.rows)) return;  // of no row
      if (inside)
        edges[0] = sum;
      else if (goes_on)
        edges[s.inner] = sum;
      else
        y[static_cast<int64_t>(row) * s.inner] = sum;
    };
    for (int64_t k = begin; k < end; k += kRunAhead) {
      T v[kRunAhead];
      uint64_t rows[kRunAhead];
#pragma unroll
      for (int u = 0; u < kRunAhead; ++u)
        if (k + u < end) {
          rows[u] = runs.row(k + u);
          v[u] = x[runs.place(k + u) * s.inner];
        }
#pragma unroll
      for (int u = 0; u < kRunAhead; ++u)
        if (k + u < end) {
          if (rows[u] != row) {
            leave(false);
            inside = false;
            row = rows[u];
            sum = begun();
          }
          sum += v[u];
        }
    }
    leave(onward);
  });
}

template <class T, class I>
__global__ void __launch_bounds__(kThreads) join_tiles(Runs runs, Sums<T> s) {
  each_tile<I>(s, [&](int64_t o, int64_t tile, int64_t c) {
    const int64_t begin = tile * kRunTile, end = begin + kRunTile;
    if (!runs.crosses(end)) return;
    const uint64_t row = runs.row(end);
    if (row >= static_cast<uint64_t>(s.rows)) return;
    if (begin > 0 && runs.row(begin - 1) == row) return;  // begun in a tile before
    int64_t last = tile + 1;                              // the last tile of the run
    for (int64_t left = s.tiles - 1 - last; left > 0;) {
      const int64_t half = (left + 1) / 2;
      const bool there = runs.row((last + half) * kRunTile) == row;
      last += there ? half : 0;
      left = there ? left - half : half - 1;
    }
    const T* const edges = s.edges + o * s.tiles * 2 * s.inner + c;
    T sum = edges[(tile * 2 + 1) * s.inner];
#pragma unroll 8
    for (int64_t t = tile + 1; t <= last; ++t) sum += edges[t * 2 * s.inner];
    s.y[(o * s.rows + static_cast<int64_t>(row)) * s.inner + c] = sum;
  });
}

// Bytes of edges for each term.
template <class T>
int64_t edge_bytes(int64_t outer, int64_t inner) {
  return outer * inner * 2 * static_cast<int64_t>(sizeof(T)) / kRunTile;
}

template <class T>
void add_runs(Stream stream, const Runs& runs, Sums<T> s) {
  s.tiles = (runs.n + kRunTile - 1) / kRunTile;
  const int64_t threads = s.outer * s.tiles * s.inner;
  if (threads <= 0) return;
  with_index(threads, [&](auto index) {
    using I = decltype(index);
    start(stream, add_tiles<T, I>, blocks_for(threads), kThreads, 0, runs, s);
    if (s.tiles > 1) start(stream, join_tiles<T, I>, blocks_for(threads), kThreads, 0, runs, s);
  });
}

// Rows that are -1 get the number `rows`: they come last.
template <class RowOf>
__global__ void __launch_bounds__(kThreads)
    pack_rows(RowOf row_of, int64_t begin, int64_t n, int64_t rows, int bits, uint64_t* to) {
  for (int64_t i = first(); i < n; i += stride()) {
    const int64_t row = row_of(begin + i);
    to[i] = static_cast<uint64_t>(row < 0 ? rows : row) << bits | static_cast<uint64_t>(i);
  }
}

// `row_of(i)`: the row of term i, or -1.
template <class T, class RowOf>
void scatter(Stream stream, const RowOf& row_of, const T* x, T* y, int64_t terms, int64_t outer, int64_t rows,
             int64_t inner) {
  constexpr int kBits = 21;
  constexpr int64_t kMost = int64_t{1} << kBits, kRoom = static_cast<int64_t>(kScratch) - (int64_t{2} << 20);
  zero(stream, y, outer * rows * inner);
  const int64_t fit = kRoom / (static_cast<int64_t>(2 * sizeof(uint64_t)) + 1 + edge_bytes<T>(outer, inner));
  const int64_t chunk = fit > kMost ? kMost : fit < kRunTile ? kRunTile : fit / kRunTile * kRunTile;
  uint64_t* const words = static_cast<uint64_t*>(scratch(stream));
  int64_t* const counts = reinterpret_cast<int64_t*>(words + 2 * chunk);
  T* const edges = reinterpret_cast<T*>(counts + radix_counts(1, chunk));
  for (int64_t begin = 0; begin < terms; begin += chunk) {
    const int64_t n = terms - begin < chunk ? terms - begin : chunk;
    start(stream, pack_rows<RowOf>, blocks_for(n), kThreads, 0, row_of, begin, n, rows, kBits, words);
    const uint64_t* const sorted =
        sort_elements(stream, words, words + n, 1, n, kBits, kBits + bits_of(rows + 1), counts);
    add_runs(stream, Runs{sorted, n, kBits},
             Sums<T>{x + begin * inner, y, edges, terms, outer, rows, inner, 0, begin == 0});
  }
}

}  // namespace
}  // namespace pl::cuda
