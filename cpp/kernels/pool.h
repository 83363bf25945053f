// Pooling over windows of images (N,H,W,C), contiguous, float32 or float64.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// The windows along one axis. Window o covers positions o*stride - before up to `kernel` further, cut off at the
// image's ends; an adaptive one goes from floor(o*size/out) up to ceil((o+1)*size/out), `kernel` being the longest.
// No window is empty, and both ends of the windows grow with o.
struct PoolAxis {
  int64_t size, out, kernel, stride, before;
  bool adaptive;
};

// What each function reads and writes (whole, never added to):
//   max_pool           in = x (N,H,W,C)     out = y (N,OH,OW,C)   writes `offsets` unless it is null
//   max_pool_backward  in = dy (N,OH,OW,C)  out = dx (N,H,W,C)    reads `offsets`
//   max_pool_gather    in = x               out = y               reads `offsets`: the transpose of the backward pass
//   avg_pool           in = x               out = y
//   avg_pool_backward  in = dy              out = dx
// offsets (N,OH,OW,C): the place of the maximum in its window, row * w.kernel + column, counted from the window's
// first position whether that is in the image or not. The first maximum in row-major order; a NaN is the maximum.
struct PoolArgs {
  DType dtype;
  DType offset_dtype;  // uint8 where h.kernel * w.kernel <= 256, else int32
  int64_t n, c;
  PoolAxis h, w;
  const void* in;
  void* offsets;
  void* out;
};

struct PoolKernels {
  void (*max_pool)(Stream, const PoolArgs&);
  void (*max_pool_backward)(Stream, const PoolArgs&);
  void (*max_pool_gather)(Stream, const PoolArgs&);
  void (*avg_pool)(Stream, const PoolArgs&);
  void (*avg_pool_backward)(Stream, const PoolArgs&);
};

}  // namespace pl
