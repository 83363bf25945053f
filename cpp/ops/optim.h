// Parameter updates of single arrays, in place.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

void sgd_update(const Tensor& p, const Tensor& g, double lr, double momentum, const OptTensor& velocity,
                bool nesterov, double weight_decay);
void adam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, int64_t step, double lr,
                 double beta_1, double beta_2, double epsilon, double weight_decay, bool decoupled,
                 const OptTensor& vhat);
void adagrad_update(const Tensor& p, const Tensor& g, const Tensor& accumulator, double lr, double epsilon,
                    double weight_decay);
void adadelta_update(const Tensor& p, const Tensor& g, const Tensor& accumulated_grad,
                     const Tensor& accumulated_delta, double lr, double rho, double epsilon,
                     double weight_decay);
void rmsprop_update(const Tensor& p, const Tensor& g, const Tensor& v, double lr, double rho, double momentum,
                    double epsilon, const OptTensor& velocity, const OptTensor& average, double weight_decay);
void adamax_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& u, int64_t step,
                   double lr, double beta_1, double beta_2, double epsilon, double weight_decay);
void nadam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, int64_t step, double lr,
                  double beta_1, double beta_2, double epsilon, double weight_decay);
void lion_update(const Tensor& p, const Tensor& g, const Tensor& m, double lr, double beta_1, double beta_2,
                 double weight_decay);

// Only the rows of p that `ids` names; g holds a row for each id.
void sparse_sgd_update(const Tensor& p, const Tensor& ids, const Tensor& g, double lr, double momentum,
                       const OptTensor& velocity, bool nesterov, double weight_decay);
void sparse_adam_update(const Tensor& p, const Tensor& ids, const Tensor& g, const Tensor& m, const Tensor& v,
                        int64_t step, double lr, double beta_1, double beta_2, double epsilon,
                        double weight_decay);
void sparse_adagrad_update(const Tensor& p, const Tensor& ids, const Tensor& g, const Tensor& accumulator,
                           double lr, double epsilon, double weight_decay);

}  // namespace pl::ops
