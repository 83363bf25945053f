// Softmax and the losses; they never broadcast.
#pragma once
#include "kernels/pointloss.h"
#include "ops/ops.h"

namespace pl::ops {

Tensor softmax(const Tensor& x, int64_t axis);
Tensor softmax_backward(const Tensor& dy, const Tensor& y, int64_t axis);
Tensor log_softmax(const Tensor& x, int64_t axis);
Tensor log_softmax_backward(const Tensor& dy, const Tensor& y, int64_t axis);
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels);
Tensor softmax_cross_entropy_backward(const Tensor& dy, const Tensor& logits, const Tensor& labels);
Tensor pointwise_loss(const Tensor& prediction, const Tensor& target, PointLoss loss, double parameter,
                      Reduction reduction);
// With respect to the prediction, or to the target.
Tensor pointwise_loss_backward(const Tensor& dy, const Tensor& prediction, const Tensor& target,
                               PointLoss loss, double parameter, Reduction reduction, bool of_target);
Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets);
Tensor squared_error(const Tensor& x1, const Tensor& x2);
Tensor absolute_error(const Tensor& x1, const Tensor& x2);
Tensor huber(const Tensor& x1, const Tensor& x2, double delta);

}  // namespace pl::ops
