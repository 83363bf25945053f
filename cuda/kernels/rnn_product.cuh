// The product inside a recurrence, (rows, depth) x (depth, columns): the state of a few rows of the batch with the part of
// U that a few units need.
//
// A block has `units` units, with all their gates, and `rows` rows of the batch at a time: so that a step of its units is
// finished at once, and cells stay with one thread. A thread has 4 x 4 sums; the threads that are left share the depth,
// in steps of 4, and their sums are added up in order. Rows of a thread lie rows / 4 apart, and rows of A in shared
// memory 16 bytes past whole lines: neither A (lanes along rows) nor B (lanes along columns) meets bank conflicts.
//
// `resident`: the block's part of U stays in shared memory for all the steps, and all blocks run at once. Else U comes
// from the second-level cache with the state, chunk by chunk, and each step is a launch.
#pragma once
#include "kernels/blocks.cuh"
#include "kernels/grid.cuh"
#include "kernels/rnn_act.h"

namespace pl::cuda {
namespace {

constexpr int kMicro = 4;                          // rows, columns and depth of a thread's step
constexpr int kSums = kThreads * kMicro * kMicro;  // in shared memory, in the place of A

struct Plan {
  int units, rows;  // of a block, multiples of kMicro
  int chunk;        // depth of A in shared memory, a multiple of kMicro
  int depth;        // rows of B when it is resident: zeros behind its last
  int gates;        // B has gates * units columns
  int64_t unit_blocks, row_tiles,
      row_blocks;  // a block takes row tiles row_block, row_block + row_blocks, ...
  int64_t phases;
  bool resident;
  size_t shared;

  dim3 grid() const { return dim3(static_cast<unsigned>(unit_blocks * row_blocks)); }
};

// Shared memory that a block may have, in bytes.
inline int64_t shared_limit() {
  int device = 0, bytes = 0;
  note_error(cudaGetDevice(&device));
  note_error(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return bytes;
}

constexpr int64_t up(int64_t n, int64_t m) { return (n + m - 1) / m; }
constexpr int64_t up_to(int64_t n, int64_t m) { return up(n, m) * m; }

// From one row of A in shared memory to the next.
template <class T>
constexpr int64_t distance_of(int64_t chunk) {
  return up_to(chunk, 128 / sizeof(T)) + 16 / sizeof(T);
}

template <class T>
size_t shared_of(const Plan& p) {
  const int64_t a = p.rows * distance_of<T>(p.chunk);
  const int64_t b = int64_t{p.resident ? p.depth : p.chunk} * p.gates * p.units;
  return static_cast<size_t>((a > kSums ? a : kSums) + b) * sizeof(T);
}

// `gates` columns for each unit, `depth` of the product. The cut decides in which order sums are taken: it follows from
// the shape and the device.
template <class T>
Plan plan_of(int64_t batch, int64_t hidden, int gates, int64_t depth, int64_t phases) {
  const int64_t limit = shared_limit(), line = 128 / sizeof(T);
  Plan best{};
  double least = 0;
  for (int units = 4; units <= 16; units *= 2)
    for (int rows = 4; rows <= 64 && rows < up_to(batch, 4) + 4 && units * gates * rows <= kSums; rows *= 2) {
      Plan p{};
      p.units = units;
      p.rows = rows;
      p.gates = gates;
      p.phases = phases;
      p.depth = static_cast<int>(up_to(depth, kMicro)) + kMicro;
      p.unit_blocks = up(hidden, units);
      p.row_tiles = up(batch, rows);
      p.row_blocks = multiprocessors() / p.unit_blocks;
      if (p.row_blocks < 1) continue;
      if (p.row_blocks > p.row_tiles) p.row_blocks = p.row_tiles;
      p.resident = true;
      p.chunk = kMicro;
      const int64_t fixed = int64_t{p.depth} * gates * units * static_cast<int64_t>(sizeof(T));
      const int64_t room = (limit - fixed) / static_cast<int64_t>(sizeof(T));
      const int64_t longest = (room / rows - distance_of<T>(0)) / line * line;
      if (longest < 64 || room < kSums) continue;
      p.chunk = static_cast<int>(up_to(up(depth, up(depth, longest)), kMicro));
      // cycles of a step, about: reading A, then multiplying and reading shared memory; and what a tile waits for
      const double tile = static_cast<double>(rows * depth) * (0.1 + gates * units / 64.0) + 1500;
      const double cost = tile * static_cast<double>(up(p.row_tiles, p.row_blocks));
      if (best.units && cost >= least) continue;
      least = cost;
      p.shared = shared_of<T>(p);
      best = p;
    }
  if (best.units) return best;
  Plan p{};
  p.units = 16;
  p.rows = 4;
  p.unit_blocks = up(hidden, p.units);
  const int64_t enough = int64_t{2} * multiprocessors();
  while (p.rows < 64 && p.rows < batch && (p.rows < 16 || p.unit_blocks * up(batch, p.rows) > enough))
    p.rows *= 2;
  p.gates = gates;
  p.phases = phases;
  p.chunk = (gates == 1 ? 1024 : 512) / static_cast<int>(sizeof(T));
  p.row_tiles = p.row_blocks = up(batch, p.rows);
  p.shared = shared_of<T>(p);
  return p;
}

// All phases: in one launch where U is resident, else one by one. kernel(args, plan, first phase, behind the last, counter)
template <class Args>
void run_phases(Stream stream, void (*kernel)(Args, Plan, int64_t, int64_t, unsigned*), const Args& args,
                const Plan& p) {
  unsigned* const count = counter(stream);
  if (p.resident && p.phases > 1)
    return start_together(stream, kernel, p.grid(), kThreads, p.shared, args, p, int64_t{0}, p.phases, count);
  for (int64_t phase = 0; phase < p.phases; ++phase)
    start(stream, kernel, p.grid(), kThreads, p.shared, args, p, phase, phase + 1, count);
}

// kMicro values at p, past the first-level cache.
__device__ __forceinline__ void load_micro(const float* p, float* to) {
  const float4 v = __ldcg(reinterpret_cast<const float4*>(p));
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
__device__ __forceinline__ void load_micro(const double* p, double* to) {
  const double2 a = __ldcg(reinterpret_cast<const double2*>(p)),
                b = __ldcg(reinterpret_cast<const double2*>(p) + 1);
  to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y;
}
template <class T>
struct alignas(16) Micro {
  T v[kMicro];
};

// The rows of A: `first` is row 0 of the whole batch.
template <class T>
struct Rows {
  const T* first;
  int64_t distance;
  __device__ __forceinline__ const T* operator[](int64_t r) const { return first + r * distance; }
};

template <class T>
class Product {
 public:
  __device__ Product(const Plan& p, int64_t batch)
      : p_(p), batch_(batch), a_(reinterpret_cast<T*>(&smem<Micro<T>>())) {
    const int a = p.rows * static_cast<int>(distance_of<T>(p.chunk));
    b_ = a_ + (a > kSums ? a : kSums);
  }

  // Gates [from, upto) of B stand apart, so that they can be multiplied apart. get(k, gate, unit of the block) is
  // element k of a column of U, zero outside. With `along_depth` neighbours in U are along k.
  template <class Get>
  __device__ void load_b(int from, int upto, int64_t k0, int depth, bool along_depth, const Get& get) {
    const int columns = (upto - from) * p_.units;
    T* const b = b_of(from);
    for (int i = threadIdx.x; i < columns * depth; i += kThreads) {
      const int k = along_depth ? i % depth : i / columns, column = along_depth ? i / depth : i % columns;
      b[k * columns + column] = get(k0 + k, from + column / p_.units, column % p_.units);
    }
  }

  // sum(row, gate, unit) of tile `tile`, from k in [k0, k1) of `a` and the columns of gates [from, upto): for all
  // threads, until the next call.
  template <class Get>
  __device__ void multiply(const Rows<T>& a, int64_t tile, int64_t k0, int64_t k1, int from, int upto,
                           bool along_depth, const Get& get) {
    columns_ = (upto - from) * p_.units;
    from_ = from;
    const int row_threads = p_.rows / kMicro, column_threads = columns_ / kMicro,
              all = row_threads * column_threads;
    groups_ = kThreads / all;
    const int rt = threadIdx.x % row_threads, ct = threadIdx.x / row_threads % column_threads,
              group = threadIdx.x / all;
    const int distance = static_cast<int>(distance_of<T>(p_.chunk));
    const bool packs = aligned(a.first) && a.distance * static_cast<int64_t>(sizeof(T)) % 16 == 0 &&
                       k0 * static_cast<int64_t>(sizeof(T)) % 16 == 0;
    T sums[kMicro][kMicro] = {};
    for (int64_t k = k0; k < k1; k += p_.chunk) {
      const int here =
          static_cast<int>((k1 - k < p_.chunk ? k1 - k : p_.chunk) + kMicro - 1) / kMicro * kMicro;
      __syncthreads();  // A and its sums are read
      load_a(a, tile, k, k1, here, distance, packs);
      if (!p_.resident) load_b(from, upto, k, here, along_depth, get);
      __syncthreads();
      if (group >= groups_) continue;
      const T* const b = b_of(from) + (p_.resident ? k * columns_ : 0) + ct * kMicro;
      for (int s = group * kMicro; s < here; s += groups_ * kMicro) {
        Micro<T> x[kMicro];
#pragma unroll
        for (int i = 0; i < kMicro; ++i)
          x[i] = *reinterpret_cast<const Micro<T>*>(a_ + (rt + row_threads * i) * distance + s);
#pragma unroll
        for (int q = 0; q < kMicro; ++q) {
          const Micro<T> w = *reinterpret_cast<const Micro<T>*>(b + (s + q) * columns_);
#pragma unroll
          for (int i = 0; i < kMicro; ++i)
#pragma unroll
            for (int c = 0; c < kMicro; ++c) sums[i][c] = fma_(x[i].v[q], w.v[c], sums[i][c]);
        }
      }
    }
    __syncthreads();
    if (group < groups_)
      for (int i = 0; i < kMicro; ++i) {
        Micro<T> m;
        for (int c = 0; c < kMicro; ++c) m.v[c] = sums[i][c];
        *reinterpret_cast<Micro<T>*>(a_ + (group * p_.rows + rt + row_threads * i) * columns_ + ct * kMicro) =
            m;
      }
    __syncthreads();
  }

  __device__ __forceinline__ T sum(int row, int gate, int unit) const {
    const T* const at = a_ + row * columns_ + (gate - from_) * p_.units + unit;
    T total = at[0];
    for (int g = 1; g < groups_; ++g) total += at[g * p_.rows * columns_];
    return total;
  }

 private:
  __device__ __forceinline__ T* b_of(int gate) const {
    return p_.resident ? b_ + p_.depth * gate * p_.units : b_;
  }

  __device__ void load_a(const Rows<T>& a, int64_t tile, int64_t k, int64_t k1, int here, int distance,
                         bool packs) {
    const int steps = here / kMicro;
#pragma unroll 4
    for (int i = threadIdx.x; i < p_.rows * steps; i += kThreads) {
      const int r = i / steps, s = i % steps * kMicro;
      const int64_t row = tile * p_.rows + r, at = k + s;
      Micro<T> m{};
      if (row < batch_) {
        const T* const from = a[row] + at;
        if (packs && at + kMicro <= k1)
          load_micro(from, m.v);
        else
          for (int q = 0; q < kMicro; ++q)
            if (at + q < k1) m.v[q] = __ldcg(from + q);
      }
      *reinterpret_cast<Micro<T>*>(a_ + r * distance + s) = m;
    }
  }

  const Plan& p_;
  int64_t batch_;
  T *a_, *b_;
  int columns_ = 0, groups_ = 0, from_ = 0;
};

// fn(row of the tile, unit of the block, row of the batch, unit) for this thread's units.
template <class Fn>
__device__ __forceinline__ void each_unit(const Plan& p, int64_t tile, int64_t unit_block, int64_t batch,
                                          int64_t hidden, const Fn& fn) {
  for (int i = threadIdx.x; i < p.rows * p.units; i += kThreads) {
    const int r = i / p.units, u = i % p.units;
    const int64_t row = tile * p.rows + r, j = unit_block * p.units + u;
    if (row < batch && j < hidden) fn(r, u, row, j);
  }
}

// Has a thread the same one unit, or none, in all steps? Which; the row is out of the batch where there is none.
__device__ __forceinline__ bool one_unit_each(const Plan& p) {
  return p.row_tiles == p.row_blocks && p.rows * p.units <= kThreads;
}
__device__ __forceinline__ int64_t own_row(const Plan& p, int64_t tile) {
  const int r = static_cast<int>(threadIdx.x) / p.units;
  return r < p.rows ? tile * p.rows + r : INT64_MAX;
}
__device__ __forceinline__ int64_t own_unit(const Plan& p, int64_t unit_block) {
  return unit_block * p.units + static_cast<int>(threadIdx.x) % p.units;
}

template <class T>
__device__ T activate(RnnActivation a, T x) {
  T y{};
  with_activation(a, [&](auto act) { y = act.value(x); });
  return y;
}
// g times the slope where the value is y
template <class T>
__device__ T times_slope(RnnActivation a, T g, T y) {
  T d{};
  with_activation(a, [&](auto act) { d = act.times_slope(g, y); });
  return d;
}

}  // namespace
}  // namespace pl::cuda
