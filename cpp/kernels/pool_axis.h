// The windows of a pooling along one axis, shared by the CPU and CUDA.
#pragma once
#include "kernels/math.h"
#include "kernels/pool.h"

namespace pl::PL_ISA {
namespace {

// Sums of at most kRun positions are added up, which keeps the error of long windows small.
constexpr int64_t kRun = 64;

// One window along one axis: positions [begin, end) of the image; `start` may be outside.
struct Span {
  int64_t start, begin, end;
};
PL_INLINE Span span_of(const PoolAxis& a, int64_t o) {
  if (a.adaptive) {
    const int64_t begin = o * a.size / a.out, end = ((o + 1) * a.size + a.out - 1) / a.out;
    return {begin, begin, end};
  }
  const int64_t start = o * a.stride - a.before, end = start + a.kernel;
  return {start, start < 0 ? 0 : start, end < a.size ? end : a.size};
}

// The windows [first, last) that hold position i.
struct Holders {
  int64_t first, last;
};
PL_INLINE Holders holders(const PoolAxis& a, int64_t i) {
  if (a.out == 0) return {0, 0};
  const int64_t guess = a.adaptive ? i * a.out / a.size - 1 : (i + a.before - a.kernel) / a.stride;
  Holders w{guess < 0 ? 0 : guess, 0};
  while (w.first < a.out && span_of(a, w.first).end <= i) ++w.first;
  w.last = w.first;
  while (w.last < a.out && span_of(a, w.last).start <= i) ++w.last;
  return w;
}

}  // namespace
}  // namespace pl::PL_ISA
