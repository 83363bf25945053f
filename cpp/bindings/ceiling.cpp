// The machine's ceilings, measured by our own kernels: what benchmarks give their fractions of.
#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "core/parallel.h"
#include "kernels/table.h"

namespace pl {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& run) {
  const auto start = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double duration(const char* where, py::handle h) {
  const double seconds = Call(where).real("seconds", h);
  if (!(seconds > 0 && seconds <= 60))
    raise<ValueError>("[", where, "] argument 'seconds' must lie in (0, 60], not ", seconds);
  return seconds;
}

// The shortest of the runs that fit into `seconds`, at least three; Ctrl-C ends it between two.
double shortest(double seconds, const std::function<void()>& run) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  double best = 0;
  for (int i = 0; i < 3 || Clock::now() < end; ++i) {
    double took;
    {
      py::gil_scoped_release release;
      took = seconds_of(run);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    best = i == 0 ? took : std::min(best, took);
  }
  return best;
}

double fma_peak(py::handle seconds_arg) {
  const double seconds = duration("fma_peak", seconds_arg);
  const int threads = num_threads();
  std::vector<float> out(threads);
  FmaArgs args{
      .chunks = threads, .rounds = 100'000, .multiplier = 0.999f, .addend = 0.001f, .out = out.data()};
  int64_t flops = 0;
  const double best = shortest(seconds, [&] { flops = cpu_kernels().ceiling.fma({}, args); });
  return static_cast<double>(flops) / best;
}

py::dict stream(py::handle seconds_arg, py::handle bytes_arg) {
  const double seconds = duration("stream", seconds_arg);
  const int64_t bytes = Call("stream").integer("nbytes", bytes_arg);
  if (bytes < 4096 || bytes > (int64_t{1} << 34))
    raise<ValueError>("[stream] argument 'nbytes' must lie in [4096, 2**34], not ", bytes);
  const int64_t n = bytes / 4;
  std::vector<float> a(n), b(n, 1.0f), c(n, 2.0f);
  const StreamArgs args{.n = n, .scale = 1e-3f, .a = a.data(), .b = b.data(), .c = c.data()};
  const CeilingKernels& kernels = cpu_kernels().ceiling;
  py::dict rates;
  auto measure = [&](const char* name, int arrays, void (*kernel)(Stream, const StreamArgs&)) {
    const double best = shortest(seconds / 3, [&] { kernel({}, args); });
    rates[name] = static_cast<double>(arrays * n * 4) / best;
  };
  measure("copy", 2, kernels.copy);
  measure("triad", 3, kernels.triad);
  measure("update", 3, kernels.update);
  return rates;
}

}  // namespace

void bind_ceiling(py::module_& m) {
  m.def("fma_peak", &fma_peak, py::arg("seconds") = 0.2,
        "Floating-point operations a second, float32, of independent multiply-adds in registers on all "
        "threads: the best "
        "of many bursts. ValueError for a time outside (0, 60].");
  m.def("stream", &stream, py::arg("seconds") = 0.6, py::arg("nbytes") = int64_t{1} << 26,
        "Bytes a second to and from memory over arrays of nbytes each: copy (a = b), triad (a = b + s c), "
        "update (a += s "
        "b). Counts what the program reads and writes, as STREAM does: copy and triad also fetch the lines "
        "they write. "
        "ValueError for times and sizes out of range.");
}

}  // namespace pl
