// Sorting along an axis, and elements by their positions. Values are differentiable: they are gathered by position.
#include "ops/sort.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ops/common.h"

namespace pl::ops {
namespace {

constexpr int64_t kMostBest = 64;  // k up to which topk does not sort

// x with its axis last, contiguous.
Tensor axis_last(const Tensor& x, int axis) {
  if (axis == x.ndim() - 1) return contiguous(x.detach());
  Axes order;
  for (int i = 0; i < x.ndim(); ++i) order.push_back(i);
  std::swap(order[axis], order[x.ndim() - 1]);
  return contiguous(transpose(x.detach(), order));
}
Tensor axis_back(const Tensor& y, int axis) { return axis_last(y, axis); }  // a swap undoes itself

int axis_of(const char* op, const Tensor& x, int64_t axis) {
  if (x.ndim() == 0) raise<ValueError>("[", op, "] argument 'x' has no dimensions");
  return normalize_axis(op, axis, x.ndim());
}

// Sorted values, or positions.
Tensor sorted(const char* op, const Tensor& x, int64_t axis0, bool descending, bool positions) {
  int axis = axis_of(op, x, axis0);
  Tensor rows = axis_last(x, axis);
  DType dtype = positions ? DType::int64 : x.dtype();
  bool moved = axis != x.ndim() - 1;
  Tensor y = moved ? empty(rows.shape(), dtype) : result(rows.shape(), dtype);
  if (y.size() > 0) {
    SortArgs args{.dtype = x.dtype(),
                  .descending = descending,
                  .rows = x.size() / rows.shape(-1),
                  .n = rows.shape(-1),
                  .k = 0,
                  .x = rows.read(),
                  .values = nullptr,
                  .indices = nullptr,
                  .work = nullptr};
    if (positions)
      args.indices = static_cast<int64_t*>(y.write());
    else
      args.values = y.write();
    Tensor work =
        empty({workspace_bytes("sort_workspace", kernels().sort.sort_workspace, args)}, DType::uint8);
    args.work = work.write();
    launch("sort", kernels().sort.sort, args, 10.0 * static_cast<double>(x.size()));
  }
  return moved ? axis_back(y, axis) : y;
}

struct Split3 {
  int64_t outer = 1, inner = 1;
};
Split3 around(const Shape& shape, int axis) {
  Split3 s;
  for (int i = 0; i < axis; ++i) s.outer *= shape[i];
  for (int i = axis + 1; i < shape.ndim(); ++i) s.inner *= shape[i];
  return s;
}

Tensor gather_along(const Tensor& x, const Tensor& ids, int axis);

// dy's elements added up where a gather along the axis took them from.
Tensor scatter_along(const Tensor& dy0, const Tensor& ids, const Shape& shape, int axis) {
  Tensor dy = contiguous(dy0.detach()), dx = empty(shape, dy.dtype());
  Split3 s = around(shape, axis);
  if (dx.size() > 0) {
    IdCheck check("take_along_axis", "indices");
    AlongArgs args{.dtype = dy.dtype(),
                   .id_dtype = ids.dtype(),
                   .wrap = true,
                   .outer = s.outer,
                   .rows = shape[axis],
                   .inner = s.inner,
                   .n = ids.shape(axis),
                   .in = dy.read(),
                   .ids = ids.read(),
                   .out = dx.write(),
                   .status = check.status()};
    launch("scatter_along", kernels().index.scatter_along, args, static_cast<double>(dy.size() + dx.size()));
    check.check();
  }
  record("take_along_axis_backward", {dy0}, {dx},
         [=](Backward& b) { b.set(0, gather_along(b.grad(), ids, axis)); });
  return dx;
}

Tensor gather_along(const Tensor& x0, const Tensor& ids, int axis) {
  Tensor x = contiguous(x0.detach()), y = result(ids.shape(), x.dtype());
  Split3 s = around(x.shape(), axis);
  if (y.size() > 0) {
    IdCheck check("take_along_axis", "indices");
    AlongArgs args{.dtype = x.dtype(),
                   .id_dtype = ids.dtype(),
                   .wrap = true,
                   .outer = s.outer,
                   .rows = x.shape(axis),
                   .inner = s.inner,
                   .n = ids.shape(axis),
                   .in = x.read(),
                   .ids = ids.read(),
                   .out = y.write(),
                   .status = check.status()};
    launch("gather_along", kernels().index.gather_along, args, static_cast<double>(y.size()));
    check.check();
  }
  record("take_along_axis", {x0}, {y},
         [=, xs = x.shape()](Backward& b) { b.set(0, scatter_along(b.grad(), ids, xs, axis)); });
  return y;
}

void require_ids(const char* op, const char* argument, const Tensor& ids) {
  if (!is_integer(ids.dtype()))
    raise<TypeError>("[", op, "] argument '", argument, "' must be uint8, int32 or int64, not ",
                     dtype_name(ids.dtype()));
}

int64_t largest_id(const Tensor& x) {
  if (Recorder* r = recorder())
    r->abandon("[bincount] without argument 'length' the largest id is read, which a replay could not");
  if (x.size() == 0) return -1;
  Tensor most = cast(max(x.detach()), DType::int64);
  return first_element<int64_t>(most);
}

}  // namespace

Tensor sort(const Tensor& x, std::optional<int64_t> axis, bool descending) {
  if (!axis) return sort(reshape(x, {x.size()}), 0, descending);
  if (!needs_grad(x)) return sorted("sort", x, *axis, descending, false);
  int a = axis_of("sort", x, *axis);
  return gather_along(x, sorted("sort", x, a, descending, true), a);
}

Tensor argsort(const Tensor& x, std::optional<int64_t> axis, bool descending) {
  if (!axis) return argsort(reshape(x.detach(), {x.size()}), 0, descending);
  return sorted("argsort", x, *axis, descending, true);
}

std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis0) {
  int axis = axis_of("topk", x, axis0);
  int64_t n = x.shape(axis);
  if (k < 0 || k > n)
    raise<ValueError>("[topk] argument 'k' must be 0 to ", n, ", the size of axis ", axis, ", not ", k);
  Shape shape = x.shape();
  shape[axis] = k;
  Tensor positions;
  if (k > kMostBest) {
    Shape start, step;
    for (int i = 0; i < x.ndim(); ++i) {
      start.push_back(0);
      step.push_back(1);
    }
    positions = contiguous(slice(sorted("topk", x, axis, true, true), start, shape, step));
  } else {
    Tensor rows = axis_last(x, axis);
    Shape found = rows.shape();
    found[found.ndim() - 1] = k;
    positions = empty(found, DType::int64);
    if (positions.size() > 0) {
      SortArgs args{.dtype = x.dtype(),
                    .descending = true,
                    .rows = x.size() / n,
                    .n = n,
                    .k = k,
                    .x = rows.read(),
                    .values = nullptr,
                    .indices = static_cast<int64_t*>(positions.write()),
                    .work = nullptr};
      launch("topk", kernels().sort.topk, args, static_cast<double>(x.size()));
    }
    positions = axis_back(positions, axis);
  }
  return {gather_along(x, positions, axis), positions};
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, const std::string& side) {
  if (side != "left" && side != "right")
    raise<ValueError>("[searchsorted] argument 'side' must be 'left' or 'right', not '", side, "'");
  if (sorted.ndim() != 1)
    raise<ValueError>("[searchsorted] argument 'sorted' must have one dimension, not ", sorted.shape());
  DType dtype = promote(sorted, values);
  Tensor s = contiguous(cast(sorted.detach(), dtype)), v = contiguous(cast(values.detach(), dtype));
  Tensor y = result(v.shape(), DType::int64);
  if (y.size() > 0) {
    SearchArgs args{.dtype = dtype,
                    .right = side == "right",
                    .n = s.size(),
                    .count = v.size(),
                    .sorted = s.read(),
                    .values = v.read(),
                    .y = static_cast<int64_t*>(y.write())};
    launch("searchsorted", kernels().sort.searchsorted, args,
           static_cast<double>(v.size()) * (2 + 4 * std::log2(static_cast<double>(s.size()) + 1)));
  }
  return y;
}

Tensor take_along_axis(const Tensor& x, const Tensor& indices, std::optional<int64_t> axis0) {
  require_ids("take_along_axis", "indices", indices);
  if (!axis0) {
    if (indices.ndim() != 1)
      raise<ValueError>(
          "[take_along_axis] argument 'indices' must have one dimension where axis is None, not ",
          indices.shape());
    return take_along_axis(reshape(x, {x.size()}), indices, 0);
  }
  int axis = axis_of("take_along_axis", x, *axis0);
  bool fits = indices.ndim() == x.ndim();
  for (int i = 0; fits && i < x.ndim(); ++i) fits = i == axis || indices.shape(i) == x.shape(i);
  if (!fits)
    raise<ValueError>("[take_along_axis] argument 'indices' ", indices.shape(),
                      " must have the shape of 'x' ", x.shape(), " but along axis ", axis);
  return gather_along(x, contiguous(indices.detach()), axis);
}

Tensor bincount(const Tensor& x, const OptTensor& weights0, std::optional<int64_t> length0) {
  require_ids("bincount", "x", x);
  if (x.ndim() != 1) raise<ValueError>("[bincount] argument 'x' must have one dimension, not ", x.shape());
  if (weights0) {
    require_float("bincount", "weights", *weights0);
    if (!(weights0->shape() == x.shape()))
      raise<ValueError>("[bincount] argument 'weights' has shape ", weights0->shape(), ", 'x' ", x.shape());
  }
  if (length0 && *length0 < 0) raise<ValueError>("[bincount] argument 'length' is negative: ", *length0);
  DType dtype = weights0 ? weights0->dtype() : DType::int64;
  int64_t length = length0 ? *length0 : std::min(std::max<int64_t>(largest_id(x), -1), INT64_MAX - 1) + 1;
  check_size("bincount", length0 ? "length" : "x", {length}, dtype);
  Tensor ids = contiguous(x.detach()), y = result({length}, dtype);
  OptTensor weights;
  if (weights0) weights = contiguous(weights0->detach());
  IdCheck check("bincount", "x");
  BincountArgs args{.dtype = dtype,
                    .id_dtype = ids.dtype(),
                    .n = ids.size(),
                    .length = length,
                    .ids = ids.read(),
                    .weights = weights ? weights->read() : nullptr,
                    .y = y.write(),
                    .work = nullptr,
                    .status = check.status()};
  Tensor work;
  if (int64_t bytes = workspace_bytes("bincount_workspace", kernels().index.bincount_workspace, args);
      bytes > 0) {
    work = empty({bytes}, DType::uint8);
    args.work = work.write();
  }
  launch("bincount", kernels().index.bincount, args, 1.5 * static_cast<double>(ids.size()));
  check.check();
  if (weights0)
    record("bincount", {*weights0}, {y}, [ids](Backward& b) { b.set(0, take(b.grad(), ids, 0)); });
  return y;
}

}  // namespace pl::ops
