// The rows of one table that a batch has touched. `check` looks at all ids and gradients; its last block decides, as for
// whole tables. Ids are packed with their places into words (id, place) and sorted (radix.cuh); then a thread for each
// column of each first place of an id adds up the gradients of the id in their order and takes the step. The others
// leave at once: so a batch without repeated ids has all its threads at work.
#pragma once
#include "kernels/optim_plan.cuh"
#include "kernels/radix.cuh"

namespace pl::cuda {
namespace {

template <class T, class Id>
__global__ void __launch_bounds__(kThreads)
    check_rows(SparseOptimArgs a, Workspace work, int place_bits, unsigned* counter) {
  LineShared& shared = smem<LineShared>();
  const Id* ids = static_cast<const Id*>(a.ids);
  const T* g = static_cast<const T*>(a.table.g);
  uint64_t* packed = reinterpret_cast<uint64_t*>(a.workspace);
  int outside = 0;
  T zero = 0;
  for (int64_t i = first(); i < a.n; i += stride()) {
    const int64_t id = static_cast<int64_t>(ids[i]);
    packed[i] = static_cast<uint64_t>(id) << place_bits | static_cast<uint64_t>(i);
    if (id >= 0 && id < a.rows) continue;
    outside = 1;
    if (a.status) note(a.status, Status::index_out_of_range, i, id, a.rows);
  }
  for (int64_t i = first(); i < a.n * a.cols; i += stride()) zero = fma_(g[i], T(0), zero);
  const int met = (__syncthreads_count(outside) ? 2 : 0) + (__syncthreads_count(!(zero == 0)) ? 1 : 0);
  if (threadIdx.x == 0) work.bad[blockIdx.x] = met;
  if (!last_block(counter, &shared.flag)) return;
  int all = 0;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kThreads) all |= work.bad[b];
  const bool ids_bad = __syncthreads_count(all & 2) != 0, gradients_bad = __syncthreads_count(all & 1) != 0;
  if (threadIdx.x != 0) return;
  if (ids_bad)
    work.plan->action = Plan::skip;
  else
    decide(a.hyper, *a.scalars, *work.plan, !gradients_bad, false, 1);
}

constexpr int kRowsAhead = 8;  // gradients of an id that are loaded together

template <class T, class Rule>
__global__ void __launch_bounds__(kThreads)
    update_rows(SparseOptimArgs a, const uint64_t* sorted, int place_bits, const Plan* decided) {
  const Plan plan = *decided;
  if (plan.action == Plan::skip) return;
  const double rate = plan.rate * a.table.rate;
  const Rule rule(a.hyper, rate, plan.factors);
  const T l2 = constant<T>(a.hyper.decoupled ? 0 : a.table.decay);
  const T minus_shrink = constant<T>(a.hyper.decoupled ? -rate * a.table.decay : 0);
  const bool decays = a.table.decay != 0;
  T* p = static_cast<T*>(a.table.p);
  const T* g = static_cast<const T*>(a.table.g);
  const uint64_t places = (uint64_t{1} << place_bits) - 1;
  for (int64_t at = first(); at < a.n * a.cols; at += stride()) {
    const int64_t i = at / a.cols, c = at - i * a.cols;
    const uint64_t id = sorted[i] >> place_bits;
    if (i > 0 && sorted[i - 1] >> place_bits == id) continue;
    T d = g[static_cast<int64_t>(sorted[i] & places) * a.cols + c];
    for (int64_t k = i + 1, end = 0; end == 0; k += kRowsAhead) {
      T v[kRowsAhead];
#pragma unroll
      for (int u = 0; u < kRowsAhead; ++u) {
        const bool same = end == 0 && k + u < a.n && sorted[k + u] >> place_bits == id;
        if (same)
          v[u] = g[static_cast<int64_t>(sorted[k + u] & places) * a.cols + c];
        else if (end == 0)
          end = k + u;
      }
#pragma unroll
      for (int u = 0; u < kRowsAhead; ++u)
        if (end == 0 || k + u < end) d += v[u];
    }
    const int64_t e = static_cast<int64_t>(id) * a.cols + c;
    T w = p[e], s[Rule::slots > 0 ? Rule::slots : 1];
    if (decays) {
      d = fma_(l2, w, d);
      w = fma_(minus_shrink, w, w);
    }
    for (int k = 0; k < Rule::slots; ++k) s[k] = static_cast<const T*>(a.table.slots[k])[e];
    w = rule.step(w, d, s);
    for (int k = 0; k < Rule::slots; ++k) static_cast<T*>(a.table.slots[k])[e] = s[k];
    p[e] = w;
  }
}

void sparse(Stream stream, const SparseOptimArgs& a) {
  const dim3 grid = blocks_for(a.n * (a.cols > 0 ? a.cols : 1));
  const Workspace work(scratch(stream), grid.x, 0);
  int64_t* const counts = reinterpret_cast<int64_t*>(work.parts);
  const int place_bits = bits_of(a.n);
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_id(a.id_dtype, [&](auto id) {
      start(stream, check_rows<T, decltype(id)>, grid, kThreads, sizeof(LineShared), a, work, place_bits,
            counter(stream));
    });
    uint64_t* const pairs = reinterpret_cast<uint64_t*>(a.workspace);
    const uint64_t* sorted =
        sort_elements(stream, pairs, pairs + a.n, 1, a.n, place_bits, place_bits + bits_of(a.rows), counts);
    with_rule<T>(a.hyper, [&](auto type) {
      using Rule = typename decltype(type)::of;
      start(stream, update_rows<T, Rule>, grid, kThreads, 0, a, sorted, place_bits, work.plan);
    });
  });
}

}  // namespace
}  // namespace pl::cuda
