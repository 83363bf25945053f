// Two-dimensional convolution, NHWC images and HWIO kernels.
#include "ops/conv.h"

#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

struct Axis {
  int64_t out, before;
};
// Output size and padding before, along one axis. `same` pads so that out = ceil(size / stride), more at the end.
Axis conv_axis(const char* op, int64_t size, int64_t kernel, int64_t stride, int64_t dilation, bool same,
               Pair pad) {
  int64_t span;
  if (__builtin_mul_overflow(kernel - 1, dilation, &span) || __builtin_add_overflow(span, 1, &span))
    raise<ValueError>("[", op, "] argument 'dilation' is too large: ", dilation);
  if (same) {
    int64_t out = size / stride + (size % stride != 0), last;
    if (__builtin_mul_overflow(std::max<int64_t>(out - 1, 0), stride, &last) ||
        __builtin_add_overflow(last, span, &last))
      raise<ValueError>("[", op, "] argument 'dilation' is too large: ", dilation);
    int64_t total = std::max<int64_t>(last - size, 0);
    return {out, total / 2};
  }
  int64_t padded = size + pad.h + pad.w;
  if (padded < span)
    raise<ValueError>("[", op, "] argument 'w': a kernel spanning ", span, " does not fit into ", padded,
                      " (with padding)");
  return {(padded - span) / stride + 1, pad.h};
}

Conv2dArgs geometry(const char* op, const Tensor& x, const Tensor& w, const Conv2dOptions& o) {
  require_float(op, "x", x);
  require_same_dtype(op, "x", x, "w", w);
  if (x.ndim() != 4) raise<ValueError>("[", op, "] argument 'x' must be (N, H, W, C), not ", x.shape());
  if (w.ndim() != 4)
    raise<ValueError>("[", op, "] argument 'w' must be (KH, KW, C/groups, F), not ", w.shape());
  constexpr int64_t most = INT32_MAX;  // so that kernels can add and multiply positions freely
  for (int64_t s : {o.strides.h, o.strides.w})
    if (s < 1 || s > most)
      raise<ValueError>("[", op, "] argument 'strides' must be 1 to ", most, ", not ", s);
  for (int64_t d : {o.dilation.h, o.dilation.w})
    if (d < 1 || d > most)
      raise<ValueError>("[", op, "] argument 'dilation' must be 1 to ", most, ", not ", d);
  for (int64_t p : {o.pad_h.h, o.pad_h.w, o.pad_w.h, o.pad_w.w})
    if (p < 0 || p > most)
      raise<ValueError>("[", op, "] argument 'padding' must be 0 to ", most, ", not ", p);
  if (w.shape(0) < 1 || w.shape(1) < 1)
    raise<ValueError>("[", op, "] argument 'w' has an empty kernel: ", w.shape());
  if (o.groups < 1 || x.shape(3) % o.groups != 0 || w.shape(3) % o.groups != 0)
    raise<ValueError>("[", op, "] argument 'groups' (", o.groups, ") must divide the channels of 'x' ",
                      x.shape(), " and the filters of 'w' ", w.shape());
  if (x.shape(3) / o.groups != w.shape(2))
    raise<ValueError>("[", op, "] argument 'w' ", w.shape(), " expects ", w.shape(2),
                      " channels a group, 'x' ", x.shape(), " has ", x.shape(3) / o.groups);
  Axis h = conv_axis(op, x.shape(1), w.shape(0), o.strides.h, o.dilation.h, o.same, o.pad_h);
  Axis v = conv_axis(op, x.shape(2), w.shape(1), o.strides.w, o.dilation.w, o.same, o.pad_w);
  return {.dtype = x.dtype(),
          .n = x.shape(0),
          .h = x.shape(1),
          .w = x.shape(2),
          .c = x.shape(3),
          .kh = w.shape(0),
          .kw = w.shape(1),
          .f = w.shape(3),
          .oh = h.out,
          .ow = v.out,
          .stride_h = o.strides.h,
          .stride_w = o.strides.w,
          .dilation_h = o.dilation.h,
          .dilation_w = o.dilation.w,
          .pad_top = h.before,
          .pad_left = v.before,
          .groups = o.groups,
          .x = nullptr,
          .weight = nullptr,
          .bias = nullptr,
          .dy = nullptr,
          .out = nullptr};
}

double cost(const Conv2dArgs& a) {
  return 0.1 * static_cast<double>(a.n) * static_cast<double>(a.oh) * static_cast<double>(a.ow) *
         static_cast<double>(a.f) * static_cast<double>(a.kh * a.kw) * static_cast<double>(a.c / a.groups);
}

}  // namespace

Tensor conv2d(const Tensor& x0, const Tensor& w0, const OptTensor& b0, const Conv2dOptions& options) {
  Conv2dArgs args = geometry("conv2d", x0, w0, options);
  if (b0 && !(b0->shape() == Shape{args.f}))
    raise<ValueError>("[conv2d] argument 'b' has shape ", b0->shape(), ", expected ", Shape{args.f});
  if (b0) require_same_dtype("conv2d", "x", x0, "b", *b0);
  Tensor x = contiguous(x0), w = contiguous(w0);
  OptTensor b;
  if (b0) b = contiguous(*b0);
  Tensor y = result({args.n, args.oh, args.ow, args.f}, x.dtype());
  if (y.size() > 0) {
    args.x = x.read();
    args.weight = w.read();
    args.bias = b ? b->read() : nullptr;
    args.out = y.write();
    launch("conv2d", kernels().conv.conv2d, args, cost(args));
  }
  record("conv2d", {x, w, b.value_or(Tensor())}, {y}, [x = save(x), w = save(w), options](Backward& bw) {
    auto [dx, dw, db] = conv2d_backward(bw.grad(), bw.get(x), bw.get(w), options);
    bw.set(0, dx);
    bw.set(1, dw);
    bw.set(2, db);
  });
  return y;
}

namespace {
Tensor backward_input(const Tensor& dy0, const Tensor& x, const Tensor& w0, const Conv2dOptions& options) {
  Conv2dArgs args = geometry("conv2d_backward", x, w0, options);
  Tensor dy = contiguous(dy0), w = contiguous(w0), dx = empty(x.shape(), x.dtype());
  if (dx.size() > 0) {
    args.dy = dy.read();
    args.weight = w.read();
    args.out = dx.write();
    launch("conv2d_backward_input", kernels().conv.conv2d_backward_input, args, cost(args));
  }
  record("conv2d_backward_input", {dy, w}, {dx}, [dy = save(dy), w = save(w), x, options](Backward& b) {
    // dx is linear in dy and in w, like the convolution itself
    if (b.wants(0)) b.set(0, conv2d(b.grad(), b.get(w), {}, options));
    if (b.wants(1)) b.set(1, std::get<1>(conv2d_backward(b.get(dy), b.grad(), b.get(w), options)));
  });
  return dx;
}

Tensor backward_weight(const Tensor& dy0, const Tensor& x0, const Tensor& w, const Conv2dOptions& options) {
  Conv2dArgs args = geometry("conv2d_backward", x0, w, options);
  Tensor dy = contiguous(dy0), x = contiguous(x0), dw = empty(w.shape(), w.dtype());
  if (dw.size() > 0) {
    args.dy = dy.read();
    args.x = x.read();
    args.out = dw.write();
    launch("conv2d_backward_weight", kernels().conv.conv2d_backward_weight, args, cost(args));
  }
  record("conv2d_backward_weight", {dy, x}, {dw}, [dy = save(dy), x = save(x), options](Backward& b) {
    if (b.wants(0)) b.set(0, conv2d(b.get(x), b.grad(), {}, options));
    if (b.wants(1)) b.set(1, std::get<0>(conv2d_backward(b.get(dy), b.get(x), b.grad(), options)));
  });
  return dw;
}
}  // namespace

std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   const Conv2dOptions& options) {
  Conv2dArgs args = geometry("conv2d_backward", x, w, options);
  Shape expected{args.n, args.oh, args.ow, args.f};
  if (!(dy.shape() == expected))
    raise<ValueError>("[conv2d_backward] argument 'dy' has shape ", dy.shape(), ", expected ", expected);
  require_same_dtype("conv2d_backward", "dy", dy, "x", x);
  return {backward_input(dy, x, w, options), backward_weight(dy, x, w, options), sum(dy, Axes{0, 1, 2})};
}

}  // namespace pl::ops
