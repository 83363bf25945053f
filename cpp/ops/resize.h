// Images (N, H, W, C) of another size.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

Tensor resize2d(const Tensor& x, Pair size, const std::string& interpolation);
Tensor upsample2d(const Tensor& x, Pair size, const std::string& interpolation);
Tensor upsample1d(const Tensor& x, int64_t size);  // (N, T, C)
Tensor pixel_shuffle(const Tensor& x, int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, int64_t factor);

}  // namespace pl::ops
