// Parameter updates, in place.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

void sgd_update(const Tensor& p, const Tensor& g, double lr, double momentum, const OptTensor& velocity,
                bool nesterov, double weight_decay);
void adam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, int64_t step, double lr,
                 double beta_1, double beta_2, double epsilon, double weight_decay, bool decoupled);

}  // namespace pl::ops
