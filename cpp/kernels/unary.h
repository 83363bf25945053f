// The unary functions as spans.
#pragma once
#include "kernels/spans.h"
#include "kernels/unary_formulas.h"

namespace pl::PL_ISA {
namespace {

template <UnaryOp op, class T>
void unary_span(const void* const* in, void* y, int64_t n, double p0) {
  if constexpr (is_test(op)) {
    map_elements<T, uint8_t>(in[0], y, n, [](T x) { return test<op>(x); });
  } else if constexpr (!is_real<T>) {
    map_elements<T, T>(in[0], y, n, [](T x) { return integer_function<op>(x); });
  } else if constexpr (calls_library(op)) {
    map_elements<T, T>(in[0], y, n, [](T x) { return real_library<op>(x); });
  } else {
    map_vectors<T>(in[0], y, n, [p0](vec<T> x) { return real_formula<op>(x, p0); });
  }
}

template <UnaryOp op, class T>
struct UnaryMaker {
  static constexpr Span entry() {
    if constexpr (is_real<T> || is_test(op) || is_for_integers(op)) return unary_span<op, T>;
    return nullptr;
  }
};
inline constexpr OpTable<Span, UnaryOp, UnaryMaker> kUnarySpans;

// Elements per chunk: some 10 to 20 microseconds of work, so that handing one over costs little.
constexpr int64_t unary_grain(UnaryOp op) {
  if (calls_library(op)) return 2048;
  if (is_test(op) || is_for_integers(op)) return 32768;
  return op == UnaryOp::sqrt || op == UnaryOp::reciprocal || op == UnaryOp::leaky_relu ? 32768 : 16384;
}

}  // namespace
}  // namespace pl::PL_ISA
