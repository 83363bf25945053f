// Recurrences; formulas in rnn.h, layout and parallel axis in rnn_steps.h.
#include "kernels/rnn.h"

#include "kernels/rnn_backward.h"
#include "kernels/rnn_forward.h"

namespace pl::PL_ISA {
namespace {

template <class Layout, class Args>
int64_t bytes(const Args& a, int64_t size) {
  const Layout layout(a);
  return (layout.packed + tasks_of(a.s.batch) * layout.scratch) * size;
}

void forward(Stream, const RnnArgs& a) {
  if (a.s.dtype == DType::float32) Forward<float>(a).run();
  if (a.s.dtype == DType::float64) Forward<double>(a).run();
}
void backward(Stream, const RnnBackwardArgs& a) {
  if (a.s.dtype == DType::float32) BackwardPass<float>(a).run();
  if (a.s.dtype == DType::float64) BackwardPass<double>(a).run();
}
int64_t forward_workspace(const RnnArgs& a) {
  return a.s.dtype == DType::float32 ? bytes<ForwardLayout<float>>(a, sizeof(float))
                                   : bytes<ForwardLayout<double>>(a, sizeof(double));
}
int64_t backward_workspace(const RnnBackwardArgs& a) {
  return a.s.dtype == DType::float32 ? bytes<BackwardLayout<float>>(a, sizeof(float))
                                   : bytes<BackwardLayout<double>>(a, sizeof(double));
}

}  // namespace

extern const RnnKernels rnn;
const RnnKernels rnn = {
    .forward = forward,
    .backward = backward,
    .forward_workspace = forward_workspace,
    .backward_workspace = backward_workspace,
};

}  // namespace pl::PL_ISA
