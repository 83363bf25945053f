// Ops of the other families, and how their own kinds of argument are read.
#include "bindings/module.h"
#include "bindings/op.h"

namespace pl {

using ops::Pair;

// strides, dilation: one number for both axes, or two
template <>
struct From<Pair> {
  static Pair get(Call& c, const char* what, py::handle h) {
    Shape s = c.shape(what, h);
    if (s.ndim() == 0 || s.ndim() > 2)
      raise<ValueError>("[", c.op, "] argument '", what, "' must be one or two integers");
    return {s[0], s[s.ndim() - 1]};
  }
};

// pad_width: an int, (before, after), or one pair for each dimension
struct PadWidth {
  py::object given;
};
template <>
struct From<PadWidth> {
  static PadWidth get(Call&, const char*, py::handle h) { return {py::reinterpret_borrow<py::object>(h)}; }
};

// padding of a convolution: "valid", "same", an int, or ((top, bottom), (left, right))
struct Padding {
  bool same = false;
  Pair h{0, 0}, w{0, 0};
};
template <>
struct From<Padding> {
  static Padding get(Call& c, const char* what, py::handle h) {
    Padding p;
    if (PyUnicode_Check(h.ptr())) {
      std::string s = c.text(what, h);
      if (s != "same" && s != "valid")
        raise<ValueError>("[", c.op, "] argument '", what,
                          "' must be 'valid', 'same', an integer or two pairs, not '", s, "'");
      p.same = s == "same";
      return p;
    }
    if (!PySequence_Check(h.ptr()) ||
        PySequence_Size(h.ptr()) < 0) {  // a number, also as an array without dimensions
      PyErr_Clear();
      int64_t v = c.integer(what, h);
      p.h = p.w = {v, v};
      return p;
    }
    py::sequence s = py::reinterpret_borrow<py::sequence>(h);
    if (s.size() != 2)
      raise<ValueError>("[", c.op, "] argument '", what, "' must be two pairs, not ", s.size());
    p.h = From<Pair>::get(c, what, py::object(s[0]));
    p.w = From<Pair>::get(c, what, py::object(s[1]));
    return p;
  }
};

// split: a number of equal parts, or the positions to cut at
struct Cuts {
  Shape values;
  bool sections;
};
template <>
struct From<Cuts> {
  static Cuts get(Call& c, const char* what, py::handle h) {
    Shape values = c.shape(what, h);
    bool number = PySequence_Size(h.ptr()) < 0;
    PyErr_Clear();
    return {values, number};
  }
};

// dropout's generator: None is the default one
struct GeneratorState {
  Tensor state;
};
template <>
struct From<GeneratorState> {
  static GeneratorState get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {ops::default_generator()};
    if (!is_tensor(h)) c.bad(what, "a Generator's state", h);
    return {h.cast<Tensor&>()};
  }
};

namespace {

Tensor pad(const Tensor& x, const PadWidth& width, double value) {
  Call c("pad");
  std::vector<Pair> pairs;
  py::handle h = width.given;
  bool nested = false;
  if (PySequence_Check(h.ptr()) && !PyUnicode_Check(h.ptr()) && !PyBytes_Check(h.ptr())) {
    py::object first = py::reinterpret_steal<py::object>(PySequence_GetItem(h.ptr(), 0));
    if (!first) PyErr_Clear();  // empty, or an array without dimensions: told below
    nested = first && PySequence_Check(first.ptr());
  }
  if (nested) {
    for (py::object item : py::reinterpret_borrow<py::sequence>(h))
      pairs.push_back(From<Pair>::get(c, "pad_width", item));
  } else {
    pairs.assign(static_cast<size_t>(x.ndim()), From<Pair>::get(c, "pad_width", h));
  }
  return ops::pad(x, pairs, value);
}

std::vector<Tensor> split(const Tensor& x, const Cuts& cuts, int64_t axis) {
  return ops::split(x, cuts.values, cuts.sections, axis);
}

Tensor dropout(const Tensor& x, double rate, const GeneratorState& g) {
  return ops::dropout(x, rate, g.state);
}

ops::Conv2dOptions options(Pair strides, const Padding& padding, Pair dilation, int64_t groups) {
  return {.strides = strides,
          .dilation = dilation,
          .same = padding.same,
          .pad_h = padding.h,
          .pad_w = padding.w,
          .groups = groups};
}
Tensor conv2d(const Tensor& x, const Tensor& w, const ops::OptTensor& b, Pair strides, const Padding& padding,
              Pair dilation, int64_t groups) {
  return ops::conv2d(x, w, b, options(strides, padding, dilation, groups));
}
std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   Pair strides, const Padding& padding, Pair dilation,
                                                   int64_t groups) {
  return ops::conv2d_backward(dy, x, w, options(strides, padding, dilation, groups));
}

Tensor cumsum(const Tensor& x, std::optional<int64_t> axis) { return ops::cumsum(x, axis); }

Tensor random_draw(const Shape& shape, int64_t kind, double low, double high, DType dtype,
                   const GeneratorState& g) {
  return ops::random_fill(shape, static_cast<Distribution>(kind), low, high, 0, 0, dtype, g.state);
}
Tensor random_integers(const Shape& shape, int64_t low, int64_t high, const GeneratorState& g) {
  return ops::random_fill(shape, Distribution::bits, 0, 0, low, high, DType::int64, g.state);
}

}  // namespace

void bind_ops(py::module_& m) {
  using namespace ops;
  const std::vector<Param> over{"x", {"axis", None}, {"keepdims", false}};
  def_op(m, "sum", ops::sum, over, "Sum over the axes (all by default); bool and integers give int64.");
  def_op(m, "mean", mean, over, "Mean over the axes; NaN when there is nothing to average.");
  def_op(m, "prod", prod, over, "Product over the axes.");
  def_op(m, "max", ops::max, over, "Largest over the axes; NaN wins. Ties share the gradient.");
  def_op(m, "min", ops::min, over, "Smallest over the axes; NaN wins. Ties share the gradient.");
  def_op(m, "any", any, over, "Is anything not 0 over the axes?");
  def_op(m, "all", all, over, "Is everything not 0 over the axes?");
  def_op(m, "logsumexp", logsumexp, over, "log(sum(exp(x))) over the axes, without overflow.");
  const std::vector<Param> spread{"x", {"axis", None}, {"ddof", 0.0}, {"keepdims", false}};
  def_op(m, "var", var, spread, "Mean squared distance from the mean, over n - ddof.");
  def_op(m, "std", ops::std, spread, "Square root of var.");
  def_op(m, "argmax", argmax, over,
         "Position of the first largest along the axis; over the flat array by default.");
  def_op(m, "argmin", argmin, over,
         "Position of the first smallest along the axis; over the flat array by default.");
  def_op(m, "cumsum", pl::cumsum, {"x", {"axis", None}},
         "Running sum along the axis; of the flat array by default.");

  def_op(m, "matmul", matmul, {"x1", "x2"}, "Matrix product, as NumPy's matmul: (..., M, K) @ (..., K, N).");
  def_op(m, "matmul_backward", matmul_backward, {"dy", "x1", "x2"}, "Gradients (dx1, dx2) of matmul.");
  def_op(m, "linear", linear, {"x", "w", {"b", None}, {"activation", None}},
         "activation(x @ w + b): x (..., in), w (in, out), b (out); activation None, 'relu', 'sigmoid' or "
         "'tanh'.");
  def_op(m, "csr_matmul", csr_matmul,
         {"indptr", "indices", "values", "rows", "cols", "x", {"transpose", false}},
         "Sparse times dense. The index arrays must have been checked: use pylearn.CSR.");

  def_op(m, "reshape", reshape, {"x", "shape"}, "The same elements under another shape; one size may be -1.");
  def_op(m, "transpose", transpose, {"x", {"axes", None}},
         "Axes in another order, reversed by default; a view.");
  def_op(m, "expand_dims", expand_dims, {"x", "axis"}, "A new axis of size 1.");
  def_op(m, "squeeze", squeeze, {"x", {"axis", None}}, "Without axes of size 1.");
  def_op(m, "broadcast_to", broadcast_to, {"x", "shape"}, "x repeated to a shape; a view.");
  def_op(m, "concatenate", concatenate, {"xs", {"axis", 0}}, "Joined along an axis.");
  def_op(m, "stack", stack, {"xs", {"axis", 0}}, "Joined along a new axis.");
  def_op(m, "split", pl::split, {"x", "indices_or_sections", {"axis", 0}},
         "Views of equal parts, or cut at positions.");
  def_op(m, "pad", pl::pad, {"x", "pad_width", {"value", 0.0}},
         "A border of a constant: an int, (before, after), or a pair for each dimension.");
  def_op(m, "slice", ops::slice, {"x", "start", "stop", "step"},
         "A view: one start, stop and step for each dimension, clamped to it; with a negative step, stop -1 "
         "is before "
         "the first element.");
  def_op(m, "flip", flip, {"x", {"axis", None}}, "Order reversed along the axes; a view.");
  def_op(m, "take", take, {"x", "indices", {"axis", None}},
         "Elements by position along the axis; IndexError when out of range.");
  def_op(m, "one_hot", one_hot, {"x", "num_classes", {"dtype", "float32"}},
         "Rows with a 1 at the id; ids out of range give zeros.");

  def_op(m, "softmax", softmax, {"x", {"axis", -1}}, "exp(x) / sum(exp(x)) along the axis.");
  def_op(m, "softmax_backward", softmax_backward, {"dy", "y", {"axis", -1}},
         "Gradient of softmax from its output y.");
  def_op(m, "log_softmax", log_softmax, {"x", {"axis", -1}}, "log of softmax, without overflow.");
  def_op(m, "log_softmax_backward", log_softmax_backward, {"dy", "y", {"axis", -1}},
         "Gradient of log_softmax from its output y.");
  def_op(m, "softmax_cross_entropy", softmax_cross_entropy, {"logits", "labels"},
         "-sum(labels * log_softmax(logits)) for each row; labels are integer ids (...,) or rows (..., "
         "classes).");
  def_op(m, "softmax_cross_entropy_backward", softmax_cross_entropy_backward, {"dy", "logits", "labels"},
         "Gradient with respect to logits; dy has one number a row.");
  def_op(m, "binary_cross_entropy", binary_cross_entropy, {"logits", "targets"},
         "max(z, 0) - z t + log(1 + exp(-|z|)), elementwise, from logits z; shapes must agree.");
  def_op(m, "squared_error", squared_error, {"x1", "x2"}, "(x1 - x2)**2; shapes must agree.");
  def_op(m, "absolute_error", absolute_error, {"x1", "x2"}, "|x1 - x2|; shapes must agree.");
  def_op(m, "huber", huber, {"x1", "x2", {"delta", 1.0}},
         "d**2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond; shapes must agree (Huber 1964).");
  def_op(m, "dropout", pl::dropout, {"x", "rate", {"generator", None}},
         "Each element is 0 with probability rate, else divided by 1 - rate.");

  def_op(m, "conv2d", pl::conv2d,
         {"x", "w", {"b", None}, {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"groups", 1}},
         "Convolution of images x (N, H, W, C) with kernels w (KH, KW, C / groups, F).");
  def_op(m, "conv2d_backward", pl::conv2d_backward,
         {"dy", "x", "w", {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"groups", 1}},
         "Gradients (dx, dw, db) of conv2d.");
  def_op(m, "lstm_cell", lstm_cell, {"x", "h", "c", "w", "u", {"b", None}, {"activation", "tanh"}},
         "One LSTM step (h, c): x (B, F), h and c (B, H), w (F, 4H), u (H, 4H), b (4H); gates i, f, c, o.");
  def_op(m, "lstm_cell_backward", lstm_cell_backward,
         {"dh", "dc", "x", "h", "c", "w", "u", {"b", None}, {"activation", "tanh"}},
         "Gradients [dx, dh, dc, dw, du(, db)] of lstm_cell.");
  def_op(m, "sgd_update", sgd_update,
         {Written{"p"},
          "g",
          {"lr", 0.01},
          {"momentum", 0.0},
          {Written{"velocity"}, None},
          {"nesterov", false},
          {"weight_decay", 0.0}},
         "One SGD step on p in place (and on velocity).");
  def_op(m, "adam_update", adam_update,
         {Written{"p"},
          "g",
          Written{"m"},
          Written{"v"},
          "step",
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.999},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0},
          {"decoupled", false}},
         "One Adam step (Kingma & Ba 2014) on p, m and v in place; step counts from 1.");

  def_op(m, "random_draw", random_draw, {"shape", "kind", "low", "high", "dtype", {"generator", None}},
         "Kind 0 uniform, 1 normal, 2 truncated normal; see pylearn.random.");
  def_op(m, "random_integers", random_integers, {"shape", "low", "high", {"generator", None}},
         "Integers in [low, high); see pylearn.random.");
  m.def(
      "make_generator",
      [](py::handle seed) { return ops::make_generator(Call("Generator").integer("seed", seed)); },
      py::arg("seed"));
  m.def("default_generator", &ops::default_generator, "The state that dropout and initializers draw from.");
  m.def(
      "random_seed",
      [](py::handle seed) {
        Tensor g = ops::default_generator();
        auto* words = static_cast<int64_t*>(g.write());
        words[0] = Call("seed").integer("seed", seed);
        words[1] = 0;
      },
      py::arg("seed"), "Restart the default generator.");
}

}  // namespace pl
