// The binary functions as spans.
#pragma once
#include "kernels/binary_formulas.h"
#include "kernels/unary.h"

namespace pl::PL_ISA {
namespace {

template <BinaryOp op, class T>
void binary_span(const void* const* in, void* y, int64_t n, double) {
  if constexpr (is_test(op)) {
    map_elements<T, uint8_t>(in[0], in[1], y, n, [](T a, T b) { return test<op>(a, b); });
  } else if constexpr (!is_real<T>) {
    map_elements<T, T>(in[0], in[1], y, n, [](T a, T b) { return integer_function<op>(a, b); });
  } else if constexpr (calls_library(op)) {
    map_elements<T, T>(in[0], in[1], y, n, [](T a, T b) { return real_library<op>(a, b); });
  } else {
    map_vectors<T>(in[0], in[1], y, n, [](vec<T> a, vec<T> b) { return real_formula<op>(a, b); });
  }
}

template <BinaryOp op, class T>
struct BinaryMaker {
  static constexpr Span entry() {
    if constexpr (is_real<T> || is_for_integers(op)) return binary_span<op, T>;
    return nullptr;
  }
};
inline constexpr OpTable<Span, BinaryOp, BinaryMaker> kBinarySpans;

constexpr int64_t binary_grain(BinaryOp op) {
  if (calls_library(op)) return 4096;
  return op == BinaryOp::logaddexp ? 16384 : 32768;
}

// x^p0 for the one exponent p0 of a whole array: 2, 1 or 0.5. Same bits as `power`.
template <class T>
void power_span(const void* const* in, void* y, int64_t n, double p0) {
  using V = vec<T>;
  if (p0 == 2) return map_vectors<T>(in[0], y, n, [](V x) { return x * x; });
  if (p0 == 1) return map_vectors<T>(in[0], y, n, [](V x) { return x; });
  map_vectors<T>(in[0], y, n, [](V x) {
    const V inf = splat<V>(T(__builtin_inf()));
    return select(x == -inf, inf, sqrt_(x + T(0)));
  });
}

}  // namespace
}  // namespace pl::PL_ISA
