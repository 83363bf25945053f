// The forward pass of a recurrence. At each step, for the units of one panel after the other: the tile of the gates is
// filled with z, the product of the old state is added in registers, and activations, state and outputs follow while
// the tile (rows x gates x one vector of units) is in the first-level cache. The old state is needed by all panels,
// so there are two states, used in turn.
//
// Where the input's product is taken on the way, z of the next steps is computed panel by panel from W packed like U,
// for as many steps as give the tiles of the product some 100 rows, and never leaves the second-level cache.
#pragma once
#include "core/parallel.h"
#include "kernels/rnn_gates.h"
#include "kernels/rnn_steps.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct ForwardLayout {
  int64_t candidate;        // where U_n starts in the packed U
  int64_t w, bias;          // where W and its bias, in the order of the panels, start among what is packed
  int64_t packed, scratch;  // elements: what is packed, and what a task has
  int64_t projected;        // where a task's z is
  int64_t ld;

  explicit ForwardLayout(const RnnArgs& a) {
    const RnnShape& s = a.s;
    const int64_t padded = round_up(s.hidden, width<T>), wide = padded * gates_of(s.cell);
    ld = state_distance<T>(s.hidden);
    candidate = s.hidden * padded * 2;
    w = s.u ? s.hidden * wide : 0;
    bias = w + (a.x ? a.features * wide : 0);
    packed = bias + (a.x ? wide : 0);
    projected = kMaxRows * ld * 4;
    scratch = projected + (a.x ? kProjected * wide : 0);
  }
};

template <class T>
class Forward {
 public:
  using V = vec<T>;
  static constexpr int W = width<T>;

  explicit Forward(const RnnArgs& args)
      : a_(args),
        s_(args.s),
        hidden_(s_.hidden),
        gates_(gates_of(s_.cell)),
        layout_(args),
        packed_(static_cast<T*>(s_.work)) {}

  void run() const {
    if (s_.u) pack(static_cast<const T*>(s_.u), hidden_, packed_);
    if (a_.x) {
      pack(static_cast<const T*>(a_.w), a_.features, packed_ + layout_.w);
      pack_bias();
    }
    parallel_for(tasks_of(s_.batch), 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) run_task(task);
    });
  }

 private:
  // The gates that a panel by gate holds; the others follow by column.
  int64_t by_gate() const {
    return s_.cell == RnnCell::simple ? 0 : s_.cell == RnnCell::gru_reset_first ? 2 : gates_;
  }
  int64_t padded() const { return round_up(hidden_, W); }
  Span gate_span(int64_t j) const { return {j * by_gate(), W * by_gate()}; }
  Span column_span(const Column<T>& panel) const {
    return {by_gate() * padded() + panel.from, panel.vectors * W};
  }

  // A matrix (rows,GH) in panels: panel (start, width) at rows * start.
  void pack(const T* m, int64_t rows, T* to) const {
    const int64_t wide = gates_ * hidden_, vectors = by_gate();
    if (vectors)
      parallel_for(blocks_of(hidden_, W), 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p)
          pack_gates(m, wide, rows, hidden_, vectors, p, to + rows * gate_span(p * W).start);
      });
    if (vectors == gates_) return;
    parallel_for(column_panels<T>(hidden_), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const Column<T> panel(p, hidden_);
        const Span span = column_span(panel);
        copy_rows(m + vectors * hidden_ + panel.from, wide, rows, panel.to - panel.from,
                  to + rows * span.start, span.width);
      }
    });
  }
  void pack_bias() const {
    T* const to = packed_ + layout_.bias;
    if (a_.input_bias)
      pack(static_cast<const T*>(a_.input_bias), 1, to);
    else
      __builtin_memset(to, 0, static_cast<size_t>(gates_ * padded()) * sizeof(T));
  }

  struct Task {
    int64_t row, rows;
    T *h, *next, *c, *extra[2];
    bool zero;  // h is zero: its product need not be taken
    Place<T> place;
    int64_t ahead;       // from this step to the next
    T* projected;        // z from step `first` on, `ready` of them: panel by panel, (rows, ready, width) each
    int64_t first, ready;
    const bool* mask;  // of the first row at this step
  };

  void run_task(int64_t index) const {
    const int64_t ld = layout_.ld, block = kMaxRows * ld;
    T* const scratch = packed_ + layout_.packed + index * layout_.scratch;
    Task t{};
    t.row = task_begin(s_.batch, index);
    t.rows = task_begin(s_.batch, index + 1) - t.row;
    t.h = scratch;
    t.next = scratch + block;
    t.c = t.extra[0] = scratch + 2 * block;
    t.extra[1] = scratch + 3 * block;
    t.projected = scratch + layout_.projected;
    t.place = {t.row, s_.steps, 0};
    const bool lstm = s_.cell == RnnCell::lstm;
    load_state(in<T>(s_.h, t.row * hidden_), hidden_, t.rows, t.h, ld);
    if (lstm) load_state(in<T>(s_.c, t.row * hidden_), hidden_, t.rows, t.c, ld);
    const int64_t chunk = larger(1, kProjected / t.rows);
    for (int64_t step = 0; step < s_.steps; ++step) {
      t.place.t = s_.reverse ? s_.steps - 1 - step : step;
      t.ahead = step + 1 == s_.steps ? 0 : s_.reverse ? -1 : 1;
      t.zero = !s_.u || (step == 0 && !s_.h);
      t.mask = s_.mask ? s_.mask + t.row * s_.steps + t.place.t : nullptr;
      if (a_.x && step % chunk == 0) project(t, smaller(chunk, s_.steps - step));
      switch (s_.cell) {
        case RnnCell::simple: simple(t); break;
        case RnnCell::lstm: lstm_step(t); break;
        case RnnCell::gru: gru(t); break;
        case RnnCell::gru_reset_first: gru_reset_first(t); break;
      }
      T* const old = t.h;
      t.h = t.next;
      t.next = old;
    }
    store_state(t.h, ld, hidden_, t.rows, out<T>(a_.h_out, t.row * hidden_));
    if (lstm) store_state(t.c, ld, hidden_, t.rows, out<T>(a_.c_out, t.row * hidden_));
  }

  // z of this step and those after it, `steps` in all. The bias is added where z is read.
  void project(Task& t, int64_t steps) const {
    t.ready = steps;
    t.first = s_.reverse ? t.place.t - steps + 1 : t.place.t;
    for (int64_t j = 0; by_gate() && j < hidden_; j += W) project_panel(t, gate_span(j));
    for (int64_t p = 0; by_gate() < gates_ && p < column_panels<T>(hidden_); ++p)
      project_panel(t, column_span(Column<T>(p, hidden_)));
  }
  void project_panel(const Task& t, Span span) const {
    const T* const w = packed_ + layout_.w + a_.features * span.start;
    T* const to = t.projected + span.start * t.rows * t.ready;
    for (int64_t v = 0; v < span.width; v += kRnnPanel<T>) {
      const int64_t columns = smaller(kRnnPanel<T>, span.width - v);
      const int64_t depth = kPanelInFirst / (columns * int64_t{sizeof(T)});
      for (int64_t p = 0; p < a_.features; p += depth)
        for (int64_t r = 0; r < t.rows; ++r) {
          const T* const x =
              static_cast<const T*>(a_.x) + ((t.row + r) * s_.steps + t.first) * a_.features + p;
          tile_column(t.ready, columns, smaller(depth, a_.features - p), x, a_.features, false,
                      w + p * span.width + v, span.width, to + r * t.ready * span.width + v, span.width, p > 0);
        }
    }
  }
  // z of W units of a row: vector v of a panel, which is gate g of the units at j.
  template <class Part>
  PL_INLINE V z_at(const Task& t, int64_t r, Span span, int64_t v, int64_t g, int64_t j, Part part) const {
    if (!a_.x) return part.get(z(t, r) + g * hidden_ + j);
    const T* const from = t.projected + span.start * t.rows * t.ready +
                          (r * t.ready + t.place.t - t.first) * span.width + v * W;
    return load(from) + load(packed_ + layout_.bias + span.start + v * W);
  }

  // What the next step will touch is asked for while this one computes: the rows lie far apart, out of the prefetcher's
  // sight.
  PL_INLINE void fetch_next(const Task& t, int64_t j) const {
    if (t.ahead == 0) return;
    for (int64_t r = 0; r < t.rows; ++r) {
      const int64_t at = t.place.at(r) + t.ahead, state = at * hidden_ + j;
      for (int64_t g = 0; g < gates_; ++g) fetch_for_writing(out<T>(a_.z, (at * gates_ + g) * hidden_ + j));
      if (a_.y != a_.z) fetch_for_writing(out<T>(a_.y, state));
      if (a_.cells) fetch_for_writing(out<T>(a_.cells, state));
      if (a_.inner) fetch_for_writing(out<T>(a_.inner, state));
    }
  }

  bool live(const Task& t, int64_t r) const { return !t.mask || t.mask[r * s_.steps]; }
  T* z(const Task& t, int64_t r) const { return static_cast<T*>(a_.z) + t.place.at(r) * gates_ * hidden_; }
  T* y(const Task& t, int64_t r) const { return static_cast<T*>(a_.y) + t.place.at(r) * hidden_; }

  // The new state of W units of a row, or the old one where the row is masked.
  template <class Part>
  PL_INLINE void put_state(const Task& t, int64_t r, int64_t j, V h, Part part) const {
    const int64_t at = r * layout_.ld + j;
    if (!live(t, r)) h = load(t.h + at);
    store(t.next + at, h);
    part.put(y(t, r) + j, h);
  }

  void simple(const Task& t) const {
    alignas(64) T tile[kMaxRows * kRnnPanel<T>];
    for (int64_t p = 0; p < column_panels<T>(hidden_); ++p) {
      const Column<T> panel(p, hidden_);
      const Span span = column_span(panel);
      const int64_t n = span.width;
      each_vector<T>(panel.from, panel.to, [&](int64_t j, auto part) {
        fetch_next(t, j);
        for (int64_t r = 0; r < t.rows; ++r)
          store(tile + r * n + (j - panel.from), z_at(t, r, span, (j - panel.from) / W, 0, j, part));
      });
      if (!t.zero)
        multiply_panel(t.rows, hidden_, t.h, layout_.ld, packed_ + panel.from * hidden_, panel.vectors, tile,
                       n, true);
      activate_tile(s_.activation, tile, n, t.rows, panel.vectors);
      for (int64_t r = 0; r < t.rows; ++r)
        each_vector<T>(panel.from, panel.to, [&](int64_t j, auto part) {
          put_state(t, r, j, load(tile + r * n + (j - panel.from)), part);
        });
    }
  }

  void lstm_step(const Task& t) const {
    constexpr int G = 4;
    alignas(64) T tile[kMaxRows * G * W], act[kMaxRows * W];
    const int64_t H = hidden_;
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      const Span span = gate_span(j);
      fetch_next(t, j);
      for (int64_t r = 0; r < t.rows; ++r)
        for (int g = 0; g < G; ++g) store(tile + (r * G + g) * W, z_at(t, r, span, g, g, j, part));
      if (!t.zero)
        multiply_panel(t.rows, H, t.h, layout_.ld, packed_ + j * H * G, G, tile, G * W, true);
      activate_tile(s_.recurrent, tile, G * W, t.rows, 2);
      activate_tile(s_.activation, tile + 2 * W, G * W, t.rows, 1);
      activate_tile(s_.recurrent, tile + 3 * W, G * W, t.rows, 1);
      for (int64_t r = 0; r < t.rows; ++r) {
        const T* const gate = tile + r * G * W;
        T* const cell = t.c + r * layout_.ld + j;
        V c = load(cell);
        if (live(t, r)) c = fma_(load(gate + W), c, load(gate) * load(gate + 2 * W));
        store(cell, c);
        store(act + r * W, c);
      }
      activate_tile(s_.activation, act, W, t.rows, 1);
      for (int64_t r = 0; r < t.rows; ++r) {
        const T* const gate = tile + r * G * W;
        put_state(t, r, j, load(gate + 3 * W) * load(act + r * W), part);
        if (!a_.keep) continue;
        for (int g = 0; g < G; ++g) part.put(z(t, r) + g * H + j, load(gate + g * W));
        part.put(static_cast<T*>(a_.cells) + t.place.at(r) * H + j, load(t.c + r * layout_.ld + j));
      }
    });
  }

  void gru(const Task& t) const {
    constexpr int G = 3;
    alignas(64) T tile[kMaxRows * G * W];
    const int64_t H = hidden_;
    const T* const bias = static_cast<const T*>(a_.bias);
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      const Span span = gate_span(j);
      fetch_next(t, j);
      V e[G] = {};
      if (bias)
        for (int g = 0; g < G; ++g) e[g] = part.get(bias + g * H + j);
      for (int64_t r = 0; r < t.rows; ++r) {
        T* const gate = tile + r * G * W;
        store(gate, z_at(t, r, span, 0, 0, j, part) + e[0]);
        store(gate + W, z_at(t, r, span, 1, 1, j, part) + e[1]);
        store(gate + 2 * W, e[2]);
      }
      if (!t.zero)
        multiply_panel(t.rows, H, t.h, layout_.ld, packed_ + j * H * G, G, tile, G * W, true);
      activate_tile(s_.recurrent, tile, G * W, t.rows, 2);
      for (int64_t r = 0; r < t.rows; ++r) {
        T* const gate = tile + r * G * W;
        const V inner = load(gate + 2 * W);
        if (a_.keep) part.put(static_cast<T*>(a_.inner) + t.place.at(r) * H + j, inner);
        store(gate + 2 * W, fma_(load(gate + W), inner, z_at(t, r, span, 2, 2, j, part)));
      }
      activate_tile(s_.activation, tile + 2 * W, G * W, t.rows, 1);
      for (int64_t r = 0; r < t.rows; ++r) {
        const T* const gate = tile + r * G * W;
        const V n = load(gate + 2 * W), h = load(t.h + r * layout_.ld + j);
        put_state(t, r, j, fma_(load(gate), h - n, n), part);
        if (!a_.keep) continue;
        for (int g = 0; g < G; ++g) part.put(z(t, r) + g * H + j, load(gate + g * W));
      }
    });
  }

  // The candidate needs the reset state of all units, so the gates of all come first.
  void gru_reset_first(const Task& t) const {
    alignas(64) T tile[kMaxRows * kRnnPanel<T>];
    static_assert(kPanelVectors >= 2);
    const int64_t H = hidden_, ld = layout_.ld;
    T *const update = t.extra[0], *const reset = t.extra[1];
    each_vector<T>(0, H, [&](int64_t j, auto part) {
      const Span span = gate_span(j);
      fetch_next(t, j);
      for (int64_t r = 0; r < t.rows; ++r)
        for (int g = 0; g < 2; ++g) store(tile + (r * 2 + g) * W, z_at(t, r, span, g, g, j, part));
      if (!t.zero) multiply_panel(t.rows, H, t.h, ld, packed_ + j * H * 2, 2, tile, 2 * W, true);
      activate_tile(s_.recurrent, tile, 2 * W, t.rows, 2);
      for (int64_t r = 0; r < t.rows; ++r) {
        const V u = load(tile + r * 2 * W), s = load(tile + (r * 2 + 1) * W);
        store(update + r * ld + j, u);
        store(reset + r * ld + j, s * load(t.h + r * ld + j));
        if (!a_.keep) continue;
        part.put(z(t, r) + j, u);
        part.put(z(t, r) + H + j, s);
      }
    });
    for (int64_t p = 0; p < column_panels<T>(H); ++p) {
      const Column<T> panel(p, H);
      const Span span = column_span(panel);
      const int64_t n = span.width;
      each_vector<T>(panel.from, panel.to, [&](int64_t j, auto part) {
        for (int64_t r = 0; r < t.rows; ++r)
          store(tile + r * n + (j - panel.from), z_at(t, r, span, (j - panel.from) / W, 2, j, part));
      });
      if (!t.zero)
        multiply_panel(t.rows, H, reset, ld, packed_ + layout_.candidate + panel.from * H, panel.vectors,
                       tile, n, true);
      activate_tile(s_.activation, tile, n, t.rows, panel.vectors);
      for (int64_t r = 0; r < t.rows; ++r)
        each_vector<T>(panel.from, panel.to, [&](int64_t j, auto part) {
          const V c = load(tile + r * n + (j - panel.from)), h = load(t.h + r * ld + j);
          put_state(t, r, j, fma_(load(update + r * ld + j), h - c, c), part);
          if (a_.keep) part.put(z(t, r) + 2 * H + j, c);
        });
    }
  }

  const RnnArgs& a_;
  const RnnShape& s_;
  int64_t hidden_, gates_;
  ForwardLayout<T> layout_;
  T* packed_;
};

}  // namespace
}  // namespace pl::PL_ISA
