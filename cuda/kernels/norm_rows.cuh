// Layer and RMS normalisation: the statistics of each row of x (rows, n); the walk over rows in rows.cuh.
//
//   forward   mean = x[0] + mean(x - x[0]), which loses nothing where all elements are far from 0; var = mean((x -
//             mean)^2), a second pass over registers; then the result.
//   backward  g = dy act'(z), h = g gamma, t = (x - mean) rstd:
//             dx = rstd (h - mean(h) - t mean(h t)),  dgamma = sum_rows(g t),  dbeta = sum_rows(g)
//
// The backward pass cuts the rows into chunks, a block each, whose number depends on the shape alone. A thread meets the
// same columns in every row and sums their g and g t in registers, groups of a block are added in shared memory, blocks
// through the workspace (chunks, 2, n). It holds fewer elements a thread than the forward pass: of x and dy, and both sums.
#pragma once
#include "kernels/columns.cuh"
#include "kernels/norm.h"
#include "kernels/rows.cuh"
// after rows.cuh, which knows what a __device__ is
#include "kernels/norm_activation.h"

namespace pl::cuda {
namespace {

template <class T, int kW>
__device__ __forceinline__ Pack<T, kW> get_pack_or(const T* p, int64_t i, T otherwise, bool wide) {
  if (p) return get_pack<kW>(p + i, wide);
  Pack<T, kW> v;
#pragma unroll
  for (int w = 0; w < kW; ++w) v.of[w] = otherwise;
  return v;
}

template <class Shape>
__global__ void __launch_bounds__(Shape::threads) row_norm_rows(RowNormArgs a, bool wide) {
  using T = typename Shape::T;
  Group<Shape> group;
  const T* const gamma = static_cast<const T*>(a.gamma);
  const T* const beta = static_cast<const T*>(a.beta);
  each_row<Shape>(a.rows, [&](int64_t r, bool live) {
    const int64_t n = live ? a.n : 0;
    const RowData<Shape> x(static_cast<const T*>(a.x) + r * a.n, n, wide);
    T mean = 0;
    if (!a.rms) {
      const T shift = live ? x.p[0] : T(0);
      T sum = 0;
      each_pack<Shape>(n, [&](int k, int64_t i) {
        const auto v = x.at(k, i);
#pragma unroll
        for (int w = 0; w < Shape::w; ++w) sum += v.of[w] - shift;
      });
      mean = shift + group.sum(sum) / static_cast<T>(a.n);
    }
    T squares = 0;
    each_pack<Shape>(n, [&](int k, int64_t i) {
      const auto v = x.at(k, i);
#pragma unroll
      for (int w = 0; w < Shape::w; ++w) squares = fma_(v.of[w] - mean, v.of[w] - mean, squares);
    });
    const T rstd = T(1) / sqrt_(group.sum(squares) / static_cast<T>(a.n) + static_cast<T>(a.epsilon));
    if (live && row_lane<Shape>() == 0) {
      if (!a.rms) static_cast<T*>(a.mean)[r] = mean;
      static_cast<T*>(a.rstd)[r] = rstd;
    }
    if (!a.y) return;
    T* const y = static_cast<T*>(a.y) + r * a.n;
    with_activation(a.activation, [&](auto follow) {
      each_pack<Shape>(n, [&](int k, int64_t i) {
        auto v = x.at(k, i);
        const auto scale = get_pack_or<T, Shape::w>(gamma, i, T(1), wide);
        const auto offset = get_pack_or<T, Shape::w>(beta, i, T(0), wide);
#pragma unroll
        for (int w = 0; w < Shape::w; ++w)
          v.of[w] = activated<decltype(follow)::value>(
              fma_((v.of[w] - mean) * rstd, scale.of[w], offset.of[w]), a.activation);
        put_pack<Shape::w>(y + i, v, wide);
      });
    });
  });
}

void row_norm_forward(Stream stream, const RowNormArgs& a) {
  with_float(a.dtype, [&](auto type) {
    with_row_shape<decltype(type)>(a.n, [&](auto shape) {
      using Shape = decltype(shape);
      start_rows<Shape>(stream, a.rows, row_norm_rows<Shape>, a, wide_access(a.x, a.y, a.gamma, a.beta));
    });
  });
}

// fn(shape) for the backward pass
template <class T, int kW, class Fn>
void with_backward_shape_of(int64_t n, const Fn& fn) {
  if (n <= 32) return fn(RowShape<T, 8, 4 / kW, kW>{});
  if (n <= 256) return fn(RowShape<T, 32, 8 / kW, kW>{});
  if (n <= 1024) return fn(RowShape<T, 128, 8 / kW, kW>{});
  if (n <= 4096) return fn(RowShape<T, 512, 8 / kW, kW>{});
  fn(RowShape<T, 512, 0, kW>{});
}
template <class T, class Fn>
void with_backward_shape(int64_t n, const Fn& fn) {
  if (n % kPackWidth<T> == 0)
    with_backward_shape_of<T, kPackWidth<T>>(n, fn);
  else
    with_backward_shape_of<T, 1>(n, fn);
}

inline constexpr int64_t kMostRowChunks = 792;  // six blocks on each of 132 multiprocessors
template <class Shape>
int64_t chunk_rows(int64_t rows) {
  return (rows + Shape::rows * kMostRowChunks - 1) / (Shape::rows * kMostRowChunks) * Shape::rows;
}
template <class Shape>
int64_t row_chunks(int64_t rows) {
  return rows <= 0 ? 0 : (rows + chunk_rows<Shape>(rows) - 1) / chunk_rows<Shape>(rows);
}

// Where the groups of a block leave their sums.
template <class Shape>
struct RowSums {
  static constexpr int columns = Shape::held && !Shape::block ? Shape::size * Shape::packs * Shape::w : 1;
  typename Shape::T of[Shape::rows][2][columns];
};

template <class Shape>
__global__ void __launch_bounds__(Shape::threads)
    row_norm_backward_rows(RowNormBackwardArgs a, int64_t chunk, bool wide) {
  using T = typename Shape::T;
  constexpr int kW = Shape::w;
  Group<Shape> group;
  const T* const gamma = static_cast<const T*>(a.gamma);
  const T* const beta = static_cast<const T*>(a.beta);
  const bool sums = a.dgamma || a.dbeta;
  T* const partial = static_cast<T*>(a.work) + int64_t{blockIdx.x} * 2 * a.n;
  const T share = T(1) / static_cast<T>(a.n);
  const int64_t from = int64_t{blockIdx.x} * chunk, to = from + chunk < a.rows ? from + chunk : a.rows;
  Pack<T, kW> sum_g[Shape::held ? Shape::packs : 1] = {}, sum_gt[Shape::held ? Shape::packs : 1] = {};
  for (int64_t base = from; base < to; base += Shape::rows) {
    const int64_t r = base + (Shape::block ? 0 : threadIdx.x / Shape::size);
    const int64_t n = r < to ? a.n : 0;
    RowData<Shape> x(static_cast<const T*>(a.x) + r * a.n, n, wide);
    RowData<Shape> dy(static_cast<const T*>(a.dy) + r * a.n, n, wide);
    const T mean = n && !a.rms ? static_cast<const T*>(a.mean)[r] : T(0);
    const T rstd = n ? static_cast<const T*>(a.rstd)[r] : T(0);
    // t and g of a pack, in the places of x and dy
    const auto terms = [&](int64_t i, Pack<T, kW>& t, Pack<T, kW>& g) {
#pragma unroll
      for (int w = 0; w < kW; ++w) t.of[w] = (t.of[w] - mean) * rstd;
      if (a.activation == Activation::none) return;
      const auto scale = get_pack_or<T, kW>(gamma, i, T(1), wide);
      const auto offset = get_pack_or<T, kW>(beta, i, T(0), wide);
      with_activation(a.activation, [&](auto follow) {
#pragma unroll
        for (int w = 0; w < kW; ++w)
          g.of[w] = through_activation<decltype(follow)::value>(
              g.of[w], fma_(t.of[w], scale.of[w], offset.of[w]), a.activation);
      });
    };
    T mean_h = 0, mean_ht = 0;
    each_pack<Shape>(n, [&](int k, int64_t i) {
      auto t = x.at(k, i), g = dy.at(k, i);
      terms(i, t, g);
      const auto scale = get_pack_or<T, kW>(gamma, i, T(1), wide);
#pragma unroll
      for (int w = 0; w < kW; ++w) {
        const T h = g.of[w] * scale.of[w];
        mean_h += h;
        mean_ht = fma_(h, t.of[w], mean_ht);
      }
      if constexpr (Shape::held) {
        x.v[k] = t;
        dy.v[k] = g;
      }
    });
    if (a.dx) {
      mean_h = a.rms ? T(0) : group.sum(mean_h) * share;
      mean_ht = group.sum(mean_ht) * share;
    }
    T* const dx = static_cast<T*>(a.dx) + r * a.n;
    each_pack<Shape>(n, [&](int k, int64_t i) {
      auto t = x.at(k, i), g = dy.at(k, i);
      if constexpr (Shape::held) {
#pragma unroll
        for (int w = 0; w < kW; ++w) {
          sum_g[k].of[w] += g.of[w];
          sum_gt[k].of[w] = fma_(g.of[w], t.of[w], sum_gt[k].of[w]);
        }
      } else {
        terms(i, t, g);
        if (sums) {  // of long rows the sums stay in the workspace, each thread's own
#pragma unroll
          for (int w = 0; w < kW; ++w) {
            T* const own = partial + i + w;
            own[0] = base == from ? g.of[w] : own[0] + g.of[w];
            own[a.n] = base == from ? g.of[w] * t.of[w] : fma_(g.of[w], t.of[w], own[a.n]);
          }
        }
      }
      if (!a.dx) return;
      const auto scale = get_pack_or<T, kW>(gamma, i, T(1), wide);
#pragma unroll
      for (int w = 0; w < kW; ++w) g.of[w] = (fma_(g.of[w], scale.of[w], -mean_h) - t.of[w] * mean_ht) * rstd;
      put_pack<kW>(dx + i, g, wide);
    });
  }
  if constexpr (Shape::held) {
    if (!sums) return;
    if constexpr (Shape::block) {
      each_pack<Shape>(a.n, [&](int k, int64_t i) {
#pragma unroll
        for (int w = 0; w < kW; ++w) {
          partial[i + w] = sum_g[k].of[w];
          partial[a.n + i + w] = sum_gt[k].of[w];
        }
      });
    } else {
      auto& shared = smem<RowSums<Shape>>().of;
      each_pack<Shape>(a.n, [&](int k, int64_t i) {
#pragma unroll
        for (int w = 0; w < kW; ++w) {
          shared[threadIdx.x / Shape::size][0][i + w] = sum_g[k].of[w];
          shared[threadIdx.x / Shape::size][1][i + w] = sum_gt[k].of[w];
        }
      });
      __syncthreads();
      const int n = static_cast<int>(a.n);
      for (int j = static_cast<int>(threadIdx.x); j < 2 * n; j += Shape::threads) {
        T sum = 0;
        for (int of = 0; of < Shape::rows; ++of) sum += shared[of][j / n][j % n];
        partial[j] = sum;
      }
    }
  }
}

// dbeta and dgamma from the chunks' sums
template <class T>
struct RowGradients {
  struct State {
    double g, gt;
  };
  const T* partial;  // (chunks, 2, n)
  int64_t n;
  T *dgamma, *dbeta;
  __device__ __forceinline__ void take(State& s, int64_t, int64_t k, int64_t j) const {
    s.g += static_cast<double>(partial[2 * k * n + j]);
    s.gt += static_cast<double>(partial[(2 * k + 1) * n + j]);
  }
  __device__ __forceinline__ void join(State& s, const State& other) const {
    s.g += other.g;
    s.gt += other.gt;
  }
  __device__ __forceinline__ void put(int64_t, int64_t j, const State& s) const {
    if (dbeta) dbeta[j] = static_cast<T>(s.g);
    if (dgamma) dgamma[j] = static_cast<T>(s.gt);
  }
};

void row_norm_backward_pass(Stream stream, const RowNormBackwardArgs& a) {
  with_float(a.dtype, [&](auto type) {
    using T = decltype(type);
    with_backward_shape<T>(a.n, [&](auto shape) {
      using Shape = decltype(shape);
      const int64_t chunks = row_chunks<Shape>(a.rows);
      if (chunks > 0)
        start(stream, row_norm_backward_rows<Shape>, dim3(static_cast<unsigned>(chunks)),
              dim3(Shape::threads), Shape::block ? kGroupBytes<Shape> : sizeof(RowSums<Shape>), a,
              chunk_rows<Shape>(a.rows), wide_access(a.x, a.dy, a.dx, a.gamma, a.beta));
      if (a.dgamma || a.dbeta)
        start_columns(stream,
                      RowGradients<T>{static_cast<const T*>(a.work), a.n, static_cast<T*>(a.dgamma),
                                      static_cast<T*>(a.dbeta)},
                      1, chunks, a.n);
    });
  });
}

int64_t row_norm_workspace(int64_t rows, int64_t n, DType dtype) {
  int64_t bytes = 0;
  with_float(dtype, [&](auto type) {
    using T = decltype(type);
    with_backward_shape<T>(
        n, [&](auto shape) { bytes = row_chunks<decltype(shape)>(rows) * 2 * n * int64_t{sizeof(T)}; });
  });
  return bytes;
}

}  // namespace
}  // namespace pl::cuda
