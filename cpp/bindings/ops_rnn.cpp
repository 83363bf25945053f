// Recurrent cells.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/rnn.h"

namespace pl {

void bind_rnn(py::module_& m) {
  using namespace ops;
  def_op(m, "lstm_cell", lstm_cell, {"x", "h", "c", "w", "u", {"b", None}, {"activation", "tanh"}},
         "One LSTM step (h, c): x (B, F), h and c (B, H), w (F, 4H), u (H, 4H), b (4H); gates i, f, c, o.");
  def_op(m, "lstm_cell_backward", lstm_cell_backward,
         {"dh", "dc", "x", "h", "c", "w", "u", {"b", None}, {"activation", "tanh"}},
         "Gradients [dx, dh, dc, dw, du(, db)] of lstm_cell.");
}

}  // namespace pl
