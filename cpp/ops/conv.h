// Convolutions: images (N, H, W, C), kernels (KH, KW, C / groups, F); sequences (N, T, C), kernels (K, C / groups, F).
#pragma once
#include "ops/ops.h"

namespace pl::ops {

enum class ConvPad : uint8_t { given, same, causal };

struct Conv2dOptions {
  Pair strides{1, 1}, dilation{1, 1};
  ConvPad padding = ConvPad::given;
  Pair pad_h{0, 0}, pad_w{0, 0};  // before, after; when given
  int64_t groups = 1;
  Activation activation = Activation::none;
};
Tensor conv2d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options);
std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   const Conv2dOptions& options);
// Along the second axis of the options.
Tensor conv1d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options);
// w (KH, KW, C, multiplier); output channel c * multiplier + m.
Tensor depthwise_conv2d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options);

// The adjoint of a convolution from (N, OH, OW, F) to x (N, H, W, C), w (KH, KW, F, C).
struct TransposeOptions {
  Pair strides{1, 1}, dilation{1, 1};
  bool same = false;
  std::optional<Pair> output_padding;
  Activation activation = Activation::none;
};
Tensor conv2d_transpose(const Tensor& x, const Tensor& w, const OptTensor& b,
                        const TransposeOptions& options);
Tensor conv1d_transpose(const Tensor& x, const Tensor& w, const OptTensor& b,
                        const TransposeOptions& options);

}  // namespace pl::ops
