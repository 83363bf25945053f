// Convolutions, and how their padding is read.
#include "bindings/module.h"
#include "bindings/op.h"
#include "bindings/pair.h"
#include "ops/conv.h"

namespace pl {

using ops::Pair;

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

namespace {

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

}  // namespace

void bind_conv(py::module_& m) {
  def_op(m, "conv2d", pl::conv2d,
         {"x", "w", {"b", None}, {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"groups", 1}},
         "Convolution of images x (N, H, W, C) with kernels w (KH, KW, C / groups, F).");
  def_op(m, "conv2d_backward", pl::conv2d_backward,
         {"dy", "x", "w", {"strides", 1}, {"padding", "valid"}, {"dilation", 1}, {"groups", 1}},
         "Gradients (dx, dw, db) of conv2d.");
}

}  // namespace pl
