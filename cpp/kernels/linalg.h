// Matrix products.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

enum class Activation : uint8_t { none, relu, sigmoid, tanh };

// C[b] = act(op(A[b]) op(B[b]) + bias)        A (M,K), B (K,N), C (M,N), row-major; bias (N) or null
// With `accumulate`, C += op(A) op(B), and there is neither bias nor activation.
// float32 and float64 take the packed paths; integers and bool a plain loop (bool is or-of-ands, as in NumPy).
struct GemmArgs {
  DType dtype;
  bool trans_a, trans_b;  // the stored matrix is (K,M), (N,K)
  bool accumulate;
  Activation activation;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;              // elements from one stored row to the next
  int64_t batch;                      // number of products
  int64_t batch_a, batch_b, batch_c;  // elements from one matrix to the next; 0 repeats it
  const void* a;
  const void* b;
  const void* bias;
  void* c;
  void* work;  // gemm_workspace(args) bytes, 64-byte aligned
};

// y = A x for CSR A (rows, cols), dense X (cols, N), Y (rows, N); with `transpose`, Y (cols, N) = A' X (rows, N).
struct CsrGemmArgs {
  DType dtype;  // float32 or float64
  bool transpose;
  int64_t rows, cols, n;
  const int64_t* indptr;   // (rows+1)
  const int64_t* indices;  // (nnz), checked to be in [0, cols) when the matrix was made
  const void* values;      // (nnz)
  const void* x;
  void* y;
};

struct LinalgKernels {
  void (*gemm)(Stream, const GemmArgs&);
  int64_t (*gemm_workspace)(const GemmArgs&);  // bytes; does not depend on the number of threads
  void (*csr_gemm)(Stream, const CsrGemmArgs&);
};

}  // namespace pl
