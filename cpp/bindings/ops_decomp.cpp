// Matrix decompositions, triangles and diagonals.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/decomp.h"

namespace pl {

template <>
struct From<ops::QrMode> {
  static ops::QrMode get(Call& c, const char* what, py::handle h) {
    const std::string s = c.text(what, h);
    if (s == "reduced") return ops::QrMode::reduced;
    if (s == "complete") return ops::QrMode::complete;
    raise<ValueError>("[", c.op, "] argument '", what, "' must be 'reduced' or 'complete', not '", s, "'");
  }
};

// The share of the largest singular value under which others count as zero; None: from the size and the dtype.
struct Cutoff {
  std::optional<double> value;
};
template <>
struct From<Cutoff> {
  static Cutoff get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return {c.real(what, h)};
  }
};

namespace {

Tensor pinv(const Tensor& a, Cutoff rcond) { return ops::pinv(a, rcond.value); }
std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& a, const Tensor& b, Cutoff rcond) {
  return ops::lstsq(a, b, rcond.value);
}

}  // namespace

void bind_decomp(py::module_& m) {
  using namespace ops;
  def_op(m, "cholesky", cholesky, {"a", {"upper", false}},
         "L of A = L L' (or U of U'U), A symmetric positive definite; reads that triangle of A only. The "
         "gradient "
         "is symmetric.");
  def_op(m, "logdet", logdet, {"a"}, "log(det A) of a symmetric positive definite A, by cholesky.");
  def_op(m, "solve_triangular", solve_triangular,
         {"a", "b", {"lower", true}, {"trans", false}, {"unit_diagonal", false}},
         "X of A X = B (or A'X = B) for a triangular A (..., N, N); b (N,) or (..., N, K).");
  def_op(m, "solve", ops::solve, {"a", "b"}, "X of A X = B: a (..., N, N), b (N,) or (..., N, K).");
  def_op(m, "inv", inv, {"a"}, "Inverse of each matrix; solve is faster and more accurate where it will do.");
  def_op(m, "det", det, {"a"}, "Determinant of each matrix.");
  def_op(m, "slogdet", slogdet, {"a"}, "(sign, log |det A|) of each matrix; sign 0 and -inf if singular.");
  def_op(m, "qr", ops::qr, {"a", {"mode", "reduced"}},
         "(Q, R) of A = Q R with R upper triangular, signs as LAPACK's; mode 'reduced' or 'complete'.");
  def_op(m, "eigh", ops::eigh, {"a"},
         "(w, V) of A V = V diag(w), A symmetric (its lower triangle is read), w ascending. In each vector "
         "the first "
         "component of (within 1 %) the largest magnitude is positive. Gradients: distinct eigenvalues.");
  def_op(m, "svd", ops::svd, {"a", {"full_matrices", false}},
         "(U, s, V') of A = U diag(s) V', s descending; signs of U's columns as eigh's. Gradients: distinct, "
         "nonzero singular values.");
  def_op(
      m, "pinv", pl::pinv, {"a", {"rcond", None}},
      "Pseudo-inverse; singular values up to rcond times the largest count as 0. Gradients: constant rank.");
  def_op(m, "lstsq", pl::lstsq, {"a", "b", {"rcond", None}},
         "(x, residuals, rank, s): the x of least norm that minimises |A x - b|, squared residuals per "
         "column (also "
         "where NumPy gives none), rank and singular values of A.");
  def_op(m, "tril", tril, {"x", {"k", int64_t{0}}}, "Matrices with zeros above diagonal k.");
  def_op(m, "triu", triu, {"x", {"k", int64_t{0}}}, "Matrices with zeros below diagonal k.");
  def_op(m, "diagonal", diagonal, {"x", {"offset", int64_t{0}}}, "A diagonal of each matrix; a view.");
  def_op(m, "trace", trace, {"x", {"offset", int64_t{0}}}, "Sum of a diagonal of each matrix.");
  def_op(m, "diag", diag, {"x", {"k", int64_t{0}}},
         "The matrix with x on diagonal k, or that diagonal of a matrix.");
}

}  // namespace pl
