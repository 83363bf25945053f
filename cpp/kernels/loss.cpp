// Rows of softmax and of the losses on logits; formulas in loss.h. Parallel over rows, kChunk elements a
// chunk.
//
// A row is read from memory once and stays in cache for its passes: the maximum m, the sum of e^(x - m), the
// result. A large gradient by labels goes past the caches (past.h). The last, partial vector is kept in a register from pass to pass, padded with -inf, whose
// exponential is 0: a row that is no longer than a vector never goes through memory in between. NaN anywhere,
// +inf, or a row of -inf make the whole row NaN, as exp(x - max) / sum does.
#include "kernels/loss.h"

#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/past.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunk = 1 << 14;

template <class F>
PL_INLINE void each_row(int64_t rows, int64_t cols, const F& fn) {
  const int64_t grain = cols >= kChunk ? 1 : kChunk / (cols < 1 ? 1 : cols);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) fn(r);
  });
}

// What the first passes over a row leave: the exponentials are in e, but for those of the last, partial
// vector.
template <class T>
struct Row {
  int64_t whole;  // elements in whole vectors
  vec<T> last;    // exponentials of the rest
  T max, sum;
};

// e holds `cols` elements and may be x; with null the exponentials are not kept.
template <class T>
PL_INLINE Row<T> exp_row(const T* x, T* e, int64_t cols) {
  using V = vec<T>;
  constexpr int w = width<T>;
  const V least = splat<V>(static_cast<T>(-__builtin_inf()));
  const int64_t whole = cols - cols % w;
  const V rest = load_n(x + whole, cols - whole, least);
  V m = rest, other = least;  // whatever NaN does to the maximum, it spoils the sum
  int64_t i = 0;
  for (; i + 2 * w <= whole; i += 2 * w) {
    const V a = load(x + i), b = load(x + i + w);
    m = select(m < a, a, m);
    other = select(other < b, b, other);
  }
  if (i < whole) {
    const V a = load(x + i);
    m = select(m < a, a, m);
  }
  m = select(m < other, other, m);
  const T max = max_lanes(m);

  V total{};
  for (i = 0; i < whole;) {  // blocks of 64 vectors: a sum of sums
    const int64_t end = whole - i > 64 * w ? i + 64 * w : whole;
    V sum{};
    for (; i < end; i += w) {
      __builtin_prefetch(x + cols +
                         i);  // the next row, while this one's exponentials keep the processor busy
      const V v = exp_(load(x + i) - max);
      if (e) store(e + i, v);
      sum += v;
    }
    total += sum;
  }
  const V last = exp_(rest - max);
  return {whole, last, max, sum_lanes(total + last)};
}

// Of short rows several are taken at once: the maximum, the exponentials and the sum of one row wait for each other.
constexpr int kRows = 4;
constexpr int64_t kShortRow = 512;
template <class T>
struct Rows {
  T max[kRows], sum[kRows];
};
// The exponentials of rows x, x + cols, ... go to e as they lie, or nowhere.
template <class T>
PL_INLINE Rows<T> exp_rows(const T* x, T* e, int64_t cols) {
  using V = vec<T>;
  const V least = splat<V>(static_cast<T>(-__builtin_inf()));
  const int64_t whole = cols - cols % width<T>, rest = cols - whole;
  Rows<T> rows;
  V m[kRows], sum[kRows] = {};
  for (V& v : m) v = least;
  const auto take = [&](V& v, V a) { v = select(v < a, a, v); };
  for (int64_t i = 0; i < whole; i += width<T>)
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) take(m[r], load(x + r * cols + i));
  if (rest)
    for (int r = 0; r < kRows; ++r) take(m[r], load_n(x + r * cols + whole, rest, least));
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) rows.max[r] = max_lanes(m[r]);
  for (int64_t i = 0; i < whole; i += width<T>)
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const V v = exp_(load(x + r * cols + i) - rows.max[r]);
      if (e) store(e + r * cols + i, v);
      sum[r] += v;
    }
  if (rest)
    for (int r = 0; r < kRows; ++r) {
      const V v = exp_(load_n(x + r * cols + whole, rest, least) - rows.max[r]);
      if (e) store_n(e + r * cols + whole, v, rest);
      sum[r] += v;
    }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) rows.sum[r] = sum_lanes(sum[r]);
  return rows;
}

// y = e / sum, in place
template <class T>
PL_INLINE void normalize_row(const Row<T>& row, T* y, int64_t cols) {
  const T scale = T(1) / row.sum;
  for (int64_t i = 0; i < row.whole; i += width<T>) store(y + i, load(y + i) * scale);
  store_n(y + row.whole, row.last * scale, cols - row.whole);
}

template <class T>
void softmax_short(const SoftmaxArgs& a) {
  const int64_t grain = kChunk / a.cols;
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    const T* x = static_cast<const T*>(a.x) + begin * a.cols;
    T* y = static_cast<T*>(a.y) + begin * a.cols;
    int64_t r = begin;
    for (; r + kRows <= end; r += kRows) {
      const Rows<T> rows = exp_rows(x, y, a.cols);
      for (int k = 0; k < kRows; ++k, x += a.cols, y += a.cols) {
        const T scale = T(1) / rows.sum[k];
        each_vector<T>(0, a.cols, [&](int64_t i, auto part) { part.put(y + i, part.get(y + i) * scale); });
      }
    }
    for (; r < end; ++r, x += a.cols, y += a.cols) normalize_row(exp_row(x, y, a.cols), y, a.cols);
  });
}

template <class T>
void softmax_typed(const SoftmaxArgs& a) {
  if (!a.log && a.cols > width<T> && a.cols <= kShortRow) return softmax_short<T>(a);
  each_row(a.rows, a.cols, [&](int64_t r) {
    const T* x = static_cast<const T*>(a.x) + r * a.cols;
    T* y = static_cast<T*>(a.y) + r * a.cols;
    if (!a.log) return normalize_row(exp_row(x, y, a.cols), y, a.cols);
    const Row<T> row = exp_row<T>(x, nullptr, a.cols);
    const T log_sum = log_(row.sum);
    each_vector<T>(0, a.cols,
                   [&](int64_t i, auto part) { part.put(y + i, (part.get(x + i) - row.max) - log_sum); });
  });
}

template <class T>
void softmax_backward_typed(const SoftmaxBackwardArgs& a) {
  each_row(a.rows, a.cols, [&](int64_t r) {
    const T* y = static_cast<const T*>(a.y) + r * a.cols;
    const T* dy = static_cast<const T*>(a.dy) + r * a.cols;
    T* dx = static_cast<T*>(a.dx) + r * a.cols;
    if (a.log) {
      const T sum = sum_vectors<T>(a.cols, [&](int64_t i, auto part) { return part.get(dy + i); });
      each_vector<T>(0, a.cols, [&](int64_t i, auto part) {
        part.put(dx + i, part.get(dy + i) - exp_(part.get(y + i)) * sum);
      });
    } else {
      const T sum =
          sum_vectors<T>(a.cols, [&](int64_t i, auto part) { return part.get(dy + i) * part.get(y + i); });
      each_vector<T>(0, a.cols, [&](int64_t i, auto part) {
        part.put(dx + i, part.get(y + i) * (part.get(dy + i) - sum));
      });
    }
  });
}

PL_INLINE int64_t label_at(const void* labels, DType dtype, int64_t r) {
  switch (dtype) {
    case DType::uint8: return static_cast<const uint8_t*>(labels)[r];
    case DType::int32: return static_cast<const int32_t*>(labels)[r];
    case DType::int64: return static_cast<const int64_t*>(labels)[r];
    default: return -1;
  }
}

// A serial second look, only when a chunk has met a bad label: the first by position for any number of
// threads.
void note_first_bad(const CrossEntropyArgs& a) {
  if (!a.status || a.status->code != Status::ok) return;
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t label = label_at(a.label, a.label_dtype, r);
    if (label >= 0 && label < a.cols) continue;
    a.status->position = r;
    a.status->value = label;
    a.status->bound = a.cols;
    a.status->code = Status::index_out_of_range;
    return;
  }
}

template <class T>
PL_INLINE void keep(const CrossEntropyArgs& a, int64_t r, T max, T sum) {
  T* const stat = static_cast<T*>(a.stat) + 2 * r;
  stat[0] = max;
  stat[1] = T(1) / sum;
}

template <class T>
void dense_cross_entropy(const CrossEntropyArgs& a) {
  using V = vec<T>;
  each_row(a.rows, a.cols, [&](int64_t r) {
    const T* x = static_cast<const T*>(a.x) + r * a.cols;
    const T* t = static_cast<const T*>(a.target) + r * a.cols;
    const Row<T> row = exp_row<T>(x, nullptr, a.cols);
    keep(a, r, row.max, row.sum);
    const T log_sum = log_(row.sum);
    T loss = sum_vectors<T>(row.whole, [&](int64_t i, auto part) {
      return part.get(t + i) * (log_sum - (part.get(x + i) - row.max));
    });
    if (row.whole < a.cols) {  // x padded with m, t with 0: 0 log_sum behind the end, never 0 inf
      const int64_t n = a.cols - row.whole;
      const V rest = load_n(x + row.whole, n, splat<V>(row.max));
      loss += sum_lanes(load_n(t + row.whole, n) * (log_sum - (rest - row.max)));
    }
    static_cast<T*>(a.loss)[r] = loss;
  });
}

// The logarithms of kBlock rows' sums are taken together, as vectors.
template <class T>
void label_cross_entropy(const CrossEntropyArgs& a) {
  constexpr int64_t kBlock = 64;
  int32_t met_bad = 0;
  const int64_t grain = a.cols >= kChunk ? 1 : kChunk / (a.cols < 1 ? 1 : a.cols);
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    T sums[kBlock], picked[kBlock];  // loss = log(sum) - picked
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t count = end - first < kBlock ? end - first : kBlock;
      const auto note = [&](int64_t k, T max, T sum) {
        const int64_t r = first + k, label = label_at(a.label, a.label_dtype, r);
        const bool good = label >= 0 && label < a.cols;
        sums[k] = good ? sum : T(1);
        picked[k] = good ? static_cast<const T*>(a.x)[r * a.cols + label] - max : T(0);
        if (!good) __atomic_store_n(&met_bad, 1, __ATOMIC_RELAXED);
        keep(a, r, max, sum);
      };
      const T* x = static_cast<const T*>(a.x) + first * a.cols;
      int64_t k = 0;
      if (a.cols <= kShortRow)
        for (; k + kRows <= count; k += kRows) {
          const Rows<T> rows = exp_rows<T>(x + k * a.cols, nullptr, a.cols);
          for (int n = 0; n < kRows; ++n) note(k + n, rows.max[n], rows.sum[n]);
        }
      for (; k < count; ++k) {
        const Row<T> row = exp_row<T>(x + k * a.cols, nullptr, a.cols);
        note(k, row.max, row.sum);
      }
      T* loss = static_cast<T*>(a.loss) + first;
      each_vector<T>(0, count, [&](int64_t k, auto part) {
        part.put(loss + k, log_(part.get(sums + k)) - part.get(picked + k));
      });
    }
  });
  if (met_bad) note_first_bad(a);
}

template <class T>
void cross_entropy_typed(const CrossEntropyArgs& a) {
  if (a.target)
    dense_cross_entropy<T>(a);
  else
    label_cross_entropy<T>(a);
}

template <class T>
void cross_entropy_backward_typed(const CrossEntropyBackwardArgs& a) {
  using V = vec<T>;
  each_row(a.rows, a.cols, [&](int64_t r) {
    const T* x = static_cast<const T*>(a.x) + r * a.cols;
    const T max = static_cast<const T*>(a.stat)[2 * r], share = static_cast<const T*>(a.stat)[2 * r + 1];
    const T scale = static_cast<const T*>(a.dloss)[r * a.stride_dloss];
    T* dx = static_cast<T*>(a.dx) + r * a.cols;
    if (a.target) {
      const T* t = static_cast<const T*>(a.target) + r * a.cols;
      const T mass = sum_vectors<T>(a.cols, [&](int64_t i, auto part) { return part.get(t + i); }) * share;
      each_vector<T>(0, a.cols, [&](int64_t i, auto part) {
        part.put(dx + i, (exp_(part.get(x + i) - max) * mass - part.get(t + i)) * scale);
      });
      return;
    }
    const int64_t label = label_at(a.label, a.label_dtype, r);
    if (label >= 0 && label < a.cols) {
      const T factor = share * scale;
      const auto step = [&](int64_t i, auto part) {
        __builtin_prefetch(x + a.cols + i);
        part.put(dx + i, exp_(part.get(x + i) - max) * factor);
      };
      if (a.rows * a.cols * int64_t{sizeof(T)} < kPastBytes) {
        each_vector<T>(0, a.cols, step);
      } else {  // but not the line of the label, which is written twice
        const auto skew = static_cast<int64_t>(reinterpret_cast<uintptr_t>(dx + label) % PL_VEC / sizeof(T));
        const int64_t low = label - skew < 0 ? 0 : label - skew;
        const int64_t high = label - skew + width<T> > a.cols ? a.cols : label - skew + width<T>;
        each_vector_past<T>(dx, 0, low, step);
        each_vector<T>(low, high, step);
        each_vector_past<T>(dx, high, a.cols, step);
        fence_past();
      }
      dx[label] -= scale;
    } else {
      each_vector<T>(0, a.cols, [&](int64_t i, auto part) { part.put(dx + i, V{}); });
    }
  });
}

void softmax(Stream, const SoftmaxArgs& a) {
  if (a.dtype == DType::float32) softmax_typed<float>(a);
  if (a.dtype == DType::float64) softmax_typed<double>(a);
}

void softmax_backward(Stream, const SoftmaxBackwardArgs& a) {
  if (a.dtype == DType::float32) softmax_backward_typed<float>(a);
  if (a.dtype == DType::float64) softmax_backward_typed<double>(a);
}

void cross_entropy(Stream, const CrossEntropyArgs& a) {
  if (a.dtype == DType::float32) cross_entropy_typed<float>(a);
  if (a.dtype == DType::float64) cross_entropy_typed<double>(a);
}

void cross_entropy_backward(Stream, const CrossEntropyBackwardArgs& a) {
  if (a.dtype == DType::float32) cross_entropy_backward_typed<float>(a);
  if (a.dtype == DType::float64) cross_entropy_backward_typed<double>(a);
}

}  // namespace

extern const LossKernels loss;
const LossKernels loss = {
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
};

}  // namespace pl::PL_ISA
