// Sorting along an axis, and elements by their positions.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

Tensor sort(const Tensor& x, std::optional<int64_t> axis, bool descending = false);
Tensor argsort(const Tensor& x, std::optional<int64_t> axis, bool descending = false);
std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis = -1);  // values, positions
Tensor searchsorted(const Tensor& sorted, const Tensor& values, const std::string& side);
Tensor take_along_axis(const Tensor& x, const Tensor& indices, std::optional<int64_t> axis);
// Without a length it is one more than the largest id, which is read: no recorded step can hold that.
Tensor bincount(const Tensor& x, const OptTensor& weights, std::optional<int64_t> length);

}  // namespace pl::ops
