// Rows by id, their gradients, and one-hot rows.
#include "ops/embed.h"

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

void require_ids(const char* op, const char* argument, const Tensor& ids) {
  if (!is_integer(ids.dtype()))
    raise<TypeError>("[", op, "] argument '", argument, "' must be uint8, int32 or int64, not ",
                     dtype_name(ids.dtype()));
}

// What the gathers share: the op that is called, how its errors name the ids, and whether ids may count from the end.
struct Lookup {
  const char* op;
  const char* ids;
  bool wrap;
};
constexpr Lookup kTake{"take", "indices", true}, kEmbedding{"embedding", "ids", false};

Tensor gather(const Lookup& how, const Tensor& x, const Tensor& ids, int axis);

// The gradient of a gather from `shape`: dy's rows added up by id, in `into` when that is defined.
Tensor scatter_add(const Lookup& how, const Tensor& dy0, const Tensor& ids, const Shape& shape, int axis,
                   const Tensor& into) {
  Tensor dy = contiguous(dy0.detach());
  bool fits = into.defined() && into.is_contiguous() && into.dtype() == dy.dtype() && into.shape() == shape;
  Tensor dx = fits ? into : result(shape, dy.dtype());
  Split3 s = split3(shape, axis);
  IdCheck check(how.op, how.ids);
  ScatterAddArgs args{.dtype = dy.dtype(),
                      .id_dtype = ids.dtype(),
                      .wrap = how.wrap,
                      .outer = s.outer,
                      .rows = s.rows,
                      .inner = s.inner,
                      .n = ids.size(),
                      .dy = dy.read(),
                      .ids = ids.read(),
                      .dx = dx.write(),
                      .status = check.status()};
  launch("scatter_add", kernels().embed.scatter_add, args,
         0.3 * static_cast<double>(dy.size()) + 0.1 * static_cast<double>(dx.size()));
  check.check();
  record(how.op, {dy0}, {dx}, [=](Backward& b) { b.set(0, gather(how, b.grad(), ids, axis)); });
  return dx;
}

// x's rows along an axis, by id; ids are contiguous.
Tensor gather(const Lookup& how, const Tensor& x, const Tensor& ids, int axis) {
  Tensor c = contiguous(x.detach());
  Shape shape = gathered_shape(x.shape(), ids.shape(), axis);
  check_size(how.op, how.ids, shape, x.dtype());
  Tensor y = result(shape, x.dtype());
  if (ids.size() > 0) {
    Split3 s = split3(x.shape(), axis);
    IdCheck check(how.op, how.ids);
    GatherArgs args{.dtype = x.dtype(),
                    .id_dtype = ids.dtype(),
                    .wrap = how.wrap,
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
  record(how.op, {x}, {y}, [=, xs = x.shape()](Backward& b) {
    b.set(0, scatter_add(how, b.grad(), ids, xs, axis, b.destination(0)));
  });
  return y;
}

}  // namespace

Tensor take(const Tensor& x, const Tensor& indices, std::optional<int64_t> axis) {
  if (!axis) return take(reshape(x, {x.size()}), indices, 0);
  require_ids("take", "indices", indices);
  if (x.ndim() == 0) raise<ValueError>("[take] argument 'x' has no dimensions");
  return gather(kTake, x, contiguous(indices.detach()), normalize_axis("take", *axis, x.ndim()));
}

Tensor embedding(const Tensor& ids, const Tensor& table) {
  require_ids("embedding", "ids", ids);
  require_float("embedding", "table", table);
  if (table.ndim() != 2)
    raise<ValueError>("[embedding] argument 'table' must be (rows, D), not ", table.shape());
  return gather(kEmbedding, table, contiguous(ids.detach()), 0);
}

namespace {
int64_t rows_of(const char* op, const Tensor& dy, const Tensor& ids) {
  require_float(op, "dy", dy);
  require_ids(op, "ids", ids);
  bool fits = dy.ndim() == ids.ndim() + 1;
  for (int i = 0; fits && i < ids.ndim(); ++i) fits = dy.shape(i) == ids.shape(i);
  if (!fits)
    raise<ValueError>("[", op, "] argument 'dy' has shape ", dy.shape(), ", expected that of 'ids' ",
                      ids.shape(), " and one axis more");
  return dy.shape(-1);
}
}  // namespace

Tensor embedding_backward(const Tensor& dy, const Tensor& ids, int64_t num_embeddings) {
  int64_t d = rows_of("embedding_backward", dy, ids);
  if (num_embeddings < 0)
    raise<ValueError>("[embedding_backward] argument 'num_embeddings' is negative: ", num_embeddings);
  Shape shape{num_embeddings, d};
  check_size("embedding_backward", "num_embeddings", shape, dy.dtype());
  return scatter_add({"embedding_backward", "ids", false}, dy, contiguous(ids.detach()), shape, 0, {});
}

std::tuple<Tensor, Tensor> embedding_backward_sparse(const Tensor& dy0, const Tensor& ids0) {
  int64_t d = rows_of("embedding_backward_sparse", dy0, ids0);
  Tensor dy = contiguous(dy0.detach());
  Tensor ids = contiguous(ids0.detach());
  if (ids.dtype() == DType::uint8) ids = cast(ids, DType::int32);  // -1 must fit
  int64_t n = ids.size();
  Tensor unique = empty({n}, ids.dtype()), sums = empty({n, d}, dy.dtype());
  if (n > 0) {
    Tensor work = empty({workspace_bytes("segment_sum_workspace", kernels().embed.segment_sum_workspace, n)},
                        DType::uint8);
    IdCheck check("embedding_backward_sparse", "ids");
    SegmentSumArgs args{.dtype = dy.dtype(),
                        .id_dtype = ids.dtype(),
                        .n = n,
                        .inner = d,
                        .dy = dy.read(),
                        .ids = ids.read(),
                        .unique = unique.write(),
                        .sums = sums.write(),
                        .work = work.write(),
                        .status = check.status()};
    launch("segment_sum", kernels().embed.segment_sum, args,
           15.0 * static_cast<double>(n) + 0.3 * static_cast<double>(dy.size()));
    check.check();
  }
  return {unique, sums};
}

Tensor one_hot(const Tensor& x, int64_t num_classes, DType dtype) {
  require_ids("one_hot", "x", x);
  if (num_classes < 0) raise<ValueError>("[one_hot] argument 'num_classes' is negative: ", num_classes);
  Shape shape = x.shape();
  if (x.ndim() == kMaxRank) raise<ValueError>("[one_hot] argument 'x' has ", kMaxRank, " dimensions already");
  shape.push_back(num_classes);
  check_size("one_hot", "num_classes", shape, dtype);
  Tensor ids = contiguous(x.detach()), y = result(shape, dtype);
  if (ids.size() > 0) {
    IdCheck check("one_hot", "x");
    OneHotArgs args{.dtype = dtype,
                    .id_dtype = ids.dtype(),
                    .n = ids.size(),
                    .classes = num_classes,
                    .ids = ids.read(),
                    .y = y.write(),
                    .status = check.status()};
    launch("one_hot", kernels().embed.one_hot, args, 0.2 * static_cast<double>(y.size()));
    check.check();
  }
  return y;
}

}  // namespace pl::ops
