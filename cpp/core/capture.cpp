#include "core/capture.h"

#include <chrono>
#include <cstdlib>

namespace pl {
namespace {
thread_local Recorder* current = nullptr;
GilHooks gil;
constexpr double kReleaseCost = 20e3;  // ns: shorter work is over before another thread would get the GIL

[[noreturn]] void raise_failed_matrix(const Status& s, const char* op, const std::string& argument) {
  std::ostringstream what;
  switch (s.code) {
    case Status::not_positive_definite: what << "is not positive definite: leading minor " << s.value; break;
    case Status::singular: what << "is singular: no pivot in row " << s.value; break;
    case Status::not_finite: what << "holds NaN or infinity"; break;
    default: what << "did not converge: value " << s.value; break;
  }
  if (s.position > 0) what << " (matrix " << s.position << " of the batch)";
  raise<LinAlgError>("[", op, "] argument '", argument, "' ", what.str());
}

[[noreturn]] void raise_status(const Status& s, const char* op, const std::string& argument) {
  if (s.code != Status::index_out_of_range) raise_failed_matrix(s, op, argument);
  raise<IndexError>("[", op, "] argument '", argument, "': ", s.value, " at flat position ", s.position,
                    " is out of range for ", s.bound, " (valid: 0 to ", s.bound - 1, ")");
}
}  // namespace

Recorder* recorder() { return current; }
Recorder* set_recorder(Recorder* r) { return std::exchange(current, r); }
void set_gil_hooks(GilHooks hooks) { gil = hooks; }

GilRelease::GilRelease(double cost) {
  if (cost > kReleaseCost && gil.release) state_ = gil.release();
}
GilRelease::~GilRelease() {
  if (state_) gil.acquire(state_);
}

void raise_if_interrupted() {
  if (!interrupted()) return;
  clear_interrupted();
  throw Interrupted();
}

// The eager run before left in the global pool what the recording takes once more from its own.
Recorder::Recorder() : plan_(make<Plan>()) {
  if (plan_->device != Device::cpu) synchronize();  // what is freed may still be in use
  Pool::here().trim();
  plan_->pool = make<Pool>(Pool::here().place());
}

void Recorder::touch(Storage& storage, bool written) {
  const bool own = storage.pool() == plan_->pool.get();
  touches_.push_back({storage.serial(), storage.data(), storage.bytes(), written, own});
  if (own) return;
  auto [it, inserted] = touched_.try_emplace(&storage, false);
  if (inserted) plan_->external.emplace_back(&storage);
  if (written && !it->second) {
    it->second = true;
    plan_->written.emplace_back(&storage);
  }
}

void Plan::add(Launch launch, const void* args, size_t size) {
  size_t at = (arguments.size() + 15) / 16 * 16;
  arguments.resize(at + size);
  std::memcpy(arguments.data() + at, args, size);
  launch.args = static_cast<uint32_t>(at);
  launch.size = static_cast<uint32_t>(size);
  launches.push_back(launch);
}

void Recorder::add(Launch launch, const void* args, size_t size, double cost) {
  plan_->add(launch, args, size);
  plan_->cost += cost;
  ends_.push_back(touches_.size());
}

namespace {
// A fresh status word that kernels of any device can write.
Tensor shared_status() {
  Tensor t = empty_shared({static_cast<int64_t>(sizeof(Status))}, DType::uint8);
  new (t.impl()->data) Status;
  return t;
}
Status* status_in(const Tensor& t) { return reinterpret_cast<Status*>(t.impl()->data); }
}  // namespace

Status* Recorder::status(const char* op, const char* argument) {
  plan_->checks.push_back({shared_status(), op, argument});
  return status_in(plan_->checks.back().status);
}

void Plan::run_launches(double* seconds) {
  using Clock = std::chrono::steady_clock;
  const Stream stream = current_stream();
  for (const Launch& l : launches) {
    const auto start = seconds ? Clock::now() : Clock::time_point();
    l.call(l.kernel, stream, arguments.data() + l.args);
    if (seconds) {
      if (device != Device::cpu) synchronize();
      *seconds++ = std::chrono::duration<double>(Clock::now() - start).count();
    }
    if (interrupted()) break;
  }
}

namespace {
bool graphs_wanted() {
  static const bool wanted = [] {
    const char* v = std::getenv("PYLEARN_CUDA_GRAPH");
    return !v || std::strcmp(v, "0") != 0;
  }();
  return wanted;
}
}  // namespace

void Plan::run(double* seconds) {
  DeviceScope scope(device);
  if (device == Device::cpu) {
    GilRelease unlocked(cost);
    run_launches(seconds);
  } else if (seconds || !graphs_wanted()) {
    run_launches(seconds);
    check_launch("of a recorded step");
  } else {
    const DeviceRuntime& d = *device_runtime();
    if (!graph_) {
      check_device(d.begin_graph(d.stream), "recording a graph");
      run_launches(nullptr);
      check_device(d.end_graph(d.stream, &graph_), "recording a graph");
      check_launch("of a recorded step");
    }
    check_device(d.run_graph(graph_, d.stream), "running a graph");
  }
  for (auto& s : written) s->bump();
  raise_if_interrupted();
  if (device == Device::cpu) check();
}

void Plan::check() {
  if (device != Device::cpu) synchronize();
  for (Check& c : checks) {
    Status& status = *status_in(c.status);
    if (status.code == Status::ok) continue;
    const Status s = std::exchange(status, Status{});
    raise_status(s, c.op, c.argument);
  }
}

Plan::~Plan() {
  if (graph_) device_runtime()->free_graph(graph_);
}

StatusCheck::StatusCheck(const char* op, const char* argument) : op_(op), argument_(argument) {
  if (Recorder* r = recorder()) {
    status_ = r->status(op, argument);
  } else if (current_device() == Device::cpu) {
    status_ = &local_;
  } else {
    shared_ = shared_status();
    status_ = status_in(shared_);
  }
}

void StatusCheck::check() const {
  if (current_device() != Device::cpu) synchronize();
  if (status_->code == Status::ok) return;
  Status s = std::exchange(*status_, Status{});
  raise_status(s, op_, argument_);
}

}  // namespace pl
