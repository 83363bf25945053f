// y[o,i] = reduction over j of x[o,j,i], and running sums.
//
// Two loops, chosen by which of j and i is nearer in memory:
//   by rows      one output after the other, kBlockOf elements of j at a time (gathered when they are not
//   contiguous) by columns   kTile outputs side by side, kRows elements of j at a time
// Parallel over outputs; where there are few and j is long, over chunks of j, whose states lie in a small
// array on the stack and are merged in order. The cut depends on the sizes only, so the bits do not depend on
// the threads.
#include "kernels/reduce.h"

#include "kernels/reducers.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kReduceGrain = 32768;  // elements per chunk: 5 to 20 microseconds
inline constexpr int64_t kFewOutputs = 16;      // below, chunks of j are the parallel axis
inline constexpr int64_t kMaxChunks = 32;

// Elements of j in one chunk: at least `smallest`, a multiple of `unit`, at most kMaxChunks chunks.
PL_INLINE int64_t chunk_length(int64_t n, int64_t smallest, int64_t unit) {
  const int64_t length = most(smallest, (n + kMaxChunks - 1) / kMaxChunks);
  return (length + unit - 1) / unit * unit;
}

template <class R, class T>
__attribute__((noinline)) void take_row(typename R::State& s, const T* x, int64_t stride, int64_t begin,
                                        int64_t end) {
  if (stride == 1) {
    for (int64_t j = begin; j < end; j += kBlockOf<T>) R::block(s, x + j, least(kBlockOf<T>, end - j), j);
    return;
  }
  alignas(64) T buffer[kBlockOf<T>];
  for (int64_t j = begin; j < end; j += kBlockOf<T>) {
    const int64_t n = least(kBlockOf<T>, end - j);
    copy_elements(sizeof(T), buffer, 1, x + j * stride, stride, n);
    R::block(s, buffer, n, j);
  }
}

template <class R, class T>
inline void reduce_by_rows(const ReduceArgs& a, const T* x, typename R::Output* y) {
  const int64_t outputs = a.outer * a.inner;
  const auto row = [&](int64_t k) {
    if (a.inner == 1) return x + k * a.stride_outer;
    return x + k / a.inner * a.stride_outer + k % a.inner * a.stride_inner;
  };
  if (outputs < kFewOutputs && a.n >= 2 * kReduceGrain) {
    const int64_t length = chunk_length(a.n, kReduceGrain, kBlockOf<T>);
    for (int64_t k = 0; k < outputs; ++k) {
      typename R::State state[kMaxChunks];
      const T* p = row(k);
      parallel_for(
          a.n, length,
          [&](int64_t begin, int64_t end) {
            typename R::State s;
            R::start(s);
            take_row<R>(s, p, a.stride_n, begin, end);
            state[begin / length] = s;
          },
          false);
      for (int64_t c = 1; c * length < a.n; ++c) R::merge(state[0], state[c]);
      y[k] = R::finish(state[0], a.n);
    }
    return;
  }
  parallel_for(outputs, most(1, kReduceGrain / most(1, a.n)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      typename R::State s;
      R::start(s);
      take_row<R>(s, row(k), a.stride_n, 0, a.n);
      y[k] = R::finish(s, a.n);
    }
  });
}

template <class R, class T>
__attribute__((noinline)) void take_columns(typename R::State* s, const T* x, int64_t stride_n,
                                            int64_t stride_inner, int64_t cols, int64_t begin, int64_t end) {
  if (stride_inner == 1) {
    for (int64_t j = begin; j < end; j += kRows)
      R::rows(s, x + j * stride_n, stride_n, least(kRows, end - j), cols, j);
    return;
  }
  alignas(64) T buffer[kRows * kTile];
  for (int64_t j = begin; j < end; j += kRows) {
    const int64_t rows = least(kRows, end - j);
    for (int64_t r = 0; r < rows; ++r)
      copy_elements(sizeof(T), buffer + r * cols, 1, x + (j + r) * stride_n, stride_inner, cols);
    R::rows(s, buffer, cols, rows, cols, j);
  }
}

template <class R, class T>
inline void reduce_by_columns(const ReduceArgs& a, const T* x, typename R::Output* y) {
  const int64_t tiles = (a.inner + kTile - 1) / kTile, items = a.outer * tiles;
  const int64_t per_item = most(1, a.n) * least(kTile, a.inner);
  const auto tile_at = [&](int64_t k) { return k % tiles * kTile; };
  const auto source = [&](int64_t k) { return x + k / tiles * a.stride_outer + tile_at(k) * a.stride_inner; };
  const auto finish = [&](int64_t k, const typename R::State* s) {
    typename R::Output* to = y + k / tiles * a.inner + tile_at(k);
    const int64_t cols = least(kTile, a.inner - tile_at(k));
    for (int64_t c = 0; c < cols; ++c) to[c] = R::finish(s[c], a.n);
  };
  if (items < kFewOutputs && per_item >= 2 * kReduceGrain) {
    const int64_t length = chunk_length(a.n, kReduceGrain / least(kTile, a.inner), kRows);
    for (int64_t k = 0; k < items; ++k) {
      const int64_t cols = least(kTile, a.inner - tile_at(k));
      typename R::State state[kMaxChunks][kTile];
      parallel_for(
          a.n, length,
          [&](int64_t begin, int64_t end) {
            typename R::State s[kTile];
            for (int64_t c = 0; c < cols; ++c) R::start(s[c]);
            take_columns<R>(s, source(k), a.stride_n, a.stride_inner, cols, begin, end);
            for (int64_t c = 0; c < cols; ++c) state[begin / length][c] = s[c];
          },
          false);
      for (int64_t p = 1; p * length < a.n; ++p)
        for (int64_t c = 0; c < cols; ++c) R::merge(state[0][c], state[p][c]);
      finish(k, state[0]);
    }
    return;
  }
  parallel_for(items, most(1, kReduceGrain / per_item), [&](int64_t begin, int64_t end) {
    typename R::State s[kTile];
    for (int64_t k = begin; k < end; ++k) {
      const int64_t cols = least(kTile, a.inner - tile_at(k));
      for (int64_t c = 0; c < cols; ++c) R::start(s[c]);
      take_columns<R>(s, source(k), a.stride_n, a.stride_inner, cols, 0, a.n);
      finish(k, s);
    }
  });
}

PL_INLINE int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }

template <class R, class T>
void run(const ReduceArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  auto* y = static_cast<typename R::Output*>(a.y);
  if (a.outer == 0 || a.inner == 0) return;
  if (a.inner > 1 && a.n > 1 && distance(a.stride_inner) < distance(a.stride_n)) {
    reduce_by_columns<R, T>(a, x, y);
  } else {
    reduce_by_rows<R, T>(a, x, y);
  }
}

using Reduction = void (*)(const ReduceArgs&);

// The reduction `op` of elements T, null where it has no meaning.
template <ReduceOp op, class T>
struct ReductionMaker {
  static constexpr Reduction entry() {
    using O = ReduceOp;
    if constexpr (op == O::max)
      return run<Extremum<T, true>, T>;
    else if constexpr (op == O::min)
      return run<Extremum<T, false>, T>;
    else if constexpr (op == O::argmax)
      return run<ArgExtremum<T, true>, T>;
    else if constexpr (op == O::argmin)
      return run<ArgExtremum<T, false>, T>;
    else if constexpr (op == O::any)
      return run<Truth<T, false>, T>;
    else if constexpr (op == O::all)
      return run<Truth<T, true>, T>;
    else if constexpr (!is_real<T>) {
      if constexpr (op == O::sum)
        return run<IntegerSum<T>, T>;
      else if constexpr (op == O::prod)
        return run<IntegerProduct<T>, T>;
      else
        return nullptr;
    } else if constexpr (op == O::sum)
      return run<RealSum<T, SumKind::sum>, T>;
    else if constexpr (op == O::mean)
      return run<RealSum<T, SumKind::mean>, T>;
    else if constexpr (op == O::sum_squares)
      return run<RealSum<T, SumKind::squares>, T>;
    else if constexpr (op == O::prod)
      return run<RealProduct<T>, T>;
    else if constexpr (op == O::logsumexp)
      return run<LogSumExp<T>, T>;
    else
      return nullptr;
  }
};
constexpr OpTable<Reduction, ReduceOp, ReductionMaker> kReductions;

void reduce_axis(Stream, const ReduceArgs& a) {
  const Reduction run = kReductions.at(a.dtype, a.op);
  if (run != nullptr) run(a);
}

// Running sums go along j one after the other, in double for float32 (rounded on the way out), modulo 2^64
// for integers. Parallel over tiles of kTile neighbours in i.
template <class T, class Sum, class Y>
void running_sum(const CumsumArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  Y* y = static_cast<Y*>(a.y);
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  const int64_t tiles = (a.inner + kTile - 1) / kTile;
  const int64_t first = a.reverse ? a.n - 1 : 0, step = a.reverse ? -1 : 1;
  parallel_for(a.outer * tiles, most(1, kReduceGrain / (a.n * least(kTile, a.inner))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t k = begin; k < end; ++k) {
                   const int64_t o = k / tiles, i = k % tiles * kTile, cols = least(kTile, a.inner - i);
                   const T* from = x + o * a.stride_outer + first * a.stride_n + i * a.stride_inner;
                   Y* to = y + (o * a.n + first) * a.inner + i;
                   Sum sum[kTile] = {};
                   if (cols == 1) {
                     Sum s = 0;
                     for (int64_t j = 0; j < a.n; ++j, from += step * a.stride_n, to += step * a.inner)
                       *to = Y(s += Sum(*from));
                     continue;
                   }
                   for (int64_t j = 0; j < a.n; ++j, from += step * a.stride_n, to += step * a.inner)
                     PL_INDEPENDENT
                   for (int64_t c = 0; c < cols; ++c) to[c] = Y(sum[c] += Sum(from[c * a.stride_inner]));
                 }
               });
}

void cumulate(Stream, const CumsumArgs& a) {
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return running_sum<uint8_t, uint64_t, int64_t>(a);
    case DType::int32: return running_sum<int32_t, uint64_t, int64_t>(a);
    case DType::int64: return running_sum<int64_t, uint64_t, int64_t>(a);
    case DType::float32: return running_sum<float, double, float>(a);
    case DType::float64: return running_sum<double, double, double>(a);
  }
}

}  // namespace

extern const ReduceKernels reduce;
const ReduceKernels reduce{
    .reduce = reduce_axis,
    .cumsum = cumulate,
};

}  // namespace pl::PL_ISA
