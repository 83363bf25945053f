// Plane rotations, found one after another by the QR iterations and applied to many rows later.
//
// A sweep of an iteration rotates rows (i, i+1), (i+1, i+2), ... up or down: the second row of a pair is the first of
// the next, so it is carried in registers. Sweeps are collected and then applied together to one narrow range of
// columns after another, which stays in the cache: parallel over those ranges.
#pragma once
#include "kernels/decomp_blocks.h"

namespace pl::PL_ISA {
namespace {

template <class T>
struct Rotation {
  T c, s;
};
// r = |(f, g)|: (c, s) turns (f, g) into (r, 0), c f + s g = r.
template <class T>
PL_INLINE Rotation<T> rotation(T f, T g, T& r) {
  if (g == 0) {
    r = f;
    return {1, 0};
  }
  if (f == 0) {
    r = g;
    return {0, 1};
  }
  constexpr T low = sizeof(T) == 4 ? T(1e-15) : T(1e-145);
  T up = 1;
  if (magnitude(f) < low && magnitude(g) < low) {
    up = T(1) / (low * low);
    f *= up;
    g *= up;
  }
  const T length = root(fma_(f, f, g * g));
  r = length / up;
  return {f / length, g / length};
}

// Row `first`, then `first + step`, ...: count rotations, at `offset` of the list.
struct Sweep {
  int64_t first, step, count, offset;
};

template <class T, int V>
PL_INLINE void rotate_range(const Sweep& sweep, const Rotation<T>* list, T* z, int64_t ld) {
  constexpr int W = width<T>;
  T* row = z + sweep.first * ld;
  const int64_t step = sweep.step * ld;
  vec<T> a[V];
#pragma GCC unroll 8
  for (int j = 0; j < V; ++j) a[j] = load(row + j * W);
  for (int64_t i = 0; i < sweep.count; ++i) {
    const vec<T> c = broadcast(list[i].c), s = broadcast(list[i].s);
    T* const next = row + step;
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) {
      const vec<T> b = load(next + j * W);
      store(row + j * W, fma_(c, a[j], s * b));
      a[j] = fma_(c, b, -(s * a[j]));
    }
    row = next;
  }
#pragma GCC unroll 8
  for (int j = 0; j < V; ++j) store(row + j * W, a[j]);
}

// Collects sweeps over the rows of z.
template <class T>
struct Sweeps {
  static constexpr int64_t kMostSweeps = 64;
  int64_t capacity;  // rotations
  Rotation<T>* list;
  T* z;  // rows to rotate, padded: whole vectors are read and written
  int64_t ld, columns;
  Sweep sweeps[kMostSweeps];
  int64_t count = 0, used = 0;

  Sweeps(Arena& arena, int64_t n, T* z, int64_t ld, int64_t columns)
      : capacity(larger(n, 1) * 16),
        list(arena.take<Rotation<T>>(capacity)),
        z(z),
        ld(ld),
        columns(columns) {}

  // A place for `n` rotations, at most those of one sweep over all rows.
  Rotation<T>* begin(int64_t first, int64_t step, int64_t n) {
    if (count == kMostSweeps || used + n > capacity) flush();
    sweeps[count++] = {first, step, n, used};
    used += n;
    return list + used - n;
  }
  void flush() {
    constexpr int64_t V = kPanelVectors, P = V * width<T>;
    const double per_column = 2.0 * static_cast<double>(used);
    for_columns<T>(0, columns, per_column, [&](int64_t from, int64_t to) {
      for (int64_t j = from; j < to; j += P)
        for (int64_t k = 0; k < count; ++k) {
          if (to - j >= P)
            rotate_range<T, V>(sweeps[k], list + sweeps[k].offset, z + j, ld);
          else
            for (int64_t i = j; i < to; i += width<T>)
              rotate_range<T, 1>(sweeps[k], list + sweeps[k].offset, z + i, ld);
        }
    });
    count = used = 0;
  }
};

// The sign that a vector gets: its first component of (nearly) the largest magnitude is positive. Nearly, so that
// rounding does not decide between components that are equal.
template <class T>
T sign_of(const T* x, int64_t n) {
  const T most = largest(x, n);
  for (int64_t i = 0; i < n; ++i)
    if (magnitude(x[i]) >= T(0.99) * most) return x[i] < 0 ? T(-1) : T(1);
  return 1;
}

// A factor (a power of two) that brings a matrix into the range where squares are safe: 1 nearly always. 0 when it
// holds NaN or infinity.
template <class T>
T safe_power(const T* a, int64_t lda, int64_t rows, int64_t columns) {
  constexpr T low = sizeof(T) == 4 ? T(1e-10) : T(1e-100), high = T(1) / low;
  T most = 0;
  bool finite = true;
  for (int64_t i = 0; i < rows; ++i) {
    vec<T> m{}, rest{};
    each_vector<T>(0, columns, [&](int64_t j, auto part) {
      const vec<T> x = part.get(a + i * lda + j), y = x < 0 ? -x : x;
      m = m < y ? y : m;
      rest += x - x;  // NaN where x is not finite
    });
    const T here = max_lanes(m);
    most = here > most ? here : most;
    finite = finite && sum_lanes(rest) == 0;
  }
  if (!finite) return 0;
  if (most == 0 || (most >= low && most <= high)) return 1;
  int e;
  __builtin_frexp(static_cast<double>(most), &e);
  return static_cast<T>(__builtin_ldexp(1.0, -static_cast<int>(larger(e, sizeof(T) == 4 ? -120 : -1000))));
}

}  // namespace
}  // namespace pl::PL_ISA
