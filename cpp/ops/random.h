// Random draws. The generator: its state is an int64 tensor of two words, a RngState
#pragma once
#include "kernels/random.h"
#include "ops/ops.h"

namespace pl::ops {

Tensor make_generator(int64_t seed);
Tensor default_generator();
RngState* generator_state(const char* op, const Tensor& generator);  // checked; counts as a write
Tensor dropout(const Tensor& x, double rate, const Tensor& generator);
Tensor random_fill(const Shape& shape, Distribution distribution, double low, double high, int64_t ilow,
                   int64_t ihigh, DType dtype, const Tensor& generator);

}  // namespace pl::ops
