// Matrix products.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// leaky_relu has slope 0.2 and elu alpha 1, Keras' defaults.
enum class Activation : uint8_t {
  none,
  relu,
  sigmoid,
  tanh,
  leaky_relu,
  elu,
  selu,
  softplus,
  gelu,
  gelu_tanh,
  silu
};
// Is the slope a function of the input only? Of the others it is one of the output.
constexpr bool slope_needs_input(Activation f) {
  return f == Activation::gelu || f == Activation::gelu_tanh || f == Activation::silu;
}

// C[b] = act(op(A[b]) op(B[b]) + bias + residual)    A (M,K), B (K,N), C (M,N), row-major; bias (N) or null;
//                                                    residual placed as C, or null
// With `accumulate`, C += op(A) op(B), and there is neither bias, residual nor activation.
// float32 and float64 take the packed paths; integers and bool a plain loop (bool is or-of-ands, as in NumPy).
struct GemmArgs {
  DType dtype;
  bool trans_a, trans_b;  // the stored matrix is (K,M), (N,K)
  bool accumulate;
  bool
      symmetric;  // C is its own transpose: half of it is computed. Without accumulate, bias, activation, residual
  Activation activation;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;              // elements from one stored row to the next
  int64_t batch;                      // number of products
  int64_t batch_a, batch_b, batch_c;  // elements from one matrix to the next; 0 repeats it
  const void* a;
  const void* b;
  const void* bias;
  const void* residual;
  void* c;
  void* work;  // gemm_workspace(args) bytes, 64-byte aligned
};

// The backward pass of a dense layer's epilogue: dz = dy act'(y), db = dz summed over the rows; y is the input of those
// activations that need it. dy, y, dz (rows, cols) contiguous; dz null: not written (and y not read, for none);
// db (cols) or null.
struct SlopeArgs {
  DType dtype;  // float32 or float64
  Activation activation;
  int64_t rows, cols;
  const void* dy;
  const void* y;
  void* dz;
  void* db;
  void* work;  // slope_workspace(args) bytes
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
  void (*slope)(Stream, const SlopeArgs&);
  int64_t (*slope_workspace)(const SlopeArgs&);
};

}  // namespace pl
