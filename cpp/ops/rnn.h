// Recurrences over a whole sequence, and single steps. x (B,T,F), w (F,GH), u (H,GH), b (GH), h and c (B,H), mask (B,T)
// bool, y (B,T,H); gates in Keras' order: lstm i,f,c,o; gru z,r,h with b (2,3H) when the reset gate comes after the
// product (input bias, recurrent bias).
#pragma once
#include "kernels/rnn.h"
#include "ops/ops.h"

namespace pl::ops {

// y, h
std::tuple<Tensor, Tensor> simple_rnn(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                      const OptTensor& h, RnnActivation activation, const OptTensor& mask,
                                      bool reverse);
std::tuple<Tensor, Tensor> gru(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                               const OptTensor& h, RnnActivation activation, RnnActivation recurrent,
                               bool reset_after, const OptTensor& mask, bool reverse);
// y, h, c
std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                        const OptTensor& h, const OptTensor& c, RnnActivation activation,
                                        RnnActivation recurrent, const OptTensor& mask, bool reverse);

// dx, dw, du, db, dh (, dc): the forward pass again, then its backward. A gradient that is not given is zero.
std::vector<Tensor> simple_rnn_backward(const OptTensor& dy, const OptTensor& dh, const Tensor& x,
                                        const Tensor& w, const Tensor& u, const OptTensor& b,
                                        const OptTensor& h, RnnActivation activation, const OptTensor& mask,
                                        bool reverse);
std::vector<Tensor> gru_backward(const OptTensor& dy, const OptTensor& dh, const Tensor& x, const Tensor& w,
                                 const Tensor& u, const OptTensor& b, const OptTensor& h,
                                 RnnActivation activation, RnnActivation recurrent, bool reset_after,
                                 const OptTensor& mask, bool reverse);
std::vector<Tensor> lstm_backward(const OptTensor& dy, const OptTensor& dh, const OptTensor& dc,
                                  const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                  const OptTensor& h, const OptTensor& c, RnnActivation activation,
                                  RnnActivation recurrent, const OptTensor& mask, bool reverse);

// One step, x (B,F).
Tensor simple_rnn_cell(const Tensor& x, const Tensor& h, const Tensor& w, const Tensor& u, const OptTensor& b,
                       RnnActivation activation);
Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w, const Tensor& u, const OptTensor& b,
                RnnActivation activation, RnnActivation recurrent, bool reset_after);
std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w,
                                     const Tensor& u, const OptTensor& b, RnnActivation activation,
                                     RnnActivation recurrent);
// dx, dh, dc, dw, du (, db)
std::vector<Tensor> lstm_cell_backward(const Tensor& dh_out, const Tensor& dc_out, const Tensor& x,
                                       const Tensor& h, const Tensor& c, const Tensor& w, const Tensor& u,
                                       const OptTensor& b, RnnActivation activation, RnnActivation recurrent);

}  // namespace pl::ops
