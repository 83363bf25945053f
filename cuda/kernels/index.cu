// Elements by position along one axis, the transpose of that, and counts.
//
// gather_along: a thread for each element of the result. scatter_along: a thread for each column (o, c) where these are
// many, next to each other, or short: it clears its column and adds in the order of i. Else all destinations are sorted
// (scatter.cuh). bincount: counts are whole numbers, whose atomic sums depend on no order, in shared memory first where
// they fit; sums of weights are scattered in order.
#include "kernels/index.h"

#include "kernels/scatter.cuh"

namespace pl::cuda {
namespace {

// -- gather_along, scatter_along ------------------------------------------------------------------------------------

template <class E, class Id, class I>
__global__ void __launch_bounds__(kThreads) gather_along_kernel(AlongArgs a, Lookup<Id> lookup) {
  const E* const x = static_cast<const E*>(a.in);
  E* const y = static_cast<E*>(a.out);
  const I inner = static_cast<I>(a.inner), n = static_cast<I>(a.n);
  for (int64_t at = first(); at < a.outer * a.n * a.inner; at += stride()) {
    const I oi = static_cast<I>(at) / inner, c = static_cast<I>(at) - oi * inner, o = oi / n;
    const int64_t row = lookup(at);
    y[at] = row < 0 ? E{} : x[(int64_t{o} * a.rows + row) * a.inner + c];
  }
}

template <class E>
void gather_typed(Stream stream, const AlongArgs& a) {
  const int64_t total = a.outer * a.n * a.inner;
  if (total <= 0) return;
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.rows, a.wrap, a.status};
    with_index(total, [&](auto index) {
      start(stream, gather_along_kernel<E, Id, decltype(index)>, blocks_for(total), kThreads, 0, a, lookup);
    });
  });
}
void gather_along(Stream stream, const AlongArgs& a) {
  switch (itemsize(a.dtype)) {
    case 1: return gather_typed<uint8_t>(stream, a);
    case 4: return gather_typed<uint32_t>(stream, a);
    default: return gather_typed<uint64_t>(stream, a);
  }
}

constexpr int64_t kManyColumns = 1 << 14, kWideRows = 32, kShortColumns = 32;

template <class T, class Id>
__global__ void __launch_bounds__(kThreads) scatter_columns(AlongArgs a, Lookup<Id> lookup) {
  const T* const dy = static_cast<const T*>(a.in);
  T* const dx = static_cast<T*>(a.out);
  for (int64_t column = first(); column < a.outer * a.inner; column += stride()) {
    const int64_t o = column / a.inner, c = column - o * a.inner;
    T* const to = dx + o * a.rows * a.inner + c;
    for (int64_t r = 0; r < a.rows; ++r) to[r * a.inner] = 0;
    for (int64_t i = 0; i < a.n; ++i) {
      const int64_t at = (o * a.n + i) * a.inner + c, row = lookup(at);
      if (row >= 0) to[row * a.inner] += dy[at];
    }
  }
}

// The place in dx, all of it as one line, of element `at` of dy.
template <class Id>
struct AlongLine {
  Lookup<Id> lookup;
  int64_t rows, inner, n;
  __device__ __forceinline__ int64_t operator()(int64_t at) const {
    const int64_t row = lookup(at), o = at / (n * inner);
    return row < 0 ? -1 : (o * rows + row) * inner + at % inner;
  }
};

template <class T>
void scatter_typed(Stream stream, const AlongArgs& a) {
  const int64_t columns = a.outer * a.inner;
  if (columns <= 0) return;
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.rows, a.wrap, a.status};
    if (columns >= kManyColumns || a.inner >= kWideRows || a.n <= kShortColumns || a.rows <= 0)
      start(stream, scatter_columns<T, Id>, blocks_for(columns), kThreads, 0, a, lookup);
    else
      scatter(stream, AlongLine<Id>{lookup, a.rows, a.inner, a.n}, static_cast<const T*>(a.in),
              static_cast<T*>(a.out), columns * a.n, 1, columns * a.rows, 1);
  });
}
void scatter_along(Stream stream, const AlongArgs& a) {
  with_float(a.dtype, [&](auto zero) { scatter_typed<decltype(zero)>(stream, a); });
}

// -- bincount -------------------------------------------------------------------------------------------------------

constexpr int64_t kSharedBins = 8192;
using Count = unsigned long long;

template <class Id>
__global__ void __launch_bounds__(kThreads) bincount_shared(BincountArgs a, Lookup<Id> lookup) {
  unsigned* const count = &smem<unsigned>();  // a.length of them
  for (int64_t r = threadIdx.x; r < a.length; r += kThreads) count[r] = 0;
  __syncthreads();
  for (int64_t i = first(); i < a.n; i += stride()) {
    const int64_t row = lookup(i);
    if (row >= 0) atomicAdd(&count[row], 1u);
  }
  __syncthreads();
  for (int64_t r = threadIdx.x; r < a.length; r += kThreads)
    if (count[r]) atomicAdd(static_cast<Count*>(a.y) + r, Count{count[r]});
}

template <class Id>
__global__ void __launch_bounds__(kThreads) bincount_global(BincountArgs a, Lookup<Id> lookup) {
  for (int64_t i = first(); i < a.n; i += stride()) {
    const int64_t row = lookup(i);
    if (row >= 0) atomicAdd(static_cast<Count*>(a.y) + row, Count{1});
  }
}

template <class Id>
void count_ids(Stream stream, const BincountArgs& a, const Lookup<Id>& lookup) {
  zero(stream, static_cast<int64_t*>(a.y), a.length);
  if (a.n <= 0) return;
  if (a.length > kSharedBins)
    return start(stream, bincount_global<Id>, blocks_for(a.n), kThreads, 0, a, lookup);
  // Few blocks: each adds its counts to the result in the end.
  const int64_t most = int64_t{4} * multiprocessors(), blocks = (a.n + 8 * kThreads - 1) / (8 * kThreads);
  start(stream, bincount_shared<Id>, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), kThreads,
        static_cast<size_t>(a.length) * sizeof(unsigned), a, lookup);
}

void bincount(Stream stream, const BincountArgs& a) {
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.length, false, a.status};
    if (a.length <= 0) return check_ids(stream, lookup, a.n);
    if (!a.weights) return count_ids(stream, a, lookup);
    with_float(a.dtype, [&](auto zero) {
      using T = decltype(zero);
      scatter(stream, lookup, static_cast<const T*>(a.weights), static_cast<T*>(a.y), a.n, 1, a.length, 1);
    });
  });
}
int64_t bincount_workspace(const BincountArgs&) { return 0; }

}  // namespace

extern const IndexKernels index;
const IndexKernels index = {
    .gather_along = gather_along,
    .scatter_along = scatter_along,
    .bincount = bincount,
    .bincount_workspace = bincount_workspace,
};

}  // namespace pl::cuda
