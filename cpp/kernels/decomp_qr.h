// Householder reflections H = I - tau v v', blocks of them, and A = Q R.
//
// LAPACK's convention: v starts with 1, H x = (beta, 0, ...) with beta = -sign(x[0]) |x|; a column that is zero
// below its first element is left alone (tau = 0). A block of w reflections is I - V T V' (compact WY; Schreiber and
// Van Loan 1989), T upper triangular. V is kept negated and turned, one reflection a row: (-V)' is what every product
// here needs, once as it is and once turned. Parallel over the columns that a block is applied to.
#pragma once
#include "kernels/decomp.h"
#include "kernels/decomp_blocks.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kReflections = 32;  // in a block

template <class T>
struct Reflection {
  T beta, tau;
};
// x (n) becomes v, v[0] = 1. Where squares would leave the range, x is first multiplied with a power of two.
template <class T>
Reflection<T> reflect(T* x, int64_t n) {
  constexpr T low = sizeof(T) == 4 ? T(1e-24) : T(1e-240), high = T(1) / low;
  T tail = dot(x + 1, x + 1, n - 1), power = 1;
  if (!(tail > low && tail < high && x[0] * x[0] < high) && tail == tail) {
    const T most = largest(x, n);
    if (tail == 0 && largest(x + 1, n - 1) == 0) {
      const T beta = x[0];
      x[0] = 1;
      return {beta, 0};
    }
    if (most <= kLargest<T>) {
      int e;
      __builtin_frexp(static_cast<double>(most), &e);
      power =
          static_cast<T>(__builtin_ldexp(1.0, -static_cast<int>(larger(e, sizeof(T) == 4 ? -120 : -1000))));
      scale(power, x, n);
      tail = dot(x + 1, x + 1, n - 1);
    }
  }
  const T alpha = x[0], whole = root(fma_(alpha, alpha, tail)), beta = alpha < 0 ? whole : -whole;
  scale(T(1) / (alpha - beta), x + 1, n - 1);
  x[0] = 1;
  return {beta / power, (beta - alpha) / beta};
}

// T of w reflections (rows of v, len long, either sign): forward, columnwise. `out` is w x w, dense, zeros below.
template <class T>
void block_factor(const T* v, int64_t ldv, int64_t w, int64_t len, const T* tau, T* out) {
  clear(out, w * w);
  for (int64_t i = 0; i < w; ++i) {
    T inner[kReflections];
    for (int64_t k = 0; k < i; ++k) inner[k] = dot(v + k * ldv + i, v + i * ldv + i, len - i);
    for (int64_t k = 0; k < i; ++k) {
      T sum = 0;
      for (int64_t l = k; l < i; ++l) sum = fma_(out[k * w + l], inner[l], sum);
      out[k * w + i] = -tau[i] * sum;
    }
    out[i * w + i] = tau[i];
  }
}

// C (len, columns) -= V op(T) V' C; v holds -V' (w, len), s holds -op(T).
template <class T>
void apply_block(const T* v, int64_t ldv, int64_t w, int64_t len, const T* s, T* c, int64_t ldc,
                 int64_t columns) {
  constexpr int64_t P = kPanelColumns<T>;
  const double per_column = 2.0 * static_cast<double>(w) * static_cast<double>(len);
  for_columns<T>(0, columns, per_column, [&](int64_t from, int64_t to) {
    alignas(64) T inner[kReflections * P], outer[kReflections * P];
    for (int64_t j = from; j < to; j += P) {
      const int64_t wide = smaller(P, to - j);
      if (!kMaskedLoads) clear(inner, w * P);  // whole vectors of it are read
      product(w, wide, len, v, ldv, false, c + j, ldc, inner, P, false);
      product(w, wide, w, s, w, false, inner, P, outer, P, false);
      product(len, wide, w, v, ldv, true, outer, P, c + j, ldc, true);
    }
  });
}

// What a sequence of reflections leaves: rows of -V', shifted so that row i starts at i, and the T of each block.
template <class T>
struct Reflections {
  int64_t count, len, ldv;
  T *v, *tau, *t;
  Reflections(Arena& arena, int64_t count, int64_t len)
      : count(count),
        len(len),
        ldv(padded<T>(len)),
        v(arena.take<T>(count * ldv)),
        tau(arena.take<T>(count)),
        t(arena.take<T>(blocks_of(count, kReflections) * kReflections * kReflections)) {}

  // v of reflection i as `reflect` left it, at row i from element i on: zeros before, sign, and T at a block's end.
  void finish(int64_t i) {
    clear(v + i * ldv, i);
    scale(T(-1), v + i * ldv + i, len - i);
    const int64_t first = i / kReflections * kReflections;
    if (i + 1 == count || i + 1 == first + kReflections)
      block_factor(v + first * ldv + first, ldv, i + 1 - first, len - first, tau + first,
                   t + first * kReflections);
  }

  // q (len, columns), padded rows: H_0 H_1 ... q. With `identity`, q is the first columns of the identity, whose
  // zeros are spared.
  void apply(T* q, int64_t ldq, int64_t columns, bool identity) const {
    T s[kReflections * kReflections];
    for (int64_t b = blocks_of(count, kReflections) - 1; b >= 0; --b) {
      const int64_t j = b * kReflections, w = smaller(kReflections, count - j), skip = identity ? j : 0;
      for (int64_t i = 0; i < w * w; ++i) s[i] = -t[j * kReflections + i];
      apply_block(v + j * ldv + j, ldv, w, len - j, s, q + j * ldq + skip, ldq, columns - skip);
    }
  }
  void form(T* q, int64_t ldq, int64_t columns) const {
    for (int64_t i = 0; i < len; ++i) {
      clear(q + i * ldq, columns);
      if (i < columns) q[i * ldq + i] = 1;
    }
    apply(q, ldq, columns, true);
  }
};

// a (rows, columns), padded rows, becomes R above the diagonal.
template <class T>
void factor_qr(T* a, int64_t ld, int64_t rows, int64_t columns, Reflections<T>& h) {
  for (int64_t j = 0; j < h.count; j += kReflections) {
    const int64_t w = smaller(kReflections, h.count - j), len = rows - j;
    T* const v = h.v + j * h.ldv + j;  // the block's columns, turned
    transpose_exact(a + j * ld + j, ld, len, w, v, h.ldv);
    for (int64_t i = 0; i < w; ++i) {
      T* const x = v + i * h.ldv;
      for (int64_t k = 0; k < i; ++k) a[(j + k) * ld + j + i] = x[k];
      const Reflection<T> r = reflect(x + i, len - i);
      a[(j + i) * ld + j + i] = r.beta;
      h.tau[j + i] = r.tau;
      if (r.tau != 0)
        for (int64_t k = i + 1; k < w; ++k) {
          T* const y = v + k * h.ldv + i;
          axpy(-r.tau * dot(x + i, y, len - i), x + i, y, len - i);
        }
    }
    for (int64_t i = 0; i < w; ++i) h.finish(j + i);
    T s[kReflections * kReflections];
    const T* const t = h.t + j * kReflections;
    for (int64_t i = 0; i < w; ++i)
      for (int64_t k = 0; k < w; ++k) s[i * w + k] = -t[k * w + i];
    apply_block(v, h.ldv, w, len, s, a + j * ld + j + w, ld, columns - j - w);
  }
}

template <class T>
struct QrPlaces {
  T *a, *q;
  Reflections<T> h;
  QrPlaces(Arena& arena, const QrArgs& g)
      : a(arena.take<T>(g.rows * padded<T>(g.columns))),
        q(arena.take<T>(g.rows * padded<T>(g.inner))),
        h(arena, smaller(g.rows, g.columns), g.rows) {}
};
template <class T>
BatchPlan qr_plan(const QrArgs& g) {
  Arena count{nullptr};
  QrPlaces<T> places(count, g);
  return plan_batch(
      g.batch,
      2.0 * static_cast<double>(g.rows) * static_cast<double>(g.columns) * static_cast<double>(g.inner),
      count.used);
}
template <class T>
void qr_of(const QrArgs& g) {
  const int64_t rows = g.rows, columns = g.columns, inner = g.inner;
  int32_t unused;
  for_batch(qr_plan<T>(g), g.work, &unused, [&](int64_t item, Arena arena) {
    QrPlaces<T> p(arena, g);
    const int64_t lda = padded<T>(columns), ldq = padded<T>(inner);
    copy_exact(static_cast<const T*>(g.a) + item * rows * columns, columns, rows, columns, p.a, lda);
    factor_qr(p.a, lda, rows, columns, p.h);
    T* const r = static_cast<T*>(g.r) + item * inner * columns;
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t zeros = smaller(i, columns);
      clear(r + i * columns, zeros);
      copy_exact(p.a + i * lda + zeros, lda, 1, columns - zeros, r + i * columns + zeros, columns);
    }
    p.h.form(p.q, ldq, inner);
    copy_exact(p.q, ldq, rows, inner, static_cast<T*>(g.q) + item * rows * inner, inner);
    return 0;
  });
}

}  // namespace
}  // namespace pl::PL_ISA
