// The loop over strided N-d arrays that every elementwise kernel shares.
//
// A kernel is a span: a function over n contiguous elements of each operand. This file brings any layout to
// it:
//   contiguous inner dimension   the span works in place, on whole rows (or on pieces of `grain` elements);
//   inner stride 0               the value is repeated in a stack buffer of kBlock elements, once a row;
//   any other inner stride       kBlock elements are gathered into a buffer, or scattered from it;
//   rows shorter than kShortRow  kBlock / row rows are gathered at a time, so that no call does a few
//   elements only.
// So one compiled span serves all layouts, and an element's value depends neither on the layout nor on its
// place.
//
// Parallel over rows, or over pieces of rows where they are long. kBlock: four operands' buffers (8 KB) stay
// in L1 and the cost of a call, some 2 ns, is lost in them.
#pragma once
#include "core/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/move.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int kMaxOperands = 4;  // the output and up to three inputs
inline constexpr int64_t kBlock = 256;
inline constexpr int64_t kShortRow = 32;
inline constexpr int64_t kSide = 16;

// y[i] = f(in[0][i], in[1][i], ...) for i < n, all contiguous. y may be one of the inputs.
using Span = void (*)(const void* const* in, void* y, int64_t n, double p0);

struct Operand {
  char* p;
  int32_t size;              // of an element, bytes: 1, 4 or 8
  int64_t stride[kMaxDims];  // elements
};

// Operand 0 is the output.
struct Loop {
  Span span;
  double p0;
  int32_t operands;
  int32_t ndim;
  int64_t shape[kMaxDims];
  Operand op[kMaxOperands];
};

PL_INLINE void set_operand(Operand& o, const void* p, size_t size, const int64_t* stride, int ndim) {
  o.p = static_cast<char*>(const_cast<void*>(p));
  o.size = static_cast<int32_t>(size);
  for (int d = 0; d < ndim; ++d) o.stride[d] = stride[d];
}

// Moves dimension d to the place before the last; the others keep their order.
inline void bring_before_last(Loop& l, int d) {
  for (; d + 2 < l.ndim; ++d) {
    const int64_t n = l.shape[d];
    l.shape[d] = l.shape[d + 1];
    l.shape[d + 1] = n;
    for (int k = 0; k < l.operands; ++k) {
      int64_t* s = l.op[k].stride;
      const int64_t t = s[d];
      s[d] = s[d + 1];
      s[d + 1] = t;
    }
  }
}

// Walks the positions of the leading `dims` dimensions and keeps each operand's pointer.
struct Walker {
  const Loop& loop;
  int dims;
  int64_t index[kMaxDims];
  char* p[kMaxOperands];

  Walker(const Loop& l, int leading, int64_t position) : loop(l), dims(leading) {
    for (int k = 0; k < loop.operands; ++k) p[k] = loop.op[k].p;
    for (int d = dims - 1; d >= 0; --d) {
      index[d] = position % loop.shape[d];
      position /= loop.shape[d];
      for (int k = 0; k < loop.operands; ++k) p[k] += index[d] * loop.op[k].stride[d] * loop.op[k].size;
    }
  }
  void next() {
    for (int d = dims - 1; d >= 0; --d) {
      const bool carry = ++index[d] == loop.shape[d];
      const int64_t move = carry ? 1 - loop.shape[d] : 1;
      for (int k = 0; k < loop.operands; ++k) p[k] += move * loop.op[k].stride[d] * loop.op[k].size;
      if (!carry) return;
      index[d] = 0;
    }
  }
};

// Elements [begin, end) of one row.
inline void run_row(const Loop& l, char* const* p, int64_t begin, int64_t end) {
  const int last = l.ndim - 1;
  alignas(64) char buffer[kMaxOperands][kBlock * 8];
  bool direct = true;
  for (int k = 0; k < l.operands; ++k) direct &= l.op[k].stride[last] == 1;
  const int64_t block = direct ? end - begin : kBlock;
  const void* in[kMaxOperands] = {};
  for (int k = 1; k < l.operands; ++k)
    if (l.op[k].stride[last] == 0) {
      copy_elements(l.op[k].size, buffer[k], 1, p[k], 0, least(kBlock, end - begin));
      in[k - 1] = buffer[k];
    }
  for (int64_t i = begin; i < end; i += block) {
    const int64_t n = least(block, end - i);
    for (int k = 1; k < l.operands; ++k) {
      const int64_t s = l.op[k].stride[last];
      const char* from = p[k] + i * s * l.op[k].size;
      if (s == 1) {
        in[k - 1] = from;
      } else if (s != 0) {
        copy_elements(l.op[k].size, buffer[k], 1, from, s, n);
        in[k - 1] = buffer[k];
      }
    }
    const int64_t s = l.op[0].stride[last];
    char* to = p[0] + i * s * l.op[0].size;
    l.span(in, s == 1 ? to : buffer[0], n, l.p0);
    if (s != 1) copy_elements(l.op[0].size, to, s, buffer[0], 1, n);
  }
}

// A tile of the last two dimensions, at most kBlock elements, gathered.
inline void run_tile(const Loop& l, char* const* p, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
  const int last = l.ndim - 1;
  const int64_t rows = r1 - r0, cols = c1 - c0;
  alignas(64) char buffer[kMaxOperands][kBlock * 8];
  const void* in[kMaxOperands] = {};
  for (int k = 1; k < l.operands; ++k) {
    const Operand& o = l.op[k];
    const int64_t s = o.stride[last], t = o.stride[last - 1];
    const char* at = p[k] + (r0 * t + c0 * s) * o.size;
    const bool direct = s == 1 && (t == cols || rows == 1);
    in[k - 1] = direct ? at : buffer[k];
    if (!direct) copy_tile(o.size, buffer[k], cols, 1, at, t, s, rows, cols);
  }
  const Operand& o = l.op[0];
  const int64_t s = o.stride[last], t = o.stride[last - 1];
  char* to = p[0] + (r0 * t + c0 * s) * o.size;
  const bool direct = s == 1 && (t == cols || rows == 1);
  l.span(in, direct ? to : buffer[0], rows * cols, l.p0);
  if (!direct) copy_tile(o.size, to, t, s, buffer[0], cols, 1, rows, cols);
}

// Does an operand run along another dimension than the last? Row by row it would touch a cache line per
// element.
inline bool is_crossed(const Loop& l, int& dimension) {
  const int last = l.ndim - 1;
  if (l.shape[last] < 8) return false;
  for (int k = 0; k < l.operands; ++k) {
    const int64_t s = l.op[k].stride[last];
    if (-8 < s && s < 8) continue;
    for (int d = 0; d < last; ++d)
      if (l.op[k].stride[d] == 1 && l.shape[d] >= 8) {
        dimension = d;
        return true;
      }
  }
  return false;
}

// Work is cut into items: pieces of long rows, rows, or strips of tiles.
inline void run_loop(Loop& l, int64_t grain) {
  int64_t outer = 1;
  for (int d = 0; d + 1 < l.ndim; ++d) outer *= l.shape[d];
  const int last = l.ndim - 1;
  const int64_t row = l.ndim ? l.shape[last] : 1;
  if (outer == 0 || row == 0) return;

  bool direct = true;
  for (int k = 0; k < l.operands && l.ndim; ++k) direct &= l.op[k].stride[last] == 1 || row == 1;
  if (outer == 1 && direct) {
    parallel_for(
        row, grain,
        [&](int64_t begin, int64_t end) {
          const void* in[kMaxOperands] = {};
          for (int k = 1; k < l.operands; ++k) in[k - 1] = l.op[k].p + begin * l.op[k].size;
          l.span(in, l.op[0].p + begin * l.op[0].size, end - begin, l.p0);
        },
        false);
    return;
  }
  int cross = last - 1;
  if (l.ndim >= 2 && ((row < kShortRow && l.shape[last - 1] > 1) || is_crossed(l, cross))) {
    bring_before_last(l, cross);
    const int64_t rows = l.shape[last - 1], cols = least(row, row < kShortRow ? kShortRow : kSide);
    const int64_t step = kBlock / cols, strips = (rows + step - 1) / step;
    parallel_for(
        outer / rows * strips, most(1, grain / (least(step, rows) * row)),
        [&](int64_t begin, int64_t end) {
          Walker at(l, last - 1, begin / strips);
          int64_t strip = begin % strips;
          for (int64_t i = begin; i < end; ++i) {
            const int64_t r0 = strip * step, r1 = least(rows, r0 + step);
            for (int64_t c = 0; c < row; c += cols) run_tile(l, at.p, r0, r1, c, least(row, c + cols));
            if (++strip == strips) strip = 0, at.next();
          }
        },
        false);
    return;
  }
  const int64_t pieces = (row + grain - 1) / grain;
  parallel_for(
      outer * pieces, most(1, grain / row),
      [&](int64_t begin, int64_t end) {
        Walker at(l, last, begin / pieces);
        int64_t piece = begin % pieces;
        for (int64_t i = begin; i < end; ++i) {
          run_row(l, at.p, piece * grain, least(row, (piece + 1) * grain));
          if (++piece == pieces) piece = 0, at.next();
        }
      },
      false);
}

}  // namespace
}  // namespace pl::PL_ISA
