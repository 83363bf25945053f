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

void unary(Stream, const UnaryArgs& a) {
  Loop l;
  l.span = kUnarySpans.span[int(a.dtype)][int(a.op)];
  if (l.span == nullptr) return;
  l.p0 = a.p0;
  l.operands = 2;
  set_shape(l, a);
  l.op[0] = operand(a.y, is_test(a.op) ? 1 : itemsize(a.dtype), a.stride_y, a.ndim);
  l.op[1] = operand(a.x, itemsize(a.dtype), a.stride_x, a.ndim);
  run_loop(l, unary_grain(a.op));
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
  Loop l;
  l.span = kBinarySpans.span[int(a.dtype)][int(a.op)];
  if (l.span == nullptr) return;
  l.p0 = a.p0;
  l.operands = 3;
  int64_t grain = binary_grain(a.op);
  set_shape(l, a);
  const size_t size = itemsize(a.dtype);
  l.op[0] = operand(a.y, is_test(a.op) ? 1 : size, a.stride_y, a.ndim);
  l.op[1] = operand(a.a, size, a.stride_a, a.ndim);
  if (is_simple_power(a, l.p0)) {
    l.span = a.dtype == DType::float32 ? power_span<float> : power_span<double>;
    l.operands = 2;
    grain = 32768;
  } else {
    l.op[2] = operand(a.b, size, a.stride_b, a.ndim);
  }
  run_loop(l, grain);
}

template <class U>
void where_span(const void* const* in, void* y_, int64_t n, double) {
  const byte1* c = static_cast<const byte1*>(in[0]);
  const any_of<U>* a = static_cast<const any_of<U>*>(in[1]);
  const any_of<U>* b = static_cast<const any_of<U>*>(in[2]);
  any_of<U>* y = static_cast<any_of<U>*>(y_);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const U x = a[i], z = b[i];
    y[i] = c[i] ? x : z;
  }
}

void where(Stream, const WhereArgs& a) {
  Loop l;
  const size_t size = itemsize(a.dtype);
  l.span = size == 1 ? where_span<byte1> : size == 4 ? where_span<byte4> : where_span<byte8>;
  l.p0 = 0;
  l.operands = 4;
  set_shape(l, a);
  l.op[0] = operand(a.y, size, a.stride_y, a.ndim);
  l.op[1] = operand(a.c, 1, a.stride_c, a.ndim);
  l.op[2] = operand(a.a, size, a.stride_a, a.ndim);
  l.op[3] = operand(a.b, size, a.stride_b, a.ndim);
  run_loop(l, 32768);
}

void copy(Stream, const CopyArgs& a) {
  Loop l;
  l.p0 = 0;
  l.operands = 2;
  set_shape(l, a);
  l.op[0] = operand(a.y, itemsize(a.to), a.stride_y, a.ndim);
  if (a.accumulate) {
    l.span = kBinarySpans.span[int(a.to)][int(BinaryOp::add)];
    l.operands = 3;
    l.op[1] = l.op[0];
    l.op[2] = operand(a.x, itemsize(a.from), a.stride_x, a.ndim);
    return run_loop(l, 32768);
  }
  l.op[1] = operand(a.x, itemsize(a.from), a.stride_x, a.ndim);
  if (a.from == a.to) return run_copy(l, kCopyGrain);
  l.span = kCasts.span[int(a.from)][int(a.to)];
  run_loop(l, 32768);
}

void fill(Stream, const FillArgs& a) {
  alignas(8) char value[8];
  const void* in[1] = {&a.value};
  kCasts.span[int(DType::float64)][int(a.dtype)](in, value, 1, 0);
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
