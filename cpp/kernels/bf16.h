// The matrix product with bfloat16 operands and float32 sums, which is what training in mixed precision needs.
#pragma once
#include "kernels/linalg.h"

namespace pl {

struct Bf16Kernels {
  // GemmArgs of float32: A and B are rounded to bfloat16 (to nearest, ties to even) while they are packed; sums, bias,
  // residual and C are float32. Processors with the instruction for it take denormal operands and sums for zero.
  void (*gemm)(Stream, const GemmArgs&);
  int64_t (*gemm_workspace)(const GemmArgs&);  // bytes; does not depend on the number of threads
};

}  // namespace pl
