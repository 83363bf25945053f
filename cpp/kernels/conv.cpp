// Two-dimensional convolution: which kernel serves which shape. Formulas in conv.h, the kernels in conv_*.h.
#include "kernels/conv.h"

#include "kernels/conv_depthwise.h"
#include "kernels/conv_patches.h"
#include "kernels/conv_weight.h"
#include "kernels/conv_window.h"
#include "kernels/conv_winograd.h"

namespace pl::PL_ISA {
namespace {

enum class Path { direct, patches, winograd, depthwise };

// By measured cost, from the shape only.
template <class T>
Path path_of(const Conv2dArgs& a) {
  if (is_depthwise(a)) return Path::depthwise;
  if (a.pass == ConvPass::input && input_by_parts<T>(a)) return Path::patches;
  if (a.pass == ConvPass::weight && few_channels<T>(a)) return Path::patches;
  if (winograd_serves<T>(a)) return Path::winograd;
  return Path::direct;
}

template <class T>
void run_forward(const Conv2dArgs& a, Path path) {
  if (path == Path::depthwise) return depthwise_forward<T>(a);
  if (path == Path::winograd) return winograd_forward<T>(a);
  forward<T>(a);
}
template <class T>
void run_input(const Conv2dArgs& a, Path path) {
  if (path == Path::depthwise) return depthwise_input<T>(a);
  if (path == Path::patches) return backward_input_by_parts<T>(a);
  if (path == Path::winograd) return winograd_input<T>(a);
  backward_input<T>(a);
}
template <class T>
void run_weight(const Conv2dArgs& a, Path path) {
  if (path == Path::depthwise) return depthwise_weight<T>(a);
  if (path == Path::winograd) return winograd_weight<T>(a);
  backward_weight<T>(a);  // patches too
}
template <class T>
void run(const Conv2dArgs& a) {
  switch (a.pass) {
    case ConvPass::forward: return run_forward<T>(a, path_of<T>(a));
    case ConvPass::input: return run_input<T>(a, path_of<T>(a));
    case ConvPass::weight: return run_weight<T>(a, path_of<T>(a));
  }
}
void conv2d(Stream, const Conv2dArgs& a) {
  if (a.dtype == DType::float32) run<float>(a);
  if (a.dtype == DType::float64) run<double>(a);
}

template <class T>
int64_t workspace(const Conv2dArgs& a) {  // elements
  const Path path = path_of<T>(a);
  switch (a.pass) {
    case ConvPass::forward: return path == Path::winograd ? winograd_weights_size<T>(a.c, a.f) : 0;
    case ConvPass::input:
      if (path == Path::patches) return a.f * part_size<T>(a);
      return turned_size<T>(a) + (path == Path::winograd ? winograd_weights_size<T>(a.f, a.c) : 0);
    case ConvPass::weight:
      if (path == Path::depthwise) return depthwise_weight_size<T>(a);
      return path == Path::winograd ? winograd_weight_size<T>(a) : weight_workspace<T>(a);
  }
  return 0;
}
int64_t conv2d_workspace(const Conv2dArgs& a) {
  return a.dtype == DType::float32 ? workspace<float>(a) * 4 : workspace<double>(a) * 8;
}

}  // namespace

extern const ConvKernels conv;
const ConvKernels conv = {
    .conv2d = conv2d,
    .conv2d_workspace = conv2d_workspace,
};

}  // namespace pl::PL_ISA
