// Softmax and the losses that start from logits. All arrays contiguous, x (rows, cols); float32 and float64.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// y = softmax(x) or log_softmax(x), over cols.
struct SoftmaxArgs {
  DType dtype;
  bool log;
  int64_t rows, cols;
  const void* x;
  void* y;
};

// dx from y and dy: softmax y (dy - sum(dy y)); log_softmax dy - exp(y) sum(dy).
struct SoftmaxBackwardArgs {
  DType dtype;
  bool log;
  int64_t rows, cols;
  const void* y;
  const void* dy;
  void* dx;
};

// loss[r] = -sum_c t[r,c] log softmax(x)[r,c]. For the backward pass stat (rows, 2) keeps each row's maximum and the
// reciprocal of its sum of e^(x - maximum): from them and x the probabilities are made again faster than they are read.
// Targets: `target` (rows, cols) of dtype, or `label` (rows) of label_dtype (uint8, int32, int64), the other null.
// A label outside [0, cols) is skipped (loss 0) and noted in status.
struct CrossEntropyArgs {
  DType dtype;
  DType label_dtype;
  int64_t rows, cols;
  const void* x;
  const void* target;
  const void* label;
  void* loss;  // (rows)
  void* stat;  // (rows, 2)
  Status* status;
};

// dx[r,c] = dloss[r] (p[r,c] sum_c(t[r,c]) - t[r,c]), p = softmax(x); labels out of range give a row of zeros.
struct CrossEntropyBackwardArgs {
  DType dtype;
  DType label_dtype;
  int64_t rows, cols;
  const void* x;
  const void* stat;
  const void* target;
  const void* label;
  const void* dloss;  // (rows), read with this stride in elements: 0 repeats one value
  int64_t stride_dloss;
  void* dx;
};

struct LossKernels {
  void (*softmax)(Stream, const SoftmaxArgs&);
  void (*softmax_backward)(Stream, const SoftmaxBackwardArgs&);
  void (*cross_entropy)(Stream, const CrossEntropyArgs&);
  void (*cross_entropy_backward)(Stream, const CrossEntropyBackwardArgs&);
};

}  // namespace pl
