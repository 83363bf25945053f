// Matrix products: the table of the family. gemm_path.h says which kernel does a product.
#include "csr.cuh"
#include "gemm_simt.cuh"
#include "gemm_thin.cuh"
#include "slope.cuh"

namespace pl::cuda {
namespace {

template <class T>
void gemm_float(Stream stream, const GemmArgs& g) {
  const GemmPlan plan = path_of(g);
  switch (plan.path) {
    case GemmPath::dots:
    case GemmPath::axpys: start_thin<T>(stream, g, plan); break;
    case GemmPath::small: start_simt<Field<T>, 32, 32>(stream, g, plan); break;
    case GemmPath::medium: start_simt<Field<T>, 64, 16>(stream, g, plan); break;
    case GemmPath::large:
    case GemmPath::tf32:
      if constexpr (std::is_same_v<T, float>) start_simt<Field<T>, 128, 16>(stream, g, plan);
      break;
  }
  if (plan.splits > 1)
    start(stream, join_parts<T>, blocks_for(g.batch * g.m * g.n), dim3(kThreads), 0, g, plan.splits);
}

template <class R>
void gemm_ring(Stream stream, const GemmArgs& g) {
  const GemmPlan plan = path_of(g);
  if (plan.path == GemmPath::medium)
    start_simt<R, 64, 16>(stream, g, plan);
  else
    start_simt<R, 32, 32>(stream, g, plan);
}

void gemm(Stream stream, const GemmArgs& g) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0 || (g.k <= 0 && g.accumulate)) return;
  switch (g.dtype) {
    case DType::float32: return gemm_float<float>(stream, g);
    case DType::float64: return gemm_float<double>(stream, g);
    case DType::boolean: return gemm_ring<Ring<bool>>(stream, g);
    case DType::uint8: return gemm_ring<Ring<uint8_t>>(stream, g);
    case DType::int32: return gemm_ring<Ring<int32_t>>(stream, g);
    case DType::int64: return gemm_ring<Ring<int64_t>>(stream, g);
  }
}

int64_t gemm_workspace(const GemmArgs& g) { return partial_bytes(g, path_of(g)); }

void csr_gemm(Stream stream, const CsrGemmArgs& g) {
  with_float(g.dtype, [&](auto t) { start_csr<decltype(t)>(stream, g); });
}

void slope(Stream stream, const SlopeArgs& s) {
  with_float(s.dtype, [&](auto t) { start_slope<decltype(t)>(stream, s); });
}

int64_t slope_workspace(const SlopeArgs& s) {
  const int64_t chunks = slope_chunks(s);
  return !s.db || chunks <= 1 ? 0 : chunks * s.cols * static_cast<int64_t>(itemsize(s.dtype));
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

}  // namespace pl::cuda
