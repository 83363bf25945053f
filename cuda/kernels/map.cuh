// y[i] = f(x0[i], x1[i], ...) over strided N-d arrays: the one loop of all elementwise kernels.
//
// A Box is a loop nest over operands, the output first. On the host it is brought to a form that moves whole memory
// sectors, then run as one launch (rarely more):
//   packs     the last dimension is contiguous (or repeated) in every operand and aligned: 16 bytes of the widest
//             operand a thread at once; cheap functions two of these, both loaded before the first is stored
//   tiles     an operand runs along another dimension than the last: these two are cut into kSide x kSide tiles (two
//             dimensions more), so that a block reads and writes whole sectors of every operand
//   the rest  element by element, neighbours in the last dimension by neighbouring threads
//   halves    of the largest dimension, until a launch has at most kMost steps: positions are then divided in 32 bits
//             by multiplication, while offsets stay 64 bits wide
// The parallel axis is the flat position, in grid strides, by blocks of 256 threads: most functions need at most 32
// registers, so that a multiprocessor is full. Contiguous operands have one dimension left: nothing is divided there.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/elements.h"
#include "kernels/elementwise.h"
#include "kernels/math.h"
#include "launch.h"

namespace pl::cuda {
namespace {

constexpr int kDims = kMaxDims + 2;  // two more for tiles
constexpr int64_t kMost = int64_t{1} << 30;

struct Operand {
  char* p;
  int size;               // of an element, bytes
  int64_t stride[kDims];  // elements
};

template <int K>
struct Box {
  int ndim;
  int64_t shape[kDims];
  Operand op[K];

  int64_t count() const {
    int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= shape[d];
    return n;
  }
  // Positions [from, from + n) of dimension d.
  Box part(int d, int64_t from, int64_t n) const {
    Box b = *this;
    b.shape[d] = n;
    for (auto& o : b.op) o.p += from * o.stride[d] * o.size;
    return b;
  }
};

template <int K, class Args>
void set_shape(Box<K>& b, const Args& a) {
  b.ndim = a.ndim;
  for (int d = 0; d < a.ndim; ++d) b.shape[d] = a.shape[d];
}
inline void set_operand(Operand& o, const void* p, size_t size, const int64_t* stride, int ndim) {
  o.p = static_cast<char*>(const_cast<void*>(p));
  o.size = static_cast<int>(size);
  for (int d = 0; d < ndim; ++d) o.stride[d] = stride[d];
}

template <int K>
void drop_ones(Box<K>& b) {
  int kept = 0;
  for (int d = 0; d < b.ndim; ++d) {
    if (b.shape[d] == 1) continue;
    b.shape[kept] = b.shape[d];
    for (auto& o : b.op) o.stride[kept] = o.stride[d];
    ++kept;
  }
  b.ndim = kept;
}

// ---- tiles ----

// Elements on the side of a tile: at least 16, and one sector of device memory (32 bytes).
template <int K>
int64_t tile_side(const Box<K>& b) {
  for (const auto& o : b.op)
    if (o.size == 1) return 32;
  return 16;
}

// The dimension along which an operand is contiguous that takes long steps along the last one; or -1.
template <int K>
int crossed_dimension(const Box<K>& b) {
  const int last = b.ndim - 1;
  const int64_t side = tile_side(b);
  if (last < 1 || b.shape[last] < side) return -1;
  for (const auto& o : b.op) {
    const int64_t s = o.stride[last];
    if (-8 < s && s < 8) continue;
    for (int d = 0; d < last; ++d)
      if (o.stride[d] == 1 && b.shape[d] >= side) return d;
  }
  return -1;
}

// (..., C, ..., L) becomes (..., C / side, ..., L / side, side, side); both are multiples of side.
template <int K>
Box<K> as_tiles(const Box<K>& from, int d, int64_t side) {
  Box<K> b = from;
  const int last = b.ndim - 1;
  b.ndim += 2;
  b.shape[d] /= side;
  b.shape[last] /= side;
  b.shape[last + 1] = b.shape[last + 2] = side;
  for (auto& o : b.op) {
    o.stride[last + 1] = o.stride[d];
    o.stride[last + 2] = o.stride[last];
    o.stride[d] *= side;
    o.stride[last] *= side;
  }
  return b;
}

// ---- packs ----

template <int bytes>
struct alignas(bytes) Raw {
  uint32_t word[bytes / 4];
};
template <>
struct Raw<2> {
  uint16_t half;
};
template <>
struct Raw<1> {
  uint8_t byte;
};

// n neighbouring elements, moved as one word.
template <class T, int n>
struct Pack {
  T v[n];
  using Word = Raw<sizeof(T) * n>;
  __device__ __forceinline__ void load(const char* p) {
    const Word w = *reinterpret_cast<const Word*>(p);
    memcpy(v, &w, sizeof v);
  }
  __device__ __forceinline__ void store(char* p) const {
    Word w;
    memcpy(&w, v, sizeof v);
    *reinterpret_cast<Word*>(p) = w;
  }
};

template <int K>
bool can_pack(const Box<K>& b, int64_t pack) {
  const int last = b.ndim - 1;
  if (last < 0 || pack == 1 || b.shape[last] < pack || (b.ndim > 1 && b.shape[last] % pack != 0))
    return false;
  for (const auto& o : b.op) {
    if (o.stride[last] == 0 && &o != &b.op[0]) continue;
    if (o.stride[last] != 1 || reinterpret_cast<uintptr_t>(o.p) % static_cast<uintptr_t>(o.size * pack) != 0)
      return false;
    for (int d = 0; d < last; ++d)
      if (o.stride[d] % pack != 0) return false;
  }
  return true;
}

// ---- the kernel ----

// n / d for n < 2^31, d > 0 (Granlund and Montgomery 1994).
struct Divider {
  uint32_t divisor, factor, shift;
  __device__ __forceinline__ uint32_t operator()(uint32_t n) const {
    return (static_cast<uint32_t>(uint64_t{n} * factor >> 32) + n) >> shift;
  }
};
inline Divider divider(int64_t d) {
  uint32_t shift = 0;
  while ((int64_t{1} << shift) < d) ++shift;
  const uint64_t factor =
      ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - static_cast<uint64_t>(d))) / static_cast<uint64_t>(d) +
      1;
  return {static_cast<uint32_t>(d), static_cast<uint32_t>(factor), shift};
}

// A Box as the kernel wants it: positions count packs, strides bytes.
template <int K>
struct Nest {
  uint32_t n;
  int32_t ndim;
  uint32_t tail;          // elements behind the last pack; of one dimension only
  bool repeated[K];       // the last stride is 0
  Divider divide[kDims];  // that of dimension 0 is not used
  int64_t stride[K][kDims];
  char* p[K];

  __device__ __forceinline__ void locate(uint32_t i, char* (&at)[K]) const {
#pragma unroll
    for (int k = 0; k < K; ++k) at[k] = p[k];
#pragma unroll 1
    for (int d = ndim - 1; d > 0; --d) {
      const uint32_t q = divide[d](i);
      const int64_t index = i - q * divide[d].divisor;
      i = q;
#pragma unroll
      for (int k = 0; k < K; ++k) at[k] += index * stride[k][d];
    }
#pragma unroll
    for (int k = 0; k < K; ++k) at[k] += int64_t{i} * stride[k][0];
  }
};

template <int pack, class X>
__device__ __forceinline__ Pack<X, pack> take(const char* p, bool repeated) {
  Pack<X, pack> x;
  if (pack > 1 && repeated) {
    Pack<X, 1> one;
    one.load(p);
#pragma unroll
    for (int j = 0; j < pack; ++j) x.v[j] = one.v[0];
  } else {
    x.load(p);
  }
  return x;
}

template <class Y, int pack, class F, class... X>
__device__ __forceinline__ Pack<Y, pack> apply(const F& f, const Pack<X, pack>&... x) {
  Pack<Y, pack> y;
#pragma unroll
  for (int j = 0; j < pack; ++j) y.v[j] = Y(f(x.v[j]...));
  return y;
}

template <int pack, bool twice, class F, class Y, class... X, size_t... k>
__device__ __forceinline__ void map_steps(const Nest<1 + sizeof...(X)>& nest, const F& f,
                                          std::index_sequence<k...>) {
  constexpr int K = 1 + sizeof...(X);
  const uint32_t step = static_cast<uint32_t>(stride());
  uint32_t i = static_cast<uint32_t>(first());
  if (pack > 1 && i < nest.tail) {
    const int64_t j = int64_t{nest.n} * pack + i;
    apply<Y, 1>(f, take<1, X>(nest.p[k + 1] + (nest.repeated[k + 1] ? 0 : j * int64_t{sizeof(X)}), false)...)
        .store(nest.p[0] + j * int64_t{sizeof(Y)});
  }
  char *a[K], *b[K];
  if constexpr (twice) {
    for (; i + step < nest.n; i += 2 * step) {
      nest.locate(i, a);
      nest.locate(i + step, b);
      const auto y = apply<Y, pack>(f, take<pack, X>(a[k + 1], nest.repeated[k + 1])...);
      const auto z = apply<Y, pack>(f, take<pack, X>(b[k + 1], nest.repeated[k + 1])...);
      y.store(a[0]);
      z.store(b[0]);
    }
  }
  for (; i < nest.n; i += step) {
    nest.locate(i, a);
    apply<Y, pack>(f, take<pack, X>(a[k + 1], nest.repeated[k + 1])...).store(a[0]);
  }
}

template <int pack, bool twice, class F, class Y, class... X>
__global__ void __launch_bounds__(kThreads)
    map_kernel(const __grid_constant__ Nest<1 + sizeof...(X)> nest, const F f) {
  map_steps<pack, twice, F, Y, X...>(nest, f, std::index_sequence_for<X...>{});
}

// ---- starting it ----

// How the two kernels of a function are started: all that differs between functions of as many operands, so that the
// rest of the host code is compiled once for them.
template <int K>
struct Kernels {
  int pack;
  void (*start)(Stream, const Nest<K>&, bool packed, const void* function);
  const void* function;
};

template <int K>
Nest<K> nest_of(const Box<K>& b, int pack) {
  const int last = b.ndim - 1;
  Nest<K> nest = {};
  nest.n = static_cast<uint32_t>(b.count() / pack);
  nest.ndim = b.ndim;
  nest.tail = static_cast<uint32_t>(b.ndim == 1 ? b.shape[0] % pack : 0);
  for (int d = 0; d < b.ndim; ++d) nest.divide[d] = divider(d == last ? b.shape[d] / pack : b.shape[d]);
  for (int k = 0; k < K; ++k) {
    const Operand& o = b.op[k];
    nest.p[k] = o.p;
    nest.repeated[k] = b.ndim > 0 && o.stride[last] == 0;
    for (int d = 0; d < b.ndim; ++d) nest.stride[k][d] = o.stride[d] * o.size * (d == last ? pack : 1);
  }
  return nest;
}

// The whole of b by packs, or by elements.
template <int K>
void start_halves(Stream stream, const Box<K>& b, const Kernels<K>& kernels, bool packed) {
  const int pack = packed ? kernels.pack : 1;
  if (b.count() == 0) return;
  if (b.count() / pack <= kMost) return kernels.start(stream, nest_of(b, pack), packed, kernels.function);
  int d = 0;
  for (int i = 1; i < b.ndim; ++i)
    if (b.shape[i] > b.shape[d]) d = i;
  const int64_t half = b.shape[d] / 2 / pack * pack;
  start_halves(stream, b.part(d, 0, half), kernels, packed);
  start_halves(stream, b.part(d, half, b.shape[d] - half), kernels, packed);
}

template <int K>
void start_box(Stream stream, Box<K> b, const Kernels<K>& kernels) {
  if (b.count() == 0) return;
  drop_ones(b);
  if (can_pack(b, kernels.pack)) return start_halves(stream, b, kernels, true);
  const int d = crossed_dimension(b), last = b.ndim - 1;
  if (d < 0) return start_halves(stream, b, kernels, false);
  // What is left of both dimensions behind the last whole tile runs row by row.
  const int64_t side = tile_side(b), rows = b.shape[d] / side * side, cols = b.shape[last] / side * side;
  start_halves(stream, as_tiles(b.part(d, 0, rows).part(last, 0, cols), d, side), kernels, false);
  start_halves(stream, b.part(last, cols, b.shape[last] - cols), kernels, false);
  start_halves(stream, b.part(d, rows, b.shape[d] - rows).part(last, 0, cols), kernels, false);
}

// y = f(x...), Y and X the types of the elements. Nothing if there are none. `twice`: two packs a step.
template <bool twice, class Y, class... X, class F>
void map(Stream stream, const Box<1 + sizeof...(X)>& b, const F& f) {
  constexpr int K = 1 + sizeof...(X);
  constexpr int pack = 16 / static_cast<int>(std::max({sizeof(Y), sizeof(X)...}));
  const auto start_one = [](Stream s, const Nest<K>& nest, bool packed, const void* function) {
    start(s, packed ? map_kernel<pack, twice, F, Y, X...> : map_kernel<1, false, F, Y, X...>,
          blocks_for(nest.n), dim3(kThreads), 0, nest, *static_cast<const F*>(function));
  };
  start_box<K>(stream, b, {pack, start_one, &f});
}

}  // namespace
}  // namespace pl::cuda
