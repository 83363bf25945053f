// y = f(x) over strided arrays. The functions are unary_formulas.h's, the loop is map.cuh's. Functions of one or two
// instructions take two packs a step, since they wait for memory only.
#include "elementwise_parts.h"
#include "kernels/unary_formulas.h"
#include "map.cuh"

namespace pl::cuda {
namespace {

constexpr bool is_cheap(UnaryOp op) {
  return is_test(op) || is_for_integers(op) || op == UnaryOp::leaky_relu || op == UnaryOp::hard_sigmoid;
}

template <UnaryOp op, class T>
struct UnaryFunction {
  double p0;
  __device__ __forceinline__ auto operator()(T x) const {
    if constexpr (is_test(op))
      return test<op>(x);
    else if constexpr (!is_real<T>)
      return integer_function<op>(x);
    else if constexpr (calls_library(op))
      return real_library<op>(x);
    else
      return real_formula<op>(x, p0);
  }
};

// Functions that do the same to T have one kernel: whole numbers are round, and booleans stay what they are.
template <class T>
constexpr UnaryOp kernel_of(UnaryOp op) {
  if (is_real<T> || is_test(op)) return op;
  return is_boolean<T> || is_rounding(op) || (T(-1) > T(0) && (op == UnaryOp::abs || op == UnaryOp::relu))
             ? UnaryOp::floor
             : op;
}

template <UnaryOp op, class T>
void run(Stream stream, const UnaryArgs& a) {
  using Y = std::conditional_t<is_test(op), uint8_t, T>;
  Box<2> b;
  set_shape(b, a);
  set_operand(b.op[0], a.y, sizeof(Y), a.stride_y, a.ndim);
  set_operand(b.op[1], a.x, sizeof(T), a.stride_x, a.ndim);
  map<is_cheap(op), Y, T>(stream, b, UnaryFunction<op, T>{a.p0});
}

using Unary = void (*)(Stream, const UnaryArgs&);
template <UnaryOp op, class T>
struct Maker {
  static constexpr Unary entry() {
    if constexpr (is_real<T> || is_test(op) || is_for_integers(op)) return run<kernel_of<T>(op), T>;
    return nullptr;
  }
};
constexpr OpTable<Unary, UnaryOp, Maker> kUnary;

}  // namespace

void elementwise_unary(Stream stream, const UnaryArgs& a) {
  if (const Unary f = kUnary.at(a.dtype, a.op)) f(stream, a);
}

}  // namespace pl::cuda
