// Optimizer updates over the segments of one launch, in place; the rules are in optim_rules.h, what surrounds them in
// optim_step.h, both shared with the CPU.
//
// The elements of all segments that are not frozen, each padded to kOptimLine, form one line of numbers, cut into chunks
// of kChunk, which the blocks take in turn. A block turns the table of segments, kThreads at a time, into the segments'
// ends by a scan in shared memory and finds its chunks' parts there, so that many small parameters cost no more than one
// large one, and the host need not know the table. 16 elements a thread in a chunk, by 16-byte loads where all arrays of
// the segment are aligned.
//
// Two launches, whatever the number of parameters. `look` reads the gradients: are all finite, and, where norms are
// limited, the sum of squares of each part of a segment inside a chunk (in double; the order depends on the shapes
// alone). Its last block decides on the step, leaves the decision and the clip factors in scratch memory, and advances
// the scalars. `update` only follows the decision. The gradients of a small model are still in the second-level cache
// then.
#include "kernels/optim.h"

#include "kernels/optim_plan.cuh"
#include "kernels/optim_sparse.cuh"

namespace pl::cuda {
namespace {

constexpr int kResident = 3;  // blocks of a multiprocessor

// -- the first launch -----------------------------------------------------------------------------------------------

// 0 g is 0 for a finite g and NaN for any other.
template <class T>
__device__ T finite_part(const Gradient<T>& g, int64_t from, int64_t to) {
  T zero = 0;
  if (g.sum) {
    for (int64_t i = from + threadIdx.x; i < to; i += kThreads)
      zero = fma_(g.of(g.g[i], g.sum[i]), T(0), zero);
    return zero;
  }
  if (aligned(g.g)) {
    constexpr int w = Pack<T>::size;
    const Pack<T>* packs = reinterpret_cast<const Pack<T>*>(g.g);
    for (int64_t i = from / w + threadIdx.x; i < to / w; i += kThreads) {
      const Pack<T> p = packs[i];
      for (int k = 0; k < w; ++k) zero = fma_(p.v[k], T(0), zero);
    }
    from = to / w * w;
  }
  for (int64_t i = from + threadIdx.x; i < to; i += kThreads) zero = fma_(g.g[i], T(0), zero);
  return zero;
}

template <class T>
__device__ double squares_part(const Gradient<T>& g, int64_t from, int64_t to) {
  double sum = 0;
  for (int64_t i = from + threadIdx.x; i < to; i += kThreads) {
    const double v = static_cast<double>(g.sum ? g.of(g.g[i], g.sum[i]) : g.g[i]);
    sum = fma_(v, v, sum);
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) look(OptimArgs a, Workspace work, unsigned* counter) {
  LineShared& shared = smem<LineShared>();
  const bool waits = a.accumulate > 1 && a.scalars->waiting + 1 < a.accumulate;
  const bool norms = !waits && limits_norm(a.clip);
  const double count = waits || a.accumulate <= 1 ? 1 : static_cast<double>(a.accumulate);
  T zero = 0;
  bool bad = false;
  each_part(a.segments, a.n_segments, shared, [&](int64_t chunk, int64_t i, int64_t from, int64_t to) {
    const Gradient<T> g = gradient_of<T>(a.segments[i], count);
    if (!norms) {
      zero += finite_part(g, from, to);
      return;
    }
    const double sum = block_sum(squares_part(g, from, to), shared.sums);
    if (threadIdx.x == 0) work.parts[chunk + i] = sum;
    bad = bad || !(sum - sum == 0);
  });
  const int bad_threads = __syncthreads_count(bad || !(zero == 0));
  if (threadIdx.x == 0) work.bad[blockIdx.x] = bad_threads != 0;
  if (!last_block(counter, &shared.flag)) return;

  int bad_blocks = 0;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kThreads) bad_blocks |= work.bad[b];
  bool finite = __syncthreads_count(bad_blocks) == 0;
  if (a.loss) {
    const T loss = *static_cast<const T*>(a.loss);
    finite = finite && loss - loss == 0;
  }
  if (finite && norms) clip_factors(a, work, shared);
  if (threadIdx.x == 0) decide(a.hyper, *a.scalars, *work.plan, finite, waits, count);
}

// -- the second -----------------------------------------------------------------------------------------------------

// One kernel for plain segments and others: what tells them apart is the same for a whole part, and memory is what counts.
template <class T, class Rule>
using Around = Surroundings<T, Rule, false>;

// The elements at i, of type P, of all arrays of a segment through the rule. P: Pack<T>, or T itself.
template <class P, class T, class Rule>
__device__ __forceinline__ void step_at(const Around<T, Rule>& around, const Rule& rule, T* const* slots,
                                        int64_t i) {
  constexpr int w = sizeof(P) / sizeof(T), n = Rule::slots;
  const auto at = [](auto* p, int64_t k) -> auto& {
    using Q = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(p)>>, const P, P>;
    return reinterpret_cast<Q*>(p)[k];
  };
  union Values {
    P whole;
    T v[w];
  };
  Values p, g, sum{}, average{}, s[n > 0 ? n : 1];
  const bool sums = around.sum(), averages = around.average;
  p.whole = at(around.p, i);
  g.whole = at(around.gradient.g, i);
  for (int k = 0; k < n; ++k) s[k].whole = at(slots[k], i);
  if (sums) sum.whole = at(around.sum(), i);
  if (averages && !around.first) average.whole = at(around.average, i);
  for (int e = 0; e < w; ++e) {
    OneStep<T, Rule> x{};
    x.p = p.v[e];
    x.g = g.v[e];
    for (int k = 0; k < n; ++k) x.s[k] = s[k].v[e];
    if (sums) x.sum = sum.v[e], sum.v[e] = 0;
    x.average = average.v[e];
    around.step(rule, x);
    p.v[e] = x.p;
    for (int k = 0; k < n; ++k) s[k].v[e] = x.s[k];
    if (averages) average.v[e] = x.average;
  }
  for (int k = 0; k < n; ++k) at(slots[k], i) = s[k].whole;
  if (sums) at(around.sum(), i) = sum.whole;
  if (averages) at(around.average, i) = average.whole;
  at(around.p, i) = p.whole;
}

template <class T, class Rule>
__device__ __forceinline__ void update_part(const Around<T, Rule>& around, const Rule& rule, const Segment& s,
                                            int64_t from, int64_t to) {
  T* slots[kMaxSlots];
  bool packs = aligned(s.p) && aligned(s.g) && aligned(s.sum) && aligned(s.average);
  for (int k = 0; k < Rule::slots; ++k) {
    slots[k] = static_cast<T*>(s.slots[k]);
    packs = packs && aligned(slots[k]);
  }
  if (packs) {
    constexpr int w = Pack<T>::size;
#pragma unroll 1
    for (int64_t i = from / w + threadIdx.x; i < to / w; i += kThreads)
      step_at<Pack<T>>(around, rule, slots, i);
    from = to / w * w;
  }
#pragma unroll 1
  for (int64_t i = from + threadIdx.x; i < to; i += kThreads) step_at<T>(around, rule, slots, i);
}

template <class T>
__device__ void add_part(const Segment& s, int64_t from, int64_t to) {
  const T* g = static_cast<const T*>(s.g);
  T* sum = static_cast<T*>(s.sum);
  for (int64_t i = from + threadIdx.x; i < to; i += kThreads) sum[i] += g[i];
}

template <class T, class Rule>
__global__ void __launch_bounds__(kThreads, kResident) update_kernel(OptimArgs a, Workspace work) {
  const Plan plan = *work.plan;
  if (plan.action == Plan::skip) return;
  each_part(a.segments, a.n_segments, smem<LineShared>(), [&](int64_t, int64_t i, int64_t from, int64_t to) {
    const Segment& s = a.segments[i];
    if (plan.action == Plan::wait) return add_part<T>(s, from, to);
    const double rate = plan.rate * s.rate, factor = limits_norm(a.clip) ? work.factors[i] : 1;
    const Rule rule(a.hyper, rate, plan.factors);
    update_part(Around<T, Rule>(a, s, rate, factor, plan.t, plan.count), rule, s, from, to);
  });
}

// All blocks are there at once; a small model leaves most of them without a chunk.
dim3 line_grid() { return dim3(static_cast<unsigned>(kResident * multiprocessors())); }

void update(Stream stream, const OptimArgs& a) {
  const Workspace work(scratch(stream), line_grid().x, a.n_segments);
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    start(stream, look<T>, line_grid(), kThreads, sizeof(LineShared), a, work, counter(stream));
    with_rule<T>(a.hyper, [&](auto type) {
      using Rule = typename decltype(type)::of;
      start(stream, update_kernel<T, Rule>, line_grid(), kThreads, sizeof(LineShared), a, work);
    });
  });
}

}  // namespace

extern const OptimKernels optim;
const OptimKernels optim = {
    .update = update,
    .sparse = sparse,
};

}  // namespace pl::cuda
