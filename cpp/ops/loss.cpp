// Softmax, and losses that start from logits. Shapes must agree: nothing is broadcast silently.
#include "ops/loss.h"

#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

// x with `axis` last and contiguous, as rows of a matrix; and the way back.
struct Rows {
  Tensor x;
  Axes order, inverse;
  int64_t rows, cols;
};
Rows to_rows(const char* op, const Tensor& x, int64_t axis) {
  if (x.ndim() == 0) raise<ValueError>("[", op, "] argument 'x' has no dimensions");
  int a = normalize_axis(op, axis, x.ndim());
  Rows r;
  for (int i = 0; i < x.ndim(); ++i)
    if (i != a) r.order.push_back(i);
  r.order.push_back(a);
  r.inverse.resize(x.ndim());
  for (int i = 0; i < x.ndim(); ++i) r.inverse[static_cast<int>(r.order[i])] = i;
  r.x = contiguous(a == x.ndim() - 1 ? x.detach() : transpose(x.detach(), r.order));
  r.cols = x.shape()[a];
  r.rows = r.cols == 0 ? 0 : x.size() / r.cols;
  return r;
}
bool in_place(const Rows& r) {
  return r.order == r.inverse && r.order[r.order.ndim() - 1] == r.order.ndim() - 1;
}

Tensor softmax_forward(const char* op, const Tensor& x, int64_t axis, bool log) {
  Rows r = to_rows(op, x, axis);
  Tensor y = in_place(r) ? result(r.x.shape(), x.dtype()) : empty(r.x.shape(), x.dtype());
  SoftmaxArgs args{
      .dtype = x.dtype(), .log = log, .rows = r.rows, .cols = r.cols, .x = r.x.read(), .y = y.write()};
  launch(op, kernels().loss.softmax, args, 2.0 * static_cast<double>(x.size()));
  return in_place(r) ? y : transpose(y, r.inverse);
}

Tensor softmax_gradient(const char* op, const Tensor& dy, const Tensor& y, int64_t axis, bool log) {
  require_float(op, "dy", dy);
  require_same_dtype(op, "dy", dy, "y", y);
  if (!(dy.shape() == y.shape()))
    raise<ValueError>("[", op, "] arguments 'dy' and 'y' have different shapes: ", dy.shape(), " and ",
                      y.shape());
  Rows g = to_rows(op, dy, axis), r = to_rows(op, y, axis);
  Tensor dx = in_place(r) ? result(r.x.shape(), y.dtype()) : empty(r.x.shape(), y.dtype());
  SoftmaxBackwardArgs args{.dtype = y.dtype(),
                           .log = log,
                           .rows = r.rows,
                           .cols = r.cols,
                           .y = r.x.read(),
                           .dy = g.x.read(),
                           .dx = dx.write()};
  launch(op, kernels().loss.softmax_backward, args, static_cast<double>(y.size()));
  return in_place(r) ? dx : transpose(dx, r.inverse);
}

}  // namespace

Tensor softmax_backward(const Tensor& dy, const Tensor& y, int64_t axis) {
  if (grad_enabled() && (needs_grad(dy) || needs_grad(y))) return y * (dy - sum(dy * y, Axes{axis}, true));
  return softmax_gradient("softmax_backward", dy, y, axis, false);
}
Tensor log_softmax_backward(const Tensor& dy, const Tensor& y, int64_t axis) {
  if (grad_enabled() && (needs_grad(dy) || needs_grad(y))) return dy - exp(y) * sum(dy, Axes{axis}, true);
  return softmax_gradient("log_softmax_backward", dy, y, axis, true);
}

Tensor softmax(const Tensor& x0, int64_t axis) {
  Tensor x = as_float(x0);
  Tensor y = softmax_forward("softmax", x, axis, false);
  record("softmax", {x}, {y},
         [y = save_output(y), axis](Backward& b) { b.set(0, softmax_backward(b.grad(), b.get(y), axis)); });
  if (normalize_axis("softmax", axis, x.ndim()) == x.ndim() - 1 && y.impl() != x.impl()) {
    y.impl()->logits = Ref<TensorImpl>(x.impl());
    y.impl()->head = TensorImpl::Head::softmax;
  }
  return y;
}

Tensor log_softmax(const Tensor& x0, int64_t axis) {
  Tensor x = as_float(x0);
  Tensor y = softmax_forward("log_softmax", x, axis, true);
  record("log_softmax", {x}, {y}, [y = save_output(y), axis](Backward& b) {
    b.set(0, log_softmax_backward(b.grad(), b.get(y), axis));
  });
  return y;
}

namespace {

// Labels: ids (rows) of an integer type, or a distribution shaped and typed as the logits.
struct Labels {
  Tensor t;
  bool dense;
};
Labels check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
  require_float(op, "logits", logits);
  if (logits.ndim() == 0) raise<ValueError>("[", op, "] argument 'logits' has no dimensions");
  Shape lead = logits.shape();
  lead.resize(lead.ndim() - 1);
  if (is_integer(labels.dtype()) && labels.shape() == lead) return {contiguous(labels.detach()), false};
  if (is_integer(labels.dtype()) && !(labels.shape() == logits.shape()))
    raise<ValueError>("[", op, "] argument 'labels' of integers has shape ", labels.shape(), ", expected ",
                      lead, " (one id a row of 'logits' ", logits.shape(), ")");
  if (!(labels.shape() == logits.shape()))
    raise<ValueError>("[", op, "] argument 'labels' has shape ", labels.shape(),
                      ", expected that of 'logits' ", logits.shape(), ", or integer ids of shape ", lead);
  if (labels.dtype() == DType::boolean || is_integer(labels.dtype()) || labels.dtype() != logits.dtype())
    return {contiguous(cast(labels.detach(), logits.dtype())), true};
  return {contiguous(labels.detach()), true};
}

}  // namespace

namespace {

struct Forward {
  Tensor loss, stat;
};
// `logits` contiguous, with at least one class unless there are no rows.
Forward forward(const char* op, const Tensor& logits, const Labels& l, const Tensor& loss) {
  Tensor stat = empty({loss.size(), 2}, logits.dtype());
  IdCheck check(op, "labels");
  CrossEntropyArgs args{.dtype = logits.dtype(),
                        .label_dtype = l.dense ? DType::int64 : l.t.dtype(),
                        .rows = loss.size(),
                        .cols = logits.shape(-1),
                        .x = logits.read(),
                        .target = l.dense ? l.t.read() : nullptr,
                        .label = l.dense ? nullptr : l.t.read(),
                        .loss = loss.write(),
                        .stat = stat.write(),
                        .status = check.status()};
  launch("softmax_cross_entropy", kernels().loss.cross_entropy, args,
         2.0 * static_cast<double>(logits.size()));
  check.check();
  return {loss, stat};
}

Tensor backward(const Tensor& dy, const Tensor& logits, const Tensor& stat, const Labels& l) {
  // One number repeated over the rows (the gradient of a mean) is read as such.
  bool repeated = dy.ndim() == 1 && dy.strides()[0] == 0;
  Tensor g = repeated ? dy : contiguous(dy);
  Tensor dx = result(logits.shape(), logits.dtype());
  CrossEntropyBackwardArgs args{.dtype = logits.dtype(),
                                .label_dtype = l.dense ? DType::int64 : l.t.dtype(),
                                .rows = dy.size(),
                                .cols = logits.shape(-1),
                                .x = logits.read(),
                                .stat = stat.read(),
                                .target = l.dense ? l.t.read() : nullptr,
                                .label = l.dense ? nullptr : l.t.read(),
                                .dloss = g.read(),
                                .stride_dloss = repeated ? 0 : 1,
                                .dx = dx.write()};
  launch("softmax_cross_entropy_backward", kernels().loss.cross_entropy_backward, args,
         2.0 * static_cast<double>(logits.size()));
  return dx;
}

Shape rows_of(const char* op, const Tensor& logits) {
  Shape lead = logits.shape();
  lead.resize(lead.ndim() - 1);
  if (logits.shape(-1) == 0 && count(lead) > 0)
    raise<ValueError>("[", op, "] argument 'logits' ", logits.shape(), " has no classes");
  return lead;
}

}  // namespace

Tensor softmax_cross_entropy_backward(const Tensor& dy, const Tensor& logits0, const Tensor& labels) {
  const char* op = "softmax_cross_entropy_backward";
  Labels l = check_labels(op, logits0, labels);
  Shape lead = rows_of(op, logits0);
  if (!(dy.shape() == lead))
    raise<ValueError>("[", op, "] argument 'dy' has shape ", dy.shape(), ", expected ", lead);
  require_same_dtype(op, "dy", dy, "logits", logits0);
  if (grad_enabled() && (needs_grad(dy) || needs_grad(logits0))) {
    Tensor target = l.dense ? l.t : one_hot(l.t, logits0.shape(-1), logits0.dtype());
    return expand_dims(dy, -1) * (softmax(logits0, -1) * sum(target, Axes{-1}, true) - target);
  }
  Tensor logits = contiguous(logits0);
  return backward(dy, logits, forward(op, logits, l, empty(lead, logits.dtype())).stat, l);
}

Tensor softmax_cross_entropy(const Tensor& logits0, const Tensor& labels) {
  const char* op = "softmax_cross_entropy";
  Labels l = check_labels(op, logits0, labels);
  Tensor logits = contiguous(logits0);
  Shape lead = rows_of(op, logits);
  auto [loss, stat] = forward(op, logits, l, result(lead, logits.dtype()));
  record(op, {logits}, {loss}, [logits = save(logits), l, stat = stat](Backward& b) {
    if (grad_enabled())
      b.set(0, softmax_cross_entropy_backward(b.grad(), b.get(logits), l.t));
    else
      b.set(0, backward(b.grad(), b.get(logits), stat, l));
  });
  return loss;
}

}  // namespace pl::ops
