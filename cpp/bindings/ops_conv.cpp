// Convolutions, and how their padding is read.
#include "bindings/module.h"
#include "bindings/op.h"
#include "bindings/pair.h"
#include "ops/conv.h"

namespace pl {

using ops::Pair;

// padding of a convolution: "valid", "same", an int, or ((top, bottom), (left, right))
struct Padding {
  ops::ConvPad kind = ops::ConvPad::given;
  Pair h{0, 0}, w{0, 0};
};
// along one axis: "valid", "same", "causal", an int, or (before, after)
struct Padding1d {
  ops::ConvPad kind = ops::ConvPad::given;
  Pair pad{0, 0};
};
// one of two words
struct SameOrValid {
  bool same = false;
};

namespace {
// Is it text, and which one?
bool named(Call& c, const char* what, py::handle h, bool causal, ops::ConvPad& kind) {
  if (!PyUnicode_Check(h.ptr())) return false;
  const std::string s = c.text(what, h);
  if (s == "same")
    kind = ops::ConvPad::same;
  else if (s == "causal" && causal)
    kind = ops::ConvPad::causal;
  else if (s != "valid")
    raise<ValueError>("[", c.op, "] argument '", what, "' must be 'valid', 'same', ",
                      causal ? "'causal', an integer or a pair" : "an integer or two pairs", ", not '", s,
                      "'");
  return true;
}
// A number, also as an array without dimensions?
bool is_number(py::handle h) {
  if (PySequence_Check(h.ptr()) && PySequence_Size(h.ptr()) >= 0) return false;
  PyErr_Clear();
  return true;
}
}  // namespace

template <>
struct From<Padding> {
  static Padding get(Call& c, const char* what, py::handle h) {
    Padding p;
    if (named(c, what, h, false, p.kind)) return p;
    if (is_number(h)) {
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

template <>
struct From<Padding1d> {
  static Padding1d get(Call& c, const char* what, py::handle h) {
    Padding1d p;
    if (!named(c, what, h, true, p.kind)) p.pad = From<Pair>::get(c, what, h);
    return p;
  }
};

template <>
struct From<SameOrValid> {
  static SameOrValid get(Call& c, const char* what, py::handle h) {
    const std::string s = c.text(what, h);
    if (s != "same" && s != "valid")
      raise<ValueError>("[", c.op, "] argument '", what, "' must be 'valid' or 'same', not '", s, "'");
    return {s == "same"};
  }
};

template <>
struct From<std::optional<Pair>> {
  static std::optional<Pair> get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return From<Pair>::get(c, what, h);
  }
};

namespace {

ops::Conv2dOptions options(Pair strides, const Padding& padding, Pair dilation, int64_t groups,
                           Activation activation) {
  return {.strides = strides,
          .dilation = dilation,
          .padding = padding.kind,
          .pad_h = padding.h,
          .pad_w = padding.w,
          .groups = groups,
          .activation = activation};
}
Tensor conv2d(const Tensor& x, const Tensor& w, const ops::OptTensor& b, Pair strides, const Padding& padding,
              Pair dilation, int64_t groups, Activation activation) {
  return ops::conv2d(x, w, b, options(strides, padding, dilation, groups, activation));
}
std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   Pair strides, const Padding& padding, Pair dilation,
                                                   int64_t groups) {
  return ops::conv2d_backward(dy, x, w, options(strides, padding, dilation, groups, Activation::none));
}
Tensor conv1d(const Tensor& x, const Tensor& w, const ops::OptTensor& b, int64_t stride,
              const Padding1d& padding, int64_t dilation, int64_t groups, Activation activation) {
  return ops::conv1d(
      x, w, b, options({1, stride}, {padding.kind, {0, 0}, padding.pad}, {1, dilation}, groups, activation));
}
Tensor depthwise_conv2d(const Tensor& x, const Tensor& w, const ops::OptTensor& b, Pair strides,
                        const Padding& padding, Pair dilation, Activation activation) {
  return ops::depthwise_conv2d(x, w, b, options(strides, padding, dilation, 1, activation));
}
Tensor conv2d_transpose(const Tensor& x, const Tensor& w, const ops::OptTensor& b, Pair strides,
                        const SameOrValid& padding, const std::optional<Pair>& output_padding, Pair dilation,
                        Activation activation) {
  return ops::conv2d_transpose(x, w, b, {strides, dilation, padding.same, output_padding, activation});
}
Tensor conv1d_transpose(const Tensor& x, const Tensor& w, const ops::OptTensor& b, int64_t stride,
                        const SameOrValid& padding, std::optional<int64_t> output_padding, int64_t dilation,
                        Activation activation) {
  std::optional<Pair> extra;
  if (output_padding) extra = Pair{0, *output_padding};
  return ops::conv1d_transpose(x, w, b, {{1, stride}, {1, dilation}, padding.same, extra, activation});
}

}  // namespace

void bind_conv(py::module_& m) {
  const std::vector<Param> convolution{"x",
                                       "w",
                                       {"b", None},
                                       {"strides", 1},
                                       {"padding", "valid"},
                                       {"dilation", 1},
                                       {"groups", 1},
                                       {"activation", None}};
  const std::vector<Param> transposed{"x",
                                      "w",
                                      {"b", None},
                                      {"strides", 1},
                                      {"padding", "valid"},
                                      {"output_padding", None},
                                      {"dilation", 1},
                                      {"activation", None}};
  def_op(m, "conv2d", pl::conv2d, convolution,
         "activation(convolution + b) of images x (N, H, W, C) with kernels w (KH, KW, C / groups, F). "
         "padding is "
         "'valid', 'same', an integer or ((top, bottom), (left, right)); activation None, 'relu', 'sigmoid' "
         "or 'tanh'.");
  def_op(m, "conv2d_backward", pl::conv2d_backward,
         {"dy", "x", "w", {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"groups", 1}},
         "Gradients (dx, dw, db) of conv2d without activation.");
  def_op(m, "conv1d", pl::conv1d, convolution,
         "activation(convolution + b) of sequences x (N, T, C) with kernels w (K, C / groups, F). padding is "
         "'valid', "
         "'same', 'causal', an integer or (before, after).");
  def_op(m, "depthwise_conv2d", pl::depthwise_conv2d,
         {"x", "w", {"b", None}, {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"activation", None}},
         "conv2d of each channel by itself: w (KH, KW, C, multiplier), output channel c * multiplier + m.");
  def_op(m, "conv2d_transpose", pl::conv2d_transpose, transposed,
         "activation(transposed convolution + b), the adjoint of conv2d: x (N, H, W, C), w (KH, KW, F, C). "
         "The output "
         "has H * strides rows for padding 'same', and max(KH - strides, 0) more for 'valid'.");
  def_op(m, "conv1d_transpose", pl::conv1d_transpose, transposed,
         "The adjoint of conv1d: x (N, T, C), w (K, F, C).");
}

}  // namespace pl
