// Reductions and scans over the middle axis of x (outer, n, inner), any strides.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

enum class ReduceOp : uint8_t {
  sum,
  mean,
  prod,
  max,
  min,
  argmax,
  argmin,
  any,
  all,
  logsumexp,
  sum_squares,
  count_
};

// y (outer, inner), contiguous. Type of y: sum/prod of bool, uint8, int32, int64 -> int64; argmax, argmin ->
// int64; any, all -> bool; the rest as x, where mean, logsumexp and sum_squares take floats only. Sums are
// pairwise or wider. max and min propagate NaN; argmax and argmin return the first NaN, else the first
// extremum. n = 0: sum 0, prod 1, any false, all true, logsumexp -inf, mean NaN (the caller has rejected max,
// min, arg*).
struct ReduceArgs {
  ReduceOp op;
  DType dtype;
  int64_t outer, n, inner;
  int64_t stride_outer, stride_n, stride_inner;
  const void* x;
  void* y;
};

// y[o,j,i] = sum of x[o,0..j,i]; with `reverse` of x[o,j..n-1,i]. y (outer, n, inner) contiguous, type as for
// sum.
struct CumsumArgs {
  DType dtype;
  bool reverse;
  int64_t outer, n, inner;
  int64_t stride_outer, stride_n, stride_inner;
  const void* x;
  void* y;
};

struct ReduceKernels {
  void (*reduce)(Stream, const ReduceArgs&);
  void (*cumsum)(Stream, const CumsumArgs&);
};

}  // namespace pl
