// Recurrences: one product with all of the input, the fused kernel for the steps, and for the backward pass one product
// a weight over all steps.
#include "ops/rnn.h"

#include <array>
#include <utility>

#include "ops/rnn_steps.h"

namespace pl::ops {
namespace {

enum Input { kX, kW, kU, kB, kH, kC, kInputs };

struct Wanted {
  std::array<bool, kInputs> is{};
  std::array<Tensor, kInputs> place{};  // where the gradient shall be written; undefined: anywhere
};

// What the forward pass leaves for the backward pass.
struct Kept {
  Tensor gates, cells, inner;
};

void expect(const char* op, const char* name, const Tensor& t, const Shape& shape) {
  if (!(t.shape() == shape))
    raise<ValueError>("[", op, "] argument '", name, "' has shape ", t.shape(), ", expected ", shape);
}

// `step`: x is (batch, features), a single step.
void check(const Recurrence& r, const RnnInputs& in, bool step = false) {
  const char* op = r.op;
  const int64_t gates = gates_of(r.cell);
  require_float(op, "x", in.x);
  require_same_dtype(op, "x", in.x, "w", in.w);
  require_same_dtype(op, "x", in.x, "u", in.u);
  for (auto [name, t] : {std::pair{"b", &in.b}, std::pair{"h", &in.h}, std::pair{"c", &in.c}})
    if (*t) require_same_dtype(op, "x", in.x, name, **t);
  if (in.x.ndim() != (step ? 2 : 3))
    raise<ValueError>("[", op, "] argument 'x' must be (batch, ", step ? "" : "steps, ", "features), not ",
                      in.x.shape());
  if (in.u.ndim() != 2)
    raise<ValueError>("[", op, "] argument 'u' must be (H, ", gates, " H), not ", in.u.shape());
  const int64_t batch = in.x.shape(0), hidden = in.u.shape(0);
  int64_t wide;
  if (__builtin_mul_overflow(hidden, gates, &wide)) raise<ValueError>("[", op, "] argument 'u' is too large");
  expect(op, "u", in.u, {hidden, wide});
  expect(op, "w", in.w, {in.x.shape(-1), wide});
  if (in.b) expect(op, "b", *in.b, r.cell == RnnCell::gru ? Shape{2, wide} : Shape{wide});
  if (in.h) expect(op, "h", *in.h, {batch, hidden});
  if (in.c) expect(op, "c", *in.c, {batch, hidden});
  if (!in.mask) return;
  if (in.mask->dtype() != DType::boolean)
    raise<TypeError>("[", op, "] argument 'mask' must be bool, not ", dtype_name(in.mask->dtype()));
  expect(op, "mask", *in.mask, {batch, in.x.shape(1)});
}

const void* read(const OptTensor& t) { return t ? t->read() : nullptr; }
const void* read(const Tensor& t) { return t.defined() ? t.read() : nullptr; }
void* write(const Tensor& t) { return t.defined() ? t.write() : nullptr; }

// Contiguous and without history: what the kernels are given.
Tensor plain(const Tensor& t) { return contiguous(t.detach()); }
OptTensor plain(const OptTensor& t) { return t ? OptTensor(plain(*t)) : t; }
RnnInputs plain(const RnnInputs& in) {
  return {plain(in.x), plain(in.w), plain(in.u), plain(in.b), plain(in.h), plain(in.c), plain(in.mask)};
}

Tensor rows_of(const Tensor& x, int64_t columns) { return reshape(x, {x.shape(0) * x.shape(1), columns}); }

RnnShape shape_of(const Recurrence& r, const RnnInputs& in) {
  return {.dtype = in.x.dtype(),
          .cell = r.cell,
          .activation = r.activation,
          .recurrent = r.recurrent,
          .reverse = r.reverse,
          .batch = in.x.shape(0),
          .steps = in.x.shape(1),
          .hidden = in.u.shape(0),
          .u = in.u.read(),
          .mask = static_cast<const bool*>(read(in.mask)),
          .h = read(in.h),
          .c = read(in.c),
          .work = nullptr};
}

double cost(const RnnShape& s) {
  const double values = static_cast<double>(s.batch * s.steps * s.hidden * gates_of(s.cell));
  return values * (0.02 * static_cast<double>(s.u ? s.hidden : 0) + 1.0);
}

const char* backward_name(RnnCell cell) {
  switch (cell) {
    case RnnCell::simple: return "simple_rnn_backward";
    case RnnCell::lstm: return "lstm_backward";
    default: return "gru_backward";
  }
}

Tensor workspace(int64_t bytes) { return empty({std::max<int64_t>(bytes, 1)}, DType::uint8); }

// y, h, c. `kept` null: nothing is left for a backward pass.
std::array<Tensor, 3> forward(const Recurrence& r, const RnnInputs& given, Kept* kept) {
  const RnnInputs in = plain(given);
  const DType dtype = in.x.dtype();
  const int64_t batch = in.x.shape(0), steps = in.x.shape(1), features = in.x.shape(2);
  const int64_t hidden = in.u.shape(0), wide = in.u.shape(1);
  const bool lstm = r.cell == RnnCell::lstm, reset_after = r.cell == RnnCell::gru;
  check_size(r.op, "x", {batch, steps, wide}, dtype);
  Tensor y = empty({batch, steps, hidden}, dtype), c;
  if (y.size() == 0) {  // no steps, or nothing in them
    const auto same = [&](const OptTensor& t) { return t ? copy(*t) : full({batch, hidden}, 0.0, dtype); };
    return {y, same(in.h), lstm ? same(in.c) : c};
  }
  Tensor h = empty({batch, hidden}, dtype);
  if (lstm) c = empty({batch, hidden}, dtype);
  const bool simple = r.cell == RnnCell::simple, project = projects_input(batch, steps, features);
  Tensor z;  // of which the kernel makes the gates
  if (!simple && (kept || !project)) z = empty({batch, steps, wide}, dtype);
  OptTensor bias = in.b;
  if (bias && reset_after) bias = in.b->view({wide}, {1});
  if (!project)
    gemm(reshape(in.x, {batch * steps, features}), in.w, bias, Activation::none,
         rows_of(simple ? y : z, wide));
  Kept own;
  if (kept) {
    own.gates = z;
    if (lstm) own.cells = empty(y.shape(), dtype);
    if (reset_after) own.inner = empty(y.shape(), dtype);
    *kept = own;
  }
  RnnArgs args{.s = shape_of(r, in),
               .keep = kept != nullptr,
               .features = features,
               .x = project ? in.x.read() : nullptr,
               .w = project ? in.w.read() : nullptr,
               .input_bias = project ? read(bias) : nullptr,
               .bias = nullptr,
               .z = simple && !project ? y.write() : write(z),
               .y = y.write(),
               .cells = write(own.cells),
               .inner = write(own.inner),
               .h_out = h.write(),
               .c_out = write(c)};
  if (in.b && reset_after) args.bias = in.b->view({wide}, {1}, wide).read();
  Tensor work = workspace(workspace_bytes("forward_workspace", kernels().rnn.forward_workspace, args));
  args.s.work = work.write();
  launch(r.op, kernels().rnn.forward, args, cost(args.s));
  return {y, h, c};
}

// Written to its place when there is one that fits.
Tensor placed(const Tensor& place, const Shape& shape, DType dtype) {
  const bool fits =
      place.defined() && place.is_contiguous() && place.dtype() == dtype && place.shape() == shape;
  return fits ? place : empty(shape, dtype);
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& place = {}) {
  return gemm(a, b, {}, Activation::none, placed(place, {a.shape(0), b.shape(1)}, a.dtype()));
}

// The gradients of the inputs that are wanted. dz is written over the gates.
std::array<Tensor, kInputs> backward(const Recurrence& r, const RnnInputs& given, const Tensor& y0, Kept kept,
                                     const std::array<Tensor, 3>& grads, const Wanted& want) {
  const RnnInputs in = plain(given);
  const DType dtype = in.x.dtype();
  const int64_t batch = in.x.shape(0), steps = in.x.shape(1), features = in.x.shape(2);
  const int64_t hidden = in.u.shape(0), wide = in.u.shape(1), rows = batch * steps;
  const bool lstm = r.cell == RnnCell::lstm, reset_after = r.cell == RnnCell::gru;
  const bool reset_first = r.cell == RnnCell::gru_reset_first;
  const Shape bias_shape = reset_after ? Shape{2, wide} : Shape{wide};
  std::array<Tensor, 3> g;
  for (size_t i = 0; i < g.size(); ++i)
    if (grads[i].defined()) g[i] = plain(grads[i]);

  std::array<Tensor, kInputs> d;
  if (rows * hidden == 0) {
    const Shape shapes[] = {in.x.shape(), in.w.shape(),    in.u.shape(),
                            bias_shape,   {batch, hidden}, {batch, hidden}};
    for (int i = 0; i < kInputs; ++i)
      if (want.is[i]) d[i] = full(shapes[i], 0.0, dtype);
    if (want.is[kH] && g[1].defined()) d[kH] = g[1];
    if (want.is[kC] && g[2].defined()) d[kC] = g[2];
    return d;
  }

  const Tensor y = plain(y0);
  Tensor dz = kept.gates.defined() ? rows_of(kept.gates, wide) : empty({rows, wide}, dtype);
  Tensor dzu, before, reset;
  if (reset_after) dzu = empty({rows, wide}, dtype);
  if (want.is[kU]) {
    before = empty({rows, hidden}, dtype);
    if (reset_first) reset = empty({rows, hidden}, dtype);
  }
  if (want.is[kB]) d[kB] = placed(want.place[kB], bias_shape, dtype);
  if (want.is[kH]) d[kH] = empty({batch, hidden}, dtype);
  if (want.is[kC]) d[kC] = empty({batch, hidden}, dtype);
  RnnBackwardArgs args{.s = shape_of(r, in),
                       .gates = read(kept.gates),
                       .y = y.read(),
                       .cells = read(kept.cells),
                       .inner = read(kept.inner),
                       .dy = read(g[0]),
                       .dh = read(g[1]),
                       .dc = lstm ? read(g[2]) : nullptr,
                       .dz = dz.write(),  // after the reading of gates: the same memory
                       .dzu = write(dzu),
                       .before = write(before),
                       .reset = write(reset),
                       .db = write(d[kB]),
                       .dbu = nullptr,
                       .dh_in = write(d[kH]),
                       .dc_in = write(d[kC])};
  if (want.is[kB] && reset_after) args.dbu = d[kB].view({wide}, {1}, wide).write();
  Tensor work = workspace(workspace_bytes("backward_workspace", kernels().rnn.backward_workspace, args));
  args.s.work = work.write();
  launch(backward_name(r.cell), kernels().rnn.backward, args, cost(args.s));

  if (want.is[kX]) d[kX] = reshape(product(dz, swap_last(in.w)), in.x.shape());
  if (want.is[kW]) d[kW] = product(swap_last(reshape(in.x, {rows, features})), dz, want.place[kW]);
  if (!want.is[kU]) return d;
  const Tensor turned = swap_last(before);
  if (!reset_first) {
    d[kU] = product(turned, reset_after ? dzu : dz, want.place[kU]);
    return d;
  }
  const auto gates = [&](int64_t from, int64_t to) { return slice(dz, {0, from}, {rows, to}, {1, 1}); };
  d[kU] = concatenate(
      {product(turned, gates(0, 2 * hidden)), product(swap_last(reset), gates(2 * hidden, wide))}, 1);
  return d;
}

[[noreturn]] void no_second(const char* op) {
  raise<RuntimeError>("[", op, "] second derivatives need the whole computation inside the outer grad");
}

std::array<Tensor, 3> run(const Recurrence& r, const RnnInputs& in) {
  check(r, in);
  if (higher_order()) return composite(r, in);
  const std::array<Tensor, kInputs> inputs{
      in.x, in.w, in.u, in.b.value_or(Tensor()), in.h.value_or(Tensor()), in.c.value_or(Tensor())};
  bool recording = false;
  for (const Tensor& t : inputs) recording = recording || (t.defined() && needs_grad(t));
  if (!recording) return forward(r, in, nullptr);
  Kept kept;
  const std::array<Tensor, 3> out = forward(r, in, &kept);
  std::array<Saved, kInputs> saved;
  for (int i = 0; i < kInputs; ++i)
    if (inputs[i].defined()) saved[i] = save(inputs[i]);
  std::vector<Tensor> outputs{out[0], out[1]};
  if (out[2].defined()) outputs.push_back(out[2]);
  record(r.op, std::vector<Tensor>(inputs.begin(), inputs.end()), outputs,
         [r, saved, y = save_output(out[0], 0), kept, used = false, mask = in.mask](Backward& b) mutable {
           if (grad_enabled()) no_second(r.op);
           const auto input = [&](int i) {
             return saved[i].tensor.defined() ? OptTensor(b.get(saved[i])) : OptTensor();
           };
           Wanted want;
           for (int i = 0; i < kInputs; ++i) {
             want.is[i] = b.wants(i);
             if (want.is[i]) want.place[i] = b.destination(i);
           }
           const RnnInputs given{*input(kX), *input(kW), *input(kU), input(kB), input(kH), input(kC), mask};
           if (used) forward(r, given, &kept);  // a second backward pass: the first one took what was kept
           used = true;
           const std::array<Tensor, kInputs> d =
               backward(r, given, b.get(y), std::exchange(kept, {}),
                        {b.grad(0), b.grad(1), r.cell == RnnCell::lstm ? b.grad(2) : Tensor()}, want);
           for (int i = 0; i < kInputs; ++i)
             if (want.is[i]) b.set(i, d[i]);
         });
  return out;
}

// The vjp as an op of its own: the forward pass again, then its backward.
std::vector<Tensor> run_backward(const Recurrence& r, const RnnInputs& in,
                                 const std::array<OptTensor, 3>& grads) {
  check(r, in);
  const int64_t batch = in.x.shape(0), hidden = in.u.shape(0);
  const char* names[] = {"dy", "dh", "dc"};
  const Shape shapes[] = {{batch, in.x.shape(1), hidden}, {batch, hidden}, {batch, hidden}};
  std::array<Tensor, 3> given;
  for (size_t i = 0; i < 3; ++i) {
    if (!grads[i]) continue;
    require_same_dtype(r.op, names[i], *grads[i], "x", in.x);
    expect(r.op, names[i], *grads[i], shapes[i]);
    given[i] = *grads[i];
  }
  Kept kept;
  const std::array<Tensor, 3> out = forward(r, in, &kept);
  const bool lstm = r.cell == RnnCell::lstm;
  const std::array<Tensor, kInputs> d =
      backward(r, in, out[0], kept, given, {{true, true, true, true, true, lstm}, {}});
  return {d.begin(), d.begin() + (lstm ? kInputs : kInputs - 1)};
}

RnnCell gru_kind(bool reset_after) { return reset_after ? RnnCell::gru : RnnCell::gru_reset_first; }

}  // namespace

std::tuple<Tensor, Tensor> simple_rnn(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                      const OptTensor& h, RnnActivation activation, const OptTensor& mask,
                                      bool reverse) {
  const auto [y, h_out, c] = run({"simple_rnn", RnnCell::simple, activation, RnnActivation::linear, reverse},
                                 {x, w, u, b, h, {}, mask});
  return {y, h_out};
}

std::tuple<Tensor, Tensor> gru(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                               const OptTensor& h, RnnActivation activation, RnnActivation recurrent,
                               bool reset_after, const OptTensor& mask, bool reverse) {
  const auto [y, h_out, c] =
      run({"gru", gru_kind(reset_after), activation, recurrent, reverse}, {x, w, u, b, h, {}, mask});
  return {y, h_out};
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                        const OptTensor& h, const OptTensor& c, RnnActivation activation,
                                        RnnActivation recurrent, const OptTensor& mask, bool reverse) {
  const auto [y, h_out, c_out] =
      run({"lstm", RnnCell::lstm, activation, recurrent, reverse}, {x, w, u, b, h, c, mask});
  return {y, h_out, c_out};
}

std::vector<Tensor> simple_rnn_backward(const OptTensor& dy, const OptTensor& dh, const Tensor& x,
                                        const Tensor& w, const Tensor& u, const OptTensor& b,
                                        const OptTensor& h, RnnActivation activation, const OptTensor& mask,
                                        bool reverse) {
  return run_backward({"simple_rnn_backward", RnnCell::simple, activation, RnnActivation::linear, reverse},
                      {x, w, u, b, h, {}, mask}, {dy, dh, {}});
}

std::vector<Tensor> gru_backward(const OptTensor& dy, const OptTensor& dh, const Tensor& x, const Tensor& w,
                                 const Tensor& u, const OptTensor& b, const OptTensor& h,
                                 RnnActivation activation, RnnActivation recurrent, bool reset_after,
                                 const OptTensor& mask, bool reverse) {
  return run_backward({"gru_backward", gru_kind(reset_after), activation, recurrent, reverse},
                      {x, w, u, b, h, {}, mask}, {dy, dh, {}});
}

std::vector<Tensor> lstm_backward(const OptTensor& dy, const OptTensor& dh, const OptTensor& dc,
                                  const Tensor& x, const Tensor& w, const Tensor& u, const OptTensor& b,
                                  const OptTensor& h, const OptTensor& c, RnnActivation activation,
                                  RnnActivation recurrent, const OptTensor& mask, bool reverse) {
  return run_backward({"lstm_backward", RnnCell::lstm, activation, recurrent, reverse},
                      {x, w, u, b, h, c, mask}, {dy, dh, dc});
}

// -- single steps ----------------------------------------------------------------------------------------------------

Tensor simple_rnn_cell(const Tensor& x, const Tensor& h, const Tensor& w, const Tensor& u, const OptTensor& b,
                       RnnActivation activation) {
  const Recurrence r{"simple_rnn_cell", RnnCell::simple, activation, RnnActivation::linear, false};
  check(r, {x, w, u, b, h, {}, {}}, true);
  return step(r, linear(x, w, b, Activation::none), u, {}, {h, {}}).h;
}

Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w, const Tensor& u, const OptTensor& b,
                RnnActivation activation, RnnActivation recurrent, bool reset_after) {
  const Recurrence r{"gru_cell", gru_kind(reset_after), activation, recurrent, false};
  check(r, {x, w, u, b, h, {}, {}}, true);
  return run(r, {expand_dims(x, 1), w, u, b, h, {}, {}})[1];
}

namespace {

// A step whose z holds the product of the state already, so that the kernel has pointwise work only.
struct Pointwise {
  Recurrence r;
  Tensor c;
  RnnShape shape() const {
    RnnShape s{};
    s.dtype = c.dtype();
    s.cell = RnnCell::lstm;
    s.activation = r.activation;
    s.recurrent = r.recurrent;
    s.batch = c.shape(0);
    s.steps = 1;
    s.hidden = c.shape(1);
    s.c = c.read();
    return s;
  }
};

// h, c; z becomes the activated gates.
std::tuple<Tensor, Tensor> pointwise_forward(const Pointwise& p, const Tensor& z) {
  Tensor h = empty(p.c.shape(), p.c.dtype()), c = empty(p.c.shape(), p.c.dtype());
  RnnArgs args{.s = p.shape(),
               .keep = true,
               .features = 0,
               .x = nullptr,
               .w = nullptr,
               .input_bias = nullptr,
               .bias = nullptr,
               .z = z.write(),
               .y = h.write(),  // of one step: what it leaves
               .cells = c.write(),
               .inner = nullptr,
               .h_out = nullptr,
               .c_out = nullptr};
  Tensor work = workspace(workspace_bytes("forward_workspace", kernels().rnn.forward_workspace, args));
  args.s.work = work.write();
  if (h.size()) launch("lstm_cell", kernels().rnn.forward, args, cost(args.s));
  return {h, c};
}

// dz, dc
std::tuple<Tensor, Tensor> pointwise_backward(const Pointwise& p, const Tensor& gates, const Tensor& c_out,
                                              const Tensor& dh, const Tensor& dc_out) {
  Tensor dz = empty(gates.shape(), gates.dtype()), dc = empty(p.c.shape(), p.c.dtype());
  RnnBackwardArgs args{.s = p.shape(),
                       .gates = gates.read(),
                       .y = nullptr,
                       .cells = c_out.read(),
                       .inner = nullptr,
                       .dy = nullptr,
                       .dh = read(dh),
                       .dc = read(dc_out),
                       .dz = dz.write(),
                       .dzu = nullptr,
                       .before = nullptr,
                       .reset = nullptr,
                       .db = nullptr,
                       .dbu = nullptr,
                       .dh_in = nullptr,
                       .dc_in = dc.write()};
  Tensor work = workspace(workspace_bytes("backward_workspace", kernels().rnn.backward_workspace, args));
  args.s.work = work.write();
  if (dz.size()) launch("lstm_cell_backward", kernels().rnn.backward, args, cost(args.s));
  return {dz, dc};
}

// x w + h u + b
Tensor gates_of_step(const RnnInputs& in) {
  const Tensor x = plain(in.x), h = plain(*in.h), w = plain(in.w), u = plain(in.u);
  const Tensor z = gemm(x, w, plain(in.b), Activation::none, empty({x.shape(0), w.shape(1)}, x.dtype()));
  if (z.size() == 0 || h.size() == 0) return z;
  GemmArgs args{};
  args.dtype = x.dtype();
  args.accumulate = true;
  args.m = z.shape(0);
  args.n = z.shape(1);
  args.k = h.shape(1);
  args.lda = args.k;
  args.ldb = args.ldc = args.n;
  args.batch = 1;
  args.a = h.read();
  args.b = u.read();
  args.c = z.write();
  const Tensor work = workspace(workspace_bytes("gemm_workspace", kernels().linalg.gemm_workspace, args));
  args.work = work.write();
  launch("gemm", kernels().linalg.gemm, args, 0.02 * static_cast<double>(args.m * args.n * args.k));
  return z;
}

}  // namespace

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w,
                                     const Tensor& u, const OptTensor& b, RnnActivation activation,
                                     RnnActivation recurrent) {
  const Recurrence r{"lstm_cell", RnnCell::lstm, activation, recurrent, false};
  check(r, {x, w, u, b, h, c, {}}, true);
  if (higher_order()) {
    const RnnState next = step(r, linear(x, w, b, Activation::none), u, {}, {h, c});
    return {next.h, next.c};
  }
  const Tensor gates = gates_of_step({x, w, u, b, h, c, {}});
  const auto [h_out, c_out] = pointwise_forward({r, plain(c)}, gates);
  record("lstm_cell", {x, w, u, b.value_or(Tensor()), h, c}, {h_out, c_out},
         [r, gates, x = save(x), w = save(w), u = save(u), h = save(h), c = save(c),
          c_out = save_output(c_out, 1)](Backward& back) {
           if (grad_enabled()) no_second(r.op);
           const auto row = [](const Tensor& t) { return t.defined() ? plain(t) : t; };
           const auto [dz, dc] = pointwise_backward({r, plain(back.get(c))}, gates, plain(back.get(c_out)),
                                                    row(back.grad(0)), row(back.grad(1)));
           if (back.wants(kX)) back.set(kX, product(dz, swap_last(plain(back.get(w)))));
           if (back.wants(kW)) back.set(kW, product(swap_last(plain(back.get(x))), dz, back.destination(kW)));
           if (back.wants(kU)) back.set(kU, product(swap_last(plain(back.get(h))), dz, back.destination(kU)));
           if (back.wants(kB)) back.set(kB, sum(dz, Axes{0}));
           if (back.wants(kH)) back.set(kH, product(dz, swap_last(plain(back.get(u)))));
           if (back.wants(kC)) back.set(kC, dc);
         });
  return {h_out, c_out};
}

std::vector<Tensor> lstm_cell_backward(const Tensor& dh_out, const Tensor& dc_out, const Tensor& x,
                                       const Tensor& h, const Tensor& c, const Tensor& w, const Tensor& u,
                                       const OptTensor& b, RnnActivation activation,
                                       RnnActivation recurrent) {
  const Recurrence r{"lstm_cell_backward", RnnCell::lstm, activation, recurrent, false};
  check(r, {x, w, u, b, h, c, {}}, true);
  for (auto [name, t] : {std::pair{"dh", &dh_out}, std::pair{"dc", &dc_out}}) {
    require_same_dtype(r.op, name, *t, "x", x);
    expect(r.op, name, *t, h.shape());
  }
  const Tensor z = gates_of_step({x, w, u, b, h, c, {}});
  const Pointwise p{r, plain(c)};
  const Tensor c_out = std::get<1>(pointwise_forward(p, z));
  const auto [dz, dc] = pointwise_backward(p, z, c_out, plain(dh_out), plain(dc_out));
  std::vector<Tensor> grads{matmul(dz, swap_last(w)), matmul(dz, swap_last(u)), dc, matmul(swap_last(x), dz),
                            matmul(swap_last(h), dz)};
  if (b) grads.push_back(sum(dz, Axes{0}));
  return grads;
}

}  // namespace pl::ops
