// y = f(x), y = f(a, b), y = c ? a : b, copies and casts over strided arrays.
// The loops and their parallel axis are strided.h's, the functions unary.h's, binary.h's and copy.h's.
#include "kernels/elementwise.h"

#include "kernels/copy.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kCopyGrain = 65536;

template <class Args>
PL_INLINE void set_shape(Loop& l, const Args& a) {
  l.ndim = a.ndim;
  for (int d = 0; d < a.ndim; ++d) l.shape[d] = a.shape[d];
}

// One contiguous piece of at most one chunk: the commonest small call, spared the setting up of a Loop.
PL_INLINE bool is_flat(int ndim, const int64_t* shape, int64_t grain) {
  return ndim == 0 || (ndim == 1 && shape[0] <= grain);
}

void unary(Stream, const UnaryArgs& a) {
  const Span span = kUnarySpans.at(a.dtype, a.op);
  if (span == nullptr) return;
  const int64_t grain = unary_grain(a.op);
  if (is_flat(a.ndim, a.shape, grain) && (a.ndim == 0 || (a.stride_x[0] == 1 && a.stride_y[0] == 1))) {
    const void* in[1] = {a.x};
    return span(in, a.y, a.ndim ? a.shape[0] : 1, a.p0);
  }
  Loop l;
  l.span = span;
  l.p0 = a.p0;
  l.operands = 2;
  set_shape(l, a);
  set_operand(l.op[0], a.y, is_test(a.op) ? 1 : itemsize(a.dtype), a.stride_y, a.ndim);
  set_operand(l.op[1], a.x, itemsize(a.dtype), a.stride_x, a.ndim);
  run_loop(l, grain);
}

// Is the exponent one number that power_span knows?
bool is_simple_power(const BinaryArgs& a, double& exponent) {
  if (a.op != BinaryOp::power || !is_float(a.dtype)) return false;
  for (int d = 0; d < a.ndim; ++d) {
    if (a.shape[d] == 0) return false;
    if (a.shape[d] > 1 && a.stride_b[d] != 0) return false;
  }
  exponent = a.dtype == DType::float32 ? *static_cast<const float*>(a.b) : *static_cast<const double*>(a.b);
  return exponent == 2 || exponent == 1 || exponent == 0.5;
}

void binary(Stream, const BinaryArgs& a) {
  const Span span = kBinarySpans.at(a.dtype, a.op);
  if (span == nullptr) return;
  int64_t grain = binary_grain(a.op);
  if (is_flat(a.ndim, a.shape, grain) &&
      (a.ndim == 0 || (a.stride_a[0] == 1 && a.stride_b[0] == 1 && a.stride_y[0] == 1))) {
    const void* in[2] = {a.a, a.b};
    return span(in, a.y, a.ndim ? a.shape[0] : 1, 0);
  }
  Loop l;
  l.span = span;
  l.p0 = 0;
  l.operands = 3;
  set_shape(l, a);
  const size_t size = itemsize(a.dtype);
  set_operand(l.op[0], a.y, is_test(a.op) ? 1 : size, a.stride_y, a.ndim);
  set_operand(l.op[1], a.a, size, a.stride_a, a.ndim);
  if (is_simple_power(a, l.p0)) {
    l.span = a.dtype == DType::float32 ? power_span<float> : power_span<double>;
    l.operands = 2;
    grain = 32768;
  } else {
    set_operand(l.op[2], a.b, size, a.stride_b, a.ndim);
  }
  run_loop(l, grain);
}

template <int size>
void where_span(const void* const* in, void* y_, int64_t n, double) {
  using U = typename raw<size>::type;
  const uint8_t* c = static_cast<const uint8_t*>(in[0]);
  const U* a = static_cast<const U*>(in[1]);
  const U* b = static_cast<const U*>(in[2]);
  U* y = static_cast<U*>(y_);
  PL_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const U x = a[i], z = b[i];
    y[i] = c[i] ? x : z;
  }
}

void where(Stream, const WhereArgs& a) {
  Loop l;
  const size_t size = itemsize(a.dtype);
  l.span = size == 1 ? where_span<1> : size == 4 ? where_span<4> : where_span<8>;
  l.p0 = 0;
  l.operands = 4;
  set_shape(l, a);
  set_operand(l.op[0], a.y, size, a.stride_y, a.ndim);
  set_operand(l.op[1], a.c, 1, a.stride_c, a.ndim);
  set_operand(l.op[2], a.a, size, a.stride_a, a.ndim);
  set_operand(l.op[3], a.b, size, a.stride_b, a.ndim);
  run_loop(l, 32768);
}

void copy(Stream, const CopyArgs& a) {
  Loop l;
  l.p0 = 0;
  l.operands = 2;
  set_shape(l, a);
  set_operand(l.op[0], a.y, itemsize(a.to), a.stride_y, a.ndim);
  if (a.accumulate) {
    l.span = kBinarySpans.at(a.to, BinaryOp::add);
    l.operands = 3;
    l.op[1] = l.op[0];
    set_operand(l.op[2], a.x, itemsize(a.from), a.stride_x, a.ndim);
    return run_loop(l, 32768);
  }
  set_operand(l.op[1], a.x, itemsize(a.from), a.stride_x, a.ndim);
  if (a.from == a.to) return run_copy(l, kCopyGrain);
  l.span = kCasts.at(a.from, a.to);
  run_loop(l, 32768);
}

void fill(Stream, const FillArgs& a) {
  alignas(8) char value[8];
  const void* in[1] = {&a.value};
  kCasts.at(DType::float64, a.dtype)(in, value, 1, 0);
  const int size = static_cast<int>(itemsize(a.dtype));
  parallel_for(a.n, kCopyGrain, [&](int64_t begin, int64_t end) {
    copy_elements(size, static_cast<char*>(a.y) + begin * size, 1, value, 0, end - begin);
  });
}

}  // namespace

extern const ElementwiseKernels elementwise;
const ElementwiseKernels elementwise{
    .unary = unary,
    .binary = binary,
    .where = where,
    .copy = copy,
    .fill = fill,
};

}  // namespace pl::PL_ISA
