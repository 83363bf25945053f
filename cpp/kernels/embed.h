// Rows by id. Ids outside [0, rows) (negative ones have been wrapped by the caller's choice `wrap`) are skipped, the
// output row is zero, and the first offender is noted in status.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// y[o, i, :] = x[o, ids[i], :]      x (outer, rows, inner), ids (n), y (outer, n, inner), contiguous; any dtype.
struct GatherArgs {
  DType dtype;
  DType id_dtype;  // uint8, int32, int64
  bool wrap;       // ids in [-rows, rows), as in NumPy
  int64_t outer, rows, inner, n;
  const void* x;
  const void* ids;
  void* y;
  Status* status;
};

// dx[o, r, :] = the sum of dy[o, i, :] over the i with ids[i] = r, in their order; dx (outer, rows, inner).
struct ScatterAddArgs {
  DType dtype;  // float32, float64, int64, int32
  DType id_dtype;
  bool wrap;
  int64_t outer, rows, inner, n;
  const void* dy;
  const void* ids;
  void* dx;
  Status* status;
};

// The rows of a scatter that are not zero: unique (n) lists the distinct ids, growing, then -1; sums (n, inner) holds
// for each the sum of dy[i, :] over its i, in their order, then zeros. Ids below 0 are reported and left out.
struct SegmentSumArgs {
  DType dtype;  // float32, float64
  DType id_dtype;
  int64_t n, inner;
  const void* dy;  // (n, inner)
  const void* ids;
  void* unique;
  void* sums;
  void* work;  // segment_sum_workspace(n) bytes
  Status* status;
};

// y[i, :] = 0 but 1 at ids[i]; y (n, classes) of any dtype.
struct OneHotArgs {
  DType dtype;
  DType id_dtype;
  int64_t n, classes;
  const void* ids;
  void* y;
  Status* status;
};

struct EmbedKernels {
  void (*gather)(Stream, const GatherArgs&);
  void (*scatter_add)(Stream, const ScatterAddArgs&);
  void (*segment_sum)(Stream, const SegmentSumArgs&);
  int64_t (*segment_sum_workspace)(int64_t n);
  void (*one_hot)(Stream, const OneHotArgs&);
};

}  // namespace pl
