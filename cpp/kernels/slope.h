// dz = dy act'(y) and db = the column sums of dz, in one pass: the backward pass of a dense layer's epilogue.
//
// The slope is a function of the output y, or of the input for gelu and silu. Rows are cut into chunks whose number
// depends on the shape only, one task each; a chunk's column sums go to the workspace and are added up in the order of
// the chunks. Within a chunk a strip of columns keeps its sums in registers.
#pragma once
#include "core/parallel.h"
#include "kernels/activate.h"
#include "kernels/gemm_tile.h"
#include "kernels/linalg.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kSlopeChunk = 1 << 14;  // elements of a task

template <class T, Activation F, int V>
PL_INLINE void slope_strip(const SlopeArgs& s, int64_t r0, int64_t r1, int64_t j, int64_t last, T* sums) {
  constexpr int W = width<T>;
  const T *dy = static_cast<const T*>(s.dy) + r0 * s.cols + j, *y = static_cast<const T*>(s.y);
  T* dz = static_cast<T*>(s.dz);
  if (y) y += r0 * s.cols + j;
  if (dz) dz += r0 * s.cols + j;
  vec<T> sum[V] = {};
  for (int64_t r = r0; r < r1; ++r, dy += s.cols) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const bool whole = v + 1 < V || last == W;
      vec<T> g = whole ? load(dy + v * W) : load_n(dy + v * W, last);
      if constexpr (F != Activation::none) {
        g = slope_of<F>(g, whole ? load(y + v * W) : load_n(y + v * W, last));
        if (dz) whole ? store(dz + v * W, g) : store_n(dz + v * W, g, last);
      }
      sum[v] += g;
    }
    if constexpr (F != Activation::none) y += s.cols, dz += dz ? s.cols : 0;
  }
  if (!sums) return;
  for (int v = 0; v < V; ++v)
    v + 1 < V || last == W ? store(sums + j + v * W, sum[v]) : store_n(sums + j + v * W, sum[v], last);
}

// Rows [r0,r1); their column sums to `sums`.
template <class T, Activation F>
void slope_rows(const SlopeArgs& s, int64_t r0, int64_t r1, T* sums) {
  constexpr int W = width<T>;
  int64_t j = 0;
  for (; j + 4 * W <= s.cols; j += 4 * W) slope_strip<T, F, 4>(s, r0, r1, j, W, sums);
  for (; j < s.cols; j += W) slope_strip<T, F, 1>(s, r0, r1, j, smaller(W, s.cols - j), sums);
}

inline int64_t slope_chunk_rows(const SlopeArgs& s) { return larger(8, kSlopeChunk / larger(1, s.cols)); }

template <class T>
void slope_float(const SlopeArgs& s) {
  const int64_t rows = slope_chunk_rows(s), chunks = blocks_of(s.rows, rows);
  T* const db = static_cast<T*>(s.db);
  T* const partial = chunks <= 1 ? db : static_cast<T*>(s.work);
  using Rows = void (*)(const SlopeArgs&, int64_t, int64_t, T*);
  static constexpr Rows table[] = {
      slope_rows<T, Activation::none>,       slope_rows<T, Activation::relu>,
      slope_rows<T, Activation::sigmoid>,    slope_rows<T, Activation::tanh>,
      slope_rows<T, Activation::leaky_relu>, slope_rows<T, Activation::elu>,
      slope_rows<T, Activation::selu>,       slope_rows<T, Activation::softplus>,
      slope_rows<T, Activation::gelu>,       slope_rows<T, Activation::gelu_tanh>,
      slope_rows<T, Activation::silu>};
  const Rows run = table[static_cast<int>(s.activation)];
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      run(s, c * rows, smaller((c + 1) * rows, s.rows), db ? partial + c * s.cols : nullptr);
  });
  if (!db) return;
  if (chunks == 0) __builtin_memset(db, 0, static_cast<size_t>(s.cols) * sizeof(T));
  if (chunks <= 1) return;
  parallel_for(s.cols, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) db[j] = partial[j];
    for (int64_t c = 1; c < chunks; ++c) {
      const T* const from = partial + c * s.cols;
      PL_INDEPENDENT
      for (int64_t j = begin; j < end; ++j) db[j] += from[j];
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
