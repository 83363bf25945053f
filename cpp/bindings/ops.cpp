// Reductions, matrix products, layout and indexing, and how their own kinds of argument are read.
#include "bindings/module.h"
#include "bindings/op.h"
#include "bindings/pair.h"

namespace pl {

using ops::Pair;

// pad_width: an int, (before, after), or one pair for each dimension
struct PadWidth {
  py::object given;
};
template <>
struct From<PadWidth> {
  static PadWidth get(Call&, const char*, py::handle h) { return {py::reinterpret_borrow<py::object>(h)}; }
};

// pad's mode
struct PadMode {
  std::string name;
};
template <>
struct From<PadMode> {
  static PadMode get(Call& c, const char* what, py::handle h) { return {c.text(what, h)}; }
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

namespace {

Tensor pad(const Tensor& x, const PadWidth& width, double value, const PadMode& mode) {
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
  return ops::pad(x, pairs, value, mode.name);
}

std::vector<Tensor> split(const Tensor& x, const Cuts& cuts, int64_t axis) {
  return ops::split(x, cuts.values, cuts.sections, axis);
}

Tensor linear(const Tensor& x, const Tensor& w, const ops::OptTensor& b, AnyActivation activation,
              const ops::OptTensor& residual) {
  return ops::linear(x, w, b, activation, residual);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> linear_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                           const Tensor& y, AnyActivation activation) {
  return ops::linear_backward(dy, x, w, y, activation);
}

Tensor cumsum(const Tensor& x, std::optional<int64_t> axis) { return ops::cumsum(x, axis); }

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
  def_op(m, "matmul_bf16", matmul_bf16, {"x1", "x2"},
         "matmul of float32 arrays, rounded to bfloat16 (to nearest, ties to even) and summed in float32; "
         "the gradients "
         "are such products too.");
  def_op(m, "gram", gram, {"x"},
         "Products of x's columns with each other, x' x: (..., N, K) to (..., K, K), symmetric to the last "
         "bit.");
  def_op(m, "matmul_backward", matmul_backward, {"dy", "x1", "x2"}, "Gradients (dx1, dx2) of matmul.");
  def_op(m, "linear", pl::linear, {"x", "w", {"b", None}, {"activation", None}, {"residual", None}},
         "activation(x @ w + b + residual): x (..., in), w (in, out), b (out), residual (..., out). "
         "Activations: "
         "None, 'relu', 'sigmoid', 'tanh', 'leaky_relu' (slope 0.2), 'elu', 'selu', 'softplus', 'gelu', "
         "'gelu_tanh', "
         "'silu'.");
  def_op(m, "linear_backward", pl::linear_backward, {"dy", "x", "w", "y", {"activation", None}},
         "Gradients (dx, dw, db, dz) of linear; dz is that of x @ w + b + residual. y is linear's output, or "
         "for "
         "'gelu', 'gelu_tanh' and 'silu' what the activation was applied to.");
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
  def_op(m, "pad", pl::pad, {"x", "pad_width", {"value", 0.0}, {"mode", "constant"}},
         "A border: an int, (before, after), or a pair for each dimension. Of a constant, or of x: mode "
         "'reflect', "
         "'symmetric', 'edge' or 'wrap'.");
  def_op(m, "slice", ops::slice, {"x", "start", "stop", "step"},
         "A view: one start, stop and step for each dimension, clamped to it; with a negative step, stop -1 "
         "is before "
         "the first element.");
  def_op(m, "flip", flip, {"x", {"axis", None}}, "Order reversed along the axes; a view.");
  def_op(m, "take", take, {"x", "indices", {"axis", None}},
         "Elements by position along the axis; IndexError when out of range.");
  def_op(m, "one_hot", one_hot, {"x", "num_classes", {"dtype", "float32"}},
         "Rows with a 1 at the id; IndexError when one is out of range.");
}

}  // namespace pl
