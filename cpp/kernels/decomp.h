// Matrix decompositions, float32 and float64: contiguous row-major matrices, one launch for a whole batch.
//
// What fails depends on the data, so it is told through the status word, with the batch index of the first
// matrix that failed. Workspaces are sized by the shapes only.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// A = L L' (out = L) or U'U (out = U); only that triangle of A is read, the other one of the result is zero.
struct CholeskyArgs {
  DType dtype;
  bool upper;
  int64_t batch, n;
  const void* a;  // (batch, n, n)
  void* out;      // (batch, n, n)
  void* work;
  Status* status;  // not_positive_definite, value: the leading minor, from 1
};

// op(A) X = B with A lower or upper triangular; the other triangle is not read.
struct TriangularArgs {
  DType dtype;
  bool lower, trans, unit;
  int64_t batch, n, columns;
  int64_t batch_a;  // elements from one A to the next, or 0
  const void* a;    // (n, n)
  const void* b;    // (batch, n, columns)
  void* x;          // (batch, n, columns)
  void* work;
  Status* status;  // singular, value: the row of the zero, from 1
};

// P A = L U with partial pivoting. L is unit lower triangular and lies below U in `lu`; row i was swapped with row
// pivots[i], one after the other.
struct LuArgs {
  DType dtype;
  int64_t batch, n;
  const void* a;    // (batch, n, n)
  void* lu;         // (batch, n, n)
  int32_t* pivots;  // (batch, n)
  void* work;
  Status* status;  // singular; null: a zero pivot is no error
};

// A X = B, or A' X = B, from P A = L U.
struct LuSolveArgs {
  DType dtype;
  bool trans;
  int64_t batch, n, columns;
  int64_t batch_lu;  // matrices: 1, or 0 where one is used for the whole batch
  const void* lu;
  const int32_t* pivots;
  const void* b;  // (batch, n, columns); null is the identity
  void* x;
  void* work;
};

// det A = sign exp(logabs); each result may be null.
struct LuDeterminantArgs {
  DType dtype;
  int64_t batch, n;
  const void* lu;
  const int32_t* pivots;
  void* det;     // (batch)
  void* sign;    // (batch)
  void* logabs;  // (batch)
};

// A = Q R by Householder reflections, signs as LAPACK's.
struct QrArgs {
  DType dtype;
  int64_t batch, rows, columns;
  int64_t inner;  // columns of Q and rows of R: min(rows, columns), or rows
  const void* a;  // (batch, rows, columns)
  void* q;        // (batch, rows, inner)
  void* r;        // (batch, inner, columns)
  void* work;
};

// A V = V diag(w), A symmetric (its lower triangle is read), w ascending.
struct EighArgs {
  DType dtype;
  int64_t batch, n;
  const void* a;  // (batch, n, n)
  void* w;        // (batch, n)
  void* v;        // (batch, n, n)
  void* work;
  Status* status;  // not_finite, not_converged
};

// A = U diag(s) V', s descending.
struct SvdArgs {
  DType dtype;
  bool full;
  int64_t batch, rows, columns;
  const void* a;  // (batch, rows, columns)
  void* u;        // (batch, rows, k), k = min(rows, columns), or (batch, rows, rows)
  void* s;        // (batch, k)
  void* vh;       // (batch, k, columns), or (batch, columns, columns)
  void* work;
  Status* status;  // not_finite, not_converged
};

// y = x below (or above, with `upper`) diagonal k, zero elsewhere; elements of any type.
struct TriangleArgs {
  int64_t itemsize;
  bool upper;
  int64_t k;
  int64_t batch, rows, columns;
  const void* x;
  void* y;
};

struct DecompKernels {
  void (*cholesky)(Stream, const CholeskyArgs&);
  int64_t (*cholesky_workspace)(const CholeskyArgs&);  // bytes
  void (*triangular)(Stream, const TriangularArgs&);
  int64_t (*triangular_workspace)(const TriangularArgs&);
  void (*lu)(Stream, const LuArgs&);
  int64_t (*lu_workspace)(const LuArgs&);
  void (*lu_solve)(Stream, const LuSolveArgs&);
  int64_t (*lu_solve_workspace)(const LuSolveArgs&);
  void (*lu_determinant)(Stream, const LuDeterminantArgs&);
  void (*qr)(Stream, const QrArgs&);
  int64_t (*qr_workspace)(const QrArgs&);
  void (*eigh)(Stream, const EighArgs&);
  int64_t (*eigh_workspace)(const EighArgs&);
  void (*svd)(Stream, const SvdArgs&);
  int64_t (*svd_workspace)(const SvdArgs&);
  void (*triangle)(Stream, const TriangleArgs&);
};

}  // namespace pl
