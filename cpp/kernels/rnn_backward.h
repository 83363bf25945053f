// The backward pass of a recurrence, from the last step to the first. A step turns the gradient of its state, dh, into
// that of its gates, dz, panel by panel as in the forward pass; then dh of the step before is dz U' (and what passes by
// the gates). dz goes into scratch for that product, and into the tensor from which gemm makes the gradients of x, W and
// U for all steps at once. Bias gradients are summed on the way: over the rows of a step, the steps, then the tasks in
// their order.
#pragma once
#include "core/parallel.h"
#include "kernels/rnn_gates.h"
#include "kernels/rnn_steps.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct BackwardLayout {
  int64_t packed, scratch;  // elements: U', and what a task has
  int64_t ld, ldz;          // rows of dh, dc, q, and of dz
  int64_t sums;             // of dz, and behind them those of dzu's last gate

  explicit BackwardLayout(const RnnBackwardArgs& a) {
    const RnnShape& s = a.s;
    const int64_t wide = gates_of(s.cell) * s.hidden;
    ld = state_distance<T>(s.hidden);
    ldz = state_distance<T>(wide);
    sums = round_up(wide + s.hidden, width<T>);
    packed = s.u ? wide * round_up(s.hidden, width<T>) : 0;
    scratch = kMaxRows * (3 * ld + ldz) + sums;
  }
};

template <class T>
class BackwardPass {
 public:
  using V = vec<T>;
  static constexpr int W = width<T>;

  explicit BackwardPass(const RnnBackwardArgs& args)
      : a_(args),
        s_(args.s),
        hidden_(s_.hidden),
        gates_(gates_of(s_.cell)),
        layout_(args),
        packed_(static_cast<T*>(s_.work)) {}

  void run() const {
    if (s_.u) pack();
    parallel_for(tasks_of(s_.batch), 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) run_task(task);
    });
    sum_biases();
  }

 private:
  void pack() const {
    const int64_t wide = gates_ * hidden_;
    const T* const u = static_cast<const T*>(s_.u);
    parallel_for(column_panels<T>(hidden_), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const Column<T> panel(p, hidden_);
        copy_transposed(u + panel.from * wide, wide, wide, panel.to - panel.from, packed_ + panel.from * wide,
                        panel.vectors * W);
      }
    });
  }

  T* scratch_of(int64_t task) const { return packed_ + layout_.packed + task * layout_.scratch; }
  T* sums_of(int64_t task) const { return scratch_of(task) + layout_.scratch - layout_.sums; }

  void sum_biases() const {
    const int64_t wide = gates_ * hidden_, tasks = tasks_of(s_.batch);
    T *const db = static_cast<T*>(a_.db), *const dbu = static_cast<T*>(a_.dbu);
    for (int64_t i = 0; i < wide + (dbu ? hidden_ : 0); ++i) {
      T sum = 0;
      for (int64_t task = 0; task < tasks; ++task) sum += sums_of(task)[i];
      if (db && i < wide) db[i] = sum;
      if (dbu && i < wide - hidden_) dbu[i] = sum;
      if (dbu && i >= wide) dbu[i - hidden_] = sum;
    }
  }

  struct Task {
    int64_t row, rows;
    T *dh, *dc, *q, *dz, *sums;
    int64_t t, at;   // the step, and its first row in a (B,T,...) tensor
    int64_t before;  // the step before this one, or -1
    Live live;
  };

  void run_task(int64_t index) const {
    const int64_t ld = layout_.ld, block = kMaxRows * ld;
    T* const scratch = scratch_of(index);
    Task t{};
    t.row = task_begin(s_.batch, index);
    t.rows = task_begin(s_.batch, index + 1) - t.row;
    t.dh = scratch;
    t.dc = scratch + block;
    t.q = scratch + 2 * block;
    t.dz = scratch + 3 * block;
    t.sums = sums_of(index);
    const bool lstm = s_.cell == RnnCell::lstm;
    __builtin_memset(t.sums, 0, static_cast<size_t>(layout_.sums) * sizeof(T));
    load_state(in<T>(a_.dh, t.row * hidden_), hidden_, t.rows, t.dh, ld);
    if (lstm) load_state(in<T>(a_.dc, t.row * hidden_), hidden_, t.rows, t.dc, ld);
    for (int64_t step = s_.steps - 1; step >= 0; --step) {
      t.t = s_.reverse ? s_.steps - 1 - step : step;
      t.before = step == 0 ? -1 : s_.reverse ? t.t + 1 : t.t - 1;
      t.at = t.row * s_.steps + t.t;
      t.live = {s_.mask ? s_.mask + t.at : nullptr, s_.steps};
      switch (s_.cell) {
        case RnnCell::simple: simple(t); break;
        case RnnCell::lstm: lstm_step(t); break;
        case RnnCell::gru: gru(t); break;
        case RnnCell::gru_reset_first: gru_reset_first(t); break;
      }
      if (!s_.u || (step == 0 && !a_.dh_in)) continue;
      const bool candidate_done = s_.cell == RnnCell::gru_reset_first;
      multiply(t, 0, candidate_done ? 2 : gates_, t.dh, true);
    }
    store_state(t.dh, ld, hidden_, t.rows, out<T>(a_.dh_in, t.row * hidden_));
    if (lstm) store_state(t.dc, ld, hidden_, t.rows, out<T>(a_.dc_in, t.row * hidden_));
  }

  // to (rows, H) (+)= the gates [from, upto) of dz times their rows of U'
  void multiply(const Task& t, int64_t from, int64_t upto, T* to, bool add) const {
    for (int64_t p = 0; p < column_panels<T>(hidden_); ++p) {
      const Column<T> panel(p, hidden_);
      const T* const u = packed_ + panel.from * gates_ * hidden_ + from * hidden_ * panel.vectors * W;
      multiply_panel(t.rows, (upto - from) * hidden_, t.dz + from * hidden_, layout_.ldz, u, panel.vectors,
                     to + panel.from, layout_.ld, add);
    }
  }

  Rows<T> gate_rows(const Task& t, void* p, int64_t j) const {
    return {out<T>(p, t.at * gates_ * hidden_ + j), s_.steps * gates_ * hidden_};
  }
  Rows<T> state_rows(const Task& t, void* p, int64_t j) const {
    return {out<T>(p, t.at * hidden_ + j), s_.steps * hidden_};
  }
  Rows<const T> state_rows(const Task& t, const void* p, int64_t j) const {
    return {in<T>(p, t.at * hidden_ + j), s_.steps * hidden_};
  }
  // A state before the step: the rows of x one step back, at the end those of the initial state, or null: zeros.
  Rows<const T> rows_before(const Task& t, const void* x, const void* initial, int64_t j) const {
    if (t.before < 0) return {in<T>(initial, t.row * hidden_ + j), hidden_};
    return {in<T>(x, (t.row * s_.steps + t.before) * hidden_ + j), s_.steps * hidden_};
  }
  Rows<T> scratch_rows(T* p, int64_t j) const { return {p + j, layout_.ld}; }

  template <class Part>
  static PL_INLINE V get_or_zero(const Rows<const T>& rows, int64_t r, Part part) {
    return rows.first ? part.get(rows[r]) : V{};
  }

  // What the next step will touch is asked for while this one computes: the rows lie far apart, out of the prefetcher's
  // sight. States are needed a step ahead, as those before the step.
  PL_INLINE void fetch_next(const Task& t, int64_t j) const {
    if (t.before < 0) return;
    const int64_t ahead = t.before - t.t, second = t.before + ahead, rows = t.rows, gates = gates_,
                  H = hidden_;
    const bool more = second >= 0 && second < s_.steps;
    const int64_t state = j + ahead * H, gate = j + ahead * gates_ * H;
    const Rows<T> dz = gate_rows(t, a_.dz, gate), dzu = gate_rows(t, a_.dzu, gate),
                  y = gate_rows(t, a_.gates == a_.dz ? nullptr : const_cast<void*>(a_.gates), gate),
                  before = state_rows(t, a_.before, state);
    const Rows<const T> dy = state_rows(t, a_.dy, state), inner = state_rows(t, a_.inner, state),
                        cells = state_rows(t, a_.cells, state + ahead * H),
                        h = state_rows(t, a_.y, state + ahead * H);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t g = 0; g < gates; ++g) {
        fetch_for_writing(dz[r] + g * H);
        if (y.first) fetch(y[r] + g * H);
        if (dzu.first) fetch_for_writing(dzu[r] + g * H);
      }
      if (dy.first) fetch(dy[r]);
      if (inner.first) fetch(inner[r]);
      if (before.first) fetch_for_writing(before[r]);
      if (more && cells.first) fetch(cells[r]);
      if (more && h.first) fetch(h[r]);
    }
  }

  // The gradient of W units' states: from the steps behind, and of the output here.
  struct StateGradient {
    Rows<T> dh;
    Rows<const T> dy;
    Live live;
    template <class Part>
    PL_INLINE V get(int64_t r, Part part) const {
      return dy.first ? load(dh[r]) + part.get(dy[r]) : load(dh[r]);
    }
    // What of it reaches the state before without a product: `direct`, or all of it where the row is masked.
    PL_INLINE void pass_by(int64_t r, V all, V direct) const { store(dh[r], live[r] ? direct : all); }
  };
  StateGradient state_gradient(const Task& t, int64_t j) const {
    return {scratch_rows(t.dh, j), state_rows(t, a_.dy, j), t.live};
  }

  // Gate g of the W units at j, `rows` of them `distance` apart: into dz and its sums.
  template <class Part>
  PL_INLINE void put_gate(const Task& t, int64_t g, int64_t j, const T* d, int64_t distance,
                          Part part) const {
    const int64_t at = g * hidden_ + j, rows = t.rows;
    const Rows<T> dz = gate_rows(t, a_.dz, at), own{t.dz + at, layout_.ldz};
    const Live live = t.live;
    T* const sums = t.sums + at;
    V sum{};
    for (int64_t r = 0; r < rows; ++r) {
      const V v = live[r] ? load(d + r * distance) : V{};
      part.put(dz[r], v);
      part.put(own[r], v);
      sum += v;
    }
    part.put(sums, part.get(sums) + sum);
  }
  // The states before the step, for the gradient of U.
  template <class Part>
  PL_INLINE void put_before(const Task& t, int64_t j, Part part) const {
    if (!a_.before) return;
    const Rows<const T> h = rows_before(t, a_.y, s_.h, j);
    const Rows<T> to = state_rows(t, a_.before, j);
    const int64_t rows = t.rows;
    for (int64_t r = 0; r < rows; ++r) part.put(to[r], get_or_zero(h, r, part));
  }

  void simple(const Task& t) const {
    alignas(64) T g[kMaxRows * W], y[kMaxRows * W];
    const int64_t rows = t.rows;
    each_vector<T>(0, hidden_, [&](int64_t j, auto part) {
      fetch_next(t, j);
      const StateGradient state = state_gradient(t, j);
      const Rows<const T> h = state_rows(t, a_.y, j);
      for (int64_t r = 0; r < rows; ++r) {
        const V dh = state.get(r, part);
        store(g + r * W, dh);
        store(y + r * W, part.get(h[r]));
        state.pass_by(r, dh, V{});
      }
      put_before(t, j, part);
      slope_tile(s_.activation, g, W, y, W, rows, 1);
      put_gate(t, 0, j, g, W, part);
    });
  }

  void lstm_step(const Task& t) const {
    constexpr int G = 4;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W], act[kMaxRows * W], da[kMaxRows * W];
    const int64_t H = hidden_, rows = t.rows;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      fetch_next(t, j);
      load_gates<G>(t, j, gate, part);
      const Rows<const T> cells = state_rows(t, a_.cells, j);
      for (int64_t r = 0; r < rows; ++r) store(act + r * W, part.get(cells[r]));
      activate_tile(s_.activation, act, W, rows, 1);
      const StateGradient state = state_gradient(t, j);
      for (int64_t r = 0; r < rows; ++r) {
        const V dh = state.get(r, part);
        store(d + (r * G + 3) * W, dh * load(act + r * W));
        store(da + r * W, dh * load(gate + (r * G + 3) * W));
        state.pass_by(r, dh, V{});
      }
      put_before(t, j, part);
      slope_tile(s_.activation, da, W, act, W, rows, 1);
      const Rows<T> carried = scratch_rows(t.dc, j);
      const Rows<const T> cells_before = rows_before(t, a_.cells, s_.c, j);
      for (int64_t r = 0; r < rows; ++r) {
        const T* const y = gate + r * G * W;
        T* const to = d + r * G * W;
        const V dc_old = load(carried[r]), dc = dc_old + load(da + r * W);
        store(to, dc * load(y + 2 * W));
        store(to + W, dc * get_or_zero(cells_before, r, part));
        store(to + 2 * W, dc * load(y));
        store(carried[r], state.live[r] ? dc * load(y + W) : dc_old);
      }
      slope_tile(s_.recurrent, d, G * W, gate, G * W, rows, 2);
      slope_tile(s_.activation, d + 2 * W, G * W, gate + 2 * W, G * W, rows, 1);
      slope_tile(s_.recurrent, d + 3 * W, G * W, gate + 3 * W, G * W, rows, 1);
      for (int g = 0; g < G; ++g) put_gate(t, g, j, d + g * W, G * W, part);
    });
  }
  template <int G, class Part>
  PL_INLINE void load_gates(const Task& t, int64_t j, T* gate, Part part) const {
    const Rows<T> y = gate_rows(t, const_cast<void*>(a_.gates), j);
    const int64_t rows = t.rows, H = hidden_;
    for (int64_t r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int g = 0; g < G; ++g) store(gate + (r * G + g) * W, part.get(y[r] + g * H));
  }

  // The gates' values, and the gradients of u and n: dh (h - n) r'(u), dh (1 - u) a'(n).
  template <class Part>
  PL_INLINE void gru_update(const Task& t, int64_t j, T* gate, T* d, Part part) const {
    constexpr int G = 3;
    const int64_t rows = t.rows;
    fetch_next(t, j);
    load_gates<G>(t, j, gate, part);
    const StateGradient state = state_gradient(t, j);
    const Rows<const T> h = rows_before(t, a_.y, s_.h, j);
    for (int64_t r = 0; r < rows; ++r) {
      const V dh = state.get(r, part), u = load(gate + r * G * W);
      store(d + r * G * W, dh * (get_or_zero(h, r, part) - load(gate + (r * G + 2) * W)));
      store(d + (r * G + 2) * W, dh * (T(1) - u));
      state.pass_by(r, dh, dh * u);
    }
    put_before(t, j, part);
    slope_tile(s_.activation, d + 2 * W, G * W, gate + 2 * W, G * W, rows, 1);
  }

  void gru(const Task& t) const {
    constexpr int G = 3;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W], inner[kMaxRows * W];
    const int64_t H = hidden_, rows = t.rows;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      gru_update(t, j, gate, d, part);
      const Rows<const T> kept = state_rows(t, a_.inner, j);
      for (int64_t r = 0; r < rows; ++r) {
        T* const to = d + r * G * W;
        const V dn = load(to + 2 * W);
        store(to + W, dn * part.get(kept[r]));
        store(inner + r * W, dn * load(gate + (r * G + 1) * W));
      }
      slope_tile(s_.recurrent, d, G * W, gate, G * W, rows, 2);
      for (int g = 0; g < G; ++g) put_gate(t, g, j, d + g * W, G * W, part);
      // dzu has the same first gates, and the gradient of the inner product as its last
      const Rows<T> own{t.dz + j, layout_.ldz}, dzu = gate_rows(t, a_.dzu, j);
      const Live live = t.live;
      T* const sums = t.sums + G * H + j;
      V sum{};
      for (int64_t r = 0; r < rows; ++r) {
        const V v = live[r] ? load(inner + r * W) : V{};
        part.put(dzu[r], part.get(own[r]));
        part.put(dzu[r] + H, part.get(own[r] + H));
        part.put(dzu[r] + 2 * H, v);
        part.put(own[r] + 2 * H, v);
        sum += v;
      }
      part.put(sums, part.get(sums) + sum);
    });
  }

  void gru_reset_first(const Task& t) const {
    constexpr int G = 3;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W];
    const int64_t H = hidden_, rows = t.rows;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      gru_update(t, j, gate, d, part);
      slope_tile(s_.recurrent, d, G * W, gate, G * W, rows, 1);
      put_gate(t, 0, j, d, G * W, part);
      put_gate(t, 2, j, d + 2 * W, G * W, part);
    });
    multiply(t, 2, 3, t.q, false);  // the gradient of the reset state s h
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      const Rows<T> q = scratch_rows(t.q, j), dh = scratch_rows(t.dh, j), reset = state_rows(t, a_.reset, j),
                    s_rows = gate_rows(t, const_cast<void*>(a_.gates), H + j);
      const Rows<const T> h = rows_before(t, a_.y, s_.h, j);
      const Live live = t.live;
      for (int64_t r = 0; r < rows; ++r) {
        const V dsh = load(q[r]), old = get_or_zero(h, r, part), s = part.get(s_rows[r]);
        store(gate + r * W, s);
        store(d + r * W, dsh * old);
        if (live[r]) store(dh[r], fma_(dsh, s, load(dh[r])));
        if (reset.first) part.put(reset[r], s * old);
      }
      slope_tile(s_.recurrent, d, W, gate, W, rows, 1);
      put_gate(t, 1, j, d, W, part);
    });
  }

  const RnnBackwardArgs& a_;
  const RnnShape& s_;
  int64_t hidden_, gates_;
  BackwardLayout<T> layout_;
  T* packed_;
};

}  // namespace
}  // namespace pl::PL_ISA
