// Optimizer steps in place: on single arrays (the kernel API) and on a whole model (update.h).
#include "ops/optim.h"

#include <cstring>

#include "ops/common.h"
#include "ops/update.h"

namespace pl {
namespace ops {
namespace {

void check_state(const char* op, const char* name, const Tensor& t, const Tensor& p) {
  require_same_dtype(op, name, t, "p", p);
  if (!(t.shape() == p.shape()))
    raise<ValueError>("[", op, "] argument '", name, "' has shape ", t.shape(), ", 'p' ", p.shape());
}

void check_target(const char* op, const char* name, const Tensor& t) {
  if (t.readonly()) raise<ValueError>("[", op, "] argument '", name, "' is read-only");
  if (!t.is_contiguous())
    raise<ValueError>("[", op, "] argument '", name, "' must be contiguous to be updated in place");
}

void check_apart(const char* op, const char* a, const Tensor& x, const char* b, const Tensor& y) {
  if (may_overlap(x, y)) raise<ValueError>("[", op, "] arguments '", a, "' and '", b, "' share memory");
}

void check_range(const char* op, const char* name, double v, double low, double high) {
  if (!(v >= low && v < high))
    raise<ValueError>("[", op, "] argument '", name, "' must be in [", low, ", ", high, "), not ", v);
}

// Writes the one-segment table and the scalars of a call on single arrays.
struct Single {
  Tensor segment, scalars;
  Single(const Tensor& p, const Tensor& g, void* s1, void* s2, double lr, double decay, int64_t step)
      : segment(empty_host({static_cast<int64_t>(sizeof(Segment))}, DType::uint8)),
        scalars(empty_host({static_cast<int64_t>(sizeof(OptimScalars))}, DType::uint8)) {
    Segment s{.p = p.write(),
              .g = g.read(),
              .s1 = s1,
              .s2 = s2,
              .n = p.size(),
              .rate = 1,
              .decay = decay,
              .frozen = 0,
              .reserved = 0};
    OptimScalars o{.rate = lr, .step = step, .skipped = 0, .finite = 1, .reserved = 0};
    std::memcpy(segment.write(), &s, sizeof s);
    std::memcpy(scalars.write(), &o, sizeof o);
    if (recorder()) scalars = copy(scalars);  // a launch: the kernel counts the step, each replay starts anew
  }
  const Segment* table() const { return static_cast<const Segment*>(segment.read()); }
  OptimScalars* values() const { return static_cast<OptimScalars*>(scalars.write()); }
  void check(const char* op) const {
    if (recorder()) return;
    if (!values()->finite)
      raise<ValueError>("[", op, "] argument 'g' has values that are not finite; 'p' was left as it was");
  }
};

}  // namespace

void sgd_update(const Tensor& p, const Tensor& g0, double lr, double momentum, const OptTensor& velocity,
                bool nesterov, double weight_decay) {
  const char* op = "sgd_update";
  require_float(op, "p", p);
  check_state(op, "g", g0, p);
  check_target(op, "p", p);
  check_range(op, "momentum", momentum, 0, 1);
  check_range(op, "lr", lr, 0, 1e300);
  check_range(op, "weight_decay", weight_decay, 0, 1e300);
  check_apart(op, "p", p, "g", g0);
  if (momentum > 0 && !velocity)
    raise<ValueError>("[sgd_update] argument 'velocity' is needed with momentum");
  if (velocity) {
    check_state(op, "velocity", *velocity, p);
    check_target(op, "velocity", *velocity);
    check_apart(op, "p", p, "velocity", *velocity);
    check_apart(op, "g", g0, "velocity", *velocity);
  }
  Tensor g = contiguous(g0.detach());
  Single one(p, g, velocity ? velocity->write() : nullptr, nullptr, lr, weight_decay, 0);
  SgdArgs args{.dtype = p.dtype(),
               .nesterov = nesterov,
               .decoupled = false,
               .momentum = momentum,
               .segments = one.table(),
               .n_segments = 1,
               .loss = nullptr,
               .scalars = one.values()};
  launch(op, kernels().optim.sgd, args, 0.5 * static_cast<double>(p.size()));
  one.check(op);
}

void adam_update(const Tensor& p, const Tensor& g0, const Tensor& m, const Tensor& v, int64_t step, double lr,
                 double beta_1, double beta_2, double epsilon, double weight_decay, bool decoupled) {
  const char* op = "adam_update";
  require_float(op, "p", p);
  check_state(op, "g", g0, p);
  check_state(op, "m", m, p);
  check_state(op, "v", v, p);
  check_target(op, "p", p);
  check_target(op, "m", m);
  check_target(op, "v", v);
  const std::pair<const char*, const Tensor*> all[] = {{"p", &p}, {"g", &g0}, {"m", &m}, {"v", &v}};
  for (int i = 0; i < 4; ++i)
    for (int j = i + 1; j < 4; ++j)
      check_apart(op, all[i].first, *all[i].second, all[j].first, *all[j].second);
  check_range(op, "lr", lr, 0, 1e300);
  check_range(op, "beta_1", beta_1, 0, 1);
  check_range(op, "beta_2", beta_2, 0, 1);
  check_range(op, "epsilon", epsilon, 0, 1e300);
  check_range(op, "weight_decay", weight_decay, 0, 1e300);
  if (step < 1) raise<ValueError>("[adam_update] argument 'step' counts from 1, not ", step);
  Tensor g = contiguous(g0.detach());
  Single one(p, g, m.write(), v.write(), lr, weight_decay, step - 1);
  AdamArgs args{.dtype = p.dtype(),
                .decoupled = decoupled,
                .beta_1 = beta_1,
                .beta_2 = beta_2,
                .epsilon = epsilon,
                .segments = one.table(),
                .n_segments = 1,
                .loss = nullptr,
                .scalars = one.values()};
  launch(op, kernels().optim.adam, args, 1.0 * static_cast<double>(p.size()));
  one.check(op);
}

}  // namespace ops

// One arena with a 64-byte aligned slice for each parameter.
std::vector<Tensor> Update::place(bool keep_values) {
  constexpr int64_t line = 64;
  int64_t size = static_cast<int64_t>(itemsize(params_[0].dtype())), total = 0;
  auto padded = [&](const Tensor& p) { return (p.size() * size + line - 1) / line * line / size; };
  for (const Tensor& p : params_) total += padded(p);
  Tensor arena = empty_host({total}, params_[0].dtype());
  std::memset(arena.write(), 0, static_cast<size_t>(total * size));
  std::vector<Tensor> views;
  int64_t at = 0;
  for (const Tensor& p : params_) {
    Tensor v = arena.view(p.shape(), contiguous_strides(p.shape()), at);
    if (keep_values) ops::copy_into(p.detach(), v);
    views.push_back(v);
    at += padded(p);
  }
  return views;
}

Update::Update(const UpdateRule& rule, const std::vector<Tensor>& params) : rule_(rule), params_(params) {
  if (params_.empty()) raise<ValueError>("[Update] argument 'params' is empty");
  for (const Tensor& p : params_) {
    ops::require_float("Update", "params", p);
    ops::require_same_dtype("Update", "params", p, "params", params_[0]);
  }
  std::vector<Tensor> values = place(true);
  for (size_t i = 0; i < params_.size(); ++i) {
    TensorImpl& p = *params_[i].impl();
    p.storage = values[i].impl()->storage;
    p.data = values[i].impl()->data;
    p.strides = values[i].strides();
    p.contiguous = true;
  }
  grads_ = place(false);
  int slots = rule_.kind == UpdateRule::adam ? 2 : rule_.momentum > 0 ? 1 : 0;
  for (int i = 0; i < slots; ++i) slots_.push_back(place(false));
  scalars_ = empty_host({static_cast<int64_t>(sizeof(OptimScalars))}, DType::uint8);
  segments_ = empty_host({static_cast<int64_t>(sizeof(Segment) * params_.size())}, DType::uint8);
  OptimScalars scalars{.rate = 0.01, .step = 0, .skipped = 0, .finite = 1, .reserved = 0};
  std::memcpy(scalars_.write(), &scalars, sizeof scalars);
  auto* table = static_cast<Segment*>(segments_.write());
  for (size_t i = 0; i < params_.size(); ++i)
    table[i] = {.p = params_[i].impl()->data,
                .g = grads_[i].impl()->data,
                .s1 = slots > 0 ? slots_[0][i].impl()->data : nullptr,
                .s2 = slots > 1 ? slots_[1][i].impl()->data : nullptr,
                .n = params_[i].size(),
                .rate = 1,
                .decay = 0,
                .frozen = 0,
                .reserved = 0};
}

void Update::set_segment(size_t i, double rate, double decay, bool frozen) {
  if (i >= params_.size())
    raise<IndexError>("[Update] argument 'i' (", i, ") exceeds the ", params_.size(), " parameters");
  Segment& s = static_cast<Segment*>(segments_.write())[i];
  s.rate = rate;
  s.decay = decay;
  s.frozen = frozen;
}

OptimScalars& Update::scalars() { return *static_cast<OptimScalars*>(scalars_.write()); }

void Update::apply(const Tensor& loss) {
  if (loss.defined() && (loss.size() != 1 || loss.dtype() != params_[0].dtype()))
    raise<ValueError>("[Update.apply] argument 'loss' must be one ", dtype_name(params_[0].dtype()), ", not ",
                      dtype_name(loss.dtype()), " of shape ", loss.shape());
  // The table holds the addresses; touching the arenas here tells a recording what the launch uses.
  params_[0].write();
  grads_[0].read();
  for (auto& slot : slots_) slot[0].write();
  auto* table = static_cast<const Segment*>(segments_.read());
  auto* scalars = static_cast<OptimScalars*>(scalars_.write());
  const void* l = loss.defined() ? loss.read() : nullptr;
  double cost = 0;
  for (const Tensor& p : params_) cost += static_cast<double>(p.size());
  if (rule_.kind == UpdateRule::sgd) {
    SgdArgs args{.dtype = params_[0].dtype(),
                 .nesterov = rule_.nesterov,
                 .decoupled = rule_.decoupled,
                 .momentum = rule_.momentum,
                 .segments = table,
                 .n_segments = static_cast<int64_t>(params_.size()),
                 .loss = l,
                 .scalars = scalars};
    launch("sgd", ops::kernels().optim.sgd, args, 0.5 * cost);
  } else {
    AdamArgs args{.dtype = params_[0].dtype(),
                  .decoupled = rule_.decoupled,
                  .beta_1 = rule_.beta_1,
                  .beta_2 = rule_.beta_2,
                  .epsilon = rule_.epsilon,
                  .segments = table,
                  .n_segments = static_cast<int64_t>(params_.size()),
                  .loss = l,
                  .scalars = scalars};
    launch("adam", ops::kernels().optim.adam, args, cost);
  }
}

}  // namespace pl
