// The fused optimizer update of a model: weights, gradients and slots in three kinds of arena, one launch for all.
#pragma once
#include <string>
#include <vector>

#include "core/tensor.h"
#include "kernels/optim.h"

namespace pl {

struct UpdateRule {
  enum Kind { sgd, adam } kind = sgd;
  double momentum = 0;
  bool nesterov = false;
  bool decoupled = false;
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
};

class Update : public RefCounted {
 public:
  // Moves the parameters (one float dtype) into one arena: the tensors stay the same objects, on new storage.
  Update(const UpdateRule& rule, const std::vector<Tensor>& params);

  const std::vector<Tensor>& params() const { return params_; }
  const std::vector<Tensor>& grads() const { return grads_; }  // views of the gradient arena
  const std::vector<Tensor>& slot(int i) const { return slots_[i]; }
  int slot_count() const { return static_cast<int>(slots_.size()); }
  void set_segment(size_t i, double rate, double decay, bool frozen);
  OptimScalars& scalars();
  // One launch. `loss` (one element) joins the check for finite numbers.
  void apply(const Tensor& loss);

 private:
  std::vector<Tensor> place(bool keep_values);
  UpdateRule rule_;
  std::vector<Tensor> params_, grads_;
  std::vector<std::vector<Tensor>> slots_;
  Tensor scalars_, segments_;  // raw memory the kernel reads, so that a captured step sees changes
};

}  // namespace pl
