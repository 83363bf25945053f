// A = V diag(w) V', A symmetric.
//
// Householder tridiagonalisation of the upper triangle (rows are contiguous there), then implicit QL with Wilkinson's
// shift (EISPACK's tql2; Golub and Van Loan, section 8.3), whose rotations are applied to the rows of V' in batches.
// The tridiagonalisation is one pass over the rest of the matrix a step: the last step's rank-two update and the
// product with the next reflection together.
#pragma once
#include "kernels/decomp.h"
#include "kernels/decomp_qr.h"
#include "kernels/decomp_rotate.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kIterations = 60;  // per eigenvalue, on average; some 1.7 are needed

// Upper triangle of a (n, padded, zero in the padding): a -= v w' + w v', and p = a x with the result, both for the
// symmetric matrix. All vectors are padded with zeros. Four rows at a time share the loads of the vectors.
template <class T>
void update_and_multiply(T* a, int64_t ld, int64_t n, const T* v, const T* w, const T* x, T* p) {
  constexpr int W = width<T>;
  clear(p, n);
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    T head[4] = {};
    for (int64_t r = 0; r < 4; ++r) {  // the square on the diagonal
      T* const row = a + (i + r) * ld;
      for (int64_t j = i + r; j < i + 4; ++j) {
        row[j] = fma_(-v[i + r], w[j], fma_(-w[i + r], v[j], row[j]));
        head[r] = fma_(row[j], x[j], head[r]);
        if (j > i + r) head[j - i] = fma_(row[j], x[i + r], head[j - i]);
      }
    }
    vec<T> sum[4] = {}, vr[4], wr[4], xr[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      vr[r] = broadcast(-v[i + r]);
      wr[r] = broadcast(-w[i + r]);
      xr[r] = broadcast(x[i + r]);
    }
    T* const row = a + i * ld;
    for (int64_t j = i + 4; j < n; j += W) {
      const auto step = [&](auto part) {
        const vec<T> vj = part.get(v + j), wj = part.get(w + j), xj = part.get(x + j);
        vec<T> pj = part.get(p + j);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
          const vec<T> y = fma_(vr[r], wj, fma_(wr[r], vj, part.get(row + r * ld + j)));
          part.put(row + r * ld + j, y);
          sum[r] = fma_(y, xj, sum[r]);
          pj = fma_(y, xr[r], pj);
        }
        part.put(p + j, pj);
      };
      if (j + W <= n)
        step(Whole<T>{});
      else
        step(Part<T>{n - j});
    }
    for (int r = 0; r < 4; ++r) p[i + r] += head[r] + sum_lanes(sum[r]);
  }
  for (; i < n; ++i) {
    T* const row = a + i * ld;
    T sum = 0;
    for (int64_t j = i; j < n; ++j) {
      row[j] = fma_(-v[i], w[j], fma_(-w[i], v[j], row[j]));
      sum = fma_(row[j], x[j], sum);
      if (j > i) p[j] = fma_(row[j], x[i], p[j]);
    }
    p[i] += sum;
  }
}

// d, e: diagonal and the elements beside it. h: reflection i acts on rows i+1 and below.
template <class T>
void tridiagonalize(T* a, int64_t ld, int64_t n, T* d, T* e, Reflections<T>& h, T* w, T* p) {
  const T* v = nullptr;  // the last reflection, from row i+1 on
  clear(w, n);
  for (int64_t i = 0; i < n; ++i) {
    T* const row = a + i * ld;
    if (v)  // this row's part of the update that is still due; v and w start at row i
      for (int64_t j = i; j < n; ++j) row[j] = fma_(-v[0], w[j - i], fma_(-w[0], v[j - i], row[j]));
    d[i] = row[i];
    if (i + 1 == n) break;
    const int64_t rest = n - i - 1;
    T* const x = h.v + i * h.ldv + i;
    copy_exact(row + i + 1, 0, 1, rest, x, 0);
    const Reflection<T> r = reflect(x, rest);
    e[i] = r.beta;
    h.tau[i] = r.tau;
    // The vectors of the update due, one element on: v[0] belonged to this row.
    T* const below = a + (i + 1) * ld + i + 1;
    if (v)
      update_and_multiply(below, ld, rest, v + 1, w + 1, x, p);
    else {
      clear(w, rest);
      update_and_multiply(below, ld, rest, w, w, x, p);
    }
    const T half = T(0.5) * r.tau * r.tau * dot(p, x, rest);
    for (int64_t j = 0; j < rest; ++j) w[j] = fma_(-half, x[j], r.tau * p[j]);
    v = x;
  }
  for (int64_t i = 0; i + 1 < n; ++i) h.finish(i);
}

// Eigenvalues of the tridiagonal matrix into d; its rotations into `sweeps`. Returns 0, or the number of the
// eigenvalue (from 1) that took too long. e has n elements.
template <class T>
int64_t iterate_ql(T* d, T* e, int64_t n, Sweeps<T>& sweeps) {
  int64_t left = kIterations * n;
  if (n > 0) e[n - 1] = 0;
  for (int64_t l = 0; l < n; ++l) {
    for (;;) {
      int64_t m = l;
      for (; m + 1 < n; ++m)
        if (magnitude(e[m]) <= kEpsilon<T> * (magnitude(d[m]) + magnitude(d[m + 1])) * T(0.5)) break;
      if (m == l) break;
      if (left-- == 0) return l + 1;
      T g = (d[l + 1] - d[l]) / (2 * e[l]), r = root(fma_(g, g, T(1)));
      if (!(r <= kLargest<T>)) r = magnitude(g);
      g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
      Rotation<T>* out = sweeps.begin(m, -1, m - l);
      T s = 1, c = 1, p = 0;
      for (int64_t i = m - 1; i >= l; --i) {
        const T f = s * e[i], b = c * e[i];
        const Rotation<T> turn = rotation(g, f, r);
        e[i + 1] = r;
        c = turn.c;
        s = turn.s;
        g = d[i + 1] - p;
        r = fma_(d[i] - g, s, 2 * c * b);
        p = s * r;
        d[i + 1] = g + p;
        g = fma_(c, r, -b);
        *out++ = {c, s};
      }
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  return 0;
}

template <class T>
struct EighPlaces {
  T *a, *z, *d, *e, *w, *p;
  int64_t* order;
  Reflections<T> h;
  Sweeps<T> sweeps;
  EighPlaces(Arena& arena, int64_t n)
      : a(arena.take<T>(n * padded<T>(n))),
        z(arena.take<T>(n * padded<T>(n))),
        d(arena.take<T>(padded<T>(n))),
        e(arena.take<T>(padded<T>(n))),
        w(arena.take<T>(padded<T>(n))),
        p(arena.take<T>(padded<T>(n))),
        order(arena.take<int64_t>(n)),
        h(arena, larger(n - 1, 0), larger(n - 1, 0)),
        sweeps(arena, n, z, padded<T>(n), n) {}
};
template <class T>
BatchPlan eigh_plan(const EighArgs& g) {
  Arena count{nullptr};
  EighPlaces<T> places(count, g.n);
  return plan_batch(g.batch, 4 * cubed(g.n), count.used);
}

inline constexpr int64_t kNotFinite = -1;

template <class T>
void eigh_of(const EighArgs& g) {
  const int64_t n = g.n, ld = padded<T>(n);
  int32_t what = 0;
  const int64_t failed = for_batch(eigh_plan<T>(g), g.work, &what, [&](int64_t item, Arena arena) {
    const T* const in = static_cast<const T*>(g.a) + item * n * n;
    EighPlaces<T> p(arena, n);
    for (int64_t i = 0; i < n; i += kBlock)  // the lower triangle, turned
      copy_transposed(in + i * n, n, smaller(i + kBlock, n), smaller(kBlock, n - i), p.a + i, ld);
    for (int64_t i = 1; i < n; ++i) clear(p.a + i * ld, i);
    const T power = safe_power(p.a, ld, n, n);
    if (power == 0) return kNotFinite;
    if (power != 1)
      for (int64_t i = 0; i < n; ++i) scale(power, p.a + i * ld, n);
    tridiagonalize(p.a, ld, n, p.d, p.e, p.h, p.w, p.p);
    // V' starts as Q' = (1, H_0 H_1 ...)'
    T* const q = p.a;
    if (n > 0) clear(q, n);
    if (n > 0) q[0] = 1;
    for (int64_t i = 1; i < n; ++i) q[i * ld] = 0;
    if (n > 1) {
      p.h.form(p.z, ld, n - 1);  // aligned rows, then moved one column to the right
      copy_exact(p.z, ld, n - 1, n - 1, q + ld + 1, ld);
    }
    transpose_exact(q, ld, n, n, p.z, ld);
    if (const int64_t wrong = iterate_ql(p.d, p.e, n, p.sweeps)) return wrong;
    p.sweeps.flush();

    for (int64_t i = 0; i < n; ++i) {  // insertion: equal eigenvalues keep their order
      int64_t j = i;
      for (; j > 0 && p.d[p.order[j - 1]] > p.d[i]; --j) p.order[j] = p.order[j - 1];
      p.order[j] = i;
    }
    T* const w = static_cast<T*>(g.w) + item * n;
    for (int64_t i = 0; i < n; ++i) {
      const T* const row = p.z + p.order[i] * ld;
      w[i] = p.d[p.order[i]] / power;
      copy_exact(row, 0, 1, n, q + i * ld, 0);
      if (sign_of(row, n) < 0) scale(T(-1), q + i * ld, n);
    }
    transpose_exact(q, ld, n, n, static_cast<T*>(g.v) + item * n * n, n);
    return int64_t{0};
  });
  report(g.status, what == kNotFinite ? Status::not_finite : Status::not_converged, failed, what);
}

}  // namespace
}  // namespace pl::PL_ISA
