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
    Place<T> place;
    int64_t before;  // the step before this one, or -1
    const bool* mask;
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
    t.place = {t.row, s_.steps, 0};
    const bool lstm = s_.cell == RnnCell::lstm;
    __builtin_memset(t.sums, 0, static_cast<size_t>(layout_.sums) * sizeof(T));
    load_state(in<T>(a_.dh, t.row * hidden_), hidden_, t.rows, t.dh, ld);
    if (lstm) load_state(in<T>(a_.dc, t.row * hidden_), hidden_, t.rows, t.dc, ld);
    for (int64_t step = s_.steps - 1; step >= 0; --step) {
      t.place.t = s_.reverse ? s_.steps - 1 - step : step;
      t.before = step == 0 ? -1 : s_.reverse ? t.place.t + 1 : t.place.t - 1;
      t.mask = s_.mask ? s_.mask + t.row * s_.steps + t.place.t : nullptr;
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

  // What the next step will touch is asked for while this one computes: the rows lie far apart, out of the prefetcher's
  // sight. States are needed a step ahead, as those before the step.
  PL_INLINE void fetch_next(const Task& t, int64_t j) const {
    if (t.before < 0) return;
    const int64_t ahead = t.before - t.place.t, second = t.before + ahead;
    const bool more = second >= 0 && second < s_.steps;
    for (int64_t r = 0; r < t.rows; ++r) {
      const int64_t at = t.place.at(r) + ahead;
      for (int64_t g = 0; g < gates_; ++g) {
        const int64_t gate = (at * gates_ + g) * hidden_ + j;
        fetch_for_writing(out<T>(a_.dz, gate));
        if (a_.gates != a_.dz) fetch(in<T>(a_.gates, gate));
        if (a_.dzu) fetch_for_writing(out<T>(a_.dzu, gate));
      }
      const int64_t state = at * hidden_ + j;
      fetch(in<T>(a_.dy, state));
      fetch(in<T>(a_.inner, state));
      if (a_.before) fetch_for_writing(out<T>(a_.before, state));
      if (!more) continue;
      fetch(in<T>(a_.cells, state + ahead * hidden_));
      fetch(in<T>(a_.y, state + ahead * hidden_));
    }
  }

  bool live(const Task& t, int64_t r) const { return !t.mask || t.mask[r * s_.steps]; }
  const T* gates(const Task& t, int64_t r) const {
    return static_cast<const T*>(a_.gates) + t.place.at(r) * gates_ * hidden_;
  }
  // Row r of a (B,T,H) tensor at this step.
  const T* row(const Task& t, const void* x, int64_t r) const {
    return static_cast<const T*>(x) + t.place.at(r) * hidden_;
  }
  // The same at the step before; there the row of the initial state.
  template <class Part>
  PL_INLINE V before(const Task& t, const void* x, const void* initial, int64_t r, int64_t j,
                     Part part) const {
    if (t.before >= 0)
      return part.get(static_cast<const T*>(x) + ((t.row + r) * s_.steps + t.before) * hidden_ + j);
    return initial ? part.get(static_cast<const T*>(initial) + (t.row + r) * hidden_ + j) : V{};
  }
  template <class Part>
  PL_INLINE V state_gradient(const Task& t, int64_t r, int64_t j, Part part) const {
    const V dh = load(t.dh + r * layout_.ld + j);
    return a_.dy ? dh + part.get(row(t, a_.dy, r) + j) : dh;
  }
  // What of dh reaches the state before without a product: `direct`, or all of it where the row is masked.
  PL_INLINE void pass_by(const Task& t, int64_t r, int64_t j, V dh, V direct) const {
    store(t.dh + r * layout_.ld + j, live(t, r) ? direct : dh);
  }
  template <class Part>
  PL_INLINE void put_before(const Task& t, int64_t r, int64_t j, V h, Part part) const {
    if (a_.before) part.put(static_cast<T*>(a_.before) + t.place.at(r) * hidden_ + j, h);
  }

  // Gate g of the W units at j, `rows` of them `distance` apart: into dz and its sums.
  template <class Part>
  PL_INLINE void put_gate(const Task& t, int64_t g, int64_t j, const T* d, int64_t distance, Part part) const {
    const int64_t at = g * hidden_ + j;
    V sum{};
    for (int64_t r = 0; r < t.rows; ++r) {
      const V v = live(t, r) ? load(d + r * distance) : V{};
      part.put(static_cast<T*>(a_.dz) + t.place.at(r) * gates_ * hidden_ + at, v);
      part.put(t.dz + r * layout_.ldz + at, v);
      sum += v;
    }
    part.put(t.sums + at, part.get(t.sums + at) + sum);
  }

  void simple(const Task& t) const {
    alignas(64) T g[kMaxRows * W], y[kMaxRows * W];
    each_vector<T>(0, hidden_, [&](int64_t j, auto part) {
      fetch_next(t, j);
      for (int64_t r = 0; r < t.rows; ++r) {
        const V dh = state_gradient(t, r, j, part);
        store(g + r * W, dh);
        store(y + r * W, part.get(row(t, a_.y, r) + j));
        put_before(t, r, j, before(t, a_.y, s_.h, r, j, part), part);
        pass_by(t, r, j, dh, V{});
      }
      slope_tile(s_.activation, g, W, y, W, t.rows, 1);
      put_gate(t, 0, j, g, W, part);
    });
  }

  void lstm_step(const Task& t) const {
    constexpr int G = 4;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W], act[kMaxRows * W], da[kMaxRows * W];
    const int64_t H = hidden_;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      fetch_next(t, j);
      for (int64_t r = 0; r < t.rows; ++r) {
        for (int g = 0; g < G; ++g) store(gate + (r * G + g) * W, part.get(gates(t, r) + g * H + j));
        store(act + r * W, part.get(row(t, a_.cells, r) + j));
      }
      activate_tile(s_.activation, act, W, t.rows, 1);
      for (int64_t r = 0; r < t.rows; ++r) {
        const V dh = state_gradient(t, r, j, part);
        store(d + (r * G + 3) * W, dh * load(act + r * W));
        store(da + r * W, dh * load(gate + (r * G + 3) * W));
        if (a_.before) put_before(t, r, j, before(t, a_.y, s_.h, r, j, part), part);
        pass_by(t, r, j, dh, V{});
      }
      slope_tile(s_.activation, da, W, act, W, t.rows, 1);
      for (int64_t r = 0; r < t.rows; ++r) {
        T* const carried = t.dc + r * layout_.ld + j;
        const T* const y = gate + r * G * W;
        T* const to = d + r * G * W;
        const V dc_old = load(carried), dc = dc_old + load(da + r * W);
        store(to, dc * load(y + 2 * W));
        store(to + W, dc * before(t, a_.cells, s_.c, r, j, part));
        store(to + 2 * W, dc * load(y));
        store(carried, live(t, r) ? dc * load(y + W) : dc_old);
      }
      slope_tile(s_.recurrent, d, G * W, gate, G * W, t.rows, 2);
      slope_tile(s_.activation, d + 2 * W, G * W, gate + 2 * W, G * W, t.rows, 1);
      slope_tile(s_.recurrent, d + 3 * W, G * W, gate + 3 * W, G * W, t.rows, 1);
      for (int g = 0; g < G; ++g) put_gate(t, g, j, d + g * W, G * W, part);
    });
  }

  // The gates' values, and the gradients of u and n: dh (h - n) r'(u), dh (1 - u) a'(n).
  template <class Part>
  PL_INLINE void gru_update(const Task& t, int64_t j, T* gate, T* d, T* h, Part part) const {
    constexpr int G = 3;
    fetch_next(t, j);
    for (int64_t r = 0; r < t.rows; ++r) {
      const V dh = state_gradient(t, r, j, part), old = before(t, a_.y, s_.h, r, j, part);
      V y[G];
      for (int g = 0; g < G; ++g) {
        y[g] = part.get(gates(t, r) + g * hidden_ + j);
        store(gate + (r * G + g) * W, y[g]);
      }
      store(h + r * W, old);
      store(d + r * G * W, dh * (old - y[2]));
      store(d + (r * G + 2) * W, dh * (T(1) - y[0]));
      put_before(t, r, j, old, part);
      pass_by(t, r, j, dh, dh * y[0]);
    }
    slope_tile(s_.activation, d + 2 * W, G * W, gate + 2 * W, G * W, t.rows, 1);
  }

  void gru(const Task& t) const {
    constexpr int G = 3;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W], h[kMaxRows * W], inner[kMaxRows * W];
    const int64_t H = hidden_;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      gru_update(t, j, gate, d, h, part);
      for (int64_t r = 0; r < t.rows; ++r) {
        T* const to = d + r * G * W;
        const V dn = load(to + 2 * W);
        store(to + W, dn * part.get(row(t, a_.inner, r) + j));
        store(inner + r * W, dn * load(gate + (r * G + 1) * W));
      }
      slope_tile(s_.recurrent, d, G * W, gate, G * W, t.rows, 2);
      for (int g = 0; g < G; ++g) put_gate(t, g, j, d + g * W, G * W, part);
      V sum{};  // dzu has the same first gates, and the gradient of the inner product as its last
      for (int64_t r = 0; r < t.rows; ++r) {
        T *const from = t.dz + r * layout_.ldz + j,
           *const to = static_cast<T*>(a_.dzu) + t.place.at(r) * G * H + j;
        const V v = live(t, r) ? load(inner + r * W) : V{};
        part.put(to, part.get(from));
        part.put(to + H, part.get(from + H));
        part.put(to + 2 * H, v);
        part.put(from + 2 * H, v);
        sum += v;
      }
      part.put(t.sums + G * H + j, part.get(t.sums + G * H + j) + sum);
    });
  }

  void gru_reset_first(const Task& t) const {
    constexpr int G = 3;
    alignas(64) T gate[kMaxRows * G * W], d[kMaxRows * G * W], h[kMaxRows * W];
    const int64_t H = hidden_, ld = layout_.ld;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      gru_update(t, j, gate, d, h, part);
      slope_tile(s_.recurrent, d, G * W, gate, G * W, t.rows, 1);
      put_gate(t, 0, j, d, G * W, part);
      put_gate(t, 2, j, d + 2 * W, G * W, part);
    });
    multiply(t, 2, 3, t.q, false);  // the gradient of the reset state s h
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      for (int64_t r = 0; r < t.rows; ++r) {
        const V q = load(t.q + r * ld + j), old = before(t, a_.y, s_.h, r, j, part);
        const V s = part.get(gates(t, r) + H + j);
        T* const dh = t.dh + r * ld + j;
        store(gate + r * W, s);
        store(d + r * W, q * old);
        if (live(t, r)) store(dh, fma_(q, s, load(dh)));
        if (a_.reset) part.put(static_cast<T*>(a_.reset) + t.place.at(r) * H + j, s * old);
      }
      slope_tile(s_.recurrent, d, W, gate, W, t.rows, 1);
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
