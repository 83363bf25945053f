// Copies and casts.
//   one type, same layout     memmove
//   one type, transposed      kTile x kTile tiles, in registers by 4x4 (4 bytes) or 2x2 (8 bytes), so that
//   both sides
//                             move whole cache lines
//   one type, other layouts   row by row, no buffer in between
//   casts, accumulation       spans (strided.h)
#pragma once
#include "kernels/binary.h"
#include "kernels/cast.h"

namespace pl::PL_ISA {
namespace {

template <class From, class To>
void cast_span(const void* const* in, void* y, int64_t n, double) {
  map_elements<From, To>(in[0], y, n, [](From x) { return cast<From, To>(x); });
}
template <class From, class To>
struct CastMaker {
  static constexpr Span entry() { return cast_span<From, To>; }
};
inline constexpr PairTable<Span, CastMaker> kCasts;

inline constexpr int64_t kTile = 32;
inline constexpr int64_t kTileRow = 512;  // columns of y in one item of work

// The last dimension is contiguous in y, the one before it in x.
template <int size>
inline void copy_transposed(const Loop& l, int64_t grain) {
  const int last = l.ndim - 1;
  const int64_t rows = l.shape[last - 1], cols = l.shape[last];
  const int64_t sy = l.op[0].stride[last - 1], sx = l.op[1].stride[last];
  int64_t outer = 1;
  for (int d = 0; d < last - 1; ++d) outer *= l.shape[d];
  const int64_t down = (rows + kTile - 1) / kTile, across = (cols + kTileRow - 1) / kTileRow,
                items = down * across;
  const int64_t per_chunk = most(1, grain / (least(rows, kTile) * least(cols, kTileRow)));
  parallel_for(
      outer * items, per_chunk,
      [&](int64_t begin, int64_t end) {
        Walker at(l, last - 1, begin / items);
        int64_t item = begin % items;
        for (int64_t k = begin; k < end; ++k) {
          const int64_t i = item / across * kTile, j0 = item % across * kTileRow,
                        j1 = least(cols, j0 + kTileRow);
          for (int64_t j = j0; j < j1; j += kTile)
            transpose_tile<size>(at.p[1] + (j * sx + i) * size, sx, at.p[0] + (i * sy + j) * size, sy,
                                 least(kTile, rows - i), least(kTile, j1 - j));
          if (++item == items) item = 0, at.next();
        }
      },
      false);
}

// If x is contiguous along another dimension than the last, brings that one to the place before the last.
inline bool as_transposed(Loop& l) {
  const int last = l.ndim - 1;
  if (last < 1 || l.op[0].stride[last] != 1 || l.op[1].stride[last] == 1 || l.shape[last] < 4) return false;
  for (int d = 0; d < last; ++d) {
    if (l.op[1].stride[d] != 1 || l.shape[d] < 4) continue;
    bring_before_last(l, d);
    return true;
  }
  return false;
}

// Operands y, x of one size.
inline void run_copy(Loop& l, int64_t grain) {
  const int size = l.op[0].size, last = l.ndim - 1;
  if (as_transposed(l)) {
    if (size == 1) return copy_transposed<1>(l, grain);
    if (size == 4) return copy_transposed<4>(l, grain);
    return copy_transposed<8>(l, grain);
  }
  int64_t outer = 1;
  for (int d = 0; d < last; ++d) outer *= l.shape[d];
  const int64_t row = l.ndim ? l.shape[last] : 1;
  const int64_t sy = l.ndim ? l.op[0].stride[last] : 1, sx = l.ndim ? l.op[1].stride[last] : 1;
  if (outer == 0 || row == 0) return;
  const int64_t pieces = (row + grain - 1) / grain;
  parallel_for(
      outer * pieces, most(1, grain / row),
      [&](int64_t begin, int64_t end) {
        Walker at(l, last < 0 ? 0 : last, begin / pieces);
        int64_t piece = begin % pieces;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t from = piece * grain, n = least(row, from + grain) - from;
          copy_elements(size, at.p[0] + from * sy * size, sy, at.p[1] + from * sx * size, sx, n);
          if (++piece == pieces) piece = 0, at.next();
        }
      },
      false);
}

}  // namespace
}  // namespace pl::PL_ISA
