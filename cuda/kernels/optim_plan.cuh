// What both launches of an optimizer update share: the line of chunks, and the decision that the first leaves behind.
#pragma once
#include "kernels/blocks.cuh"
#include "kernels/optim_step.h"

namespace pl::cuda {
namespace {

constexpr int64_t kChunk = 4096;  // elements; a multiple of kOptimLine

__host__ __device__ __forceinline__ bool limits_norm(Clip c) {
  return c == Clip::norm || c == Clip::global_norm;
}

__device__ __forceinline__ int64_t length(const Segment& s) {
  return s.frozen || s.n <= 0 ? 0 : (s.n + kOptimLine - 1) / kOptimLine * kOptimLine;
}

struct LineShared {
  int64_t ends[kThreads];  // of kThreads segments, on the line
  int64_t scan[kWarps];
  double sums[kWarps];
  int flag;
};

// fn(first segment, the line's begin and end there) for kThreads segments at a time; shared.ends holds their ends.
template <class Fn>
__device__ void each_table(const Segment* segments, int64_t count, LineShared& shared, const Fn& fn) {
  int64_t base = 0;
  for (int64_t first = 0; first < count; first += kThreads) {
    const int64_t i = first + threadIdx.x;
    int64_t total;
    const int64_t end = block_scan(i < count ? length(segments[i]) : int64_t{0}, shared.scan, total);
    shared.ends[threadIdx.x] = base + end;
    __syncthreads();
    fn(first, base, base + total);
    base += total;
    __syncthreads();
  }
}

// fn(chunk, segment, from, to) for the parts of segments inside this block's chunks; all threads come along.
// (chunk + segment) is different for every part.
template <class Fn>
__device__ void each_part(const Segment* segments, int64_t count, LineShared& shared, const Fn& fn) {
  each_table(segments, count, shared, [&](int64_t first, int64_t base, int64_t stop) {
    const int64_t blocks = gridDim.x, own = blockIdx.x;
    int64_t chunk = base / kChunk;
    chunk += (own + blocks - chunk % blocks) % blocks;
    for (; chunk * kChunk < stop; chunk += blocks) {
      int64_t begin = chunk * kChunk > base ? chunk * kChunk : base;
      const int64_t end = (chunk + 1) * kChunk < stop ? (chunk + 1) * kChunk : stop;
      int k = 0;  // the first segment that ends behind `begin`
      for (int step = kThreads / 2; step > 0; step /= 2)
        if (shared.ends[k + step - 1] <= begin) k += step;
      for (; begin < end; ++k) {
        const int64_t start = k == 0 ? base : shared.ends[k - 1], n = segments[first + k].n;
        const int64_t upto = end < shared.ends[k] ? end : shared.ends[k];
        if (begin < upto) fn(chunk, first + k, begin - start, upto - start < n ? upto - start : n);
        begin = upto;
      }
    }
  });
}

// The decision of the first launch.
struct Plan {
  enum Action : int32_t { skip, wait, update };
  int32_t action;
  int64_t t;
  double rate, count;
  StepFactors factors;
};

// Scratch memory: the decision; was anything not finite in a block; a factor for each segment; sums of squares.
struct Workspace {
  Plan* plan;
  int32_t* bad;
  double *factors, *parts;
  Workspace(void* scratch, int64_t blocks, int64_t n_segments)
      : plan(static_cast<Plan*>(scratch)),
        bad(reinterpret_cast<int32_t*>(static_cast<char*>(scratch) + 256)),
        factors(reinterpret_cast<double*>(bad + (blocks + 63) / 64 * 64)),
        parts(factors + n_segments) {
    static_assert(sizeof(Plan) <= 256);
  }
};

// One block. The factor of each segment: limit / norm where the norm is above the limit, else 1. The sums of up to
// kManyParts parts are added up by a warp, others by the block.
constexpr int64_t kManyParts = 512;
__device__ inline void clip_factors(const OptimArgs& a, const Workspace& work, LineShared& shared) {
  const bool global = a.clip == Clip::global_norm;
  const auto factor = [&](double squares) {
    const double norm = sqrt_(squares);
    return norm > a.clip_at ? a.clip_at / norm : 1.0;
  };
  each_table(a.segments, a.n_segments, shared, [&](int64_t first, int64_t base, int64_t) {
    const int64_t here = a.n_segments - first < kThreads ? a.n_segments - first : kThreads;
    const auto parts = [&](int64_t k, int64_t& count) {
      const int64_t start = k == 0 ? base : shared.ends[k - 1], end = shared.ends[k];
      count = start == end ? 0 : (end - 1) / kChunk - start / kChunk + 1;
      return work.parts + (start / kChunk + first + k);
    };
    int64_t count;
    for (int64_t k = warp(); k < here; k += kWarps) {
      const double* p = parts(k, count);
      if (count > kManyParts) continue;
      double sum = 0;
      for (int64_t i = lane(); i < count; i += kWarp) sum += p[i];
      sum = warp_sum(sum);
      if (lane() == 0) work.factors[first + k] = global ? sum : factor(sum);
    }
    for (int64_t k = 0; k < here; ++k) {
      const double* p = parts(k, count);
      if (count <= kManyParts) continue;
      double sum = 0;
      for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += p[i];
      sum = block_sum(sum, shared.sums);
      if (threadIdx.x == 0) work.factors[first + k] = global ? sum : factor(sum);
    }
  });
  if (!global) return;
  __syncthreads();
  double all = 0;
  for (int64_t i = threadIdx.x; i < a.n_segments; i += kThreads) all += work.factors[i];
  all = block_sum(all, shared.sums);
  for (int64_t i = threadIdx.x; i < a.n_segments; i += kThreads) work.factors[i] = factor(all);
}

// One thread: what the second launch does, and the scalars after it.
__device__ inline void decide(const OptimHyper& hyper, OptimScalars& s, Plan& plan, bool finite, bool waits,
                              double count) {
  s.finite = finite;
  plan.action = !finite ? Plan::skip : waits ? Plan::wait : Plan::update;
  if (!finite) {
    s.skipped += 1;
    return;
  }
  if (waits) {
    s.waiting += 1;
    return;
  }
  plan.t = s.step + 1;
  plan.rate = s.rate;
  plan.count = count;
  plan.factors = step_factors(hyper, s);
  s.step += 1;
  s.waiting = 0;
}

}  // namespace
}  // namespace pl::cuda
