// Elements by position along one axis, and counts. Positions outside [0, rows) (negative ones wrapped where `wrap`) are
// skipped, and the first is noted in status.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// gather_along:  y[o, i, c] = x[o, ids[o, i, c], c]; in = x (outer, rows, inner), out = y (outer, n, inner)
// scatter_along: dx[o, r, c] = the sum of dy[o, i, c] over the i with ids[o, i, c] = r; in = dy, out = dx (floats)
struct AlongArgs {
  DType dtype;
  DType id_dtype;
  bool wrap;
  int64_t outer, rows, inner, n;
  const void* in;
  const void* ids;
  void* out;
  Status* status;
};

// y[r] = the number of ids equal to r, as int64, or the sum of their weights; y (length).
struct BincountArgs {
  DType dtype;  // of the weights
  DType id_dtype;
  int64_t n, length;
  const void* ids;
  const void* weights;  // or null
  void* y;
  void* work;  // bincount_workspace() bytes
  Status* status;
};

struct IndexKernels {
  void (*gather_along)(Stream, const AlongArgs&);
  void (*scatter_along)(Stream, const AlongArgs&);
  void (*bincount)(Stream, const BincountArgs&);
  int64_t (*bincount_workspace)(const BincountArgs&);
};

}  // namespace pl
