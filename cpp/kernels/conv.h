// Two-dimensional convolution (cross-correlation, as in Keras), NHWC images and HWIO kernels, contiguous.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// x (N,H,W,C), w (KH,KW,C/groups,F), bias (F) or null, y (N,OH,OW,F).
// y[n,oh,ow,f] = bias[f] + sum x[n, oh*stride_h - pad_top + kh*dilation_h, ...] w[kh,kw,c,f], zero outside x.
// The same struct serves the two gradients: backward_input reads y as dy and w, and writes x as dx; backward_weight
// reads x and y as dy, and writes w as dw. What is written is written whole, never added to.
struct Conv2dArgs {
  DType dtype;
  int64_t n, h, w, c;
  int64_t kh, kw, f;
  int64_t oh, ow;
  int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int64_t groups;
  const void* x;
  const void* weight;
  const void* bias;
  const void* dy;
  void* out;
};

struct ConvKernels {
  void (*conv2d)(Stream, const Conv2dArgs&);
  void (*conv2d_backward_input)(Stream, const Conv2dArgs&);
  void (*conv2d_backward_weight)(Stream, const Conv2dArgs&);
};

}  // namespace pl
