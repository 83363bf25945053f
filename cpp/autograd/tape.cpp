#include "autograd/tape.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "core/runtime.h"
#include "ops/ops.h"

namespace pl {
namespace {

thread_local int depth = 0;
thread_local bool suspended = false;
std::atomic<uint64_t> next_sequence{1};

struct Leaf final : Node {
  void backward(Backward&) override {}
};

struct Identity final : Node {
  void backward(Backward& b) override { b.set(0, b.grad()); }
};

// What is known of one node during a backward pass.
struct Pending {
  std::vector<Tensor> grads;  // by output
  Tensor destination;         // for a target's output 0
  bool handed_out = false;
};

class Pass final {
 public:
  std::unordered_map<Node*, Pending> pending;
  std::vector<Ref<Node>> heap;  // by sequence, highest first

  void add(const Ref<Node>& node, int output, Tensor grad) {
    auto [it, inserted] = pending.try_emplace(node.get());
    Pending& p = it->second;
    if (p.grads.empty()) {
      p.grads.resize(static_cast<size_t>(node->outputs));
      heap.push_back(node);
      std::push_heap(heap.begin(), heap.end(), later);
    }
    Tensor& slot = p.grads[static_cast<size_t>(output)];
    slot = slot.defined() ? ops::add(slot, grad) : std::move(grad);
  }
  Ref<Node> pop() {
    std::pop_heap(heap.begin(), heap.end(), later);
    Ref<Node> node = std::move(heap.back());
    heap.pop_back();
    return node;
  }

 private:
  static bool later(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; }
};

class PassBackward final : public Backward {
 public:
  PassBackward(Node& node, const Tensor* grads, Pass& pass) : Backward(node, grads), pass_(pass) {}

  void set(int input, Tensor grad) override {
    const Edge& e = node_.inputs[static_cast<size_t>(input)];
    if (!e.node) return;
    if (grad.dtype() != e.dtype) grad = ops::cast(grad, e.dtype);
    if (!(grad.shape() == e.shape)) grad = ops::sum_to(grad, e.shape);
    pass_.add(e.node, e.output, std::move(grad));
  }

  Tensor destination(int input) const override {
    if (grad_enabled()) return {};
    const Edge& e = node_.inputs[static_cast<size_t>(input)];
    auto it = pass_.pending.find(e.node.get());
    if (it == pass_.pending.end()) return {};
    Pending& p = it->second;
    if (!p.destination.defined() || p.handed_out || !p.grads.empty() || e.output != 0 ||
        !(p.destination.shape() == e.shape))
      return {};
    p.handed_out = true;
    return p.destination;
  }

 private:
  Pass& pass_;
};

}  // namespace

void Node::destroy() {
  thread_local std::vector<Node*>* queue = nullptr;
  if (queue) {
    queue->push_back(this);
    return;
  }
  std::vector<Node*> local{this};
  queue = &local;
  while (!local.empty()) {
    Node* n = local.back();
    local.pop_back();
    delete n;
  }
  queue = nullptr;
}

bool grad_enabled() { return depth > 0 && !suspended; }
bool higher_order() { return depth > 1 && !suspended; }
bool needs_grad(const Tensor& t) { return t.has_node() && grad_enabled() && is_float(t.dtype()); }

void enter_grad() { ++depth; }
void exit_grad() { --depth; }
bool set_no_grad(bool on) { return std::exchange(suspended, on); }

Saved save(const Tensor& t) { return {t, t.storage().version(), -1}; }
Saved save_output(const Tensor& t, int index) {
  if (!grad_enabled()) return {};
  return {t.detach(), t.storage().version(), index};
}

Tensor Backward::get(const Saved& s) const {
  if (s.tensor.storage().version() != s.version)
    raise<RuntimeError>("[", node_.op,
                        "] a tensor needed for the gradient was changed in place after it was used "
                        "(shape ",
                        s.tensor.shape(), "): change a copy instead");
  if (s.output < 0 || !grad_enabled()) return s.tensor;
  Tensor t = s.tensor.detach();
  t.impl()->node = Ref<Node>(&node_);
  t.impl()->output = s.output;
  return t;
}

void detail::attach(Ref<Node> node, const char* op, const Tensor* inputs, size_t n_inputs,
                    const Tensor* outputs, size_t n_outputs) {
  node->op = op;
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
  node->outputs = static_cast<int>(n_outputs);
  node->inputs.resize(n_inputs);
  for (size_t i = 0; i < n_inputs; ++i) {
    const Tensor& t = inputs[i];
    if (!t.defined() || !needs_grad(t)) continue;
    node->inputs[i] = {t.impl()->node, t.impl()->output, t.shape(), t.dtype()};
  }
  for (size_t i = 0; i < n_outputs; ++i) {
    outputs[i].impl()->node = node;
    outputs[i].impl()->output = static_cast<int>(i);
  }
}

Tensor watch(const Tensor& t) {
  Tensor alias = t.detach();
  if (t.has_node() && is_float(t.dtype())) {
    auto node = make<Identity>();
    node->op = "watch";
    node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
    node->inputs = {{t.impl()->node, t.impl()->output, t.shape(), t.dtype()}};
    alias.impl()->node = node;
  } else {
    watch_parameter(alias);
  }
  return alias;
}

void watch_parameter(const Tensor& t) {
  if (!is_float(t.dtype()))
    raise<TypeError>("[grad] gradients need float32 or float64 values, not ", dtype_name(t.dtype()),
                     ": cast the argument first");
  if (t.has_node()) return;
  auto node = make<Leaf>();
  node->op = "leaf";
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
  t.impl()->node = node;
}

std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& xs, const Tensor& seed,
                              const std::vector<Tensor>& out) {
  if (!is_float(y.dtype()))
    raise<TypeError>("[grad] the function must return a float, not ", dtype_name(y.dtype()));
  if (!seed.defined() && y.size() != 1)
    raise<ValueError>("[grad] the function must return one number, not an array of shape ", y.shape(),
                      ": reduce it, e.g. with ops.mean");
  if (seed.defined() && !(seed.shape() == y.shape()))
    raise<ValueError>("[grad] argument 'seed' has shape ", seed.shape(), ", the output ", y.shape());

  DeviceScope scope(y.device());
  Pass pass;
  uint64_t oldest = UINT64_MAX;
  for (size_t i = 0; i < xs.size(); ++i) {
    Node* node = xs[i].impl()->node.get();
    if (!node) raise<ValueError>("[grad] argument ", i, " is not watched");
    oldest = std::min(oldest, node->sequence);
    Pending& p = pass.pending[node];
    if (i < out.size() && out[i].defined() && xs[i].impl()->output == 0) p.destination = out[i];
  }
  std::unordered_map<Node*, std::vector<Tensor>> found;
  for (const Tensor& x : xs) found[x.impl()->node.get()];

  if (y.has_node()) {
    Tensor start = seed.defined() ? ops::cast(seed, y.dtype()) : ops::full(y.shape(), 1.0, y.dtype());
    pass.add(y.impl()->node, y.impl()->output, start);
  }
  while (!pass.heap.empty()) {
    Ref<Node> node = pass.pop();
    if (node->sequence < oldest) break;
    auto it = pass.pending.find(node.get());
    std::vector<Tensor> grads = std::move(it->second.grads);
    if (auto f = found.find(node.get()); f != found.end()) f->second = grads;
    pass.pending.erase(it);
    if (node->inputs.empty()) continue;
    const auto given = std::find_if(grads.begin(), grads.end(), [](const Tensor& g) { return g.defined(); });
    DeviceScope scope(given == grads.end() ? current_device() : given->device());
    PassBackward b(*node, grads.data(), pass);
    node->backward(b);
  }

  std::vector<Tensor> result;
  for (size_t i = 0; i < xs.size(); ++i) {
    const auto& grads = found[xs[i].impl()->node.get()];
    size_t output = static_cast<size_t>(xs[i].impl()->output);
    Tensor g = output < grads.size() ? grads[output] : Tensor();
    bool placed = i < out.size() && out[i].defined();
    if (!g.defined()) g = placed ? g : ops::full(xs[i].shape(), 0.0, xs[i].dtype());
    if (placed) {
      if (!g.defined())
        ops::fill(out[i], 0.0);
      else if (!same_memory(g, out[i]))
        ops::assign(out[i], g);
      g = out[i];
    }
    result.push_back(std::move(g));
  }
  return result;
}

}  // namespace pl
