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
  def_op(
      m, "adam_update", adam_update,
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
       {"decoupled", false},
       {Written{"vhat"}, None}},
      "One Adam step (Kingma & Ba 2014) on p, m and v in place; step counts from 1. With vhat AMSGrad (Reddi "
      "et al. 2018).");
  def_op(m, "adagrad_update", adagrad_update,
         {Written{"p"}, "g", Written{"accumulator"}, {"lr", 0.001}, {"epsilon", 1e-7}, {"weight_decay", 0.0}},
         "One Adagrad step (Duchi et al. 2011) on p and accumulator in place.");
  def_op(m, "adadelta_update", adadelta_update,
         {Written{"p"},
          "g",
          Written{"accumulated_grad"},
          Written{"accumulated_delta"},
          {"lr", 0.001},
          {"rho", 0.95},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0}},
         "One Adadelta step (Zeiler 2012) on p and both slots in place.");
  def_op(
      m, "rmsprop_update", rmsprop_update,
      {Written{"p"},
       "g",
       Written{"v"},
       {"lr", 0.001},
       {"rho", 0.9},
       {"momentum", 0.0},
       {"epsilon", 1e-7},
       {Written{"velocity"}, None},
       {Written{"average"}, None},
       {"weight_decay", 0.0}},
      "One RMSprop step (Hinton 2012) on p and v in place; with velocity for momentum, with average centered "
      "(Graves 2013).");
  def_op(m, "adamax_update", adamax_update,
         {Written{"p"},
          "g",
          Written{"m"},
          Written{"u"},
          "step",
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.999},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0}},
         "One Adamax step (Kingma & Ba 2014, section 7) on p, m and u in place; step counts from 1.");
  def_op(m, "nadam_update", nadam_update,
         {Written{"p"},
          "g",
          Written{"m"},
          Written{"v"},
          "step",
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.999},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0}},
         "One Nadam step (Dozat 2016) on p, m and v in place; step counts from 1.");
  def_op(m, "lion_update", lion_update,
         {Written{"p"},
          "g",
          Written{"m"},
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.99},
          {"weight_decay", 0.0}},
         "One Lion step (Chen et al. 2023) on p and m in place.");
  def_op(m, "sparse_sgd_update", sparse_sgd_update,
         {Written{"p"},
          "ids",
          "g",
          {"lr", 0.01},
          {"momentum", 0.0},
          {Written{"velocity"}, None},
          {"nesterov", false},
          {"weight_decay", 0.0}},
         "One SGD step on the rows of p that ids names, from one row of g an id; rows of equal ids are added "
         "up. "
         "Other rows and their slots stay as they are.");
  def_op(m, "sparse_adam_update", sparse_adam_update,
         {Written{"p"},
          "ids",
          "g",
          Written{"m"},
          Written{"v"},
          "step",
          {"lr", 0.001},
          {"beta_1", 0.9},
          {"beta_2", 0.999},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0}},
         "One lazy Adam step on the rows of p that ids names, from one row of g an id; rows of equal ids are "
         "added "
         "up. Other rows and their slots stay as they are, which dense Adam would move.");
  def_op(m, "sparse_adagrad_update", sparse_adagrad_update,
         {Written{"p"},
          "ids",
          "g",
          Written{"accumulator"},
          {"lr", 0.001},
          {"epsilon", 1e-7},
          {"weight_decay", 0.0}},
         "One Adagrad step on the rows of p that ids names, from one row of g an id; rows of equal ids are "
         "added "
         "up. The same as the dense step on the added-up gradient.");
}

}  // namespace pl
