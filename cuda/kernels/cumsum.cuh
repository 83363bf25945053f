// y[o, j, i] = sum of x[o, 0 .. j, i], or of x[o, j .. n-1, i] backwards. Sums are kept as reductions do: in double for
// float, compensated for double, modulo 2^64 for integers.
//
//   columns   the series lie side by side and are many, or they are short: a thread a series, neighbouring threads
//             neighbouring series
//   series    a block takes kTile elements at a time: each thread sums kRun neighbours, the threads' totals are scanned
//             by warp shuffles, the warps' through shared memory. Where the series are too few to fill the machine they
//             are cut into chunks: one launch of the reduction's kernel gives the chunks' totals, and each block begins
//             with what lies before its own.
// The cut depends on the shape alone.
#pragma once
#include "reduce_team.cuh"

namespace pl::cuda {
namespace {

constexpr int kRun = 4;
constexpr int kTile = kThreads * kRun;
constexpr int64_t kManySeries = 4096, kShort = 32;

struct Scan {
  Team team;  // the series and their chunks; `states` the chunks' totals, or null
  bool reverse;
};

// Position p of the scan is element p, or n - 1 - p backwards.
__device__ __forceinline__ int64_t element_of(const Scan& a, int64_t p) {
  return a.reverse ? a.team.n - 1 - p : p;
}
// Element j of series k = (o, i) in y.
__device__ __forceinline__ int64_t target_of(const Team& a, int64_t k) {
  return a.inner == 1 ? k * a.n : k / a.inner * (a.n * a.inner) + k % a.inner;
}

template <class R>
__device__ __forceinline__ typename R::Output value_of(const typename R::State& s) {
  return R::finish(s, 1);
}

template <class R, class T>
__global__ void __launch_bounds__(kThreads) cumsum_columns_kernel(const Scan a) {
  for (int64_t k = first(); k < a.team.outputs; k += stride()) {
    const T* x = static_cast<const T*>(a.team.x) + offset_of(a.team, k);
    auto* y = static_cast<typename R::Output*>(a.team.y) + target_of(a.team, k);
    typename R::State s;
    R::start(s);
    int64_t p = 0;
    for (; p + kAhead <= a.team.n; p += kAhead) {
      T v[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) v[u] = x[element_of(a, p + u) * a.team.stride_n];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        R::take(s, v[u], p + u);
        y[element_of(a, p + u) * a.team.inner] = value_of<R>(s);
      }
    }
    for (; p < a.team.n; ++p) {
      R::take(s, x[element_of(a, p) * a.team.stride_n], p);
      y[element_of(a, p) * a.team.inner] = value_of<R>(s);
    }
  }
}

template <class S>
__device__ __forceinline__ S shuffle_up(S s, int by) {
  uint32_t word[(sizeof(S) + 3) / 4] = {};
  memcpy(word, &s, sizeof s);
#pragma unroll
  for (auto& w : word) w = __shfl_up_sync(~0u, w, static_cast<unsigned>(by));
  memcpy(&s, word, sizeof s);
  return s;
}

// The sum of the threads before this one, and in `total` that of all. Every thread of the block calls it.
template <class R>
__device__ __forceinline__ typename R::State scan_block(const typename R::State& mine,
                                                        typename R::State& total) {
  using State = typename R::State;
  auto& shared = smem<Shared<State>>();
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  State sum = mine;
  for (int by = 1; by < kWarp; by *= 2) {
    State before = shuffle_up(sum, by);
    if (lane >= by) {
      R::merge(before, sum);
      sum = before;
    }
  }
  if (lane == kWarp - 1) shared.state[warp] = sum;
  State before = shuffle_up(sum, 1);
  if (lane == 0) R::start(before);
  __syncthreads();
  State warps;
  R::start(warps);
  R::start(total);
  for (int w = 0; w < kThreads / kWarp; ++w) {
    if (w < warp) R::merge(warps, shared.state[w]);
    R::merge(total, shared.state[w]);
  }
  __syncthreads();
  R::merge(warps, before);
  return warps;
}

// What lies before chunk number `chunk` of series k.
template <class R>
__device__ __forceinline__ typename R::State sum_before(const Scan& a, int64_t k, int64_t chunk) {
  using State = typename R::State;
  State mine, all;
  R::start(mine);
  if (a.team.states != nullptr) {
    const State* states = static_cast<const State*>(a.team.states) + k * a.team.chunks;
    for (int64_t c = threadIdx.x; c < a.team.chunks; c += kThreads)
      if (a.reverse ? c > chunk : c < chunk) R::merge(mine, states[c]);
    scan_block<R>(mine, all);
    return all;
  }
  return mine;
}

template <class R, class T>
__global__ void __launch_bounds__(kThreads) cumsum_series_kernel(const Scan a) {
  using State = typename R::State;
  const Team& t = a.team;
  for (int64_t item = blockIdx.x; item < t.outputs * t.chunks; item += gridDim.x) {
    const int64_t k = item / t.chunks, chunk = item % t.chunks;
    const T* x = static_cast<const T*>(t.x) + offset_of(t, k);
    auto* y = static_cast<typename R::Output*>(t.y) + target_of(t, k);
    // Elements [begin, end), walked from the end where `reverse`.
    const int64_t begin = chunk * t.length, end = begin + t.length < t.n ? begin + t.length : t.n;
    State carry = sum_before<R>(a, k, chunk);
    for (int64_t base = 0; base < end - begin; base += kTile) {
      const int64_t p = base + int64_t{threadIdx.x} * kRun;
      State run[kRun];
#pragma unroll
      for (int u = 0; u < kRun; ++u) {
        if (u == 0)
          R::start(run[0]);
        else
          run[u] = run[u - 1];
        if (p + u < end - begin)
          R::take(run[u], x[(a.reverse ? end - 1 - (p + u) : begin + p + u) * t.stride_n], 0);
      }
      State total, before = scan_block<R>(run[kRun - 1], total);
      State ahead = carry;
      R::merge(ahead, before);
#pragma unroll
      for (int u = 0; u < kRun; ++u) {
        if (p + u >= end - begin) break;
        State s = ahead;
        R::merge(s, run[u]);
        y[(a.reverse ? end - 1 - (p + u) : begin + p + u) * t.inner] = value_of<R>(s);
      }
      R::merge(carry, total);
    }
  }
}

template <class R, class T>
void running_sum(Stream stream, const CumsumArgs& args) {
  Scan a = {};
  a.team = team_of<R, T>(args);
  a.team.y = args.y;
  a.reverse = args.reverse;
  Team& t = a.team;
  if (t.outputs == 0 || t.n == 0) return;
  if (t.n <= kShort || (!t.along && t.outputs >= kManySeries))
    return start(stream, cumsum_columns_kernel<R, T>, blocks_for(t.outputs), dim3(kThreads), 0, a);
  if (t.chunks > 1) {
    t.states = scratch(stream);
    start_team<R, T>(stream, t);
  }
  start(stream, cumsum_series_kernel<R, T>, blocks_for(t.outputs * t.chunks, 1), dim3(kThreads),
        sizeof(Shared<typename R::State>), a);
}

}  // namespace
}  // namespace pl::cuda
