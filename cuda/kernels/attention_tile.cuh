// What the passes of attention are made of: a block of 256 threads, 16 x 16 of them, holds 16 kRows rows (queries, or
// keys in the backward pass for keys) and meets the other side 64 columns at a time.
//
//   scores   s (rows, 64) += rows . columns', over the depth in chunks of 64
//   weigh    acc (rows, depth) += w (rows, 64) x (64, depth), in chunks of 64 of the depth; w lies in shared memory
//
// Thread (tx, ty) holds rows ty kRows + i; of s the columns tx + 16 j, of a chunk of acc four columns as 16-byte packs.
// Every product reads packs: 64 multiply-adds for 8 loads at kRows = 4. Rows of shared memory are an odd number of packs
// long, so that the 8 lanes that read at once meet all banks. Up to a depth of 128 the rows stay in shared memory; deeper
// ones are brought chunk by chunk beside the columns. kRows falls with the depth, so that acc stays in registers.
#pragma once
#include "kernels/attention.h"
#include "kernels/random_formulas.h"
#include "kernels/rows.cuh"
#include "philox.cuh"

namespace pl::cuda {
namespace {

inline constexpr int kChunk = 64;    // of the depth
inline constexpr int kColumns = 64;  // of a tile
inline constexpr int kSide = 16;     // threads along each side of a block
inline constexpr int kPerThread = kColumns / kSide;

template <class T_, int kChunks_>
struct TileShape {
  using T = T_;
  static constexpr int chunks = kChunks_;                             // that acc has room for
  static constexpr int rows = chunks <= 2 ? 4 : chunks <= 4 ? 2 : 1;  // of a thread
  static constexpr int height = kSide * rows;                         // rows of the block
  static constexpr bool held = chunks <= 2;
  static constexpr int w = kPackWidth<T>;
  static constexpr int packs = kPerThread / w;
  static constexpr int ld = kChunk + w, ld_rows = (held ? chunks * kChunk : kChunk) + w;
};
// fn(shape) for a depth of at most kMostAttentionDepth
template <class T, class Fn>
void with_tile_shape(int64_t depth, const Fn& fn) {
  if (depth <= 64) return fn(TileShape<T, 1>{});
  if (depth <= 128) return fn(TileShape<T, 2>{});
  if (depth <= 256) return fn(TileShape<T, 4>{});
  if (depth <= 512) return fn(TileShape<T, 8>{});
  fn(TileShape<T, 16>{});
}

template <class Shape, int kOperands>
struct TileShared {
  using T = typename Shape::T;
  alignas(16) T rows[Shape::held ? kOperands : 1][Shape::height * Shape::ld_rows];
  alignas(16) T columns[kColumns * Shape::ld];
  alignas(16) T w[Shape::height * Shape::ld];
  uint8_t keep[Shape::height * kColumns];  // what dropout keeps
};

// The rows or columns of one head: `count` rows of `depth` elements, `length` apart, times factor.
template <class T>
struct Side {
  const T* base;
  int64_t length, count;
  int depth;
  T factor;
  bool wide;  // 16-byte loads may be used
  // Chunk c of rows [from, from + rows), zeros beyond the ends.
  __device__ __forceinline__ void load(T* to, int ld, int rows, int64_t from, int c) const {
    constexpr int kW = kPackWidth<T>, kPacks = kChunk / kW;
    for (int p = static_cast<int>(threadIdx.x); p < rows * kPacks; p += kThreads) {
      const int r = p / kPacks, k = p % kPacks * kW;
      const int d = c * kChunk + k;
      Pack<T, kW> v = {};
      if (from + r < count) {
        const T* const at = base + (from + r) * length + d;
        if (wide && d + kW <= depth) {
          v = get_pack<kW>(at, true);
        } else {
#pragma unroll
          for (int w = 0; w < kW; ++w)
            if (d + w < depth) v.of[w] = at[w];
        }
      }
#pragma unroll
      for (int w = 0; w < kW; ++w) v.of[w] *= factor;
      put_pack<kW>(to + r * ld + k, v, true);
    }
  }
};
template <class T>
bool wide_operand(const AttentionOperand& o) {
  return wide_access(o.data) && (o.batch | o.length | o.head) % kPackWidth<T> == 0;
}
template <class T>
__device__ __forceinline__ Side<T> side_of(const AttentionOperand& o, int64_t b, int64_t h, int64_t count,
                                           int64_t depth, T factor, bool wide) {
  return {static_cast<const T*>(o.data) + b * o.batch + h * o.head,
          o.length,
          count,
          static_cast<int>(depth),
          factor,
          wide};
}

__device__ __forceinline__ int thread_x() { return static_cast<int>(threadIdx.x) % kSide; }
__device__ __forceinline__ int thread_y() { return static_cast<int>(threadIdx.x) / kSide; }

template <class Shape, class T = typename Shape::T>
__device__ __forceinline__ void hold_rows(T* to, const Side<T>& rows, int64_t from) {
  if constexpr (Shape::held)
    for (int c = 0; c * kChunk < rows.depth; ++c)
      rows.load(to + c * kChunk, Shape::ld_rows, Shape::height, from, c);
}

// s = rows . columns'; rows are those held at held_rows, or brought there. Starts with a barrier.
template <class Shape, class T = typename Shape::T>
__device__ __forceinline__ void scores(T* held_rows, T* shared_columns, const Side<T>& rows,
                                       const Side<T>& columns, int64_t row, int64_t column,
                                       T (&s)[Shape::rows][kPerThread]) {
  constexpr int kW = Shape::w;
#pragma unroll
  for (int i = 0; i < Shape::rows; ++i)
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) s[i][j] = 0;
  for (int c = 0; c * kChunk < columns.depth; ++c) {
    __syncthreads();
    columns.load(shared_columns, Shape::ld, kColumns, column, c);
    if constexpr (!Shape::held) rows.load(held_rows, Shape::ld_rows, Shape::height, row, c);
    __syncthreads();
    const T* const a = held_rows + thread_y() * Shape::rows * Shape::ld_rows + (Shape::held ? c * kChunk : 0);
    const T* const b = shared_columns + thread_x() * Shape::ld;
#pragma unroll 1  // 16 kRows multiply-adds of each thread already; more only costs registers
    for (int k = 0; k < kChunk; k += kW) {
      Pack<T, kW> u[Shape::rows], v[kPerThread];
#pragma unroll
      for (int i = 0; i < Shape::rows; ++i) u[i] = get_pack<kW>(a + i * Shape::ld_rows + k, true);
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) v[j] = get_pack<kW>(b + j * kSide * Shape::ld + k, true);
#pragma unroll
      for (int w = 0; w < kW; ++w)
#pragma unroll
        for (int i = 0; i < Shape::rows; ++i)
#pragma unroll
          for (int j = 0; j < kPerThread; ++j) s[i][j] = fma_(u[i].of[w], v[j].of[w], s[i][j]);
    }
  }
}

template <class Shape>
using Accumulator = typename Shape::T[Shape::chunks][Shape::rows][kPerThread];

// acc += w x. Starts with a barrier, after which all of w has been written.
template <class Shape, class T = typename Shape::T>
__device__ __forceinline__ void weigh(const T* shared_w, T* shared_columns, const Side<T>& x, int64_t column,
                                      Accumulator<Shape>& acc) {
  constexpr int kW = Shape::w;
#pragma unroll
  for (int c = 0; c < Shape::chunks; ++c) {
    if (c * kChunk >= x.depth) break;
    __syncthreads();
    x.load(shared_columns, Shape::ld, kColumns, column, c);
    __syncthreads();
    const T* const a = shared_w + thread_y() * Shape::rows * Shape::ld;
    const T* const b = shared_columns + thread_x() * kW;
#pragma unroll 1  // 16 kRows multiply-adds of each thread already; more only costs registers
    for (int k = 0; k < kColumns; k += kW) {
      Pack<T, kW> p[Shape::rows];
#pragma unroll
      for (int i = 0; i < Shape::rows; ++i) p[i] = get_pack<kW>(a + i * Shape::ld + k, true);
#pragma unroll
      for (int u = 0; u < kW; ++u)
#pragma unroll
        for (int v = 0; v < Shape::packs; ++v) {
          const auto q = get_pack<kW>(b + (k + u) * Shape::ld + v * kSide * kW, true);
#pragma unroll
          for (int i = 0; i < Shape::rows; ++i)
#pragma unroll
            for (int w = 0; w < kW; ++w)
              acc[c][i][v * kW + w] = fma_(p[i].of[u], q.of[w], acc[c][i][v * kW + w]);
        }
    }
  }
}

// out[row, depth] = acc, for the rows from `row` on; out's rows are `length` apart.
template <class Shape, class T = typename Shape::T>
__device__ __forceinline__ void put_rows(T* out, int64_t length, int64_t row, int64_t count, int64_t depth,
                                         bool wide, const Accumulator<Shape>& acc) {
  constexpr int kW = Shape::w;
#pragma unroll
  for (int c = 0; c < Shape::chunks; ++c)
#pragma unroll
    for (int i = 0; i < Shape::rows; ++i) {
      const int64_t r = row + thread_y() * Shape::rows + i;
      if (r >= count) continue;
#pragma unroll
      for (int v = 0; v < Shape::packs; ++v) {
        const int64_t d = c * kChunk + (v * kSide + thread_x()) * kW;
        Pack<T, kW> y;
#pragma unroll
        for (int w = 0; w < kW; ++w) y.of[w] = acc[c][i][v * kW + w];
        T* const at = out + r * length + d;
        if (wide && d + kW <= depth) {
          put_pack<kW>(at, y, true);
        } else {
#pragma unroll
          for (int w = 0; w < kW; ++w)
            if (d + w < depth) at[w] = y.of[w];
        }
      }
    }
}

// Dropout's part in a pass: which words keep, and what they were drawn with.
struct AttentionDropout {
  bool on;
  uint32_t least;
};
inline AttentionDropout attention_dropout(const AttentionInputs& in) {
  return {in.dropout != 0, in.dropout != 0 ? keep_from(in.dropout) : 0u};
}
// keep[row, column] for the queries [query, query + queries) and the keys [key, key + keys); a thread draws the four
// words of a counter, which belong to neighbouring keys.
__device__ __forceinline__ void draw_mask(const AttentionInputs& in, uint32_t least, const RngState* state,
                                          int64_t b, int64_t h, int64_t query, int queries, int64_t key,
                                          int keys, bool rows_are_keys, uint8_t* keep) {
  const uint64_t seed = state->seed, draw = state->draw;
  const int counters = keys / 4 + 1;
  for (int task = static_cast<int>(threadIdx.x); task < queries * counters; task += kThreads) {
    const int q = task / counters;
    const int64_t row = (b * in.heads + h) * in.queries + query + q;
    const uint64_t element =
        static_cast<uint64_t>(row) * static_cast<uint64_t>(in.keys) + static_cast<uint64_t>(key);
    const int from = task % counters * 4 - static_cast<int>(element % 4);
    const Words words = philox(seed, draw, element / 4 + static_cast<uint64_t>(task % counters));
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int k = from + i;
      if (k >= 0 && k < keys) keep[rows_are_keys ? k * kColumns + q : q * kColumns + k] = words.w[i] >= least;
    }
  }
}

// The score of query t and key s with its mask, -inf where s is not seen.
template <class T>
__device__ __forceinline__ T masked_score(const AttentionInputs& in, T score, int64_t b, int64_t h, int64_t t,
                                          int64_t s) {
  if (t >= in.queries || s >= in.keys || (in.causal && s > t)) return static_cast<T>(-INFINITY);
  if (!in.mask) return score;
  const int64_t at = b * in.mask_b + h * in.mask_h + t * in.mask_t + s * in.mask_s;
  if (in.additive) return score + static_cast<const T*>(in.mask)[at];
  return static_cast<const uint8_t*>(in.mask)[at] ? score : static_cast<T>(-INFINITY);
}

}  // namespace
}  // namespace pl::cuda
