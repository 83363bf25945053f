// Losses element by element, or as the mean or sum of each row. Shapes must agree: nothing is broadcast silently.
#include "ops/common.h"
#include "ops/loss.h"

namespace pl::ops {
namespace {

bool costly(PointLoss loss) {
  switch (loss) {
    case PointLoss::squared_error:
    case PointLoss::absolute_error:
    case PointLoss::huber:
    case PointLoss::absolute_percentage_error:
    case PointLoss::hinge:
    case PointLoss::squared_hinge: return false;
    default: return true;
  }
}
double cost(PointLoss loss, const Tensor& x) {
  return (costly(loss) ? 1.0 : 0.3) * static_cast<double>(x.size());
}

struct Names {
  const char *op, *x, *t;
};

struct Pair {
  Tensor x, t;
};
Pair check_pair(const Names& n, const Tensor& x, const Tensor& t) {
  if (!(x.shape() == t.shape()))
    raise<ValueError>("[", n.op, "] arguments '", n.x, "' and '", n.t, "' have different shapes: ", x.shape(),
                      " and ", t.shape(), ". Losses do not broadcast: reshape one of them");
  const DType dtype = promote(x, t);
  return {as_float(cast(x, dtype)), as_float(cast(t, dtype))};
}

void check_parameter(const Names& n, PointLoss loss, double c) {
  if (loss == PointLoss::huber && !(c > 0 && c < 1e300))
    raise<ValueError>("[", n.op, "] argument '", n.op == std::string("huber") ? "delta" : "parameter",
                      "' must be positive, not ", c);
  if (!(c >= 0 && c < 1e300))
    raise<ValueError>("[", n.op, "] argument 'parameter' must not be negative, got ", c);
}

// The shape of the result: without the last axis when that is reduced.
Shape result_shape(const Names& n, const Tensor& x, Reduction reduction) {
  Shape shape = x.shape();
  if (reduction == Reduction::none) return shape;
  if (shape.ndim() == 0) raise<ValueError>("[", n.op, "] argument '", n.x, "' has no axis to reduce");
  if (shape[shape.ndim() - 1] == 0)
    raise<ValueError>("[", n.op, "] argument '", n.x, "' ", shape, " has no columns");
  shape.resize(shape.ndim() - 1);
  return shape;
}

// Rows and columns: one long row where nothing is reduced.
struct Extent {
  int64_t rows, cols;
};
Extent extent(const Tensor& x, Reduction reduction) {
  if (reduction == Reduction::none || x.size() == 0) return {reduction == Reduction::none ? 1 : 0, x.size()};
  const int64_t cols = x.shape(-1);
  return {x.size() / cols, cols};
}

Tensor gradient(const Tensor& dy, const Tensor& x0, const Tensor& t0, PointLoss loss, double c,
                Reduction reduction, bool of_target) {
  const Tensor x = contiguous(x0.detach()), t = contiguous(t0.detach());
  bool repeated = dy.size() > 0;  // one number for all, as the gradient of a mean or sum is
  for (int i = 0; i < dy.ndim(); ++i) repeated = repeated && (dy.shape()[i] == 1 || dy.strides()[i] == 0);
  const Tensor g = repeated ? dy.detach() : contiguous(dy.detach());
  Tensor d = result(x.shape(), x.dtype());
  const auto [rows, cols] = extent(x, reduction);
  PointLossBackwardArgs args{.loss = loss,
                             .reduction = reduction,
                             .dtype = x.dtype(),
                             .of_target = of_target,
                             .c = c,
                             .rows = rows,
                             .cols = cols,
                             .dy = g.read(),
                             .stride_dy = repeated ? 0 : 1,
                             .x = x.read(),
                             .t = t.read(),
                             .d = d.write()};
  launch("pointwise_loss_backward", kernels().pointloss.backward, args, cost(loss, x));
  return d;
}

// 1 where low <= x <= high, else 0.
Tensor within(const Tensor& x, double low, double high) {
  return 1.0 - cast(logical_or(less(x, number(low)), greater(x, number(high))), x.dtype());
}
Tensor cut(const Tensor& x, double low, double high) {
  return minimum(maximum(x, number(low)), number(high));
}

// The derivative in ops, for gradients of gradients.
Tensor slope(PointLoss loss, double c, const Tensor& x, const Tensor& t, bool of_target) {
  const double sign_of_target = of_target ? -1.0 : 1.0;
  switch (loss) {
    case PointLoss::squared_error: return (x - t) * (2 * sign_of_target);
    case PointLoss::absolute_error: return sign(x - t) * sign_of_target;
    case PointLoss::huber: return cut(x - t, -c, c) * sign_of_target;
    case PointLoss::log_cosh: return tanh(x - t) * sign_of_target;
    case PointLoss::squared_logarithmic_error: {
      const Tensor& u = of_target ? t : x;
      const Tensor d = log1p(maximum(x, number(c))) - log1p(maximum(t, number(c)));
      return d * within(u, c, 1e300) / (maximum(u, number(c)) + 1.0) * (2 * sign_of_target);
    }
    case PointLoss::absolute_percentage_error: {
      const Tensor size = maximum(abs(t), number(c));
      if (!of_target) return sign(x - t) / size * 100.0;
      const Tensor bend = cast(greater(abs(t), number(c)), t.dtype()) * abs(t - x) * sign(t) / size;
      return (sign(t - x) - bend) / size * 100.0;
    }
    case PointLoss::poisson: return of_target ? -log(x + c) : 1.0 - t / (x + c);
    case PointLoss::hinge: return -((of_target ? x : t) * cast(greater(1.0 - t * x, number(0)), x.dtype()));
    case PointLoss::squared_hinge: return (of_target ? x : t) * relu(1.0 - t * x) * -2.0;
    case PointLoss::kl_divergence: {
      const Tensor a = cut(t, c, 1), p = cut(x, c, 1);
      return of_target ? within(t, c, 1) * (log(a / p) + 1.0) : -(within(x, c, 1) * a / p);
    }
    case PointLoss::binary_cross_entropy: {
      const Tensor p = cut(x, c, 1 - c);
      if (of_target) return log(1.0 - p) - log(p);
      return within(x, c, 1 - c) * (p - t) / (p * (1.0 - p));
    }
    case PointLoss::binary_cross_entropy_with_logits: return of_target ? -x : sigmoid(x) - t;
  }
  raise<ValueError>("[pointwise_loss] argument 'loss' is unknown");
}

Tensor backward(const Tensor& dy, const Tensor& x, const Tensor& t, PointLoss loss, double c,
                Reduction reduction, bool of_target) {
  if (!(grad_enabled() && (needs_grad(dy) || needs_grad(x) || needs_grad(t))))
    return gradient(dy, x, t, loss, c, reduction, of_target);
  Tensor g = dy;
  if (reduction != Reduction::none) g = expand_dims(dy, -1);
  if (reduction == Reduction::mean) g = g * (1.0 / static_cast<double>(x.shape(-1)));
  return g * slope(loss, c, x, t, of_target);
}

Tensor forward(const Names& n, const Tensor& x0, const Tensor& t0, PointLoss loss, double c,
               Reduction reduction) {
  check_parameter(n, loss, c);
  auto [x, t] = check_pair(n, x0, t0);
  const Shape shape = result_shape(n, x, reduction);
  const Tensor xc = contiguous(x.detach()), tc = contiguous(t.detach());
  Tensor y = result(shape, x.dtype());
  const auto [rows, cols] = extent(x, reduction);
  PointLossArgs args{.loss = loss,
                     .reduction = reduction,
                     .dtype = x.dtype(),
                     .c = c,
                     .rows = rows,
                     .cols = cols,
                     .x = xc.read(),
                     .t = tc.read(),
                     .y = y.write()};
  launch(n.op, kernels().pointloss.forward, args, cost(loss, x));
  record(n.op, {x, t}, {y}, [x = save(x), t = save(t), loss, c, reduction](Backward& b) {
    const Tensor u = b.get(x), v = b.get(t);
    if (b.wants(0)) b.set(0, backward(b.grad(), u, v, loss, c, reduction, false));
    if (b.wants(1)) b.set(1, backward(b.grad(), u, v, loss, c, reduction, true));
  });
  return y;
}

}  // namespace

Tensor pointwise_loss(const Tensor& prediction, const Tensor& target, PointLoss loss, double parameter,
                      Reduction reduction) {
  return forward({"pointwise_loss", "prediction", "target"}, prediction, target, loss, parameter, reduction);
}

Tensor pointwise_loss_backward(const Tensor& dy, const Tensor& prediction, const Tensor& target,
                               PointLoss loss, double parameter, Reduction reduction, bool of_target) {
  const Names n{"pointwise_loss_backward", "prediction", "target"};
  check_parameter(n, loss, parameter);
  auto [x, t] = check_pair(n, prediction, target);
  const Shape shape = result_shape(n, x, reduction);
  if (!(dy.shape() == shape))
    raise<ValueError>("[", n.op, "] argument 'dy' has shape ", dy.shape(), ", expected ", shape);
  require_same_dtype(n.op, "dy", dy, "prediction", x);
  return backward(dy, x, t, loss, parameter, reduction, of_target);
}

Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets) {
  require_float("binary_cross_entropy", "logits", logits);
  const Tensor t = targets.dtype() == logits.dtype() ? targets : cast(targets, logits.dtype());
  return forward({"binary_cross_entropy", "logits", "targets"}, logits, t,
                 PointLoss::binary_cross_entropy_with_logits, 0, Reduction::none);
}
Tensor squared_error(const Tensor& a, const Tensor& b) {
  return forward({"squared_error", "x1", "x2"}, a, b, PointLoss::squared_error, 0, Reduction::none);
}
Tensor absolute_error(const Tensor& a, const Tensor& b) {
  return forward({"absolute_error", "x1", "x2"}, a, b, PointLoss::absolute_error, 0, Reduction::none);
}
Tensor huber(const Tensor& a, const Tensor& b, double delta) {
  return forward({"huber", "x1", "x2"}, a, b, PointLoss::huber, delta, Reduction::none);
}

}  // namespace pl::ops
