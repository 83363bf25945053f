// What the two directions of a recurrence share: how the batch is cut, the packed recurrent weights, and their products.
//
// Rows of the batch never meet: a task takes some of them through all the steps, without waiting for anyone. Its state
// stays in its scratch, U is packed once a sequence and read by every task from the second-level cache.
//
//   by gate    for the forward pass: panel p holds all gates of the units [pW, pW+W), so that one tile of the product
//              is all that these units need and their step is finished at once; (H, V, W) with V vectors of gates
//   by column  kPanel columns of a (K,N) matrix side by side, as gemm packs them: U' for the backward pass, and the
//              candidate's part of U where the reset gate comes first
#pragma once
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#include "kernels/rnn.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kRowsPerTask = 16;  // share one reading of U; two tasks at least from kSplitRows on
inline constexpr int64_t kSplitRows = 8;
inline constexpr int64_t kMaxRows = kRowsPerTask;
inline constexpr int64_t kPanelInFirst = 32 << 10;  // bytes of a panel read again and again from the first-level cache

inline constexpr int64_t kProjected = 96;  // rows times steps of z at a time: it stays in the second-level cache

template <class T>
inline constexpr int64_t kRnnPanel = kPanelVectors * width<T>;

inline int64_t tasks_of(int64_t batch) {
  return larger(blocks_of(batch, kRowsPerTask), batch >= kSplitRows ? 2 : 1);
}
inline int64_t task_begin(int64_t batch, int64_t task) { return batch * task / tasks_of(batch); }

// One row of a state in scratch: whole vectors, and rows that do not fall on the same cache sets.
template <class T>
int64_t state_distance(int64_t n) {
  return round_up(n, width<T>) + width<T>;
}

// c (rows, vectors) (+)= a (rows, k) panel (k, vectors)
template <class T>
void multiply_panel(int64_t rows, int64_t k, const T* a, int64_t lda, const T* panel, int64_t vectors, T* c,
                    int64_t ldc, bool add) {
  constexpr int W = width<T>;
  const int64_t ldb = vectors * W;
  for (int64_t v = 0; v < vectors; v += kPanelVectors) {
    const int64_t columns = smaller(kPanelVectors, vectors - v) * W;
    const int64_t depth = kPanelInFirst / (columns * int64_t{sizeof(T)});
    for (int64_t p = 0; p < k; p += depth)
      tile_column(rows, columns, smaller(depth, k - p), a + p, lda, false, panel + p * ldb + v * W, ldb,
                  c + v * W, ldc, add || p > 0);
  }
}

// Gates 0 to vectors of W units from m (rows, ldm), a gate being `hidden` columns; units past the last are zero.
template <class T>
void pack_gates(const T* m, int64_t ldm, int64_t rows, int64_t hidden, int64_t vectors, int64_t panel, T* to) {
  constexpr int W = width<T>;
  const int64_t j = panel * W;
  for (int64_t g = 0; g < vectors; ++g)
    copy_rows(m + g * hidden + j, ldm, rows, smaller(W, hidden - j), to + g * W, vectors * W);
}

// A panel by column: where it starts in the packed matrix, and how many vectors it has.
template <class T>
struct Column {
  int64_t from, to, vectors;
  Column(int64_t panel, int64_t n)
      : from(panel * kRnnPanel<T>),
        to(smaller(from + kRnnPanel<T>, n)),
        vectors(blocks_of(to - from, width<T>)) {}
};
template <class T>
int64_t column_panels(int64_t n) {
  return blocks_of(n, kRnnPanel<T>);
}

// A panel among the columns of z, in the order in which the panels are: columns before it, columns in it.
struct Span {
  int64_t start, width;
};

// The rows of a task in the tensors, and its place in them at a step.
template <class T>
struct Place {
  int64_t row, steps, t;
  int64_t at(int64_t r) const { return (row + r) * steps + t; }  // of a (B,T,...) tensor
};

template <class T>
const T* in(const void* p, int64_t offset) {
  return p ? static_cast<const T*>(p) + offset : nullptr;
}
template <class T>
T* out(void* p, int64_t offset) {
  return p ? static_cast<T*>(p) + offset : nullptr;
}

// Into the second-level cache: a step's worth is too much for the first.
PL_INLINE void fetch(const void* p) { __builtin_prefetch(p, 0, 2); }
PL_INLINE void fetch_for_writing(const void* p) { __builtin_prefetch(p, 1, 2); }

// rows x n values from a (.., n) tensor into scratch, or zeros
template <class T>
void load_state(const T* from, int64_t n, int64_t rows, T* to, int64_t distance) {
  for (int64_t r = 0; r < rows; ++r, to += distance) {
    if (from)
      copy_rows(from + r * n, n, 1, n, to, distance);
    else
      __builtin_memset(to, 0, static_cast<size_t>(round_up(n, width<T>)) * sizeof(T));
  }
}
template <class T>
void store_state(const T* from, int64_t distance, int64_t n, int64_t rows, T* to) {
  if (!to) return;
  for (int64_t r = 0; r < rows; ++r)
    __builtin_memcpy(to + r * n, from + r * distance, static_cast<size_t>(n) * sizeof(T));
}

}  // namespace
}  // namespace pl::PL_ISA
