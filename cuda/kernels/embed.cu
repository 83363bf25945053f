// Rows by id. gather: a thread for each unit of the output, the widest that divides a row (16, 8, 4 or 1 bytes), so that
// neighbours write neighbouring units and read neighbouring units of a row. scatter_add: scatter.cuh. one_hot: a thread
// for each element. segment_sum: the ids as keys with their places, sorted (radix.cuh); tiles of kHeadTile places count
// the heads of segments, then, knowing how many lie before them, number the segments; those are the rows of a scatter.
#include "kernels/embed.h"

#include "kernels/scatter.cuh"

namespace pl::cuda {
namespace {

// -- gather ---------------------------------------------------------------------------------------------------------

template <class U, class Id, class I>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(GatherArgs a, Lookup<Id> lookup, int64_t row_units) {
  const U* const x = static_cast<const U*>(a.x);
  U* const y = static_cast<U*>(a.y);
  const I units = static_cast<I>(row_units), n = static_cast<I>(a.n);
  for (int64_t at = first(); at < a.outer * a.n * row_units; at += stride()) {
    const I j = static_cast<I>(at) / units, unit = static_cast<I>(at) - j * units, o = j / n, i = j - o * n;
    const int64_t row = lookup(i, unit == 0 && o == 0);
    y[at] = row < 0 ? U{} : x[(int64_t{o} * a.rows + row) * row_units + unit];
  }
}

template <class U, class Id>
void gather_units(Stream stream, const GatherArgs& a, const Lookup<Id>& lookup, int64_t bytes) {
  const int64_t units = bytes / static_cast<int64_t>(sizeof(U)), total = a.outer * a.n * units;
  with_index(total, [&](auto index) {
    start(stream, gather_kernel<U, Id, decltype(index)>, blocks_for(total), kThreads, 0, a, lookup, units);
  });
}

void gather(Stream stream, const GatherArgs& a) {
  if (a.n <= 0) return;
  const int64_t bytes = static_cast<int64_t>(itemsize(a.dtype)) * a.inner;
  const auto all =
      reinterpret_cast<uintptr_t>(a.x) | reinterpret_cast<uintptr_t>(a.y) | static_cast<uintptr_t>(bytes);
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.rows, a.wrap, a.status};
    if (a.outer <= 0 || bytes <= 0) return check_ids(stream, lookup, a.n);
    if (all % 16 == 0) return gather_units<Pack<uint32_t>>(stream, a, lookup, bytes);
    if (all % 8 == 0) return gather_units<uint64_t>(stream, a, lookup, bytes);
    if (all % 4 == 0) return gather_units<uint32_t>(stream, a, lookup, bytes);
    gather_units<uint8_t>(stream, a, lookup, bytes);
  });
}

// -- scatter_add ----------------------------------------------------------------------------------------------------

template <class T>
void scatter_typed(Stream stream, const ScatterAddArgs& a) {
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.rows, a.wrap, a.status};
    if (a.outer <= 0 || a.inner <= 0 || a.rows <= 0) return check_ids(stream, lookup, a.n);
    scatter(stream, lookup, static_cast<const T*>(a.dy), static_cast<T*>(a.dx), a.n, a.outer, a.rows,
            a.inner);
  });
}
void scatter_add(Stream stream, const ScatterAddArgs& a) {
  switch (a.dtype) {
    case DType::float32: return scatter_typed<float>(stream, a);
    case DType::float64: return scatter_typed<double>(stream, a);
    case DType::int32: return scatter_typed<uint32_t>(stream, a);  // unsigned: overflow wraps
    case DType::int64: return scatter_typed<uint64_t>(stream, a);
    default: return;
  }
}

// -- segment_sum ----------------------------------------------------------------------------------------------------

constexpr int64_t kHeadTile = 4096;
constexpr uint64_t kNoId = ~uint64_t{0};

int64_t head_tiles(int64_t n) { return (n + kHeadTile - 1) / kHeadTile; }

struct SegmentWork {
  KeyPlace *pairs, *other;
  int64_t *heads, *counts, *segments;  // heads of each tile; of the sort; how many there are
  SegmentWork(void* work, int64_t n)
      : pairs(static_cast<KeyPlace*>(work)),
        other(pairs + n),
        heads(reinterpret_cast<int64_t*>(other + n)),
        counts(heads + head_tiles(n)),
        segments(counts + radix_counts(1, n)) {}
};
int64_t segment_sum_workspace(int64_t n) {
  return n * static_cast<int64_t>(2 * sizeof(KeyPlace)) +
         (head_tiles(n) + radix_counts(1, n) + 1) * int64_t{8};
}

template <class Id>
__global__ void __launch_bounds__(kThreads)
    segment_pairs(const Id* ids, int64_t n, KeyPlace* pairs, Status* status) {
  for (int64_t i = first(); i < n; i += stride()) {
    const int64_t id = static_cast<int64_t>(ids[i]);
    pairs[i] = {id < 0 ? kNoId : static_cast<uint64_t>(id), i};
    if (id < 0 && status) note(status, Status::index_out_of_range, i, id, INT64_MAX);
  }
}

__device__ __forceinline__ bool is_head(const KeyPlace* sorted, int64_t k) {
  return sorted[k].key != kNoId && (k == 0 || sorted[k].key != sorted[k - 1].key);
}

__global__ void __launch_bounds__(kThreads)
    segment_heads(const KeyPlace* sorted, int64_t n, int64_t* heads_of) {
  int64_t* const parts = smem<ScanShared>().parts;
  const int64_t begin = blockIdx.x * kHeadTile, end = begin + kHeadTile < n ? begin + kHeadTile : n;
  int64_t heads = 0;
  for (int64_t k = begin + threadIdx.x; k < end; k += kThreads) heads += is_head(sorted, k);
  heads = block_sum(heads, parts);
  if (threadIdx.x == 0) heads_of[blockIdx.x] = heads;
}

// Unique ids, and words (number of the segment, place); ids that are not to be counted are of segment n.
template <class Id>
__global__ void __launch_bounds__(kThreads) segment_words(const KeyPlace* sorted, int64_t n, SegmentWork work,
                                                          Id* unique, uint64_t* words, int bits) {
  int64_t* const parts = smem<ScanShared>().parts;
  int64_t before = 0;
  for (int64_t tile = threadIdx.x; tile < blockIdx.x; tile += kThreads) before += work.heads[tile];
  before = block_sum(before, parts);
  const int64_t begin = blockIdx.x * kHeadTile, end = begin + kHeadTile < n ? begin + kHeadTile : n;
  for (int64_t base = begin; base < end; base += kThreads) {
    const int64_t k = base + threadIdx.x, head = k < end && is_head(sorted, k);
    int64_t total;
    const int64_t segment = before + block_scan(head, parts, total) - 1;
    before += total;
    if (k >= end) continue;
    if (head) unique[segment] = static_cast<Id>(sorted[k].key);
    words[k] = static_cast<uint64_t>(sorted[k].key == kNoId ? n : segment) << bits |
               static_cast<uint64_t>(sorted[k].place);
  }
  if (end == n && threadIdx.x == 0) *work.segments = before;
}

// Behind the segments.
template <class Id>
__global__ void __launch_bounds__(kThreads) segment_rest(Id* unique, int64_t n, const int64_t* segments) {
  for (int64_t s = *segments + first(); s < n; s += stride()) unique[s] = static_cast<Id>(-1);
}

// Parts of the sorted places, as long as their edges fit the scratch memory.
template <class T>
void segment_sums(Stream stream, const SegmentSumArgs& a, const uint64_t* words, int bits) {
  const T* const dy = static_cast<const T*>(a.dy);
  T *const sums = static_cast<T*>(a.sums), *const edges = static_cast<T*>(scratch(stream));
  zero(stream, sums, a.n * a.inner);
  const int64_t fit = static_cast<int64_t>(kScratch) / (edge_bytes<T>(1, a.inner) + 1) / kRunTile * kRunTile;
  const int64_t part = fit < kRunTile ? kRunTile : fit;
  for (int64_t begin = 0; begin < a.n; begin += part) {
    const int64_t n = a.n - begin < part ? a.n - begin : part;
    add_runs(stream, Runs{words + begin, n, bits},
             Sums<T>{dy, sums, edges, a.n, 1, a.n, a.inner, 0, begin == 0});
  }
}

template <class Id>
void segment_ids(Stream stream, const SegmentSumArgs& a) {
  const SegmentWork work(a.work, a.n);
  const dim3 tiles(static_cast<unsigned>(head_tiles(a.n)));
  Id* const unique = static_cast<Id*>(a.unique);
  start(stream, segment_pairs<Id>, blocks_for(a.n), kThreads, 0, static_cast<const Id*>(a.ids), a.n,
        work.pairs, a.status);
  const KeyPlace* const sorted =
      sort_elements(stream, work.pairs, work.other, 1, a.n, 0, static_cast<int>(8 * sizeof(Id)), work.counts);
  uint64_t* const words = reinterpret_cast<uint64_t*>(sorted == work.pairs ? work.other : work.pairs);
  const int bits = bits_of(a.n);
  start(stream, segment_heads, tiles, kThreads, sizeof(ScanShared), sorted, a.n, work.heads);
  start(stream, segment_words<Id>, tiles, kThreads, sizeof(ScanShared), sorted, a.n, work, unique, words,
        bits);
  start(stream, segment_rest<Id>, blocks_for(a.n), kThreads, 0, unique, a.n, work.segments);
  with_float(a.dtype, [&](auto zero) { segment_sums<decltype(zero)>(stream, a, words, bits); });
}
void segment_sum(Stream stream, const SegmentSumArgs& a) {
  if (a.n <= 0) return;
  if (a.id_dtype == DType::int32)
    segment_ids<int32_t>(stream, a);
  else
    segment_ids<int64_t>(stream, a);
}

// -- one_hot --------------------------------------------------------------------------------------------------------

template <class T, class Id, class I>
__global__ void __launch_bounds__(kThreads) one_hot_kernel(OneHotArgs a, Lookup<Id> lookup) {
  T* const y = static_cast<T*>(a.y);
  const I classes = static_cast<I>(a.classes);
  for (int64_t at = first(); at < a.n * a.classes; at += stride()) {
    const I i = static_cast<I>(at) / classes, c = static_cast<I>(at) - i * classes;
    y[at] = static_cast<T>(lookup(i, c == 0) == static_cast<int64_t>(c) ? 1 : 0);
  }
}

template <class T>
void one_hot_typed(Stream stream, const OneHotArgs& a) {
  with_id(a.id_dtype, [&](auto id) {
    using Id = decltype(id);
    const Lookup<Id> lookup{static_cast<const Id*>(a.ids), a.classes, false, a.status};
    if (a.classes <= 0) return check_ids(stream, lookup, a.n);
    with_index(a.n * a.classes, [&](auto index) {
      start(stream, one_hot_kernel<T, Id, decltype(index)>, blocks_for(a.n * a.classes), kThreads, 0, a,
            lookup);
    });
  });
}
void one_hot(Stream stream, const OneHotArgs& a) {
  if (a.n <= 0) return;
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return one_hot_typed<uint8_t>(stream, a);
    case DType::int32: return one_hot_typed<int32_t>(stream, a);
    case DType::int64: return one_hot_typed<int64_t>(stream, a);
    case DType::float32: return one_hot_typed<float>(stream, a);
    case DType::float64: return one_hot_typed<double>(stream, a);
  }
}

}  // namespace

extern const EmbedKernels embed;
const EmbedKernels embed = {
    .gather = gather,
    .scatter_add = scatter_add,
    .segment_sum = segment_sum,
    .segment_sum_workspace = segment_sum_workspace,
    .one_hot = one_hot,
};

}  // namespace pl::cuda
