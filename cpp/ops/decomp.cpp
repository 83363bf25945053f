// Cholesky and LU, and what is solved with them. Gradients: Giles, "An extended collection of matrix derivative
// results" (2008); Murray, "Differentiation of the Cholesky decomposition" (2016). They are written in ops, so they
// can be differentiated again.
#include "ops/decomp_common.h"

namespace pl::ops {
namespace {

double cube(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

// -- Cholesky ----------------------------------------------------------------------------------------------------------

Tensor triangular(const char* op, const char* argument, const Tensor& a, const Tensor& b, bool lower,
                  bool trans, bool unit);

Tensor symmetric(const Tensor& x) { return (x + swap_last(x)) * 0.5; }

// A' = sym(L^-T phi(L' L_bar) L^-1), phi the lower triangle with half its diagonal
Tensor cholesky_gradient(const char* op, const Tensor& g, const Tensor& l) {
  Tensor x = matmul(swap_last(l), tril(g));
  Tensor phi = (tril(x) + tril(x, -1)) * 0.5;
  Tensor left = triangular(op, "a", l, phi, true, true, false);
  return symmetric(triangular(op, "a", l, swap_last(left), true, true, false));
}

Tensor cholesky_of(const char* op, const Tensor& a0, bool upper) {
  Tensor a = square_matrices(op, "a", a0);
  Tensor y = result(a.shape(), a.dtype());
  if (y.size() > 0) {
    Tensor c = contiguous(a.detach());
    StatusCheck check(op, "a");
    CholeskyArgs args{.dtype = a.dtype(),
                      .upper = upper,
                      .batch = count(stack_of(a)),
                      .n = a.shape(-1),
                      .a = c.read(),
                      .out = y.write(),
                      .work = nullptr,
                      .status = check.status()};
    launch_with_work("cholesky", kernels().decomp.cholesky, kernels().decomp.cholesky_workspace, args,
                     static_cast<double>(args.batch) * cube(args.n) / 3);
    check.check();
  }
  record(op, {a}, {y}, [op, upper, y = save_output(y)](Backward& b) {
    Tensor l = b.get(y), g = b.grad();
    b.set(0, upper ? cholesky_gradient(op, swap_last(g), swap_last(l)) : cholesky_gradient(op, g, l));
  });
  return y;
}

// -- triangular systems ------------------------------------------------------------------------------------------------

// One A for the whole stack, or as many as there are right sides.
Tensor spread(const Tensor& a, const Shape& stack) {
  if (count(stack_of(a)) == 1 || stack_of(a) == stack) return contiguous(a.detach());
  return contiguous(broadcast_to(a.detach(), with_matrix(stack, a.shape(-2), a.shape(-1))));
}

Tensor triangular(const char* op, const char* argument, const Tensor& a, const Tensor& b, bool lower,
                  bool trans, bool unit) {
  const Shape stack = broadcast_shapes(op, stack_of(a), stack_of(b));
  const int64_t n = a.shape(-1), columns = b.shape(-1);
  Tensor x = result(with_matrix(stack, n, columns), a.dtype());
  if (x.size() > 0) {
    Tensor matrix = spread(a, stack), right = contiguous(broadcast_to(b.detach(), x.shape()));
    StatusCheck check(op, argument);
    TriangularArgs args{.dtype = a.dtype(),
                        .lower = lower,
                        .trans = trans,
                        .unit = unit,
                        .batch = count(stack),
                        .n = n,
                        .columns = columns,
                        .batch_a = count(stack_of(matrix)) == 1 ? 0 : n * n,
                        .a = matrix.read(),
                        .b = right.read(),
                        .x = x.write(),
                        .work = nullptr,
                        .status = check.status()};
    launch_with_work("solve_triangular", kernels().decomp.triangular, kernels().decomp.triangular_workspace,
                     args, static_cast<double>(x.size()) * static_cast<double>(n));
    check.check();
  }
  record(op, {a, b}, {x}, [op, argument, a = save(a), x = save_output(x), lower, trans, unit](Backward& bw) {
    Tensor matrix = bw.get(a), solution = bw.get(x);
    Tensor db = triangular(op, argument, matrix, bw.grad(), lower, !trans, unit);
    if (bw.wants(1)) bw.set(1, db);
    if (!bw.wants(0)) return;
    Tensor da = trans ? matmul(solution, swap_last(db)) : matmul(db, swap_last(solution));
    const int64_t k = unit ? 1 : 0;
    bw.set(0, -(lower ? tril(da, -k) : triu(da, k)));
  });
  return x;
}

// -- LU ----------------------------------------------------------------------------------------------------------------

struct Factors {
  Tensor lu, pivots;
};

// `strict`: a zero pivot is an error.
Factors factor(const char* op, const Tensor& a, bool strict) {
  Factors f{empty(a.shape(), a.dtype()), empty(with_vector(stack_of(a), a.shape(-1)), DType::int32)};
  if (a.size() == 0) return f;
  Tensor c = contiguous(a.detach());
  const int64_t batch = count(stack_of(a)), n = a.shape(-1);
  const auto run = [&](Status* status) {
    LuArgs args{.dtype = a.dtype(),
                .batch = batch,
                .n = n,
                .a = c.read(),
                .lu = f.lu.write(),
                .pivots = static_cast<int32_t*>(f.pivots.write()),
                .work = nullptr,
                .status = status};
    launch_with_work("lu", kernels().decomp.lu, kernels().decomp.lu_workspace, args,
                     static_cast<double>(batch) * cube(n) * 2 / 3);
  };
  if (!strict) {
    run(nullptr);
    return f;
  }
  StatusCheck check(op, "a");
  run(check.status());
  check.check();
  return f;
}

void launch_lu_solve(const Factors& f, const Tensor* b, Tensor x, bool trans) {
  if (x.size() == 0) return;
  LuSolveArgs args{.dtype = x.dtype(),
                   .trans = trans,
                   .batch = count(stack_of(x)),
                   .n = x.shape(-2),
                   .columns = x.shape(-1),
                   .batch_lu = count(stack_of(f.lu)) == 1 ? 0 : 1,
                   .lu = f.lu.read(),
                   .pivots = f.pivots.read<int32_t>(),
                   .b = b ? b->read() : nullptr,
                   .x = x.write(),
                   .work = nullptr};
  launch_with_work("lu_solve", kernels().decomp.lu_solve, kernels().decomp.lu_solve_workspace, args,
                   2 * static_cast<double>(x.size()) * static_cast<double>(args.n));
}

// X of A X = B (or A' X = B) from A's factors. dB = A^-T dX, dA = -dB X'.
Tensor solve_factored(const Factors& f, const Tensor& a, const Tensor& b, bool trans) {
  const Shape stack = broadcast_shapes("solve", stack_of(a), stack_of(b));
  Tensor x = result(with_matrix(stack, a.shape(-1), b.shape(-1)), a.dtype());
  Factors g = f;
  if (count(stack_of(a)) != 1 && !(stack_of(a) == stack)) {
    g.lu = contiguous(broadcast_to(f.lu, with_matrix(stack, a.shape(-1), a.shape(-1))));
    g.pivots = contiguous(broadcast_to(f.pivots, with_vector(stack, a.shape(-1))));
  }
  Tensor right = contiguous(broadcast_to(b.detach(), x.shape()));
  launch_lu_solve(g, &right, x, trans);
  record("solve", {a, b}, {x}, [f, a = save(a), x = save_output(x), trans](Backward& bw) {
    Tensor matrix = bw.get(a), solution = bw.get(x);
    Tensor db = solve_factored(f, matrix, bw.grad(), !trans);
    if (bw.wants(1)) bw.set(1, db);
    if (bw.wants(0)) bw.set(0, -(trans ? matmul(solution, swap_last(db)) : matmul(db, swap_last(solution))));
  });
  return x;
}

Tensor inverse(const char* op, const Tensor& a) {
  Factors f = factor(op, a, true);
  Tensor y = result(a.shape(), a.dtype());
  launch_lu_solve(f, nullptr, y, false);
  record(op, {a}, {y}, [y = save_output(y)](Backward& b) {
    Tensor t = swap_last(b.get(y));
    b.set(0, -matmul(t, matmul(b.grad(), t)));
  });
  return y;
}

void launch_determinant(const Factors& f, Tensor* det, Tensor* sign, Tensor* logabs) {
  const Tensor& first = det ? *det : *sign;
  if (first.size() == 0) return;
  LuDeterminantArgs args{.dtype = f.lu.dtype(),
                         .batch = first.size(),
                         .n = f.lu.shape(-1),
                         .lu = f.lu.read(),
                         .pivots = f.pivots.read<int32_t>(),
                         .det = det ? det->write() : nullptr,
                         .sign = sign ? sign->write() : nullptr,
                         .logabs = logabs ? logabs->write() : nullptr};
  launch("lu_determinant", kernels().decomp.lu_determinant, args,
         20.0 * static_cast<double>(args.batch) * static_cast<double>(args.n));
}

Tensor per_matrix(const Tensor& x) { return expand_dims(expand_dims(x, -1), -1); }

}  // namespace

Tensor cholesky(const Tensor& a, bool upper) { return cholesky_of("cholesky", a, upper); }

Tensor logdet(const Tensor& a) {
  Tensor l = cholesky_of("logdet", a, false);
  return sum(log(diagonal(l)), Axes{-1}) * 2.0;
}

Tensor solve_triangular(const Tensor& a0, const Tensor& b0, bool lower, bool trans, bool unit_diagonal) {
  const char* op = "solve_triangular";
  Tensor a = square_matrices(op, "a", a0), b = as_float(b0);
  const DType dtype = promote(a.dtype(), b.dtype());
  a = cast(a, dtype);
  return solve_columns(op, a, cast(b, dtype), [&](const Tensor& m) {
    return triangular(op, "a", a, m, lower, trans, unit_diagonal);
  });
}

Tensor solve(const Tensor& a0, const Tensor& b0) {
  Tensor a = square_matrices("solve", "a", a0), b = as_float(b0);
  const DType dtype = promote(a.dtype(), b.dtype());
  a = cast(a, dtype);
  return solve_columns("solve", a, cast(b, dtype), [&](const Tensor& m) {
    broadcast_shapes("solve", stack_of(a), stack_of(m));
    return solve_factored(factor("solve", a, true), a, m, false);
  });
}

Tensor inv(const Tensor& a0) { return inverse("inv", square_matrices("inv", "a", a0)); }

Tensor det(const Tensor& a0) {
  Tensor a = square_matrices("det", "a", a0);
  Tensor y = result(stack_of(a), a.dtype());
  launch_determinant(factor("det", a, false), &y, nullptr, nullptr);
  record("det", {a}, {y}, [a = save(a), y = save_output(y)](Backward& b) {
    b.set(0, per_matrix(b.grad() * b.get(y)) * swap_last(inverse("det", b.get(a))));
  });
  return y;
}

std::tuple<Tensor, Tensor> slogdet(const Tensor& a0) {
  Tensor a = square_matrices("slogdet", "a", a0);
  Tensor sign = empty(stack_of(a), a.dtype()), logabs = empty(stack_of(a), a.dtype());
  launch_determinant(factor("slogdet", a, false), nullptr, &sign, &logabs);
  record("slogdet", {a}, {sign, logabs}, [a = save(a)](Backward& b) {
    if (b.grad(1).defined()) b.set(0, per_matrix(b.grad(1)) * swap_last(inverse("slogdet", b.get(a))));
  });
  return {sign, logabs};
}

}  // namespace pl::ops
