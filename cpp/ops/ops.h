// The ops that other ops build on, for C++: elementwise, reductions, matrix products, layout, indexing. The other families
// have headers of their own (loss.h, conv.h, ...). Shapes and dtypes are checked in the op, once; results are new tensors
// and are recorded for autograd. The Python signatures (bindings/ops_*.cpp) are the same.
#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/record.h"
#include "core/tensor.h"
#include "kernels/linalg.h"

namespace pl::ops {

using OptTensor = std::optional<Tensor>;
using OptAxes = std::optional<Axes>;  // nothing: all axes
struct Pair {
  int64_t h, w;
};

// elementwise.cpp, activations.cpp: one output shaped as the inputs broadcast
Tensor negative(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor expm1(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor arcsin(const Tensor& x);
Tensor arccos(const Tensor& x);
Tensor arctan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor softplus(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor elu(const Tensor& x, double alpha);
Tensor selu(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor gelu(const Tensor& x, bool approximate);
Tensor leaky_relu(const Tensor& x, double negative_slope);
Tensor hard_sigmoid(const Tensor& x);
Tensor softsign(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor erfc(const Tensor& x);
Tensor lgamma(const Tensor& x);
Tensor digamma(const Tensor& x);  // its own gradient (trigamma) is not implemented: taking it raises
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);
Tensor trunc(const Tensor& x);
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);
Tensor logical_not(const Tensor& x);
Tensor add(const Tensor& x1, const Tensor& x2);
Tensor subtract(const Tensor& x1, const Tensor& x2);
Tensor multiply(const Tensor& x1, const Tensor& x2);
Tensor divide(const Tensor& x1, const Tensor& x2);
Tensor floor_divide(const Tensor& x1, const Tensor& x2);
Tensor remainder(const Tensor& x1, const Tensor& x2);
Tensor power(const Tensor& x1, const Tensor& x2);
Tensor maximum(const Tensor& x1, const Tensor& x2);
Tensor minimum(const Tensor& x1, const Tensor& x2);
Tensor arctan2(const Tensor& x1, const Tensor& x2);
Tensor hypot(const Tensor& x1, const Tensor& x2);
Tensor logaddexp(const Tensor& x1, const Tensor& x2);
Tensor fmod(const Tensor& x1, const Tensor& x2);
Tensor copysign(const Tensor& x1, const Tensor& x2);
Tensor equal(const Tensor& x1, const Tensor& x2);
Tensor not_equal(const Tensor& x1, const Tensor& x2);
Tensor less(const Tensor& x1, const Tensor& x2);
Tensor less_equal(const Tensor& x1, const Tensor& x2);
Tensor greater(const Tensor& x1, const Tensor& x2);
Tensor greater_equal(const Tensor& x1, const Tensor& x2);
Tensor logical_and(const Tensor& x1, const Tensor& x2);
Tensor logical_or(const Tensor& x1, const Tensor& x2);
Tensor logical_xor(const Tensor& x1, const Tensor& x2);
Tensor where(const Tensor& condition, const Tensor& x1, const Tensor& x2);
Tensor clip(const Tensor& x, const OptTensor& min, const OptTensor& max);
Tensor cast(const Tensor& x, DType dtype);
Tensor copy(const Tensor& x);        // contiguous, new memory
Tensor contiguous(const Tensor& x);  // x itself when it is already
Tensor full(const Shape& shape, double value, DType dtype);
Tensor stop_gradient(const Tensor& x);
// In place; x is broadcast and cast (same-kind) to dst.
Tensor assign(const Tensor& dst, const Tensor& value);
Tensor assign_add(const Tensor& dst, const Tensor& value);
void fill(const Tensor& dst, double value);
// x summed over the axes that broadcasting it to its present shape repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);

// reduce.cpp
Tensor sum(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor mean(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor prod(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor max(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor min(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor any(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor all(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor logsumexp(const Tensor& x, const OptAxes& axis = {}, bool keepdims = false);
Tensor var(const Tensor& x, const OptAxes& axis, double ddof, bool keepdims);
Tensor std(const Tensor& x, const OptAxes& axis, double ddof, bool keepdims);
Tensor argmax(const Tensor& x, std::optional<int64_t> axis, bool keepdims);
Tensor argmin(const Tensor& x, std::optional<int64_t> axis, bool keepdims);
Tensor cumsum(const Tensor& x, std::optional<int64_t> axis, bool reverse = false);

// linalg.cpp
Tensor matmul(const Tensor& x1, const Tensor& x2);
// float32 in and out; operands rounded to bfloat16, sums in float32.
Tensor matmul_bf16(const Tensor& x1, const Tensor& x2);
// x' x, for half of the products: (..., N, K) -> (..., K, K), symmetric to the last bit.
Tensor gram(const Tensor& x);
std::tuple<Tensor, Tensor> matmul_backward(const Tensor& dy, const Tensor& x1, const Tensor& x2);
Tensor linear(const Tensor& x, const Tensor& w, const OptTensor& b, Activation activation,
              const OptTensor& residual = {});
// (dx, dw, db, dz): dz is the gradient before the activation, the residual's too. y is the output, or the input of the
// activation when slope_needs_input().
std::tuple<Tensor, Tensor, Tensor, Tensor> linear_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                           const Tensor& y, Activation activation);
Tensor activate(const Tensor& x, Activation activation);  // the op of that name
// y = A x (or A' x): A in CSR form with shape (rows, cols); values and x float32 or float64.
Tensor csr_matmul(const Tensor& indptr, const Tensor& indices, const Tensor& values, int64_t rows,
                  int64_t cols, const Tensor& x, bool transpose);

// layout.cpp: views where they can be
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor transpose(const Tensor& x, const OptAxes& axes = {});
Tensor swap_last(const Tensor& x);  // the matrix transpose of each matrix
Tensor expand_dims(const Tensor& x, int64_t axis);
Tensor squeeze(const Tensor& x, const OptAxes& axis);
Tensor broadcast_to(const Tensor& x, const Shape& shape);
Tensor concatenate(const std::vector<Tensor>& xs, int64_t axis);
Tensor stack(const std::vector<Tensor>& xs, int64_t axis);
std::vector<Tensor> split(const Tensor& x, const Shape& indices, bool sections, int64_t axis);
// mode: constant, reflect, symmetric, edge or wrap, as NumPy.
Tensor pad(const Tensor& x, const std::vector<Pair>& pad_width, double value,
           const std::string& mode = "constant");
Tensor slice(const Tensor& x, const Shape& start, const Shape& stop, const Shape& step);
Tensor flip(const Tensor& x, const OptAxes& axis);

// embed.cpp
Tensor take(const Tensor& x, const Tensor& indices, std::optional<int64_t> axis);
Tensor one_hot(const Tensor& x, int64_t num_classes, DType dtype);

}  // namespace pl::ops
