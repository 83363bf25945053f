// Elementwise functions over strided arrays, copies and casts.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

inline constexpr int kMaxDims = 8;

enum class UnaryOp : uint8_t {
  negative,
  abs,
  sign,
  square,
  sqrt,
  rsqrt,
  reciprocal,
  exp,
  expm1,
  log,
  log1p,
  log2,
  log10,
  sin,
  cos,
  tan,
  arcsin,
  arccos,
  arctan,
  sinh,
  cosh,
  tanh,
  sigmoid,
  softplus,
  relu,
  elu,
  selu,
  silu,
  gelu,
  gelu_tanh,
  leaky_relu,
  hard_sigmoid,
  softsign,
  erf,
  erfc,
  lgamma,
  digamma,
  floor,
  ceil,
  round,
  trunc,
  isnan,
  isinf,
  isfinite,
  logical_not,
  count_
};

enum class BinaryOp : uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  remainder,
  power,
  maximum,
  minimum,
  arctan2,
  hypot,
  logaddexp,
  fmod,
  copysign,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or,
  logical_xor,
  // gradients of activations, (g, y or x as said): the slope is a function of the output where it can be
  relu_grad,       // (g, y)   y > 0 ? g : 0
  sigmoid_grad,    // (g, y)   g y (1 - y)
  tanh_grad,       // (g, y)   g (1 - y^2)
  silu_grad,       // (g, x)
  gelu_grad,       // (g, x)
  gelu_tanh_grad,  // (g, x)
  count_
};

// Do they write bool?
constexpr bool is_test(UnaryOp op) {
  return op == UnaryOp::isnan || op == UnaryOp::isinf || op == UnaryOp::isfinite ||
         op == UnaryOp::logical_not;
}
constexpr bool is_test(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::logical_xor; }

// y = f(x). `in` is x's type and, but for isnan/isinf/isfinite/logical_not (bool), y's too.
// p0: elu's alpha, leaky_relu's slope.
struct UnaryArgs {
  UnaryOp op;
  DType dtype;
  int32_t ndim;  // dimensions are collapsed and sorted by the caller: fewest, last fastest
  int64_t shape[kMaxDims];
  int64_t stride_x[kMaxDims];  // elements; 0 broadcasts
  int64_t stride_y[kMaxDims];
  const void* x;
  void* y;
  double p0;
};

// y = f(a, b), both of type `dtype`; comparisons and logical functions write bool.
struct BinaryArgs {
  BinaryOp op;
  DType dtype;
  int32_t ndim;
  int64_t shape[kMaxDims];
  int64_t stride_a[kMaxDims];
  int64_t stride_b[kMaxDims];
  int64_t stride_y[kMaxDims];
  const void* a;
  const void* b;
  void* y;
};

// y = c ? a : b
struct WhereArgs {
  DType dtype;
  int32_t ndim;
  int64_t shape[kMaxDims];
  int64_t stride_c[kMaxDims];
  int64_t stride_a[kMaxDims];
  int64_t stride_b[kMaxDims];
  int64_t stride_y[kMaxDims];
  const bool* c;
  const void* a;
  const void* b;
  void* y;
};

// y = cast(x), or y += cast(x) with `accumulate` (y and x of one type then).
// float to integer truncates towards zero and saturates; NaN becomes 0; to bool is x != 0.
struct CopyArgs {
  DType from, to;
  bool accumulate;
  int32_t ndim;
  int64_t shape[kMaxDims];
  int64_t stride_x[kMaxDims];
  int64_t stride_y[kMaxDims];
  const void* x;
  void* y;
};

struct FillArgs {
  DType dtype;
  int64_t n;     // contiguous
  double value;  // cast as in CopyArgs
  void* y;
};

struct ElementwiseKernels {
  void (*unary)(Stream, const UnaryArgs&);
  void (*binary)(Stream, const BinaryArgs&);
  void (*where)(Stream, const WhereArgs&);
  void (*copy)(Stream, const CopyArgs&);
  void (*fill)(Stream, const FillArgs&);
};

}  // namespace pl
