// Two-dimensional convolution: which kernel serves which shape. Formulas in conv.h, the kernels in conv_*.h.
#include "kernels/conv.h"

#include "kernels/conv_weight.h"
#include "kernels/conv_window.h"

namespace pl::PL_ISA {
namespace {

template <class T>
void run(const Conv2dArgs& a) {
  switch (a.pass) {
    case ConvPass::forward: return forward<T>(a);
    case ConvPass::input: return backward_input<T>(a);
    case ConvPass::weight: return backward_weight<T>(a);
  }
}
void conv2d(Stream, const Conv2dArgs& a) {
  if (a.dtype == DType::float32) run<float>(a);
  if (a.dtype == DType::float64) run<double>(a);
}

template <class T>
int64_t workspace(const Conv2dArgs& a) {
  switch (a.pass) {
    case ConvPass::forward: return 0;
    case ConvPass::input: return turned_size<T>(a) * int64_t{sizeof(T)};
    case ConvPass::weight: return weight_workspace<T>(a) * int64_t{sizeof(T)};
  }
  return 0;
}
int64_t conv2d_workspace(const Conv2dArgs& a) {
  return a.dtype == DType::float32 ? workspace<float>(a) : workspace<double>(a);
}

}  // namespace

extern const ConvKernels conv;
const ConvKernels conv = {
    .conv2d = conv2d,
    .conv2d_workspace = conv2d_workspace,
};

}  // namespace pl::PL_ISA
