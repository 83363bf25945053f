// Pooling of images (N, H, W, C) and sequences (N, T, C).
#pragma once
#include "ops/ops.h"

namespace pl::ops {

struct PoolOptions {
  Pair size{2, 2};
  std::optional<Pair> strides;    // nothing: the size
  bool same = false;              // padding="same"
  Pair pad_h{0, 0}, pad_w{0, 0};  // before, after; when not `same`
};
// A 1-D pool takes its options from the second of each pair and from pad_w.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options);
Tensor max_pool1d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool1d(const Tensor& x, const PoolOptions& options);
Tensor adaptive_max_pool2d(const Tensor& x, Pair output_size);
Tensor adaptive_avg_pool2d(const Tensor& x, Pair output_size);
Tensor global_max_pool2d(const Tensor& x, bool keepdims = false);
Tensor global_max_pool1d(const Tensor& x, bool keepdims = false);
Tensor global_avg_pool2d(const Tensor& x, bool keepdims = false);
Tensor global_avg_pool1d(const Tensor& x, bool keepdims = false);

}  // namespace pl::ops
