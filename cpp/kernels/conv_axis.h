// Which taps of a kernel meet which outputs: index arithmetic along one axis, shared by the CPU and CUDA.
#pragma once
#include "kernels/conv.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

inline bool is_depthwise(const Conv2dArgs& a) { return a.groups == a.c && a.c == a.f && a.c > 1; }

// The indices t >= 0 with 0 <= start + t step < limit, as [begin, end), cut at count. step > 0.
struct Range {
  int64_t begin, end;
  PL_INLINE int64_t size() const { return end - begin; }
};
PL_INLINE Range inside(int64_t start, int64_t step, int64_t limit, int64_t count) {
  int64_t begin = start >= 0 ? 0 : (-start + step - 1) / step;
  int64_t end = start >= limit ? 0 : (limit - start + step - 1) / step;
  begin = begin < count ? begin : count;
  end = end < count ? end : count;
  return {begin, begin < end ? end : begin};
}
PL_INLINE Range common(Range a, Range b) {
  const int64_t begin = a.begin > b.begin ? a.begin : b.begin, end = a.end < b.end ? a.end : b.end;
  return begin < end ? Range{begin, end} : Range{a.begin, a.begin};
}

// One axis of a correlation: output i meets tap k at i*stride + start + k*dilation, if that is inside.
struct Axis {
  int64_t in, out, taps, stride, dilation, start;

  PL_INLINE Range taps_at(int64_t i) const { return inside(i * stride + start, dilation, in, taps); }
  PL_INLINE Range outputs_of(int64_t k) const { return inside(start + k * dilation, stride, in, out); }
  // The outputs that meet all taps.
  PL_INLINE Range whole() const {
    if (taps == 0) return {0, out};
    return common(outputs_of(0), outputs_of(taps - 1));
  }
};

// One axis of the input gradient. dx[h] sums dy[i] w[k] over i*stride + k*dilation = h + pad, so the outputs h, h + stride,
// ... meet the same taps, every `step`-th from `first` on, and are a correlation of dy with those taps, last one first:
// nothing is multiplied with the zeros between strided outputs.
struct Phase {
  Axis axis;
  int64_t first, step;
  int64_t tap(int64_t t) const { return first + (axis.taps - 1 - t) * step; }  // of w
};
inline int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}
inline Phase phase_of(int64_t h, int64_t size, int64_t out, int64_t taps, int64_t stride, int64_t dilation,
                      int64_t pad) {
  const int64_t divisor = common_divisor(stride, dilation), dilated = dilation / divisor;
  Phase p{{out, (size - h + stride - 1) / stride, 0, 1, dilated, 0}, 0, stride / divisor};
  const int64_t most = p.step < taps ? p.step : taps;
  while (p.first < most && (h + pad - p.first * dilation) % stride != 0) ++p.first;
  if (p.first == most) return p;  // no tap falls here
  p.axis.taps = (taps - p.first + p.step - 1) / p.step;
  p.axis.start = (h + pad - p.first * dilation) / stride - (p.axis.taps - 1) * dilated;
  return p;
}
inline Phase row_phase(const Conv2dArgs& a, int64_t h) {
  return phase_of(h, a.h, a.oh, a.kh, a.stride_h, a.dilation_h, a.pad_top);
}
inline Phase column_phase(const Conv2dArgs& a, int64_t w) {
  return phase_of(w, a.w, a.ow, a.kw, a.stride_w, a.dilation_w, a.pad_left);
}

}  // namespace
}  // namespace pl::PL_ISA
