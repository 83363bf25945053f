// Normalisation.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/norm.h"

namespace pl {

void bind_norm(py::module_& m) {
  using namespace ops;
  def_op(m, "batch_norm", batch_norm,
         {"x", {"gamma", None}, {"beta", None}, {"epsilon", 1e-3}, {"activation", None}},
         "(y, mean, var): each channel of x (batch, ..., C) over all other axes, biased variance.");
  def_op(m, "batch_norm_inference", batch_norm_inference,
         {"x", "gamma", "beta", "mean", "var", {"epsilon", 1e-3}, {"activation", None}},
         "activation(gamma (x - mean) / sqrt(var + epsilon) + beta) with the statistics given.");
  def_op(m, "batch_norm_backward", batch_norm_backward,
         {"dy",
          "x",
          "gamma",
          "beta",
          "mean",
          "var",
          {"epsilon", 1e-3},
          {"activation", None},
          {"training", true}},
         "Gradients (dx, dgamma, dbeta) of batch_norm, or with training=False of batch_norm_inference.");
  def_op(m, "layer_norm", layer_norm,
         {"x", {"gamma", None}, {"beta", None}, {"axis", -1}, {"epsilon", 1e-3}, {"activation", None}},
         "Over the last axes of x: activation(gamma (x - mean) / sqrt(var + epsilon) + beta).");
  def_op(m, "layer_norm_backward", layer_norm_backward,
         {"dy", "x", {"gamma", None}, {"beta", None}, {"axis", -1}, {"epsilon", 1e-3}, {"activation", None}},
         "Gradients (dx, dgamma, dbeta) of layer_norm.");
  def_op(m, "rms_norm", rms_norm,
         {"x", {"gamma", None}, {"axis", -1}, {"epsilon", 1e-6}, {"activation", None}},
         "Over the last axes of x: activation(gamma x / sqrt(mean(x^2) + epsilon)).");
  def_op(m, "rms_norm_backward", rms_norm_backward,
         {"dy", "x", {"gamma", None}, {"axis", -1}, {"epsilon", 1e-6}, {"activation", None}},
         "Gradients (dx, dgamma) of rms_norm.");
  def_op(m, "group_norm", group_norm,
         {"x", "groups", {"gamma", None}, {"beta", None}, {"epsilon", 1e-3}, {"activation", None}},
         "Each group of neighbouring channels of each x[i] (batch, ..., C); groups=C is instance norm.");
  def_op(m, "group_norm_backward", group_norm_backward,
         {"dy", "x", "groups", {"gamma", None}, {"beta", None}, {"epsilon", 1e-3}, {"activation", None}},
         "Gradients (dx, dgamma, dbeta) of group_norm.");
}

}  // namespace pl
