// Triangles and diagonals of matrices.
#include <algorithm>

#include "ops/decomp_common.h"

namespace pl::ops {
namespace {

void require_matrix(const char* op, const Tensor& x) {
  if (x.ndim() < 2)
    raise<ValueError>("[", op, "] argument 'x' must be a matrix or a stack of them, not of shape ",
                      x.shape());
}

Tensor triangle(const char* op, const Tensor& x, int64_t k0, bool upper) {
  require_matrix(op, x);
  const int64_t k = std::clamp(k0, -x.shape(-2) - 1, x.shape(-1) + 1);
  Tensor y = result(x.shape(), x.dtype());
  if (y.size() > 0) {
    Tensor c = contiguous(x.detach());
    TriangleArgs args{.itemsize = static_cast<int64_t>(itemsize(x.dtype())),
                      .upper = upper,
                      .k = k,
                      .batch = count(stack_of(x)),
                      .rows = x.shape(-2),
                      .columns = x.shape(-1),
                      .x = c.read(),
                      .y = y.write()};
    launch("triangle", kernels().decomp.triangle, args, 0.3 * static_cast<double>(y.size()));
  }
  record(op, {x}, {y}, [op, k, upper](Backward& b) { b.set(0, triangle(op, b.grad(), k, upper)); });
  return y;
}

// The view of a diagonal; empty when it lies outside.
Tensor diagonal_view(const Tensor& x, int64_t offset) {
  const int n = x.ndim();
  const int64_t rows = x.shape(-2), columns = x.shape(-1);
  const int64_t k = std::clamp(offset, -rows, columns);
  const int64_t size = k >= 0 ? std::min(rows, columns - k) : std::min(rows + k, columns);
  const int64_t down = x.strides()[n - 2], right = x.strides()[n - 1];
  Shape shape = stack_of(x), strides = x.strides();
  strides.resize(n - 2);
  shape.push_back(std::max<int64_t>(size, 0));
  strides.push_back(down + right);
  return x.view(shape, strides, count(shape) == 0 ? 0 : k >= 0 ? k * right : -k * down);
}

// Matrices of this shape, zero but for one diagonal.
Tensor on_diagonal(const Tensor& d, const Shape& shape, int64_t offset) {
  Tensor y = full(shape, 0.0, d.dtype());
  if (d.size() > 0) copy_into(d.detach(), diagonal_view(y, offset));
  record("diagonal_backward", {d}, {y}, [offset](Backward& b) { b.set(0, diagonal(b.grad(), offset)); });
  return y;
}

}  // namespace

Tensor tril(const Tensor& x, int64_t k) { return triangle("tril", x, k, false); }
Tensor triu(const Tensor& x, int64_t k) { return triangle("triu", x, k, true); }

Tensor diagonal(const Tensor& x, int64_t offset) {
  require_matrix("diagonal", x);
  Tensor y = diagonal_view(x, offset);
  record("diagonal", {x}, {y},
         [shape = x.shape(), offset](Backward& b) { b.set(0, on_diagonal(b.grad(), shape, offset)); });
  return y;
}

Tensor trace(const Tensor& x, int64_t offset) {
  require_matrix("trace", x);
  return sum(diagonal(x, offset), Axes{-1});
}

Tensor diag(const Tensor& x, int64_t k) {
  if (x.ndim() == 2) return diagonal(x, k);
  if (x.ndim() != 1)
    raise<ValueError>("[diag] argument 'x' must be a vector or a matrix, not of shape ", x.shape(),
                      "; diagonal takes stacks");
  int64_t n;
  if (k == INT64_MIN || __builtin_add_overflow(x.shape(0), k < 0 ? -k : k, &n))
    raise<MemoryError>("[diag] argument 'k' gives too large a matrix: ", k);
  check_size("diag", "k", {n, n}, x.dtype());
  return on_diagonal(x, {n, n}, k);
}

}  // namespace pl::ops
