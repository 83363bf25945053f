// The fused update of a model: arenas, the table of segments, one launch.
#include "ops/update.h"

#include <cstring>

#include "ops/common.h"

namespace pl {
namespace {

constexpr const char* kRules[] = {"sgd", "adam", "adagrad", "adadelta", "rmsprop", "adamax", "nadam", "lion"};
constexpr int64_t kLineBytes = 64;

// The rule's slots in the order of its formula.
std::vector<const char*> rule_slots(const OptimHyper& h) {
  switch (h.rule) {
    case OptimRule::sgd: return h.momentum > 0 ? std::vector{"momentum"} : std::vector<const char*>{};
    case OptimRule::adam: return h.amsgrad ? std::vector{"m", "v", "vhat"} : std::vector{"m", "v"};
    case OptimRule::adagrad: return {"accumulator"};
    case OptimRule::adadelta: return {"accumulated_grad", "accumulated_delta"};
    case OptimRule::rmsprop: {
      std::vector<const char*> names{"v"};
      if (h.centered) names.push_back("average_gradient");
      if (h.momentum > 0) names.push_back("momentum");
      return names;
    }
    case OptimRule::adamax: return {"m", "u"};
    case OptimRule::nadam: return {"m", "v"};
    case OptimRule::lion: return {"m"};
  }
  return {};
}

}  // namespace

OptimRule optim_rule(const std::string& name) {
  std::string known;
  for (size_t i = 0; i < std::size(kRules); ++i) {
    if (name == kRules[i]) return static_cast<OptimRule>(i);
    known += (i ? ", '" : "'") + std::string(kRules[i]) + "'";
  }
  raise<ValueError>("[Update] argument 'kind' must be one of ", known, ", not '", name, "'");
}

const char* optim_rule_name(OptimRule rule) { return kRules[static_cast<size_t>(rule)]; }

OptimScalars fresh_scalars(double rate, int64_t step) {
  return {.rate = rate,
          .step = step,
          .skipped = 0,
          .waiting = 0,
          .product = 1,
          .product_step = 0,
          .finite = 1,
          .reserved = 0};
}

Tensor lasting_bytes(const void* bytes, size_t size) {
  Tensor t = empty_lasting({static_cast<int64_t>(size)}, DType::uint8);
  copy_bytes(t.impl()->data, t.device(), bytes, Device::cpu, size);
  return t;
}

double update_cost(const OptimHyper& hyper) { return hyper.rule == OptimRule::sgd ? 0.5 : 1.0; }

// One arena with an aligned slice for each parameter.
std::vector<Tensor> Update::place(Start start) {
  int64_t size = static_cast<int64_t>(itemsize(params_[0].dtype())), total = 0;
  auto padded = [&](const Tensor& p) {
    return (p.size() * size + kLineBytes - 1) / kLineBytes * kLineBytes / size;
  };
  for (const Tensor& p : params_) total += padded(p);
  Tensor arena = empty_lasting({total}, params_[0].dtype());
  if (arena.device() == Device::cpu)
    std::memset(arena.write(), 0, static_cast<size_t>(total * size));
  else
    ops::fill(arena, 0);
  std::vector<Tensor> views;
  int64_t at = 0;
  for (const Tensor& p : params_) {
    Tensor v = arena.view(p.shape(), contiguous_strides(p.shape()), at);
    if (start == Start::values) ops::copy_into(p.detach(), v);
    views.push_back(v);
    at += padded(p);
  }
  return views;
}

void Update::add_slot(const char* name, Start start) {
  names_.push_back(name);
  slots_.push_back(place(start));
}

Update::Update(const UpdateRule& rule, const std::vector<Tensor>& params) : rule_(rule), params_(params) {
  if (params_.empty()) raise<ValueError>("[Update] argument 'params' is empty");
  for (const Tensor& p : params_) {
    ops::require_float("Update", "params", p);
    ops::require_same_dtype("Update", "params", p, "params", params_[0]);
  }
  std::vector<Tensor> values = place(Start::values);
  for (size_t i = 0; i < params_.size(); ++i) {
    TensorImpl& p = *params_[i].impl();
    p.storage = values[i].impl()->storage;
    p.data = values[i].impl()->data;
    p.strides = values[i].strides();
    p.contiguous = true;
  }
  grads_ = place(Start::zeros);
  for (const char* name : rule_slots(rule_.hyper)) add_slot(name);
  const size_t of_rule = slots_.size();
  if (rule_.initial != 0 && of_rule > 0)
    for (const Tensor& slot : slots_[0])
      ops::copy_into(ops::full(slot.shape(), rule_.initial, slot.dtype()), slot);
  if (accumulates()) add_slot("gradient_accumulator");
  if (rule_.averages) add_slot("average", Start::values);

  const auto count = static_cast<int64_t>(params_.size());
  int64_t line = 0;
  for (size_t i = 0; i < params_.size(); ++i) {
    line += (params_[i].size() + kOptimLine - 1) / kOptimLine * kOptimLine;
    Segment s{.p = params_[i].impl()->data,
              .g = grads_[i].impl()->data,
              .slots = {},
              .sum = accumulates() ? slots_[of_rule][i].impl()->data : nullptr,
              .average = rule_.averages ? slots_.back()[i].impl()->data : nullptr,
              .n = params_[i].size(),
              .rate = 1,
              .decay = 0,
              .frozen = 0,
              .reserved = 0};
    for (size_t k = 0; k < of_rule; ++k) s.slots[k] = slots_[k][i].impl()->data;
    table_.push_back(s);
  }
  const OptimScalars scalars = fresh_scalars(0.01, 0);
  scalars_ = lasting_bytes(&scalars, sizeof scalars);
  segments_ = lasting_bytes(table_.data(), sizeof(Segment) * table_.size());
  if (rule_.clip == Clip::norm || rule_.clip == Clip::global_norm)
    workspace_ = empty_lasting({optim_workspace(line, count)}, DType::float64);
}

void Update::set_segment(size_t i, double rate, double decay, bool frozen) {
  if (i >= params_.size())
    raise<IndexError>("[Update] argument 'i' (", i, ") exceeds the ", params_.size(), " parameters");
  Segment& s = table_[i];
  s.rate = rate;
  s.decay = decay;
  s.frozen = frozen;
  copy_bytes(segments_.impl()->data + i * sizeof s, segments_.device(), &s, Device::cpu, sizeof s);
}

OptimScalars Update::scalars() const {
  OptimScalars s;
  copy_bytes(&s, Device::cpu, device_scalars(), scalars_.device(), sizeof s);
  return s;
}

void Update::apply(const Tensor& loss) {
  if (loss.defined() && (loss.size() != 1 || loss.dtype() != params_[0].dtype()))
    raise<ValueError>("[Update.apply] argument 'loss' must be one ", dtype_name(params_[0].dtype()), ", not ",
                      dtype_name(loss.dtype()), " of shape ", loss.shape());
  // The table holds the addresses; touching the arenas here tells a recording what the launch uses.
  params_[0].write();
  grads_[0].read();
  for (auto& slot : slots_) slot[0].write();
  double cost = 0;
  for (const Tensor& p : params_) cost += static_cast<double>(p.size());
  OptimArgs args{.dtype = params_[0].dtype(),
                 .clip = rule_.clip,
                 .hyper = rule_.hyper,
                 .clip_at = rule_.clip_at,
                 .ema = rule_.ema,
                 .overwrite = rule_.overwrite,
                 .accumulate = rule_.accumulate,
                 .segments = static_cast<const Segment*>(segments_.read()),
                 .n_segments = static_cast<int64_t>(params_.size()),
                 .loss = loss.defined() ? loss.read() : nullptr,
                 .workspace = workspace_.defined() ? static_cast<double*>(workspace_.write()) : nullptr,
                 .scalars = static_cast<OptimScalars*>(scalars_.write())};
  launch(optim_rule_name(rule_.hyper.rule), ops::kernels().optim.update, args,
         update_cost(rule_.hyper) * cost);
}

}  // namespace pl
