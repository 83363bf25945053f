// Optimizer updates over the segments of one launch, in place; the rules are in optim_rules.h, what surrounds them in optim_step.h.
//
// The elements of all segments that are not frozen, each padded to whole cache lines, form one line of numbers, cut into
// chunks of kOptimChunk; a chunk walks the (short) table to the segments it covers. So many small parameters cost no
// more than one large one, and a small model is one chunk, which runs inline. Two passes: the first only reads the
// gradients, answers whether all are finite and, where the norm is limited, adds up squares; the second updates. Neither
// can be interrupted, or the weights would be half updated. The first costs an eighth of Adam's time where everything
// comes from memory; going through the chunks backwards in the second, for what is left in cache, costs more than it
// brings. Chunks of 2^15 share out evenly on a few threads; larger ones are no faster.
//
// Sums of squares are kept for each part of a segment inside a chunk and added up in their order, so the norms do not
// depend on the number of threads.
#include "kernels/optim.h"

#include "core/parallel.h"
#include "kernels/optim_step.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

PL_INLINE int64_t length(const Segment& s) {
  return s.frozen || s.n <= 0 ? 0 : (s.n + kOptimLine - 1) / kOptimLine * kOptimLine;
}

int64_t line_length(const Segment* segments, int64_t count) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += length(segments[i]);
  return total;
}

// fn(number of the segment, from, to) for the parts of segments inside [begin, end) of the line.
template <class Fn>
PL_INLINE void each_part(const Segment* segments, int64_t begin, int64_t end, const Fn& fn) {
  int64_t offset = 0;
  for (int64_t i = 0; begin < end; ++i) {
    const int64_t next = offset + length(segments[i]);
    if (begin < next) {
      const int64_t stop = end < next ? end : next, n = segments[i].n;
      fn(i, begin - offset, stop - offset < n ? stop - offset : n);
      begin = stop;
    }
    offset = next;
  }
}

// fn(chunk, begin, end)
template <class Fn>
PL_INLINE void each_chunk(int64_t total, const Fn& fn) {
  parallel_for(
      total, kOptimChunk, [&](int64_t begin, int64_t end) { fn(begin / kOptimChunk, begin, end); }, false);
}

// -- the first pass: is everything finite, and how long is the gradient? ------------------------------------------

template <class T, class Part>
PL_INLINE vec<T> get(const Gradient<T>& g, int64_t i, Part part) {
  return g.sum ? g.of(part.get(g.g + i), part.get(g.sum + i)) : part.get(g.g + i);
}

// 0 g is 0 for a finite g and NaN for any other; the sums of these stay 0 or become NaN.
template <class T>
bool all_finite(const T* g, int64_t n) {
  using V = vec<T>;
  constexpr int w = width<T>;
  V a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a = fma_(load(g + i), V{}, a);
    b = fma_(load(g + i + w), V{}, b);
    c = fma_(load(g + i + 2 * w), V{}, c);
    d = fma_(load(g + i + 3 * w), V{}, d);
  }
  for (; i + w <= n; i += w) a = fma_(load(g + i), V{}, a);
  if (i < n) b = fma_(load_n(g + i, n - i), V{}, b);
  const V sum = (a + b) + (c + d);
  return !any_((typename simd<T>::mask)(sum != sum));
}

// The sum of squares; when that overflows in T, once more in double. NaN or infinite when an element is.
template <class T>
double squares(const Gradient<T>& g, int64_t from, int64_t to) {
  const T sum = sum_vectors<T>(to - from, [&](int64_t i, auto part) {
    const vec<T> v = get(g, from + i, part);
    return v * v;
  });
  if (sum - sum == 0) return static_cast<double>(sum);
  double wide = 0;
  for (int64_t i = from; i < to; ++i) {
    const double v = static_cast<double>(get(g, i, Part<T>{1})[0]);
    wide += v * v;
  }
  return wide;
}

// False when the loss or a gradient is not finite. With a limit on norms, the sum of squares of each part is left in
// the workspace, at (chunk + segment): from one part to the next the chunk or the segment grows.
template <class T>
bool look(const OptimArgs& a, int64_t total, double count, bool norms) {
  if (a.loss && !all_finite(static_cast<const T*>(a.loss), 1)) return false;
  int32_t bad = 0;
  each_chunk(total, [&](int64_t chunk, int64_t begin, int64_t end) {
    if (__atomic_load_n(&bad, __ATOMIC_RELAXED)) return;
    each_part(a.segments, begin, end, [&](int64_t i, int64_t from, int64_t to) {
      const Gradient<T> g = gradient_of<T>(a.segments[i], count);
      bool good;
      if (norms) {
        const double part = squares(g, from, to);
        a.workspace[chunk + i] = part;
        good = part - part == 0;
      } else if (g.sum) {
        const T zero = sum_vectors<T>(
            to - from, [&](int64_t k, auto part) { return get(g, from + k, part) * vec<T>{}; });
        good = zero == 0;
      } else {
        good = all_finite(g.g + from, to - from);
      }
      if (!good) __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
    });
  });
  return !bad;
}

// The factor of each segment, behind the sums of squares: limit / norm where the norm is above the limit, else 1.
double* clip_factors(const OptimArgs& a, int64_t total) {
  double* factors = a.workspace + (total / kOptimChunk + 1 + a.n_segments);
  for (int64_t i = 0; i < a.n_segments; ++i) factors[i] = 0;
  for (int64_t begin = 0; begin < total; begin += kOptimChunk) {
    const int64_t end = begin + kOptimChunk < total ? begin + kOptimChunk : total;
    each_part(a.segments, begin, end,
              [&](int64_t i, int64_t, int64_t) { factors[i] += a.workspace[begin / kOptimChunk + i]; });
  }
  double all = 0;
  for (int64_t i = 0; i < a.n_segments; ++i) all += factors[i];
  for (int64_t i = 0; i < a.n_segments; ++i) {
    const double norm = __builtin_sqrt(a.clip == Clip::global_norm ? all : factors[i]);
    factors[i] = norm > a.clip_at ? a.clip_at / norm : 1;
  }
  return factors;
}

// -- the second pass ------------------------------------------------------------------------------------------------

// One vector of a segment: from memory, through the rule, and back.
template <class T, class Rule, bool kPlain, class Part>
PL_INLINE void step(const Surroundings<T, Rule, kPlain>& around, const Rule& rule, T* const* slots, int64_t i,
                    Part part) {
  OneStep<T, Rule> x{};
  x.p = part.get(around.p + i);
  x.g = part.get(around.gradient.g + i);
  for (int k = 0; k < Rule::slots; ++k) x.s[k] = part.get(slots[k] + i);
  if constexpr (!kPlain) {
    if (around.sum()) x.sum = part.get(around.sum() + i), part.put(around.sum() + i, vec<T>{});
    if (around.average && !around.first) x.average = part.get(around.average + i);
  }
  around.step(rule, x);
  for (int k = 0; k < Rule::slots; ++k) part.put(slots[k] + i, x.s[k]);
  if constexpr (!kPlain) {
    if (around.average) part.put(around.average + i, x.average);
  }
  part.put(around.p + i, x.p);
}

template <class T, class Rule, bool kPlain>
void update_part(const Surroundings<T, Rule, kPlain>& around, const Rule& rule, const Segment& s,
                 int64_t from, int64_t to) {
  T* slots[kMaxSlots];
  for (int k = 0; k < kMaxSlots; ++k) slots[k] = static_cast<T*>(s.slots[k]);
  each_vector<T>(from, to, [&](int64_t i, auto part) { step(around, rule, slots, i, part); });
}

template <class T>
void add_to_sums(const OptimArgs& a, int64_t total) {
  each_chunk(total, [&](int64_t, int64_t begin, int64_t end) {
    each_part(a.segments, begin, end, [&](int64_t i, int64_t from, int64_t to) {
      const T* g = static_cast<const T*>(a.segments[i].g);
      T* sum = static_cast<T*>(a.segments[i].sum);
      each_vector<T>(from, to,
                     [&](int64_t k, auto part) { part.put(sum + k, part.get(sum + k) + part.get(g + k)); });
    });
  });
}

template <class T>
void update_typed(const OptimArgs& a) {
  OptimScalars& scalars = *a.scalars;
  const int64_t total = line_length(a.segments, a.n_segments);
  const bool waits = a.accumulate > 1 && scalars.waiting + 1 < a.accumulate;
  const bool norms = !waits && (a.clip == Clip::norm || a.clip == Clip::global_norm);
  const double count = waits ? 1 : static_cast<double>(a.accumulate > 1 ? a.accumulate : 1);
  scalars.finite = look<T>(a, total, count, norms) ? 1 : 0;
  if (!scalars.finite) {
    scalars.skipped += 1;
    return;
  }
  if (waits) {
    add_to_sums<T>(a, total);
    scalars.waiting += 1;
    return;
  }
  const double* factors = norms ? clip_factors(a, total) : nullptr;
  const StepFactors step = step_factors(a.hyper, scalars);
  const int64_t t = scalars.step + 1;
  with_rule<T>(a.hyper, [&](auto type) {
    using Rule = typename decltype(type)::of;
    each_chunk(total, [&](int64_t, int64_t begin, int64_t end) {
      each_part(a.segments, begin, end, [&](int64_t i, int64_t from, int64_t to) {
        const Segment& s = a.segments[i];
        const double rate = scalars.rate * s.rate, factor = factors ? factors[i] : 1;
        const Rule rule(a.hyper, rate, step);
        const Surroundings<T, Rule, false> around(a, s, rate, factor, t, count);
        if (around.plain())
          update_part(Surroundings<T, Rule, true>(a, s, rate, factor, t, count), rule, s, from, to);
        else
          update_part(around, rule, s, from, to);
      });
    });
  });
  scalars.step = t;
  scalars.waiting = 0;
}

// -- rows of a table ------------------------------------------------------------------------------------------------

PL_INLINE int64_t id_at(const void* ids, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::uint8: return static_cast<const uint8_t*>(ids)[i];
    case DType::int32: return static_cast<const int32_t*>(ids)[i];
    case DType::int64: return static_cast<const int64_t*>(ids)[i];
    default: return -1;
  }
}

bool ids_inside(const SparseOptimArgs& a) {
  for (int64_t i = 0; i < a.n; ++i) {
    const int64_t id = id_at(a.ids, a.id_dtype, i);
    if (id >= 0 && id < a.rows) continue;
    if (a.status && a.status->code == Status::ok) {
      a.status->position = i;
      a.status->value = id;
      a.status->bound = a.rows;
      a.status->code = Status::index_out_of_range;
    }
    return false;
  }
  return true;
}

// (id, position) in order of the id, equal ids in that of their positions: a radix sort, 11 bits a round. Pairs lie in
// the first or the second half of the workspace; the answer says where.
int64_t* sort_ids(const SparseOptimArgs& a) {
  int64_t *from = a.workspace, *to = a.workspace + 2 * a.n;
  for (int64_t i = 0; i < a.n; ++i) {
    from[2 * i] = id_at(a.ids, a.id_dtype, i);
    from[2 * i + 1] = i;
  }
  for (int shift = 0; shift < 63 && ((a.rows - 1) >> shift) > 0; shift += 11) {
    int64_t place[2048] = {};
    for (int64_t i = 0; i < a.n; ++i) ++place[(from[2 * i] >> shift) & 2047];
    for (int64_t d = 0, before = 0; d < 2048; ++d) {
      const int64_t here = place[d];
      place[d] = before;
      before += here;
    }
    for (int64_t i = 0; i < a.n; ++i) {
      const int64_t k = place[(from[2 * i] >> shift) & 2047]++;
      to[2 * k] = from[2 * i];
      to[2 * k + 1] = from[2 * i + 1];
    }
    int64_t* const sorted = to;
    to = from;
    from = sorted;
  }
  return from;
}

template <class T, class Rule>
void sparse_rows(const SparseOptimArgs& a, const int64_t* pairs) {
  using V = vec<T>;
  OptimScalars& scalars = *a.scalars;
  const double rate = scalars.rate * a.table.rate;
  const Rule rule(a.hyper, rate, step_factors(a.hyper, scalars));
  const V l2 = constant<T>(a.hyper.decoupled ? 0 : a.table.decay);
  const V minus_shrink = constant<T>(a.hyper.decoupled ? -rate * a.table.decay : 0);
  const bool decays = a.table.decay != 0;
  T* p = static_cast<T*>(a.table.p);
  const T* g = static_cast<const T*>(a.table.g);
  T* slots[kMaxSlots];
  for (int k = 0; k < kMaxSlots; ++k) slots[k] = static_cast<T*>(a.table.slots[k]);
  const int64_t cols = a.cols;
  const int64_t grain = cols < kOptimChunk / 4 ? kOptimChunk / 4 / (cols > 0 ? cols : 1) : 1;
  parallel_for(
      a.n, grain,
      [&](int64_t begin, int64_t end) {  // a row belongs to the chunk of its first pair
        for (int64_t i = begin; i < end; ++i) {
          const int64_t id = pairs[2 * i];
          if (i > 0 && pairs[2 * (i - 1)] == id) continue;
          int64_t last = i + 1;
          while (last < a.n && pairs[2 * last] == id) ++last;
          const int64_t row = id * cols;
          each_vector<T>(0, cols, [&](int64_t c, auto part) {
            V d = part.get(g + pairs[2 * i + 1] * cols + c);
            for (int64_t k = i + 1; k < last; ++k) d += part.get(g + pairs[2 * k + 1] * cols + c);
            V w = part.get(p + row + c), s[Rule::slots > 0 ? Rule::slots : 1];
            if (decays) {
              d = fma_(l2, w, d);
              w = fma_(minus_shrink, w, w);
            }
            for (int k = 0; k < Rule::slots; ++k) s[k] = part.get(slots[k] + row + c);
            w = rule.step(w, d, s);
            for (int k = 0; k < Rule::slots; ++k) part.put(slots[k] + row + c, s[k]);
            part.put(p + row + c, w);
          });
        }
      },
      false);
}

template <class T>
void sparse_typed(const SparseOptimArgs& a) {
  OptimScalars& scalars = *a.scalars;
  if (!ids_inside(a)) return;
  const T* g = static_cast<const T*>(a.table.g);
  int32_t bad = 0;
  parallel_for(
      a.n * a.cols, kOptimChunk,
      [&](int64_t begin, int64_t end) {
        if (!all_finite(g + begin, end - begin)) __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
      },
      false);
  scalars.finite = !bad;
  if (!scalars.finite) {
    scalars.skipped += 1;
    return;
  }
  const int64_t* pairs = sort_ids(a);
  with_rule<T>(a.hyper, [&](auto type) {
    using Rule = typename decltype(type)::of;
    sparse_rows<T, Rule>(a, pairs);
  });
  scalars.step += 1;
}

void update(Stream, const OptimArgs& a) {
  if (a.dtype == DType::float32) update_typed<float>(a);
  if (a.dtype == DType::float64) update_typed<double>(a);
}

void sparse(Stream, const SparseOptimArgs& a) {
  if (a.dtype == DType::float32) sparse_typed<float>(a);
  if (a.dtype == DType::float64) sparse_typed<double>(a);
}

}  // namespace

extern const OptimKernels optim;
const OptimKernels optim = {
    .update = update,
    .sparse = sparse,
};

}  // namespace pl::PL_ISA
