// Normalisation: the table of the family. Rows (layer, RMS) in norm_rows.h, channels (batch, group) in
// norm_channels.h.
#include "kernels/norm.h"

#include "kernels/norm_channels.h"
#include "kernels/norm_rows.h"

namespace pl::PL_ISA {
namespace {

void channel_norm(Stream, const ChannelNormArgs& a) {
  if (a.n <= 0 || a.c <= 0) return;
  if (a.dtype == DType::float32) channel_forward<float>(a);
  if (a.dtype == DType::float64) channel_forward<double>(a);
}

void channel_norm_backward(Stream, const ChannelNormBackwardArgs& a) {
  if (a.c <= 0) return;
  if (a.dtype == DType::float32) channel_backward<float>(a);
  if (a.dtype == DType::float64) channel_backward<double>(a);
}

int64_t channel_workspace(int64_t n, int64_t s, int64_t c, DType dtype) {
  if (c <= 0) return 0;
  return dtype == DType::float32 ? ChannelWork<float>::bytes(plan_channels<float>(s, c), n, c)
                                 : ChannelWork<double>::bytes(plan_channels<double>(s, c), n, c);
}

void row_norm(Stream, const RowNormArgs& a) {
  if (a.rows <= 0 || a.n <= 0) return;
  with_activation(a.activation, [&](auto activation) {
    if (a.dtype == DType::float32) row_forward<float, decltype(activation)::value>(a);
    if (a.dtype == DType::float64) row_forward<double, decltype(activation)::value>(a);
  });
}

void row_norm_backward(Stream, const RowNormBackwardArgs& a) {
  if (a.n <= 0) return;
  with_activation(a.activation, [&](auto activation) {
    if (a.dtype == DType::float32) row_backward<float, decltype(activation)::value>(a);
    if (a.dtype == DType::float64) row_backward<double, decltype(activation)::value>(a);
  });
}

int64_t row_workspace(int64_t rows, int64_t n, DType dtype) {
  return plan_rows(rows, n).chunks * 2 * n * static_cast<int64_t>(itemsize(dtype));
}

}  // namespace

extern const NormKernels norm;
const NormKernels norm = {
    .channel_norm = channel_norm,
    .channel_norm_backward = channel_norm_backward,
    .channel_workspace = channel_workspace,
    .row_norm = row_norm,
    .row_norm_backward = row_norm_backward,
    .row_workspace = row_workspace,
};

}  // namespace pl::PL_ISA
