// y = c ? a : b, copies, casts and fills over strided arrays; the loop is map.cuh's. Copies of one type move bits, so
// one kernel serves all types of a size.
#include "kernels/elementwise.h"

#include "elementwise_parts.h"
#include "kernels/cast.h"
#include "map.cuh"

namespace pl::cuda {
namespace {

// f(U{}) for the unsigned integer of `size` bytes.
template <class F>
void with_bits(size_t size, F&& f) {
  if (size == 1)
    f(uint8_t{});
  else if (size == 4)
    f(uint32_t{});
  else
    f(uint64_t{});
}

struct Choose {
  template <class U>
  __device__ __forceinline__ U operator()(uint8_t c, U a, U b) const {
    return c ? a : b;
  }
};

void where(Stream stream, const WhereArgs& a) {
  with_bits(itemsize(a.dtype), [&](auto bits) {
    using U = decltype(bits);
    Box<4> b;
    set_shape(b, a);
    set_operand(b.op[0], a.y, sizeof(U), a.stride_y, a.ndim);
    set_operand(b.op[1], a.c, 1, a.stride_c, a.ndim);
    set_operand(b.op[2], a.a, sizeof(U), a.stride_a, a.ndim);
    set_operand(b.op[3], a.b, sizeof(U), a.stride_b, a.ndim);
    map<true, U, uint8_t, U, U>(stream, b, Choose{});
  });
}

struct Same {
  template <class U>
  __device__ __forceinline__ U operator()(U x) const {
    return x;
  }
};

template <class From, class To>
struct Cast {
  __device__ __forceinline__ To operator()(From x) const { return cast<From, To>(x); }
};

using Copy = void (*)(Stream, const Box<2>&);
template <class From, class To>
void run_cast(Stream stream, const Box<2>& b) {
  map<true, To, From>(stream, b, Cast<From, To>{});
}
template <class From, class To>
struct Maker {
  static constexpr Copy entry() {
    if constexpr (!std::is_same_v<From, To>) return run_cast<From, To>;
    return nullptr;
  }
};
constexpr PairTable<Copy, Maker> kCasts;

void copy(Stream stream, const CopyArgs& a) {
  if (a.accumulate) {
    BinaryArgs sum = {.op = BinaryOp::add,
                      .dtype = a.to,
                      .ndim = a.ndim,
                      .shape = {},
                      .stride_a = {},
                      .stride_b = {},
                      .stride_y = {},
                      .a = a.y,
                      .b = a.x,
                      .y = a.y};
    for (int d = 0; d < a.ndim; ++d) {
      sum.shape[d] = a.shape[d];
      sum.stride_a[d] = sum.stride_y[d] = a.stride_y[d];
      sum.stride_b[d] = a.stride_x[d];
    }
    return elementwise_binary(stream, sum);
  }
  Box<2> b;
  set_shape(b, a);
  set_operand(b.op[0], a.y, itemsize(a.to), a.stride_y, a.ndim);
  set_operand(b.op[1], a.x, itemsize(a.from), a.stride_x, a.ndim);
  if (const Copy f = kCasts.at(a.from, a.to)) return f(stream, b);
  with_bits(itemsize(a.to), [&](auto bits) {
    using U = decltype(bits);
    map<true, U, U>(stream, b, Same{});
  });
}

template <class U>
struct Constant {
  U value;
  __device__ __forceinline__ U operator()() const { return value; }
};

template <class T>
void fill_with(Stream stream, const FillArgs& a) {
  Box<1> b = {.ndim = 1, .shape = {a.n}, .op = {{static_cast<char*>(a.y), sizeof(T), {1}}}};
  map<false, T>(stream, b, Constant<T>{cast<double, T>(a.value)});
}

void fill(Stream stream, const FillArgs& a) {
  switch (a.dtype) {
    case DType::boolean: return fill_with<boolean>(stream, a);
    case DType::uint8: return fill_with<uint8_t>(stream, a);
    case DType::int32: return fill_with<int32_t>(stream, a);
    case DType::int64: return fill_with<int64_t>(stream, a);
    case DType::float32: return fill_with<float>(stream, a);
    case DType::float64: return fill_with<double>(stream, a);
  }
}

}  // namespace

extern const ElementwiseKernels elementwise;
const ElementwiseKernels elementwise = {
    .unary = elementwise_unary,
    .binary = elementwise_binary,
    .where = where,
    .copy = copy,
    .fill = fill,
};

}  // namespace pl::cuda
