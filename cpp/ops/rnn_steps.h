// The recurrences written in plain ops, step by step: what gradients of gradients are taken through.
#pragma once
#include <array>

#include "kernels/rnn.h"
#include "ops/common.h"

namespace pl::ops {

struct Recurrence {
  const char* op;
  RnnCell cell;
  RnnActivation activation, recurrent;
  bool reverse;
};

struct RnnInputs {
  Tensor x, w, u;
  OptTensor b, h, c, mask;
};

Tensor activate(const Tensor& x, RnnActivation a);
// h, c from z = x w + b (B,GH) of one step; c is used by lstm only
struct RnnState {
  Tensor h, c;
};
RnnState step(const Recurrence& r, const Tensor& z, const Tensor& u, const OptTensor& recurrent_bias,
              const RnnState& old);
// y, h, c
std::array<Tensor, 3> composite(const Recurrence& r, const RnnInputs& in);

// The rows of b (2,3H): of the input, and of the state.
Tensor row_of(const Tensor& b, int64_t row);

}  // namespace pl::ops
