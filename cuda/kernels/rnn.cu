// Recurrences; formulas in rnn.h, the product and how the work is cut in rnn_product.cuh. The input's product for all
// steps is one gemm in front, whoever asks for it.
//
// Where the grid's shared memory holds U, the recurrence is one launch: a block has the part of U that its units need
// there for all the steps, and the blocks tell each other their states through the second-level cache, with a barrier of
// the grid behind each step. Else each step is a launch of the same kernel.
#include "kernels/rnn.h"

#include "kernels/linalg.h"
#include "kernels/rnn_backward.cuh"
#include "kernels/rnn_forward.cuh"

namespace pl::cuda {

extern const LinalgKernels linalg;

namespace {

// f(std::integral_constant of the cell)
template <class F>
void with_cell(RnnCell cell, const F& f) {
  using R = RnnCell;
  switch (cell) {
    case R::simple: return f(std::integral_constant<R, R::simple>{});
    case R::lstm: return f(std::integral_constant<R, R::lstm>{});
    case R::gru: return f(std::integral_constant<R, R::gru>{});
    case R::gru_reset_first: return f(std::integral_constant<R, R::gru_reset_first>{});
  }
}
// f(T{}, cell)
template <class F>
void with_types(const RnnShape& s, const F& f) {
  with_float(s.dtype, [&](auto zero) { with_cell(s.cell, [&](auto cell) { f(zero, cell); }); });
}

bool empty(const RnnShape& s) { return s.batch <= 0 || s.steps <= 0 || s.hidden <= 0; }

void forward(Stream stream, const RnnArgs& a) {
  if (empty(a.s)) return;
  with_types(a.s, [&](auto zero, auto cell) {
    using T = decltype(zero);
    if (a.x) linalg.gemm(stream, projection(a, ForwardWork<T>(a)));
    run_phases(stream, forward_kernel<T, cell()>, a, forward_plan<T, cell()>(a.s));
  });
}
void backward(Stream stream, const RnnBackwardArgs& a) {
  if (empty(a.s)) return;
  with_types(a.s, [&](auto zero, auto cell) {
    using T = decltype(zero);
    run_phases(stream, backward_kernel<T, cell()>, a, backward_plan<T, cell()>(a));
    const int64_t rows = a.s.batch * a.s.steps, wide = gates_of(a.s.cell) * a.s.hidden;
    T* const strips = BackwardWork<T>(a).strips;
    sum_rows(stream, a.dz, rows, wide, strips, a.db);
    if (a.dzu) sum_rows(stream, a.dzu, rows, wide, strips, a.dbu);
  });
}

int64_t forward_workspace(const RnnArgs& a) {
  int64_t bytes = 0;
  with_types(a.s, [&](auto zero, auto) {
    using T = decltype(zero);
    const ForwardWork<T> work(a);
    bytes = work.count * static_cast<int64_t>(sizeof(T));
    if (a.x) bytes += linalg.gemm_workspace(projection(a, work));
  });
  return bytes;
}
int64_t backward_workspace(const RnnBackwardArgs& a) {
  int64_t bytes = 0;
  with_types(a.s, [&](auto zero, auto) {
    using T = decltype(zero);
    bytes = BackwardWork<T>(a).count * static_cast<int64_t>(sizeof(T));
  });
  return bytes;
}

}  // namespace

extern const RnnKernels rnn;
const RnnKernels rnn = {
    .forward = forward,
    .backward = backward,
    .forward_workspace = forward_workspace,
    .backward_workspace = backward_workspace,
};

}  // namespace pl::cuda
