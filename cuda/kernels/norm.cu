// Normalisation: the table of the family. Rows (layer, RMS) in norm_rows.cuh, channels (batch, group, instance) in
// norm_channels.cuh: formulas, layouts and block sizes stand there.
#include "kernels/norm.h"

#include "kernels/norm_channels.cuh"
#include "kernels/norm_rows.cuh"

namespace pl::cuda {
namespace {

void channel_norm(Stream stream, const ChannelNormArgs& a) {
  if (a.n > 0 && a.c > 0) channel_norm_forward(stream, a);
}

void channel_norm_backward(Stream stream, const ChannelNormBackwardArgs& a) {
  if (a.c > 0) channel_norm_backward_pass(stream, a);
}

int64_t channel_workspace(int64_t n, int64_t s, int64_t c, DType dtype) {
  return c > 0 ? channel_norm_workspace(n, s, c, dtype) : 0;
}

void row_norm(Stream stream, const RowNormArgs& a) {
  if (a.rows > 0 && a.n > 0) row_norm_forward(stream, a);
}

void row_norm_backward(Stream stream, const RowNormBackwardArgs& a) {
  if (a.n > 0) row_norm_backward_pass(stream, a);
}

int64_t row_workspace(int64_t rows, int64_t n, DType dtype) {
  return n > 0 ? row_norm_workspace(rows, n, dtype) : 0;
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

}  // namespace pl::cuda
