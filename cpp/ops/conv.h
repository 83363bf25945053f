// Convolution: images (N, H, W, C), kernels (KH, KW, C / groups, F).
#pragma once
#include "ops/ops.h"

namespace pl::ops {

struct Conv2dOptions {
  Pair strides{1, 1}, dilation{1, 1};
  bool same = false;              // padding="same"
  Pair pad_h{0, 0}, pad_w{0, 0};  // before, after; when not `same`
  int64_t groups = 1;
};
Tensor conv2d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options);
std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   const Conv2dOptions& options);

}  // namespace pl::ops
