// What a kernel knows of the machine: where it runs, on which stream, and where it reports bad data.
#pragma once
#include <cstdint>

namespace pl {

enum class Device : uint8_t { cpu, cuda };

// The queue a kernel is put on. The CPU runs in order on the calling thread, so it needs no handle.
struct Stream {
  void* handle = nullptr;
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
