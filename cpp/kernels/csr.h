// Y = A X and Y = A' X for A in compressed rows. X and Y are dense, row-major, N columns.
//
// A X: each row of Y is a sum of rows of X: parallel over rows, columns in vectors.
// A' X: the threads share the columns of A (rows of Y): each walks all of A and keeps the entries of its own
// range, so that every element of Y is summed by one thread in the order of A's rows.
#pragma once
#include "core/parallel.h"
#include "kernels/gemm.h"
#include "kernels/linalg.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kCsrGrain = 1 << 14;   // multiply-adds of a chunk
inline constexpr int64_t kCsrColumnBlocks = 8;  // at most so many walks over A

// y += x * v
template <class T>
PL_INLINE void add_row(T* y, const T* x, T v, int64_t n) {
  constexpr int W = width<T>;
  const vec<T> factor = broadcast(v);
  int64_t j = 0;
  for (; j + W <= n; j += W) store(y + j, fma_(factor, load(x + j), load(y + j)));
  for (; j < n; ++j) y[j] = fma_(v, x[j], y[j]);
}

template <class T>
void csr_rows(const CsrGemmArgs& g) {
  const T *values = static_cast<const T*>(g.values), *x = static_cast<const T*>(g.x);
  T* const y = static_cast<T*>(g.y);
  const int64_t work = g.indptr[g.rows] * g.n;
  const int64_t grain = larger(1, g.rows / larger(1, work / kCsrGrain));
  parallel_for(g.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* const out = y + i * g.n;
      if (g.n == 1) {
        T sum = 0;
        for (int64_t e = g.indptr[i]; e < g.indptr[i + 1]; ++e) sum = fma_(values[e], x[g.indices[e]], sum);
        *out = sum;
        continue;
      }
      __builtin_memset(out, 0, static_cast<size_t>(g.n) * sizeof(T));
      for (int64_t e = g.indptr[i]; e < g.indptr[i + 1]; ++e)
        add_row(out, x + g.indices[e] * g.n, values[e], g.n);
    }
  });
}

template <class T>
void csr_columns(const CsrGemmArgs& g) {
  const T *values = static_cast<const T*>(g.values), *x = static_cast<const T*>(g.x);
  T* const y = static_cast<T*>(g.y);
  const int64_t work = g.indptr[g.rows] * g.n;
  const int64_t most = smaller(kCsrColumnBlocks, int64_t{num_threads()});  // one thread walks once
  const int64_t blocks = larger(1, smaller(most, work / kCsrGrain));
  const int64_t grain = blocks_of(g.cols, blocks);
  parallel_for(g.cols, grain, [&](int64_t begin, int64_t end) {
    __builtin_memset(y + begin * g.n, 0, static_cast<size_t>((end - begin) * g.n) * sizeof(T));
    const uint64_t range = static_cast<uint64_t>(end - begin);
    for (int64_t i = 0; i < g.rows; ++i) {
      const T* const row = x + i * g.n;
      for (int64_t e = g.indptr[i]; e < g.indptr[i + 1]; ++e) {
        const int64_t column = g.indices[e];
        if (static_cast<uint64_t>(column - begin) >= range) continue;
        if (g.n == 1)
          y[column] = fma_(values[e], *row, y[column]);
        else
          add_row(y + column * g.n, row, values[e], g.n);
      }
    }
  });
}

template <class T>
void csr_float(const CsrGemmArgs& g) {
  if (g.n <= 0) return;
  if (g.transpose)
    csr_columns<T>(g);
  else
    csr_rows<T>(g);
}

}  // namespace
}  // namespace pl::PL_ISA
