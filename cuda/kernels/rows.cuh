// Rows of a matrix, each walked by a group of threads: 8 lanes, a warp, or a block. What softmax, the losses and the
// normalisation of rows are made of.
//
// A thread takes packs of kW neighbouring elements (16 bytes where rows are whole 16-byte units, else single elements,
// which a warp still reads as one run of memory), pack k of a thread being pack k size + lane of the row. Rows of up to
// size kPacks kW elements are held in registers between the passes over them, so that memory is read once; longer ones
// (kPacks = 0) are read again, mostly from the L2 cache. The shape is a function of the row's length alone, and sums are
// made by exchanges between lanes, then warps, in that shape's order: the bits depend on neither place nor alignment.
#pragma once
#include "launch.h"
// after launch.h, which knows what a __device__ is
#include "kernels/math.h"

namespace pl::cuda {
namespace {

// 16 bytes of T
template <class T>
inline constexpr int kPackWidth = 16 / sizeof(T);
// What all vectors of 16 bytes need: `pointers` (null ones do not count) at such addresses.
template <class... P>
bool wide_access(const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) | ...) % 16) == 0;
}

template <class T, int kW>
struct alignas(sizeof(T) * kW) Pack {
  T of[kW];
};
template <int kW, class T>
__device__ __forceinline__ Pack<T, kW> get_pack(const T* p, bool wide) {
  Pack<T, kW> v;
  if constexpr (kW > 1) {
    if (wide) return *reinterpret_cast<const Pack<T, kW>*>(p);
#pragma unroll
    for (int w = 0; w < kW; ++w) v.of[w] = p[w];
  } else {
    v.of[0] = p[0];
  }
  return v;
}
template <int kW, class T>
__device__ __forceinline__ void put_pack(T* p, const Pack<T, kW>& v, bool wide) {
  if constexpr (kW > 1) {
    if (wide) {
      *reinterpret_cast<Pack<T, kW>*>(p) = v;
      return;
    }
#pragma unroll
    for (int w = 0; w < kW; ++w) p[w] = v.of[w];
  } else {
    p[0] = v.of[0];
  }
}

template <class T_, int kSize, int kPacks, int kWidth>
struct RowShape {
  using T = T_;
  static constexpr int size = kSize;    // threads of a row
  static constexpr int packs = kPacks;  // of a thread, in registers; 0: none
  static constexpr int w = kWidth;
  static constexpr bool held = kPacks > 0;
  static constexpr bool block = kSize > kWarp;  // else several rows share a block
  static constexpr int threads = block ? kSize : kThreads;
  static constexpr int rows = threads / kSize;  // of a block at a time
};

template <class T, int kW, class Fn>
void with_row_shape_of(int64_t cols, const Fn& fn) {
  if (cols <= 32) return fn(RowShape<T, 8, 4 / kW, kW>{});
  if (cols <= 256) return fn(RowShape<T, 32, 8 / kW, kW>{});
  if (cols <= 1024) return fn(RowShape<T, 32, 32 / kW, kW>{});
  if (cols <= 8192) return fn(RowShape<T, 512, 16 / kW, kW>{});
  fn(RowShape<T, 512, 0, kW>{});
}
// fn(shape) for rows of `cols` elements that are held between passes
template <class T, class Fn>
void with_row_shape(int64_t cols, const Fn& fn) {
  if (cols % kPackWidth<T> == 0)
    with_row_shape_of<T, kPackWidth<T>>(cols, fn);
  else
    with_row_shape_of<T, 1>(cols, fn);
}

// fn(row, live) for this thread's rows. All groups of a warp come as often as each other, for their lanes' exchanges:
// where `live` is false there is no row.
template <class Shape, class Fn>
__device__ __forceinline__ void each_row(int64_t rows, const Fn& fn) {
  const int64_t step = int64_t{gridDim.x} * Shape::rows;
  for (int64_t base = int64_t{blockIdx.x} * Shape::rows; base < rows; base += step) {
    const int64_t r = base + (Shape::block ? 0 : threadIdx.x / Shape::size);
    fn(r, r < rows);
  }
}
template <class Shape>
__device__ __forceinline__ int row_lane() {
  return static_cast<int>(threadIdx.x % Shape::size);
}

// fn(k, i) for each pack of this thread: k its number where packs are held, i its first element
template <class Shape, class Fn>
__device__ __forceinline__ void each_pack(int64_t cols, const Fn& fn) {
  if constexpr (Shape::held) {
#pragma unroll
    for (int k = 0; k < Shape::packs; ++k) {
      const int i = (k * Shape::size + row_lane<Shape>()) * Shape::w;
      if (i < cols) fn(k, i);
    }
  } else {
#pragma unroll 4
    for (int64_t i = int64_t{row_lane<Shape>()} * Shape::w; i < cols; i += Shape::size * Shape::w) fn(0, i);
  }
}

// A row's elements that are this thread's.
template <class Shape>
struct RowData {
  using T = typename Shape::T;
  const T* p;
  bool wide;
  Pack<T, Shape::w> v[Shape::held ? Shape::packs : 1];
  __device__ __forceinline__ RowData(const T* row, int64_t cols, bool wide_) : p(row), wide(wide_) {
    if constexpr (Shape::held)
      each_pack<Shape>(cols, [&](int k, int64_t i) { v[k] = get_pack<Shape::w>(p + i, wide); });
  }
  __device__ __forceinline__ Pack<T, Shape::w> at(int k, int64_t i) const {
    if constexpr (Shape::held) return v[k];
    return get_pack<Shape::w>(p + i, wide);
  }
};

struct Add {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};

// What the threads of a row tell each other. Every thread gets the result, the same bits.
template <class T>
struct GroupMemory {
  T slot[2][kWarp];  // in turns, so that one barrier a reduction is enough
};
template <class Shape>
struct Group {
  using T = typename Shape::T;
  int turn = 0;
  template <class Fold>
  __device__ __forceinline__ T fold(T v, T none, const Fold& fold_) {
#pragma unroll
    for (int d = (Shape::block ? kWarp : Shape::size) / 2; d > 0; d /= 2)
      v = fold_(v, __shfl_xor_sync(0xffffffffu, v, d));
    if constexpr (Shape::block) {
      T* const slot = smem<GroupMemory<T>>().slot[turn];
      turn ^= 1;
      if (threadIdx.x % kWarp == 0) slot[threadIdx.x / kWarp] = v;
      __syncthreads();
      v = threadIdx.x % kWarp < Shape::size / kWarp ? slot[threadIdx.x % kWarp] : none;
#pragma unroll
      for (int d = kWarp / 2; d > 0; d /= 2) v = fold_(v, __shfl_xor_sync(0xffffffffu, v, d));
    }
    return v;
  }
  __device__ __forceinline__ T sum(T v) { return fold(v, T(0), Add{}); }
  __device__ __forceinline__ T max(T v) { return fold(v, static_cast<T>(-INFINITY), Larger{}); }
};
template <class Shape>
inline constexpr size_t kGroupBytes = Shape::block ? sizeof(GroupMemory<typename Shape::T>) : 0;

// Starts kernel(args...), whose rows are shaped so.
template <class Shape, class... E, class... A>
void start_rows(Stream stream, int64_t rows, void (*kernel)(E...), A... args) {
  if (rows <= 0) return;
  start(stream, kernel, blocks_for(rows, Shape::rows), dim3(Shape::threads), kGroupBytes<Shape>, args...);
}

}  // namespace
}  // namespace pl::cuda
