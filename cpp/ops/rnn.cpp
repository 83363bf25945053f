// The LSTM cell: two matrix products and one pointwise kernel. Gate order i, f, c, o (Keras).
#include "ops/rnn.h"

#include "ops/common.h"

namespace pl::ops {
namespace {

struct CellShape {
  int64_t batch, hidden;
};
CellShape check(const char* op, const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w,
                const Tensor& u, const OptTensor& b) {
  require_float(op, "x", x);
  require_same_dtype(op, "x", x, "h", h);
  require_same_dtype(op, "x", x, "c", c);
  require_same_dtype(op, "x", x, "w", w);
  require_same_dtype(op, "x", x, "u", u);
  if (b) require_same_dtype(op, "x", x, "b", *b);
  if (x.ndim() != 2) raise<ValueError>("[", op, "] argument 'x' must be (batch, features), not ", x.shape());
  if (h.ndim() != 2 || h.shape(0) != x.shape(0))
    raise<ValueError>("[", op, "] argument 'h' must be (", x.shape(0), ", hidden), not ", h.shape());
  CellShape s{x.shape(0), h.shape(1)};
  auto expect = [&](const char* name, const Tensor& t, const Shape& shape) {
    if (!(t.shape() == shape))
      raise<ValueError>("[", op, "] argument '", name, "' has shape ", t.shape(), ", expected ", shape);
  };
  expect("c", c, h.shape());
  int64_t gates;
  if (__builtin_mul_overflow(s.hidden, int64_t{4}, &gates))
    raise<ValueError>("[", op, "] argument 'h' is too large");
  expect("w", w, {x.shape(1), gates});
  expect("u", u, {s.hidden, gates});
  if (b) expect("b", *b, {gates});
  return s;
}

Tensor act(const Tensor& x, Activation a) {
  switch (a) {
    case Activation::none: return x;
    case Activation::relu: return relu(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return tanh(x);
  }
  return x;
}

// The pointwise half written in plain ops, for gradients of gradients.
std::tuple<Tensor, Tensor> composite(const Tensor& z, const Tensor& c, Activation activation) {
  std::vector<Tensor> g = split(z, Shape{4}, true, 1);
  Tensor cn = sigmoid(g[1]) * c + sigmoid(g[0]) * act(g[2], activation);
  return {sigmoid(g[3]) * act(cn, activation), cn};
}

std::tuple<Tensor, Tensor> pointwise(const Tensor& z0, const Tensor& c0, CellShape s, Activation activation) {
  if (higher_order()) return composite(z0, c0, activation);
  Tensor z = contiguous(z0), c = contiguous(c0);
  Tensor gates = empty(z.shape(), z.dtype());
  Tensor h_out = empty(c.shape(), z.dtype()), c_out = empty(c.shape(), z.dtype());
  LstmCellArgs args{.dtype = z.dtype(),
                    .activation = activation,
                    .batch = s.batch,
                    .hidden = s.hidden,
                    .z = z.read(),
                    .c = c.read(),
                    .gates = gates.write(),
                    .h_out = h_out.write(),
                    .c_out = c_out.write()};
  launch("lstm_cell", kernels().rnn.lstm_cell, args, 4.0 * static_cast<double>(z.size()));
  record("lstm_cell", {z, c}, {h_out, c_out},
         [z = save(z), c = save(c), gates, c_out = save_output(c_out, 1), s, activation](Backward& b) {
           Tensor dh = b.grad(0), dc_out = b.grad(1);
           if (grad_enabled())
             raise<RuntimeError>(
                 "[lstm_cell] second derivatives need the whole computation inside the outer grad");
           if (dh.defined()) dh = contiguous(dh);
           if (dc_out.defined()) dc_out = contiguous(dc_out);
           Tensor dz = empty(gates.shape(), gates.dtype());
           Tensor kept = b.get(c), next = b.get(c_out);
           Tensor dc = empty(kept.shape(), gates.dtype());
           LstmCellBackwardArgs back{.dtype = gates.dtype(),
                                     .activation = activation,
                                     .batch = s.batch,
                                     .hidden = s.hidden,
                                     .gates = gates.read(),
                                     .c = kept.read(),
                                     .c_out = next.read(),
                                     .dh_out = dh.defined() ? dh.read() : nullptr,
                                     .dc_out = dc_out.defined() ? dc_out.read() : nullptr,
                                     .dz = dz.write(),
                                     .dc = dc.write()};
           launch("lstm_cell_backward", kernels().rnn.lstm_cell_backward, back,
                  4.0 * static_cast<double>(dz.size()));
           b.set(0, dz);
           b.set(1, dc);
         });
  return {h_out, c_out};
}

}  // namespace

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w,
                                     const Tensor& u, const OptTensor& b, Activation activation) {
  CellShape s = check("lstm_cell", x, h, c, w, u, b);
  return pointwise(linear(x, w, b, Activation::none) + matmul(h, u), c, s, activation);
}

// The vjp as an op of its own: the pointwise forward pass again, then its backward.
std::vector<Tensor> lstm_cell_backward(const Tensor& dh_out, const Tensor& dc_out, const Tensor& x,
                                       const Tensor& h, const Tensor& c, const Tensor& w, const Tensor& u,
                                       const OptTensor& b, Activation activation) {
  const char* op = "lstm_cell_backward";
  CellShape s = check(op, x, h, c, w, u, b);
  for (auto [name, t] : {std::pair{"dh", &dh_out}, std::pair{"dc", &dc_out}}) {
    require_same_dtype(op, name, *t, "x", x);
    if (!(t->shape() == h.shape()))
      raise<ValueError>("[", op, "] argument '", name, "' has shape ", t->shape(), ", expected ", h.shape());
  }
  Tensor z = linear(x, w, b, Activation::none) + matmul(h, u);
  Tensor kept = contiguous(c), gates = empty(z.shape(), z.dtype());
  Tensor h_out = empty(h.shape(), z.dtype()), c_out = empty(h.shape(), z.dtype());
  LstmCellArgs forward{.dtype = z.dtype(),
                       .activation = activation,
                       .batch = s.batch,
                       .hidden = s.hidden,
                       .z = z.read(),
                       .c = kept.read(),
                       .gates = gates.write(),
                       .h_out = h_out.write(),
                       .c_out = c_out.write()};
  launch("lstm_cell", kernels().rnn.lstm_cell, forward, 4.0 * static_cast<double>(z.size()));
  Tensor dh = contiguous(dh_out), dn = contiguous(dc_out);
  Tensor dz = empty(z.shape(), z.dtype()), dc = empty(h.shape(), z.dtype());
  LstmCellBackwardArgs back{.dtype = z.dtype(),
                            .activation = activation,
                            .batch = s.batch,
                            .hidden = s.hidden,
                            .gates = gates.read(),
                            .c = kept.read(),
                            .c_out = c_out.read(),
                            .dh_out = dh.read(),
                            .dc_out = dn.read(),
                            .dz = dz.write(),
                            .dc = dc.write()};
  launch(op, kernels().rnn.lstm_cell_backward, back, 4.0 * static_cast<double>(z.size()));
  std::vector<Tensor> grads{matmul(dz, swap_last(w)), matmul(dz, swap_last(u)), dc, matmul(swap_last(x), dz),
                            matmul(swap_last(h), dz)};
  if (b) grads.push_back(sum(dz, Axes{0}));
  return grads;
}

}  // namespace pl::ops
