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

// dx[o, ids[i], :] += dy[o, i, :], in the order of i; dx (outer, rows, inner) has been zeroed by the caller.
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

struct EmbedKernels {
  void (*gather)(Stream, const GatherArgs&);
  void (*scatter_add)(Stream, const ScatterAddArgs&);
};

}  // namespace pl
