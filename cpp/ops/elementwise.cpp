// Elementwise ops: promotion, broadcasting, one launch, and a derivative of one line.
#include "ops/common.h"

namespace pl::ops {
namespace {

constexpr double kCostPerElement = 0.3;  // ns, about

bool every_dtype(UnaryOp op) {
  switch (op) {
    case UnaryOp::negative:
    case UnaryOp::abs:
    case UnaryOp::sign:
    case UnaryOp::square:
    case UnaryOp::relu:
    case UnaryOp::floor:
    case UnaryOp::ceil:
    case UnaryOp::round:
    case UnaryOp::trunc:
    case UnaryOp::isnan:
    case UnaryOp::isinf:
    case UnaryOp::isfinite:
    case UnaryOp::logical_not: return true;
    default: return false;
  }
}

bool gives_bool(UnaryOp op) {
  return op == UnaryOp::isnan || op == UnaryOp::isinf || op == UnaryOp::isfinite ||
         op == UnaryOp::logical_not;
}
bool gives_bool(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::logical_xor; }

bool needs_floats(BinaryOp op) {
  switch (op) {
    case BinaryOp::divide:
    case BinaryOp::arctan2:
    case BinaryOp::hypot:
    case BinaryOp::logaddexp:
    case BinaryOp::copysign: return true;
    default: return false;
  }
}

// Derivatives from the input or from the output, given the gradient g.
template <class Rule>
Tensor by_input(const char* name, UnaryOp op, const Tensor& x, Rule rule, double p0 = 0) {
  Tensor y = unary(name, op, x, p0);
  record(name, {x}, {y}, [x = save(x), rule](Backward& b) { b.set(0, rule(b.grad(), b.get(x))); });
  return y;
}
template <class Rule>
Tensor by_output(const char* name, UnaryOp op, const Tensor& x, Rule rule, double p0 = 0) {
  Tensor y = unary(name, op, x, p0);
  record(name, {x}, {y}, [y = save_output(y), rule](Backward& b) { b.set(0, rule(b.grad(), b.get(y))); });
  return y;
}
// ... of both inputs; the rules see (g, a, b).
template <class RuleA, class RuleB>
Tensor by_inputs(const char* name, BinaryOp op, const Tensor& a, const Tensor& b, RuleA rule_a,
                 RuleB rule_b) {
  Tensor y = binary(name, op, a, b);
  record(name, {a, b}, {y}, [a = save(a), b = save(b), rule_a, rule_b](Backward& bw) {
    Tensor x = bw.get(a), z = bw.get(b);
    if (bw.wants(0)) bw.set(0, rule_a(bw.grad(), x, z));
    if (bw.wants(1)) bw.set(1, rule_b(bw.grad(), x, z));
  });
  return y;
}

using G = const Tensor&;

}  // namespace

Tensor unary(const char* name, UnaryOp op, const Tensor& input, double p0) {
  Tensor x = every_dtype(op) ? input : as_float(input);
  if (x.dtype() == DType::boolean && op == UnaryOp::negative)
    raise<TypeError>("[", name, "] argument 'x' is bool: use logical_not");
  Tensor y = result(x.shape(), gives_bool(op) ? DType::boolean : x.dtype());
  auto c = collapse_same<2>(x.shape(), {&x, &y});
  UnaryArgs args{.op = op,
                 .dtype = x.dtype(),
                 .ndim = c.ndim,
                 .shape = {},
                 .stride_x = {},
                 .stride_y = {},
                 .x = x.read(),
                 .y = y.write(),
                 .p0 = p0};
  std::memcpy(args.shape, c.shape, sizeof(args.shape));
  std::memcpy(args.stride_x, c.stride[0], sizeof(args.stride_x));
  std::memcpy(args.stride_y, c.stride[1], sizeof(args.stride_y));
  launch(name, kernels().elementwise.unary, args, kCostPerElement * 4 * static_cast<double>(x.size()));
  return y;
}

Tensor binary(const char* name, BinaryOp op, const Tensor& a0, const Tensor& b0) {
  DType dtype = promote(a0, b0);
  if (needs_floats(op) && !is_float(dtype)) dtype = DType::float64;
  if (dtype == DType::boolean) {
    if (op == BinaryOp::subtract) raise<TypeError>("[", name, "] argument 'x1' is bool: use logical_xor");
    if (op == BinaryOp::floor_divide || op == BinaryOp::remainder || op == BinaryOp::power ||
        op == BinaryOp::fmod)
      raise<TypeError>("[", name, "] argument 'x1' is bool: cast it first");
  }
  Tensor a = cast(a0, dtype), b = cast(b0, dtype);
  const bool same = a.shape() == b.shape();
  Shape shape = same ? a.shape() : broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = result(shape, gives_bool(op) ? DType::boolean : dtype);
  y.impl()->weak = a0.weak() && b0.weak();
  auto c = same ? collapse_same<3>(shape, {&a, &b, &y})
                : collapse<3>(shape, {broadcast_strides(a.shape(), a.strides(), shape),
                                      broadcast_strides(b.shape(), b.strides(), shape), y.strides()});
  BinaryArgs args{.op = op,
                  .dtype = dtype,
                  .ndim = c.ndim,
                  .shape = {},
                  .stride_a = {},
                  .stride_b = {},
                  .stride_y = {},
                  .a = a.read(),
                  .b = b.read(),
                  .y = y.write()};
  std::memcpy(args.shape, c.shape, sizeof(args.shape));
  std::memcpy(args.stride_a, c.stride[0], sizeof(args.stride_a));
  std::memcpy(args.stride_b, c.stride[1], sizeof(args.stride_b));
  std::memcpy(args.stride_y, c.stride[2], sizeof(args.stride_y));
  launch(name, kernels().elementwise.binary, args, kCostPerElement * static_cast<double>(count(shape)));
  return y;
}

void copy_into(const Tensor& x, const Tensor& y, bool accumulate) {
  auto c = collapse<2>(x.shape(), {x.strides(), y.strides()});
  CopyArgs args{.from = x.dtype(),
                .to = y.dtype(),
                .accumulate = accumulate,
                .ndim = c.ndim,
                .shape = {},
                .stride_x = {},
                .stride_y = {},
                .x = x.read(),
                .y = y.write()};
  std::memcpy(args.shape, c.shape, sizeof(args.shape));
  std::memcpy(args.stride_x, c.stride[0], sizeof(args.stride_x));
  std::memcpy(args.stride_y, c.stride[1], sizeof(args.stride_y));
  launch("copy", kernels().elementwise.copy, args, kCostPerElement * static_cast<double>(x.size()));
}

Tensor negative(const Tensor& x) {
  return by_input("negative", UnaryOp::negative, x, [](G g, G) { return -g; });
}
Tensor abs(const Tensor& x) {
  return by_input("abs", UnaryOp::abs, x, [](G g, G v) { return g * sign(v); });
}
Tensor sign(const Tensor& x) {
  return by_input("sign", UnaryOp::sign, x, [](G g, G) { return g * 0.0; });
}
Tensor square(const Tensor& x) {
  return by_input("square", UnaryOp::square, x, [](G g, G v) { return g * v * 2.0; });
}
Tensor sqrt(const Tensor& x) {
  return by_output("sqrt", UnaryOp::sqrt, x, [](G g, G y) { return g * 0.5 / y; });
}
Tensor rsqrt(const Tensor& x) {
  return by_output("rsqrt", UnaryOp::rsqrt, x, [](G g, G y) { return g * -0.5 * y * y * y; });
}
Tensor reciprocal(const Tensor& x) {
  return by_output("reciprocal", UnaryOp::reciprocal, x, [](G g, G y) { return -(g * y * y); });
}
Tensor exp(const Tensor& x) {
  return by_output("exp", UnaryOp::exp, x, [](G g, G y) { return g * y; });
}
Tensor expm1(const Tensor& x) {
  return by_output("expm1", UnaryOp::expm1, x, [](G g, G y) { return g * (y + 1.0); });
}
Tensor log(const Tensor& x) {
  return by_input("log", UnaryOp::log, x, [](G g, G v) { return g / v; });
}
Tensor log1p(const Tensor& x) {
  return by_input("log1p", UnaryOp::log1p, x, [](G g, G v) { return g / (v + 1.0); });
}
Tensor log2(const Tensor& x) {
  return by_input("log2", UnaryOp::log2, x, [](G g, G v) { return g / (v * 0.69314718055994530942); });
}
Tensor log10(const Tensor& x) {
  return by_input("log10", UnaryOp::log10, x, [](G g, G v) { return g / (v * 2.30258509299404568402); });
}
Tensor sin(const Tensor& x) {
  return by_input("sin", UnaryOp::sin, x, [](G g, G v) { return g * cos(v); });
}
Tensor cos(const Tensor& x) {
  return by_input("cos", UnaryOp::cos, x, [](G g, G v) { return -(g * sin(v)); });
}
Tensor tan(const Tensor& x) {
  return by_output("tan", UnaryOp::tan, x, [](G g, G y) { return g * (y * y + 1.0); });
}
Tensor arcsin(const Tensor& x) {
  return by_input("arcsin", UnaryOp::arcsin, x, [](G g, G v) { return g * rsqrt(1.0 - v * v); });
}
Tensor arccos(const Tensor& x) {
  return by_input("arccos", UnaryOp::arccos, x, [](G g, G v) { return -(g * rsqrt(1.0 - v * v)); });
}
Tensor arctan(const Tensor& x) {
  return by_input("arctan", UnaryOp::arctan, x, [](G g, G v) { return g / (v * v + 1.0); });
}
Tensor sinh(const Tensor& x) {
  return by_input("sinh", UnaryOp::sinh, x, [](G g, G v) { return g * cosh(v); });
}
Tensor cosh(const Tensor& x) {
  return by_input("cosh", UnaryOp::cosh, x, [](G g, G v) { return g * sinh(v); });
}
Tensor erf(const Tensor& x) {
  return by_input("erf", UnaryOp::erf, x,
                  [](G g, G v) { return g * exp(-(v * v)) * 1.12837916709551257390; });
}
Tensor erfc(const Tensor& x) {
  return by_input("erfc", UnaryOp::erfc, x,
                  [](G g, G v) { return g * exp(-(v * v)) * -1.12837916709551257390; });
}
Tensor lgamma(const Tensor& x) {
  return by_input("lgamma", UnaryOp::lgamma, x, [](G g, G v) { return g * digamma(v); });
}
Tensor digamma(const Tensor& x) {
  return by_input("digamma", UnaryOp::digamma, x, [](G, G) -> Tensor {
    raise<ValueError>("[digamma] argument 'x': the gradient of digamma (trigamma) is not available");
  });
}
Tensor floor(const Tensor& x) {
  return by_input("floor", UnaryOp::floor, x, [](G g, G) { return g * 0.0; });
}
Tensor ceil(const Tensor& x) {
  return by_input("ceil", UnaryOp::ceil, x, [](G g, G) { return g * 0.0; });
}
Tensor round(const Tensor& x) {
  return by_input("round", UnaryOp::round, x, [](G g, G) { return g * 0.0; });
}
Tensor trunc(const Tensor& x) {
  return by_input("trunc", UnaryOp::trunc, x, [](G g, G) { return g * 0.0; });
}
Tensor isnan(const Tensor& x) { return unary("isnan", UnaryOp::isnan, x); }
Tensor isinf(const Tensor& x) { return unary("isinf", UnaryOp::isinf, x); }
Tensor isfinite(const Tensor& x) { return unary("isfinite", UnaryOp::isfinite, x); }
Tensor logical_not(const Tensor& x) { return unary("logical_not", UnaryOp::logical_not, x); }

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = binary("add", BinaryOp::add, a, b);
  record("add", {a, b}, {y}, [](Backward& bw) {
    bw.set(0, bw.grad());
    bw.set(1, bw.grad());
  });
  return y;
}
Tensor subtract(const Tensor& a, const Tensor& b) {
  Tensor y = binary("subtract", BinaryOp::subtract, a, b);
  record("subtract", {a, b}, {y}, [](Backward& bw) {
    bw.set(0, bw.grad());
    if (bw.wants(1)) bw.set(1, -bw.grad());
  });
  return y;
}
Tensor multiply(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "multiply", BinaryOp::multiply, a, b, [](G g, G, G z) { return g * z; },
      [](G g, G x, G) { return g * x; });
}
Tensor divide(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "divide", BinaryOp::divide, a, b, [](G g, G, G z) { return g / z; },
      [](G g, G x, G z) { return -(g * (x / z) / z); });
}
Tensor floor_divide(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "floor_divide", BinaryOp::floor_divide, a, b, [](G g, G, G) { return g * 0.0; },
      [](G g, G, G) { return g * 0.0; });
}
Tensor remainder(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "remainder", BinaryOp::remainder, a, b, [](G g, G, G) { return g; },
      [](G g, G x, G z) { return -(g * floor_divide(x, z)); });
}
Tensor fmod(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "fmod", BinaryOp::fmod, a, b, [](G g, G, G) { return g; },
      [](G g, G x, G z) { return -(g * trunc(x / z)); });
}
Tensor power(const Tensor& a, const Tensor& b) {
  if (!is_float(promote(a, b)) && b.size() > 0) {
    // NumPy's rule: integers to negative integer powers are an error, not a fraction.
    if (!first_element<bool>(all(greater_equal(b, scalar_int(0, DType::int64, true)))))
      raise<ValueError>("[power] argument 'x2' has negative integers: cast 'x1' to a float first");
  }
  return by_inputs(
      "power", BinaryOp::power, a, b,
      [](G g, G x, G z) {  // z x^(z-1), and 0 where z is 0
        Tensor zero = equal(z, number(0.0));
        return g * where(zero, number(0.0), z * power(x, where(zero, number(1.0), z + -1.0)));
      },
      [](G g, G x, G z) {  // x^z log x, and 0 where x is 0 and z is not negative
        Tensor safe = logical_and(equal(x, number(0.0)), greater_equal(z, number(0.0)));
        return g * where(safe, number(0.0), power(x, z) * log(where(safe, number(1.0), x)));
      });
}

namespace {
// Ties of maximum and minimum share the gradient equally.
Tensor share(const Tensor& g, const Tensor& chosen, const Tensor& tie) {
  return g * (cast(chosen, g.dtype()) + cast(tie, g.dtype()) * 0.5);
}
}  // namespace
Tensor maximum(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "maximum", BinaryOp::maximum, a, b, [](G g, G x, G z) { return share(g, greater(x, z), equal(x, z)); },
      [](G g, G x, G z) { return share(g, less(x, z), equal(x, z)); });
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "minimum", BinaryOp::minimum, a, b, [](G g, G x, G z) { return share(g, less(x, z), equal(x, z)); },
      [](G g, G x, G z) { return share(g, greater(x, z), equal(x, z)); });
}
Tensor arctan2(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "arctan2", BinaryOp::arctan2, a, b, [](G g, G x, G z) { return g * z / (x * x + z * z); },
      [](G g, G x, G z) { return -(g * x / (x * x + z * z)); });
}
Tensor hypot(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "hypot", BinaryOp::hypot, a, b, [](G g, G x, G z) { return g * x / hypot(x, z); },
      [](G g, G x, G z) { return g * z / hypot(x, z); });
}
Tensor logaddexp(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "logaddexp", BinaryOp::logaddexp, a, b, [](G g, G x, G z) { return g * sigmoid(x - z); },
      [](G g, G x, G z) { return g * sigmoid(z - x); });
}
Tensor copysign(const Tensor& a, const Tensor& b) {
  return by_inputs(
      "copysign", BinaryOp::copysign, a, b,
      [](G g, G x, G z) { return g * sign(x) * copysign(number(1.0), z); },
      [](G g, G, G) { return g * 0.0; });
}
Tensor equal(const Tensor& a, const Tensor& b) { return binary("equal", BinaryOp::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return binary("not_equal", BinaryOp::not_equal, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return binary("less", BinaryOp::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return binary("less_equal", BinaryOp::less_equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) { return binary("greater", BinaryOp::greater, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return binary("greater_equal", BinaryOp::greater_equal, a, b);
}
Tensor logical_and(const Tensor& a, const Tensor& b) {
  return binary("logical_and", BinaryOp::logical_and, a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return binary("logical_or", BinaryOp::logical_or, a, b);
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return binary("logical_xor", BinaryOp::logical_xor, a, b);
}

}  // namespace pl::ops
