// Matrix products: NumPy's matmul, the fused dense layer, CSR times dense.
#include <algorithm>

#include "ops/common.h"

namespace pl::ops {
namespace {

constexpr double kFlopCost = 0.01;  // ns

// A stack of matrices as gemm takes it: rows unit-strided, or columns (then it is read transposed).
struct Matrix {
  Tensor t;  // keeps a copy alive
  bool trans;
  int64_t ld;
};

bool unit_rows(const Tensor& t) {  // (..., R, C) with C contiguous
  int n = t.ndim();
  return (t.shape()[n - 1] <= 1 || t.strides()[n - 1] == 1) &&
         (t.shape()[n - 2] <= 1 || t.strides()[n - 2] >= t.shape()[n - 1]);
}

Matrix as_matrix(const Tensor& t) {
  int n = t.ndim();
  auto ld = [](int64_t rows, int64_t stride, int64_t cols) {
    return rows <= 1 ? std::max<int64_t>(cols, 1) : stride;
  };
  if (unit_rows(t)) return {t, false, ld(t.shape()[n - 2], t.strides()[n - 2], t.shape()[n - 1])};
  Tensor s = swap_last(t.detach());
  if (unit_rows(s)) return {s, true, ld(s.shape()[n - 2], s.strides()[n - 2], s.shape()[n - 1])};
  Tensor c = copy(t.detach());
  return {c, false, std::max<int64_t>(c.shape()[n - 1], 1)};
}

// One batch stride for all leading dimensions, if there is one.
bool batch_stride(const Shape& batch, const Tensor& t, int64_t& stride) {
  int lead = t.ndim() - 2;
  Shape shape, strides;
  for (int i = 0; i < lead; ++i) {
    shape.push_back(t.shape()[i]);
    strides.push_back(t.strides()[i]);
  }
  Shape b = broadcast_strides(shape, strides, batch);
  int64_t size = 1;
  bool first = true;
  stride = 0;
  for (int i = batch.ndim() - 1; i >= 0; --i) {
    if (batch[i] == 1) continue;
    if (first)
      stride = b[i];
    else if (b[i] != stride * size)
      return false;
    first = false;
    size *= batch[i];
  }
  return true;
}

Shape leading(const Shape& s) {
  Shape out = s;
  out.resize(s.ndim() - 2);
  return out;
}

}  // namespace

namespace {

using GemmFn = void (*)(Stream, const GemmArgs&);
using GemmWorkspaceFn = int64_t (*)(const GemmArgs&);

// a (..., M, K), b (..., K, N), both of one dtype and at least two-dimensional.
Tensor product(const char* name, GemmFn gemm, GemmWorkspaceFn workspace, const Tensor& a, const Tensor& b,
               const OptTensor& bias, Activation activation, const Tensor& into, const OptTensor& residual,
               bool symmetric = false) {
  int64_t m = a.shape(-2), k = a.shape(-1), n = b.shape(-1);
  Shape batch = broadcast_shapes("matmul", leading(a.shape()), leading(b.shape()));
  Shape shape = batch;
  shape.push_back(m);
  shape.push_back(n);
  Tensor y = into.defined() ? into : result(shape, a.dtype());
  if (y.size() == 0) return y;
  Matrix x = as_matrix(a), z = as_matrix(b);
  int64_t sa, sb;
  auto spread = [&](Matrix& t, int64_t& s) {
    if (batch_stride(batch, t.t, s)) return;
    Shape full = batch;
    full.push_back(t.t.shape(-2));
    full.push_back(t.t.shape(-1));
    t.t = copy(broadcast_to(t.t.detach(), full));
    t.ld = std::max<int64_t>(t.t.shape(-1), 1);
    batch_stride(batch, t.t, s);
  };
  spread(x, sa);
  spread(z, sb);
  GemmArgs args{.dtype = a.dtype(),
                .trans_a = x.trans,
                .trans_b = z.trans,
                .accumulate = false,
                .symmetric = symmetric,
                .activation = activation,
                .m = m,
                .n = n,
                .k = k,
                .lda = x.ld,
                .ldb = z.ld,
                .ldc = n,
                .batch = count(batch),
                .batch_a = sa,
                .batch_b = sb,
                .batch_c = m * n,
                .a = x.t.read(),
                .b = z.t.read(),
                .bias = bias ? bias->read() : nullptr,
                .residual = residual ? residual->read() : nullptr,
                .c = y.write(),
                .work = nullptr};
  if (!symmetric && args.batch_b == 0 && args.batch > 1 && !args.trans_a && (sa == m * x.ld || m == 1) &&
      args.lda >= k && (m > 1 || sa >= k)) {  // one matrix for the whole batch: one tall product
    args.lda = m == 1 ? sa : x.ld;
    args.m *= args.batch;
    args.batch = 1;
  }
  int64_t bytes = workspace_bytes(name, workspace, args);
  Tensor work;
  if (bytes > 0) {
    work = empty({bytes}, DType::uint8);
    args.work = work.write();
  }
  double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) *
                 static_cast<double>(count(batch));
  launch(name, gemm, args, kFlopCost * flops + 0.3 * static_cast<double>(y.size()));
  return y;
}

}  // namespace

Tensor gemm(const Tensor& a, const Tensor& b, const OptTensor& bias, Activation activation,
            const Tensor& into, const OptTensor& residual) {
  const LinalgKernels& k = kernels().linalg;
  return product("gemm", k.gemm, k.gemm_workspace, a, b, bias, activation, into, residual);
}

namespace {

void check_product(const char* op, const char* second, const Tensor& a, const Tensor& b) {
  if (a.ndim() == 0 || b.ndim() == 0)
    raise<ValueError>("[", op, "] argument '", a.ndim() == 0 ? "x1" : second,
                      "' has no dimensions: use multiply for numbers");
  int64_t ka = a.shape(-1), kb = b.ndim() == 1 ? b.shape(0) : b.shape(-2);
  if (ka != kb)
    raise<ValueError>("[", op, "] inner sizes of 'x1' and '", second, "' differ: ", a.shape(), " @ ",
                      b.shape());
}

// dA = dY B', dB = A' dY, summed over broadcast batch dimensions; written to the destination when there is one.
Tensor product_into(const Tensor& a, const Tensor& b, const Tensor& destination) {
  if (destination.defined() && a.ndim() == 2 && b.ndim() == 2 && destination.is_contiguous() &&
      destination.dtype() == a.dtype())
    return gemm(a, b, {}, Activation::none, destination);
  return matmul(a, b);
}

}  // namespace

namespace {

// y = x1 x2 by `multiply`, which takes matrices; vectors get their missing dimension for the while.
template <class Multiply>
Tensor with_vectors(const Tensor& a, const Tensor& b, const Multiply& multiply) {
  if (a.ndim() > 1 && b.ndim() > 1) return multiply(a, b);
  Tensor y = multiply(a.ndim() == 1 ? expand_dims(a, 0) : a, b.ndim() == 1 ? expand_dims(b, 1) : b);
  Shape shape = y.shape();
  if (b.ndim() == 1) shape.erase(shape.ndim() - 1);
  if (a.ndim() == 1) shape.erase(shape.ndim() - (b.ndim() == 1 ? 1 : 2));
  return reshape(y, shape);
}

Tensor matrices(const Tensor& a, const Tensor& b) {
  Tensor y = gemm(a, b, {}, Activation::none, {});
  record("matmul", {a, b}, {y}, [a = save(a), b = save(b)](Backward& bw) {
    const Tensor& g = bw.grad();
    if (bw.wants(0)) bw.set(0, product_into(g, swap_last(bw.get(b)), bw.destination(0)));
    if (bw.wants(1)) bw.set(1, product_into(swap_last(bw.get(a)), g, bw.destination(1)));
  });
  return y;
}

Tensor matrices_bf16(const Tensor& a, const Tensor& b) {
  const Bf16Kernels& k = kernels().bf16;
  Tensor y = product("gemm_bf16", k.gemm, k.gemm_workspace, a, b, {}, Activation::none, {}, {});
  record("matmul_bf16", {a, b}, {y}, [a = save(a), b = save(b)](Backward& bw) {
    const Tensor& g = bw.grad();
    if (bw.wants(0)) bw.set(0, matmul_bf16(g, swap_last(bw.get(b))));
    if (bw.wants(1)) bw.set(1, matmul_bf16(swap_last(bw.get(a)), g));
  });
  return y;
}

}  // namespace

Tensor matmul(const Tensor& x1, const Tensor& x2) {
  check_product("matmul", "x2", x1, x2);
  DType dtype = promote(x1, x2);
  return with_vectors(cast(x1, dtype), cast(x2, dtype), matrices);
}

Tensor matmul_bf16(const Tensor& x1, const Tensor& x2) {
  check_product("matmul_bf16", "x2", x1, x2);
  const auto check = [](const char* name, const Tensor& x) {
    if (x.dtype() != DType::float32)
      raise<TypeError>("[matmul_bf16] argument '", name, "' must be float32, not ", dtype_name(x.dtype()));
  };
  check("x1", x1);
  check("x2", x2);
  return with_vectors(x1, x2, matrices_bf16);
}

Tensor gram(const Tensor& x) {
  require_float("gram", "x", x);
  if (x.ndim() < 2)
    raise<ValueError>("[gram] argument 'x' must have at least two dimensions, not ", x.shape());
  const LinalgKernels& k = kernels().linalg;
  Tensor y = product("gemm", k.gemm, k.gemm_workspace, swap_last(x), x, {}, Activation::none, {}, {}, true);
  record("gram", {x}, {y}, [x = save(x)](Backward& bw) {
    const Tensor& g = bw.grad();
    bw.set(0, matmul(bw.get(x), g + swap_last(g)));
  });
  return y;
}

std::tuple<Tensor, Tensor> matmul_backward(const Tensor& dy, const Tensor& x1, const Tensor& x2) {
  if (x1.ndim() < 2 || x2.ndim() < 2)
    raise<ValueError>("[matmul_backward] arguments 'x1' and 'x2' must have at least two dimensions, not ",
                      x1.shape(), " and ", x2.shape());
  check_product("matmul_backward", "x2", x1, x2);
  require_same_dtype("matmul_backward", "dy", dy, "x1", x1);
  require_same_dtype("matmul_backward", "x1", x1, "x2", x2);
  Shape shape = broadcast_shapes("matmul_backward", leading(x1.shape()), leading(x2.shape()));
  shape.push_back(x1.shape(-2));
  shape.push_back(x2.shape(-1));
  if (!(dy.shape() == shape))
    raise<ValueError>("[matmul_backward] argument 'dy' has shape ", dy.shape(), ", the product ", shape);
  return {sum_to(matmul(dy, swap_last(x2)), x1.shape()), sum_to(matmul(swap_last(x1), dy), x2.shape())};
}

namespace {

// dz = dy act'(y) with its column sums, when db is wanted; written into `place` when it fits.
std::pair<Tensor, Tensor> slope(const Tensor& dy0, const Tensor& y, Activation activation, bool bias,
                                const Tensor& place) {
  Tensor dy = contiguous(dy0);
  const int64_t cols = dy.shape(-1), rows = count(dy.shape()) / std::max<int64_t>(cols, 1);
  Tensor dz = activation == Activation::none ? dy : empty(dy.shape(), dy.dtype()), db;
  if (bias) {
    const bool fits =
        place.defined() && place.is_contiguous() && place.dtype() == dy.dtype() && place.size() == cols;
    db = fits ? place : empty({cols}, dy.dtype());
  }
  SlopeArgs args{.dtype = dy.dtype(),
                 .activation = activation,
                 .rows = rows,
                 .cols = cols,
                 .dy = dy.read(),
                 .y = activation == Activation::none ? nullptr : y.read(),
                 .dz = activation == Activation::none ? nullptr : dz.write(),
                 .db = bias ? db.write() : nullptr,
                 .work = nullptr};
  if (!args.dz && !args.db) return {dz, db};
  Tensor work;
  if (const int64_t bytes = workspace_bytes("slope_workspace", kernels().linalg.slope_workspace, args)) {
    work = empty({bytes}, DType::uint8);
    args.work = work.write();
  }
  launch("slope", kernels().linalg.slope, args, 0.3 * static_cast<double>(dy.size()));
  return {dz, db};
}

// x (..., in) as a matrix; what an empty array leaves open is told by `rows`.
Tensor as_rows(const Tensor& x, int64_t rows, int64_t columns) {
  if (x.ndim() == 2) return x;
  return columns == 0 ? empty({rows, 0}, x.dtype()) : reshape(x, {rows, columns});
}

}  // namespace

Tensor linear(const Tensor& x0, const Tensor& w0, const OptTensor& b0, Activation activation,
              const OptTensor& residual0) {
  if (w0.ndim() != 2) raise<ValueError>("[linear] argument 'w' must be (in, out), not ", w0.shape());
  if (x0.ndim() == 0 || x0.shape(-1) != w0.shape(0))
    raise<ValueError>("[linear] argument 'x' of shape ", x0.shape(), " does not end in the ", w0.shape(0),
                      " inputs of 'w' ", w0.shape());
  if (b0 && !(b0->shape() == Shape{w0.shape(1)}))
    raise<ValueError>("[linear] argument 'b' has shape ", b0->shape(), ", expected ", Shape{w0.shape(1)});
  Shape shape = x0.shape();
  shape[shape.ndim() - 1] = w0.shape(1);
  if (residual0 && !(residual0->shape() == shape))
    raise<ValueError>("[linear] argument 'residual' has shape ", residual0->shape(), ", the product ", shape);
  DType dtype = promote(x0, w0);
  if (b0) dtype = promote(dtype, b0->dtype());
  if (residual0) dtype = promote(dtype, residual0->dtype());
  if (!is_float(dtype)) dtype = DType::float64;
  Tensor x = cast(x0, dtype), w = cast(w0, dtype);
  OptTensor b, residual;
  if (b0) b = contiguous(cast(*b0, dtype));
  if (residual0) residual = contiguous(cast(*residual0, dtype));
  const auto plain = [](const OptTensor& t) { return t ? OptTensor(t->detach()) : t; };
  if (higher_order() && (slope_needs_input(activation) || residual)) {
    Tensor z = linear(x, w, b, Activation::none);
    return activate(residual ? z + *residual : z, activation);
  }
  // An activation whose slope needs its input is applied apart while gradients are recorded: both are kept.
  const bool apart =
      slope_needs_input(activation) && grad_enabled() &&
      (needs_grad(x) || needs_grad(w) || (b && needs_grad(*b)) || (residual && needs_grad(*residual)));
  Shape lead = shape;
  lead.resize(lead.ndim() - 1);
  Tensor z = gemm(as_rows(x.detach(), count(lead), w.shape(0)), w.detach(), plain(b),
                  apart ? Activation::none : activation, {}, plain(residual));
  if (x.ndim() != 2) z = reshape(z, shape);
  Tensor y = apart ? activate(z.detach(), activation) : z;
  record("linear", {x, w, b.value_or(Tensor()), residual.value_or(Tensor())}, {y},
         [x = save(x), w = save(w), y = apart ? save(z.detach()) : save_output(y), activation](Backward& bw) {
           const Tensor &g = bw.grad(), kept = bw.get(y);
           Tensor dz, db;
           if (grad_enabled() && (needs_grad(g) || needs_grad(kept))) {
             dz = activation_grad(g, kept, activation);
             if (bw.wants(2)) db = sum(dz.ndim() == 2 ? dz : reshape(dz, {-1, dz.shape(-1)}), Axes{0});
           } else {
             std::tie(dz, db) = slope(g, kept, activation, bw.wants(2), bw.destination(2));
           }
           Tensor xs = bw.get(x), ws = bw.get(w);
           if (bw.wants(0)) bw.set(0, matmul(dz, swap_last(ws)));
           if (bw.wants(3)) bw.set(3, dz);
           if (bw.wants(2)) bw.set(2, db);
           if (!bw.wants(1)) return;
           if (dz.ndim() != 2) {
             const int64_t n = count(dz.shape()) / std::max<int64_t>(dz.shape(-1), 1);
             xs = as_rows(xs, n, xs.shape(-1));
             dz = as_rows(dz, n, dz.shape(-1));
           }
           bw.set(1, product_into(swap_last(xs), dz, bw.destination(1)));
         });
  return y;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> linear_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                           const Tensor& y, Activation activation) {
  const char* op = "linear_backward";
  require_float(op, "dy", dy);
  require_same_dtype(op, "x", x, "dy", dy);
  require_same_dtype(op, "w", w, "dy", dy);
  require_same_dtype(op, "y", y, "dy", dy);
  if (w.ndim() != 2) raise<ValueError>("[", op, "] argument 'w' must be (in, out), not ", w.shape());
  if (x.ndim() == 0 || x.shape(-1) != w.shape(0))
    raise<ValueError>("[", op, "] argument 'x' of shape ", x.shape(), " does not end in the ", w.shape(0),
                      " inputs of 'w' ", w.shape());
  Shape shape = x.shape();
  shape[shape.ndim() - 1] = w.shape(1);
  if (!(dy.shape() == shape))
    raise<ValueError>("[", op, "] argument 'dy' has shape ", dy.shape(), ", expected ", shape);
  if (!(y.shape() == shape))
    raise<ValueError>("[", op, "] argument 'y' has shape ", y.shape(), ", expected ", shape);
  Shape lead = shape;
  lead.resize(lead.ndim() - 1);
  Tensor dz, db;
  if (grad_enabled() && (needs_grad(dy) || needs_grad(y) || needs_grad(x) || needs_grad(w))) {
    dz = activation_grad(dy, y, activation);
    db = sum(as_rows(dz, count(lead), w.shape(1)), Axes{0});
  } else {
    std::tie(dz, db) = slope(dy, contiguous(y), activation, true, {});
  }
  return {matmul(dz, swap_last(w)),
          matmul(swap_last(as_rows(x, count(lead), w.shape(0))), as_rows(dz, count(lead), w.shape(1))), db,
          dz};
}

Tensor csr_matmul(const Tensor& indptr, const Tensor& indices, const Tensor& values, int64_t n_rows,
                  int64_t n_cols, const Tensor& x, bool transpose) {
  int64_t inner = transpose ? n_rows : n_cols, outer = transpose ? n_cols : n_rows;
  if (x.ndim() != 2 || x.shape(0) != inner)
    raise<ValueError>("[csr_matmul] argument 'x' of shape ", x.shape(), " does not start with the ", inner,
                      " ", transpose ? "rows" : "columns", " of the sparse matrix");
  DType dtype = promote(values.dtype(), x.dtype());
  if (!is_float(dtype)) dtype = DType::float64;
  Tensor v = contiguous(cast(values, dtype)), z = contiguous(cast(x, dtype));
  Tensor y = result({outer, z.shape(1)}, dtype);
  CsrGemmArgs args{.dtype = dtype,
                   .transpose = transpose,
                   .rows = n_rows,
                   .cols = n_cols,
                   .n = z.shape(1),
                   .indptr = indptr.read<int64_t>(),
                   .indices = indices.read<int64_t>(),
                   .values = v.read(),
                   .x = z.read(),
                   .y = y.write()};
  launch("csr_gemm", kernels().linalg.csr_gemm, args,
         static_cast<double>(v.size()) * static_cast<double>(z.shape(1)) * 0.5);
  record("csr_matmul", {z}, {y}, [=](Backward& b) {
    b.set(0, csr_matmul(indptr, indices, values, n_rows, n_cols, b.grad(), !transpose));
  });
  return y;
}

}  // namespace pl::ops
