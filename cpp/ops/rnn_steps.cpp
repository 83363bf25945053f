#include "ops/rnn_steps.h"

namespace pl::ops {

Tensor activate(const Tensor& x, RnnActivation a) {
  switch (a) {
    case RnnActivation::linear: return x;
    case RnnActivation::relu: return relu(x);
    case RnnActivation::sigmoid: return sigmoid(x);
    case RnnActivation::tanh: return tanh(x);
    case RnnActivation::hard_sigmoid: return hard_sigmoid(x);
    case RnnActivation::softsign: return softsign(x);
    case RnnActivation::softplus: return softplus(x);
    case RnnActivation::elu: return elu(x, 1.0);
    case RnnActivation::selu: return selu(x);
    case RnnActivation::exponential: return exp(x);
  }
  return x;
}

Tensor row_of(const Tensor& b, int64_t row) {
  return reshape(slice(b, {row, 0}, {row + 1, b.shape(1)}, {1, 1}), {b.shape(1)});
}

namespace {

Tensor columns(const Tensor& x, int64_t from, int64_t to) {
  return slice(x, {0, from}, {x.shape(0), to}, {1, 1});
}

RnnState gru_step(const Recurrence& r, const Tensor& z, const Tensor& u, const OptTensor& bias,
                  const Tensor& h) {
  const int64_t n = h.shape(1);
  std::vector<Tensor> x = split(z, Shape{3}, true, 1);
  Tensor update, candidate;
  if (r.cell == RnnCell::gru) {
    Tensor inner = matmul(h, u);
    if (bias) inner = inner + *bias;
    std::vector<Tensor> k = split(inner, Shape{3}, true, 1);
    update = activate(x[0] + k[0], r.recurrent);
    Tensor reset = activate(x[1] + k[1], r.recurrent);
    candidate = activate(x[2] + reset * k[2], r.activation);
  } else {
    std::vector<Tensor> k = split(matmul(h, columns(u, 0, 2 * n)), Shape{2}, true, 1);
    update = activate(x[0] + k[0], r.recurrent);
    Tensor reset = activate(x[1] + k[1], r.recurrent);
    candidate = activate(x[2] + matmul(reset * h, columns(u, 2 * n, 3 * n)), r.activation);
  }
  return {update * h + (1.0 - update) * candidate, {}};
}

}  // namespace

RnnState step(const Recurrence& r, const Tensor& z, const Tensor& u, const OptTensor& bias,
              const RnnState& old) {
  if (r.cell == RnnCell::simple) return {activate(z + matmul(old.h, u), r.activation), {}};
  if (r.cell != RnnCell::lstm) return gru_step(r, z, u, bias, old.h);
  std::vector<Tensor> g = split(z + matmul(old.h, u), Shape{4}, true, 1);
  Tensor c = activate(g[1], r.recurrent) * old.c + activate(g[0], r.recurrent) * activate(g[2], r.activation);
  return {activate(g[3], r.recurrent) * activate(c, r.activation), c};
}

std::array<Tensor, 3> composite(const Recurrence& r, const RnnInputs& in) {
  const int64_t batch = in.x.shape(0), steps = in.x.shape(1), hidden = in.u.shape(0), wide = in.u.shape(1);
  const bool two = r.cell == RnnCell::gru && in.b;
  Tensor z = linear(reshape(in.x, {batch * steps, in.x.shape(2)}), in.w, two ? OptTensor(row_of(*in.b, 0)) : in.b,
                    Activation::none);
  z = reshape(z, {batch, steps, wide});
  OptTensor bias;
  if (two) bias = row_of(*in.b, 1);
  const auto initial = [&](const OptTensor& t) {
    return t ? *t : full({batch, hidden}, 0.0, in.x.dtype());
  };
  RnnState state{initial(in.h), {}};
  if (r.cell == RnnCell::lstm) state.c = initial(in.c);
  std::vector<Tensor> y(static_cast<size_t>(steps));
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = r.reverse ? steps - 1 - i : i;
    Tensor zt = reshape(slice(z, {0, t, 0}, {batch, t + 1, wide}, {1, 1, 1}), {batch, wide});
    RnnState next = step(r, zt, in.u, bias, state);
    if (in.mask) {
      Tensor live = slice(*in.mask, {0, t}, {batch, t + 1}, {1, 1});
      next.h = where(live, next.h, state.h);
      if (next.c.defined()) next.c = where(live, next.c, state.c);
    }
    state = next;
    y[static_cast<size_t>(t)] = state.h;
  }
  Tensor ys = steps ? stack(y, 1) : empty({batch, 0, hidden}, in.x.dtype());
  return {ys, state.h, state.c};
}

}  // namespace pl::ops
