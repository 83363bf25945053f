// Convolutions, NHWC images and HWIO kernels. One kernel serves all: sequences are images of one row, a depthwise
// convolution has a group for each channel, a transposed one is the input gradient.
#include "ops/conv.h"

#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

// What a convolution is, once checked: the kernel's arguments without the arrays, and the arrays' shapes.
struct Geometry {
  Conv2dArgs args;
  Shape x, w, y;
};

constexpr int64_t kMost = INT32_MAX;  // of a position, so that kernels can add and multiply them freely

void check_range(const char* op, const char* argument, int64_t low, std::initializer_list<Pair> pairs) {
  for (Pair p : pairs)
    for (int64_t v : {p.h, p.w})
      if (v < low || v > kMost)
        raise<ValueError>("[", op, "] argument '", argument, "' must be ", low, " to ", kMost, ", not ", v);
}

// How far a kernel reaches.
int64_t span_of(const char* op, int64_t kernel, int64_t dilation) {
  int64_t span;
  if (__builtin_mul_overflow(std::max<int64_t>(kernel - 1, 0), dilation, &span) || span > kMost)
    raise<ValueError>("[", op, "] argument 'dilation' is too large: ", dilation);
  return span + 1;
}

struct Axis {
  int64_t out, before;
};
// Output size and padding before, along one axis. `same` pads so that out = ceil(size / stride), more at the end;
// `causal` pads before only, so that an output sees no later input.
Axis conv_axis(const char* op, int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
               ConvPad padding, Pair pad) {
  const int64_t span = span_of(op, kernel, dilation);
  if (padding == ConvPad::same) {
    const int64_t out = size / stride + (size % stride != 0);
    const int64_t last = std::max<int64_t>(out - 1, 0) * stride;  // below size
    return {out, std::max<int64_t>(last + span - size, 0) / 2};
  }
  if (padding == ConvPad::causal) pad = {span - 1, 0};
  const int64_t padded = size + pad.h + pad.w;
  if (padded < span)
    raise<ValueError>("[", op, "] argument 'w': a kernel spanning ", span, " does not fit into ", padded,
                      " (with padding)");
  return {(padded - span) / stride + 1, pad.h};
}

// Arrays as the caller gave them, and the kernel's view of their shapes.
struct Operands {
  const char* op;
  const Tensor& x;
  const Tensor& w;
  Shape x4, w4;  // (N, H, W, C), (KH, KW, C / groups, F)
};

void check_arrays(const Operands& v, int ndim, const char* x_layout, const char* w_layout) {
  require_float(v.op, "x", v.x);
  require_same_dtype(v.op, "x", v.x, "w", v.w);
  if (v.x.ndim() != ndim)
    raise<ValueError>("[", v.op, "] argument 'x' must be ", x_layout, ", not ", v.x.shape());
  if (v.w.ndim() != ndim)
    raise<ValueError>("[", v.op, "] argument 'w' must be ", w_layout, ", not ", v.w.shape());
  for (int i = 0; i < ndim - 2; ++i)
    if (v.w.shape(i) < 1) raise<ValueError>("[", v.op, "] argument 'w' has an empty kernel: ", v.w.shape());
}

void check_bias(const char* op, const Tensor& x, const OptTensor& b, int64_t filters) {
  if (!b) return;
  if (!(b->shape() == Shape{filters}))
    raise<ValueError>("[", op, "] argument 'b' has shape ", b->shape(), ", expected ", Shape{filters});
  require_same_dtype(op, "x", x, "b", *b);
}

Geometry geometry(const Operands& v, const Conv2dOptions& o) {
  check_range(v.op, "strides", 1, {o.strides});
  check_range(v.op, "dilation", 1, {o.dilation});
  check_range(v.op, "padding", 0, {o.pad_h, o.pad_w});
  if (o.groups < 1 || v.x4[3] % o.groups != 0 || v.w4[3] % o.groups != 0)
    raise<ValueError>("[", v.op, "] argument 'groups' (", o.groups, ") must divide the channels of 'x' ",
                      v.x.shape(), " and the filters of 'w' ", v.w.shape());
  if (v.x4[3] / o.groups != v.w4[2])
    raise<ValueError>("[", v.op, "] argument 'w' ", v.w.shape(), " expects ", v.w4[2],
                      " channels a group, 'x' ", v.x.shape(), " has ", v.x4[3] / o.groups);
  const Axis h = conv_axis(v.op, v.x4[1], v.w4[0], o.strides.h, o.dilation.h, o.padding, o.pad_h);
  const Axis w = conv_axis(v.op, v.x4[2], v.w4[1], o.strides.w, o.dilation.w, o.padding, o.pad_w);
  Geometry g{{.dtype = v.x.dtype(),
              .pass = ConvPass::forward,
              .activation = o.activation,
              .n = v.x4[0],
              .h = v.x4[1],
              .w = v.x4[2],
              .c = v.x4[3],
              .kh = v.w4[0],
              .kw = v.w4[1],
              .f = v.w4[3],
              .oh = h.out,
              .ow = w.out,
              .stride_h = o.strides.h,
              .stride_w = o.strides.w,
              .dilation_h = o.dilation.h,
              .dilation_w = o.dilation.w,
              .pad_top = h.before,
              .pad_left = w.before,
              .groups = o.groups,
              .x = nullptr,
              .weight = nullptr,
              .bias = nullptr,
              .dy = nullptr,
              .out = nullptr,
              .dbias = nullptr,
              .work = nullptr},
             v.x.shape(),
             v.w.shape(),
             v.x.shape()};
  const int last = v.x.ndim() - 1;
  g.y[last] = g.args.f;
  g.y[last - 1] = g.args.ow;
  if (last == 3) g.y[1] = g.args.oh;
  return g;
}

Geometry geometry_2d(const char* op, const Tensor& x, const Tensor& w, const Conv2dOptions& o) {
  Operands v{op, x, w, x.shape(), w.shape()};
  check_arrays(v, 4, "(N, H, W, C)", "(KH, KW, C/groups, F)");
  return geometry(v, o);
}

void run(const char* name, Conv2dArgs& args) {
  const double work = static_cast<double>(args.n) * static_cast<double>(args.oh) *
                      static_cast<double>(args.ow) * static_cast<double>(args.f) *
                      static_cast<double>(args.kh * args.kw) * static_cast<double>(args.c / args.groups);
  const int64_t bytes = workspace_bytes("conv2d_workspace", kernels().conv.conv2d_workspace, args);
  Tensor workspace;
  if (bytes > 0) {
    workspace = empty({bytes}, DType::uint8);
    args.work = workspace.write();
  }
  launch(name, kernels().conv.conv2d, args, 0.02 * work);
}

OptTensor contiguous_bias(const OptTensor& b) { return b ? OptTensor(contiguous(*b)) : b; }

// Where a gradient is wanted, if a kernel can write there.
Tensor place_for(const Tensor& destination, const Shape& shape, DType dtype) {
  if (destination.defined() && destination.is_contiguous() && destination.dtype() == dtype &&
      destination.shape() == shape)
    return destination;
  return empty(shape, dtype);
}

Tensor input_gradient(const Geometry& g, const Tensor& dy, const Tensor& w, const OptTensor& b,
                      Activation activation, const char* name);
std::tuple<Tensor, Tensor> weight_gradient(const Geometry& g, const Tensor& dy, const Tensor& x,
                                           bool with_bias, const Tensor& dw_place, const Tensor& db_place);

Tensor convolve(const char* op, const Geometry& g, const Tensor& x0, const Tensor& w0, const OptTensor& b0,
                Activation activation) {
  Tensor x = contiguous(x0), w = contiguous(w0);
  OptTensor b = contiguous_bias(b0);
  Tensor y = result(g.y, x.dtype());
  if (y.size() > 0) {
    Conv2dArgs args = g.args;
    args.pass = ConvPass::forward;
    args.activation = activation;
    args.x = x.read();
    args.weight = w.read();
    args.bias = b ? b->read() : nullptr;
    args.out = y.write();
    run("conv2d", args);
  }
  record(op, {x, w, b.value_or(Tensor())}, {y},
         [x = save(x), w = save(w), y = activation == Activation::none ? Saved{} : save_output(y), g,
          activation](Backward& bw) {
           Tensor dz = bw.grad();
           if (activation != Activation::none) dz = activation_grad(dz, bw.get(y), activation);
           if (bw.wants(0))
             bw.set(0, input_gradient(g, dz, bw.get(w), {}, Activation::none, "conv2d_backward_input"));
           if (bw.wants(1)) {
             auto [dw, db] = weight_gradient(g, dz, bw.get(x), bw.wants(2), bw.destination(1),
                                             bw.wants(2) ? bw.destination(2) : Tensor());
             bw.set(1, dw);
             if (bw.wants(2)) bw.set(2, db);
           } else if (bw.wants(2)) {
             bw.set(2, sum_to(dz, {g.args.f}));
           }
         });
  return y;
}

// act(dx + b), dx the gradient of a convolution's input: linear in dy and in w, like the convolution itself.
Tensor input_gradient(const Geometry& g, const Tensor& dy0, const Tensor& w0, const OptTensor& b0,
                      Activation activation, const char* name) {
  Tensor dy = contiguous(dy0), w = contiguous(w0);
  OptTensor b = contiguous_bias(b0);
  Tensor dx = result(g.x, dy.dtype());
  if (dx.size() > 0) {
    Conv2dArgs args = g.args;
    args.pass = ConvPass::input;
    args.activation = activation;
    args.dy = dy.read();
    args.weight = w.read();
    args.bias = b ? b->read() : nullptr;
    args.out = dx.write();
    run("conv2d_backward_input", args);
  }
  record(name, {dy, w, b.value_or(Tensor())}, {dx},
         [dy = save(dy), w = save(w), dx = activation == Activation::none ? Saved{} : save_output(dx), g,
          activation](Backward& bw) {
           Tensor dz = bw.grad();
           if (activation != Activation::none) dz = activation_grad(dz, bw.get(dx), activation);
           if (bw.wants(0)) bw.set(0, convolve("conv2d", g, dz, bw.get(w), {}, Activation::none));
           if (bw.wants(1))
             bw.set(1, std::get<0>(weight_gradient(g, bw.get(dy), dz, false, bw.destination(1), Tensor())));
           if (bw.wants(2)) bw.set(2, sum_to(dz, {g.args.c}));
         });
  return dx;
}

std::tuple<Tensor, Tensor> weight_gradient(const Geometry& g, const Tensor& dy0, const Tensor& x0,
                                           bool with_bias, const Tensor& dw_place, const Tensor& db_place) {
  Tensor dy = contiguous(dy0), x = contiguous(x0);
  Tensor dw = place_for(dw_place, g.w, x.dtype()), db;
  if (with_bias) db = place_for(db_place, {g.args.f}, x.dtype());
  if (g.args.f > 0) {
    Conv2dArgs args = g.args;
    args.pass = ConvPass::weight;
    args.dy = dy.read();
    args.x = x.read();
    args.out = dw.write();
    args.dbias = with_bias ? db.write() : nullptr;
    run("conv2d_backward_weight", args);
  }
  std::vector<Tensor> outputs{dw};
  if (with_bias) outputs.push_back(db);
  record("conv2d_backward_weight", std::vector<Tensor>{dy, x}, outputs,
         [dy = save(dy), x = save(x), g, with_bias](Backward& b) {
           const Tensor ddw = b.grad(0);
           if (b.wants(0)) {
             Tensor ddy;
             if (ddw.defined()) ddy = convolve("conv2d", g, b.get(x), ddw, {}, Activation::none);
             if (with_bias && b.grad(1).defined()) {
               Tensor spread = broadcast_to(b.grad(1), g.y);
               ddy = ddy.defined() ? ddy + spread : spread;
             }
             b.set(0, ddy);
           }
           if (b.wants(1) && ddw.defined())
             b.set(1, input_gradient(g, b.get(dy), ddw, {}, Activation::none, "conv2d_backward_input"));
         });
  return {dw, db};
}

}  // namespace

namespace {
// Several kernels a channel, each for itself: every channel as often as it has kernels, one each, is what the depthwise
// kernel serves.
Tensor one_kernel_each(Geometry& g, const Tensor& x) {
  const int64_t times = g.args.groups == g.args.c && g.args.c > 0 ? g.args.f / g.args.c : 1;
  if (times <= 1 || g.args.c == 1 || x.size() == 0) return x;
  Shape shape = x.shape();
  shape.push_back(times);
  Tensor wide = broadcast_to(expand_dims(x, x.ndim()), shape);
  g.x[x.ndim() - 1] = g.args.c = g.args.groups = g.args.f;
  return reshape(wide, g.x);
}
}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options) {
  Geometry g = geometry_2d("conv2d", x, w, options);
  check_bias("conv2d", x, b, g.args.f);
  const Tensor wide = one_kernel_each(g, x);
  return convolve("conv2d", g, wide, w, b, options.activation);
}

std::tuple<Tensor, Tensor, Tensor> conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                   const Conv2dOptions& options) {
  const Geometry g = geometry_2d("conv2d_backward", x, w, options);
  if (!(dy.shape() == g.y))
    raise<ValueError>("[conv2d_backward] argument 'dy' has shape ", dy.shape(), ", expected ", g.y);
  require_same_dtype("conv2d_backward", "dy", dy, "x", x);
  auto [dw, db] = weight_gradient(g, dy, x, true, {}, {});
  return {input_gradient(g, dy, w, {}, Activation::none, "conv2d_backward_input"), dw, db};
}

Tensor conv1d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options) {
  Operands v{"conv1d", x, w, {}, {}};
  check_arrays(v, 3, "(N, T, C)", "(K, C/groups, F)");
  v.x4 = {x.shape(0), 1, x.shape(1), x.shape(2)};
  v.w4 = {1, w.shape(0), w.shape(1), w.shape(2)};
  Geometry g = geometry(v, options);
  check_bias("conv1d", x, b, g.args.f);
  const Tensor wide = one_kernel_each(g, x);
  return convolve("conv1d", g, wide, w, b, options.activation);
}

Tensor depthwise_conv2d(const Tensor& x, const Tensor& w, const OptTensor& b, const Conv2dOptions& options) {
  Operands v{"depthwise_conv2d", x, w, x.shape(), {}};
  check_arrays(v, 4, "(N, H, W, C)", "(KH, KW, C, multiplier)");
  if (w.shape(2) != x.shape(3))
    raise<ValueError>("[depthwise_conv2d] argument 'w' ", w.shape(), " expects ", w.shape(2),
                      " channels, 'x' ", x.shape(), " has ", x.shape(3));
  int64_t filters;
  if (__builtin_mul_overflow(w.shape(2), w.shape(3), &filters))
    raise<ValueError>("[depthwise_conv2d] argument 'w' is too large: ", w.shape());
  v.w4 = {w.shape(0), w.shape(1), 1, filters};
  Conv2dOptions grouped = options;
  grouped.groups = std::max<int64_t>(x.shape(3), 1);
  if (x.shape(3) == 0) v.w4[2] = 0;
  Geometry g = geometry(v, grouped);
  check_bias("depthwise_conv2d", x, b, filters);
  const Tensor wide = one_kernel_each(g, x);
  return convolve("depthwise_conv2d", g, wide, w, b, options.activation);
}

namespace {

// Keras' sizes: without output_padding, as large as the convolution's input can be small: "same" size * stride, "valid"
// the span of all windows. With it, (size - 1) stride + span - 2 pad + output_padding, pad = span / 2 for "same".
Axis transpose_axis(const char* op, int64_t size, int64_t kernel, int64_t stride, int64_t dilation, bool same,
                    std::optional<int64_t> extra) {
  const int64_t span = span_of(op, kernel, dilation);
  int64_t moved;
  if (__builtin_mul_overflow(size, stride, &moved) || moved > kMost)
    raise<ValueError>("[", op, "] argument 'strides' is too large: ", stride);
  if (!extra) {
    const int64_t beyond = std::max<int64_t>(span - stride, 0);
    if (same) return {moved, beyond / 2};
    return {size > 0 ? moved + beyond : 0, 0};
  }
  if (*extra < 0 || *extra >= stride)
    raise<ValueError>("[", op, "] argument 'output_padding' must be 0 to ", stride - 1,
                      " (less than the stride), not ", *extra);
  const int64_t pad = same ? span / 2 : 0;
  return {size > 0 ? std::max<int64_t>(moved - stride + span - 2 * pad + *extra, 0) : 0, pad};
}

// The convolution of which this is the adjoint: its output is x, its input the result.
Geometry transpose_geometry(const Operands& v, const TransposeOptions& o) {
  check_range(v.op, "strides", 1, {o.strides});
  check_range(v.op, "dilation", 1, {o.dilation});
  if (v.x4[3] != v.w4[3])
    raise<ValueError>("[", v.op, "] argument 'w' ", v.w.shape(), " expects ", v.w4[3], " channels, 'x' ",
                      v.x.shape(), " has ", v.x4[3]);
  std::optional<int64_t> extra_h, extra_w;
  if (o.output_padding) extra_h = o.output_padding->h, extra_w = o.output_padding->w;
  if (v.x.ndim() == 3 && extra_h) extra_h = 0;
  const Axis h = transpose_axis(v.op, v.x4[1], v.w4[0], o.strides.h, o.dilation.h, o.same, extra_h);
  const Axis w = transpose_axis(v.op, v.x4[2], v.w4[1], o.strides.w, o.dilation.w, o.same, extra_w);
  Geometry g{{.dtype = v.x.dtype(),
              .pass = ConvPass::input,
              .activation = o.activation,
              .n = v.x4[0],
              .h = h.out,
              .w = w.out,
              .c = v.w4[2],
              .kh = v.w4[0],
              .kw = v.w4[1],
              .f = v.w4[3],
              .oh = v.x4[1],
              .ow = v.x4[2],
              .stride_h = o.strides.h,
              .stride_w = o.strides.w,
              .dilation_h = o.dilation.h,
              .dilation_w = o.dilation.w,
              .pad_top = h.before,
              .pad_left = w.before,
              .groups = 1,
              .x = nullptr,
              .weight = nullptr,
              .bias = nullptr,
              .dy = nullptr,
              .out = nullptr,
              .dbias = nullptr,
              .work = nullptr},
             v.x.shape(),
             v.w.shape(),
             v.x.shape()};
  const int last = v.x.ndim() - 1;
  g.x[last] = g.args.c;
  g.x[last - 1] = g.args.w;
  if (last == 3) g.x[1] = g.args.h;
  check_size(v.op, "strides", g.x, v.x.dtype());
  return g;
}

}  // namespace

Tensor conv2d_transpose(const Tensor& x, const Tensor& w, const OptTensor& b,
                        const TransposeOptions& options) {
  const char* op = "conv2d_transpose";
  Operands v{op, x, w, x.shape(), w.shape()};
  check_arrays(v, 4, "(N, H, W, C)", "(KH, KW, F, C)");
  const Geometry g = transpose_geometry(v, options);
  check_bias(op, x, b, g.args.c);
  return input_gradient(g, x, w, b, options.activation, op);
}

Tensor conv1d_transpose(const Tensor& x, const Tensor& w, const OptTensor& b,
                        const TransposeOptions& options) {
  const char* op = "conv1d_transpose";
  Operands v{op, x, w, {}, {}};
  check_arrays(v, 3, "(N, T, C)", "(K, F, C)");
  v.x4 = {x.shape(0), 1, x.shape(1), x.shape(2)};
  v.w4 = {1, w.shape(0), w.shape(1), w.shape(2)};
  const Geometry g = transpose_geometry(v, options);
  check_bias(op, x, b, g.args.c);
  return input_gradient(g, x, w, b, options.activation, op);
}

}  // namespace pl::ops
