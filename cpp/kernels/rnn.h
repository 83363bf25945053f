// Recurrences over a whole sequence: the part that runs step by step. The gradients of the input and of the weights are
// single calls of gemm behind it; so is z = x W + b before it, unless there are rows enough to compute it on the way.
//
//   z_t = x_t W + b, a the activation, r the recurrent one; gates are named in the order of their columns (Keras)
//   simple           h' = a(z + h U)
//   lstm             i,f,o = r(z + h U), g = a(z + h U);  c' = f c + i g;  h' = o a(c')                     [i f g o]
//   gru              u,s = r(z + h U + e), n = a(z_n + s (h U_n + e_n));   h' = u h + (1 - u) n             [u s n]
//   gru_reset_first  u,s = r(z + h U), n = a(z_n + (s h) U_n);             h' = u h + (1 - u) n             [u s n]
//
// Sequences are batch-major, (B,T,F). `reverse` runs from the last step to the first; everything stays at its own time.
// At a step whose mask is false a row keeps its state, and the state is its output.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

enum class RnnCell : uint8_t { simple, lstm, gru, gru_reset_first };

// Those whose slope follows from their value: f'(x) is found from f(x).
enum class RnnActivation : uint8_t {
  linear,
  relu,
  sigmoid,
  tanh,
  hard_sigmoid,
  softsign,
  softplus,
  elu,
  selu,
  exponential
};

constexpr int64_t gates_of(RnnCell cell) {
  return cell == RnnCell::simple ? 1 : cell == RnnCell::lstm ? 4 : 3;
}

// Below, G = gates_of(cell). Tensors that a cell does not have are null.
struct RnnShape {
  DType dtype;
  RnnCell cell;
  RnnActivation activation, recurrent;
  bool reverse;
  int64_t batch, steps, hidden;
  const void* u;     // (H,GH); null for a single step of simple or lstm whose z holds h U already
  const bool* mask;  // (B,T) or null
  const void* h;     // (B,H) the initial state, or null: zeros
  const void* c;     // (B,H), lstm
  void* work;        // rnn_workspace(args) bytes, 64-byte aligned
};

// Does the kernel compute z itself, a few steps at a time, so that it never leaves the cache?
constexpr bool projects_input(int64_t batch, int64_t steps, int64_t features) {
  return batch >= 8 && steps >= 4 && features > 0;
}

struct RnnArgs {
  RnnShape s;
  bool keep;  // what the backward pass needs is written into z, cells and inner
  int64_t features;
  const void* x;           // (B,T,F), or null: z is given
  const void* w;           // (F,GH), with x
  const void* input_bias;  // (GH), with x, or null
  const void* bias;        // gru: e (3H), or null
  void* z;                 // (B,T,GH): z where it is given (it may be y itself for simple), the activated gates if `keep`
  void* y;           // (B,T,H)
  void* cells;       // lstm: c after each step (B,T,H)
  void* inner;       // gru: h U_n + e_n (B,T,H)
  void* h_out;       // (B,H)
  void* c_out;       // (B,H)
};

struct RnnBackwardArgs {
  RnnShape s;
  const void* gates;  // (B,T,GH), the z that the forward pass left; simple: null
  const void* y;      // (B,T,H)
  const void* cells;  // (B,T,H)
  const void* inner;  // (B,T,H)
  const void* dy;     // (B,T,H), any of these three may be null: zeros
  const void* dh;     // (B,H)
  const void* dc;     // (B,H)
  void* dz;           // (B,T,GH): the gradient of x W + b. It may be gates itself
  void* dzu;          // gru: (B,T,3H), the gradient of h U + e
  void* before;       // (B,T,H) the state before each step, or null: not wanted
  void* reset;        // gru_reset_first: (B,T,H) s h, or null
  void* db;           // (GH): dz summed over steps and rows, or null
  void* dbu;          // gru: (3H), dzu summed
  void* dh_in;        // (B,H) or null
  void* dc_in;        // (B,H) or null
};

struct RnnKernels {
  void (*forward)(Stream, const RnnArgs&);
  void (*backward)(Stream, const RnnBackwardArgs&);
  int64_t (*forward_workspace)(const RnnArgs&);  // bytes; does not depend on the number of threads
  int64_t (*backward_workspace)(const RnnBackwardArgs&);
};

}  // namespace pl
