// Elements by position along one axis, the transpose of that, and counts.
//
// gather_along runs over ranges of the result. scatter_along runs over outer positions and ranges of columns: each task
// clears its part and adds in the order of i. bincount counts chunks of the ids apart and adds the counts chunk by
// chunk; there is one chunk where the counts are as many as the ids.
#include "kernels/index.h"

#include "core/parallel.h"
#include "kernels/ids.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kTaskElements = 1 << 14;

template <class E, class Id>
void gather_ids(const AlongArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  const E* x = static_cast<const E*>(a.in);
  E* y = static_cast<E*>(a.out);
  const int64_t total = a.outer * a.n * a.inner;
  int32_t met_bad = 0;
  parallel_for(total, kTaskElements, [&](int64_t begin, int64_t end) {
    bool bad = false;
    int64_t o = begin / (a.n * a.inner), left = (o + 1) * a.n * a.inner - begin, c = begin % a.inner;
    for (int64_t j = begin; j < end; ++j) {
      const int64_t row = row_of(ids[j], a.rows, a.wrap);
      bad |= row < 0;
      y[j] = row < 0 ? E{} : x[(o * a.rows + row) * a.inner + c];
      if (++c == a.inner) c = 0;
      if (--left == 0) left = a.n * a.inner, ++o;
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (met_bad) note_first_bad(ids, total, a.rows, a.wrap, a.status);
}

template <class T, class Id>
void scatter_ids(const AlongArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  const T* dy = static_cast<const T*>(a.in);
  T* dx = static_cast<T*>(a.out);
  const int64_t parts = (a.inner + 63) / 64, work = (a.n + a.rows) * (a.inner < 64 ? a.inner : 64) + 1;
  int32_t met_bad = 0;
  parallel_for(a.outer * parts, 1 + kTaskElements / work, [&](int64_t begin, int64_t end) {
    bool bad = false;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / parts, c0 = task % parts * 64, c1 = c0 + 64 < a.inner ? c0 + 64 : a.inner;
      T* to = dx + o * a.rows * a.inner;
      for (int64_t r = 0; r < a.rows; ++r)
        __builtin_memset(to + r * a.inner + c0, 0, static_cast<size_t>(c1 - c0) * sizeof(T));
      for (int64_t i = 0; i < a.n; ++i)
        for (int64_t c = c0; c < c1; ++c) {
          const int64_t j = (o * a.n + i) * a.inner + c, row = row_of(ids[j], a.rows, a.wrap);
          bad |= row < 0;
          if (row >= 0) to[row * a.inner + c] += dy[j];
        }
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (met_bad) note_first_bad(ids, a.outer * a.n * a.inner, a.rows, a.wrap, a.status);
}

template <class Id>
void gather_dtype(const AlongArgs& a) {
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return gather_ids<uint8_t, Id>(a);
    case DType::int32:
    case DType::float32: return gather_ids<uint32_t, Id>(a);
    case DType::int64:
    case DType::float64: return gather_ids<uint64_t, Id>(a);
  }
}
template <class Id>
void scatter_dtype(const AlongArgs& a) {
  return a.dtype == DType::float32 ? scatter_ids<float, Id>(a) : scatter_ids<double, Id>(a);
}

void gather_along(Stream, const AlongArgs& a) {
  switch (a.id_dtype) {
    case DType::uint8: return gather_dtype<uint8_t>(a);
    case DType::int32: return gather_dtype<int32_t>(a);
    case DType::int64: return gather_dtype<int64_t>(a);
    default: return;
  }
}
void scatter_along(Stream, const AlongArgs& a) {
  switch (a.id_dtype) {
    case DType::uint8: return scatter_dtype<uint8_t>(a);
    case DType::int32: return scatter_dtype<int32_t>(a);
    case DType::int64: return scatter_dtype<int64_t>(a);
    default: return;
  }
}

// -- bincount ----------------------------------------------------------------------------------------------------

int64_t bincount_chunks(const BincountArgs& a) {
  const int64_t chunks = a.n / (2 * kTaskElements), most = a.n / (4 * (a.length + 1));
  const int64_t limit = most < 8 ? most : 8;
  return chunks < limit ? (chunks < 1 ? 1 : chunks) : limit < 1 ? 1 : limit;
}
int64_t bincount_workspace(const BincountArgs& a) {
  const int64_t chunks = bincount_chunks(a);
  return chunks == 1 ? 0 : chunks * a.length * 8;
}

template <class T, class Id, bool kWeights>
void bincount_ids(const BincountArgs& a) {
  const Id* __restrict ids = static_cast<const Id*>(a.ids);
  const T* __restrict weights = static_cast<const T*>(a.weights);
  const int64_t chunks = bincount_chunks(a);
  T* parts = static_cast<T*>(chunks == 1 ? a.y : a.work);
  int32_t met_bad = 0;
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    bool bad = false;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      T* __restrict y = parts + chunk * a.length;
      const int64_t length = a.length;
      if (a.length > 0) __builtin_memset(y, 0, static_cast<size_t>(a.length) * sizeof(T));
      const int64_t stop = (chunk + 1) * a.n / chunks;
      for (int64_t i = chunk * a.n / chunks; i < stop; ++i) {
        const uint64_t row =
            static_cast<uint64_t>(static_cast<int64_t>(ids[i]));  // negative: past any length
        if (row < static_cast<uint64_t>(length))
          y[row] += kWeights ? weights[i] : T(1);
        else
          bad = true;
      }
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (chunks > 1) {
    T* y = static_cast<T*>(a.y);
    for (int64_t r = 0; r < a.length; ++r) {
      y[r] = parts[r];
      for (int64_t chunk = 1; chunk < chunks; ++chunk) y[r] += parts[chunk * a.length + r];
    }
  }
  if (met_bad) note_first_bad(ids, a.n, a.length, false, a.status);
}
template <class Id>
void bincount_dtype(const BincountArgs& a) {
  if (!a.weights) return bincount_ids<int64_t, Id, false>(a);
  return a.dtype == DType::float32 ? bincount_ids<float, Id, true>(a) : bincount_ids<double, Id, true>(a);
}
void bincount(Stream, const BincountArgs& a) {
  switch (a.id_dtype) {
    case DType::uint8: return bincount_dtype<uint8_t>(a);
    case DType::int32: return bincount_dtype<int32_t>(a);
    case DType::int64: return bincount_dtype<int64_t>(a);
    default: return;
  }
}

}  // namespace

extern const IndexKernels index;
const IndexKernels index = {
    .gather_along = gather_along,
    .scatter_along = scatter_along,
    .bincount = bincount,
    .bincount_workspace = bincount_workspace,
};

}  // namespace pl::PL_ISA
