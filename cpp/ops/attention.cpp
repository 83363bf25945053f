// Scaled dot-product attention (Vaswani et al. 2017). q, k and v are read where they lie as long as their last axis is
// contiguous, so that slices of one projection need no copies.
#include "ops/attention.h"

#include <cmath>
#include <limits>

#include "ops/common.h"
#include "ops/loss.h"
#include "ops/random.h"

namespace pl::ops {
namespace {

// The call, checked: what the kernel is told, and the tensors it reads.
struct Call {
  AttentionInputs in;
  Tensor q, k, v, mask;
};

Tensor readable(const Tensor& t) {
  const int last = t.ndim() - 1;
  return t.shape(last) <= 1 || t.strides()[last] == 1 ? t : copy(t);
}
AttentionOperand operand(const Tensor& t) {
  return {t.read(), t.strides()[0], t.strides()[1], t.strides()[2]};
}

Call check(const char* op, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  require_float(op, "q", q);
  require_same_dtype(op, "q", q, "k", k);
  require_same_dtype(op, "q", q, "v", v);
  for (auto [name, t] : {std::pair{"q", &q}, std::pair{"k", &k}, std::pair{"v", &v}})
    if (t->ndim() != 4)
      raise<ValueError>("[", op, "] argument '", name, "' must be (batch, length, heads, depth), not ",
                        t->shape());
  const int64_t batch = q.shape(0), heads = q.shape(2), kept = k.shape(2);
  if (k.shape(0) != batch || k.shape(3) != q.shape(3) || (kept == 0 ? heads != 0 : heads % kept != 0))
    raise<ValueError>("[", op, "] argument 'k' of shape ", k.shape(), " does not fit 'q' ", q.shape(),
                      ": batch and depth must agree, and its heads divide those of 'q'");
  if (v.shape(0) != batch || v.shape(1) != k.shape(1) || v.shape(2) != kept)
    raise<ValueError>("[", op, "] argument 'v' of shape ", v.shape(), " does not fit 'k' ", k.shape(),
                      ": all but the depth must agree");
  if (q.shape(3) < 1 || q.shape(3) > kMostAttentionDepth)
    raise<ValueError>("[", op, "] argument 'q' must have a depth of 1 to ", kMostAttentionDepth, ", not ",
                      q.shape(3));
  if (v.shape(3) < 1 || v.shape(3) > kMostAttentionDepth)
    raise<ValueError>("[", op, "] argument 'v' must have a depth of 1 to ", kMostAttentionDepth, ", not ",
                      v.shape(3));
  if (!(o.dropout >= 0 && o.dropout < 1))
    raise<ValueError>("[", op, "] argument 'dropout' must be in [0, 1), not ", o.dropout);
  if (o.scale && !std::isfinite(*o.scale))
    raise<ValueError>("[", op, "] argument 'scale' must be finite, not ", *o.scale);
  Call c{{}, q, k, v, {}};
  c.in.dtype = q.dtype();
  c.in.causal = o.is_causal;
  c.in.batch = batch;
  c.in.heads = heads;
  c.in.kv_heads = kept;
  c.in.queries = q.shape(1);
  c.in.keys = k.shape(1);
  c.in.depth = q.shape(3);
  c.in.value_depth = v.shape(3);
  c.in.scale = o.scale ? *o.scale : 1 / std::sqrt(static_cast<double>(q.shape(3)));
  c.in.dropout = o.dropout;
  if (o.mask) {
    const Shape full{batch, heads, c.in.queries, c.in.keys};
    if (o.mask->dtype() != DType::boolean && o.mask->dtype() != q.dtype())
      raise<TypeError>("[", op, "] argument 'mask' must be bool (true: seen) or ", dtype_name(q.dtype()),
                       " (added to the scores), not ", dtype_name(o.mask->dtype()));
    if (!broadcasts_to(o.mask->shape(), full))
      raise<ValueError>("[", op, "] argument 'mask' of shape ", o.mask->shape(),
                        " does not broadcast to (B, H, T, S) ", full);
    c.mask = *o.mask;
  }
  return c;
}

// The kernel's view of the operands; the tensors in `c` keep copies alive.
void read_operands(Call& c) {
  c.q = readable(c.q.detach());
  c.k = readable(c.k.detach());
  c.v = readable(c.v.detach());
  c.in.q = operand(c.q);
  c.in.k = operand(c.k);
  c.in.v = operand(c.v);
  if (!c.mask.defined()) return;
  const Shape full{c.in.batch, c.in.heads, c.in.queries, c.in.keys};
  Shape strides = broadcast_strides(c.mask.shape(), c.mask.strides(), full);
  if (c.in.keys > 1 && strides[3] != 0 && strides[3] != 1) {
    c.mask = copy(c.mask.detach());
    strides = broadcast_strides(c.mask.shape(), c.mask.strides(), full);
  }
  c.in.mask = c.mask.read();
  c.in.additive = c.mask.dtype() != DType::boolean;
  c.in.mask_b = strides[0];
  c.in.mask_h = strides[1];
  c.in.mask_t = strides[2];
  c.in.mask_s = c.in.keys > 1 ? strides[3] : 0;
}

double cost_of(const AttentionInputs& in) {
  return 0.02 * static_cast<double>(in.batch) * static_cast<double>(in.heads) *
         static_cast<double>(in.queries) * static_cast<double>(in.keys) *
         static_cast<double>(in.depth + in.value_depth) / (in.causal ? 2 : 1);
}

struct Forward {
  Tensor y, lse, drawn;
};
Forward forward(const char* op, Call& c, const AttentionOptions& o, const Tensor& y) {
  const AttentionInputs& in = c.in;
  Forward f{y, empty({in.batch, in.heads, in.queries}, in.dtype), {}};
  read_operands(c);
  AttentionArgs args{.in = in, .state = nullptr, .drawn = nullptr, .out = f.y.write(), .lse = f.lse.write()};
  if (in.dropout > 0) {
    f.drawn = empty({2}, DType::int64);
    args.state = generator_state(op, o.generator);
    args.drawn = static_cast<RngState*>(f.drawn.write());
  }
  launch(op, kernels().attention.attention, args, cost_of(in));
  return f;
}

struct Gradients {
  Tensor q, k, v;
};
Gradients backward(const char* op, Call& c, const Tensor& dy0, const Forward& f) {
  const AttentionInputs& in = c.in;
  Tensor dy = readable(dy0.detach());
  Gradients g{empty(c.q.shape(), in.dtype), empty(c.k.shape(), in.dtype), empty(c.v.shape(), in.dtype)};
  read_operands(c);
  Tensor work = empty({workspace_bytes("attention_workspace", kernels().attention.attention_workspace, in)},
                      DType::uint8);
  AttentionBackwardArgs args{.in = in,
                             .drawn = f.drawn.defined() ? f.drawn.read<RngState>() : nullptr,
                             .dout = operand(dy),
                             .out = f.y.read(),
                             .lse = f.lse.read(),
                             .dq = g.q.write(),
                             .dk = g.k.write(),
                             .dv = g.v.write(),
                             .work = work.write()};
  launch(op, kernels().attention.attention_backward, args, 2.5 * cost_of(in));
  return g;
}

// (B, S, G, D) as (B, H, S, D): every head beside the key head it shares.
Tensor by_head(const Tensor& t, int64_t heads) {
  Tensor x = transpose(t, Axes{0, 2, 1, 3});
  const int64_t kept = x.shape(1);
  if (kept == heads) return x;
  Tensor repeated = broadcast_to(expand_dims(x, 2), {x.shape(0), kept, heads / kept, x.shape(2), x.shape(3)});
  return reshape(repeated, {x.shape(0), heads, x.shape(2), x.shape(3)});
}

// With the probabilities in memory: for gradients of gradients, and of an additive mask.
Tensor composite(const Call& c, const AttentionOptions& o) {
  const AttentionInputs& in = c.in;
  const Shape full_shape{in.batch, in.heads, in.queries, in.keys};
  if (count(full_shape) == 0)
    return broadcast_to(sum(c.q, Axes{3}, true) * 0.0 + sum(c.k) * 0.0 + sum(c.v) * 0.0,
                        {in.batch, in.queries, in.heads, in.value_depth});
  Tensor scores = matmul(by_head(c.q, in.heads), swap_last(by_head(c.k, in.heads))) * in.scale;
  Tensor seen;  // bool, where there is something hidden
  const auto hide = [&seen](const Tensor& t) { seen = seen.defined() ? logical_and(seen, t) : t; };
  if (c.mask.defined() && c.mask.dtype() == DType::boolean) hide(c.mask);
  if (c.mask.defined() && c.mask.dtype() != DType::boolean) {
    hide(greater(c.mask.detach(), number(-std::numeric_limits<double>::infinity())));
    scores = scores + where(seen, c.mask, scalar(0.0, in.dtype));
  }
  if (in.causal) {
    Tensor ones = full({in.queries, in.keys}, 1, DType::int64);
    hide(greater_equal(cumsum(ones, 0), cumsum(ones, 1)));
  }
  // A finite number stands for -inf, whose row sums would be NaN; what it lets through is taken off behind.
  if (seen.defined()) scores = where(seen, scores, scalar(-1e30, in.dtype));
  Tensor p = softmax(scores, -1);
  if (seen.defined()) p = p * cast(seen, in.dtype);
  if (o.dropout > 0) p = dropout(p, o.dropout, o.generator);
  return transpose(matmul(p, by_head(c.v, in.heads)), Axes{0, 2, 1, 3});
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& o) {
  const char* op = "scaled_dot_product_attention";
  Call c = check(op, q, k, v, o);
  if (higher_order() || (o.mask && grad_enabled() && needs_grad(*o.mask))) return composite(c, o);
  Tensor y = result({c.in.batch, c.in.queries, c.in.heads, c.in.value_depth}, c.in.dtype);
  Forward f = forward(op, c, o, y);
  record(op, {q, k, v}, {y},
         [c, lse = f.lse, drawn = f.drawn, q = save(q), k = save(k), v = save(v),
          y = save_output(y)](Backward& b) {
           if (grad_enabled())
             raise<RuntimeError>(
                 "[scaled_dot_product_attention] second derivatives need the whole computation "
                 "inside the outer grad");
           Call again = c;
           again.q = b.get(q);
           again.k = b.get(k);
           again.v = b.get(v);
           Gradients g =
               backward("scaled_dot_product_attention_backward", again, b.grad(), {b.get(y), lse, drawn});
           if (b.wants(0)) b.set(0, g.q);
           if (b.wants(1)) b.set(1, g.k);
           if (b.wants(2)) b.set(2, g.v);
         });
  return y;
}

std::tuple<Tensor, Tensor, Tensor> scaled_dot_product_attention_backward(const Tensor& dy, const Tensor& q,
                                                                         const Tensor& k, const Tensor& v,
                                                                         const AttentionOptions& o) {
  const char* op = "scaled_dot_product_attention_backward";
  Call c = check(op, q, k, v, o);
  const Shape shape{c.in.batch, c.in.queries, c.in.heads, c.in.value_depth};
  if (!(dy.shape() == shape))
    raise<ValueError>("[", op, "] argument 'dy' has shape ", dy.shape(), ", expected ", shape);
  require_same_dtype(op, "dy", dy, "q", q);
  Forward f = forward(op, c, o, empty(shape, c.in.dtype));
  Gradients g = backward(op, c, dy, f);
  return {g.q, g.k, g.v};
}

}  // namespace pl::ops
