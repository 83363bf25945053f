// Activations of networks, elementwise.
#include "ops/common.h"

namespace pl::ops {
namespace {
using G = const Tensor&;

template <class Rule>
Tensor by_input(const char* name, UnaryOp op, const Tensor& x, Rule rule, double p0 = 0) {
  Tensor y = unary(name, op, x, p0);
  record(name, {x}, {y}, [x = save(x), rule](Backward& b) { b.set(0, rule(b.grad(), b.get(x))); });
  return y;
}

// y = f(x) with slope(g, y) as one fused op; its own gradient goes through the composite form.
template <class Composite>
Tensor slope(const char* name, BinaryOp op, G g, G y, Composite composite) {
  return grad_enabled() && (needs_grad(g) || needs_grad(y)) ? composite() : binary(name, op, g, y);
}

// The slopes that need the input v.
Tensor silu_slope(G g, G v) {
  return slope("silu_grad", BinaryOp::silu_grad, g, v, [&] {
    Tensor s = sigmoid(v);
    return g * s * (v * (1.0 - s) + 1.0);
  });
}
Tensor gelu_slope(G g, G v) {
  return slope("gelu_grad", BinaryOp::gelu_grad, g, v, [&] {
    return g * (erfc(v * -0.70710678118654752440) * 0.5 + v * exp(v * v * -0.5) * 0.39894228040143267794);
  });
}
Tensor gelu_tanh_slope(G g, G v) {
  return slope("gelu_tanh_grad", BinaryOp::gelu_tanh_grad, g, v, [&] {
    constexpr double c = 0.79788456080286535588, a = 0.044715;
    Tensor t = tanh((v + v * v * v * a) * c);
    return g * ((t + 1.0) * 0.5 + v * (1.0 - t * t) * (v * v * (3 * a) + 1.0) * (0.5 * c));
  });
}

Tensor with_head(Tensor y, const Tensor& x, TensorImpl::Head head) {
  if (y.impl() == x.impl()) return y;
  y.impl()->logits = Ref<TensorImpl>(x.impl());
  y.impl()->head = head;
  return y;
}
}  // namespace

// y: the input where slope_needs_input(), else the output.
Tensor activation_grad(const Tensor& g, const Tensor& y, Activation activation) {
  constexpr double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;
  const auto above = [&](const Tensor& otherwise) { return where(greater(y, number(0.0)), g, otherwise); };
  switch (activation) {
    case Activation::none: return g;
    case Activation::relu:
      return slope("relu_grad", BinaryOp::relu_grad, g, y,
                   [&] { return g * cast(greater(y, number(0.0)), g.dtype()); });
    case Activation::sigmoid:
      return slope("sigmoid_grad", BinaryOp::sigmoid_grad, g, y, [&] { return g * y * (1.0 - y); });
    case Activation::tanh:
      return slope("tanh_grad", BinaryOp::tanh_grad, g, y, [&] { return g * (1.0 - y * y); });
    case Activation::leaky_relu: return above(g * 0.2);
    case Activation::elu: return above(g * (y + 1.0));
    case Activation::selu: return above(g * (y * (1 / scale) + alpha)) * scale;
    case Activation::softplus: return g * -expm1(-y);
    case Activation::gelu: return gelu_slope(g, y);
    case Activation::gelu_tanh: return gelu_tanh_slope(g, y);
    case Activation::silu: return silu_slope(g, y);
  }
  return g;
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return relu(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return tanh(x);
    case Activation::leaky_relu: return leaky_relu(x, 0.2);
    case Activation::elu: return elu(x, 1.0);
    case Activation::selu: return selu(x);
    case Activation::softplus: return softplus(x);
    case Activation::gelu: return gelu(x, false);
    case Activation::gelu_tanh: return gelu(x, true);
    case Activation::silu: return silu(x);
  }
  return x;
}

namespace {
Tensor activation(const char* name, UnaryOp op, const Tensor& x, Activation kind) {
  Tensor y = unary(name, op, x);
  record(name, {x}, {y},
         [y = save_output(y), kind](Backward& b) { b.set(0, activation_grad(b.grad(), b.get(y), kind)); });
  return y;
}
}  // namespace

Tensor relu(const Tensor& x) { return activation("relu", UnaryOp::relu, x, Activation::relu); }
Tensor tanh(const Tensor& x) { return activation("tanh", UnaryOp::tanh, x, Activation::tanh); }
Tensor sigmoid(const Tensor& x) {
  Tensor f = as_float(x);
  return with_head(activation("sigmoid", UnaryOp::sigmoid, f, Activation::sigmoid), f,
                   TensorImpl::Head::sigmoid);
}
Tensor softplus(const Tensor& x) {
  return by_input("softplus", UnaryOp::softplus, x, [](G g, G v) { return g * sigmoid(v); });
}
Tensor elu(const Tensor& x, double alpha) {
  return by_input(
      "elu", UnaryOp::elu, x,
      [alpha](G g, G v) {
        return g * where(greater(v, number(0.0)), number(1.0), exp(minimum(v, number(0.0))) * alpha);
      },
      alpha);
}
Tensor selu(const Tensor& x) {
  return by_input("selu", UnaryOp::selu, x, [](G g, G v) {
    constexpr double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;
    return g * where(greater(v, number(0.0)), number(scale), exp(minimum(v, number(0.0))) * (scale * alpha));
  });
}
Tensor silu(const Tensor& x) { return by_input("silu", UnaryOp::silu, x, silu_slope); }
Tensor gelu(const Tensor& x, bool approximate) {
  if (approximate) return by_input("gelu", UnaryOp::gelu_tanh, x, gelu_tanh_slope);
  return by_input("gelu", UnaryOp::gelu, x, gelu_slope);
}
Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return by_input(
      "leaky_relu", UnaryOp::leaky_relu, x,
      [negative_slope](G g, G v) { return where(greater(v, number(0.0)), g, g * negative_slope); },
      negative_slope);
}
Tensor hard_sigmoid(const Tensor& x) {
  return by_input("hard_sigmoid", UnaryOp::hard_sigmoid, x,
                  [](G g, G v) { return where(less(abs(v), number(3.0)), g * (1.0 / 6.0), number(0.0)); });
}
Tensor softsign(const Tensor& x) {
  return by_input("softsign", UnaryOp::softsign, x, [](G g, G v) {
    Tensor d = abs(v) + 1.0;
    return g / (d * d);
  });
}

}  // namespace pl::ops
