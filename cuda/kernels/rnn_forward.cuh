// The forward pass of a recurrence. A phase is a step, but two where the reset gate comes first: its candidate needs the
// reset state of all units. The state before a step is the output of the step before; cells, and what the first of two
// phases leaves to the second, lie in the workspace and are touched by one thread only, but for the reset state.
#pragma once
#include "kernels/rnn_product.cuh"

namespace pl::cuda {
namespace {

template <class T>
struct ForwardWork {
  T *c, *update, *reset, *z;  // (B,H) three times; (B,T,GH) where z has no other place
  int64_t count;              // elements
  PL_INLINE explicit ForwardWork(const RnnArgs& a) {
    const RnnShape& s = a.s;
    const int64_t state = up_to(s.batch * s.hidden, 16),
                  all = s.batch * s.steps * gates_of(s.cell) * s.hidden;
    T* const work = static_cast<T*>(s.work);
    c = work;
    update = work + state;
    reset = work + 2 * state;
    const bool simple = s.cell == RnnCell::simple;
    const bool own = a.x && !a.z && !simple;
    z = static_cast<T*>(a.z ? a.z : simple ? a.y : nullptr);
    if (own) z = work + 3 * state;
    count = 3 * state + (own ? up_to(all, 16) : 0);
  }
};

// z = x W + b for all steps.
template <class T>
GemmArgs projection(const RnnArgs& a, const ForwardWork<T>& work) {
  const int64_t wide = gates_of(a.s.cell) * a.s.hidden;
  GemmArgs g{};
  g.dtype = a.s.dtype;
  g.activation = Activation::none;
  g.m = a.s.batch * a.s.steps;
  g.n = wide;
  g.k = a.features;
  g.lda = a.features;
  g.ldb = g.ldc = wide;
  g.batch = 1;
  g.a = a.x;
  g.b = a.w;
  g.bias = a.input_bias;
  g.c = work.z;
  g.work = static_cast<T*>(a.s.work) + work.count;
  return g;
}

// One unit of one row at one step: where its values are, and what they become.
template <class T, RnnCell C>
struct ForwardUnit {
  static constexpr int G = static_cast<int>(gates_of(C));
  const RnnArgs& a;
  const ForwardWork<T>& work;
  int64_t step, t, row, j;
  T z[G];  // of this step

  __device__ __forceinline__ int64_t at(int64_t time) const {
    return (row * a.s.steps + time) * a.s.hidden + j;
  }
  __device__ __forceinline__ int64_t state() const { return row * a.s.hidden + j; }
  __device__ __forceinline__ T& place(int g) const {
    return work.z[((row * a.s.steps + t) * G + g) * a.s.hidden + j];
  }
  __device__ __forceinline__ void load() {
#pragma unroll
    for (int g = 0; g < G; ++g) z[g] = place(g);
  }
  __device__ __forceinline__ bool live() const { return !a.s.mask || a.s.mask[row * a.s.steps + t]; }
  __device__ __forceinline__ T old() const {
    if (step > 0) return __ldcg(static_cast<const T*>(a.y) + at(a.s.reverse ? t + 1 : t - 1));
    return a.s.h ? static_cast<const T*>(a.s.h)[state()] : T(0);
  }
  __device__ __forceinline__ T e(int g) const {
    return a.bias ? static_cast<const T*>(a.bias)[g * a.s.hidden + j] : T(0);
  }

  __device__ __forceinline__ void put(T h, T before) const {
    if (!live()) h = before;
    static_cast<T*>(a.y)[at(t)] = h;
    if (step + 1 == a.s.steps && a.h_out) static_cast<T*>(a.h_out)[state()] = h;
  }
  __device__ __forceinline__ T recurrent(T x) const { return activate(a.s.recurrent, x); }
  __device__ __forceinline__ T own(T x) const { return activate(a.s.activation, x); }

  // product(g): of the old state with gate g's column
  template <class P>
  __device__ void simple(const P& product) const {
    put(own(z[0] + product(0)), live() ? T(0) : old());
  }

  template <class P>
  __device__ void lstm(const P& product) const {
    const T i = recurrent(z[0] + product(0)), f = recurrent(z[1] + product(1)), g = own(z[2] + product(2)),
            o = recurrent(z[3] + product(3));
    T c = step > 0 ? work.c[state()] : a.s.c ? static_cast<const T*>(a.s.c)[state()] : T(0);
    if (live()) c = fma_(f, c, i * g);
    work.c[state()] = c;
    if (step + 1 == a.s.steps && a.c_out) static_cast<T*>(a.c_out)[state()] = c;
    put(o * own(c), live() ? T(0) : old());
    if (!a.keep) return;
    static_cast<T*>(a.cells)[at(t)] = c;
    place(0) = i, place(1) = f, place(2) = g, place(3) = o;
  }

  template <class P>
  __device__ void gru(const P& product) const {
    const T u = recurrent(z[0] + e(0) + product(0)), s = recurrent(z[1] + e(1) + product(1)),
            inner = e(2) + product(2);
    const T n = own(fma_(s, inner, z[2])), h = old();
    put(fma_(u, h - n, n), h);
    if (!a.keep) return;
    static_cast<T*>(a.inner)[at(t)] = inner;
    place(0) = u, place(1) = s, place(2) = n;
  }

  template <class P>
  __device__ void reset(const P& product) const {
    const T u = recurrent(z[0] + product(0)), s = recurrent(z[1] + product(1));
    work.update[state()] = u;
    work.reset[state()] = s * old();
    if (a.keep) place(0) = u, place(1) = s;
  }
  template <class P>
  __device__ void after_reset(const P& product) const {
    const T n = own(z[2] + product(2)), h = old();
    put(fma_(work.update[state()], h - n, n), h);
    if (a.keep) place(2) = n;
  }
};

template <class T, RnnCell C>
__global__ void __launch_bounds__(kThreads, 1)
    forward_kernel(RnnArgs a, Plan p, int64_t from, int64_t upto, unsigned* counter) {
  constexpr int G = static_cast<int>(gates_of(C));
  constexpr bool two = C == RnnCell::gru_reset_first;
  const RnnShape& s = a.s;
  const ForwardWork<T> work(a);
  const int64_t H = s.hidden, wide = G * H, unit_block = blockIdx.x % p.unit_blocks,
                row_block = blockIdx.x / p.unit_blocks;
  Product<T> product(p, s.batch);
  const T* const u = static_cast<const T*>(s.u);
  const auto column = [&](int64_t k, int g, int unit) {
    const int64_t j = unit_block * p.units + unit;
    return k < H && j < H ? u[k * wide + g * H + j] : T(0);
  };
  if (p.resident && u) {
    if constexpr (two) {
      product.load_b(0, 2, 0, p.depth, false, column);
      product.load_b(2, 3, 0, p.depth, false, column);
    } else {
      product.load_b(0, G, 0, p.depth, false, column);
    }
  }
  // Where a thread has one unit for all the steps, its next z is on the way while the grid waits.
  using Unit = ForwardUnit<T, C>;
  const bool ahead = one_unit_each(p) && upto - from > 1;
  Unit next{
      a, work, from, s.reverse ? s.steps - 1 - from : from, own_row(p, row_block), own_unit(p, unit_block),
      {}};
  if (ahead && next.row < s.batch && next.j < H) next.load();
  GridBarrier barrier(counter);
  for (int64_t phase = from; phase < upto; ++phase) {
    const int64_t step = two ? phase / 2 : phase, t = s.reverse ? s.steps - 1 - step : step;
    const bool second = two && phase % 2, zero = !u || (step == 0 && !s.h);
    Rows<T> state{static_cast<const T*>(s.h), H};
    if (step > 0) state = {static_cast<const T*>(a.y) + (s.reverse ? t + 1 : t - 1) * H, s.steps * H};
    if (second) state = {work.reset, H};
    for (int64_t tile = row_block; tile < p.row_tiles; tile += p.row_blocks) {
      if (!zero) product.multiply(state, tile, 0, H, second ? 2 : 0, two && !second ? 2 : G, false, column);
      each_unit(p, tile, unit_block, s.batch, H, [&](int r, int unit, int64_t row, int64_t j) {
        Unit one{a, work, step, t, row, j, {}};
        if (ahead)
          for (int g = 0; g < G; ++g) one.z[g] = next.z[g];
        else
          one.load();
        const auto of = [&](int g) { return zero ? T(0) : product.sum(r, g, unit); };
        if constexpr (C == RnnCell::simple) one.simple(of);
        if constexpr (C == RnnCell::lstm) one.lstm(of);
        if constexpr (C == RnnCell::gru) one.gru(of);
        if constexpr (two) second ? one.after_reset(of) : one.reset(of);
      });
    }
    if (phase + 1 == upto) break;
    if (ahead && next.row < s.batch && next.j < H) {
      const int64_t step_next = two ? (phase + 1) / 2 : phase + 1;
      next.t = s.reverse ? s.steps - 1 - step_next : step_next;
      next.load();
    }
    barrier.wait();
  }
  if (upto - from > 1) barrier.finish();
}

template <class T, RnnCell C>
Plan forward_plan(const RnnShape& s) {
  return plan_of<T>(s.batch, s.hidden, static_cast<int>(gates_of(C)), s.hidden,
                    s.steps * (C == RnnCell::gru_reset_first ? 2 : 1));
}

}  // namespace
}  // namespace pl::cuda
