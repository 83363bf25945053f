// Matrix products: the table of the family.
//
// float32 and float64: gemm.h. Integers wrap around and bool is or-of-ands, as in NumPy: one row of C at a
// time, C[i] += A[i][p] * B[p], parallel over rows.
#include "kernels/linalg.h"

#include "core/parallel.h"
#include "kernels/csr.h"
#include "kernels/gemm.h"
#include "kernels/ring.h"
#include "kernels/slope.h"

namespace pl::PL_ISA {
namespace {

template <class Element>
void gemm_ring(const GemmArgs& g) {
  using R = Ring<Element>;
  using T = typename R::type;
  const int64_t grain = larger(1, kTaskWork / 8 / larger(1, g.n * g.k));
  parallel_for(
      g.batch * g.m, grain,
      [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t batch = row / g.m, i = row % g.m;
          const T* const a = static_cast<const T*>(g.a) + batch * g.batch_a;
          const T* const b = static_cast<const T*>(g.b) + batch * g.batch_b;
          T* const c = static_cast<T*>(g.c) + batch * g.batch_c + i * g.ldc;
          if (!g.accumulate)
            for (int64_t j = 0; j < g.n; ++j) c[j] = 0;
          if (g.trans_b) {
            for (int64_t j = 0; j < g.n; ++j) {
              T sum = c[j];
              for (int64_t p = 0; p < g.k; ++p)
                sum = R::multiply_add(sum, g.trans_a ? a[p * g.lda + i] : a[i * g.lda + p], b[j * g.ldb + p]);
              c[j] = sum;
            }
          } else {
            for (int64_t p = 0; p < g.k; ++p) {
              const T x = g.trans_a ? a[p * g.lda + i] : a[i * g.lda + p];
              for (int64_t j = 0; j < g.n; ++j) c[j] = R::multiply_add(c[j], x, b[p * g.ldb + j]);
            }
          }
          if (g.bias)
            for (int64_t j = 0; j < g.n; ++j)
              c[j] = R::multiply_add(c[j], static_cast<const T*>(g.bias)[j], T{1});
        }
      },
      !g.accumulate);
}

void gemm(Stream, const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return;
  switch (g.dtype) {
    case DType::float32: return gemm_float<float>(g);
    case DType::float64: return gemm_float<double>(g);
    case DType::boolean: return gemm_ring<bool>(g);
    case DType::uint8: return gemm_ring<uint8_t>(g);
    case DType::int32: return gemm_ring<int32_t>(g);
    case DType::int64: return gemm_ring<int64_t>(g);
  }
}

int64_t gemm_workspace(const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.k <= 0 || g.batch <= 0) return 0;
  if (g.dtype == DType::float32) return packed_size<float>(g, plan_gemm<float>(g)) * int64_t{sizeof(float)};
  if (g.dtype == DType::float64)
    return packed_size<double>(g, plan_gemm<double>(g)) * int64_t{sizeof(double)};
  return 0;
}

void csr_gemm(Stream, const CsrGemmArgs& g) {
  if (g.dtype == DType::float32)
    csr_float<float>(g);
  else
    csr_float<double>(g);
}

void slope(Stream, const SlopeArgs& s) {
  if (s.dtype == DType::float32)
    slope_float<float>(s);
  else
    slope_float<double>(s);
}

int64_t slope_workspace(const SlopeArgs& s) {
  const int64_t chunks = blocks_of(s.rows, slope_chunk_rows(s));
  return !s.db || chunks <= 1 ? 0 : chunks * s.cols * (s.dtype == DType::float32 ? 4 : 8);
}

}  // namespace

extern const LinalgKernels linalg;
const LinalgKernels linalg = {
    .gemm = gemm,
    .gemm_workspace = gemm_workspace,
    .csr_gemm = csr_gemm,
    .slope = slope,
    .slope_workspace = slope_workspace,
};

}  // namespace pl::PL_ISA
