// Elementwise ops: one line each.
#include "bindings/module.h"
#include "bindings/op.h"

namespace pl {

void bind_elementwise(py::module_& m) {
  using namespace ops;
  auto one = [&m](const char* name, Tensor (*fn)(const Tensor&), const char* doc) {
    def_op(m, name, fn, {"x"}, doc);
  };
  auto two = [&m](const char* name, Tensor (*fn)(const Tensor&, const Tensor&), const char* doc) {
    def_op(m, name, fn, {"x1", "x2"}, doc);
  };
  one("negative", negative, "-x.");
  one("abs", abs, "|x|; its slope at 0 is 0.");
  one("sign", sign, "-1, 0 or 1; NaN stays.");
  one("square", square, "x * x.");
  one("sqrt", sqrt, "Square root; NaN below 0.");
  one("rsqrt", rsqrt, "1 / sqrt(x).");
  one("reciprocal", reciprocal, "1 / x.");
  one("exp", exp, "e ** x.");
  one("expm1", expm1, "exp(x) - 1, exact near 0.");
  one("log", log, "Natural logarithm; -inf at 0, NaN below.");
  one("log1p", log1p, "log(1 + x), exact near 0.");
  one("log2", log2, "Logarithm to base 2.");
  one("log10", log10, "Logarithm to base 10.");
  one("sin", sin, "Sine, x in radians.");
  one("cos", cos, "Cosine, x in radians.");
  one("tan", tan, "Tangent, x in radians.");
  one("arcsin", arcsin, "Inverse sine, in radians.");
  one("arccos", arccos, "Inverse cosine, in radians.");
  one("arctan", arctan, "Inverse tangent, in radians.");
  one("sinh", sinh, "Hyperbolic sine.");
  one("cosh", cosh, "Hyperbolic cosine.");
  one("tanh", tanh, "Hyperbolic tangent.");
  one("sigmoid", sigmoid, "1 / (1 + exp(-x)), without overflow.");
  one("softplus", softplus, "log(1 + exp(x)), without overflow.");
  one("relu", relu, "max(x, 0); its slope at 0 is 0.");
  def_op(m, "elu", elu, {"x", {"alpha", 1.0}}, "x above 0, alpha (exp(x) - 1) below (Clevert et al. 2015).");
  one("selu", selu, "Scaled ELU with the self-normalising constants (Klambauer et al. 2017).");
  one("silu", silu, "x sigmoid(x), also called swish.");
  def_op(m, "gelu", gelu, {"x", {"approximate", false}},
         "x Phi(x) (Hendrycks & Gimpel 2016), by erf or by the tanh approximation.");
  def_op(m, "leaky_relu", leaky_relu, {"x", {"negative_slope", 0.2}}, "x above 0, negative_slope * x below.");
  one("hard_sigmoid", hard_sigmoid, "clip(x / 6 + 0.5, 0, 1).");
  one("softsign", softsign, "x / (1 + |x|).");
  one("erf", erf, "Error function.");
  one("erfc", erfc, "1 - erf(x), exact for large x.");
  one("lgamma", lgamma, "log |Gamma(x)|.");
  one("digamma", digamma, "Slope of lgamma.");
  one("floor", floor, "Largest integer not above x.");
  one("ceil", ceil, "Smallest integer not below x.");
  one("round", round, "Nearest integer, halves to even.");
  one("trunc", trunc, "Towards zero.");
  one("isnan", isnan, "Is x NaN?");
  one("isinf", isinf, "Is x infinite?");
  one("isfinite", isfinite, "Is x neither NaN nor infinite?");
  one("logical_not", logical_not, "x == 0.");
  two("add", add, "x1 + x2.");
  two("subtract", subtract, "x1 - x2.");
  two("multiply", multiply, "x1 * x2.");
  two("divide", divide, "x1 / x2; integers give float64.");
  two("floor_divide", floor_divide, "floor(x1 / x2); integers by 0 give 0.");
  two("remainder", remainder, "x1 - x2 floor(x1 / x2): the sign of x2.");
  two("power", power, "x1 ** x2.");
  two("maximum", maximum, "The larger; NaN wins. Ties share the gradient.");
  two("minimum", minimum, "The smaller; NaN wins. Ties share the gradient.");
  two("arctan2", arctan2, "Angle of the point (x2, x1), in radians.");
  two("hypot", hypot, "sqrt(x1**2 + x2**2), without overflow.");
  two("logaddexp", logaddexp, "log(exp(x1) + exp(x2)), without overflow.");
  two("fmod", fmod, "Remainder with the sign of x1.");
  two("copysign", copysign, "|x1| with the sign of x2.");
  two("equal", equal, "x1 == x2.");
  two("not_equal", not_equal, "x1 != x2.");
  two("less", less, "x1 < x2.");
  two("less_equal", less_equal, "x1 <= x2.");
  two("greater", greater, "x1 > x2.");
  two("greater_equal", greater_equal, "x1 >= x2.");
  two("logical_and", logical_and, "Both not 0.");
  two("logical_or", logical_or, "Either not 0.");
  two("logical_xor", logical_xor, "Exactly one not 0.");
  def_op(m, "where", where, {"condition", "x1", "x2"}, "x1 where condition (bool) is true, else x2.");
  def_op(m, "clip", clip, {"x", {"min", None}, {"max", None}},
         "min(max(x, min), max); give one bound or both.");
  def_op(m, "cast", cast, {"x", "dtype"}, "x as another type; float to integer truncates and saturates.");
  def_op(m, "copy", copy, {"x"}, "x in new, contiguous memory.");
  def_op(m, "assign", assign, {Written{"dst"}, "value"},
         "Write value, broadcast, into dst in place; returns dst.", Out::none);
  def_op(m, "assign_add", assign_add, {Written{"dst"}, "value"},
         "Add value, broadcast, to dst in place; returns dst.", Out::none);
  def_op(m, "stop_gradient", stop_gradient, {"x"}, "x, through which no gradient flows.", Out::none);
}

}  // namespace pl
