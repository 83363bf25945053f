// Normalisation: y = act(gamma (x - mean) / sqrt(var + epsilon) + beta). All arrays contiguous; float32 and float64;
// gamma and beta may be null (ones, zeros). The backward kernels recompute the activation's slope from x, so that
// nothing but x and the statistics is kept.
#pragma once
#include "core/device.h"
#include "core/dtype.h"
#include "kernels/linalg.h"  // Activation

namespace pl {

// Statistics over positions: x (n, s, c), channels last; a group is c / groups neighbouring channels of one n.
// Batch norm is n = 1, groups = c; instance norm groups = c; var is the biased variance.
struct ChannelNormArgs {
  DType dtype;
  Activation activation;
  bool frozen;  // mean and var are given, not measured
  int64_t n, s, c, groups;
  double epsilon;
  const void* x;
  const void* gamma;  // (c)
  const void* beta;   // (c)
  void* mean;         // (n, groups)
  void* var;          // (n, groups)
  void* y;            // null: the statistics only
  void* work;         // channel_workspace(n, s, c, dtype) bytes
};

// dmean, dvar (n, groups) are the gradients of the statistics where they are used themselves, or null; with `frozen` x
// does not act on them. dx, dgamma, dbeta may be null: not wanted.
struct ChannelNormBackwardArgs {
  DType dtype;
  Activation activation;
  bool frozen;
  int64_t n, s, c, groups;
  double epsilon;
  const void* dy;
  const void* x;
  const void* gamma;
  const void* beta;
  const void* mean;
  const void* var;
  const void* dmean;
  const void* dvar;
  void* dx;
  void* dgamma;
  void* dbeta;
  void* work;
};

// Statistics of each row of x (rows, n); gamma and beta (n). `rms`: no mean is taken off, and there is no beta.
struct RowNormArgs {
  DType dtype;
  Activation activation;
  bool rms;
  int64_t rows, n;
  double epsilon;
  const void* x;
  const void* gamma;
  const void* beta;
  void* mean;  // (rows); null with rms
  void* rstd;  // (rows) 1 / sqrt(var + epsilon)
  void* y;     // null: the statistics only
};

struct RowNormBackwardArgs {
  DType dtype;
  Activation activation;
  bool rms;
  int64_t rows, n;
  const void* dy;
  const void* x;
  const void* gamma;
  const void* beta;
  const void* mean;
  const void* rstd;
  void* dx;
  void* dgamma;  // null: not wanted
  void* dbeta;
  void* work;  // row_workspace(rows, n, dtype) bytes
};

struct NormKernels {
  void (*channel_norm)(Stream, const ChannelNormArgs&);
  void (*channel_norm_backward)(Stream, const ChannelNormBackwardArgs&);
  int64_t (*channel_workspace)(int64_t n, int64_t s, int64_t c, DType dtype);
  void (*row_norm)(Stream, const RowNormArgs&);
  void (*row_norm_backward)(Stream, const RowNormBackwardArgs&);
  int64_t (*row_workspace)(int64_t rows, int64_t n, DType dtype);
};

}  // namespace pl
