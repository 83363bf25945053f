// y = f(a, b) over strided arrays. The functions are binary_formulas.h's, the loop is map.cuh's. Functions of one or
// two instructions take two packs a step, since they wait for memory only.
#include "elementwise_parts.h"
#include "kernels/binary_formulas.h"
#include "map.cuh"

namespace pl::cuda {
namespace {

constexpr bool is_cheap(BinaryOp op) {
  return !calls_library(op) && op != BinaryOp::logaddexp && op != BinaryOp::silu_grad &&
         op != BinaryOp::gelu_grad && op != BinaryOp::gelu_tanh_grad;
}

template <BinaryOp op, class T>
struct BinaryFunction {
  __device__ __forceinline__ auto operator()(T a, T b) const {
    if constexpr (is_test(op))
      return test<op>(a, b);
    else if constexpr (!is_real<T>)
      return integer_function<op>(a, b);
    else if constexpr (calls_library(op))
      return real_library<op>(a, b);
    else
      return real_formula<op>(a, b);
  }
};

template <BinaryOp op, class T>
void run(Stream stream, const BinaryArgs& a) {
  using Y = std::conditional_t<is_test(op), uint8_t, T>;
  Box<3> b;
  set_shape(b, a);
  set_operand(b.op[0], a.y, sizeof(Y), a.stride_y, a.ndim);
  set_operand(b.op[1], a.a, sizeof(T), a.stride_a, a.ndim);
  set_operand(b.op[2], a.b, sizeof(T), a.stride_b, a.ndim);
  map<is_cheap(op), Y, T, T>(stream, b, BinaryFunction<op, T>{});
}

using Binary = void (*)(Stream, const BinaryArgs&);
template <BinaryOp op, class T>
struct Maker {
  static constexpr Binary entry() {
    if constexpr (is_real<T> || is_for_integers(op)) return run<op, T>;
    return nullptr;
  }
};
constexpr OpTable<Binary, BinaryOp, Maker> kBinary;

}  // namespace

void elementwise_binary(Stream stream, const BinaryArgs& a) {
  if (const Binary f = kBinary.at(a.dtype, a.op)) f(stream, a);
}

}  // namespace pl::cuda
