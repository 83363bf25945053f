// What the matrix products share: tiles of the operands on their way into shared memory, and the epilogue.
//
// Shared memory holds op(A) and op(B) with k first, [k][row of A] and [k][column of B], whatever their layout in memory.
// A thread takes packs of 16 bytes (4 of bytes) along the operand's contiguous side into registers while the block still
// multiplies the tile before, and then writes them to shared memory; packs along k are turned on the way.
#pragma once
#include "launch.h"

#include "gemm_path.h"
#include "kernels/activate.h"
#include "kernels/ring.h"

namespace pl::cuda {
namespace {

template <class T>
constexpr int kPack = sizeof(T) == 8 ? 2 : 4;
template <class T>
struct alignas(sizeof(T) * kPack<T>) Pack {
  T x[kPack<T>];
};

// fma for float and double, the ring's operation for the others.
template <class T>
struct Field {
  using type = T;
  PL_INLINE static T multiply_add(T c, T a, T b) { return fma_(a, b, c); }
};

// X rows of op(A) (or columns of op(B)) by D steps of k.
template <class T, int X, int D, int Threads>
struct Staged {
  static constexpr int P = kPack<T>;
  static constexpr int kPacks = X * D / P / Threads;  // of a thread
  static_assert(X * D % (P * Threads) == 0);
  // Of a row in shared memory: eight words modulo 32, so that neither the turned writes below nor the fragments of the
  // tensor cores meet in a bank; with doubles at most two writes meet.
  static constexpr int kStride = X + (sizeof(T) == 8 ? 2 : 8);

  Pack<T> pack[kPacks];

  // p points to element (0,0); rows from x on, below x_end; steps from k on, below k_end.
  __device__ __forceinline__ void fetch(const T* p, int64_t ld, bool along_k, bool aligned, int64_t x,
                                        int64_t x_end, int64_t k, int64_t k_end) {
#pragma unroll
    for (int r = 0; r < kPacks; ++r) {
      const int q = static_cast<int>(threadIdx.x) + r * Threads;
      const int64_t row = x + (along_k ? q / (D / P) : q % (X / P) * P);
      const int64_t step = k + (along_k ? q % (D / P) * P : q / (X / P));
      const T* const at = p + (along_k ? row * ld + step : step * ld + row);
      const int64_t left = along_k ? (row < x_end ? k_end - step : 0) : (step < k_end ? x_end - row : 0);
      if (aligned && left >= P) {
        pack[r] = *reinterpret_cast<const Pack<T>*>(at);
      } else {
#pragma unroll
        for (int e = 0; e < P; ++e) pack[r].x[e] = e < left ? at[e] : T{};
      }
    }
  }

  __device__ __forceinline__ void put(T (&to)[D][kStride], bool along_k) const {
#pragma unroll
    for (int r = 0; r < kPacks; ++r) {
      const int q = static_cast<int>(threadIdx.x) + r * Threads;
      if (along_k) {
        // Element e + kq of the pack first, so that the lanes of a warp, which differ in kq, write to rows that differ
        // modulo P.
        const int row = q / (D / P), kq = q % (D / P);
        T x[P];
#pragma unroll
        for (int e = 0; e < P; ++e) x[e] = pack[r].x[e];
        rotate(x, kq);
#pragma unroll
        for (int e = 0; e < P; ++e) to[kq * P + (e + kq) % P][row] = x[e];
      } else {
        *reinterpret_cast<Pack<T>*>(&to[q / (X / P)][q % (X / P) * P]) = pack[r];
      }
    }
  }

  // x[e] = x[(e + by) % P] without an index known only at run time.
  __device__ __forceinline__ static void rotate(T (&x)[P], int by) {
#pragma unroll
    for (int bit = 1; bit < P; bit *= 2) {
      const bool on = (by & bit) != 0;
      T y[P];
#pragma unroll
      for (int e = 0; e < P; ++e) y[e] = on ? x[(e + bit) % P] : x[e];
#pragma unroll
      for (int e = 0; e < P; ++e) x[e] = y[e];
    }
  }
};

template <class T>
__device__ __forceinline__ bool packs_aligned(const T* p, int64_t ld) {
  return reinterpret_cast<uintptr_t>(p) % sizeof(Pack<T>) == 0 && ld % kPack<T> == 0;
}

// The place of a block: rows of tiles in groups, so that the blocks in flight share tiles of both operands in the
// second-level cache.
struct Place {
  int64_t row, column;  // of tiles
  int64_t batch;
  int split;
};
__device__ __forceinline__ Place place_of(int64_t block, int64_t rows, int64_t columns, int64_t batch) {
  constexpr int64_t kGroup = 8;
  const int64_t tiles = rows * columns, t = block % tiles, rest = block / tiles;
  const int64_t group = t / (kGroup * columns), first_row = group * kGroup;
  const int64_t height = rows - first_row < kGroup ? rows - first_row : kGroup, in = t - first_row * columns;
  return {first_row + in % height, in / height, rest % batch, static_cast<int>(rest / batch)};
}

// Where the sums of a block go: C with the epilogue, or a part of K's sums.
template <class T>
struct Target {
  T* c;
  int64_t ld;
  const T* residual;  // placed as c
  const T* bias;
  Activation activation;
  bool accumulate, mirrored;
};
template <class T>
__device__ __forceinline__ Target<T> target_of(const GemmArgs& g, int splits, int64_t batch, int split) {
  if (splits > 1)
    return {static_cast<T*>(g.work) + (split * g.batch + batch) * g.m * g.n,
            g.n,
            nullptr,
            nullptr,
            Activation::none,
            false,
            false};
  const T* const residual = static_cast<const T*>(g.residual);
  return {static_cast<T*>(g.c) + batch * g.batch_c,
          g.ldc,
          residual ? residual + batch * g.batch_c : nullptr,
          static_cast<const T*>(g.bias),
          g.activation,
          g.accumulate,
          g.symmetric};
}

// The value of C at its column j; `at` elements from the start of its matrix.
template <class R, class T>
__device__ __forceinline__ T finished(const Target<T>& t, T x, int64_t j, int64_t at) {
  if (t.accumulate) x = R::multiply_add(x, t.c[at], T{1});
  if (t.bias) x = R::multiply_add(x, t.bias[j], T{1});
  if constexpr (std::is_floating_point_v<T>) {
    if (t.residual) x += t.residual[at];
    x = activate(x, t.activation);
  }
  return x;
}

// Rows [i0, i0+Rows) and columns [j0, j0+Columns) of C from shared memory, a warp along a row. Of a symmetric C what lies
// below the diagonal is what lies above. The loop is not unrolled: the activations are long.
template <class R, int Rows, int Columns, int Threads, class T, int Stride>
__device__ __forceinline__ void write_rows(const Target<T>& t, const T (&from)[Rows][Stride], int64_t i0,
                                           int64_t j0, int64_t m, int64_t n) {
#pragma unroll 1
  for (int q = static_cast<int>(threadIdx.x); q < Rows * Columns; q += Threads) {
    const int64_t i = i0 + q / Columns, j = j0 + q % Columns;
    if (i < m && j < n && (!t.mirrored || i <= j))
      t.c[i * t.ld + j] = finished<R>(t, from[q / Columns][q % Columns], j, i * t.ld + j);
  }
  if (!t.mirrored) return;
#pragma unroll 1
  for (int q = static_cast<int>(threadIdx.x); q < Rows * Columns; q += Threads) {
    const int64_t i = i0 + q % Rows, j = j0 + q / Rows;
    if (i < j && j < n) t.c[j * t.ld + i] = from[q % Rows][q / Rows];
  }
}

// C from the sums of the parts, in their order.
template <class T>
__global__ void __launch_bounds__(kThreads) join_parts(GemmArgs g, int splits) {
  const int64_t size = g.m * g.n, all = g.batch * size;
  const T* const parts = static_cast<const T*>(g.work);
  for (int64_t q = first(); q < all; q += stride()) {
    const int64_t batch = q / size, i = q % size / g.n, j = q % g.n;
    if (g.symmetric && i > j) continue;
    T sum = parts[q];
    for (int s = 1; s < splits; ++s) sum += parts[s * all + q];
    const Target<T> t = target_of<T>(g, 1, batch, 0);
    t.c[i * t.ld + j] = finished<Field<T>>(t, sum, j, i * t.ld + j);
    if (g.symmetric) t.c[j * t.ld + i] = sum;
  }
}

}  // namespace
}  // namespace pl::cuda
