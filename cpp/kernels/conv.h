// Two-dimensional convolution (cross-correlation, as in Keras), NHWC images and HWIO kernels, contiguous.
//
// Why this layout: in NHWC the KW * C inputs under one row of a kernel are contiguous, and in HWIO so are the weights
// that meet them, one row of F after the other. A convolution is then a sum of KH matrix products whose operands lie
// where they are: nothing is gathered, and bias and activation run along the contiguous filters. It is also Keras'.
#pragma once
#include "core/device.h"
#include "core/dtype.h"
#include "kernels/linalg.h"

namespace pl {

enum class ConvPass : uint8_t { forward, input, weight };

// x (N,H,W,C), w (KH,KW,C/groups,F), bias (F) or null, y (N,OH,OW,F).
// forward  y[n,oh,ow,f] = act(bias[f] + sum x[n, oh*stride_h - pad_top + kh*dilation_h, ...] w[kh,kw,c,f]), zero
//          outside x
// input    dx = its gradient from dy, then act(dx + bias (C)): as a forward pass of its own, the transposed convolution
// weight   dw (KH,KW,C/groups,F) and, unless null, dbias (F) = sum of dy
// What is written is written whole, never added to.
struct Conv2dArgs {
  DType dtype;
  ConvPass pass;
  Activation activation;
  int64_t n, h, w, c;
  int64_t kh, kw, f;
  int64_t oh, ow;
  int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int64_t groups;
  const void* x;       // forward, weight
  const void* weight;  // forward, input
  const void* bias;    // forward, input
  const void* dy;      // input, weight
  void* out;           // y, dx or dw
  void* dbias;         // weight
  void* work;          // conv2d_workspace(args) bytes, 64-byte aligned
};

struct ConvKernels {
  void (*conv2d)(Stream, const Conv2dArgs&);
  int64_t (*conv2d_workspace)(const Conv2dArgs&);  // bytes; depends on the shapes only
};

}  // namespace pl
