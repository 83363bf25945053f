// Pooling. The gradient of a maximum goes to the first largest element of its window; a NaN is the largest.
#include "ops/pool.h"

#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

constexpr int64_t kMost = INT32_MAX;  // so that kernels can add and multiply positions freely

// The windows along one axis. `same` gives ceil(size / stride) of them, the odd padding at the end, as convolutions.
PoolAxis strided_axis(const char* op, int64_t size, int64_t kernel, int64_t stride, bool same, Pair pad) {
  if (kernel < 1 || kernel > kMost)
    raise<ValueError>("[", op, "] argument 'pool_size' must be 1 to ", kMost, ", not ", kernel);
  if (stride < 1 || stride > kMost)
    raise<ValueError>("[", op, "] argument 'strides' must be 1 to ", kMost, ", not ", stride);
  PoolAxis a{.size = size, .out = 0, .kernel = kernel, .stride = stride, .before = 0, .adaptive = false};
  if (same) {
    a.out = size / stride + (size % stride != 0);
    a.before = std::max<int64_t>(std::max<int64_t>(a.out - 1, 0) * stride + kernel - size, 0) / 2;
    return a;
  }
  for (int64_t p : {pad.h, pad.w})
    if (p < 0 || p >= kernel)
      raise<ValueError>("[", op, "] argument 'padding' must be 0 to ", kernel - 1,
                        ", less than the pool_size, so that every window meets the image, not ", p);
  if (size + pad.h + pad.w < kernel)
    raise<ValueError>("[", op, "] argument 'pool_size' (", kernel, ") is larger than axis of size ", size,
                      " with its padding");
  a.out = (size + pad.h + pad.w - kernel) / stride + 1;
  a.before = pad.h;
  return a;
}

PoolAxis adaptive_axis(const char* op, int64_t size, int64_t out) {
  if (out < 0) raise<ValueError>("[", op, "] argument 'output_size' is negative: ", out);
  if (size < 1) raise<ValueError>("[", op, "] argument 'x' has nothing to pool along an axis of size 0");
  if (size > kMost || out > kMost)
    raise<ValueError>("[", op, "] argument 'output_size' is too large: ", out, " of ", size);
  // floor(o size / out) to ceil((o + 1) size / out): at most two positions more than size / out rounded down
  int64_t longest = out == 0 ? 1 : std::min(size, size / out + (size % out == 0 ? 0 : 2));
  return {.size = size, .out = out, .kernel = longest, .stride = 0, .before = 0, .adaptive = true};
}

// Arguments without addresses.
PoolArgs geometry(const char* op, const Tensor& x, const PoolAxis& h, const PoolAxis& w) {
  int64_t places;
  bool large = __builtin_mul_overflow(h.kernel, w.kernel, &places) || places > kMost;
  if (large) raise<ValueError>("[", op, "] argument 'pool_size': a window has more than ", kMost, " places");
  Shape y{x.shape(0), h.out, w.out, x.shape(3)};
  check_size(op, h.adaptive ? "output_size" : "x", y, x.dtype());
  return {.dtype = x.dtype(),
          .offset_dtype = places <= 256 ? DType::uint8 : DType::int32,
          .n = x.shape(0),
          .c = x.shape(3),
          .h = h,
          .w = w,
          .in = nullptr,
          .offsets = nullptr,
          .out = nullptr};
}

Shape pooled(const PoolArgs& a) { return {a.n, a.h.out, a.w.out, a.c}; }
Shape image(const PoolArgs& a) { return {a.n, a.h.size, a.w.size, a.c}; }

// About the nanoseconds of one thread: each element is read (or written) once for each window that holds it.
double cost(const PoolArgs& a, double windows) {
  return 0.2 * windows * static_cast<double>(a.n * a.c) *
         std::max(static_cast<double>(a.h.out * a.w.out) * static_cast<double>(a.h.kernel * a.w.kernel),
                  static_cast<double>(a.h.size * a.w.size));
}

Tensor max_gather(const Tensor& x0, const Tensor& offsets, PoolArgs args);

// The gradient of max_pool, whose transpose is the gather.
Tensor max_scatter(const Tensor& dy0, const Tensor& offsets, PoolArgs args) {
  Tensor dy = contiguous(dy0), dx = empty(image(args), args.dtype);
  if (dx.size() > 0) {
    args.in = dy.read();
    args.offsets = const_cast<void*>(offsets.read());
    args.out = dx.write();
    launch("max_pool_backward", kernels().pool.max_pool_backward, args, cost(args, 1));
  }
  record("max_pool_backward", {dy}, {dx},
         [=](Backward& b) { b.set(0, max_gather(b.grad(), offsets, args)); });
  return dx;
}

Tensor max_gather(const Tensor& x0, const Tensor& offsets, PoolArgs args) {
  Tensor x = contiguous(x0), y = empty(pooled(args), args.dtype);
  if (y.size() > 0) {
    args.in = x.read();
    args.offsets = const_cast<void*>(offsets.read());
    args.out = y.write();
    launch("max_pool_gather", kernels().pool.max_pool_gather, args, static_cast<double>(y.size()));
  }
  record("max_pool_gather", {x}, {y}, [=](Backward& b) { b.set(0, max_scatter(b.grad(), offsets, args)); });
  return y;
}

Tensor max_pool(const char* op, const Tensor& x0, const PoolAxis& h, const PoolAxis& w) {
  PoolArgs args = geometry(op, x0, h, w);
  Tensor x = contiguous(x0), y = result(pooled(args), x.dtype()), offsets;
  if (needs_grad(x0)) offsets = empty(y.shape(), args.offset_dtype);
  if (y.size() > 0) {
    args.in = x.read();
    args.offsets = offsets ? offsets.write() : nullptr;
    args.out = y.write();
    launch("max_pool", kernels().pool.max_pool, args, cost(args, 1));
  }
  record(op, {x}, {y}, [=](Backward& b) { b.set(0, max_scatter(b.grad(), offsets, args)); });
  return y;
}

Tensor avg_pool(const char* op, const Tensor& x0, const PoolAxis& h, const PoolAxis& w);

Tensor avg_backward(const Tensor& dy0, PoolArgs args) {
  Tensor dy = contiguous(dy0), dx = empty(image(args), args.dtype);
  if (dx.size() > 0) {
    args.in = dy.read();
    args.out = dx.write();
    launch("avg_pool_backward", kernels().pool.avg_pool_backward, args, cost(args, 1));
  }
  record("avg_pool_backward", {dy}, {dx},
         [=](Backward& b) { b.set(0, avg_pool("avg_pool", b.grad(), args.h, args.w)); });
  return dx;
}

Tensor avg_pool(const char* op, const Tensor& x0, const PoolAxis& h, const PoolAxis& w) {
  PoolArgs args = geometry(op, x0, h, w);
  Tensor x = contiguous(x0), y = result(pooled(args), x.dtype());
  if (y.size() > 0) {
    args.in = x.read();
    args.out = y.write();
    launch("avg_pool", kernels().pool.avg_pool, args, cost(args, 1));
  }
  record(op, {x}, {y}, [=](Backward& b) { b.set(0, avg_backward(b.grad(), args)); });
  return y;
}

using Pool = Tensor (*)(const char*, const Tensor&, const PoolAxis&, const PoolAxis&);

void check_images(const char* op, const Tensor& x) {
  require_float(op, "x", x);
  if (x.ndim() != 4) raise<ValueError>("[", op, "] argument 'x' must be (N, H, W, C), not ", x.shape());
}
// A sequence is an image of one row.
Tensor as_images(const char* op, const Tensor& x) {
  require_float(op, "x", x);
  if (x.ndim() != 3) raise<ValueError>("[", op, "] argument 'x' must be (N, T, C), not ", x.shape());
  return expand_dims(x, 1);
}

Tensor pool2d(const char* op, Pool pool, const Tensor& x, const PoolOptions& o) {
  check_images(op, x);
  Pair strides = o.strides.value_or(o.size);
  return pool(op, x, strided_axis(op, x.shape(1), o.size.h, strides.h, o.same, o.pad_h),
              strided_axis(op, x.shape(2), o.size.w, strides.w, o.same, o.pad_w));
}
Tensor pool1d(const char* op, Pool pool, const Tensor& x, const PoolOptions& o) {
  Tensor images = as_images(op, x);
  return squeeze(pool(op, images, strided_axis(op, 1, 1, 1, false, {0, 0}),
                      strided_axis(op, x.shape(1), o.size.w, o.strides.value_or(o.size).w, o.same, o.pad_w)),
                 Axes{1});
}
Tensor adaptive(const char* op, Pool pool, const Tensor& x, Pair size) {
  check_images(op, x);
  return pool(op, x, adaptive_axis(op, x.shape(1), size.h), adaptive_axis(op, x.shape(2), size.w));
}
Tensor global2d(const char* op, Pool pool, const Tensor& x, bool keepdims) {
  Tensor y = adaptive(op, pool, x, {1, 1});
  return keepdims ? y : squeeze(y, Axes{1, 2});
}
Tensor global1d(const char* op, Pool pool, const Tensor& x, bool keepdims) {
  Tensor y = squeeze(adaptive(op, pool, as_images(op, x), {1, 1}), Axes{1});
  return keepdims ? y : squeeze(y, Axes{1});
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& o) { return pool2d("max_pool2d", max_pool, x, o); }
Tensor max_pool1d(const Tensor& x, const PoolOptions& o) { return pool1d("max_pool1d", max_pool, x, o); }
Tensor avg_pool2d(const Tensor& x, const PoolOptions& o) { return pool2d("avg_pool2d", avg_pool, x, o); }
Tensor avg_pool1d(const Tensor& x, const PoolOptions& o) { return pool1d("avg_pool1d", avg_pool, x, o); }
Tensor adaptive_max_pool2d(const Tensor& x, Pair size) {
  return adaptive("adaptive_max_pool2d", max_pool, x, size);
}
Tensor adaptive_avg_pool2d(const Tensor& x, Pair size) {
  return adaptive("adaptive_avg_pool2d", avg_pool, x, size);
}
Tensor global_max_pool2d(const Tensor& x, bool keep) {
  return global2d("global_max_pool2d", max_pool, x, keep);
}
Tensor global_max_pool1d(const Tensor& x, bool keep) {
  return global1d("global_max_pool1d", max_pool, x, keep);
}
Tensor global_avg_pool2d(const Tensor& x, bool keep) {
  return global2d("global_avg_pool2d", avg_pool, x, keep);
}
Tensor global_avg_pool1d(const Tensor& x, bool keep) {
  return global1d("global_avg_pool1d", avg_pool, x, keep);
}

}  // namespace pl::ops
