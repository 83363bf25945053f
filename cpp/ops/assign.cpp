// Choosing, casting, copying, and writing in place.
#include <bit>
#include <cmath>

#include "ops/common.h"

namespace pl::ops {

Tensor where(const Tensor& condition, const Tensor& x1, const Tensor& x2) {
  if (condition.dtype() != DType::boolean)
    raise<TypeError>("[where] argument 'condition' must be bool, not ", dtype_name(condition.dtype()));
  DType dtype = promote(x1, x2);
  Tensor a = cast(x1, dtype), b = cast(x2, dtype);
  Shape shape =
      broadcast_shapes("where", broadcast_shapes("where", x1.shape(), x2.shape()), condition.shape());
  Tensor y = result(shape, dtype);
  auto c = collapse<4>(shape, {broadcast_strides(condition.shape(), condition.strides(), shape),
                               broadcast_strides(a.shape(), a.strides(), shape),
                               broadcast_strides(b.shape(), b.strides(), shape), y.strides()});
  WhereArgs args{.dtype = dtype,
                 .ndim = c.ndim,
                 .shape = {},
                 .stride_c = {},
                 .stride_a = {},
                 .stride_b = {},
                 .stride_y = {},
                 .c = condition.read<bool>(),
                 .a = a.read(),
                 .b = b.read(),
                 .y = y.write()};
  std::memcpy(args.shape, c.shape, sizeof(args.shape));
  std::memcpy(args.stride_c, c.stride[0], sizeof(args.stride_c));
  std::memcpy(args.stride_a, c.stride[1], sizeof(args.stride_a));
  std::memcpy(args.stride_b, c.stride[2], sizeof(args.stride_b));
  std::memcpy(args.stride_y, c.stride[3], sizeof(args.stride_y));
  launch("where", kernels().elementwise.where, args, 0.3 * static_cast<double>(count(shape)));
  record("where", {x1, x2}, {y}, [condition](Backward& bw) {
    Tensor zero = scalar(0.0, bw.grad().dtype());
    if (bw.wants(0)) bw.set(0, where(condition, bw.grad(), zero));
    if (bw.wants(1)) bw.set(1, where(condition, zero, bw.grad()));
  });
  return y;
}

Tensor clip(const Tensor& x, const OptTensor& min, const OptTensor& max) {
  if (!min && !max) raise<ValueError>("[clip] give argument 'min', 'max' or both");
  Tensor y = min ? maximum(x, *min) : x;
  return max ? minimum(y, *max) : y;
}

namespace {
// A Python number becomes a constant of the array's type on the spot.
Tensor cast_number(const Tensor& x, DType dtype) {
  const int64_t v = x.impl()->known ? x.impl()->number : first_element<int64_t>(x);
  if (x.dtype() != DType::int64) return scalar(std::bit_cast<double>(v), dtype);
  bool fits = dtype == DType::uint8 ? v >= 0 && v <= 255
                                    : dtype != DType::int32 || (v >= INT32_MIN && v <= INT32_MAX);
  if (!fits) raise<ValueError>("Python integer ", v, " is out of bounds for ", dtype_name(dtype));
  return scalar_int(v, dtype);
}
}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (x.weak() && x.ndim() == 0 && !x.has_node() &&
      (x.dtype() == DType::int64 || x.dtype() == DType::float64) &&
      (x.dtype() == DType::int64 || is_float(dtype)))
    return cast_number(x, dtype);
  Tensor y = result(x.shape(), dtype);
  copy_into(x, y);
  record("cast", {x}, {y}, [](Backward& b) { b.set(0, b.grad()); });
  return y;
}

Tensor copy(const Tensor& x) {
  Tensor y = result(x.shape(), x.dtype());
  copy_into(x, y);
  record("copy", {x}, {y}, [](Backward& b) { b.set(0, b.grad()); });
  return y;
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : copy(x); }

Tensor stop_gradient(const Tensor& x) { return x.detach(); }

void fill(const Tensor& dst, double value) {
  if (!dst.is_contiguous()) return copy_into(broadcast_to(scalar(value, dst.dtype()), dst.shape()), dst);
  FillArgs args{.dtype = dst.dtype(), .n = dst.size(), .value = value, .y = dst.write()};
  launch("fill", kernels().elementwise.fill, args, 0.1 * static_cast<double>(dst.size()));
}

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor y = result(shape, dtype);
  fill(y, value);
  return y;
}

namespace {
const Tensor& check_target(const char* op, const Tensor& dst, const Tensor& value) {
  if (dst.readonly()) raise<ValueError>("[", op, "] argument 'dst' is read-only");
  if (grad_enabled() && (needs_grad(value) || (needs_grad(dst) && !dst.impl()->node->inputs.empty())))
    raise<ValueError>("[", op,
                      "] argument 'dst' cannot be changed in place while gradients flow through it or "
                      "'value'; wrap in no_grad or build a new tensor");
  if (!broadcasts_to(value.shape(), dst.shape()))
    raise<ValueError>("[", op, "] argument 'value' of shape ", value.shape(), " does not fit 'dst' of shape ",
                      dst.shape());
  bool to_float = is_float(dst.dtype()), from_float = is_float(value.dtype());
  if ((from_float && !to_float) || (dst.dtype() == DType::boolean && value.dtype() != DType::boolean))
    raise<TypeError>("[", op, "] argument 'value' is ", dtype_name(value.dtype()),
                     " and would lose information in ", dtype_name(dst.dtype()), ": cast it first");
  return dst;
}
}  // namespace

Tensor assign(const Tensor& dst, const Tensor& value) {
  check_target("assign", dst, value);
  Tensor v = may_overlap(dst, value) && !same_memory(dst, value) ? copy(value) : value;
  copy_into(broadcast_to(v.detach(), dst.shape()), dst);
  return dst;
}

Tensor assign_add(const Tensor& dst, const Tensor& value) {
  check_target("assign_add", dst, value);
  Tensor v = cast(value.detach(), dst.dtype());
  if (may_overlap(dst, v) && !same_memory(dst, v)) v = copy(v);
  copy_into(broadcast_to(v, dst.shape()), dst, true);
  return dst;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int extra = x.ndim() - shape.ndim();
  Axes axes;
  for (int i = 0; i < x.ndim(); ++i)
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  return reshape(sum(x, axes, true), shape);
}

}  // namespace pl::ops
