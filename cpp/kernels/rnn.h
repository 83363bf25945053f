// The LSTM cell's pointwise part; its two matrix products are gemm's. Gate order i, f, c, o (Keras).
#pragma once
#include "core/device.h"
#include "core/dtype.h"
#include "kernels/linalg.h"

namespace pl {

// z (B,4H) = x W + h U + b, before the gates. i,f,o = sigmoid(z), g = act(z); c' = f c + i g; h' = o act(c')
struct LstmCellArgs {
  DType dtype;
  Activation activation;
  int64_t batch, hidden;
  const void* z;  // (B,4H)
  const void* c;  // (B,H)
  void* gates;    // (B,4H) the activated i, f, g, o, kept for the backward pass
  void* h_out;    // (B,H)
  void* c_out;    // (B,H)
};

// dz and dc from dh', dc' (either may be null: zero) and what the forward pass kept.
struct LstmCellBackwardArgs {
  DType dtype;
  Activation activation;
  int64_t batch, hidden;
  const void* gates;   // (B,4H)
  const void* c;       // (B,H)
  const void* c_out;   // (B,H)
  const void* dh_out;  // (B,H)
  const void* dc_out;  // (B,H)
  void* dz;            // (B,4H)
  void* dc;            // (B,H)
};

struct RnnKernels {
  void (*lstm_cell)(Stream, const LstmCellArgs&);
  void (*lstm_cell_backward)(Stream, const LstmCellBackwardArgs&);
};

}  // namespace pl
