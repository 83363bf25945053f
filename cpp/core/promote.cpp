// The promotion table: NumPy 2's, for our six types.
#include "core/tensor.h"

namespace pl {
namespace {
using enum DType;
constexpr DType kTable[kDTypeCount][kDTypeCount] = {
    // bool     uint8    int32    int64    float32  float64
    {boolean, uint8, int32, int64, float32, float64},        // bool
    {uint8, uint8, int32, int64, float32, float64},          // uint8
    {int32, int32, int32, int64, float64, float64},          // int32
    {int64, int64, int64, int64, float64, float64},          // int64
    {float32, float32, float64, float64, float32, float64},  // float32
    {float64, float64, float64, float64, float64, float64},  // float64
};
int kind(DType t) { return t == boolean ? 0 : is_integer(t) ? 1 : 2; }
}  // namespace

DType promote(DType a, DType b) { return kTable[static_cast<int>(a)][static_cast<int>(b)]; }

// A Python number takes the array's type when that is of its kind or a higher one (NEP 50).
DType promote(const Tensor& a, const Tensor& b) {
  if (a.weak() != b.weak()) {
    DType strong = a.weak() ? b.dtype() : a.dtype(), number = a.weak() ? a.dtype() : b.dtype();
    if (kind(number) <= kind(strong)) return strong;
  }
  return promote(a.dtype(), b.dtype());
}

}  // namespace pl
