// Images (N,H,W,C) of another size, nearest or bilinear; contiguous, float32 or float64.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// Along one axis output o is (1 - weight) x[low] + weight x[high]; high is low or low + 1, and both grow with o.
struct ResizeTap {
  int64_t low, high;
  double weight;
};
struct ResizeAxis {
  int64_t size, out;
  const ResizeTap* taps;  // (out)
  const int64_t* first;   // (size + 1): the first tap with low >= i; `out` when there is none
};

// resize: in = x (N,H,W,C), out = y (N,OH,OW,C); resize_backward: in = dy, out = dx. Written whole.
struct ResizeArgs {
  DType dtype;
  bool nearest;  // all weights are 0
  int64_t n, c;
  ResizeAxis h, w;
  const void* in;
  void* out;
};

struct ResizeKernels {
  void (*resize)(Stream, const ResizeArgs&);
  void (*resize_backward)(Stream, const ResizeArgs&);
};

}  // namespace pl
