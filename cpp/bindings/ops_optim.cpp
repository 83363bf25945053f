// Parameter updates, in place.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/optim.h"

namespace pl {

void bind_optim(py::module_& m) {
  using namespace ops;
  def_op(m, "sgd_update", sgd_update,
         {Written{"p"},
          "g",
          {"lr", 0.01},
          {"momentum", 0.0},
          {Written{"velocity"}, None},
          {"nesterov", false},
          {"weight_decay", 0.0}},
         "One SGD step on p in place (and on velocity).");
  def_op(m, "adam_update", adam_update,
         {Written{"p"},
          "g",
          Written{"m"},
          Written{"v"},
          "step",
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.999},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0},
          {"decoupled", false}},
         "One Adam step (Kingma & Ba 2014) on p, m and v in place; step counts from 1.");
}

}  // namespace pl
