// Recurrences and their single steps.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/rnn.h"

namespace pl {

template <>
struct From<RnnActivation> {
  static RnnActivation get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return RnnActivation::linear;
    constexpr std::pair<const char*, RnnActivation> names[] = {
        {"linear", RnnActivation::linear},
        {"relu", RnnActivation::relu},
        {"sigmoid", RnnActivation::sigmoid},
        {"tanh", RnnActivation::tanh},
        {"hard_sigmoid", RnnActivation::hard_sigmoid},
        {"softsign", RnnActivation::softsign},
        {"softplus", RnnActivation::softplus},
        {"elu", RnnActivation::elu},
        {"selu", RnnActivation::selu},
        {"exponential", RnnActivation::exponential},
    };
    const std::string s = c.text(what, h);
    std::string known;
    for (const auto& [name, value] : names) {
      if (s == name) return value;
      known += std::string(known.empty() ? "" : ", ") + name;
    }
    raise<ValueError>("[", c.op, "] argument '", what, "' must be one of ", known, " or None, not '", s, "'");
  }
};

void bind_rnn(py::module_& m) {
  using namespace ops;
  const Param act{"activation", "tanh"}, gate{"recurrent_activation", "sigmoid"}, mask{"mask", None},
      reverse{"reverse", false}, after{"reset_after", true}, b{"b", None}, h{"h", None}, c{"c", None};
  def_op(m, "simple_rnn", simple_rnn, {"x", "w", "u", b, h, act, mask, reverse},
         "States (y, h) of a plain recurrence over x (B, T, F): w (F, H), u (H, H), b (H), h (B, H), y (B, T, H). "
         "Where mask (B, T) is false a row keeps its state; reverse runs from the last step to the first.");
  def_op(m, "lstm", lstm, {"x", "w", "u", b, h, c, act, gate, mask, reverse},
         "States (y, h, c) of an LSTM over x (B, T, F): w (F, 4H), u (H, 4H), b (4H), h and c (B, H); gates i, f, c, "
         "o. mask and reverse as in simple_rnn.");
  def_op(m, "gru", gru, {"x", "w", "u", b, h, act, gate, after, mask, reverse},
         "States (y, h) of a GRU over x (B, T, F): w (F, 3H), u (H, 3H), b (2, 3H), or (3H) without reset_after, "
         "h (B, H); gates z, r, h. mask and reverse as in simple_rnn.");
  def_op(m, "simple_rnn_backward", simple_rnn_backward,
         {"dy", "dh", "x", "w", "u", b, h, act, mask, reverse}, "Gradients [dx, dw, du, db, dh] of simple_rnn.");
  def_op(m, "lstm_backward", lstm_backward,
         {"dy", "dh", "dc", "x", "w", "u", b, h, c, act, gate, mask, reverse},
         "Gradients [dx, dw, du, db, dh, dc] of lstm.");
  def_op(m, "gru_backward", gru_backward, {"dy", "dh", "x", "w", "u", b, h, act, gate, after, mask, reverse},
         "Gradients [dx, dw, du, db, dh] of gru.");
  def_op(m, "simple_rnn_cell", simple_rnn_cell, {"x", "h", "w", "u", b, act},
         "One step of simple_rnn: x (B, F), h (B, H).");
  def_op(m, "lstm_cell", lstm_cell, {"x", "h", "c", "w", "u", b, act, gate},
         "One LSTM step (h, c): x (B, F), h and c (B, H), w (F, 4H), u (H, 4H), b (4H); gates i, f, c, o.");
  def_op(m, "lstm_cell_backward", lstm_cell_backward, {"dh", "dc", "x", "h", "c", "w", "u", b, act, gate},
         "Gradients [dx, dh, dc, dw, du(, db)] of lstm_cell.");
  def_op(m, "gru_cell", gru_cell, {"x", "h", "w", "u", b, act, gate, after},
         "One step of gru: x (B, F), h (B, H).");
}

}  // namespace pl
