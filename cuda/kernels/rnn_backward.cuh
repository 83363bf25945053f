// The backward pass of a recurrence, from the last step to the first. A phase takes dh of its step from the gradient of
// the gates one step later (dz U', in which all units take part) and from what passes by the gates, and turns it into dz
// of its step, by which the blocks tell each other. Where the reset gate comes first, a second phase takes the gradient
// of the reset state from that of the candidate. A last phase finds the gradient of the initial state.
//
// Bias gradients are sums over the rows of dz behind all that, in two launches: strips of rows, then the strips.
#pragma once
#include "kernels/rnn_product.cuh"

namespace pl::cuda {
namespace {

constexpr int64_t kStripRows = 64;
constexpr int64_t strips_of(int64_t rows) {
  const int64_t n = up(rows, kStripRows);
  return n < 64 ? n : 64;
}

template <class T>
struct BackwardWork {
  T *dh, *dc, *strips;  // (B,H): what passes by, and the cells' gradient; (strips, GH)
  int64_t count;
  PL_INLINE explicit BackwardWork(const RnnBackwardArgs& a) {
    const RnnShape& s = a.s;
    const int64_t state = up_to(s.batch * s.hidden, 16);
    dh = static_cast<T*>(s.work);
    dc = dh + state;
    strips = dc + state;
    count = 2 * state + strips_of(s.batch * s.steps) * gates_of(s.cell) * s.hidden;
  }
};

// One unit of one row at one step: what it reads, and what it makes of the gradient that comes from behind.
template <class T, RnnCell C>
struct BackwardUnit {
  static constexpr int G = static_cast<int>(gates_of(C));
  static constexpr bool gru_like = C == RnnCell::gru || C == RnnCell::gru_reset_first;
  const RnnBackwardArgs& a;
  const BackwardWork<T>& work;
  int64_t step, t, row, j;            // steps count from the first of the forward pass; -1: behind all
  T y[G];                             // the gates; simple: the state
  T dy, cell, cell_before, inner, h;  // h: before the step

  static __device__ __forceinline__ const T* in(const void* p) { return static_cast<const T*>(p); }
  static __device__ __forceinline__ T* out(void* p) { return static_cast<T*>(p); }
  __device__ __forceinline__ int64_t at(int64_t time) const {
    return (row * a.s.steps + time) * a.s.hidden + j;
  }
  __device__ __forceinline__ int64_t state() const { return row * a.s.hidden + j; }
  __device__ __forceinline__ int64_t gate(int g) const {
    return ((row * a.s.steps + t) * G + g) * a.s.hidden + j;
  }
  __device__ __forceinline__ bool live() const { return !a.s.mask || a.s.mask[row * a.s.steps + t]; }
  __device__ __forceinline__ T before(const void* x, const void* initial) const {
    if (step > 0) return in(x)[at(a.s.reverse ? t + 1 : t - 1)];
    return initial ? in(initial)[state()] : T(0);
  }
  __device__ __forceinline__ void load() {
    if (step < 0) return;
#pragma unroll
    for (int g = 0; g < G; ++g) y[g] = C == RnnCell::simple ? in(a.y)[at(t)] : in(a.gates)[gate(g)];
    dy = a.dy ? in(a.dy)[at(t)] : T(0);
    if (gru_like || a.before) h = before(a.y, a.s.h);
    if constexpr (C == RnnCell::gru) inner = in(a.inner)[at(t)];
    if constexpr (C == RnnCell::lstm) {
      cell = in(a.cells)[at(t)];
      cell_before = before(a.cells, a.s.c);
    }
  }
  __device__ __forceinline__ void copy(const BackwardUnit& from) {
#pragma unroll
    for (int g = 0; g < G; ++g) y[g] = from.y[g];
    dy = from.dy, cell = from.cell, cell_before = from.cell_before, inner = from.inner, h = from.h;
  }
  __device__ __forceinline__ T recurrent(T g, T value) const { return times_slope(a.s.recurrent, g, value); }
  __device__ __forceinline__ T own(T g, T value) const { return times_slope(a.s.activation, g, value); }

  // The gradient of the state; `product`: of the gates one step later.
  __device__ __forceinline__ T gradient(T product) const {
    const T passed = step + 1 < a.s.steps ? work.dh[state()] : a.dh ? in(a.dh)[state()] : T(0);
    return passed + product + dy;
  }
  __device__ __forceinline__ void pass_by(T all, T direct) const { work.dh[state()] = live() ? direct : all; }
  __device__ __forceinline__ void put(int g, T d) const { out(a.dz)[gate(g)] = live() ? d : T(0); }
  __device__ __forceinline__ void put_before() const {
    if (a.before) out(a.before)[at(t)] = h;
  }

  __device__ void simple(T product) const {
    const T dh = gradient(product);
    put_before();
    pass_by(dh, T(0));
    put(0, own(dh, y[0]));
  }

  __device__ void lstm(T product) const {
    const T i = y[0], f = y[1], g = y[2], o = y[3];
    const T act = activate(a.s.activation, cell), dh = gradient(product);
    put_before();
    pass_by(dh, T(0));
    const T old = step + 1 < a.s.steps ? work.dc[state()] : a.dc ? in(a.dc)[state()] : T(0);
    const T dc = old + own(dh * o, act), passed = live() ? dc * f : old;
    work.dc[state()] = passed;
    if (step == 0 && a.dc_in) out(a.dc_in)[state()] = passed;
    put(0, recurrent(dc * g, i));
    put(1, recurrent(dc * cell_before, f));
    put(2, own(dc * i, g));
    put(3, recurrent(dh * act, o));
  }

  // The gradients of u and n.
  struct Update {
    T du, dn;
  };
  __device__ __forceinline__ Update update(T product) const {
    const T u = y[0], n = y[2], dh = gradient(product);
    put_before();
    pass_by(dh, dh * u);
    return {recurrent(dh * (h - n), u), own(dh * (T(1) - u), n)};
  }

  __device__ void gru(T product) const {
    const Update x = update(product);
    const T ds = recurrent(x.dn * inner, y[1]);
    put(0, x.du);
    put(1, ds);
    put(2, x.dn);
    T* const dzu = out(a.dzu);
    dzu[gate(0)] = live() ? x.du : T(0);
    dzu[gate(1)] = live() ? ds : T(0);
    dzu[gate(2)] = live() ? x.dn * y[1] : T(0);
  }

  // Two phases; the first leaves the place of s alone, where dz is written over the gates.
  __device__ void candidate(T product) const {
    const Update x = update(product);
    put(0, x.du);
    put(2, x.dn);
  }
  __device__ void reset(T dsh) const {
    const T s = y[1];
    if (live()) work.dh[state()] = fma_(dsh, s, work.dh[state()]);
    if (a.reset) out(a.reset)[at(t)] = s * h;
    put(1, recurrent(dsh * h, s));
  }

  __device__ void last(T product) const {
    if (a.dh_in) out(a.dh_in)[state()] = work.dh[state()] + product;
  }
};

template <class T, RnnCell C>
__global__ void __launch_bounds__(kThreads, 1)
    backward_kernel(RnnBackwardArgs a, Plan p, int64_t from, int64_t upto, unsigned* counter) {
  constexpr int G = static_cast<int>(gates_of(C));
  constexpr bool two = C == RnnCell::gru_reset_first;
  const RnnShape& s = a.s;
  const BackwardWork<T> work(a);
  const int64_t H = s.hidden, wide = G * H, unit_block = blockIdx.x % p.unit_blocks,
                row_block = blockIdx.x / p.unit_blocks;
  Product<T> product(p, s.batch);
  const T* const u = static_cast<const T*>(s.u);
  const auto column = [&](int64_t k, int, int unit) {
    const int64_t j = unit_block * p.units + unit;
    return k < wide && j < H ? u[j * wide + k] : T(0);
  };
  if (p.resident && u) product.load_b(0, 1, 0, p.depth, true, column);
  // Where a thread has one unit for all the steps, what it reads next is on the way while the grid waits.
  using Unit = BackwardUnit<T, C>;
  const bool ahead = one_unit_each(p) && upto - from > 1;
  Unit next{a,
            work,
            s.steps - 1 - from,
            s.reverse ? from : s.steps - 1 - from,
            own_row(p, row_block),
            own_unit(p, unit_block),
            {},
            0,
            0,
            0,
            0,
            0};
  if (ahead && next.row < s.batch && next.j < H) next.load();
  GridBarrier barrier(counter);
  const T* const dz = static_cast<const T*>(C == RnnCell::gru ? a.dzu : a.dz);
  for (int64_t phase = from; phase < upto; ++phase) {
    const int64_t step = s.steps - 1 - (two ? phase / 2 : phase), t = s.reverse ? s.steps - 1 - step : step;
    const bool second = two && phase % 2;
    // the gates one step later, or of this step for the reset state
    const int64_t later = second ? t : s.reverse ? t - 1 : t + 1;
    const bool zero = !u || phase == 0;
    const Rows<T> gates{dz + later * wide, s.steps * wide};
    for (int64_t tile = row_block; tile < p.row_tiles; tile += p.row_blocks) {
      if (!zero)
        product.multiply(gates, tile, second ? 2 * H : 0, two && !second ? 2 * H : wide, 0, 1, true, column);
      each_unit(p, tile, unit_block, s.batch, H, [&](int r, int unit, int64_t row, int64_t j) {
        Unit one{a, work, step, t, row, j, {}, 0, 0, 0, 0, 0};
        if (ahead)
          one.copy(next);
        else
          one.load();
        const T sum = zero ? T(0) : product.sum(r, 0, unit);
        if (step < 0) return one.last(sum);
        if constexpr (C == RnnCell::simple) one.simple(sum);
        if constexpr (C == RnnCell::lstm) one.lstm(sum);
        if constexpr (C == RnnCell::gru) one.gru(sum);
        if constexpr (two) second ? one.reset(sum) : one.candidate(sum);
      });
    }
    if (phase + 1 == upto) break;
    if (ahead && next.row < s.batch && next.j < H) {
      next.step = s.steps - 1 - (two ? (phase + 1) / 2 : phase + 1);
      next.t = s.reverse ? s.steps - 1 - next.step : next.step;
      next.load();
    }
    barrier.wait();
  }
  if (upto - from > 1) barrier.finish();
}

template <class T, RnnCell C>
Plan backward_plan(const RnnBackwardArgs& a) {
  const RnnShape& s = a.s;
  return plan_of<T>(s.batch, s.hidden, 1, gates_of(C) * s.hidden,
                    s.steps * (C == RnnCell::gru_reset_first ? 2 : 1) + (a.dh_in ? 1 : 0));
}

// -- sums over rows -------------------------------------------------------------------------------------------------

struct StripShared {
  double sums[kWarps][kWarp];
};
// A block: kWarp columns of one strip; a warp takes every kWarps-th row.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_strips(const T* x, int64_t rows, int64_t columns, int64_t strips, T* to) {
  StripShared& shared = smem<StripShared>();
  const int64_t column_blocks = (columns + kWarp - 1) / kWarp, strip = blockIdx.x / column_blocks;
  const int64_t c = blockIdx.x % column_blocks * kWarp + lane(), per = (rows + strips - 1) / strips;
  const int64_t end = (strip + 1) * per < rows ? (strip + 1) * per : rows;
  T sum = 0;
  if (c < columns)
    for (int64_t r = strip * per + warp(); r < end; r += kWarps) sum += x[r * columns + c];
  shared.sums[warp()][lane()] = static_cast<double>(sum);
  __syncthreads();
  if (warp() != 0 || c >= columns) return;
  double all = 0;
  for (int w = 0; w < kWarps; ++w) all += shared.sums[w][lane()];
  to[strip * columns + c] = static_cast<T>(all);
}
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_strips(const T* strips, int64_t count, int64_t columns, T* to) {
  for (int64_t c = first(); c < columns; c += stride()) {
    T sum = 0;
    for (int64_t s = 0; s < count; ++s) sum += strips[s * columns + c];
    to[c] = sum;
  }
}
template <class T>
void sum_rows(Stream stream, const void* x, int64_t rows, int64_t columns, T* strips, void* to) {
  if (!to) return;
  const int64_t count = strips_of(rows), blocks = up(columns, kWarp) * count;
  start(stream, sum_strips<T>, dim3(static_cast<unsigned>(blocks)), kThreads, sizeof(StripShared),
        static_cast<const T*>(x), rows, columns, count, strips);
  start(stream, add_strips<T>, blocks_for(columns), kThreads, 0, strips, count, columns, static_cast<T*>(to));
}

}  // namespace
}  // namespace pl::cuda
