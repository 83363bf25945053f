// Recurrent cells.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w,
                                     const Tensor& u, const OptTensor& b, Activation activation);
// dx, dh, dc, dw, du, db
std::vector<Tensor> lstm_cell_backward(const Tensor& dh_out, const Tensor& dc_out, const Tensor& x,
                                       const Tensor& h, const Tensor& c, const Tensor& w, const Tensor& u,
                                       const OptTensor& b, Activation activation);

}  // namespace pl::ops
