// How the normalisation of channels goes through x (n, s, c): the cut into chunks, a thread's place in one and its walk,
// and the joining of what threads and groups have found. norm_channels.cuh says why.
#pragma once
#include "kernels/norm.h"
#include "kernels/rows.cuh"

namespace pl::cuda {
namespace {

inline constexpr int64_t kLeastSteps = 4, kMostSteps = 64;  // positions of a thread
inline constexpr int64_t kWantedBlocks = 792;
template <class T>
inline constexpr int kAhead = sizeof(T) == 4 ? 4 : 2;

struct ChannelPlan {
  int across, down;             // packs of a tile's row, positions at once: across down <= kThreads
  int64_t tiles, rows, chunks;  // of a row, of a chunk, of an n
};
ChannelPlan plan_channels(int64_t n, int64_t s, int64_t c, int width) {
  const auto parts = [](int64_t of, int64_t by) { return (of + by - 1) / by; };
  const int64_t units = c / width, tiles = parts(units, kThreads), across = parts(units, tiles),
                down = kThreads / across;
  const int64_t wanted = parts(s * n * tiles, down * kWantedBlocks);
  const int64_t rows = down * (wanted < kLeastSteps  ? kLeastSteps
                               : wanted < kMostSteps ? wanted
                                                     : kMostSteps);
  return {static_cast<int>(across), static_cast<int>(down), tiles, rows, parts(s, rows)};
}
template <class T>
int channel_width(int64_t c) {
  return c % kPackWidth<T> == 0 ? kPackWidth<T> : 1;
}

// The workspace: for each n, two rows of c and two of groups (double); for each n and chunk two rows of c (T).
template <class T>
struct ChannelWork {
  int64_t c, chunks;
  double *totals, *grouped;
  T* partials;
  ChannelWork(const ChannelPlan& plan, int64_t n, int64_t c_, void* memory)
      : c(c_),
        chunks(plan.chunks),
        totals(static_cast<double*>(memory)),
        grouped(totals + n * 2 * c),
        partials(reinterpret_cast<T*>(grouped + n * 2 * c)) {}
  static int64_t bytes(const ChannelPlan& plan, int64_t n, int64_t c) {
    return n * c * (4 * int64_t{sizeof(double)} + 2 * plan.chunks * int64_t{sizeof(T)});
  }
  __device__ __forceinline__ double* total(int64_t i, int k) const { return totals + (i * 2 + k) * c; }
  __device__ __forceinline__ double* of_groups(int64_t i, int k) const { return grouped + (i * 2 + k) * c; }
  __device__ __forceinline__ T* partial(int64_t i, int64_t chunk, int k) const {
    return partials + ((i * chunks + chunk) * 2 + k) * c;
  }
};

// A thread's place in a chunk.
struct ChannelPlace {
  int64_t i, chunk, channel, rows;  // rows of the chunk
  int row;
  bool live;
  int64_t start;  // element of position 0 of the chunk, this thread's channels
  __device__ __forceinline__ ChannelPlace(const ChannelPlan& plan, int64_t s, int64_t c, int width,
                                          bool backwards) {
    int64_t block = backwards ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
    const int64_t tile = block % plan.tiles;
    block /= plan.tiles;
    chunk = block % plan.chunks;
    i = block / plan.chunks;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t unit = tile * plan.across + thread % plan.across;
    row = thread / plan.across;
    live = row < plan.down && unit * width < c;
    channel = live ? unit * width : 0;
    const int64_t left = s - chunk * plan.rows;
    rows = left < plan.rows ? left : plan.rows;
    start = (i * s + chunk * plan.rows) * c + channel;
  }
};

// use(r, pack of x, pack of dy) for the positions of a thread; dy only where there is one.
template <class T, int kW, class Use>
__device__ __forceinline__ void each_position(const ChannelPlace& at, int down, int64_t c, const T* x,
                                              const T* dy, bool wide, const Use& use) {
  constexpr int ahead = kAhead<T>;
  if (!at.live) return;
  for (int64_t r = at.row; r < at.rows; r += ahead * down) {
    Pack<T, kW> v[ahead], g[ahead];
#pragma unroll
    for (int u = 0; u < ahead; ++u) {
      if (r + u * down >= at.rows) break;
      v[u] = get_pack<kW>(x + at.start + (r + u * down) * c, wide);
      if (dy) g[u] = get_pack<kW>(dy + at.start + (r + u * down) * c, wide);
    }
#pragma unroll
    for (int u = 0; u < ahead; ++u)
      if (r + u * down < at.rows) use(r + u * down, v[u], g[u]);
  }
}

// State of each of a tile's channels: those of the positions of a block's threads, joined pair by pair.
template <class State, int kW>
struct ChannelShared {
  State state[kThreads][kW];
};
template <int kW, class State, class Join>
__device__ __forceinline__ void join_down(const ChannelPlan& plan, State (&own)[kW], const Join& join) {
  auto& shared = smem<ChannelShared<State, kW>>().state;
  const int thread = static_cast<int>(threadIdx.x), row = thread / plan.across;
#pragma unroll
  for (int w = 0; w < kW; ++w) shared[thread][w] = own[w];
  int step = 1;
  while (2 * step < plan.down) step *= 2;
  for (; step > 0; step /= 2) {
    __syncthreads();
    if (row < step && row + step < plan.down)
#pragma unroll
      for (int w = 0; w < kW; ++w) join(shared[thread][w], shared[thread + step * plan.across][w]);
  }
#pragma unroll
  for (int w = 0; w < kW; ++w) own[w] = shared[thread][w];
}

__device__ __forceinline__ double warp_sum(double v) {
#pragma unroll
  for (int d = kWarp / 2; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
  return v;
}
// fn(i, group, lane) with a warp for each group
template <class Fn>
__device__ __forceinline__ void each_group(int64_t n, int64_t groups, const Fn& fn) {
  for (int64_t t = first() / kWarp; t < n * groups; t += stride() / kWarp)
    fn(t / groups, t % groups, static_cast<int>(threadIdx.x % kWarp));
}

template <class T>
__device__ __forceinline__ double channel_rstd(const void* var, int64_t at, double epsilon) {
  return 1 / sqrt(static_cast<double>(static_cast<const T*>(var)[at]) + epsilon);
}

// What each channel of a thread is treated with.
template <class T, int kW>
struct ChannelFactors {
  T mean[kW] = {}, scale[kW] = {}, beta[kW] = {};
  template <class Args>
  __device__ __forceinline__ ChannelFactors(const Args& a, const ChannelPlace& at) {
    if (!at.live) return;
    const int64_t size = a.c / a.groups;
#pragma unroll
    for (int w = 0; w < kW; ++w) {
      const int64_t j = at.channel + w, g = at.i * a.groups + j / size;
      const double gamma = a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[j]) : 1;
      mean[w] = static_cast<const T*>(a.mean)[g];
      scale[w] = static_cast<T>(gamma * channel_rstd<T>(a.var, g, a.epsilon));
      beta[w] = a.beta ? static_cast<const T*>(a.beta)[j] : T(0);
    }
  }
};

// fn(T{}, width) with the width of packs that c allows
template <class Fn>
void with_channels(DType dtype, int64_t c, const Fn& fn) {
  with_float(dtype, [&](auto type) {
    using T = decltype(type);
    if (channel_width<T>(c) > 1)
      fn(type, std::integral_constant<int, kPackWidth<T>>{});
    else
      fn(type, std::integral_constant<int, 1>{});
  });
}

// Starts kernel(args...) with a block for each chunk.
template <class State, int kW, class... E, class... A>
void start_channels(Stream stream, const ChannelPlan& plan, int64_t n, void (*kernel)(E...), A... args) {
  const int64_t blocks = n * plan.chunks * plan.tiles;
  if (blocks > 0)
    start(stream, kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
          std::is_void_v<State>
              ? 0
              : sizeof(ChannelShared<std::conditional_t<std::is_void_v<State>, int, State>, kW>),
          args...);
}

}  // namespace
}  // namespace pl::cuda
