// Normalisation, channels last: y = activation(gamma (x - mean) / sqrt(var + epsilon) + beta).
#pragma once
#include "ops/ops.h"

namespace pl::ops {

using ThreeTensors = std::tuple<Tensor, Tensor, Tensor>;

// y, mean, var: statistics over all axes but the last
ThreeTensors batch_norm(const Tensor& x, const OptTensor& gamma, const OptTensor& beta, double epsilon,
                        Activation activation);
Tensor batch_norm_inference(const Tensor& x, const OptTensor& gamma, const OptTensor& beta,
                            const Tensor& mean, const Tensor& var, double epsilon, Activation activation);
// dx, dgamma, dbeta; `training`: mean and var are those of x, as batch_norm gave them
ThreeTensors batch_norm_backward(const Tensor& dy, const Tensor& x, const OptTensor& gamma,
                                 const OptTensor& beta, const Tensor& mean, const Tensor& var, double epsilon,
                                 Activation activation, bool training);

// `axis`: the last axes
Tensor layer_norm(const Tensor& x, const OptTensor& gamma, const OptTensor& beta, const Axes& axis,
                  double epsilon, Activation activation);
ThreeTensors layer_norm_backward(const Tensor& dy, const Tensor& x, const OptTensor& gamma,
                                 const OptTensor& beta, const Axes& axis, double epsilon,
                                 Activation activation);
Tensor rms_norm(const Tensor& x, const OptTensor& gamma, const Axes& axis, double epsilon,
                Activation activation);
std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& dy, const Tensor& x, const OptTensor& gamma,
                                             const Axes& axis, double epsilon, Activation activation);

Tensor group_norm(const Tensor& x, int64_t groups, const OptTensor& gamma, const OptTensor& beta,
                  double epsilon, Activation activation);
ThreeTensors group_norm_backward(const Tensor& dy, const Tensor& x, int64_t groups, const OptTensor& gamma,
                                 const OptTensor& beta, double epsilon, Activation activation);

}  // namespace pl::ops
