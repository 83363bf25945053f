#pragma once
#include "core/tensor.h"

namespace pl::ops {

// x itself, or its elements on that device; gradients flow back to x's. RuntimeError when there is no such device.
Tensor to_device(const Tensor& x, Device device);

// The same Tensor object with its elements there. What was computed from it before keeps the old ones.
void move_to_device(const Tensor& x, Device device);

}  // namespace pl::ops
