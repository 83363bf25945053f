// Softmax and the losses.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/loss.h"

namespace pl {

void bind_loss(py::module_& m) {
  using namespace ops;
  def_op(m, "softmax", softmax, {"x", {"axis", -1}}, "exp(x) / sum(exp(x)) along the axis.");
  def_op(m, "softmax_backward", softmax_backward, {"dy", "y", {"axis", -1}},
         "Gradient of softmax from its output y.");
  def_op(m, "log_softmax", log_softmax, {"x", {"axis", -1}}, "log of softmax, without overflow.");
  def_op(m, "log_softmax_backward", log_softmax_backward, {"dy", "y", {"axis", -1}},
         "Gradient of log_softmax from its output y.");
  def_op(m, "softmax_cross_entropy", softmax_cross_entropy, {"logits", "labels"},
         "-sum(labels * log_softmax(logits)) for each row; labels are integer ids (...,) or rows (..., "
         "classes).");
  def_op(m, "softmax_cross_entropy_backward", softmax_cross_entropy_backward, {"dy", "logits", "labels"},
         "Gradient with respect to logits; dy has one number a row.");
  def_op(m, "binary_cross_entropy", binary_cross_entropy, {"logits", "targets"},
         "max(z, 0) - z t + log(1 + exp(-|z|)), elementwise, from logits z; shapes must agree.");
  def_op(m, "squared_error", squared_error, {"x1", "x2"}, "(x1 - x2)**2; shapes must agree.");
  def_op(m, "absolute_error", absolute_error, {"x1", "x2"}, "|x1 - x2|; shapes must agree.");
  def_op(m, "huber", huber, {"x1", "x2", {"delta", 1.0}},
         "d**2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond; shapes must agree (Huber 1964).");
}

}  // namespace pl
