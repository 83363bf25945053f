// Images of another size. Output o reads x at (o + 1/2) size / out - 1/2 (half-pixel centres, as Keras and torch with
// align_corners=False).
#include "ops/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/resize.h"
#include "ops/common.h"

namespace pl::ops {
namespace {

// The tables of one axis.
struct Axis {
  int64_t size, out;
  Tensor taps, first;

  Axis(int64_t size, int64_t out, bool nearest) : size(size), out(out) {
    taps = empty_host({out * static_cast<int64_t>(sizeof(ResizeTap))}, DType::uint8);
    first = empty_host({size + 1}, DType::int64);
    auto* tap = reinterpret_cast<ResizeTap*>(taps.impl()->data);
    auto* begin = reinterpret_cast<int64_t*>(first.impl()->data);
    double scale = static_cast<double>(size) / static_cast<double>(out);
    int64_t i = 0;
    for (int64_t o = 0; o < out; ++o) {
      if (nearest) {
        int64_t place = (2 * o + 1) * size / (2 * out);
        tap[o] = {place, place, 0};
      } else {
        double place = std::max((static_cast<double>(o) + 0.5) * scale - 0.5, 0.0);
        int64_t low = std::min(static_cast<int64_t>(place), size - 1);
        tap[o] = {low, std::min(low + 1, size - 1), place - static_cast<double>(low)};
      }
      while (i <= tap[o].low) begin[i++] = o;
    }
    while (i <= size) begin[i++] = out;
    taps = here(taps);
    first = here(first);
  }
  ResizeAxis args() const {
    return {.size = size,
            .out = out,
            .taps = static_cast<const ResizeTap*>(taps.read()),
            .first = first.read<int64_t>()};
  }
};

Tensor resize(const char* op, const Tensor& x0, const Axis& h, const Axis& w, bool nearest);

Tensor resize_backward(const Tensor& dy0, const Axis& h, const Axis& w, bool nearest) {
  Tensor dy = contiguous(dy0), dx = empty({dy.shape(0), h.size, w.size, dy.shape(3)}, dy.dtype());
  if (dx.size() > 0) {
    ResizeArgs args{.dtype = dy.dtype(),
                    .nearest = nearest,
                    .n = dy.shape(0),
                    .c = dy.shape(3),
                    .h = h.args(),
                    .w = w.args(),
                    .in = dy.read(),
                    .out = dx.write()};
    launch("resize_backward", kernels().resize.resize_backward, args,
           static_cast<double>(dy.size() + dx.size()));
  }
  record("resize_backward", {dy}, {dx},
         [=](Backward& b) { b.set(0, resize("resize2d", b.grad(), h, w, nearest)); });
  return dx;
}

Tensor resize(const char* op, const Tensor& x0, const Axis& h, const Axis& w, bool nearest) {
  Tensor x = contiguous(x0), y = result({x.shape(0), h.out, w.out, x.shape(3)}, x.dtype());
  if (y.size() > 0) {
    ResizeArgs args{.dtype = x.dtype(),
                    .nearest = nearest,
                    .n = x.shape(0),
                    .c = x.shape(3),
                    .h = h.args(),
                    .w = w.args(),
                    .in = x.read(),
                    .out = y.write()};
    launch("resize", kernels().resize.resize, args, static_cast<double>(y.size()));
  }
  record(op, {x}, {y}, [=](Backward& b) { b.set(0, resize_backward(b.grad(), h, w, nearest)); });
  return y;
}

// x resized by `size` or to it; what is wrong is told in the caller's terms.
Tensor resized(const char* op, const Tensor& x, Pair size, bool factors, const std::string& interpolation) {
  require_float(op, "x", x);
  if (x.ndim() != 4) raise<ValueError>("[", op, "] argument 'x' must be (N, H, W, C), not ", x.shape());
  if (interpolation != "nearest" && interpolation != "bilinear")
    raise<ValueError>("[", op, "] argument 'interpolation' must be 'nearest' or 'bilinear', not '",
                      interpolation, "'");
  Shape shape = x.shape();
  int64_t wanted[2] = {size.h, size.w};
  for (int i = 0; i < 2; ++i) {
    if (wanted[i] < (factors ? 1 : 0))
      raise<ValueError>("[", op, "] argument 'size' must be at least ", factors ? 1 : 0, ", not ", wanted[i]);
    if (factors && __builtin_mul_overflow(wanted[i], shape[1 + i], &wanted[i]))
      raise<ValueError>("[", op, "] argument 'size' is too large: ", factors ? size.h : wanted[i]);
    if (!factors && shape[1 + i] == 0 && wanted[i] > 0)
      raise<ValueError>("[", op, "] argument 'x' has no pixels to resize: ", x.shape());
    if (wanted[i] > INT32_MAX)  // positions are multiplied
      raise<ValueError>("[", op, "] argument 'size' is too large: an axis of ", wanted[i]);
    shape[1 + i] = wanted[i];
  }
  check_size(op, "size", shape, x.dtype());
  count(shape);
  bool nearest = interpolation == "nearest";
  return resize(op, x, Axis(x.shape(1), wanted[0], nearest), Axis(x.shape(2), wanted[1], nearest), nearest);
}

}  // namespace

Tensor resize2d(const Tensor& x, Pair size, const std::string& interpolation) {
  return resized("resize2d", x, size, false, interpolation);
}

Tensor upsample2d(const Tensor& x, Pair size, const std::string& interpolation) {
  return resized("upsample2d", x, size, true, interpolation);
}

Tensor upsample1d(const Tensor& x, int64_t size) {
  require_float("upsample1d", "x", x);
  if (x.ndim() != 3) raise<ValueError>("[upsample1d] argument 'x' must be (N, T, C), not ", x.shape());
  return squeeze(resized("upsample1d", expand_dims(x, 1), {1, size}, true, "nearest"), Axes{1});
}

Tensor pixel_shuffle(const Tensor& x, int64_t factor) {
  if (x.ndim() != 4) raise<ValueError>("[pixel_shuffle] argument 'x' must be (N, H, W, C), not ", x.shape());
  int64_t n = x.shape(0), h = x.shape(1), w = x.shape(2), c = x.shape(3);
  if (factor < 1 || factor > INT16_MAX || c % (factor * factor) != 0)
    raise<ValueError>("[pixel_shuffle] argument 'factor': the square of ", factor, " must divide the ", c,
                      " channels of 'x'");
  int64_t depth = c / (factor * factor);
  Tensor parts = transpose(reshape(x, {n, h, w, factor, factor, depth}), Axes{0, 1, 3, 2, 4, 5});
  return reshape(parts, {n, h * factor, w * factor, depth});
}

Tensor pixel_unshuffle(const Tensor& x, int64_t factor) {
  if (x.ndim() != 4)
    raise<ValueError>("[pixel_unshuffle] argument 'x' must be (N, H, W, C), not ", x.shape());
  int64_t n = x.shape(0), h = x.shape(1), w = x.shape(2), c = x.shape(3);
  if (factor < 1 || factor > INT16_MAX || h % factor != 0 || w % factor != 0)
    raise<ValueError>("[pixel_unshuffle] argument 'factor': ", factor,
                      " must divide height and width of 'x' ", x.shape());
  Tensor parts =
      transpose(reshape(x, {n, h / factor, factor, w / factor, factor, c}), Axes{0, 1, 3, 2, 4, 5});
  return reshape(parts, {n, h / factor, w / factor, factor * factor * c});
}

}  // namespace pl::ops
