// Sums by destination, each in the order of its terms: y[o, r, c] = the sum of x[o, i, c] over the i with row(i) = r.
//
// Rows are packed with their places into words (row, place), sorted (radix.cuh), and each first place of a row adds up
// its run, a thread for each column; so every element has one writer and one order. Up to kScatterChunk terms at a time,
// since the words are in scratch memory; the next terms add to what is there.
#pragma once
#include "kernels/lookup.cuh"
#include "kernels/radix.cuh"

namespace pl::cuda {
namespace {

constexpr int kScatterBits = 21;
constexpr int64_t kScatterChunk = int64_t{1} << kScatterBits;
constexpr int64_t kRunAhead = 8;  // terms that are loaded together: a long run waits for memory only so often

// Rows that are -1 get the number `rows`: they come last.
template <class RowOf>
__global__ void __launch_bounds__(kThreads)
    pack_rows(RowOf row_of, int64_t begin, int64_t n, int64_t rows, uint64_t* to) {
  for (int64_t i = first(); i < n; i += stride()) {
    const int64_t row = row_of(begin + i);
    to[i] = static_cast<uint64_t>(row < 0 ? rows : row) << kScatterBits | static_cast<uint64_t>(i);
  }
}

struct RunArgs {
  const uint64_t* sorted;
  int64_t begin, n;  // terms [begin, begin + n) of `terms`
  int64_t terms, outer, rows, inner;
};

template <class T, class I>
__global__ void __launch_bounds__(kThreads) add_runs(const T* x, T* y, RunArgs a) {
  const I inner = static_cast<I>(a.inner), n = static_cast<I>(a.n);
  for (int64_t at = first(); at < a.outer * a.n * a.inner; at += stride()) {
    const I i_all = static_cast<I>(at) / inner, c = static_cast<I>(at) - i_all * inner, o = i_all / n,
            i = i_all - o * n;
    const uint64_t row = a.sorted[i] >> kScatterBits;
    if (row == static_cast<uint64_t>(a.rows) || (i > 0 && a.sorted[i - 1] >> kScatterBits == row)) continue;
    const T* const from = x + (int64_t{o} * a.terms + a.begin) * a.inner + c;
    T* const to = y + (int64_t{o} * a.rows + static_cast<int64_t>(row)) * a.inner + c;
    T sum = *to;
    for (int64_t k = i; k < a.n;) {
      T v[kRunAhead];
      int64_t here = 0;
#pragma unroll
      for (int u = 0; u < kRunAhead; ++u) {
        const uint64_t word = k + u < a.n ? a.sorted[k + u] : ~uint64_t{0};
        if (here == u && word >> kScatterBits == row) {
          v[u] = from[static_cast<int64_t>(word & (kScatterChunk - 1)) * a.inner];
          here = u + 1;
        }
      }
#pragma unroll
      for (int u = 0; u < kRunAhead; ++u)
        if (u < here) sum += v[u];
      if (here < kRunAhead) break;
      k += here;
    }
    *to = sum;
  }
}

// `row_of(i)`: the row of term i, or -1.
template <class T, class RowOf>
void scatter(Stream stream, const RowOf& row_of, const T* x, T* y, int64_t terms, int64_t outer, int64_t rows,
             int64_t inner) {
  zero(stream, y, outer * rows * inner);
  uint64_t* const words = static_cast<uint64_t*>(scratch(stream));
  int64_t* const counts = reinterpret_cast<int64_t*>(words + 2 * kScatterChunk);
  for (int64_t begin = 0; begin < terms; begin += kScatterChunk) {
    const int64_t n = terms - begin < kScatterChunk ? terms - begin : kScatterChunk;
    start(stream, pack_rows<RowOf>, blocks_for(n), kThreads, 0, row_of, begin, n, rows, words);
    const uint64_t* const sorted =
        sort_elements(stream, words, words + n, 1, n, kScatterBits, kScatterBits + bits_of(rows + 1), counts);
    const RunArgs args{sorted, begin, n, terms, outer, rows, inner};
    with_index(outer * n * inner, [&](auto index) {
      start(stream, add_runs<T, decltype(index)>, blocks_for(outer * n * inner), kThreads, 0, x, y, args);
    });
  }
}

}  // namespace
}  // namespace pl::cuda
