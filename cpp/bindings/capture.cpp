// Recording and replaying a step, for pylearn/capture.py and pylearn/training.
#include <algorithm>
#include <mutex>
#include <set>

#include "bindings/convert.h"
#include "bindings/module.h"

#include <pybind11/stl.h>
#include "core/capture.h"
#include "ops/common.h"
#include "ops/fuse.h"

namespace pl {
namespace {

// What a step writes outside its own memory, at one moment.
struct State {
  std::vector<std::vector<std::byte>> bytes;
};

class PyPlan {
 public:
  ~PyPlan() {
    if (recorder_ && recorder() == recorder_.get()) set_recorder(nullptr);
  }

  std::vector<Tensor> begin(const py::iterable& inputs) {
    if (recorder_ || plan_) raise<RuntimeError>("[Plan.begin] a Plan is recorded once");
    if (recorder()) raise<RuntimeError>("[Plan.begin] another step is being recorded in this thread");
    Call c("Plan.begin");
    std::vector<Tensor> places;
    for (py::handle h : inputs) {
      Tensor x = c.tensor("inputs", h);
      Tensor place = empty_lasting(x.shape(), x.dtype());
      ops::copy_into(x, place);
      places.push_back(place);
    }
    recorder_ = std::make_unique<Recorder>();
    set_recorder(recorder_.get());
    recorder_->plan().inputs = places;
    std::vector<Tensor> handles;  // the step sees other handles, so that nothing it hangs on them stays
    for (const Tensor& p : places) handles.push_back(p.detach());
    return handles;
  }

  // '' when the plan can be run, else why not.
  std::string end(const py::iterable& outputs) {
    if (!recorder_) raise<RuntimeError>("[Plan.end] nothing is being recorded");
    if (recorder() == recorder_.get()) set_recorder(nullptr);
    Ref<Plan> plan = recorder_->finish();
    std::string reason = recorder_->reason();
    const std::unique_ptr<Recorder> recording = std::move(recorder_);
    std::set<Storage*> kept;
    for (py::handle h : outputs) {
      plan->outputs.push_back(h.cast<Tensor&>().detach());
      Storage* s = &plan->outputs.back().storage();
      if (s->pool() == plan->pool.get()) kept.insert(s);
    }
    if (reason.empty() && plan->pool->live_blocks() != kept.size())
      reason =
          "tensors made inside the step are still referred to from outside it, and a replay would overwrite "
          "them";
    if (!reason.empty()) return reason;
    ops::fuse(*recording, plan->outputs);
    if (plan->device != Device::cpu) feed_status_ = recording->status("fit", "index");
    plan_ = plan;
    return "";
  }

  std::vector<Tensor> run(const py::iterable& inputs, bool copy) {
    Plan& plan = ready("Plan.run");
    Lock lock(*this);
    DeviceScope scope(plan.device);
    Call c("Plan.run");
    size_t i = 0;
    for (py::handle h : inputs) {
      Tensor x = c.tensor("inputs", h);
      if (i >= plan.inputs.size() || !(x.shape() == plan.inputs[i].shape()))
        raise<ValueError>("[Plan.run] argument 'inputs': number ", i, " of shape ", x.shape(),
                          " was not recorded so");
      ops::copy_into(x, plan.inputs[i]);
      ++i;
    }
    if (i != plan.inputs.size())
      raise<ValueError>("[Plan.run] argument 'inputs' has ", i, " arrays, recorded were ",
                        plan.inputs.size());
    plan.run();
    if (copy && plan.device != Device::cpu) plan.check();
    return results(plan, copy);
  }

  // Input i is rows index[begin:end] of source i (rows begin:end without an index), cast to what was recorded.
  std::vector<Tensor> run_rows(const py::iterable& sources, py::handle index, int64_t begin, int64_t end) {
    Plan& plan = ready("Plan.run_rows");
    Lock lock(*this);
    DeviceScope scope(plan.device);
    Call c("Plan.run_rows");
    Tensor ids;
    if (!index.is_none()) {
      ids = c.tensor("index", index);
      if (ids.dtype() != DType::int64 || ids.ndim() != 1 || !ids.is_contiguous())
        raise<TypeError>("[Plan.run_rows] argument 'index' must be a contiguous int64 vector");
      if (begin < 0 || end < begin || end > ids.size())
        raise<IndexError>("[Plan.run_rows] rows ", begin, ":", end, " of an index of ", ids.size());
    }
    size_t i = 0;
    for (py::handle h : sources) {
      Tensor source = c.tensor("sources", h);
      if (i >= plan.inputs.size())
        raise<ValueError>("[Plan.run_rows] argument 'sources' has too many arrays");
      feed(source, ids, begin, end, i++);
    }
    if (i != plan.inputs.size()) raise<ValueError>("[Plan.run_rows] argument 'sources' has too few arrays");
    plan.run();
    return results(plan, false);
  }

  // Batches of rows index[begin:], `count` of them in one go. Their places in the index are copied to where the graph
  // reads them, so one graph serves every window of an epoch.
  void run_steps(const py::iterable& sources, py::handle index, int64_t begin, int64_t count) {
    Plan& plan = ready("Plan.run_steps");
    if (plan.device == Device::cpu) raise<RuntimeError>("[Plan.run_steps] is for plans of a device");
    Lock lock(*this);
    DeviceScope scope(plan.device);
    Call c("Plan.run_steps");
    const Tensor ids = c.tensor("index", index);
    std::vector<Tensor> arrays;
    std::vector<const void*> key;
    for (py::handle h : sources) {
      arrays.push_back(c.tensor("sources", h));
      key.push_back(arrays.back().impl()->data);
    }
    if (arrays.size() != plan.inputs.size() || arrays.empty())
      raise<ValueError>("[Plan.run_steps] argument 'sources' has ", arrays.size(), " arrays, recorded were ",
                        plan.inputs.size());
    const int64_t rows = plan.inputs[0].shape(0);
    if (ids.dtype() != DType::int64 || ids.ndim() != 1 || !ids.is_contiguous() || count < 1 || begin < 0 ||
        begin + count * rows > ids.size())
      raise<ValueError>("[Plan.run_steps] ", count, " batches of ", rows, " rows from ", begin,
                        " on need an int64 vector longer than ", ids.shape());
    if (window_.key != key || window_.count != count) {
      window_.free();
      window_.ids = empty_lasting({count * rows}, DType::int64);
      window_.key = key;
      window_.count = count;
    }
    ops::copy_into(ids.view({count * rows}, {1}, begin), window_.ids);
    const auto steps = [&] {
      for (int64_t k = 0; k < count; ++k) {
        for (size_t i = 0; i < arrays.size(); ++i) feed(arrays[i], window_.ids, k * rows, (k + 1) * rows, i);
        plan.run_launches();
      }
    };
    if (!graphs_wanted()) {
      steps();
    } else {
      if (!window_.graph) window_.graph = record_graph(steps);
      check_device(device_runtime()->run_graph(window_.graph, device_runtime()->stream), "running a graph");
    }
    plan.has_run();
  }

  void check() { ready("Plan.check").check(); }

  State save_state(int64_t at_most = -1) {
    Plan& plan = ready("Plan.save_state");
    State state;
    for (auto& s : plan.written) {
      const bool kept = at_most < 0 || static_cast<int64_t>(s->bytes()) <= at_most;
      state.bytes.push_back(contents(*s, kept ? s->bytes() : 0));
    }
    return state;
  }
  int64_t state_size() {
    int64_t size = 0;
    for (auto& s : ready("Plan.state_size").written) size += static_cast<int64_t>(s->bytes());
    return size;
  }
  void restore_state(const State& state) {
    Plan& plan = ready("Plan.restore_state");
    check(plan, state);
    for (size_t i = 0; i < state.bytes.size(); ++i) {
      overwrite(*plan.written[i], state.bytes[i]);
    }
  }
  void swap_state(State& state) {
    Plan& plan = ready("Plan.swap_state");
    check(plan, state);
    for (size_t i = 0; i < state.bytes.size(); ++i) {
      const std::vector<std::byte> now = contents(*plan.written[i], state.bytes[i].size());
      overwrite(*plan.written[i], std::exchange(state.bytes[i], now));
    }
  }
  bool state_equals(const State& state) {
    Plan& plan = ready("Plan.state_equals");
    check(plan, state);
    for (size_t i = 0; i < state.bytes.size(); ++i)
      if (contents(*plan.written[i], state.bytes[i].size()) != state.bytes[i]) return false;
    return true;
  }

  // (kernel, seconds) of each launch: medians of so many runs, whose effects are undone.
  std::vector<std::pair<std::string, double>> profile(int64_t rounds) {
    Plan& plan = ready("Plan.profile");
    if (rounds < 1 || rounds > 1000)
      raise<ValueError>("[Plan.profile] argument 'rounds' must lie in [1, 1000], not ", rounds);
    Lock lock(*this);
    const State before = save_state();
    const size_t n = plan.launches.size();
    std::vector<double> found(n * rounds);
    try {
      for (int64_t i = 0; i < rounds; ++i) plan.run(found.data() + i * n);
    } catch (...) {
      restore_state(before);
      throw;
    }
    restore_state(before);
    std::vector<std::pair<std::string, double>> out;
    std::vector<double> times(rounds);
    for (size_t k = 0; k < n; ++k) {
      for (int64_t i = 0; i < rounds; ++i) times[i] = found[i * n + k];
      std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
      out.emplace_back(plan.launches[k].name, times[rounds / 2]);
    }
    return out;
  }

  std::vector<std::string> launches() {
    std::vector<std::string> names;
    for (const Launch& l : ready("Plan.launches").launches) names.emplace_back(l.name);
    return names;
  }
  size_t memory() { return ready("Plan.memory").pool->held_bytes(); }

 private:
  // One run at a time; waits without the GIL, which the other run may need.
  struct Lock {
    explicit Lock(PyPlan& p) : plan(p) {
      if (plan.mutex_.try_lock()) return;
      py::gil_scoped_release release;
      plan.mutex_.lock();
    }
    ~Lock() { plan.mutex_.unlock(); }
    PyPlan& plan;
  };

  Plan& ready(const char* what) {
    if (!plan_) raise<RuntimeError>("[", what, "] nothing has been recorded");
    if (recorder()) raise<RuntimeError>("[", what, "] cannot run inside a step that is being recorded");
    return *plan_;
  }

  static std::vector<std::byte> contents(const Storage& s, size_t bytes) {
    std::vector<std::byte> out(bytes);
    if (s.place() == Place::shared) synchronize();
    copy_bytes(out.data(), Device::cpu, s.data(), s.device(), bytes);
    return out;
  }
  static void overwrite(Storage& s, const std::vector<std::byte>& bytes) {  // may be empty
    if (s.place() == Place::shared) synchronize();
    copy_bytes(s.data(), s.device(), bytes.data(), Device::cpu, bytes.size());
    s.bump();
  }

  static void check(const Plan& plan, const State& state) {
    bool fits = state.bytes.size() == plan.written.size();
    for (size_t i = 0; fits && i < state.bytes.size(); ++i)
      fits = state.bytes[i].empty() || state.bytes[i].size() == plan.written[i]->bytes();
    if (!fits) raise<ValueError>("[Plan] argument 'state' is of another plan");
  }

  static std::vector<Tensor> results(Plan& plan, bool copy) {
    if (!copy) return plan.outputs;
    std::vector<Tensor> out;
    for (const Tensor& t : plan.outputs) out.push_back(ops::copy(t));
    return out;
  }

  // On a device the rows' numbers are checked with the plan, by check(): waiting here would cost more than the step.
  void feed(const Tensor& source, const Tensor& ids, int64_t begin, int64_t end, size_t input) {
    const Tensor& place = plan_->inputs[input];
    Status* later = feed_status_;
    int64_t n = end - begin;
    Shape shape = source.shape();
    if (source.ndim() == 0 || (shape[0] = n, !(shape == place.shape())))
      raise<ValueError>("[Plan.run_rows] ", n, " rows of a source of shape ", source.shape(),
                        " do not fit the recorded ", place.shape());
    auto rows = [](const Tensor& t, int64_t from, int64_t count) {
      Shape s = t.shape();
      s[0] = count;
      return t.view(s, t.strides(), count == 0 ? 0 : from * t.strides()[0]);
    };
    if (!ids.defined()) {
      if (begin < 0 || end > source.shape(0))
        raise<IndexError>("[Plan.run_rows] rows ", begin, ":", end, " of a source of ", source.shape(0));
      return ops::copy_into(rows(source, begin, n), place);
    }
    if (source.is_contiguous()) {
      Tensor target = source.dtype() == place.dtype() ? place : staging(input, source.dtype());
      int64_t inner = source.shape(0) == 0 ? 0 : source.size() / source.shape(0);
      IdCheck check("fit", "index");
      GatherArgs args{.dtype = source.dtype(),
                      .id_dtype = DType::int64,
                      .wrap = false,
                      .outer = 1,
                      .rows = source.shape(0),
                      .inner = inner,
                      .n = n,
                      .x = source.read(),
                      .ids = ids.read<int64_t>() + begin,
                      .y = target.write(),
                      .status = later ? later : check.status()};
      launch("gather", ops::kernels().embed.gather, args, 0.3 * static_cast<double>(place.size()));
      if (!later) check.check();
      if (target.impl() != place.impl()) ops::copy_into(target, place);
      return;
    }
    const Tensor host_ids = to_host(ids);
    const auto* numbers = reinterpret_cast<const int64_t*>(host_ids.impl()->data);
    for (int64_t i = 0; i < n; ++i) {
      int64_t row = numbers[begin + i];
      if (row < 0 || row >= source.shape(0))
        raise<IndexError>("[Plan.run_rows] row ", row, " of a source of ", source.shape(0));
      ops::copy_into(rows(source, row, 1), rows(place, i, 1));
    }
  }

  // Rows of an input in their own type, before they are cast.
  const Tensor& staging(size_t input, DType dtype) {
    staging_.resize(plan_->inputs.size());
    Tensor& t = staging_[input];
    if (!t.defined() || t.dtype() != dtype) t = empty_lasting(plan_->inputs[input].shape(), dtype);
    return t;
  }

  // The graph of several steps, and what it was recorded for.
  struct Window {
    std::vector<const void*> key;  // where the sources lie
    int64_t count = 0;
    Tensor ids;
    void* graph = nullptr;
    void free() {
      if (!graph) return;
      synchronize();
      device_runtime()->free_graph(std::exchange(graph, nullptr));
    }
    ~Window() {
      if (graph) device_runtime()->free_graph(graph);
    }
  };

  std::unique_ptr<Recorder> recorder_;
  Ref<Plan> plan_;
  std::vector<Tensor> staging_;
  Window window_;
  Status* feed_status_ = nullptr;
  std::mutex mutex_;
};

}  // namespace

void bind_capture(py::module_& m) {
  py::class_<State>(m, "PlanState");
  py::class_<PyPlan>(
      m, "Plan",
      "A recorded step. begin(inputs) gives fixed places holding copies; what is computed from them until "
      "end(outputs) is written down; run() repeats it.")
      .def(py::init<>())
      .def("begin", &PyPlan::begin, py::arg("inputs"))
      .def("end", &PyPlan::end, py::arg("outputs"), "'' when the plan can be run, else why not.")
      .def("run", &PyPlan::run, py::arg("inputs"), py::arg("copy") = true)
      .def("run_rows", &PyPlan::run_rows, py::arg("sources"), py::arg("index"), py::arg("begin"),
           py::arg("end"), "Feed rows index[begin:end] of the sources and run; the outputs are not copied.")
      .def("run_steps", &PyPlan::run_steps, py::arg("sources"), py::arg("index"), py::arg("begin"),
           py::arg("count"),
           "On a device: that many batches of rows index[begin:] of the sources, as one graph.")
      .def(
          "check", [](PyPlan& p) { p.check(); },
          "Raises what kernels of earlier runs met: on a device, run_rows does not wait for it.")
      .def("save_state", &PyPlan::save_state, py::arg("at_most") = -1,
           "A copy of everything outside that the step writes; of arrays up to `at_most` bytes, if that is "
           "given.")
      .def("swap_state", &PyPlan::swap_state, py::arg("state"),
           "What is now and what was then change places.")
      .def_property_readonly("state_size", &PyPlan::state_size,
                             "Bytes of everything outside that the step writes.")
      .def("restore_state", &PyPlan::restore_state, py::arg("state"))
      .def("state_equals", &PyPlan::state_equals, py::arg("state"),
           "Is it now what it was then, bit for bit?")
      .def("profile", &PyPlan::profile, py::arg("rounds") = 9,
           "(kernel, seconds) of each launch, in order: medians of so many runs on the inputs of the last "
           "one, whose "
           "effects on weights and counters are undone. ValueError for rounds outside [1, 1000].")
      .def_property_readonly("launches", &PyPlan::launches, "The kernels called, in order.")
      .def_property_readonly("memory", &PyPlan::memory, "Bytes of the step's own memory.");
  m.def("set_fusion", &ops::set_fusion, py::arg("on"),
        "Whether neighbouring launches of steps recorded from now on are joined; returns what held before.");
  m.def("is_recording", [] { return recorder() != nullptr; });
  m.def(
      "abandon_recording",
      [](const std::string& why) {
        if (Recorder* r = recorder()) r->abandon(why);
      },
      py::arg("why"));
}

}  // namespace pl
