// Rows by id: gather (y[o,i,:] = x[o,ids[i],:]) and its transpose, scatter_add.
//
// gather runs in parallel over the (o, i) pairs, 64 KiB of output a chunk: it is bound by memory, and smaller
// chunks cost more than they bring. scatter_add adds in the order of i whatever the cut: the tasks are outer
// positions, ranges of columns and ranges of destination rows, each of which walks all ids, so no element has
// two writers.
//
// The first bad id is found by a second, serial look at the ids, only when a chunk has met one.
#include "kernels/embed.h"

#include "core/parallel.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunkBytes = 1 << 16;
constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kMaxTasks = 16;

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
  const E* x = static_cast<const E*>(a.x);
  E* y = static_cast<E*>(a.y);
  bool bad = false;
  int64_t o = begin / a.n, i = begin - o * a.n;
  for (int64_t j = begin; j < end; ++j) {
    const int64_t row = row_of(ids[i], a.rows, a.wrap);
    bad |= row < 0;
    y[j] = row < 0 ? E{} : x[o * a.rows + row];
    if (++i == a.n) i = 0, ++o;
  }
  return bad;
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
      __builtin_memcpy(y + j * bytes, x + (o * a.rows + row) * bytes, static_cast<size_t>(bytes));
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

// The cut of a scatter: outer x columns x rows tasks. Ranges of columns before ranges of rows, since every
// range of rows reads all ids again; rows are cut only as far as the adding outweighs that reading.
struct ScatterCut {
  int64_t column_tasks, row_tasks;
};

ScatterCut cut_scatter(const ScatterAddArgs& a) {
  const int64_t work = a.outer * a.n * a.inner;
  int64_t tasks = work / kTaskElements;
  if (tasks > kMaxTasks) tasks = kMaxTasks;
  ScatterCut cut{1, 1};
  if (tasks <= a.outer) return cut;
  const int64_t per_outer = (tasks + a.outer - 1) / a.outer;
  const int64_t most_columns = (a.inner + 63) / 64;
  cut.column_tasks = per_outer < most_columns ? per_outer : most_columns;
  int64_t row_tasks = per_outer / cut.column_tasks;
  const int64_t most_rows = a.inner / 4 < a.rows ? a.inner / 4 : a.rows;
  if (row_tasks > most_rows) row_tasks = most_rows;
  cut.row_tasks = row_tasks < 1 ? 1 : row_tasks;
  return cut;
}

template <class T, class Id>
void scatter_ids(const ScatterAddArgs& a) {
  const Id* ids = static_cast<const Id*>(a.ids);
  if (a.outer <= 0 || a.inner <= 0) return note_first_bad(ids, a.n, a.rows, a.wrap, a.status);
  const ScatterCut cut = cut_scatter(a);
  const int64_t per_outer = cut.column_tasks * cut.row_tasks;
  const int64_t task_work = a.n * a.inner / per_outer + 1;
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
      const int64_t r1 = r0 + row_step;
      const T* dy = static_cast<const T*>(a.dy) + o * a.n * a.inner;
      T* dx = static_cast<T*>(a.dx) + o * a.rows * a.inner;
      for (int64_t i = 0; i < a.n; ++i) {
        const int64_t row = row_of(ids[i], a.rows, a.wrap);
        bad |= row < 0;
        if (row < r0 || row >= r1) continue;
        const T* __restrict from = dy + i * a.inner;
        T* __restrict to = dx + row * a.inner;
        for (int64_t c = c0; c < c1; ++c) to[c] += from[c];
      }
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
  if (a.n <= 0) return;
  switch (a.dtype) {
    case DType::float32: return scatter_dtype<float>(a);
    case DType::float64: return scatter_dtype<double>(a);
    case DType::int32: return scatter_dtype<uint32_t>(a);  // unsigned: overflow wraps
    case DType::int64: return scatter_dtype<uint64_t>(a);
    default: return;
  }
}

}  // namespace

extern const EmbedKernels embed;
const EmbedKernels embed = {
    .gather = gather,
    .scatter_add = scatter_add,
};

}  // namespace pl::PL_ISA
