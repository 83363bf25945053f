// Resizing: y[n,p,q,c] = the blend of up to 2 x 2 pixels of x, whose places and weights the op has put into tables.
//
// Parallel over pixels of what is written; the gradient is in gather form, each pixel of dx from the outputs that
// read it, in their order.
#include "kernels/resize.h"

#include "kernels/pixels.h"
#include "kernels/resize_taps.h"

namespace pl::PL_ISA {
namespace {

template <class T>
void forward(const ResizeArgs& a) {
  const T* x = static_cast<const T*>(a.in);
  T* y = static_cast<T*>(a.out);
  over_pixels(a.n, a.h.out, a.w.out, a.c, a.c,
              [&](int64_t image, int64_t p, int64_t q0, int64_t q1, int64_t c0, int64_t c1) {
                const ResizeTap rows = a.h.taps[p];
                const T* top = x + (image * a.h.size + rows.low) * a.w.size * a.c;
                const T* bottom = x + (image * a.h.size + rows.high) * a.w.size * a.c;
                const T down = static_cast<T>(rows.weight);
                T* to = y + (image * a.h.out + p) * a.w.out * a.c;
                for (int64_t q = q0; q < q1; ++q) {
                  const ResizeTap cols = a.w.taps[q];
                  const int64_t left = cols.low * a.c, right = cols.high * a.c;
                  const vec<T> lower = broadcast(down), upper = broadcast(T(1) - down);
                  const vec<T> along = broadcast(static_cast<T>(cols.weight));
                  const vec<T> back = broadcast(T(1) - static_cast<T>(cols.weight));
                  over_channels<T>(c0, c1, [&](int64_t c, auto vectors, auto access) {
                    for (int v = 0; v < decltype(vectors)::count; ++v, c += width<T>) {
                      if (a.nearest) {
                        access.write(to + q * a.c + c, access.read(top + left + c));
                        continue;
                      }
                      const vec<T> above =
                          access.read(top + left + c) * back + access.read(top + right + c) * along;
                      const vec<T> below =
                          access.read(bottom + left + c) * back + access.read(bottom + right + c) * along;
                      access.write(to + q * a.c + c, above * upper + below * lower);
                    }
                  });
                }
              });
}

template <class T>
void backward(const ResizeArgs& a) {
  const T* dy = static_cast<const T*>(a.in);
  T* dx = static_cast<T*>(a.out);
  const int64_t repeats = (a.h.out / a.h.size + 1) * (a.w.out / a.w.size + 1);
  over_pixels(a.n, a.h.size, a.w.size, a.c, a.c * repeats,
              [&](int64_t image, int64_t h, int64_t w0, int64_t w1, int64_t c0, int64_t c1) {
                const Readers rows = readers(a.h, a.nearest, h);
                for (int64_t w = w0; w < w1; ++w) {
                  const Readers cols = readers(a.w, a.nearest, w);
                  T* to = dx + ((image * a.h.size + h) * a.w.size + w) * a.c;
                  over_channels<T>(c0, c1, [&](int64_t c, auto vectors, auto access) {
                    constexpr int count = decltype(vectors)::count;
                    vec<T> sum[count] = {};
                    for (int64_t p = rows.begin; p < rows.end; ++p) {
                      const double down = share(a.h.taps[p], h);
                      const T* from = dy + (image * a.h.out + p) * a.w.out * a.c + c;
                      for (int64_t q = cols.begin; q < cols.end; ++q) {
                        const vec<T> weight = broadcast(static_cast<T>(down * share(a.w.taps[q], w)));
                        for (int v = 0; v < count; ++v)
                          sum[v] = fma_(access.read(from + q * a.c + v * width<T>), weight, sum[v]);
                      }
                    }
                    for (int v = 0; v < count; ++v) access.write(to + c + v * width<T>, sum[v]);
                  });
                }
              });
}

void resize_forward(Stream, const ResizeArgs& a) {
  return a.dtype == DType::float32 ? forward<float>(a) : forward<double>(a);
}
void resize_backward(Stream, const ResizeArgs& a) {
  return a.dtype == DType::float32 ? backward<float>(a) : backward<double>(a);
}

}  // namespace

extern const ResizeKernels resize;
const ResizeKernels resize = {
    .resize = resize_forward,
    .resize_backward = resize_backward,
};

}  // namespace pl::PL_ISA
