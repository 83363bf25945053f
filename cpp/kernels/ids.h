// Ids that kernels look up: checked one by one, the first bad one reported.
#pragma once
#include "core/device.h"
#include "kernels/math.h"

namespace pl::PL_ISA {
namespace {

// Ids outside [0, rows) become -1.
template <class Id>
PL_INLINE int64_t row_of(Id id, int64_t rows, bool wrap) {
  int64_t row = static_cast<int64_t>(id);
  if (wrap && row < 0) row += rows;
  return row >= 0 && row < rows ? row : -1;
}

template <class Id>
void note_first_bad(const Id* ids, int64_t n, int64_t rows, bool wrap, Status* status) {
  if (!status || status->code != Status::ok) return;
  for (int64_t i = 0; i < n; ++i) {
    if (row_of(ids[i], rows, wrap) >= 0) continue;
    status->position = i;
    status->value = static_cast<int64_t>(ids[i]);
    status->bound = rows;
    status->code = Status::index_out_of_range;
    return;
  }
}

}  // namespace
}  // namespace pl::PL_ISA
