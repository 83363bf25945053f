// pylearn._core: the extension module.
#include "bindings/module.h"

#include <cxxabi.h>
#include <unistd.h>

#include "bindings/convert.h"
#include "core/capture.h"
#include "core/parallel.h"
#include "core/runtime.h"
#include "kernels/backend.h"
#include "ops/transfer.h"

namespace pl {
namespace {

const char* const kOps[] = {
#define OP(name, family) #name,
#include "ops/ops.def"
#undef OP
};

// Python ends a thread that asks for the GIL while the interpreter shuts down by unwinding it, which no destructor on
// the way survives. Such a thread (a daemon inside a kernel) stops here instead, until the process is gone.
template <class F>
auto or_stop_at_exit(F take_gil) {
#ifdef __GLIBCXX__
  try {
    return take_gil();
  } catch (abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  return take_gil();
#endif
}

// Runs on the thread that called a parallel_for, without the GIL.
bool poll_signals() {
  if (!Py_IsInitialized()) return false;
  return or_stop_at_exit([] {
    py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
  });
}

py::dict info() {
  py::list isas;
  int n;
  const IsaInfo* list = compiled_isas(&n);
  for (int i = 0; i < n; ++i)
    if (list[i].usable) isas.append(list[i].name);
  py::dict d;
  d["version"] = PYLEARN_VERSION;
  d["isa"] = cpu_kernels().isa;
  d["isas"] = isas;
  d["threads"] = num_threads();
  const DeviceReport& cuda = cuda_report();
  d["cuda"] = cuda.usable ? std::string(cuda.info.name) : "not available: " + cuda.why;
  return d;
}

// What became of the CUDA library, and the kernels it lacks.
py::dict cuda_info() {
  const DeviceReport& r = cuda_report();
  py::dict d;
  d["usable"] = r.usable;
  d["library"] = r.library;
  d["why"] = r.why;
  if (!r.usable) return d;
  d["name"] = r.info.name;
  d["emulated"] = device_runtime()->emulated;
  d["capability"] = py::make_tuple(r.info.major, r.info.minor);
  d["multiprocessors"] = r.info.multiprocessors;
  d["memory"] = r.info.memory;
  d["driver"] = r.info.driver;
  d["runtime"] = r.info.runtime;
  d["build"] = r.backend->build;
  py::list missing;
  int n;
  const KernelField* fields = kernel_fields(&n);
  for (int i = 0; i < n; ++i)
    if (!field_of(*r.backend->kernels, fields[i])) missing.append(fields[i].name);
  d["missing"] = missing;
  return d;
}

}  // namespace
}  // namespace pl

PYBIND11_MODULE(_core, m) {
  using namespace pl;
  m.doc() = "The compiled core of pylearn: tensors, ops, autograd, capture.";
  py::register_exception_translator([](std::exception_ptr p) {
    if (!p) return;
    try {
      std::rethrow_exception(p);
    } catch (const Error&) {
      set_python_error();
    } catch (const Interrupted&) {
      set_python_error();
    }
  });
  set_gil_hooks({.release = []() -> void* { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
                 .acquire =
                     [](void* state) {
                       or_stop_at_exit([state] { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); });
                     }});
  set_interrupt_poll(poll_signals);
  cpu_kernels();  // an unusable PYLEARN_ISA is told at import

  bind_tensor(m);
  bind_dlpack(m);
  bind_elementwise(m);
  bind_ops(m);
  bind_loss(m);
  bind_norm(m);
  bind_attention(m);
  bind_random(m);
  bind_decomp(m);
  bind_conv(m);
  bind_embed(m);
  bind_sort(m);
  bind_pool(m);
  bind_resize(m);
  bind_rnn(m);
  bind_optim(m);
  bind_autograd(m);
  bind_capture(m);
  bind_update(m);
  bind_text(m);
  bind_ceiling(m);

  m.def(
      "op_names",
      [] {
        py::list names;
        for (const char* name : kOps) names.append(name);
        return names;
      },
      "The names in ops.def.");
  m.def("info", &info, "Version, ISA in use, ISAs usable here, threads, and why there is no CUDA.");
  m.def("num_threads", &num_threads, "Threads that kernels may use.");
  m.def(
      "set_num_threads",
      [](py::handle n) {
        int64_t v = Call("set_num_threads").integer("n", n);
        if (v < 1 || v > kMaxThreads)
          raise<ValueError>("[set_num_threads] argument 'n' must be 1 to ", kMaxThreads, ", not ", v);
        set_num_threads(static_cast<int>(v));
      },
      py::arg("n"), "Use n threads from now on; results do not depend on it.");
  m.def(
      "memory",
      [] {
        py::dict d;
        d["held"] = Pool::here().held_bytes();
        d["used"] = Pool::here().used_bytes();
        return d;
      },
      "Bytes that the allocator of the thread's device holds from the system, and uses.");
  m.def(
      "trim_memory",
      [] {
        synchronize();
        Pool::here().trim();
      },
      "Give unused memory of the thread's device back to the system.");
  m.def("cuda_info", &cuda_info, "What became of the CUDA library, and which kernels it lacks.");
  m.def(
      "move_to_device",
      [](const Tensor& t, py::handle device) { ops::move_to_device(t, device_of("to", "device", device)); },
      py::arg("t"), py::arg("device"), "The same Tensor object with its elements on that device.");
  m.def("current_device", [] { return device_name(current_device()); });
  m.def(
      "set_device",
      [](py::handle device) { return device_name(set_current_device(device_of("device", "name", device))); },
      py::arg("name"), "New arrays of this thread are made there from now on; returns what held before.");
  m.def(
      "synchronize",
      [] {
        GilRelease unlocked(1e9);
        synchronize();
      },
      "Wait until the device has done all that was asked of it.");
}
