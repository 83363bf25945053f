// Normalisation. Two kernels stand behind it: statistics over positions (batch, group) and over rows (layer, RMS). What
// is kept for the backward pass is x and the statistics; where gradients of gradients may be taken, the composite form.
#include "ops/norm.h"

#include <cmath>

#include "ops/common.h"

namespace pl::ops {
namespace {

void check_options(const char* op, double epsilon, Activation activation) {
  if (activation != Activation::none && activation != Activation::relu && activation != Activation::sigmoid &&
      activation != Activation::tanh)
    raise<ValueError>("[", op, "] argument 'activation' must be None, 'relu', 'sigmoid' or 'tanh'");
  if (!(epsilon >= 0 && std::isfinite(epsilon)))
    raise<ValueError>("[", op, "] argument 'epsilon' must be a finite number of at least 0, not ", epsilon);
}
void check_parameter(const char* op, const char* name, const OptTensor& t, const Tensor& x,
                     const Shape& shape) {
  if (!t) return;
  if (!(t->shape() == shape))
    raise<ValueError>("[", op, "] argument '", name, "' has shape ", t->shape(), ", expected ", shape);
  require_same_dtype(op, "x", x, name, *t);
}
void check_gradient(const char* op, const Tensor& dy, const Tensor& x) {
  if (!(dy.shape() == x.shape()))
    raise<ValueError>("[", op, "] argument 'dy' has shape ", dy.shape(), ", expected that of 'x' ",
                      x.shape());
  require_same_dtype(op, "dy", dy, "x", x);
}
void refuse_second(const char* op) {
  if (grad_enabled())
    raise<RuntimeError>("[", op, "] second derivatives need the whole computation inside the outer grad");
}
OptTensor contiguous_or_none(const OptTensor& t) { return t ? OptTensor(contiguous(*t)) : OptTensor(); }
const void* data_of(const OptTensor& t) { return t ? t->read() : nullptr; }
Saved save_optional(const OptTensor& t) { return t ? save(*t) : Saved(); }
OptTensor get_optional(const Backward& b, const Saved& saved) {
  return saved.tensor.defined() ? OptTensor(b.get(saved)) : OptTensor();
}

Tensor act(const Tensor& z, Activation activation) {
  if (activation == Activation::relu) return relu(z);
  if (activation == Activation::sigmoid) return sigmoid(z);
  if (activation == Activation::tanh) return tanh(z);
  return z;
}
// The end of every composite form.
Tensor scaled(Tensor z, const OptTensor& gamma, const OptTensor& beta, Activation activation) {
  if (gamma) z = z * *gamma;
  if (beta) z = z + *beta;
  return act(z, activation);
}

double cost_of(const Tensor& x) { return 0.5 * static_cast<double>(x.size()); }

// A parameter's gradient: into the place where it will live, when that is known.
Tensor gradient_place(const Tensor& destination, const Shape& shape, DType dtype) {
  if (destination.defined() && destination.is_contiguous() && destination.dtype() == dtype &&
      destination.shape() == shape)
    return destination;
  return empty(shape, dtype);
}

// -- over positions ----------------------------------------------------------------------------------------------------

struct Channels {
  int64_t n, s, c, groups;
  double epsilon;
  Activation activation;
  bool frozen;
};

Tensor channel_work(const Channels& k, DType dtype) {
  return empty({workspace_bytes("channel_workspace", kernels().norm.channel_workspace, k.n, k.s, k.c, dtype)},
               DType::uint8);
}

// x contiguous. Writes mean and var unless they are frozen; y undefined: the statistics only.
void channel_forward(const char* op, const Channels& k, const Tensor& x, const OptTensor& gamma,
                     const OptTensor& beta, const Tensor& mean, const Tensor& var, const Tensor& y) {
  Tensor work = channel_work(k, x.dtype());
  ChannelNormArgs args{.dtype = x.dtype(),
                       .activation = k.activation,
                       .frozen = k.frozen,
                       .n = k.n,
                       .s = k.s,
                       .c = k.c,
                       .groups = k.groups,
                       .epsilon = k.epsilon,
                       .x = x.read(),
                       .gamma = data_of(gamma),
                       .beta = data_of(beta),
                       .mean = k.frozen ? const_cast<void*>(mean.read()) : mean.write(),
                       .var = k.frozen ? const_cast<void*>(var.read()) : var.write(),
                       .y = y.defined() ? y.write() : nullptr,
                       .work = work.write()};
  launch(op, kernels().norm.channel_norm, args, cost_of(x));
}

// What a vjp wants, and the places of the gradients it leaves.
struct Wanted {
  bool x = true, gamma = true, beta = true;
  Tensor dx{}, dgamma{}, dbeta{};  // places of gamma's and beta's on the way in
};

void channel_backward(const char* op, const Channels& k, const Tensor& dy0, const Tensor& x,
                      const OptTensor& gamma, const OptTensor& beta, const Tensor& mean, const Tensor& var,
                      const Tensor& dmean, const Tensor& dvar, Wanted& w) {
  Tensor dy = contiguous(dy0), work = channel_work(k, x.dtype());
  if (w.x) w.dx = empty(x.shape(), x.dtype());
  if (w.gamma) w.dgamma = gradient_place(w.dgamma, {k.c}, x.dtype());
  if (w.beta) w.dbeta = gradient_place(w.dbeta, {k.c}, x.dtype());
  ChannelNormBackwardArgs args{.dtype = x.dtype(),
                               .activation = k.activation,
                               .frozen = k.frozen,
                               .n = k.n,
                               .s = k.s,
                               .c = k.c,
                               .groups = k.groups,
                               .epsilon = k.epsilon,
                               .dy = dy.read(),
                               .x = x.read(),
                               .gamma = data_of(gamma),
                               .beta = data_of(beta),
                               .mean = mean.read(),
                               .var = var.read(),
                               .dmean = dmean.defined() ? dmean.read() : nullptr,
                               .dvar = dvar.defined() ? dvar.read() : nullptr,
                               .dx = w.x ? w.dx.write() : nullptr,
                               .dgamma = w.gamma ? w.dgamma.write() : nullptr,
                               .dbeta = w.beta ? w.dbeta.write() : nullptr,
                               .work = work.write()};
  launch(op, kernels().norm.channel_norm_backward, args, 2 * cost_of(x));
}

Wanted wanted(const Backward& b, const OptTensor& gamma, const OptTensor& beta) {
  Wanted w{.x = b.wants(0), .gamma = gamma && b.wants(1), .beta = beta && b.wants(2)};
  if (w.gamma) w.dgamma = b.destination(1);
  if (w.beta) w.dbeta = b.destination(2);
  return w;
}
void hand_over(Backward& b, const Wanted& w) {
  if (w.x) b.set(0, w.dx);
  if (w.gamma) b.set(1, w.dgamma);
  if (w.beta) b.set(2, w.dbeta);
}

// batch_norm's view of x, checked.
Channels batch_channels(const char* op, const Tensor& x, const OptTensor& gamma, const OptTensor& beta,
                        double epsilon, Activation activation, bool frozen) {
  require_float(op, "x", x);
  if (x.ndim() < 2)
    raise<ValueError>("[", op, "] argument 'x' must be (batch, ..., channels), not ", x.shape());
  check_options(op, epsilon, activation);
  const int64_t c = x.shape(-1);
  check_parameter(op, "gamma", gamma, x, {c});
  check_parameter(op, "beta", beta, x, {c});
  return {1, c == 0 ? 0 : x.size() / c, c, c, epsilon, activation, frozen};
}

// group_norm's.
Channels group_channels(const char* op, const Tensor& x, int64_t groups, const OptTensor& gamma,
                        const OptTensor& beta, double epsilon, Activation activation) {
  require_float(op, "x", x);
  if (x.ndim() < 2)
    raise<ValueError>("[", op, "] argument 'x' must be (batch, ..., channels), not ", x.shape());
  check_options(op, epsilon, activation);
  const int64_t c = x.shape(-1);
  if (groups < 1 || c % groups != 0)
    raise<ValueError>("[", op, "] argument 'groups' (", groups, ") must divide the channels of 'x' ",
                      x.shape());
  check_parameter(op, "gamma", gamma, x, {c});
  check_parameter(op, "beta", beta, x, {c});
  int64_t s = 1;
  for (int i = 1; i + 1 < x.ndim(); ++i) s *= x.shape(i);
  return {x.shape(0), s, c, groups, epsilon, activation, false};
}

// -- over rows ---------------------------------------------------------------------------------------------------------

struct Rows {
  int64_t rows, n;
  Axes axes;
  Shape shape;  // of gamma
  double epsilon;
  Activation activation;
  bool rms;
};

Rows row_view(const char* op, const Tensor& x, const OptTensor& gamma, const OptTensor& beta,
              const Axes& axis, double epsilon, Activation activation, bool rms) {
  require_float(op, "x", x);
  Rows r{1, 1, normalize_axes(op, axis, x.ndim()), {}, epsilon, activation, rms};
  const int kept = x.ndim() - r.axes.ndim();
  if (r.axes.empty() || r.axes[0] != kept)
    raise<ValueError>("[", op, "] argument 'axis' must name the last axes of 'x' ", x.shape(), ", not ", axis,
                      ": transpose it first");
  check_options(op, epsilon, activation);
  for (int i = 0; i < kept; ++i) r.rows *= x.shape(i);
  for (int i = kept; i < x.ndim(); ++i) {
    r.n *= x.shape(i);
    r.shape.push_back(x.shape(i));
  }
  check_parameter(op, "gamma", gamma, x, r.shape);
  check_parameter(op, "beta", beta, x, r.shape);
  return r;
}

struct RowStatistics {
  Tensor mean, rstd;
};
// x contiguous; y undefined: the statistics only.
RowStatistics row_forward(const char* op, const Rows& r, const Tensor& x, const OptTensor& gamma,
                          const OptTensor& beta, const Tensor& y) {
  RowStatistics s{r.rms ? Tensor() : empty({r.rows}, x.dtype()), empty({r.rows}, x.dtype())};
  RowNormArgs args{.dtype = x.dtype(),
                   .activation = r.activation,
                   .rms = r.rms,
                   .rows = r.rows,
                   .n = r.n,
                   .epsilon = r.epsilon,
                   .x = x.read(),
                   .gamma = data_of(gamma),
                   .beta = data_of(beta),
                   .mean = r.rms ? nullptr : s.mean.write(),
                   .rstd = s.rstd.write(),
                   .y = y.defined() ? y.write() : nullptr};
  launch(op, kernels().norm.row_norm, args, cost_of(x));
  return s;
}

void row_backward(const char* op, const Rows& r, const Tensor& dy0, const Tensor& x, const OptTensor& gamma,
                  const OptTensor& beta, const RowStatistics& s, Wanted& w) {
  Tensor dy = contiguous(dy0);
  if (w.x) w.dx = empty(x.shape(), x.dtype());
  if (w.gamma) w.dgamma = gradient_place(w.dgamma, r.shape, x.dtype());
  if (w.beta) w.dbeta = gradient_place(w.dbeta, r.shape, x.dtype());
  Tensor work = empty(
      {workspace_bytes("row_workspace", kernels().norm.row_workspace, r.rows, r.n, x.dtype())}, DType::uint8);
  RowNormBackwardArgs args{.dtype = x.dtype(),
                           .activation = r.activation,
                           .rms = r.rms,
                           .rows = r.rows,
                           .n = r.n,
                           .dy = dy.read(),
                           .x = x.read(),
                           .gamma = data_of(gamma),
                           .beta = data_of(beta),
                           .mean = r.rms ? nullptr : s.mean.read(),
                           .rstd = s.rstd.read(),
                           .dx = w.x ? w.dx.write() : nullptr,
                           .dgamma = w.gamma ? w.dgamma.write() : nullptr,
                           .dbeta = w.beta ? w.dbeta.write() : nullptr,
                           .work = work.write()};
  launch(op, kernels().norm.row_norm_backward, args, 2 * cost_of(x));
}

Tensor row_norm(const char* op, const char* backward, const Rows& r, const Tensor& x0,
                const OptTensor& gamma0, const OptTensor& beta0) {
  if (higher_order()) {
    Tensor d = r.rms ? x0 : x0 - mean(x0, r.axes, true);
    return scaled(d * rsqrt(mean(square(d), r.axes, true) + r.epsilon), gamma0, beta0, r.activation);
  }
  Tensor x = contiguous(x0);
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  Tensor y = result(x.shape(), x.dtype());
  RowStatistics s = row_forward(op, r, x, gamma, beta, y);
  record(
      op, {x, gamma.value_or(Tensor()), beta.value_or(Tensor())}, {y},
      [backward, r, s, x = save(x), gamma = save_optional(gamma), beta = save_optional(beta)](Backward& b) {
        refuse_second(backward);
        OptTensor scale = get_optional(b, gamma), offset = get_optional(b, beta);
        Wanted w = wanted(b, scale, offset);
        row_backward(backward, r, b.grad(), b.get(x), scale, offset, s, w);
        hand_over(b, w);
      });
  return y;
}

Wanted row_gradients(const char* op, const Rows& r, const Tensor& dy, const Tensor& x0,
                     const OptTensor& gamma0, const OptTensor& beta0) {
  check_gradient(op, dy, x0);
  Tensor x = contiguous(x0);
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  Wanted w;
  row_backward(op, r, dy, x, gamma, beta, row_forward(op, r, x, gamma, beta, {}), w);
  return w;
}

}  // namespace

ThreeTensors batch_norm(const Tensor& x0, const OptTensor& gamma0, const OptTensor& beta0, double epsilon,
                        Activation activation) {
  const Channels k = batch_channels("batch_norm", x0, gamma0, beta0, epsilon, activation, false);
  if (higher_order()) {
    Axes axes;
    for (int i = 0; i + 1 < x0.ndim(); ++i) axes.push_back(i);
    Tensor m = mean(x0, axes), d = x0 - m, v = mean(square(d), axes);
    return {scaled(d * rsqrt(v + epsilon), gamma0, beta0, activation), m, v};
  }
  Tensor x = contiguous(x0);
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  Tensor y = result(x.shape(), x.dtype()), m = empty({k.c}, x.dtype()), v = empty({k.c}, x.dtype());
  channel_forward("batch_norm", k, x, gamma, beta, m, v, y);
  record("batch_norm", {x, gamma.value_or(Tensor()), beta.value_or(Tensor())}, {y, m, v},
         [k, x = save(x), gamma = save_optional(gamma), beta = save_optional(beta), m = save_output(m, 1),
          v = save_output(v, 2)](Backward& b) {
           refuse_second("batch_norm");
           OptTensor scale = get_optional(b, gamma), offset = get_optional(b, beta);
           Tensor kept = b.get(x), dy = b.grad(0), dm = b.grad(1), dv = b.grad(2);
           if (!dy.defined()) dy = full(kept.shape(), 0, kept.dtype());
           if (dm.defined()) dm = contiguous(dm);
           if (dv.defined()) dv = contiguous(dv);
           Wanted w = wanted(b, scale, offset);
           channel_backward("batch_norm_backward", k, dy, kept, scale, offset, b.get(m), b.get(v), dm, dv, w);
           hand_over(b, w);
         });
  return {y, m, v};
}

Tensor batch_norm_inference(const Tensor& x0, const OptTensor& gamma0, const OptTensor& beta0,
                            const Tensor& mean0, const Tensor& var0, double epsilon, Activation activation) {
  const char* op = "batch_norm_inference";
  const Channels k = batch_channels(op, x0, gamma0, beta0, epsilon, activation, true);
  check_parameter(op, "mean", mean0, x0, {k.c});
  check_parameter(op, "var", var0, x0, {k.c});
  if (higher_order()) return scaled((x0 - mean0) * rsqrt(var0 + epsilon), gamma0, beta0, activation);
  Tensor x = contiguous(x0), m = contiguous(mean0), v = contiguous(var0);
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  Tensor y = result(x.shape(), x.dtype());
  channel_forward(op, k, x, gamma, beta, m, v, y);
  record(op, {x, gamma.value_or(Tensor()), beta.value_or(Tensor()), m, v}, {y},
         [k, x = save(x), gamma = save_optional(gamma), beta = save_optional(beta), m = save(m),
          v = save(v)](Backward& b) {
           refuse_second("batch_norm_inference");
           OptTensor scale = get_optional(b, gamma), offset = get_optional(b, beta);
           Tensor center = b.get(m), spread = b.get(v);
           Wanted w = wanted(b, scale, offset);
           w.beta = w.beta || b.wants(3);
           w.gamma = w.gamma || b.wants(4);
           channel_backward("batch_norm_backward", k, b.grad(), b.get(x), scale, offset, center, spread, {},
                            {}, w);
           // mean and var act on y as -beta and gamma do, but for factors of the channel
           if (b.wants(3)) {
             Tensor d = -(w.dbeta * rsqrt(spread + k.epsilon));
             b.set(3, scale ? d * *scale : d);
           }
           if (b.wants(4)) {
             Tensor d = w.dgamma * reciprocal(spread + k.epsilon) * -0.5;
             b.set(4, scale ? d * *scale : d);
           }
           w.gamma = w.gamma && b.wants(1);
           w.beta = w.beta && b.wants(2);
           hand_over(b, w);
         });
  return y;
}

ThreeTensors batch_norm_backward(const Tensor& dy, const Tensor& x0, const OptTensor& gamma0,
                                 const OptTensor& beta0, const Tensor& mean0, const Tensor& var0,
                                 double epsilon, Activation activation, bool training) {
  const char* op = "batch_norm_backward";
  const Channels k = batch_channels(op, x0, gamma0, beta0, epsilon, activation, !training);
  check_gradient(op, dy, x0);
  check_parameter(op, "mean", mean0, x0, {k.c});
  check_parameter(op, "var", var0, x0, {k.c});
  Tensor x = contiguous(x0), m = contiguous(mean0), v = contiguous(var0);
  Wanted w;
  channel_backward(op, k, dy, x, contiguous_or_none(gamma0), contiguous_or_none(beta0), m, v, {}, {}, w);
  return {w.dx, w.dgamma, w.dbeta};
}

Tensor layer_norm(const Tensor& x, const OptTensor& gamma, const OptTensor& beta, const Axes& axis,
                  double epsilon, Activation activation) {
  const Rows r = row_view("layer_norm", x, gamma, beta, axis, epsilon, activation, false);
  return row_norm("layer_norm", "layer_norm_backward", r, x, gamma, beta);
}

ThreeTensors layer_norm_backward(const Tensor& dy, const Tensor& x, const OptTensor& gamma,
                                 const OptTensor& beta, const Axes& axis, double epsilon,
                                 Activation activation) {
  const char* op = "layer_norm_backward";
  Wanted w =
      row_gradients(op, row_view(op, x, gamma, beta, axis, epsilon, activation, false), dy, x, gamma, beta);
  return {w.dx, w.dgamma, w.dbeta};
}

Tensor rms_norm(const Tensor& x, const OptTensor& gamma, const Axes& axis, double epsilon,
                Activation activation) {
  const Rows r = row_view("rms_norm", x, gamma, {}, axis, epsilon, activation, true);
  return row_norm("rms_norm", "rms_norm_backward", r, x, gamma, {});
}

std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& dy, const Tensor& x, const OptTensor& gamma,
                                             const Axes& axis, double epsilon, Activation activation) {
  const char* op = "rms_norm_backward";
  Wanted w = row_gradients(op, row_view(op, x, gamma, {}, axis, epsilon, activation, true), dy, x, gamma, {});
  return {w.dx, w.dgamma};
}

Tensor group_norm(const Tensor& x0, int64_t groups, const OptTensor& gamma0, const OptTensor& beta0,
                  double epsilon, Activation activation) {
  const Channels k = group_channels("group_norm", x0, groups, gamma0, beta0, epsilon, activation);
  if (higher_order()) {
    Tensor g = reshape(x0, {k.n, k.s, groups, k.c / groups});
    Tensor d = g - mean(g, Axes{1, 3}, true);
    Tensor z = d * rsqrt(mean(square(d), Axes{1, 3}, true) + epsilon);
    return scaled(reshape(z, x0.shape()), gamma0, beta0, activation);
  }
  Tensor x = contiguous(x0);
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  Tensor y = result(x.shape(), x.dtype());
  Tensor m = empty({k.n, groups}, x.dtype()), v = empty({k.n, groups}, x.dtype());
  channel_forward("group_norm", k, x, gamma, beta, m, v, y);
  record("group_norm", {x, gamma.value_or(Tensor()), beta.value_or(Tensor())}, {y},
         [k, m, v, x = save(x), gamma = save_optional(gamma), beta = save_optional(beta)](Backward& b) {
           refuse_second("group_norm");
           OptTensor scale = get_optional(b, gamma), offset = get_optional(b, beta);
           Wanted w = wanted(b, scale, offset);
           channel_backward("group_norm_backward", k, b.grad(), b.get(x), scale, offset, m, v, {}, {}, w);
           hand_over(b, w);
         });
  return y;
}

ThreeTensors group_norm_backward(const Tensor& dy, const Tensor& x0, int64_t groups, const OptTensor& gamma0,
                                 const OptTensor& beta0, double epsilon, Activation activation) {
  const char* op = "group_norm_backward";
  const Channels k = group_channels(op, x0, groups, gamma0, beta0, epsilon, activation);
  check_gradient(op, dy, x0);
  Tensor x = contiguous(x0), m = empty({k.n, groups}, x.dtype()), v = empty({k.n, groups}, x.dtype());
  OptTensor gamma = contiguous_or_none(gamma0), beta = contiguous_or_none(beta0);
  channel_forward(op, k, x, gamma, beta, m, v, {});
  Wanted w;
  channel_backward(op, k, dy, x, gamma, beta, m, v, {}, {}, w);
  return {w.dx, w.dgamma, w.dbeta};
}

}  // namespace pl::ops
