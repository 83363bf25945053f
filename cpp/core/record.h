// The hook through which ops tell autograd what they did. The tape itself is in autograd/.
//
//   Tensor exp(const Tensor& x) {
//     Tensor y = unary("exp", UnaryOp::exp, x);
//     record("exp", {x}, {y}, [y = save_output(y)](Backward& b) { b.set(0, multiply(b.grad(), b.get(y))); });
//     return y;
//   }
//
// The closure is written in ops, so gradients can be recorded themselves (higher orders) and captured.
#pragma once
#include <array>
#include <initializer_list>
#include <vector>

#include "core/tensor.h"

namespace pl {

// Is the calling thread recording gradients? (inside grad/value_and_grad, outside no_grad)
bool grad_enabled();
// Nested scopes: gradients of gradients may be taken, so an op whose fused backward has no vjp uses its composite form.
bool higher_order();
bool needs_grad(const Tensor& t);  // grad_enabled(), a float, and computed from something watched

// A tensor kept for the backward pass. An output is kept without its node (which would be a cycle).
struct Saved {
  Tensor tensor;
  uint32_t version = 0;
  int output = -1;  // this output of the node itself, or -1
};
Saved save(const Tensor& t);
Saved save_output(const Tensor& t, int index = 0);

struct Edge {
  Ref<Node> node;  // null: no gradient is wanted
  int output = 0;
  Shape shape;
  DType dtype = DType::float32;
};

class Backward;

class Node : public RefCounted {
 public:
  const char* op = "";
  uint64_t sequence = 0;  // grows along the program; the backward pass runs from high to low
  int outputs = 1;
  std::vector<Edge> inputs;
  virtual void backward(Backward& b) = 0;
  // Nodes that die because this one does are queued, not nested: long chains must not exhaust the stack.
  void destroy() override;
};

// What a vjp sees: the gradients of its outputs; it sets those of its inputs.
class Backward {
 public:
  Backward(Node& node, const Tensor* grads) : node_(node), grads_(grads) {}
  virtual ~Backward() = default;
  // Gradient of an output. grad() exists whenever the vjp is called for a node with one output; of several, some may
  // be undefined.
  const Tensor& grad(int output = 0) const { return grads_[output]; }
  bool wants(int input) const { return static_cast<bool>(node_.inputs[input].node); }
  // The saved tensor, its node put back. RuntimeError when it was changed in place since.
  Tensor get(const Saved& saved) const;
  // Gradient of an input; summed over broadcast axes and cast to the input's dtype if need be.
  virtual void set(int input, Tensor grad) = 0;
  // Where the gradient of this input will finally live, when that is known (a parameter's slice of the arena): an op
  // may write there instead of allocating. Undefined otherwise.
  virtual Tensor destination(int input) const = 0;

 protected:
  Node& node_;
  const Tensor* grads_;
};

namespace detail {
template <class F>
class NodeOf final : public Node {
 public:
  explicit NodeOf(F&& f) : f_(std::move(f)) {}
  void backward(Backward& b) override { f_(b); }

 private:
  F f_;
};
void attach(Ref<Node> node, const char* op, const Tensor* inputs, size_t n_inputs, const Tensor* outputs,
            size_t n_outputs);
}  // namespace detail

template <class F>
void record(const char* op, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> outputs,
            F&& vjp) {
  if (!grad_enabled()) return;
  bool wanted = false;
  for (const Tensor& t : inputs) wanted = wanted || (t.defined() && needs_grad(t));
  if (!wanted) return;
  detail::attach(Ref<Node>(new detail::NodeOf<std::decay_t<F>>(std::move(vjp))), op, inputs.begin(),
                 inputs.size(), outputs.begin(), outputs.size());
}
template <class F>
void record(const char* op, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs, F&& vjp) {
  if (!grad_enabled()) return;
  bool wanted = false;
  for (const Tensor& t : inputs) wanted = wanted || (t.defined() && needs_grad(t));
  if (!wanted) return;
  detail::attach(Ref<Node>(new detail::NodeOf<std::decay_t<F>>(std::move(vjp))), op, inputs.data(),
                 inputs.size(), outputs.data(), outputs.size());
}

}  // namespace pl
