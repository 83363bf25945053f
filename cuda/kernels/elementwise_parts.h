// The functions of ElementwiseKernels that have files of their own, so that no file compiles for long.
#pragma once
#include "kernels/elementwise.h"

namespace pl::cuda {

void elementwise_unary(Stream, const UnaryArgs&);
void elementwise_binary(Stream, const BinaryArgs&);

}  // namespace pl::cuda
