// Rows by id, and one-hot rows.
#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

struct Split3 {
  int64_t outer = 1, rows = 1, inner = 1;
};
Split3 split3(const Shape& shape, int axis) {
  Split3 s;
  for (int i = 0; i < axis; ++i) s.outer *= shape[i];
  s.rows = shape[axis];
  for (int i = axis + 1; i < shape.ndim(); ++i) s.inner *= shape[i];
  return s;
}

Shape gathered_shape(const Shape& x, const Shape& ids, int axis) {
  Shape shape;
  for (int i = 0; i < axis; ++i) shape.push_back(x[i]);
  for (int64_t s : ids) shape.push_back(s);
  for (int i = axis + 1; i < x.ndim(); ++i) shape.push_back(x[i]);
  return shape;
}

// The gradient of take: dy's rows added up by id.
Tensor scatter_add(const Tensor& dy0, const Tensor& ids, const Shape& shape, int axis) {
  Tensor dy = contiguous(dy0.detach());
  Tensor dx = full(shape, 0.0, dy.dtype());
  Split3 s = split3(shape, axis);
  IdCheck check("take", "indices");
  ScatterAddArgs args{.dtype = dy.dtype(),
                      .id_dtype = ids.dtype(),
                      .wrap = true,
                      .outer = s.outer,
                      .rows = s.rows,
                      .inner = s.inner,
                      .n = ids.size(),
                      .dy = dy.read(),
                      .ids = ids.read(),
                      .dx = dx.write(),
                      .status = check.status()};
  launch("scatter_add", kernels().embed.scatter_add, args, 0.5 * static_cast<double>(dy.size()));
  check.check();
  record("take_backward", {dy0}, {dx}, [ids, axis](Backward& b) { b.set(0, take(b.grad(), ids, axis)); });
  return dx;
}

}  // namespace

Tensor take(const Tensor& x, const Tensor& indices, std::optional<int64_t> axis) {
  if (!axis) return take(reshape(x, {x.size()}), indices, 0);
  if (!is_integer(indices.dtype()))
    raise<TypeError>("[take] argument 'indices' must be uint8, int32 or int64, not ",
                     dtype_name(indices.dtype()));
  if (x.ndim() == 0) raise<ValueError>("[take] argument 'x' has no dimensions");
  int a = normalize_axis("take", *axis, x.ndim());
  Tensor c = contiguous(x.detach()), ids = contiguous(indices.detach());
  Tensor y = result(gathered_shape(x.shape(), ids.shape(), a), x.dtype());
  if (ids.size() > 0) {
    Split3 s = split3(x.shape(), a);
    IdCheck check("take", "indices");
    GatherArgs args{.dtype = x.dtype(),
                    .id_dtype = ids.dtype(),
                    .wrap = true,
                    .outer = s.outer,
                    .rows = s.rows,
                    .inner = s.inner,
                    .n = ids.size(),
                    .x = c.read(),
                    .ids = ids.read(),
                    .y = y.write(),
                    .status = check.status()};
    launch("gather", kernels().embed.gather, args, 0.3 * static_cast<double>(y.size()));
    check.check();
  }
  record("take", {x}, {y},
         [ids, shape = x.shape(), a](Backward& b) { b.set(0, scatter_add(b.grad(), ids, shape, a)); });
  return y;
}

Tensor one_hot(const Tensor& x, int64_t num_classes, DType dtype) {
  if (!is_integer(x.dtype()))
    raise<TypeError>("[one_hot] argument 'x' must be uint8, int32 or int64, not ", dtype_name(x.dtype()));
  if (num_classes < 0) raise<ValueError>("[one_hot] argument 'num_classes' is negative: ", num_classes);
  Shape shape = x.shape();
  if (x.ndim() == kMaxRank) raise<ValueError>("[one_hot] argument 'x' has ", kMaxRank, " dimensions already");
  shape.push_back(num_classes);
  check_size("one_hot", "num_classes", shape, dtype);
  count(shape);
  Tensor classes = empty_host({num_classes}, DType::int64);
  auto* p = static_cast<int64_t*>(classes.write());
  for (int64_t i = 0; i < num_classes; ++i) p[i] = i;
  // ids outside give a row of zeros, as in Keras
  return cast(equal(expand_dims(x, -1), classes), dtype);
}

}  // namespace pl::ops
