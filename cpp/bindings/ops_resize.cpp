// Images of another size.
#include "bindings/module.h"
#include "bindings/op.h"
#include "bindings/pair.h"
#include "ops/resize.h"

namespace pl {

struct Interpolation {
  std::string name;
};
template <>
struct From<Interpolation> {
  static Interpolation get(Call& c, const char* what, py::handle h) { return {c.text(what, h)}; }
};

namespace {

Tensor resize2d(const Tensor& x, ops::Pair size, const Interpolation& how) {
  return ops::resize2d(x, size, how.name);
}
Tensor upsample2d(const Tensor& x, ops::Pair size, const Interpolation& how) {
  return ops::upsample2d(x, size, how.name);
}

}  // namespace

void bind_resize(py::module_& m) {
  def_op(m, "resize2d", pl::resize2d, {"x", "size", {"interpolation", "bilinear"}},
         "Images (N, H, W, C) resized to `size`, 'bilinear' or 'nearest', half-pixel centres.");
  def_op(m, "upsample2d", pl::upsample2d, {"x", {"size", 2}, {"interpolation", "nearest"}},
         "Images (N, H, W, C) enlarged `size` times: 'nearest' repeats pixels, 'bilinear' blends them.");
  def_op(m, "upsample1d", ops::upsample1d, {"x", {"size", 2}},
         "Sequences (N, T, C) with each step repeated `size` times.");
  def_op(m, "pixel_shuffle", ops::pixel_shuffle, {"x", "factor"},
         "Channels to space: (N, H, W, f f C) gives (N, f H, f W, C).");
  def_op(m, "pixel_unshuffle", ops::pixel_unshuffle, {"x", "factor"},
         "Space to channels, the inverse of pixel_shuffle: (N, f H, f W, C) gives (N, H, W, f f C).");
}

}  // namespace pl
