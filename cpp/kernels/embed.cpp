// Rows by id: gather (y[o,i,:] = x[o,ids[i],:]), its transpose scatter_add, and the transpose's rows alone, segment_sum.
//
// gather runs in parallel over the (o, i) pairs, 64 KiB of output a chunk: it is bound by memory, and smaller
// chunks cost more than they bring. scatter_add adds in the order of i whatever the cut: the tasks are outer
// positions, ranges of columns and ranges of destination rows. Each clears its part of dx, then walks all ids, so no
// element has two writers. A task with a range of rows first lists the ids of a block that are its own, without a
// branch that would be mispredicted. segment_sum sorts the ids (radix.h, stable) and adds segment by segment.
//
// The first bad id is found by a second, serial look at the ids, only when a chunk has met one.
#include "kernels/embed.h"

#include "kernels/ids.h"
#include "kernels/radix.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunkBytes = 1 << 16;
constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kMaxTasks = 16;
constexpr int64_t kBlock = 256;        // ids that a task of scatter_add looks at together
constexpr int64_t kScanElements = 16;  // additions that take as long as four looks at an id
constexpr int64_t kPrefetch = 4;       // rows ahead, of tables larger than ...
constexpr int64_t kCached = 1 << 18;   // ... so many bytes

int64_t bytes_of(DType t) {
  switch (t) {
    case DType::boolean:
    case DType::uint8: return 1;
    case DType::int32:
    case DType::float32: return 4;
    case DType::int64:
    case DType::float64: return 8;
  }
  return 0;
}

// Rows of one element of type E: a copy of known size.
template <class E, class Id>
bool gather_elements(const GatherArgs& a, const Id* ids, int64_t begin, int64_t end) {
  const char* x = static_cast<const char*>(a.x);  // of bytes, a row may lie anywhere
  char* y = static_cast<char*>(a.y);
  bool bad = false;
  int64_t o = begin / a.n, i = begin - o * a.n;
  for (int64_t j = begin; j < end; ++j) {
    const int64_t row = row_of(ids[i], a.rows, a.wrap);
    bad |= row < 0;
    E value{};
    if (row >= 0) __builtin_memcpy(&value, x + (o * a.rows + row) * int64_t{sizeof(E)}, sizeof(E));
    __builtin_memcpy(y + j * int64_t{sizeof(E)}, &value, sizeof(E));
    if (++i == a.n) i = 0, ++o;
  }
  return bad;
}

// Rows of at least a vector: the last one overlaps the one before.
PL_INLINE void copy_row(char* to, const char* from, int64_t bytes) {
  int64_t at = 0;
  for (; at + PL_VEC <= bytes; at += PL_VEC) __builtin_memcpy(to + at, from + at, PL_VEC);
  if (at < bytes) __builtin_memcpy(to + bytes - PL_VEC, from + bytes - PL_VEC, PL_VEC);
}

template <class Id>
bool gather_rows(const GatherArgs& a, const Id* ids, int64_t bytes, int64_t begin, int64_t end) {
  const char* x = static_cast<const char*>(a.x);
  char* y = static_cast<char*>(a.y);
  bool bad = false;
  int64_t o = begin / a.n, i = begin - o * a.n;
  for (int64_t j = begin; j < end; ++j) {
    const int64_t row = row_of(ids[i], a.rows, a.wrap);
    if (row >= 0) {
      const char* from = x + (o * a.rows + row) * bytes;
      if (i + kPrefetch < a.n) {  // any row will do where the id is bad
        const int64_t next = row_of(ids[i + kPrefetch], a.rows, a.wrap);
        for (int64_t at = 0; at < bytes && at < 512; at += 64)
          __builtin_prefetch(x + (o * a.rows + (next < 0 ? row : next)) * bytes + at);
      }
      if (bytes >= PL_VEC && bytes <= 4096)
        copy_row(y + j * bytes, from, bytes);
      else
        __builtin_memcpy(y + j * bytes, from, static_cast<size_t>(bytes));
    } else {
      __builtin_memset(y + j * bytes, 0, static_cast<size_t>(bytes));
      bad = true;
    }
    if (++i == a.n) i = 0, ++o;
  }
  return bad;
}

template <class Id>
void gather_ids(const GatherArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  const int64_t bytes = bytes_of(a.dtype) * a.inner;
  if (a.outer <= 0 || bytes <= 0) return note_first_bad(ids, a.n, a.rows, a.wrap, a.status);
  int32_t met_bad = 0;
  const int64_t grain = bytes >= kChunkBytes ? 1 : kChunkBytes / bytes;
  parallel_for(a.outer * a.n, grain, [&](int64_t begin, int64_t end) {
    bool bad;
    switch (bytes) {
      case 1: bad = gather_elements<uint8_t>(a, ids, begin, end); break;
      case 4: bad = gather_elements<uint32_t>(a, ids, begin, end); break;
      case 8: bad = gather_elements<uint64_t>(a, ids, begin, end); break;
      default: bad = gather_rows(a, ids, bytes, begin, end);
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (met_bad) note_first_bad(ids, a.n, a.rows, a.wrap, a.status);
}

void gather(Stream, const GatherArgs& a) {
  if (a.n <= 0) return;
  switch (a.id_dtype) {
    case DType::uint8: return gather_ids<uint8_t>(a);
    case DType::int32: return gather_ids<int32_t>(a);
    case DType::int64: return gather_ids<int64_t>(a);
    default: return;
  }
}

// The cut of a scatter: outer x columns x rows tasks. Every range of rows reads all ids again, so that where adding is
// most of the work columns are cut first, and rows as far as the work outweighs that reading; clearing a large table is
// cut by rows, which are contiguous.
struct ScatterCut {
  int64_t column_tasks, row_tasks;
};

PL_INLINE int64_t clamp(int64_t v, int64_t low, int64_t high) { return v > high ? high : v < low ? low : v; }

ScatterCut cut_scatter(const ScatterAddArgs& a) {
  const int64_t n = a.n < 1 ? 1 : a.n, rows = a.rows < 1 ? 1 : a.rows, work = (a.n + a.rows / 4) * a.inner;
  const int64_t tasks = clamp(a.outer * work / kTaskElements, 1, kMaxTasks);
  if (tasks <= a.outer) return {1, 1};
  const int64_t worth = clamp(work / (kScanElements * n), 1, (tasks + a.outer - 1) / a.outer);
  const int64_t most_columns = clamp(a.inner / 64, 1, worth), most_rows = clamp(worth, 1, rows);
  if (rows > 4 * n) return {clamp(worth / most_rows, 1, most_columns), most_rows};
  return {most_columns, clamp(worth / most_columns, 1, most_rows)};
}

template <class T>
PL_INLINE void add_row(T* __restrict to, const T* __restrict from, int64_t n) {
  if constexpr (static_cast<T>(0.5) != T(0)) {
    int64_t c = 0;
    for (; c + width<T> <= n; c += width<T>) store(to + c, load(to + c) + load(from + c));
    if (c < n) store_n(to + c, load_n(to + c, n - c) + load_n(from + c, n - c), n - c);
  } else {
    for (int64_t c = 0; c < n; ++c) to[c] += from[c];
  }
}

// One task: rows [r0, r1) and columns [c0, c1) of one outer position. Were any ids bad?
template <class T, class Id>
bool scatter_part(const ScatterAddArgs& a, const T* dy, T* dx, int64_t r0, int64_t r1, int64_t c0,
                  int64_t c1) {
  const Id* ids = static_cast<const Id*>(a.ids);
  const int64_t columns = c1 - c0;
  if (columns == a.inner)
    __builtin_memset(dx + r0 * a.inner, 0, static_cast<size_t>((r1 - r0) * a.inner) * sizeof(T));
  else
    for (int64_t r = r0; r < r1; ++r)
      __builtin_memset(dx + r * a.inner + c0, 0, static_cast<size_t>(columns) * sizeof(T));
  const bool large = a.rows * a.inner * static_cast<int64_t>(sizeof(T)) > kCached;
  bool bad = false;
  int64_t place[kBlock + kPrefetch], row[kBlock + kPrefetch];
  for (int64_t i0 = 0; i0 < a.n; i0 += kBlock) {
    const int64_t i1 = i0 + kBlock < a.n ? i0 + kBlock : a.n;
    int64_t own = 0;
    for (int64_t i = i0; i < i1; ++i) {
      const int64_t r = row_of(ids[i], a.rows, a.wrap);
      place[own] = i;
      row[own] = r;
      own += (r >= r0) & (r < r1);
      bad |= r < 0;
    }
    for (int64_t k = own; k < own + kPrefetch; ++k) row[k] = r0;
    for (int64_t k = 0; k < own; ++k) {
      const T* next = dx + row[k + kPrefetch] * a.inner + c0;
      if (large)
        for (int64_t c = 0; c < columns && c < 512 / static_cast<int64_t>(sizeof(T)); c += 64 / sizeof(T))
          __builtin_prefetch(next + c, 1);
      add_row(dx + row[k] * a.inner + c0, dy + place[k] * a.inner + c0, columns);
    }
  }
  return bad;
}

template <class T, class Id>
void scatter_ids(const ScatterAddArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  if (a.outer <= 0 || a.inner <= 0 || a.rows <= 0) return note_first_bad(ids, a.n, a.rows, a.wrap, a.status);
  const ScatterCut cut = cut_scatter(a);
  const int64_t per_outer = cut.column_tasks * cut.row_tasks;
  const int64_t task_work = (a.n + a.rows / 4) * a.inner / per_outer + 1;
  const int64_t grain = task_work >= kTaskElements ? 1 : kTaskElements / task_work;
  const int64_t column_step = (a.inner + cut.column_tasks - 1) / cut.column_tasks;
  const int64_t row_step = (a.rows + cut.row_tasks - 1) / cut.row_tasks;
  int32_t met_bad = 0;
  parallel_for(a.outer * per_outer, grain, [&](int64_t begin, int64_t end) {
    bool bad = false;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / per_outer, part = task - o * per_outer;
      const int64_t c0 = (part % cut.column_tasks) * column_step, r0 = (part / cut.column_tasks) * row_step;
      const int64_t c1 = c0 + column_step < a.inner ? c0 + column_step : a.inner;
      const int64_t r1 = r0 + row_step < a.rows ? r0 + row_step : a.rows;
      if (r0 < r1 && c0 < c1)
        bad |= scatter_part<T, Id>(a, static_cast<const T*>(a.dy) + o * a.n * a.inner,
                                   static_cast<T*>(a.dx) + o * a.rows * a.inner, r0, r1, c0, c1);
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (met_bad) note_first_bad(ids, a.n, a.rows, a.wrap, a.status);
}

template <class T>
void scatter_dtype(const ScatterAddArgs& a) {
  switch (a.id_dtype) {
    case DType::uint8: return scatter_ids<T, uint8_t>(a);
    case DType::int32: return scatter_ids<T, int32_t>(a);
    case DType::int64: return scatter_ids<T, int64_t>(a);
    default: return;
  }
}

void scatter_add(Stream, const ScatterAddArgs& a) {
  switch (a.dtype) {
    case DType::float32: return scatter_dtype<float>(a);
    case DType::float64: return scatter_dtype<double>(a);
    case DType::int32: return scatter_dtype<uint32_t>(a);  // unsigned: overflow wraps
    case DType::int64: return scatter_dtype<uint64_t>(a);
    default: return;
  }
}

// -- segment_sum -------------------------------------------------------------------------------------------------

// The workspace: the ids as keys with their places, a second such array, the start of each segment, counters.
struct SegmentWork {
  KeyPlace* sorted;
  KeyPlace* other;
  int64_t* starts;
  int64_t* counts;
};
int64_t segment_sum_workspace(int64_t n) {
  return n * static_cast<int64_t>(2 * sizeof(KeyPlace) + sizeof(int64_t)) +
         static_cast<int64_t>(sizeof(int64_t)) * (1 + radix_counts(n));
}
SegmentWork segment_work(const SegmentSumArgs& a) {
  KeyPlace* pairs = static_cast<KeyPlace*>(a.work);
  int64_t* starts = reinterpret_cast<int64_t*>(pairs + 2 * a.n);
  return {pairs, pairs + a.n, starts, starts + a.n + 1};
}

template <class T, class Id>
void segment_ids(const SegmentSumArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  const SegmentWork work = segment_work(a);
  int64_t good = 0;
  for (int64_t i = 0; i < a.n; ++i) {
    work.sorted[good] = {static_cast<uint64_t>(ids[i]), i};
    good += static_cast<int64_t>(ids[i]) >= 0;
  }
  if (good < a.n) note_first_bad(ids, a.n, INT64_MAX, false, a.status);
  const KeyPlace* sorted = radix_sort(work.sorted, work.other, good, work.counts);
  Id* unique = static_cast<Id*>(a.unique);
  int64_t segments = 0;
  for (int64_t k = 0; k < good; ++k)
    if (k == 0 || sorted[k].key != sorted[k - 1].key) {
      unique[segments] = static_cast<Id>(sorted[k].key);
      work.starts[segments++] = k;
    }
  work.starts[segments] = good;
  for (int64_t k = segments; k < a.n; ++k) unique[k] = static_cast<Id>(-1);
  const T* dy = static_cast<const T*>(a.dy);
  T* sums = static_cast<T*>(a.sums);
  const int64_t grain = 1 + kTaskElements / (a.inner + 1);
  parallel_for(a.n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      T* to = sums + s * a.inner;
      if (s >= segments) {
        __builtin_memset(to, 0, static_cast<size_t>((end - s) * a.inner) * sizeof(T));
        break;
      }
      const int64_t first = work.starts[s];
      __builtin_memcpy(to, dy + sorted[first].place * a.inner, static_cast<size_t>(a.inner) * sizeof(T));
      for (int64_t k = first + 1; k < work.starts[s + 1]; ++k)
        add_row(to, dy + sorted[k].place * a.inner, a.inner);
    }
  });
}

template <class T>
void segment_dtype(const SegmentSumArgs& a) {
  return a.id_dtype == DType::int32 ? segment_ids<T, int32_t>(a) : segment_ids<T, int64_t>(a);
}
void segment_sum(Stream, const SegmentSumArgs& a) {
  if (a.n <= 0) return;
  return a.dtype == DType::float32 ? segment_dtype<float>(a) : segment_dtype<double>(a);
}

// -- one_hot -----------------------------------------------------------------------------------------------------

template <class T, class Id>
void one_hot_ids(const OneHotArgs& a, T one) {
  const Id* ids = static_cast<const Id*>(a.ids);
  T* y = static_cast<T*>(a.y);
  int32_t met_bad = 0;
  const int64_t grain = 1 + 2 * kTaskElements / (a.classes + 1);
  parallel_for(a.n, grain, [&](int64_t begin, int64_t end) {
    bool bad = false;
    if (a.classes > 0)
      __builtin_memset(y + begin * a.classes, 0, static_cast<size_t>((end - begin) * a.classes) * sizeof(T));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = row_of(ids[i], a.classes, false);
      if (k >= 0)
        y[i * a.classes + k] = one;
      else
        bad = true;
    }
    if (bad) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
  });
  if (met_bad) note_first_bad(ids, a.n, a.classes, false, a.status);
}
template <class Id>
void one_hot_dtype(const OneHotArgs& a) {
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return one_hot_ids<uint8_t, Id>(a, 1);
    case DType::int32: return one_hot_ids<int32_t, Id>(a, 1);
    case DType::int64: return one_hot_ids<int64_t, Id>(a, 1);
    case DType::float32: return one_hot_ids<float, Id>(a, 1);
    case DType::float64: return one_hot_ids<double, Id>(a, 1);
  }
}
void one_hot(Stream, const OneHotArgs& a) {
  switch (a.id_dtype) {
    case DType::uint8: return one_hot_dtype<uint8_t>(a);
    case DType::int32: return one_hot_dtype<int32_t>(a);
    case DType::int64: return one_hot_dtype<int64_t>(a);
    default: return;
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

}  // namespace pl::PL_ISA
