// Matrix decompositions: the table of the family. Each algorithm is in the header of its name.
#include "kernels/decomp.h"

#include "kernels/decomp_cholesky.h"
#include "kernels/decomp_eigh.h"
#include "kernels/decomp_lu.h"
#include "kernels/decomp_qr.h"
#include "kernels/decomp_svd.h"

namespace pl::PL_ISA {
namespace {

void cholesky(Stream, const CholeskyArgs& g) {
  return g.dtype == DType::float32 ? cholesky_of<float>(g) : cholesky_of<double>(g);
}
void triangular(Stream, const TriangularArgs& g) {
  return g.dtype == DType::float32 ? triangular_of<float>(g) : triangular_of<double>(g);
}
void lu(Stream, const LuArgs& g) { return g.dtype == DType::float32 ? lu_of<float>(g) : lu_of<double>(g); }
void lu_solve(Stream, const LuSolveArgs& g) {
  return g.dtype == DType::float32 ? lu_solve_of<float>(g) : lu_solve_of<double>(g);
}
void lu_determinant(Stream, const LuDeterminantArgs& g) {
  return g.dtype == DType::float32 ? lu_determinant_of<float>(g) : lu_determinant_of<double>(g);
}
void qr(Stream, const QrArgs& g) { return g.dtype == DType::float32 ? qr_of<float>(g) : qr_of<double>(g); }
void eigh(Stream, const EighArgs& g) {
  return g.dtype == DType::float32 ? eigh_of<float>(g) : eigh_of<double>(g);
}
void svd(Stream, const SvdArgs& g) {
  return g.dtype == DType::float32 ? svd_of<float>(g) : svd_of<double>(g);
}

int64_t cholesky_workspace(const CholeskyArgs& g) {
  return g.dtype == DType::float32 ? cholesky_plan<float>(g).bytes() : cholesky_plan<double>(g).bytes();
}
int64_t triangular_workspace(const TriangularArgs& g) {
  return g.dtype == DType::float32 ? triangular_plan<float>(g).bytes() : triangular_plan<double>(g).bytes();
}
int64_t lu_workspace(const LuArgs& g) {
  return g.dtype == DType::float32 ? lu_plan<float>(g).bytes() : lu_plan<double>(g).bytes();
}
int64_t lu_solve_workspace(const LuSolveArgs& g) {
  return g.dtype == DType::float32 ? lu_solve_plan<float>(g).bytes() : lu_solve_plan<double>(g).bytes();
}
int64_t qr_workspace(const QrArgs& g) {
  return g.dtype == DType::float32 ? qr_plan<float>(g).bytes() : qr_plan<double>(g).bytes();
}
int64_t eigh_workspace(const EighArgs& g) {
  return g.dtype == DType::float32 ? eigh_plan<float>(g).bytes() : eigh_plan<double>(g).bytes();
}
int64_t svd_workspace(const SvdArgs& g) {
  return g.dtype == DType::float32 ? svd_plan<float>(g).bytes() : svd_plan<double>(g).bytes();
}

// Rows are copied in one piece and cleared in another, whatever the type.
void triangle(Stream, const TriangleArgs& g) {
  const int64_t row_bytes = g.columns * g.itemsize;
  parallel_for(
      g.batch * g.rows, larger(1, (int64_t{1} << 18) / larger(1, row_bytes)),
      [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t i = row % g.rows;
          // columns [0, cut) are on the lower side: j <= i + k, or j < i + k of an upper triangle
          int64_t cut = g.k >= g.columns ? g.columns : g.k <= -g.rows ? 0 : i + g.k + (g.upper ? 0 : 1);
          cut = smaller(larger(cut, 0), g.columns) * g.itemsize;
          const char* const x = static_cast<const char*>(g.x) + row * row_bytes;
          char* const y = static_cast<char*>(g.y) + row * row_bytes;
          const auto low = static_cast<size_t>(cut), high = static_cast<size_t>(row_bytes - cut);
          if (g.upper) {
            __builtin_memset(y, 0, low);
            __builtin_memcpy(y + cut, x + cut, high);
          } else {
            __builtin_memcpy(y, x, low);
            __builtin_memset(y + cut, 0, high);
          }
        }
      });
}

}  // namespace

extern const DecompKernels decomp;
const DecompKernels decomp = {.cholesky = cholesky,
                              .cholesky_workspace = cholesky_workspace,
                              .triangular = triangular,
                              .triangular_workspace = triangular_workspace,
                              .lu = lu,
                              .lu_workspace = lu_workspace,
                              .lu_solve = lu_solve,
                              .lu_solve_workspace = lu_solve_workspace,
                              .lu_determinant = lu_determinant,
                              .qr = qr,
                              .qr_workspace = qr_workspace,
                              .eigh = eigh,
                              .eigh_workspace = eigh_workspace,
                              .svd = svd,
                              .svd_workspace = svd_workspace,
                              .triangle = triangle};

}  // namespace pl::PL_ISA
