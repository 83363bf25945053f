#include "ops/fuse.h"

#include <atomic>
#include <limits>
#include <unordered_map>

#include "ops/chain.h"
#include "ops/common.h"

namespace pl::ops {
namespace {

std::atomic<bool> enabled{true};

// A recording, with what the patterns ask about it.
class Recorded {
 public:
  Recorded(Recorder& recorder, const std::vector<Tensor>& outputs)
      : recorder_(recorder), plan_(recorder.plan()) {
    for (size_t i = 0; i < size(); ++i)
      for (const Touch& t : recorder.touches(i)) {
        auto [it, first] = uses_.try_emplace(t.serial, Use{i, i});
        if (!first) it->second.last = i;
      }
    for (const Tensor& t : outputs) uses_[t.storage().serial()].last = std::numeric_limits<size_t>::max();
  }

  size_t size() const { return plan_.launches.size(); }
  const Launch& launch(size_t i) const { return plan_.launches[i]; }
  const Plan& plan() const { return plan_; }

  template <class Args>
  bool is(size_t i, void (*kernel)(Stream, const Args&), Args& args) const {
    if (i >= size() || launch(i).kernel != reinterpret_cast<KernelFn>(kernel)) return false;
    std::memcpy(&args, plan_.arguments.data() + launch(i).args, sizeof(args));
    return true;
  }

  // Is what lies at p the step's own, written here, and of no use outside the launches [first, last]?
  bool passing(const void* p, size_t first, size_t last) const {
    bool written = false;
    for (size_t i = first; i <= last; ++i)
      for (const Touch& t : recorder_.touches(i)) {
        if (p < t.data || p >= t.data + t.bytes) continue;
        const Use use = uses_.at(t.serial);
        if (!t.own || use.first < first || use.last > last) return false;
        written |= t.written;
      }
    return written;
  }

  // Does launch i touch any of these bytes?
  bool touches(size_t i, const void* p, size_t bytes) const {
    const std::byte* data = static_cast<const std::byte*>(p);
    for (const Touch& t : recorder_.touches(i))
      if (t.data < data + bytes && data < t.data + t.bytes) return true;
    return false;
  }

 private:
  struct Use {
    size_t first, last;
  };
  Recorder& recorder_;
  const Plan& plan_;
  std::unordered_map<uint64_t, Use> uses_;
};

// What a pattern writes: the joined launches.
class Joined {
 public:
  template <class Args>
  void add(const std::string& name, void (*kernel)(Stream, const Args&), const Args& args) {
    plan.names.push_back(name);
    auto call = [](KernelFn k, Stream, const void* a) {
      reinterpret_cast<void (*)(Stream, const Args&)>(k)(Stream{}, *static_cast<const Args*>(a));
    };
    plan.add({plan.names.back().c_str(), call, reinterpret_cast<KernelFn>(kernel), 0, 0}, &args,
             sizeof(args));
  }
  Plan& plan;
};

// -- the patterns: each looks at the launches from i on, writes what stands for the first few, and returns how many -------

Activation activation_of(UnaryOp op) {
  switch (op) {
    case UnaryOp::relu: return Activation::relu;
    case UnaryOp::sigmoid: return Activation::sigmoid;
    case UnaryOp::tanh: return Activation::tanh;
    default: return Activation::none;
  }
}

bool is_flat(const UnaryArgs& a, int64_t n) {
  return a.ndim == 1 && a.shape[0] == n && a.stride_x[0] == 1 && a.stride_y[0] == 1;
}
bool is_flat(const BinaryArgs& a, int64_t n) {
  return a.ndim == 1 && a.shape[0] == n && a.stride_a[0] == 1 && a.stride_b[0] == 1 && a.stride_y[0] == 1;
}

// A matrix product, then relu, sigmoid or tanh of it: the product's own epilogue does it.
size_t product_then_activation(const Recorded& r, size_t i, size_t end, Joined& out) {
  GemmArgs gemm;
  UnaryArgs unary;
  if (i + 1 >= end || !r.is(i, kernels().linalg.gemm, gemm) ||
      !r.is(i + 1, kernels().elementwise.unary, unary))
    return 0;
  const Activation activation = activation_of(unary.op);
  if (activation == Activation::none || gemm.activation != Activation::none || gemm.accumulate) return 0;
  const int64_t n = gemm.batch * gemm.m * gemm.n;
  const bool whole = gemm.ldc == gemm.n && (gemm.batch == 1 || gemm.batch_c == gemm.m * gemm.n);
  if (!whole || !is_flat(unary, n) || unary.x != gemm.c || !r.passing(gemm.c, i, i + 1)) return 0;
  if (unary.y != gemm.c && r.touches(i, unary.y, static_cast<size_t>(n) * itemsize(gemm.dtype))) return 0;
  gemm.activation = activation;
  gemm.c = unary.y;
  out.add(std::string(r.launch(i).name) + "+" + r.launch(i + 1).name, kernels().linalg.gemm, gemm);
  return 2;
}

void join(const Recorded& r, size_t begin, size_t end, Joined& out);

// A normalisation over channels, then an activation of it: applied as the values are written. Between the two lie the
// running averages' updates.
size_t norm_then_activation(const Recorded& r, size_t i, size_t end, Joined& out) {
  constexpr size_t kFar = 12;
  ChannelNormArgs norm;
  if (!r.is(i, kernels().norm.channel_norm, norm) || norm.activation != Activation::none || !norm.y) return 0;
  const int64_t n = norm.n * norm.s * norm.c;
  const size_t bytes = static_cast<size_t>(n) * itemsize(norm.dtype);
  size_t k = i + 1;
  while (k < end && k <= i + kFar && !r.touches(k, norm.y, bytes)) ++k;
  UnaryArgs unary;
  if (k >= end || !r.is(k, kernels().elementwise.unary, unary)) return 0;
  const Activation activation = activation_of(unary.op);
  if (activation == Activation::none || !is_flat(unary, n) || unary.x != norm.y || !r.passing(norm.y, i, k))
    return 0;
  for (size_t j = i; j < k; ++j)
    if (r.touches(j, unary.y, bytes) && (j > i || unary.y != norm.y)) return 0;
  norm.activation = activation;
  norm.y = unary.y;
  out.add(std::string(r.launch(i).name) + "+" + r.launch(k).name, kernels().norm.channel_norm, norm);
  join(r, i + 1, k, out);
  return k + 1 - i;
}

// The backward pass of the two: the slope is applied as the gradient is read.
size_t slope_then_norm_backward(const Recorded& r, size_t i, size_t end, Joined& out) {
  BinaryArgs slope;
  ChannelNormBackwardArgs norm;
  if (i + 1 >= end || !r.is(i, kernels().elementwise.binary, slope) ||
      !r.is(i + 1, kernels().norm.channel_norm_backward, norm))
    return 0;
  if (slope.op != BinaryOp::relu_grad || norm.activation != Activation::none) return 0;
  const int64_t n = norm.n * norm.s * norm.c;
  if (!is_flat(slope, n) || slope.y != norm.dy || !r.passing(slope.y, i, i + 1)) return 0;
  // what the second writes must not lie where the first still reads
  const size_t bytes = static_cast<size_t>(n) * itemsize(norm.dtype);
  if (norm.dx && r.touches(i, norm.dx, bytes) && norm.dx != slope.y && norm.dx != slope.a) return 0;
  norm.activation = Activation::relu;
  norm.dy = slope.a;
  out.add(std::string(r.launch(i).name) + "+" + r.launch(i + 1).name, kernels().norm.channel_norm_backward,
          norm);
  return 2;
}

// Pointwise launches over the same elements in a row: walked together (chain.h).
size_t pointwise_run(const Recorded& r, size_t i, size_t limit, Joined& out) {
  ChainArgs chain;
  chain.count = 0;
  std::string name;
  size_t end = i;
  for (; end < limit; ++end) {
    Link& next = chain.links[chain.count];
    if (chain.count == kMaxLinks || !make_link(r.plan(), r.launch(end), next)) break;
    if (!may_follow(std::span(chain.links, chain.count), next)) break;
    ++chain.count;
    name += (end > i ? "+" : "") + std::string(r.launch(end).name);
  }
  if (chain.count < 2) return 0;
  chain.n = chain.links[0].n;
  const std::span<Link> links(chain.links, chain.count);
  for (const Link& l : links)
    for (const Operand& o : std::span(l.operand, l.count))
      if (o.written && o.slot < 0 && r.passing(o.p, i, end - 1)) keep_in_scratch(links, o.p);
  out.add(name, run_chain, chain);
  return end - i;
}

using Pattern = size_t (*)(const Recorded&, size_t i, size_t end, Joined&);
constexpr Pattern kPatterns[] = {product_then_activation, norm_then_activation, slope_then_norm_backward,
                                 pointwise_run};

void join(const Recorded& r, size_t begin, size_t end, Joined& out) {
  for (size_t i = begin; i < end;) {
    size_t taken = 0;
    for (Pattern pattern : kPatterns)
      if ((taken = pattern(r, i, end, out))) break;
    if (!taken) {
      const Launch& l = r.launch(i);
      out.plan.add(l, r.plan().arguments.data() + l.args, l.size);
      taken = 1;
    }
    i += taken;
  }
}

}  // namespace

void fuse(Recorder& recorder, const std::vector<Tensor>& outputs) {
  if (!enabled || recorder.device() != Device::cpu) return;
  const Recorded recorded(recorder, outputs);
  Plan joined;
  Joined out{joined};
  join(recorded, 0, recorded.size(), out);
  Plan& plan = recorder.plan();
  plan.launches = std::move(joined.launches);
  plan.arguments = std::move(joined.arguments);
  plan.names = std::move(joined.names);
}

bool set_fusion(bool on) { return enabled.exchange(on); }

}  // namespace pl::ops
