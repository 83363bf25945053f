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
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int kMaxOperands = 4;  // the output and up to three inputs
inline constexpr int64_t kBlock = 256;
inline constexpr int64_t kShortRow = 32;

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

PL_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
PL_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

PL_INLINE Operand operand(const void* p, size_t size, const int64_t* stride, int ndim) {
  Operand o{static_cast<char*>(const_cast<void*>(p)), static_cast<int32_t>(size), {}};
  for (int d = 0; d < ndim; ++d) o.stride[d] = stride[d];
  return o;
}

// Elements moved by size alone, whatever their type.
typedef uint8_t byte1 __attribute__((may_alias));
typedef uint32_t byte4 __attribute__((may_alias));
typedef uint64_t byte8 __attribute__((may_alias));
// A template argument loses the attribute: inside copy<byte4>, use any_of<U>.
template <class U>
struct AnyOf {
  typedef U type __attribute__((may_alias));
};
template <class U>
using any_of = typename AnyOf<U>::type;

// to[i * to_stride] = from[i * from_stride], strides in elements
template <class U>
inline void copy_elements(void* to, int64_t to_stride, const void* from, int64_t from_stride, int64_t n) {
  any_of<U>* y = static_cast<any_of<U>*>(to);
  const any_of<U>* x = static_cast<const any_of<U>*>(from);
  if (to_stride == 1 && from_stride == 1) {
    if (n * sizeof(U) >= 64) {
      if (y != x) __builtin_memmove(y, x, n * sizeof(U));
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = x[i];
    }
  } else if (from_stride == 0) {
    const U v = *x;
    for (int64_t i = 0; i < n; ++i) y[i * to_stride] = v;
  } else if (to_stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * from_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * to_stride] = x[i * from_stride];
  }
}
inline void copy_elements(int size, void* to, int64_t to_stride, const void* from, int64_t from_stride,
                          int64_t n) {
  switch (size) {
    case 1: return copy_elements<byte1>(to, to_stride, from, from_stride, n);
    case 4: return copy_elements<byte4>(to, to_stride, from, from_stride, n);
    default: return copy_elements<byte8>(to, to_stride, from, from_stride, n);
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

// Rows [begin, end) of the last two dimensions, gathered: for short rows. end - begin <= kBlock / row.
inline void run_tile(const Loop& l, char* const* p, int64_t begin, int64_t end) {
  const int last = l.ndim - 1;
  const int64_t row = l.shape[last], rows = end - begin;
  alignas(64) char buffer[kMaxOperands][kBlock * 8];
  const void* in[kMaxOperands] = {};
  void* out = nullptr;
  for (int k = l.operands - 1; k >= 0; --k) {
    const Operand& o = l.op[k];
    const int64_t s = o.stride[last], t = o.stride[last - 1], bytes = o.size;
    char* at = p[k] + begin * t * bytes;
    const bool direct = s == 1 && t == row;
    if (k == 0) {
      out = direct ? at : buffer[0];
      continue;
    }
    in[k - 1] = direct ? at : buffer[k];
    if (direct) continue;
    if (t == 1 && s == 0 && bytes == 4) {  // a column beside a matrix
      byte4* y = reinterpret_cast<byte4*>(buffer[k]);
      const byte4* x = reinterpret_cast<const byte4*>(at);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < row; ++i) *y++ = x[r];
    } else {
      for (int64_t r = 0; r < rows; ++r)
        copy_elements(o.size, buffer[k] + r * row * bytes, 1, at + r * t * bytes, s, row);
    }
  }
  l.span(in, out, rows * row, l.p0);
  if (out != buffer[0]) return;
  const Operand& o = l.op[0];
  for (int64_t r = 0; r < rows; ++r)
    copy_elements(o.size, p[0] + (begin + r) * o.stride[last - 1] * o.size, o.stride[last],
                  buffer[0] + r * row * o.size, 1, row);
}

// Work is cut into items: pieces of rows where rows are long, else rows, else tiles of short rows.
inline void run_loop(const Loop& l, int64_t grain) {
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
  if (row < kShortRow && l.ndim >= 2 && l.shape[last - 1] > 1) {
    const int64_t rows = l.shape[last - 1], step = kBlock / row, tiles = (rows + step - 1) / step;
    const int64_t per_chunk = most(1, grain / (least(step, rows) * row));
    parallel_for(
        outer / rows * tiles, per_chunk,
        [&](int64_t begin, int64_t end) {
          Walker at(l, last - 1, begin / tiles);
          int64_t tile = begin % tiles;
          for (int64_t i = begin; i < end; ++i) {
            run_tile(l, at.p, tile * step, least(rows, (tile + 1) * step));
            if (++tile == tiles) tile = 0, at.next();
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
