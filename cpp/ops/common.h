// What the op files share: results, checks, collapsed iteration, number operands.
#pragma once
#include "core/capture.h"
#include "core/error.h"
#include "core/record.h"
#include "core/tensor.h"
#include "kernels/backend.h"
#include "kernels/table.h"
#include "ops/ops.h"

namespace pl::ops {

// Of the calling thread's device.
inline const KernelTable& kernels() { return kernels_here(); }

// Bytes that a kernel asks for, by the table's own function.
template <class... A>
int64_t workspace_bytes(const char* name, int64_t (*ask)(A...), const std::type_identity_t<A>&... args) {
  if (!ask) raise_missing_kernel(name);
  return ask(args...);
}

// The op's result: `out` when the caller gave one that fits (see OutScope), else new memory.
Tensor result(const Shape& shape, DType dtype);

// out=: while in scope, the first result of this shape and dtype is written straight into `out`. finish() copies
// whatever was computed elsewhere. Nothing is written straight when out is strided or overlaps an input.
class OutScope {
 public:
  OutScope(const char* op, const OptTensor& out, const std::vector<Tensor>& inputs);
  ~OutScope();
  Tensor finish(const Tensor& computed);

 private:
  const char* op_;
  OptTensor out_;
  Tensor* before_;
  Tensor hint_;
};

// Can an array of this shape exist at all? The argument that asks for it is to blame.
void check_size(const char* op, const char* argument, const Shape& shape, DType dtype);
void require_float(const char* op, const char* argument, const Tensor& x);
void require_same_dtype(const char* op, const char* a, const Tensor& x, const char* b, const Tensor& y);
// Ints and bool become float64, floats stay.
Tensor as_float(const Tensor& x);

// Dimensions of size 1 dropped and neighbours merged, the same for every operand.
template <int N>
struct Collapsed {
  int32_t ndim = 0;
  int64_t shape[kMaxDims] = {};
  int64_t stride[N][kMaxDims] = {};
};

template <int N>
Collapsed<N> collapse(const Shape& shape, const std::array<Shape, N>& strides) {
  Collapsed<N> c;
  for (int i = 0; i < shape.ndim(); ++i) {
    if (shape[i] == 1) continue;
    bool merge = c.ndim > 0;
    for (int k = 0; merge && k < N; ++k) merge = c.stride[k][c.ndim - 1] == strides[k][i] * shape[i];
    if (merge) {
      c.shape[c.ndim - 1] *= shape[i];
      for (int k = 0; k < N; ++k) c.stride[k][c.ndim - 1] = strides[k][i];
    } else {
      c.shape[c.ndim] = shape[i];
      for (int k = 0; k < N; ++k) c.stride[k][c.ndim] = strides[k][i];
      ++c.ndim;
    }
  }
  return c;
}

// The same for tensors of one shape, of which the commonest case, all of them contiguous, is one row.
template <int N>
Collapsed<N> collapse_same(const Shape& shape, const std::array<const Tensor*, N>& tensors) {
  bool flat = true;
  for (const Tensor* t : tensors) flat = flat && t->is_contiguous();
  if (!flat) {
    std::array<Shape, N> strides;
    for (int k = 0; k < N; ++k) strides[k] = tensors[k]->strides();
    return collapse<N>(shape, strides);
  }
  Collapsed<N> c;
  const int64_t n = count(shape);
  if (n == 1) return c;
  c.ndim = 1;
  c.shape[0] = n;
  for (int k = 0; k < N; ++k) c.stride[k][0] = 1;
  return c;
}

// Python-number operands for formulas: x * 2.0 keeps x's type.
inline Tensor number(double v) { return scalar(v, DType::float64, true); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return subtract(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return multiply(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return divide(a, b); }
inline Tensor operator-(const Tensor& a) { return negative(a); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, number(b)); }
inline Tensor operator*(const Tensor& a, double b) { return multiply(a, number(b)); }
inline Tensor operator-(double a, const Tensor& b) { return subtract(number(a), b); }

// Launches shared between families.
Tensor binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b);  // any dtypes
Tensor unary(const char* name, UnaryOp op, const Tensor& x, double p0 = 0);
void copy_into(const Tensor& x, const Tensor& y, bool accumulate = false);  // y.shape() == x.shape()
Tensor gemm(const Tensor& a, const Tensor& b, const OptTensor& bias, Activation activation,
            const Tensor& into, const OptTensor& residual = {});
Tensor activation_grad(const Tensor& g, const Tensor& y, Activation activation);

}  // namespace pl::ops
