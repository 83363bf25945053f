// Pooling.
#include "bindings/module.h"
#include "bindings/op.h"
#include "bindings/pair.h"
#include "ops/pool.h"

namespace pl {

using ops::Pair;

template <>
struct From<std::optional<Pair>> {
  static std::optional<Pair> get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return From<Pair>::get(c, what, h);
  }
};

// padding of a pool: "valid", "same", an int, or before and after: a pair for a sequence, two for an image
struct PoolPadding {
  py::object given;
};
template <>
struct From<PoolPadding> {
  static PoolPadding get(Call&, const char*, py::handle h) { return {py::reinterpret_borrow<py::object>(h)}; }
};

namespace {

ops::PoolOptions options(const char* op, int axes, Pair size, const std::optional<Pair>& strides,
                         const PoolPadding& padding) {
  Call c(op);
  ops::PoolOptions o{.size = size, .strides = strides, .same = false, .pad_h = {0, 0}, .pad_w = {0, 0}};
  py::handle h = padding.given;
  if (PyUnicode_Check(h.ptr())) {
    std::string s = c.text("padding", h);
    if (s != "same" && s != "valid")
      raise<ValueError>("[", op, "] argument 'padding' must be 'valid', 'same', an integer or ",
                        axes == 1 ? "(before, after)" : "two pairs", ", not '", s, "'");
    o.same = s == "same";
  } else if (!PySequence_Check(h.ptr()) || PySequence_Size(h.ptr()) < 0) {  // a number, also as an array
    PyErr_Clear();
    int64_t v = c.integer("padding", h);
    o.pad_h = o.pad_w = {v, v};
  } else if (axes == 1) {
    o.pad_w = From<Pair>::get(c, "padding", h);
  } else {
    py::sequence s = py::reinterpret_borrow<py::sequence>(h);
    if (s.size() != 2) raise<ValueError>("[", op, "] argument 'padding' must be two pairs, not ", s.size());
    o.pad_h = From<Pair>::get(c, "padding", py::object(s[0]));
    o.pad_w = From<Pair>::get(c, "padding", py::object(s[1]));
  }
  return o;
}

Tensor max_pool2d(const Tensor& x, Pair size, std::optional<Pair> strides, const PoolPadding& padding) {
  return ops::max_pool2d(x, options("max_pool2d", 2, size, strides, padding));
}
Tensor avg_pool2d(const Tensor& x, Pair size, std::optional<Pair> strides, const PoolPadding& padding) {
  return ops::avg_pool2d(x, options("avg_pool2d", 2, size, strides, padding));
}
std::optional<Pair> both(std::optional<int64_t> v) {
  if (!v) return {};
  return Pair{*v, *v};
}
Tensor max_pool1d(const Tensor& x, int64_t size, std::optional<int64_t> strides, const PoolPadding& padding) {
  return ops::max_pool1d(x, options("max_pool1d", 1, {size, size}, both(strides), padding));
}
Tensor avg_pool1d(const Tensor& x, int64_t size, std::optional<int64_t> strides, const PoolPadding& padding) {
  return ops::avg_pool1d(x, options("avg_pool1d", 1, {size, size}, both(strides), padding));
}

}  // namespace

void bind_pool(py::module_& m) {
  const std::vector<Param> windows{"x", {"pool_size", 2}, {"strides", None}, {"padding", "valid"}};
  def_op(m, "max_pool2d", pl::max_pool2d, windows,
         "Largest of each window of images (N, H, W, C); its first place takes the gradient.");
  def_op(m, "max_pool1d", pl::max_pool1d, windows,
         "Largest of each window of sequences (N, T, C); its first place takes the gradient.");
  def_op(m, "avg_pool2d", pl::avg_pool2d, windows,
         "Mean of each window of images (N, H, W, C), over what is in the image.");
  def_op(m, "avg_pool1d", pl::avg_pool1d, windows,
         "Mean of each window of sequences (N, T, C), over what is in the sequence.");
  def_op(m, "adaptive_max_pool2d", ops::adaptive_max_pool2d, {"x", "output_size"},
         "Largest of windows chosen so that images (N, H, W, C) become (N, *output_size, C).");
  def_op(m, "adaptive_avg_pool2d", ops::adaptive_avg_pool2d, {"x", "output_size"},
         "Mean of windows chosen so that images (N, H, W, C) become (N, *output_size, C).");
  const std::vector<Param> whole{"x", {"keepdims", false}};
  def_op(m, "global_max_pool2d", ops::global_max_pool2d, whole, "Largest of each channel of each image.");
  def_op(m, "global_max_pool1d", ops::global_max_pool1d, whole, "Largest of each channel over time.");
  def_op(m, "global_avg_pool2d", ops::global_avg_pool2d, whole, "Mean of each channel of each image.");
  def_op(m, "global_avg_pool1d", ops::global_avg_pool1d, whole, "Mean of each channel over time.");
}

}  // namespace pl
