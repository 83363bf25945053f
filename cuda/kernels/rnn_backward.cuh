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

template <class T, RnnCell C>
struct BackwardUnit {
  static constexpr int G = static_cast<int>(gates_of(C));
  const RnnBackwardArgs& a;
  const BackwardWork<T>& work;
  int64_t step, t, row, j;  // steps count from the first of the forward pass

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
  __device__ __forceinline__ T recurrent(T g, T y) const { return times_slope(a.s.recurrent, g, y); }
  __device__ __forceinline__ T own(T g, T y) const { return times_slope(a.s.activation, g, y); }

  // The gradient of the state; `product`: of the gates one step later.
  __device__ __forceinline__ T gradient(T product) const {
    const T passed = step + 1 < a.s.steps ? work.dh[state()] : a.dh ? in(a.dh)[state()] : T(0);
    return passed + product + (a.dy ? in(a.dy)[at(t)] : T(0));
  }
  __device__ __forceinline__ void pass_by(T all, T direct) const { work.dh[state()] = live() ? direct : all; }
  __device__ __forceinline__ void put(int g, T d) const { out(a.dz)[gate(g)] = live() ? d : T(0); }
  __device__ __forceinline__ void put_before() const {
    if (a.before) out(a.before)[at(t)] = before(a.y, a.s.h);
  }

  __device__ void simple(T product) const {
    const T dh = gradient(product);
    put_before();
    pass_by(dh, T(0));
    put(0, own(dh, in(a.y)[at(t)]));
  }

  __device__ void lstm(T product) const {
    const T *y = in(a.gates), i = y[gate(0)], f = y[gate(1)], g = y[gate(2)], o = y[gate(3)];
    const T act = activate(a.s.activation, in(a.cells)[at(t)]), dh = gradient(product);
    put_before();
    pass_by(dh, T(0));
    const T old = step + 1 < a.s.steps ? work.dc[state()] : a.dc ? in(a.dc)[state()] : T(0);
    const T dc = old + own(dh * o, act), passed = live() ? dc * f : old;
    work.dc[state()] = passed;
    if (step == 0 && a.dc_in) out(a.dc_in)[state()] = passed;
    const T dof = recurrent(dh * act, o), dg = own(dc * i, g), df = recurrent(dc * before(a.cells, a.s.c), f);
    put(0, recurrent(dc * g, i));
    put(1, df);
    put(2, dg);
    put(3, dof);
  }

  // The gradients of u and n, and what they are made of.
  struct Update {
    T u, s, n, du, dn;
  };
  __device__ __forceinline__ Update update(T product) const {
    const T *y = in(a.gates), u = y[gate(0)], n = y[gate(2)], dh = gradient(product);
    put_before();
    pass_by(dh, dh * u);
    return {u, y[gate(1)], n, recurrent(dh * (before(a.y, a.s.h) - n), u), own(dh * (T(1) - u), n)};
  }

  __device__ void gru(T product) const {
    const Update x = update(product);
    const T ds = recurrent(x.dn * in(a.inner)[at(t)], x.s);
    put(0, x.du);
    put(1, ds);
    put(2, x.dn);
    T* const dzu = out(a.dzu);
    dzu[gate(0)] = live() ? x.du : T(0);
    dzu[gate(1)] = live() ? ds : T(0);
    dzu[gate(2)] = live() ? x.dn * x.s : T(0);
  }

  // The second phase needs s behind the first, which may write dz over the gates.
  __device__ void candidate(T product) const {
    const Update x = update(product);
    work.dc[state()] = x.s;
    put(0, x.du);
    put(2, x.dn);
  }
  __device__ void reset(T dsh) const {
    const T s = work.dc[state()], old = before(a.y, a.s.h);
    if (live()) work.dh[state()] = fma_(dsh, s, work.dh[state()]);
    if (a.reset) out(a.reset)[at(t)] = s * old;
    put(1, recurrent(dsh * old, s));
  }

  __device__ void last(T product) const {
    if (a.dh_in) out(a.dh_in)[state()] = work.dh[state()] + product;
  }
};

template <class T, RnnCell C>
__global__ void __launch_bounds__(kThreads)
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
        const BackwardUnit<T, C> one{a, work, step, t, row, j};
        const T sum = zero ? T(0) : product.sum(r, 0, unit);
        if (step < 0) return one.last(sum);
        if constexpr (C == RnnCell::simple) one.simple(sum);
        if constexpr (C == RnnCell::lstm) one.lstm(sum);
        if constexpr (C == RnnCell::gru) one.gru(sum);
        if constexpr (two) second ? one.reset(sum) : one.candidate(sum);
      });
    }
    if (phase + 1 < upto) barrier.wait();
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
