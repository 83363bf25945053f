// QR, symmetric eigenvalues, singular values, and least squares through them. Gradients: Walter and Lehmann,
// "Algorithmic differentiation of linear algebra functions" (2010) for QR; Giles, "An extended collection of matrix
// derivative results" (2008) for eigh and svd; Golub and Pereyra (1973) for the pseudo-inverse. They are written in
// ops, so they can be differentiated again.
#include <algorithm>
#include <limits>

#include "ops/decomp_common.h"

namespace pl::ops {
namespace {

Tensor scaled_columns(const Tensor& x, const Tensor& s) { return x * expand_dims(s, -2); }
Tensor scaled_rows(const Tensor& x, const Tensor& s) { return x * expand_dims(s, -1); }

// Columns [from, to).
Tensor columns_of(const Tensor& x, int64_t from, int64_t to) {
  Shape start, stop, step;
  for (int i = 0; i < x.ndim(); ++i) {
    const bool last = i + 1 == x.ndim();
    start.push_back(last ? from : 0);
    stop.push_back(last ? to : x.shape()[i]);
    step.push_back(1);
  }
  return slice(x, start, stop, step);
}

// 1 / (x_j - x_i) * (1 / (x_j + x_i) with `squares`), 0 where the difference is: equal values contribute nothing.
Tensor inverse_differences(const Tensor& x, bool squares) {
  Tensor row = expand_dims(x, -2), column = expand_dims(x, -1);
  Tensor difference = row - column;
  if (squares) difference = difference * (row + column);
  Tensor same = equal(difference, number(0));
  return where(same, number(0), reciprocal(where(same, number(1), difference)));
}

// For A (.., m, n) with m >= n: (Q_bar + Q copyltu(M)) R^-T, M = R R_bar' - Q_bar' Q.
Tensor qr_gradient(const Tensor& dq, const Tensor& dr, const Tensor& q, const Tensor& r) {
  Tensor m;
  if (dr.defined()) m = matmul(r, swap_last(triu(dr)));
  if (dq.defined()) {
    Tensor other = matmul(swap_last(dq), q);
    m = m.defined() ? m - other : -other;
  }
  Tensor x = matmul(q, tril(m) + swap_last(tril(m, -1)));
  if (dq.defined()) x = x + dq;
  return swap_last(solve_triangular(r, swap_last(x), false, false, false));
}

double rank_cutoff(const char* op, const Tensor& a, std::optional<double> rcond) {
  if (rcond && !(*rcond >= 0))
    raise<ValueError>("[", op, "] argument 'rcond' must be at least 0, not ", *rcond);
  const double eps = a.dtype() == DType::float32 ? std::numeric_limits<float>::epsilon()
                                                 : std::numeric_limits<double>::epsilon();
  return rcond.value_or(static_cast<double>(std::max(a.shape(-2), a.shape(-1))) * eps);
}

struct PseudoInverse {
  Tensor p, s, kept;  // kept: is a singular value above the cutoff?
};
PseudoInverse pseudo_inverse(const char* op, const Tensor& a, std::optional<double> rcond);

}  // namespace

std::tuple<Tensor, Tensor> qr(const Tensor& a0, QrMode mode) {
  Tensor a = matrices("qr", "a", a0);
  const int64_t rows = a.shape(-2), columns = a.shape(-1), batch = count(stack_of(a));
  const int64_t inner = mode == QrMode::complete ? rows : std::min(rows, columns);
  Tensor q = empty(with_matrix(stack_of(a), rows, inner), a.dtype());
  Tensor r = empty(with_matrix(stack_of(a), inner, columns), a.dtype());
  if (q.size() > 0 || r.size() > 0) {
    Tensor c = contiguous(a.detach());
    QrArgs args{.dtype = a.dtype(),
                .batch = batch,
                .rows = rows,
                .columns = columns,
                .inner = inner,
                .a = c.read(),
                .q = q.write(),
                .r = r.write(),
                .work = nullptr};
    launch_with_work("qr", kernels().decomp.qr, kernels().decomp.qr_workspace, args,
                     4.0 * static_cast<double>(batch * rows) * static_cast<double>(columns * inner));
  }
  record(
      "qr", {a}, {q, r},
      [a = save(a), q = save_output(q, 0), r = save_output(r, 1), rows, columns, inner](Backward& b) {
        if (inner > columns)
          raise<ValueError>(
              "[qr] argument 'mode': 'complete' has no gradient for a tall 'a', whose last columns of q are "
              "arbitrary");
        Tensor dq = b.grad(0), dr = b.grad(1), qs = b.get(q), rs = b.get(r);
        if (rows >= columns) return b.set(0, qr_gradient(dq, dr, qs, rs));
        // A = (X, Y), R = (U, V): X = Q U and V = Q'Y
        if (!dr.defined()) dr = full(rs.shape(), 0.0, rs.dtype());
        Tensor dv = columns_of(dr, rows, columns), y = columns_of(b.get(a), rows, columns);
        Tensor more = matmul(y, swap_last(dv));
        dq = dq.defined() ? dq + more : more;
        Tensor dx = qr_gradient(dq, columns_of(dr, 0, rows), qs, columns_of(rs, 0, rows));
        b.set(0, concatenate({dx, matmul(qs, dv)}, -1));
      });
  return {q, r};
}

std::tuple<Tensor, Tensor> eigh(const Tensor& a0) {
  Tensor a = square_matrices("eigh", "a", a0);
  const int64_t n = a.shape(-1), batch = count(stack_of(a));
  Tensor w = empty(with_vector(stack_of(a), n), a.dtype()), v = empty(a.shape(), a.dtype());
  if (a.size() > 0) {
    Tensor c = contiguous(a.detach());
    StatusCheck check("eigh", "a");
    EighArgs args{.dtype = a.dtype(),
                  .batch = batch,
                  .n = n,
                  .a = c.read(),
                  .w = w.write(),
                  .v = v.write(),
                  .work = nullptr,
                  .status = check.status()};
    launch_with_work("eigh", kernels().decomp.eigh, kernels().decomp.eigh_workspace, args,
                     9.0 * static_cast<double>(batch * n) * static_cast<double>(n * n));
    check.check();
  }
  record("eigh", {a}, {w, v}, [w = save_output(w, 0), v = save_output(v, 1)](Backward& b) {
    Tensor values = b.get(w), vectors = b.get(v), t = swap_last(vectors), da;
    if (b.grad(0).defined()) da = matmul(scaled_columns(vectors, b.grad(0)), t);
    if (b.grad(1).defined()) {
      Tensor inner = matmul(t, b.grad(1)) * inverse_differences(values, false);
      Tensor more = matmul(vectors, matmul(inner, t));
      da = da.defined() ? da + more : more;
    }
    b.set(0, (da + swap_last(da)) * 0.5);
  });
  return {w, v};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a0, bool full_matrices) {
  Tensor a = matrices("svd", "a", a0);
  const int64_t rows = a.shape(-2), columns = a.shape(-1), k = std::min(rows, columns),
                batch = count(stack_of(a));
  const Shape stack = stack_of(a);
  Tensor u = empty(with_matrix(stack, rows, full_matrices ? rows : k), a.dtype());
  Tensor s = empty(with_vector(stack, k), a.dtype());
  Tensor vh = empty(with_matrix(stack, full_matrices ? columns : k, columns), a.dtype());
  if (u.size() > 0 || vh.size() > 0) {
    Tensor c = contiguous(a.detach());
    StatusCheck check("svd", "a");
    SvdArgs args{.dtype = a.dtype(),
                 .full = full_matrices,
                 .batch = batch,
                 .rows = rows,
                 .columns = columns,
                 .a = c.read(),
                 .u = u.write(),
                 .s = s.write(),
                 .vh = vh.write(),
                 .work = nullptr,
                 .status = check.status()};
    launch_with_work("svd", kernels().decomp.svd, kernels().decomp.svd_workspace, args,
                     20.0 * static_cast<double>(batch * k) * static_cast<double>(rows * columns));
    check.check();
  }
  record(
      "svd", {a}, {u, s, vh},
      [u = save_output(u, 0), s = save_output(s, 1), vh = save_output(vh, 2), full_matrices, rows, columns,
       k](Backward& b) {
        Tensor us = b.get(u), ss = b.get(s), vt = b.get(vh), du = b.grad(0), ds = b.grad(1), dvt = b.grad(2);
        if (!du.defined() && !dvt.defined() && !ds.defined()) return;
        const bool vectors = du.defined() || dvt.defined();
        if (full_matrices && rows != columns) {
          if (vectors)
            raise<ValueError>(
                "[svd] argument 'full_matrices': the vectors of a matrix that is not square have a gradient "
                "only with full_matrices=False");
          us = columns_of(us, 0, k);
          vt = swap_last(columns_of(swap_last(vt), 0, k));
        }
        Tensor ut = swap_last(us), v = swap_last(vt), da, inner;
        if (vectors) {
          Tensor f = inverse_differences(ss, true);
          if (du.defined()) {
            Tensor x = matmul(ut, du);
            inner = scaled_columns((x - swap_last(x)) * f, ss);
          }
          if (dvt.defined()) {
            Tensor x = matmul(vt, swap_last(dvt));
            Tensor more = scaled_rows((x - swap_last(x)) * f, ss);
            inner = inner.defined() ? inner + more : more;
          }
          da = matmul(us, matmul(inner, vt));
        }
        if (ds.defined()) {
          Tensor more = matmul(scaled_columns(us, ds), vt);
          da = da.defined() ? da + more : more;
        }
        if (du.defined() && rows > k) {
          Tensor outside = du - matmul(us, matmul(ut, du));
          da = da + matmul(scaled_columns(outside, reciprocal(ss)), vt);
        }
        if (dvt.defined() && columns > k) {
          Tensor outside = dvt - matmul(matmul(dvt, v), vt);
          da = da + matmul(us, scaled_rows(outside, reciprocal(ss)));
        }
        b.set(0, da);
      });
  return {u, s, vh};
}

namespace {

PseudoInverse pseudo_inverse(const char* op, const Tensor& a, std::optional<double> rcond) {
  const double cutoff = rank_cutoff(op, a, rcond);
  auto [u, s, vh] = svd(a, false);
  Tensor values = s.detach();
  Tensor kept = values.shape(-1) == 0 ? cast(values, DType::boolean)
                                      : greater(values, max(values, Axes{-1}, true) * cutoff);
  Tensor inverted = where(kept, reciprocal(where(kept, values, number(1))), number(0));
  Tensor p = matmul(scaled_columns(swap_last(vh.detach()), inverted), swap_last(u.detach()));
  record(op, {a}, {p}, [a = save(a), p = save_output(p)](Backward& b) {
    Tensor m = b.get(a), x = b.get(p), xt = swap_last(x), g = b.grad(), gt = swap_last(g);
    Tensor one = matmul(gt, matmul(x, xt)), two = matmul(matmul(xt, x), gt);
    b.set(0,
          (one - matmul(m, matmul(x, one))) + (two - matmul(matmul(two, x), m)) - matmul(xt, matmul(g, xt)));
  });
  return {p, s, kept};
}

}  // namespace

Tensor pinv(const Tensor& a, std::optional<double> rcond) {
  return pseudo_inverse("pinv", matrices("pinv", "a", a), rcond).p;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& a0, const Tensor& b0,
                                                 std::optional<double> rcond) {
  Tensor a = matrices("lstsq", "a", a0), b = as_float(b0), residuals;
  const DType dtype = promote(a.dtype(), b.dtype());
  a = cast(a, dtype);
  PseudoInverse inverse;
  Tensor x = solve_columns("lstsq", a, cast(b, dtype), [&](const Tensor& right) {
    broadcast_shapes("lstsq", stack_of(a), stack_of(right));
    inverse = pseudo_inverse("lstsq", a, rcond);
    Tensor solution = matmul(inverse.p, right);
    residuals = sum(square(right - matmul(a, solution)), Axes{-2});
    return solution;
  });
  if (b.ndim() == 1) residuals = squeeze(residuals, Axes{-1});
  return {x, residuals, sum(cast(inverse.kept, DType::int64), Axes{-1}), inverse.s};
}

}  // namespace pl::ops
