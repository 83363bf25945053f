// Batch, group and instance normalisation: statistics over the positions of x (n, s, c), for each n and each group of
// neighbouring channels.
//
//   forward   y = act((x - mean) scale + beta), scale = gamma rstd
//   backward  g = dy act'(z), h = g gamma, t = (x - mean) rstd, means over the group:
//             dx = rstd (h - mean(h) - t mean(h t)) = g scale + (x - mean) slope + offset
//
// A block takes a chunk of the positions of one n, and of wide rows a tile of their channels. Its threads lie over the
// chunk as it lies in memory, `across` packs (16 bytes where c allows) by `down` positions, so that a thread keeps its
// channels and goes down in steps of `down`; kAhead packs are on their way at once.
//
// Two passes over x, with the join of the chunks' sums in double between them (columns.cuh; a group's channels are
// joined by a warp). A thread sums x - shift and its square, shift being its own first element: at most kMostSteps
// elements from there the subtraction of squares loses no more than six bits. Threads and chunks are joined by counts,
// means and squares about them (Chan, Golub, LeVeque 1983). The second pass starts with the chunks that were read last,
// which are still in the L2 cache.
#pragma once
#include "kernels/columns.cuh"
#include "kernels/norm.h"
#include "kernels/norm_channel_walk.cuh"
// after it, which knows what a __device__ is
#include "kernels/norm_activation.h"

namespace pl::cuda {
namespace {

// Mean and sum of squares about it, of a number of elements.
template <class T>
struct Moments {
  T count, mean, squares;
  __device__ __forceinline__ void join(const Moments& o) {
    if (o.count == 0) return;
    if (count == 0) {
      *this = o;
      return;
    }
    const T all = count + o.count, d = o.mean - mean, share = o.count / all;
    mean = d - d == 0 ? fma_(d, share, mean) : mean + o.mean;  // an infinite mean stays one
    squares += fma_(d * d, count * share, o.squares);
    count = all;
  }
};

template <class T, int kW>
__global__ void __launch_bounds__(kThreads)
    measure_channels(ChannelNormArgs a, ChannelPlan plan, ChannelWork<T> work, bool wide) {
  const ChannelPlace at(plan, a.s, a.c, kW, false);
  const T* const x = static_cast<const T*>(a.x);
  T shift[kW] = {}, sum[kW] = {}, squares[kW] = {};
  if (at.live && at.row < at.rows) {
    const auto v = get_pack<kW>(x + at.start + at.row * a.c, wide);
#pragma unroll
    for (int w = 0; w < kW; ++w)
      shift[w] = v.of[w] - v.of[w] == 0 ? v.of[w] : T(0);  // infinity comes in with the sums
  }
  int count = 0;
  each_position<T, kW>(at, plan.down, a.c, x, nullptr, wide, [&](int64_t, const auto& v, const auto&) {
    ++count;
#pragma unroll
    for (int w = 0; w < kW; ++w) {
      const T d = v.of[w] - shift[w];
      sum[w] += d;
      squares[w] = fma_(d, d, squares[w]);
    }
  });
  Moments<T> own[kW] = {};
#pragma unroll
  for (int w = 0; w < kW; ++w) {
    if (count == 0) continue;
    const T off = sum[w] / static_cast<T>(count), rest = squares[w] - sum[w] * off;
    own[w] = {static_cast<T>(count), shift[w] + off, rest < 0 ? T(0) : rest};
  }
  join_down<kW>(plan, own, [](Moments<T>& m, const Moments<T>& o) { m.join(o); });
  if (!at.live || at.row != 0) return;
#pragma unroll
  for (int w = 0; w < kW; ++w) {
    work.partial(at.i, at.chunk, 0)[at.channel + w] = own[w].mean;
    work.partial(at.i, at.chunk, 1)[at.channel + w] = own[w].squares;
  }
}

// The chunks of a channel joined: its mean and variance where it is a group of its own, else totals for join_groups.
template <class T>
struct JoinMoments {
  using State = Moments<double>;
  ChannelNormArgs a;
  ChannelWork<T> work;
  int64_t rows;  // of a chunk
  __device__ __forceinline__ void take(State& s, int64_t i, int64_t k, int64_t j) const {
    const int64_t left = a.s - k * rows;
    s.join({static_cast<double>(left < rows ? left : rows), static_cast<double>(work.partial(i, k, 0)[j]),
            static_cast<double>(work.partial(i, k, 1)[j])});
  }
  __device__ __forceinline__ void join(State& s, const State& other) const { s.join(other); }
  __device__ __forceinline__ void put(int64_t i, int64_t j, const State& s) const {
    const double mean = s.count == 0 ? NAN : s.mean;
    if (a.groups == a.c) {
      static_cast<T*>(a.mean)[i * a.c + j] = static_cast<T>(mean);
      static_cast<T*>(a.var)[i * a.c + j] = static_cast<T>(s.squares / s.count);
    } else {
      work.total(i, 0)[j] = mean;
      work.total(i, 1)[j] = s.squares;
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) join_groups(ChannelNormArgs a, ChannelWork<T> work) {
  const int64_t size = a.c / a.groups;
  each_group(a.n, a.groups, [&](int64_t i, int64_t g, int lane) {
    const double* const mean = work.total(i, 0) + g * size;
    const double* const squares = work.total(i, 1) + g * size;
    double m = 0, q = 0;
    for (int64_t j = lane; j < size; j += kWarp) m += mean[j];
    m = warp_sum(m) / static_cast<double>(size);
    for (int64_t j = lane; j < size; j += kWarp)
      q += squares[j] + static_cast<double>(a.s) * (mean[j] - m) * (mean[j] - m);
    q = warp_sum(q);
    if (lane != 0) return;
    static_cast<T*>(a.mean)[i * a.groups + g] = static_cast<T>(m);
    static_cast<T*>(a.var)[i * a.groups + g] =
        static_cast<T>(q / (static_cast<double>(a.s) * static_cast<double>(size)));
  });
}

template <class T, int kW>
__global__ void __launch_bounds__(kThreads) apply_channels(ChannelNormArgs a, ChannelPlan plan, bool wide) {
  const ChannelPlace at(plan, a.s, a.c, kW, true);
  const ChannelFactors<T, kW> f(a, at);
  T* const y = static_cast<T*>(a.y);
  with_activation(a.activation, [&](auto follow) {
    each_position<T, kW>(at, plan.down, a.c, static_cast<const T*>(a.x), nullptr, wide,
                         [&](int64_t r, Pack<T, kW>& v, const auto&) {
#pragma unroll
                           for (int w = 0; w < kW; ++w)
                             v.of[w] = activated<decltype(follow)::value>(
                                 fma_(v.of[w] - f.mean[w], f.scale[w], f.beta[w]), a.activation);
                           put_pack<kW>(y + at.start + r * a.c, v, wide);
                         });
  });
}

template <class T>
struct GradientSums {
  T g, gd;  // g, g (x - mean)
};

template <class T, int kW>
__global__ void __launch_bounds__(kThreads)
    measure_channel_gradients(ChannelNormBackwardArgs a, ChannelPlan plan, ChannelWork<T> work, bool wide) {
  const ChannelPlace at(plan, a.s, a.c, kW, false);
  const ChannelFactors<T, kW> f(a, at);
  GradientSums<T> own[kW] = {};
  with_activation(a.activation, [&](auto follow) {
    each_position<T, kW>(at, plan.down, a.c, static_cast<const T*>(a.x), static_cast<const T*>(a.dy), wide,
                         [&](int64_t, const auto& v, const auto& dy) {
#pragma unroll
                           for (int w = 0; w < kW; ++w) {
                             const T d = v.of[w] - f.mean[w];
                             const T g = through_activation<decltype(follow)::value>(
                                 dy.of[w], fma_(d, f.scale[w], f.beta[w]), a.activation);
                             own[w].g += g;
                             own[w].gd = fma_(g, d, own[w].gd);
                           }
                         });
  });
  join_down<kW>(plan, own, [](GradientSums<T>& s, const GradientSums<T>& o) {
    s.g += o.g;
    s.gd += o.gd;
  });
  if (!at.live || at.row != 0) return;
#pragma unroll
  for (int w = 0; w < kW; ++w) {
    work.partial(at.i, at.chunk, 0)[at.channel + w] = own[w].g;
    work.partial(at.i, at.chunk, 1)[at.channel + w] = own[w].gd;
  }
}

// Sums in double of two terms of each column.
template <class T>
struct JoinGradients {
  using State = GradientSums<double>;
  ChannelNormBackwardArgs a;
  ChannelWork<T> work;
  __device__ __forceinline__ void join(State& s, const State& other) const {
    s.g += other.g;
    s.gd += other.gd;
  }
  // The gradients of beta and gamma, of what all positions of sample i add to them.
  __device__ __forceinline__ double rstd(int64_t i, int64_t j) const {
    return channel_rstd<T>(a.var, i * a.groups + j / (a.c / a.groups), a.epsilon);
  }
  __device__ __forceinline__ void put_gradients(int64_t j, double beta, double gamma) const {
    if (a.dbeta) static_cast<T*>(a.dbeta)[j] = static_cast<T>(beta);
    if (a.dgamma) static_cast<T*>(a.dgamma)[j] = static_cast<T>(gamma);
  }
};
template <class T>
struct JoinChunkGradients : JoinGradients<T> {
  __device__ __forceinline__ void take(GradientSums<double>& s, int64_t i, int64_t k, int64_t j) const {
    s.g += static_cast<double>(this->work.partial(i, k, 0)[j]);
    s.gd += static_cast<double>(this->work.partial(i, k, 1)[j]);
  }
  __device__ __forceinline__ void put(int64_t i, int64_t j, const GradientSums<double>& s) const {
    this->work.total(i, 0)[j] = s.g;
    this->work.total(i, 1)[j] = s.gd;
    if (this->a.n == 1) this->put_gradients(j, s.g, s.gd * this->rstd(0, j));
  }
};
template <class T>
struct JoinSampleGradients : JoinGradients<T> {
  __device__ __forceinline__ void take(GradientSums<double>& s, int64_t, int64_t i, int64_t j) const {
    s.g += this->work.total(i, 0)[j];
    s.gd += this->work.total(i, 1)[j] * this->rstd(i, j);
  }
  __device__ __forceinline__ void put(int64_t, int64_t j, const GradientSums<double>& s) const {
    this->put_gradients(j, s.g, s.gd);
  }
};

template <class T>
__device__ __forceinline__ double gamma_of(const ChannelNormBackwardArgs& a, int64_t j) {
  return a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[j]) : 1;
}
// Sums of h and h (x - mean) over groups of several channels
template <class T>
__global__ void __launch_bounds__(kThreads)
    join_group_gradients(ChannelNormBackwardArgs a, ChannelWork<T> work) {
  const int64_t size = a.c / a.groups;
  each_group(a.n, a.groups, [&](int64_t i, int64_t g, int lane) {
    double h = 0, hd = 0;
    for (int64_t j = g * size + lane; j < (g + 1) * size; j += kWarp) {
      h += gamma_of<T>(a, j) * work.total(i, 0)[j];
      hd += gamma_of<T>(a, j) * work.total(i, 1)[j];
    }
    h = warp_sum(h);
    hd = warp_sum(hd);
    if (lane != 0) return;
    work.of_groups(i, 0)[g] = h;
    work.of_groups(i, 1)[g] = hd;
  });
}

template <class T, int kW>
__global__ void __launch_bounds__(kThreads)
    apply_channel_gradients(ChannelNormBackwardArgs a, ChannelPlan plan, ChannelWork<T> work, bool wide) {
  const ChannelPlace at(plan, a.s, a.c, kW, true);
  const ChannelFactors<T, kW> f(a, at);
  T slope[kW] = {}, offset[kW] = {};
  if (at.live && !a.frozen) {
    const int64_t size = a.c / a.groups;
    const double count = static_cast<double>(a.s) * static_cast<double>(size);
#pragma unroll
    for (int w = 0; w < kW; ++w) {
      const int64_t j = at.channel + w, g = j / size, of = at.i * a.groups + g;
      const double r = channel_rstd<T>(a.var, of, a.epsilon);
      const double h = size > 1 ? work.of_groups(at.i, 0)[g] : gamma_of<T>(a, j) * work.total(at.i, 0)[j];
      const double hd = size > 1 ? work.of_groups(at.i, 1)[g] : gamma_of<T>(a, j) * work.total(at.i, 1)[j];
      double k = -r * r * r * hd / count, o = -r * h / count;
      if (a.dmean) o += static_cast<double>(static_cast<const T*>(a.dmean)[of]) / count;
      if (a.dvar) k += 2 * static_cast<double>(static_cast<const T*>(a.dvar)[of]) / count;
      slope[w] = static_cast<T>(k);
      offset[w] = static_cast<T>(o);
    }
  }
  T* const dx = static_cast<T*>(a.dx);
  with_activation(a.activation, [&](auto follow) {
    each_position<T, kW>(at, plan.down, a.c, static_cast<const T*>(a.x), static_cast<const T*>(a.dy), wide,
                         [&](int64_t r, const auto& v, Pack<T, kW>& g) {
#pragma unroll
                           for (int w = 0; w < kW; ++w) {
                             const T d = v.of[w] - f.mean[w];
                             const T h = through_activation<decltype(follow)::value>(
                                 g.of[w], fma_(d, f.scale[w], f.beta[w]), a.activation);
                             g.of[w] = a.frozen ? h * f.scale[w]
                                                : fma_(h, f.scale[w], fma_(d, slope[w], offset[w]));
                           }
                           put_pack<kW>(dx + at.start + r * a.c, g, wide);
                         });
  });
}

void channel_norm_forward(Stream stream, const ChannelNormArgs& a) {
  with_channels(a.dtype, a.c, [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int kW = decltype(width)::value;
    const ChannelPlan plan = plan_channels(a.n, a.s, a.c, kW);
    const ChannelWork<T> work(plan, a.n, a.c, a.work);
    const bool wide = wide_access(a.x, a.y);
    if (!a.frozen) {
      start_channels<Moments<T>, kW>(stream, plan, a.n, measure_channels<T, kW>, a, plan, work, wide);
      start_columns(stream, JoinMoments<T>{a, work, plan.rows}, a.n, plan.chunks, a.c);
      if (a.groups != a.c)
        start(stream, join_groups<T>, blocks_for(a.n * a.groups * kWarp), dim3(kThreads), 0, a, work);
    }
    if (a.y) start_channels<void, kW>(stream, plan, a.n, apply_channels<T, kW>, a, plan, wide);
  });
}

void channel_norm_backward_pass(Stream stream, const ChannelNormBackwardArgs& a) {
  with_channels(a.dtype, a.c, [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int kW = decltype(width)::value;
    const ChannelPlan plan = plan_channels(a.n, a.s, a.c, kW);
    const ChannelWork<T> work(plan, a.n, a.c, a.work);
    const bool wide = wide_access(a.x, a.dy, a.dx);
    if (!a.frozen || a.dgamma || a.dbeta) {
      start_channels<GradientSums<T>, kW>(stream, plan, a.n, measure_channel_gradients<T, kW>, a, plan, work,
                                          wide);
      start_columns(stream, JoinChunkGradients<T>{{a, work}}, a.n, plan.chunks, a.c);
      if (a.n != 1 && (a.dgamma || a.dbeta))
        start_columns(stream, JoinSampleGradients<T>{{a, work}}, 1, a.n, a.c);
      if (!a.frozen && a.dx && a.groups != a.c && a.n > 0)
        start(stream, join_group_gradients<T>, blocks_for(a.n * a.groups * kWarp), dim3(kThreads), 0, a,
              work);
    }
    if (a.dx)
      start_channels<void, kW>(stream, plan, a.n, apply_channel_gradients<T, kW>, a, plan, work, wide);
  });
}

int64_t channel_norm_workspace(int64_t n, int64_t s, int64_t c, DType dtype) {
  int64_t bytes = 0;
  with_float(dtype, [&](auto type) {
    using T = decltype(type);
    bytes = ChannelWork<T>::bytes(plan_channels(n, s, c, channel_width<T>(c)), n, c);
  });
  return bytes;
}

}  // namespace
}  // namespace pl::cuda
