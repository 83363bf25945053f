// Sorting along rows of contiguous arrays of any dtype. NaN is larger than every number, and all NaNs are equal.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// sort: x (rows, n) sorted along n, as values or as positions (one of them null); stable, also when descending.
// topk: the positions (rows, k) of the k largest of each row, the largest first, of equal ones the first.
struct SortArgs {
  DType dtype;
  bool descending;
  int64_t rows, n, k;
  const void* x;
  void* values;
  int64_t* indices;
  void* work;  // sort: sort_workspace() bytes
};

// y[i] = how many of sorted (n) are below values[i] (right: below or equal).
struct SearchArgs {
  DType dtype;
  bool right;
  int64_t n, count;
  const void* sorted;
  const void* values;
  int64_t* y;
};

struct SortKernels {
  void (*sort)(Stream, const SortArgs&);
  int64_t (*sort_workspace)(const SortArgs&);
  void (*topk)(Stream, const SortArgs&);
  void (*searchsorted)(Stream, const SearchArgs&);
};

}  // namespace pl
