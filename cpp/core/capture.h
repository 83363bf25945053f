// Capture and replay. Every kernel call goes through launch(); while a step is recorded, launch() also writes the
// call down, and Plan::run() repeats the calls. Nothing is compiled: a replay runs the same kernels on the same
// addresses, so it gives the same bits.
#pragma once
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "core/device.h"
#include "core/parallel.h"
#include "core/runtime.h"
#include "core/tensor.h"

namespace pl {

using KernelFn = void (*)();  // of any argument struct; `call` knows which

struct Launch {
  const char* name;
  void (*call)(KernelFn, Stream, const void* args);
  KernelFn kernel;
  uint32_t args, size;  // offset into Plan::arguments, and bytes
};

// What a launch touched: a storage, known by its serial number, and where it lies.
struct Touch {
  uint64_t serial;
  const std::byte* data;
  size_t bytes;
  bool written;
  bool own;  // the step's own memory
};

// What a recording left behind.
class Plan : public RefCounted {
 public:
  ~Plan() override;
  // Repeats the launches. IndexError or LinAlgError when a kernel met an id out of range or a matrix that
  // fails; Interrupted on Ctrl-C, between launches. `seconds`, if given, takes the time of each launch.
  // On a device the work is only asked for (as one graph, unless PYLEARN_CUDA_GRAPH=0), and check() tells how it went.
  void run(double* seconds = nullptr);
  void check();
  void run_launches(double* seconds = nullptr);  // one by one
  void has_run();                                // what a run in other words leaves to do

  // Writes a launch down; where its arguments lie is found here.
  void add(Launch launch, const void* args, size_t size);

  std::vector<Launch> launches;
  std::vector<std::byte> arguments;
  std::deque<std::string> names;  // of launches that were joined
  double cost = 0;                // of one run, see launch()
  const Device device = current_device();
  Ref<Pool> pool;                      // the step's private memory
  std::vector<Ref<Storage>> external;  // everything else the launches touch, kept alive
  std::vector<Ref<Storage>> written;   // of those, what is written: the step's state
  struct Check {
    Tensor status;  // shared memory that holds a Status
    const char* op;
    std::string argument;
  };
  std::vector<Check> checks;
  std::vector<Tensor> inputs, outputs;  // fixed places, filled before and read after a run

 private:
  void* graph_ = nullptr;
};

// What f launches on the device, written down to be run as one; free it with the runtime's free_graph.
template <class F>
void* record_graph(const F& f) {
  const DeviceRuntime& d = *device_runtime();
  void* graph = nullptr;
  check_device(d.begin_graph(d.stream), "recording a graph");
  try {
    f();
  } catch (...) {
    d.end_graph(d.stream, &graph);
    if (graph) d.free_graph(graph);
    throw;
  }
  check_device(d.end_graph(d.stream, &graph), "recording a graph");
  return graph;
}
bool graphs_wanted();  // unless PYLEARN_CUDA_GRAPH=0

class Recorder {
 public:
  Recorder();
  Ref<Pool> pool() const { return plan_->pool; }
  Device device() const { return plan_->device; }
  Plan& plan() { return *plan_; }
  Ref<Plan> finish() { return plan_; }

  void touch(Storage& storage, bool written);
  // What launch i touched. The arrays read on the way to it are counted as its own.
  std::span<const Touch> touches(size_t i) const {
    return {touches_.data() + (i ? ends_[i - 1] : 0), touches_.data() + ends_[i]};
  }
  void add(Launch launch, const void* args, size_t size, double cost);
  Status* status(const char* op, const char* argument);
  // The recording cannot be used (a value was read, ...). The step itself goes on.
  void abandon(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
  }
  const std::string& reason() const { return reason_; }

 private:
  Ref<Plan> plan_;
  std::unordered_map<Storage*, bool> touched_;  // -> written
  std::vector<Touch> touches_;
  std::vector<size_t> ends_;  // of each launch's touches
  std::string reason_;
};

Recorder* recorder();                 // of the calling thread, or null
Recorder* set_recorder(Recorder* r);  // returns the one before

// Around kernels that take a while: lets other Python threads run. Installed by the bindings.
struct GilHooks {
  void* (*release)() = nullptr;
  void (*acquire)(void*) = nullptr;
};
void set_gil_hooks(GilHooks hooks);
class GilRelease {
 public:
  explicit GilRelease(double cost);
  ~GilRelease();
  GilRelease(const GilRelease&) = delete;

 private:
  void* state_ = nullptr;
};

void raise_if_interrupted();

// `cost` is about the nanoseconds one thread needs.
template <class Args>
void launch(const char* name, void (*kernel)(Stream, const Args&), const Args& args, double cost = 0) {
  static_assert(std::is_trivially_copyable_v<Args>);
  if (current_device() == Device::cpu) {
    GilRelease unlocked(cost);
    kernel(Stream{}, args);
  } else {
    if (!kernel) raise_missing_kernel(name);
    if (device_runtime()->emulated) check_arguments(name, &args, sizeof args);
    kernel(current_stream(), args);
    check_launch(name);
  }
  if (Recorder* r = recorder()) {
    auto call = [](KernelFn k, Stream stream, const void* a) {
      reinterpret_cast<void (*)(Stream, const Args&)>(k)(stream, *static_cast<const Args*>(a));
    };
    r->add({name, call, reinterpret_cast<KernelFn>(kernel), 0, 0}, &args, sizeof(Args), cost);
  }
  raise_if_interrupted();
}

// What only the kernel can check, ids or matrices: give it status(), and call check() after the launch.
class StatusCheck {
 public:
  StatusCheck(const char* op, const char* argument);
  Status* status() { return status_; }
  void check() const;

 private:
  const char* op_;
  const char* argument_;
  Status local_;
  Tensor shared_;  // on a device, in the place of local_
  Status* status_;
};
using IdCheck = StatusCheck;

}  // namespace pl
