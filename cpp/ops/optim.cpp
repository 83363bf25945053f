// Optimizer steps in place on single arrays: the kernel API. A whole model's update is in update.cpp.
#include "ops/optim.h"

#include <cstring>

#include "ops/common.h"
#include "ops/update.h"

namespace pl::ops {
namespace {

// An array that a rule reads and writes beside p.
struct Slot {
  const char* name;
  const Tensor* array;
};

void check_shape(const char* op, const char* name, const Tensor& t, const char* other, const Shape& shape) {
  if (!(t.shape() == shape))
    raise<ValueError>("[", op, "] argument '", name, "' has shape ", t.shape(), ", '", other, "' ", shape);
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

void check_step(const char* op, int64_t step) {
  if (step < 1) raise<ValueError>("[", op, "] argument 'step' counts from 1, not ", step);
}

OptimHyper constants(OptimRule rule) {
  return {.rule = rule,
          .nesterov = false,
          .amsgrad = false,
          .centered = false,
          .decoupled = false,
          .momentum = 0,
          .rho = 0,
          .beta_1 = 0,
          .beta_2 = 0,
          .epsilon = 0};
}

void check_constants(const char* op, const OptimHyper& h) {
  check_range(op, "momentum", h.momentum, 0, 1);
  check_range(op, "rho", h.rho, 0, 1);
  check_range(op, "beta_1", h.beta_1, 0, 1);
  check_range(op, "beta_2", h.beta_2, 0, 1);
  check_range(op, "epsilon", h.epsilon, 0, 1e300);
}

// p and its slots, as one segment and the scalars of a single step.
class Single {
 public:
  Single(const char* op, const OptimHyper& hyper, const Tensor& p, const Tensor& g,
         std::initializer_list<Slot> slots, double lr, double decay, int64_t step)
      : op_(op) {
    require_float(op, "p", p);
    check_target(op, "p", p);
    require_same_dtype(op, "g", g, "p", p);
    check_apart(op, "p", p, "g", g);
    const Slot* before[kMaxSlots];
    int count = 0;
    for (const Slot& slot : slots) {
      if (!slot.array) continue;
      const Tensor& t = *slot.array;
      require_same_dtype(op, slot.name, t, "p", p);
      check_shape(op, slot.name, t, "p", p.shape());
      check_target(op, slot.name, t);
      check_apart(op, "p", p, slot.name, t);
      check_apart(op, "g", g, slot.name, t);
      for (int i = 0; i < count; ++i) check_apart(op, before[i]->name, *before[i]->array, slot.name, t);
      before[count++] = &slot;
    }
    check_range(op, "lr", lr, 0, 1e300);
    check_range(op, "weight_decay", decay, 0, 1e300);
    check_constants(op, hyper);
    g_ = contiguous(g.detach());
    segment_ = {.p = p.write(),
                .g = g_.read(),
                .slots = {},
                .sum = nullptr,
                .average = nullptr,
                .n = p.size(),
                .rate = 1,
                .decay = decay,
                .frozen = 0,
                .reserved = 0};
    for (int i = 0; i < count; ++i) segment_.slots[i] = before[i]->array->write();
    scalars_ = fresh_scalars(lr, step - 1);
    if (!recorder() && current_device() == Device::cpu) return;
    kept_segment_ = lasting_bytes(&segment_, sizeof segment_);
    kept_scalars_ = lasting_bytes(&scalars_, sizeof scalars_);
    if (recorder()) kept_scalars_ = copy(kept_scalars_);  // a launch: each replay counts from the same step
  }

  const Segment& values() const { return segment_; }
  const Segment* segment() const {
    return kept_segment_.defined() ? static_cast<const Segment*>(kept_segment_.read()) : &segment_;
  }
  OptimScalars* scalars() {
    return kept_scalars_.defined() ? static_cast<OptimScalars*>(kept_scalars_.write()) : &scalars_;
  }
  void check() {
    if (kept_scalars_.defined() && !recorder())
      copy_bytes(&scalars_, Device::cpu, kept_scalars_.impl()->data, kept_scalars_.device(), sizeof scalars_);
    if (!scalars_.finite)
      raise<ValueError>("[", op_, "] argument 'g' has values that are not finite; 'p' was left as it was");
  }

 private:
  const char* op_;
  Tensor g_, kept_segment_, kept_scalars_;
  Segment segment_;
  OptimScalars scalars_;
};

void update_one(const char* op, const OptimHyper& hyper, const Tensor& p, const Tensor& g,
                std::initializer_list<Slot> slots, double lr, double decay, int64_t step = 1) {
  require_float(op, "p", p);
  require_same_dtype(op, "g", g, "p", p);
  check_shape(op, "g", g, "p", p.shape());
  Single one(op, hyper, p, g, slots, lr, decay, step);
  OptimArgs args{.dtype = p.dtype(),
                 .clip = Clip::none,
                 .hyper = hyper,
                 .clip_at = 0,
                 .ema = 0,
                 .overwrite = 0,
                 .accumulate = 1,
                 .segments = one.segment(),
                 .n_segments = 1,
                 .loss = nullptr,
                 .workspace = nullptr,
                 .scalars = one.scalars()};
  launch(op, kernels().optim.update, args, update_cost(hyper) * static_cast<double>(p.size()));
  one.check();
}

// p (rows, ...), ids (...) of an integer type, g ids.shape + p.shape[1:].
void update_rows(const char* op, const OptimHyper& hyper, const Tensor& p, const Tensor& ids0,
                 const Tensor& g, std::initializer_list<Slot> slots, double lr, double decay,
                 int64_t step = 1) {
  require_float(op, "p", p);
  if (p.ndim() == 0) raise<ValueError>("[", op, "] argument 'p' has no rows");
  if (!is_integer(ids0.dtype()))
    raise<TypeError>("[", op, "] argument 'ids' must be uint8, int32 or int64, not ",
                     dtype_name(ids0.dtype()));
  Shape rows = ids0.shape();
  int64_t cols = 1;
  for (int i = 1; i < p.ndim(); ++i) {
    rows.push_back(p.shape()[i]);
    cols *= p.shape()[i];
  }
  if (!(g.shape() == rows))
    raise<ValueError>("[", op, "] argument 'g' has shape ", g.shape(), ", expected ", rows,
                      ": a row of 'p' for each of 'ids' ", ids0.shape());
  Single one(op, hyper, p, g, slots, lr, decay, step);
  Tensor ids = contiguous(ids0.detach());
  Tensor workspace = empty({4 * ids.size()}, DType::int64);
  IdCheck check(op, "ids");
  SparseOptimArgs args{.dtype = p.dtype(),
                       .id_dtype = ids.dtype(),
                       .hyper = hyper,
                       .table = one.values(),
                       .rows = p.shape()[0],
                       .cols = cols,
                       .n = ids.size(),
                       .ids = ids.read(),
                       .workspace = static_cast<int64_t*>(workspace.write()),
                       .status = check.status(),
                       .scalars = one.scalars()};
  launch(op, kernels().optim.sparse, args, 2 * update_cost(hyper) * static_cast<double>(g.size()));
  check.check();
  one.check();
}

OptimHyper sgd_constants(const char* op, double momentum, bool has_velocity, bool nesterov) {
  if (momentum > 0 && !has_velocity)
    raise<ValueError>("[", op, "] argument 'velocity' is needed with momentum");
  OptimHyper h = constants(OptimRule::sgd);
  h.momentum = momentum;
  h.nesterov = nesterov;
  return h;
}

OptimHyper adam_constants(OptimRule rule, double beta_1, double beta_2, double epsilon) {
  OptimHyper h = constants(rule);
  h.beta_1 = beta_1;
  h.beta_2 = beta_2;
  h.epsilon = epsilon;
  return h;
}

const Tensor* pointer(const OptTensor& t) { return t ? &*t : nullptr; }

}  // namespace

void sgd_update(const Tensor& p, const Tensor& g, double lr, double momentum, const OptTensor& velocity,
                bool nesterov, double weight_decay) {
  const OptimHyper h = sgd_constants("sgd_update", momentum, velocity.has_value(), nesterov);
  update_one("sgd_update", h, p, g, {{"velocity", pointer(velocity)}}, lr, weight_decay);
}

void adam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, int64_t step, double lr,
                 double beta_1, double beta_2, double epsilon, double weight_decay, bool decoupled,
                 const OptTensor& vhat) {
  check_step("adam_update", step);
  OptimHyper h = adam_constants(OptimRule::adam, beta_1, beta_2, epsilon);
  h.decoupled = decoupled;
  h.amsgrad = vhat.has_value();
  update_one("adam_update", h, p, g, {{"m", &m}, {"v", &v}, {"vhat", pointer(vhat)}}, lr, weight_decay, step);
}

void adagrad_update(const Tensor& p, const Tensor& g, const Tensor& accumulator, double lr, double epsilon,
                    double weight_decay) {
  OptimHyper h = constants(OptimRule::adagrad);
  h.epsilon = epsilon;
  update_one("adagrad_update", h, p, g, {{"accumulator", &accumulator}}, lr, weight_decay);
}

void adadelta_update(const Tensor& p, const Tensor& g, const Tensor& accumulated_grad,
                     const Tensor& accumulated_delta, double lr, double rho, double epsilon,
                     double weight_decay) {
  OptimHyper h = constants(OptimRule::adadelta);
  h.rho = rho;
  h.epsilon = epsilon;
  update_one("adadelta_update", h, p, g,
             {{"accumulated_grad", &accumulated_grad}, {"accumulated_delta", &accumulated_delta}}, lr,
             weight_decay);
}

void rmsprop_update(const Tensor& p, const Tensor& g, const Tensor& v, double lr, double rho, double momentum,
                    double epsilon, const OptTensor& velocity, const OptTensor& average,
                    double weight_decay) {
  const char* op = "rmsprop_update";
  if (momentum > 0 && !velocity) raise<ValueError>("[", op, "] argument 'velocity' is needed with momentum");
  OptimHyper h = constants(OptimRule::rmsprop);
  h.rho = rho;
  h.momentum = momentum;
  h.epsilon = epsilon;
  h.centered = average.has_value();
  const Tensor* used = momentum != 0 ? pointer(velocity) : nullptr;
  update_one(op, h, p, g, {{"v", &v}, {"average", pointer(average)}, {"velocity", used}}, lr, weight_decay);
}

void adamax_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& u, int64_t step,
                   double lr, double beta_1, double beta_2, double epsilon, double weight_decay) {
  check_step("adamax_update", step);
  const OptimHyper h = adam_constants(OptimRule::adamax, beta_1, beta_2, epsilon);
  update_one("adamax_update", h, p, g, {{"m", &m}, {"u", &u}}, lr, weight_decay, step);
}

void nadam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, int64_t step, double lr,
                  double beta_1, double beta_2, double epsilon, double weight_decay) {
  check_step("nadam_update", step);
  const OptimHyper h = adam_constants(OptimRule::nadam, beta_1, beta_2, epsilon);
  update_one("nadam_update", h, p, g, {{"m", &m}, {"v", &v}}, lr, weight_decay, step);
}

void lion_update(const Tensor& p, const Tensor& g, const Tensor& m, double lr, double beta_1, double beta_2,
                 double weight_decay) {
  const OptimHyper h = adam_constants(OptimRule::lion, beta_1, beta_2, 0);
  update_one("lion_update", h, p, g, {{"m", &m}}, lr, weight_decay);
}

void sparse_sgd_update(const Tensor& p, const Tensor& ids, const Tensor& g, double lr, double momentum,
                       const OptTensor& velocity, bool nesterov, double weight_decay) {
  const OptimHyper h = sgd_constants("sparse_sgd_update", momentum, velocity.has_value(), nesterov);
  update_rows("sparse_sgd_update", h, p, ids, g, {{"velocity", pointer(velocity)}}, lr, weight_decay);
}

void sparse_adam_update(const Tensor& p, const Tensor& ids, const Tensor& g, const Tensor& m, const Tensor& v,
                        int64_t step, double lr, double beta_1, double beta_2, double epsilon,
                        double weight_decay) {
  check_step("sparse_adam_update", step);
  const OptimHyper h = adam_constants(OptimRule::adam, beta_1, beta_2, epsilon);
  update_rows("sparse_adam_update", h, p, ids, g, {{"m", &m}, {"v", &v}}, lr, weight_decay, step);
}

void sparse_adagrad_update(const Tensor& p, const Tensor& ids, const Tensor& g, const Tensor& accumulator,
                           double lr, double epsilon, double weight_decay) {
  OptimHyper h = constants(OptimRule::adagrad);
  h.epsilon = epsilon;
  update_rows("sparse_adagrad_update", h, p, ids, g, {{"accumulator", &accumulator}}, lr, weight_decay);
}

}  // namespace pl::ops
