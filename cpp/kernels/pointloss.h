// Losses of a prediction x and a target t, element by element, and their means over rows. All arrays contiguous;
// float32 and float64.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// d = x - t; c is the parameter.
enum class PointLoss : uint8_t {
  squared_error,                     // d^2
  absolute_error,                    // |d|
  huber,                             // d^2/2 where |d| <= c, else c (|d| - c/2)
  log_cosh,                          // log(cosh(d))
  squared_logarithmic_error,         // (log(1 + max(x,c)) - log(1 + max(t,c)))^2
  absolute_percentage_error,         // 100 |d| / max(|t|, c)
  poisson,                           // x - t log(x + c)
  hinge,                             // max(1 - t x, 0)
  squared_hinge,                     // max(1 - t x, 0)^2
  kl_divergence,                     // a log(a / p), a and p being t and x cut to [c, 1]
  binary_cross_entropy,              // -t log(p) - (1-t) log(1-p), p being x cut to [c, 1-c]
  binary_cross_entropy_with_logits,  // max(x,0) - x t + log(1 + e^-|x|)
};

enum class Reduction : uint8_t { none, mean, sum };  // over the columns

// y (rows, cols) = loss(x, t); reduced y (rows).
struct PointLossArgs {
  PointLoss loss;
  Reduction reduction;
  DType dtype;
  double c;
  int64_t rows, cols;
  const void* x;
  const void* t;
  void* y;
};

// d[r,c] = dy[r,c] times the derivative of loss(x, t) with respect to x, or to t with of_target. Reduced, dy is (rows).
// dy is read with this stride in elements: 0 repeats one number.
struct PointLossBackwardArgs {
  PointLoss loss;
  Reduction reduction;
  DType dtype;
  bool of_target;
  double c;
  int64_t rows, cols;
  const void* dy;
  int64_t stride_dy;  // 0 or 1
  const void* x;
  const void* t;
  void* d;
};

struct PointLossKernels {
  void (*forward)(Stream, const PointLossArgs&);
  void (*backward)(Stream, const PointLossBackwardArgs&);
};

}  // namespace pl
