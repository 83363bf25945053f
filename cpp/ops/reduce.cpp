// Reductions over any axes, and cumulative sums.
#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

DType output_type(ReduceOp op, DType x) {
  switch (op) {
    case ReduceOp::sum:
    case ReduceOp::prod: return is_float(x) ? x : DType::int64;
    case ReduceOp::argmax:
    case ReduceOp::argmin: return DType::int64;
    case ReduceOp::any:
    case ReduceOp::all: return DType::boolean;
    default: return x;
  }
}

bool has_no_identity(ReduceOp op) {
  return op == ReduceOp::max || op == ReduceOp::min || op == ReduceOp::argmax || op == ReduceOp::argmin;
}

Axes all_axes(int ndim) {
  Axes a;
  for (int i = 0; i < ndim; ++i) a.push_back(i);
  return a;
}

Shape drop(const Shape& shape, const Axes& axes, bool keepdims) {
  Shape out;
  for (int i = 0; i < shape.ndim(); ++i) {
    bool reduced = false;
    for (int64_t a : axes) reduced = reduced || a == i;
    if (!reduced)
      out.push_back(shape[i]);
    else if (keepdims)
      out.push_back(1);
  }
  return out;
}

// A run of dimensions as one, when their strides allow; size 1 everywhere merges with stride 0.
bool merge(const Shape& shape, const Shape& strides, int from, int to, int64_t& size, int64_t& stride) {
  size = 1;
  stride = 0;
  bool first = true;
  for (int i = to - 1; i >= from; --i) {
    if (shape[i] == 1) continue;
    if (first)
      stride = strides[i];
    else if (strides[i] != stride * size)
      return false;
    first = false;
    size *= shape[i];
  }
  return true;
}

struct View3 {
  Tensor x;  // keeps a copy alive
  int64_t outer, n, inner, stride_outer, stride_n, stride_inner;
};

// x as (outer, n, inner), n over `axes`: as it lies when the axes are neighbours that merge, else a copy with the
// reduced axes last.
View3 as_three(const Tensor& x, const Axes& axes) {
  View3 v{x, 1, 1, 1, 0, 0, 0};
  int k = axes.ndim();
  bool neighbours = k > 0 && axes[k - 1] - axes[0] == k - 1;
  if (neighbours) {
    int a = static_cast<int>(axes[0]), b = a + k;
    if (merge(x.shape(), x.strides(), 0, a, v.outer, v.stride_outer) &&
        merge(x.shape(), x.strides(), a, b, v.n, v.stride_n) &&
        merge(x.shape(), x.strides(), b, x.ndim(), v.inner, v.stride_inner))
      return v;
  }
  Axes order;
  for (int i = 0; i < x.ndim(); ++i) {
    bool reduced = false;
    for (int64_t a : axes) reduced = reduced || a == i;
    if (!reduced) order.push_back(i);
  }
  int kept = order.ndim();
  for (int64_t a : axes) order.push_back(a);
  Tensor t = transpose(x.detach(), order);
  v.x = t = contiguous(t);
  v.outer = v.n = v.inner = 1;
  for (int i = 0; i < kept; ++i) v.outer *= t.shape()[i];
  for (int i = kept; i < t.ndim(); ++i) v.n *= t.shape()[i];
  v.stride_outer = v.n;
  v.stride_n = 1;
  v.stride_inner = 0;
  return v;
}

Tensor reduce(const char* name, ReduceOp op, const Tensor& x, const Axes& axes, bool keepdims) {
  if (has_no_identity(op))
    for (int64_t a : axes)
      if (x.shape()[static_cast<int>(a)] == 0)
        raise<ValueError>("[", name, "] argument 'x' of shape ", x.shape(), " is empty along axis ", a);
  Tensor y = result(drop(x.shape(), axes, keepdims), output_type(op, x.dtype()));
  if (y.size() == 0) return y;
  View3 v = as_three(x, axes);
  ReduceArgs args{.op = op,
                  .dtype = x.dtype(),
                  .outer = v.outer,
                  .n = v.n,
                  .inner = v.inner,
                  .stride_outer = v.stride_outer,
                  .stride_n = v.stride_n,
                  .stride_inner = v.stride_inner,
                  .x = v.x.read(),
                  .y = y.write()};
  launch(name, kernels().reduce.reduce, args, 0.3 * static_cast<double>(x.size()));
  return y;
}

Axes resolve(const char* name, const Tensor& x, const OptAxes& axis) {
  return axis ? normalize_axes(name, *axis, x.ndim()) : all_axes(x.ndim());
}

// The gradient or result of a reduction, laid back over x's shape.
Tensor expand(const Tensor& g, const Shape& shape, const Axes& axes) {
  return broadcast_to(reshape(g, drop(shape, axes, true)), shape);
}

double reduced_count(const Shape& shape, const Axes& axes) {
  double n = 1;
  for (int64_t a : axes) n *= static_cast<double>(shape[static_cast<int>(a)]);
  return n;
}

Tensor extremum(const char* name, ReduceOp op, const Tensor& x, const OptAxes& axis, bool keepdims) {
  Axes axes = resolve(name, x, axis);
  Tensor y = reduce(name, op, x, axes, keepdims);
  record(name, {x}, {y}, [x = save(x), y = save_output(y), axes](Backward& b) {
    Tensor v = b.get(x);
    Tensor chosen = cast(equal(v, expand(b.get(y), v.shape(), axes)), v.dtype());  // ties share equally
    Tensor share = chosen / sum(chosen, axes, true);
    b.set(0, expand(b.grad(), v.shape(), axes) * share);
  });
  return y;
}

}  // namespace

Tensor sum(const Tensor& x, const OptAxes& axis, bool keepdims) {
  Axes axes = resolve("sum", x, axis);
  Tensor y = reduce("sum", ReduceOp::sum, x, axes, keepdims);
  record("sum", {x}, {y},
         [shape = x.shape(), axes](Backward& b) { b.set(0, expand(b.grad(), shape, axes)); });
  return y;
}

Tensor mean(const Tensor& x0, const OptAxes& axis, bool keepdims) {
  Tensor x = as_float(x0);
  Axes axes = resolve("mean", x, axis);
  Tensor y = reduce("mean", ReduceOp::mean, x, axes, keepdims);
  record("mean", {x}, {y}, [shape = x.shape(), axes](Backward& b) {
    b.set(0, expand(b.grad() * (1.0 / reduced_count(shape, axes)), shape, axes));
  });
  return y;
}

Tensor prod(const Tensor& x, const OptAxes& axis, bool keepdims) {
  Axes axes = resolve("prod", x, axis);
  Tensor y = reduce("prod", ReduceOp::prod, x, axes, keepdims);
  record("prod", {x}, {y}, [x = save(x), axes](Backward& b) {
    // The product of the others: with one zero it is the product of the rest, with more it is zero.
    Tensor v = b.get(x);
    Tensor zero = equal(v, number(0.0));
    Tensor zeros = sum(cast(zero, v.dtype()), axes, true);
    Tensor rest = prod(where(zero, number(1.0), v), axes, true);
    Tensor without =
        where(equal(zeros, number(0.0)), rest / where(zero, number(1.0), v), scalar(0.0, v.dtype()));
    Tensor alone = where(logical_and(zero, equal(zeros, number(1.0))), rest, scalar(0.0, v.dtype()));
    b.set(0, expand(b.grad(), v.shape(), axes) * (without + alone));
  });
  return y;
}

Tensor max(const Tensor& x, const OptAxes& axis, bool keepdims) {
  return extremum("max", ReduceOp::max, x, axis, keepdims);
}
Tensor min(const Tensor& x, const OptAxes& axis, bool keepdims) {
  return extremum("min", ReduceOp::min, x, axis, keepdims);
}
Tensor any(const Tensor& x, const OptAxes& axis, bool keepdims) {
  return reduce("any", ReduceOp::any, x, resolve("any", x, axis), keepdims);
}
Tensor all(const Tensor& x, const OptAxes& axis, bool keepdims) {
  return reduce("all", ReduceOp::all, x, resolve("all", x, axis), keepdims);
}

Tensor logsumexp(const Tensor& x0, const OptAxes& axis, bool keepdims) {
  Tensor x = as_float(x0);
  Axes axes = resolve("logsumexp", x, axis);
  Tensor y = reduce("logsumexp", ReduceOp::logsumexp, x, axes, keepdims);
  record("logsumexp", {x}, {y}, [x = save(x), y = save_output(y), axes](Backward& b) {
    Tensor v = b.get(x);
    b.set(0, expand(b.grad(), v.shape(), axes) * exp(v - expand(b.get(y), v.shape(), axes)));
  });
  return y;
}

// Two passes: mean, then the squares about it; its gradient is that of the composite.
Tensor var(const Tensor& x0, const OptAxes& axis, double ddof, bool keepdims) {
  Tensor x = as_float(x0);
  Axes axes = resolve("var", x, axis);
  double n = reduced_count(x.shape(), axes);
  Tensor centred = x - mean(x, axes, true);
  return sum(square(centred), axes, keepdims) * (1.0 / std::max(n - ddof, 0.0));
}
Tensor std(const Tensor& x, const OptAxes& axis, double ddof, bool keepdims) {
  return sqrt(var(x, axis, ddof, keepdims));
}

namespace {
Tensor arg_extremum(const char* name, ReduceOp op, const Tensor& x, std::optional<int64_t> axis,
                    bool keepdims) {
  Axes axes = axis ? Axes{normalize_axis(name, *axis, x.ndim())} : all_axes(x.ndim());
  Tensor y = reduce(name, op, axis ? x : contiguous(x.detach()), axes, keepdims);
  return y;
}
}  // namespace

Tensor argmax(const Tensor& x, std::optional<int64_t> axis, bool keepdims) {
  return arg_extremum("argmax", ReduceOp::argmax, x, axis, keepdims);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> axis, bool keepdims) {
  return arg_extremum("argmin", ReduceOp::argmin, x, axis, keepdims);
}

Tensor cumsum(const Tensor& x0, std::optional<int64_t> axis, bool reverse) {
  Tensor x = axis ? x0 : reshape(x0, {x0.size()});
  Axes axes{axis ? normalize_axis("cumsum", *axis, x.ndim()) : 0};
  int64_t a = axes[0];
  Tensor y = result(x.shape(), output_type(ReduceOp::sum, x.dtype()));
  if (y.size() > 0) {
    Tensor c = contiguous(x.detach());
    int64_t outer = 1, inner = 1, n = x.shape()[static_cast<int>(a)];
    for (int i = 0; i < a; ++i) outer *= x.shape()[i];
    for (int i = static_cast<int>(a) + 1; i < x.ndim(); ++i) inner *= x.shape()[i];
    CumsumArgs args{.dtype = x.dtype(),
                    .reverse = reverse,
                    .outer = outer,
                    .n = n,
                    .inner = inner,
                    .stride_outer = n * inner,
                    .stride_n = inner,
                    .stride_inner = 1,
                    .x = c.read(),
                    .y = y.write()};
    launch("cumsum", kernels().reduce.cumsum, args, static_cast<double>(x.size()));
  }
  record("cumsum", {x}, {y}, [a, reverse](Backward& b) { b.set(0, cumsum(b.grad(), a, !reverse)); });
  return y;
}

}  // namespace pl::ops
