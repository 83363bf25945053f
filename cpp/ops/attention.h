// Scaled dot-product attention.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

struct AttentionOptions {
  OptTensor mask;  // bool (true: seen) or of q's type (added), broadcast to (B, H, T, S)
  bool is_causal = false;
  double dropout = 0;
  std::optional<double> scale;  // 1 / sqrt(D)
  Tensor generator;
};
// q (B, T, H, D), k (B, S, G, D), v (B, S, G, E) with G dividing H -> (B, T, H, E)
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options);
// dq, dk, dv
std::tuple<Tensor, Tensor, Tensor> scaled_dot_product_attention_backward(const Tensor& dy, const Tensor& q,
                                                                         const Tensor& k, const Tensor& v,
                                                                         const AttentionOptions& options);

}  // namespace pl::ops
