// Softmax and the losses.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/loss.h"

#include "kernels/pointloss.h"

namespace pl {
namespace {

// The name's place in the list, which is in the order of the enum.
template <size_t N>
uint8_t one_of(Call& c, const char* what, py::handle h, const char* const (&names)[N]) {
  const std::string name = c.text(what, h);
  std::string known;
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<uint8_t>(i);
    known += (i ? ", '" : "'") + std::string(names[i]) + "'";
  }
  raise<ValueError>("[", c.op, "] argument '", what, "' must be one of ", known, ", not '", name, "'");
}

}  // namespace

template <>
struct From<PointLoss> {
  static PointLoss get(Call& c, const char* what, py::handle h) {
    return PointLoss(
        one_of(c, what, h,
               {"squared_error", "absolute_error", "huber", "log_cosh", "squared_logarithmic_error",
                "absolute_percentage_error", "poisson", "hinge", "squared_hinge", "kl_divergence",
                "binary_cross_entropy", "binary_cross_entropy_with_logits"}));
  }
};
template <>
struct From<Reduction> {
  static Reduction get(Call& c, const char* what, py::handle h) {
    return Reduction(one_of(c, what, h, {"none", "mean", "sum"}));
  }
};

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
  def_op(m, "pointwise_loss", pointwise_loss,
         {"prediction", "target", "loss", {"parameter", 0.0}, {"reduction", "none"}},
         "A loss of each prediction and target, 'squared_error', 'poisson', ..., or its mean or sum over the "
         "last "
         "axis; parameter is huber's delta, elsewhere what keeps arguments away from 0. Shapes must agree.");
  def_op(
      m, "pointwise_loss_backward", pointwise_loss_backward,
      {"dy", "prediction", "target", "loss", {"parameter", 0.0}, {"reduction", "none"}, {"of_target", false}},
      "Gradient of pointwise_loss with respect to the prediction, or to the target.");
  def_op(m, "binary_cross_entropy", binary_cross_entropy, {"logits", "targets"},
         "max(z, 0) - z t + log(1 + exp(-|z|)), elementwise, from logits z; shapes must agree.");
  def_op(m, "squared_error", squared_error, {"x1", "x2"}, "(x1 - x2)**2; shapes must agree.");
  def_op(m, "absolute_error", absolute_error, {"x1", "x2"}, "|x1 - x2|; shapes must agree.");
  def_op(m, "huber", huber, {"x1", "x2", {"delta", 1.0}},
         "d**2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond; shapes must agree (Huber 1964).");
}

}  // namespace pl
