// The fused optimizer update of a model: weights, gradients and slots in arenas, one launch for all.
#pragma once
#include <string>
#include <vector>

#include "core/runtime.h"
#include "core/tensor.h"
#include "kernels/optim.h"

namespace pl {

struct UpdateRule {
  OptimHyper hyper{.rule = OptimRule::sgd,
                   .nesterov = false,
                   .amsgrad = false,
                   .centered = false,
                   .decoupled = false,
                   .momentum = 0,
                   .rho = 0.9,
                   .beta_1 = 0.9,
                   .beta_2 = 0.999,
                   .epsilon = 1e-7};
  double initial = 0;  // where the first slot starts: Adagrad's accumulator
  Clip clip = Clip::none;
  double clip_at = 0;
  int64_t accumulate = 1;  // calls for one update
  bool averages = false;   // keeps the weights' moving average
  double ema = 0.99;
  int64_t overwrite = 0;  // updates after which the weights become their average; 0: never
};

// "sgd", "adam", ...; ValueError for a name that is none.
OptimRule optim_rule(const std::string& name);
const char* optim_rule_name(OptimRule rule);
OptimScalars fresh_scalars(double rate, int64_t step);
// Raw memory on the thread's device, outside a recording's own: what a recorded launch finds again.
Tensor lasting_bytes(const void* bytes, size_t size);
double update_cost(const OptimHyper& hyper);  // nanoseconds an element, about

class Update : public RefCounted {
 public:
  // Moves the parameters (one float dtype) into one arena: the tensors stay the same objects, on new storage.
  Update(const UpdateRule& rule, const std::vector<Tensor>& params);

  const std::vector<Tensor>& params() const { return params_; }
  const std::vector<Tensor>& grads() const { return grads_; }  // views of the gradient arena
  // The state of each parameter: the rule's slots, then "gradient_accumulator" and "average" where there are such.
  const std::vector<const char*>& slot_names() const { return names_; }
  const std::vector<Tensor>& slot(size_t i) const { return slots_[i]; }
  bool accumulates() const { return rule_.accumulate > 1; }
  void set_segment(size_t i, double rate, double decay, bool frozen);
  OptimScalars scalars() const;
  template <class T>
  void set(T OptimScalars::* field, T value) {
    OptimScalars* s = device_scalars();
    copy_bytes(&(s->*field), scalars_.device(), &value, Device::cpu, sizeof value);
  }
  // One launch. `loss` (one element) joins the check for finite numbers.
  void apply(const Tensor& loss);

 private:
  enum class Start { zeros, values };
  std::vector<Tensor> place(Start start);
  void add_slot(const char* name, Start start = Start::zeros);
  OptimScalars* device_scalars() const { return reinterpret_cast<OptimScalars*>(scalars_.impl()->data); }
  UpdateRule rule_;
  std::vector<Tensor> params_, grads_;
  std::vector<const char*> names_;
  std::vector<std::vector<Tensor>> slots_;
  // Raw memory that the kernel reads, so that a captured step sees changes.
  Tensor scalars_, segments_, workspace_;
  std::vector<Segment> table_;  // what segments_ holds
};

}  // namespace pl
