// What the families that look rows up share: ids and their check, flat indices, zeros.
#pragma once
#include "kernels/blocks.cuh"
#include "kernels/ids.h"

namespace pl::cuda {
namespace {

// The row of ids[i], or -1, which is noted.
template <class Id>
struct Lookup {
  const Id* ids;
  int64_t rows;
  bool wrap;
  Status* status;
  __device__ __forceinline__ int64_t operator()(int64_t i, bool report = true) const {
    const int64_t row = row_of(ids[i], rows, wrap);
    if (row < 0 && report && status)
      note(status, Status::index_out_of_range, i, static_cast<int64_t>(ids[i]), rows);
    return row;
  }
};

// f(type of a flat index): 32 bits divide several times faster than 64.
template <class F>
void with_index(int64_t total, F&& f) {
  if (total < (int64_t{1} << 31))
    f(uint32_t{});
  else
    f(int64_t{});
}

template <class Id>
__global__ void __launch_bounds__(kThreads) check_ids_kernel(Lookup<Id> lookup, int64_t n) {
  for (int64_t i = first(); i < n; i += stride()) lookup(i);
}
// Where nothing is read or written, ids are still checked.
template <class Id>
void check_ids(Stream stream, const Lookup<Id>& lookup, int64_t n) {
  if (n > 0) start(stream, check_ids_kernel<Id>, blocks_for(n), kThreads, 0, lookup, n);
}

template <class T>
__global__ void __launch_bounds__(kThreads) zero_kernel(T* y, int64_t n) {
  for (int64_t i = first(); i < n; i += stride()) y[i] = T{};
}
template <class T>
void zero(Stream stream, T* y, int64_t n) {
  if (n > 0) start(stream, zero_kernel<T>, blocks_for(n), kThreads, 0, y, n);
}

}  // namespace
}  // namespace pl::cuda
