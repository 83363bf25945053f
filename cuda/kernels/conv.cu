// Two-dimensional convolution: which kernel serves which shape. Formulas in conv.h, the kernels in conv_*.cuh.
#include "kernels/conv.h"

#include "kernels/conv_direct.cuh"

namespace pl::cuda {
namespace {

enum class Path : uint8_t { product, depthwise, direct };
enum class Cut : uint8_t { m128n128, m128n64, m128n32, m64n64, m256n8, m32n64 };  // the tile of a product

struct Plan {
  Path path;
  Cut cut;
  int64_t slices;  // of what is summed; each has a copy of the result in the workspace when there are several
  int64_t
      slice_size;  // panels of kDepth, output pixels (weight), or rows of outputs (weight, not by products)
};

constexpr int64_t kBlocks = 132;            // fewer leave part of the machine idle
constexpr int64_t kCopiesBytes = 64 << 20;  // of all copies
constexpr int64_t kMaxSlices = 1024;

constexpr int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t parts_of(int64_t n, int64_t part) { return (n + part - 1) / part; }

// `size` of something, cut into at most `wanted` slices of whole multiples of `unit`, whose copies fit.
void cut_slices(Plan& plan, int64_t size, int64_t wanted, int64_t unit, int64_t copy_bytes) {
  const int64_t most = at_most(kMaxSlices, kCopiesBytes / at_least(1, copy_bytes));
  const int64_t slices = at_least(1, at_most(wanted, most));
  plan.slice_size = at_least(1, parts_of(parts_of(size, slices), unit)) * unit;
  plan.slices = at_least(1, parts_of(size, plan.slice_size));
}

// Positions, and what is counted by int or by a grid, are small enough.
bool is_small(const Conv2dArgs& a) {
  constexpr int64_t most = 1 << 30;
  const auto axis = [](int64_t size, int64_t out, int64_t taps, int64_t stride, int64_t dilation,
                       int64_t pad) {
    return at_least(at_least(size, out), at_least(pad, stride)) < most &&
           out * stride + taps * dilation < most;
  };
  const int64_t rows = at_least(a.n * a.h * a.w, a.n * a.oh * a.ow);
  return axis(a.h, a.oh, a.kh, a.stride_h, a.dilation_h, a.pad_top) &&
         axis(a.w, a.ow, a.kw, a.stride_w, a.dilation_w, a.pad_left) && a.c < most && a.f < most &&
         at_least(a.c, a.f) / a.groups * a.kh * a.kw < most && a.groups < 65536 &&
         rows / 64 * parts_of(at_least(a.c, a.f), 8) < most;
}

Plan plan_weight(const Conv2dArgs& a, bool small) {
  const int64_t channels = a.c / a.groups, filters = a.f / a.groups, rows = a.kh * a.kw * channels;
  const int64_t bytes = weight_copy(a) * static_cast<int64_t>(itemsize(a.dtype));
  // By tiles of which at least a quarter is used.
  const bool product = small && (a.groups == 1 || (filters >= 16 && rows >= 16));
  Plan plan{product ? Path::product : Path::direct, Cut::m128n128, 1, 0};
  if (!product) {
    const int64_t threads = rows * a.f + a.f, wanted = parts_of(kBlocks * 1024, threads);
    cut_slices(plan, a.n * a.oh, wanted, 1, bytes);
    return plan;
  }
  const bool wide = a.dtype == DType::float32;  // doubles take twice the registers
  int64_t m = 128, n = 128;
  if (rows <= 32)
    plan.cut = Cut::m32n64, m = 32, n = 64;
  else if (!wide)
    plan.cut = Cut::m64n64, m = 64, n = 64;
  else if (filters <= 32)
    plan.cut = Cut::m128n32, n = 32;
  else if (filters <= 64)
    plan.cut = Cut::m128n64, n = 64;
  const int64_t tiles = at_least(1, parts_of(rows, m)) * parts_of(filters, n) * a.groups;
  // Slices of 256 pixels at least: below that, adding the copies costs as much as it saves.
  const int64_t pixels = a.n * a.oh * a.ow, wanted = at_most(parts_of(2 * kBlocks, tiles), pixels / 256);
  cut_slices(plan, pixels, wanted, kDepth, bytes);
  return plan;
}

Plan plan_window(const Conv2dArgs& a, bool small) {
  const bool forward = a.pass == ConvPass::forward;
  const int64_t phases =
      forward ? 1 : at_most(a.stride_h, at_least(1, a.h)) * at_most(a.stride_w, at_least(1, a.w));
  const int64_t filters = (forward ? a.f : a.c) / a.groups, channels = (forward ? a.c : a.f) / a.groups;
  const int64_t pixels = forward ? a.n * a.oh * a.ow : a.n * a.h * a.w;
  Plan plan{Path::product, Cut::m128n128, 1, int64_t{1} << 40};
  if (!small || phases > 64) return plan.path = Path::direct, plan;
  if (is_depthwise(a)) return plan.path = Path::depthwise, plan;
  if (a.groups > 1 && filters <= 2) return plan.path = Path::direct, plan;

  const bool wide = a.dtype == DType::float32;
  const auto tiles = [&](int64_t m, int64_t n) {
    return parts_of(parts_of(pixels, phases), m) * phases * parts_of(filters, n) * a.groups;
  };
  int64_t blocks = tiles(64, 64);
  if (filters <= 8)
    plan.cut = Cut::m256n8, blocks = tiles(256, 8);
  else if (wide && filters <= 32)
    plan.cut = Cut::m128n32, blocks = tiles(128, 32);
  else if (wide && filters > 64 && tiles(128, 128) >= kBlocks)
    plan.cut = Cut::m128n128, blocks = tiles(128, 128);
  else if (wide && filters <= 64 && tiles(128, 64) >= kBlocks)
    plan.cut = Cut::m128n64, blocks = tiles(128, 64);
  else
    plan.cut = Cut::m64n64;
  // Few tiles share out the sums, in slices of 128 terms at least.
  if (blocks >= kBlocks) return plan;
  const int64_t taps =
      forward ? a.kh * a.kw : parts_of(a.kh, row_phase(a, 0).step) * parts_of(a.kw, column_phase(a, 0).step);
  const int64_t steps = parts_of(taps * channels, kDepth);
  const int64_t wanted = at_most(at_most(2 * kBlocks / at_least(1, blocks), steps / (128 / kDepth)), 32);
  const int64_t size = forward ? a.f : a.c;
  if (wanted > 1) cut_slices(plan, steps, wanted, 1, pixels * size * static_cast<int64_t>(itemsize(a.dtype)));
  if (plan.slices == 1) plan.slice_size = int64_t{1} << 40;
  return plan;
}

// From the shapes only, so that a shape has the same bits everywhere.
Plan plan_of(const Conv2dArgs& a) {
  return a.pass == ConvPass::weight ? plan_weight(a, is_small(a)) : plan_window(a, is_small(a));
}

// -- running a plan --------------------------------------------------------------------------------------------------

// f(Tile<T, ...>{}) for the cuts that exist of T.
template <class T, class F>
void with_tile(Cut cut, F&& f) {
  if constexpr (sizeof(T) == 4) {
    if (cut == Cut::m128n128) return f(Tile<T, 128, 128, 8, 8>{});
    if (cut == Cut::m128n64) return f(Tile<T, 128, 64, 8, 8>{});
    if (cut == Cut::m128n32) return f(Tile<T, 128, 32, 8, 4>{});
  }
  f(Tile<T, 64, 64, 8, 4>{});
}

template <class T>
void run_window(Stream stream, const Conv2dArgs& a) {
  const Plan plan = plan_of(a);
  const auto run = [&](auto tile) {
    run_product<decltype(tile)>(stream, a, static_cast<int>(plan.slices), plan.slice_size);
  };
  if (plan.path == Path::depthwise) return run_depthwise<T>(stream, a);
  if (plan.path == Path::direct)
    return a.pass == ConvPass::forward ? run_direct_forward<T>(stream, a) : run_direct_input<T>(stream, a);
  if (plan.cut == Cut::m256n8) return run(Tile<T, 256, 8, 4, 4>{});
  with_tile<T>(plan.cut, run);
}

template <class T>
void run_weight(Stream stream, const Conv2dArgs& a) {
  const Plan plan = plan_of(a);
  const auto run = [&](auto tile) {
    run_weight_product<decltype(tile)>(stream, a, plan.slices, plan.slice_size);
  };
  if (plan.path == Path::direct) return run_direct_weight<T>(stream, a, plan.slices, plan.slice_size);
  if (plan.cut == Cut::m32n64) return run(Tile<T, 32, 64, 4, 4>{});
  with_tile<T>(plan.cut, run);
}

void conv2d(Stream stream, const Conv2dArgs& a) {
  with_float(a.dtype, [&](auto t) {
    using T = decltype(t);
    if (a.pass == ConvPass::weight) {
      if (a.f > 0) run_weight<T>(stream, a);
    } else if ((a.pass == ConvPass::forward ? a.n * a.oh * a.ow * a.f : a.n * a.h * a.w * a.c) > 0) {
      run_window<T>(stream, a);
    }
  });
}

int64_t conv2d_workspace(const Conv2dArgs& a) {
  const Plan plan = plan_of(a);
  if (plan.slices == 1) return 0;
  const int64_t copy = a.pass == ConvPass::weight    ? weight_copy(a)
                       : a.pass == ConvPass::forward ? a.n * a.oh * a.ow * a.f
                                                     : a.n * a.h * a.w * a.c;
  return plan.slices * copy * static_cast<int64_t>(itemsize(a.dtype));
}

}  // namespace

extern const ConvKernels conv;
const ConvKernels conv = {
    .conv2d = conv2d,
    .conv2d_workspace = conv2d_workspace,
};

}  // namespace pl::cuda
