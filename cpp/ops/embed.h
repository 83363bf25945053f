// Rows of a table by id, and the gradients with respect to the table.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

Tensor embedding(const Tensor& ids, const Tensor& table);
Tensor embedding_backward(const Tensor& dy, const Tensor& ids, int64_t num_embeddings);
// (unique, sums): the distinct ids, growing, padded with -1 to ids.size(), and the rows of the gradient they have.
std::tuple<Tensor, Tensor> embedding_backward_sparse(const Tensor& dy, const Tensor& ids);

}  // namespace pl::ops
