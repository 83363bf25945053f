// Resizing: y[n,p,q,c] = the blend of up to 2 x 2 pixels of x, whose places and weights the op has put into tables.
//
// A thread makes 16 bytes of channels of one pixel of what is written (one element where channels do not come in 16
// bytes): neighbouring threads read and write neighbouring channels, then pixels. The gradient is in gather form, each
// pixel of dx from the outputs that read it, in their order, so it needs no atomics. Sums, and their bits, as on the CPU.
#include "kernels/resize.h"

#include "kernels/pack.cuh"
#include "kernels/resize_taps.h"

namespace pl::cuda {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(const __grid_constant__ ResizeArgs a, const __grid_constant__ Places<N> places) {
  const T* const x = static_cast<const T*>(a.in);
  T* const y = static_cast<T*>(a.out);
  const int64_t row = a.w.size * a.c, packs = a.n * a.h.out * a.w.out * (a.c / N);
  for (int64_t e = first(); e < packs; e += stride()) {
    const Place o = places.at(e);
    const ResizeTap rows = a.h.taps[o.h], columns = a.w.taps[o.w];
    const T* const from = x + o.image * a.h.size * row + o.c;
    const T* const top = from + rows.low * row;
    const T* const bottom = from + rows.high * row;
    const int64_t left = columns.low * a.c, right = columns.high * a.c;
    if (a.nearest) {
      store(y + e * N, load<N>(top + left));
      continue;
    }
    const T lower = static_cast<T>(rows.weight), along = static_cast<T>(columns.weight);
    const T upper = T(1) - lower, back = T(1) - along;
    const Pack<T, N> tl = load<N>(top + left), tr = load<N>(top + right), bl = load<N>(bottom + left),
                     br = load<N>(bottom + right);
    Pack<T, N> v;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T above = tl.at[k] * back + tr.at[k] * along;
      const T below = bl.at[k] * back + br.at[k] * along;
      v.at[k] = above * upper + below * lower;
    }
    store(y + e * N, v);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads, 4)
    backward(const __grid_constant__ ResizeArgs a, const __grid_constant__ Places<N> places) {
  const T* const dy = static_cast<const T*>(a.in);
  T* const dx = static_cast<T*>(a.out);
  const int64_t packs = a.n * a.h.size * a.w.size * (a.c / N);
  for (int64_t e = first(); e < packs; e += stride()) {
    const Place i = places.at(e);
    const Readers rows = readers(a.h, a.nearest, i.h), columns = readers(a.w, a.nearest, i.w);
    Pack<T, N> sum = {};
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      const double down = share(a.h.taps[p], i.h);
      const T* const from = dy + (i.image * a.h.out + p) * a.w.out * a.c + i.c;
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const T weight = static_cast<T>(down * share(a.w.taps[q], i.w));
        const Pack<T, N> g = load<N>(from + q * a.c);
#pragma unroll
        for (int k = 0; k < N; ++k) sum.at[k] = fma_(g.at[k], weight, sum.at[k]);
      }
    }
    store(dx + e * N, sum);
  }
}

void resize_forward(Stream stream, const ResizeArgs& a) {
  const int64_t elements = a.n * a.h.out * a.w.out * a.c;
  if (elements == 0) return;
  with_float(a.dtype, [&](auto t) {
    using T = decltype(t);
    with_pack<T>(
        a.c,
        [&](auto n) {
          start(stream, forward<T, n()>, blocks_for(elements / n()), kThreads, 0, a,
                Places<n()>(a.h.out, a.w.out, a.c));
        },
        a.in, a.out);
  });
}
void resize_backward(Stream stream, const ResizeArgs& a) {
  const int64_t elements = a.n * a.h.size * a.w.size * a.c;
  if (elements == 0) return;
  with_float(a.dtype, [&](auto t) {
    using T = decltype(t);
    with_pack<T>(
        a.c,
        [&](auto n) {
          start(stream, backward<T, n()>, blocks_for(elements / n()), kThreads, 0, a,
                Places<n()>(a.h.size, a.w.size, a.c));
        },
        a.in, a.out);
  });
}

}  // namespace

extern const ResizeKernels resize;
const ResizeKernels resize = {
    .resize = resize_forward,
    .resize_backward = resize_backward,
};

}  // namespace pl::cuda
