// Matrix decompositions and what is built on them: over the last two axes, float32 and float64 (integers become
// float64). Failures that depend on the data raise LinAlgError, after the launch or the replay.
#pragma once
#include "ops/ops.h"

namespace pl::ops {

// decomp.cpp
Tensor cholesky(const Tensor& a, bool upper);
Tensor logdet(const Tensor& a);
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool lower, bool trans, bool unit_diagonal);
Tensor solve(const Tensor& a, const Tensor& b);
Tensor inv(const Tensor& a);
Tensor det(const Tensor& a);
std::tuple<Tensor, Tensor> slogdet(const Tensor& a);  // sign, logabsdet

// decomp_spectral.cpp
enum class QrMode : uint8_t { reduced, complete };
std::tuple<Tensor, Tensor> qr(const Tensor& a, QrMode mode);                  // q, r
std::tuple<Tensor, Tensor> eigh(const Tensor& a);                             // w, v
std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full_matrices);  // u, s, vh
Tensor pinv(const Tensor& a, std::optional<double> rcond);
std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& a, const Tensor& b,
                                                 std::optional<double> rcond);  // x, residuals, rank, s

// decomp_layout.cpp
Tensor tril(const Tensor& x, int64_t k = 0);
Tensor triu(const Tensor& x, int64_t k = 0);
Tensor diagonal(const Tensor& x, int64_t offset = 0);  // a view
Tensor trace(const Tensor& x, int64_t offset = 0);
Tensor diag(const Tensor& x, int64_t k = 0);

}  // namespace pl::ops
