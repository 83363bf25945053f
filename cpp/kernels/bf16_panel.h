// What the tiles of the bfloat16 product multiply: rows of A's pairs by one panel of B.
#pragma once
#include "kernels/gemm_tile.h"
#include "kernels/simd.h"

namespace pl::PL_ISA {
namespace {

constexpr int W = width<float>;
constexpr int64_t P = kPanelVectors * W;  // columns of a panel

// C (rows, columns) = A (rows, pairs) B (pairs, columns), added to what C holds with `add`; columns <= P.
struct PanelProduct {
  int64_t pairs;  // a multiple of kPairs
  const uint32_t* a;
  int64_t lda;
  const uint32_t* b;  // rows P apart
  float* c;
  int64_t ldc;
  int64_t rows, columns;
  bool add;
};

}  // namespace
}  // namespace pl::PL_ISA
