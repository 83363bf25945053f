// What a kernel knows of the machine: where it runs, on which stream, and where it reports bad data.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pl {

enum class Device : uint8_t { cpu, cuda };

// The queue a kernel is put on. The CPU runs in order on the calling thread, so it needs no handle.
struct Stream {
  void* handle = nullptr;
};

// Memory, order and recorded graphs of a device other than the CPU. Functions that return int give 0 or an error code.
struct DeviceRuntime {
  bool emulated;  // kernels run on the host, for tests
  Stream stream;  // all work goes there, in order
  // The first error of this thread's launches since the last call, or 0.
  int (*error)();
  const char* (*error_text)(int code);

  int (*allocate)(void** p, size_t bytes);
  int (*free)(void* p);
  // Lets the device reach host memory, whole pages, at the same address: status words, states of generators.
  int (*share)(void* p, size_t bytes);
  // In order on the stream. to_device returns when `from` may change; to_host when the bytes are there.
  int (*to_device)(void* to, const void* from, size_t bytes, Stream stream);
  int (*to_host)(void* to, const void* from, size_t bytes, Stream stream);
  int (*copy)(void* to, const void* from, size_t bytes, Stream stream);
  int (*synchronize)(Stream stream);

  // What is launched between begin and end is written down, not run.
  int (*begin_graph)(Stream stream);
  int (*end_graph)(Stream stream, void** graph);
  int (*run_graph)(void* graph, Stream stream);
  int (*free_graph)(void* graph);
};

// Kernels neither throw nor stop at what only the data can tell (an id that is out of range, a singular matrix): they
// go on without it and note the first offender here. The caller raises once the kernel (or the replayed step) has
// returned.
struct Status {
  enum Code : int32_t {
    ok = 0,
    index_out_of_range,
    not_positive_definite,
    singular,
    not_finite,  // an iteration that was given NaN or infinity
    not_converged,
  };
  int32_t code = ok;
  int64_t position = 0;  // flat position of the id in its array; of a matrix, its number in the batch
  int64_t value = 0;     // the id; of a matrix, the leading minor, row or eigenvalue that failed, from 1
  int64_t bound = 0;     // ids must be in [0, bound)
};

}  // namespace pl
