// y[o, i] = reduction over j of x[o, j, i], any strides.
//
// A block of kThreads threads is a grid of `lanes` threads along j by kThreads / lanes outputs side by side. Which of the
// two runs over neighbouring threads is whichever is nearer in memory:
//   along     j: a lane takes packs of 16 bytes, lane after lane, four loaded before the first is used; the lanes are
//             joined by warp shuffles, and through shared memory beyond 32
//   across    the outputs: neighbouring threads read neighbouring columns; the lanes are joined through shared memory
// Where the outputs are too few to fill the machine, j is cut into chunks, whose states lie in scratch memory and are
// reduced by a second launch of the same kernel. Lanes and chunks depend on the shape alone, hence so do the bits. Sums
// are double for float and compensated for double (reductions.h).
#pragma once
#include <cstring>

#include "kernels/reduce.h"
#include "kernels/reductions.h"
#include "launch.h"
#include "words.cuh"

namespace pl::cuda {
namespace {

constexpr int64_t kFullMachine = int64_t{1} << 18;  // threads that keep a large GPU busy
constexpr int kMaxChunks = 1024;
constexpr int kAhead = 4;  // loads of a thread in flight

struct Team {
  const void* x;
  void* y;       // the outputs, or
  void* states;  // (outputs, chunks), where it is not null
  int64_t outputs, inner, n, stride_outer, stride_n, stride_inner;
  int64_t count;   // what finish() is told
  int64_t length;  // elements of a chunk
  int64_t chunks;
  int32_t lanes;  // threads along j, a power of two
  bool along;
  bool aligned;  // packs may be loaded as one word
};

template <class S>
__device__ __forceinline__ S shuffle_down(S s, int by, int width) {
  uint32_t word[(sizeof(S) + 3) / 4] = {};
  memcpy(word, &s, sizeof s);
#pragma unroll
  for (auto& w : word) w = __shfl_down_sync(~0u, w, static_cast<unsigned>(by), width);
  memcpy(&s, word, sizeof s);
  return s;
}

template <class S>
struct Shared {
  S state[kThreads];
};

// The states of all lanes of each output, in lane 0. Every thread of the block calls it.
template <class R>
__device__ __forceinline__ void join_lanes(typename R::State& s, int lane, int lanes, bool along) {
  using State = typename R::State;
  auto& shared = smem<Shared<State>>();
  if (along) {
    const int width = lanes < kWarp ? lanes : kWarp;
    for (int by = width / 2; by > 0; by /= 2) R::merge(s, shuffle_down(s, by, width));
    if (lanes <= kWarp) return;
    if (lane % kWarp == 0) shared.state[threadIdx.x / kWarp] = s;
    __syncthreads();
    if (lane == 0)
      for (int w = 1; w < lanes / kWarp; ++w)
        R::merge(s, shared.state[threadIdx.x / kWarp + static_cast<unsigned>(w)]);
    __syncthreads();
    return;
  }
  const int outputs = kThreads / lanes, me = static_cast<int>(threadIdx.x);
  shared.state[me] = s;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) R::merge(shared.state[me], shared.state[me + half * outputs]);
  }
  s = shared.state[me];  // its own thread has written it
  __syncthreads();
}

// x[o, i] for output k = (o, i)
__device__ __forceinline__ int64_t offset_of(const Team& a, int64_t k) {
  if (a.inner == 1) return k * a.stride_outer;
  if (a.outputs <= 0x7fffffff) {
    const uint32_t o = static_cast<uint32_t>(k) / static_cast<uint32_t>(a.inner);
    return o * a.stride_outer + (k - o * a.inner) * a.stride_inner;
  }
  return k / a.inner * a.stride_outer + k % a.inner * a.stride_inner;
}

// Every lanes-th pack from `begin` to `end`.
template <class R, class T, int pack>
__device__ __forceinline__ void take_lane(typename R::State& s, const T* x, const Team& a, int lane,
                                          int64_t begin, int64_t end) {
  const int64_t step = int64_t{a.lanes} * pack;
  int64_t i = begin + int64_t{lane} * pack;
  for (; i + (kAhead - 1) * step + pack <= end; i += kAhead * step) {
    Pack<T, pack> v[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (pack > 1 && a.aligned) {
        v[u].load(x + i + u * step);
      } else {
#pragma unroll
        for (int e = 0; e < pack; ++e) v[u].v[e] = x[(i + u * step + e) * (pack > 1 ? 1 : a.stride_n)];
      }
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
#pragma unroll
      for (int e = 0; e < pack; ++e) R::take(s, v[u].v[e], i + u * step + e);
  }
  for (; i < end; i += step)
    for (int e = 0; e < pack && i + e < end; ++e) R::take(s, x[(i + e) * (pack > 1 ? 1 : a.stride_n)], i + e);
}

template <class R, class T, int pack>
__global__ void __launch_bounds__(kThreads) reduce_kernel(const Team a) {
  using State = typename R::State;
  const int me = static_cast<int>(threadIdx.x), outputs = kThreads / a.lanes;
  const int lane = a.along ? me % a.lanes : me / outputs, column = a.along ? me / a.lanes : me % outputs;
  const int64_t items = (a.outputs + outputs - 1) / outputs * a.chunks;
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const int64_t chunk = a.chunks == 1 ? 0 : item % a.chunks, tile = a.chunks == 1 ? item : item / a.chunks;
    const int64_t k = tile * outputs + column;
    State s;
    R::start(s);
    const int64_t begin = chunk * a.length, end = begin + a.length < a.n ? begin + a.length : a.n;
    if (k < a.outputs && begin < end)
      take_lane<R, T, pack>(s, static_cast<const T*>(a.x) + offset_of(a, k), a, lane, begin, end);
    join_lanes<R>(s, lane, a.lanes, a.along);
    if (lane != 0 || k >= a.outputs) continue;
    if (a.states != nullptr)
      static_cast<State*>(a.states)[k * a.chunks + chunk] = s;
    else
      static_cast<typename R::Output*>(a.y)[k] = R::finish(s, a.count);
  }
}

// States as elements.
template <class R>
struct Merged : R {
  static __device__ __forceinline__ void take(typename R::State& s, const typename R::State& x, int64_t) {
    R::merge(s, x);
  }
};

// ---- cutting and starting ----

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }
// The power of two not below n, at most `most`.
inline int power_for(int64_t n, int most) {
  int p = 1;
  while (p < n && p < most) p *= 2;
  return p;
}

// Fills lanes, length and chunks from the shape; `state` bytes a chunk.
inline void cut(Team& a, int pack, size_t state) {
  const int64_t most = static_cast<int64_t>(kScratch / state) / (a.outputs < 1 ? 1 : a.outputs);
  if (a.along) {
    a.lanes = power_for(ceil_div(a.n, pack), kThreads);
    while (a.lanes > 1 && a.outputs * a.lanes > kFullMachine && a.n < int64_t{a.lanes} * pack * kAhead)
      a.lanes /= 2;
  } else {
    a.lanes = kThreads / power_for(a.outputs, kWarp);
    while (a.lanes > 1 && a.n < int64_t{a.lanes} * kAhead) a.lanes /= 2;
  }
  const int64_t threads = ceil_div(a.outputs, kThreads / a.lanes) * kThreads, step = int64_t{a.lanes} * pack;
  int64_t chunks = kFullMachine / (threads < 1 ? 1 : threads);
  for (const int64_t bound : {a.n / (step * 2 * kAhead), most, int64_t{kMaxChunks}})
    chunks = chunks < bound ? chunks : bound;
  if (chunks <= 1) {
    a.chunks = 1;
    a.length = a.n;
    return;
  }
  a.length = ceil_div(ceil_div(a.n, chunks), step) * step;
  a.chunks = ceil_div(a.n, a.length);
}

template <class R, class T, int pack = 16 / sizeof(T)>
void start_team(Stream stream, const Team& a) {
  const int64_t items = ceil_div(a.outputs, kThreads / a.lanes) * a.chunks;
  const dim3 grid = blocks_for(items, 1);
  const bool packed = pack > 1 && a.along && a.stride_n == 1;
  start(stream, packed ? reduce_kernel<R, T, pack> : reduce_kernel<R, T, 1>, grid, dim3(kThreads),
        sizeof(Shared<typename R::State>), a);
}

// The elements of a reduction as a team's, with the cut its shape asks for.
template <class R, class T, class Args>
Team team_of(const Args& args) {
  constexpr int pack = 16 / static_cast<int>(sizeof(T));
  Team a = {};
  a.x = args.x;
  a.outputs = args.outer * args.inner;
  a.inner = args.inner;
  a.n = a.count = args.n;
  a.stride_outer = args.stride_outer;
  a.stride_n = args.stride_n;
  a.stride_inner = args.stride_inner;
  const int64_t across = args.inner > 1 ? args.stride_inner : args.stride_outer;
  a.along = args.n > 1 && (a.outputs == 1 || distance(args.stride_n) <= distance(across));
  a.aligned = is_aligned(args.x, pack, sizeof(T)) && (args.outer == 1 || args.stride_outer % pack == 0) &&
              (args.inner == 1 || args.stride_inner % pack == 0);
  cut(a, a.along && a.stride_n == 1 ? pack : 1, sizeof(typename R::State));
  return a;
}

template <class R, class T>
void reduce_with(Stream stream, const ReduceArgs& args) {
  using State = typename R::State;
  Team a = team_of<R, T>(args);
  if (a.outputs == 0) return;
  a.y = args.y;
  if (a.chunks > 1) a.states = scratch(stream);
  start_team<R, T>(stream, a);
  if (a.chunks == 1) return;
  Team last = {};
  last.x = a.states;
  last.y = a.y;
  last.outputs = a.outputs;
  last.inner = last.stride_n = last.chunks = 1;
  last.n = last.length = last.stride_outer = a.chunks;
  last.count = a.n;
  last.along = true;
  last.lanes = power_for(a.chunks, kWarp);
  start_team<Merged<R>, State, 1>(stream, last);
}

}  // namespace
}  // namespace pl::cuda
