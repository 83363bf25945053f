// A = U diag(s) V'.
//
// Golub and Kahan: Householder reflections from both sides make A upper bidiagonal, and implicit QR (with a zero
// shift where that keeps small singular values accurate; Demmel and Kahan 1990, as LAPACK's bdsqr) makes that
// diagonal. A wide matrix is turned first, a tall one replaced by the R of its QR factors. A step of the first
// phase passes over the rest of A twice: once for the product with the left reflection (parallel over columns),
// once for the update and the right reflection (over rows).
#pragma once
#include "kernels/decomp.h"
#include "kernels/decomp_eigh.h"
#include "kernels/decomp_qr.h"
#include "kernels/decomp_rotate.h"

namespace pl::PL_ISA {
namespace {

// y (columns) = factor a' u
template <class T>
void turned_product(const T* a, int64_t ld, int64_t rows, int64_t columns, const T* u, T factor, T* y) {
  constexpr int V = 2, W = width<T>;
  for_columns<T>(0, columns, static_cast<double>(rows), [&](int64_t from, int64_t to) {
    int64_t j = from;
    for (; j + V * W <= to; j += V * W) {
      vec<T> sum[V][2] = {};
      int64_t i = 0;
      for (; i + 2 <= rows; i += 2)
#pragma GCC unroll 2
        for (int r = 0; r < 2; ++r)
#pragma GCC unroll 4
          for (int c = 0; c < V; ++c)
            sum[c][r] = fma_(broadcast(u[i + r]), load(a + (i + r) * ld + j + c * W), sum[c][r]);
      for (int c = 0; c < V; ++c) {
        if (i < rows) sum[c][0] = fma_(broadcast(u[i]), load(a + i * ld + j + c * W), sum[c][0]);
        store(y + j + c * W, (sum[c][0] + sum[c][1]) * broadcast(factor));
      }
    }
    each_vector<T>(j, to, [&](int64_t at, auto part) {
      vec<T> sum{};
      for (int64_t i = 0; i < rows; ++i) sum = fma_(broadcast(u[i]), part.get(a + i * ld + at), sum);
      part.put(y + at, sum * broadcast(factor));
    });
  });
}

// Rows of a: -= u_i y', then their reflection with v from the right: -= tau (row v) v'.
template <class T>
void update_and_reflect(T* a, int64_t ld, int64_t rows, int64_t columns, const T* u, const T* y, const T* v,
                        T tau) {
  constexpr int R = 4;
  parallel_for(rows, round_up(larger(1, kWork / 2 / larger(1, columns)), R), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += R) {
      const int64_t count = smaller(R, end - i);
      T* const row[R] = {a + i * ld, a + smaller(i + 1, end - 1) * ld, a + smaller(i + 2, end - 1) * ld,
                         a + smaller(i + 3, end - 1) * ld};
      if (count < R) {
        for (int64_t r = 0; r < count; ++r) {
          axpy(-u[i + r], y, row[r], columns);
          axpy(-tau * dot(row[r], v, columns), v, row[r], columns);
        }
        continue;
      }
      vec<T> f[R], sum[R] = {};
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) f[r] = broadcast(-u[i + r]);
      each_vector<T>(0, columns, [&](int64_t j, auto part) {
        const vec<T> yj = part.get(y + j), vj = part.get(v + j);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const vec<T> x = fma_(f[r], yj, part.get(row[r] + j));
          part.put(row[r] + j, x);
          sum[r] = fma_(x, vj, sum[r]);
        }
      });
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) f[r] = broadcast(-tau * sum_lanes(sum[r]));
      each_vector<T>(0, columns, [&](int64_t j, auto part) {
        const vec<T> vj = part.get(v + j);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) part.put(row[r] + j, fma_(f[r], vj, part.get(row[r] + j)));
      });
    }
  });
}

// a (rows >= columns, padded) = H_left B H_right with B = (d, e) upper bidiagonal; right reflection i acts on columns
// i+1 and on.
template <class T>
void bidiagonalize(T* a, int64_t ld, int64_t rows, int64_t columns, T* d, T* e, Reflections<T>& left,
                   Reflections<T>& right, T* y) {
  for (int64_t i = 0; i < columns; ++i) {
    T* const u = left.v + i * left.ldv + i;
    for (int64_t k = i; k < rows; ++k) u[k - i] = a[k * ld + i];
    const Reflection<T> l = reflect(u, rows - i);
    d[i] = l.beta;
    left.tau[i] = l.tau;
    if (i + 1 < columns) {
      const int64_t rest = columns - i - 1;
      T* const row = a + i * ld + i + 1;
      turned_product(row, ld, rows - i, rest, u, l.tau, y);
      axpy(T(-1), y, row, rest);
      T* const v = right.v + i * right.ldv + i;
      copy_exact(row, 0, 1, rest, v, 0);
      const Reflection<T> r = reflect(v, rest);
      e[i] = r.beta;
      right.tau[i] = r.tau;
      update_and_reflect(row + ld, ld, rows - i - 1, rest, u + 1, y, v, r.tau);
    }
  }
  for (int64_t i = 0; i < columns; ++i) left.finish(i);
  for (int64_t i = 0; i + 1 < columns; ++i) right.finish(i);
}

// The smaller singular value of ((f, g), (0, h)).
template <class T>
T smaller_singular(T f, T g, T h) {
  f = magnitude(f), g = magnitude(g), h = magnitude(h);
  const T low = f < h ? f : h, high = f < h ? h : f;
  if (low == 0) return 0;
  const T sum = 1 + low / high, difference = (high - low) / high;
  if (g < high) {
    const T x = (g / high) * (g / high);
    return low * (2 / (root(sum * sum + x) + root(difference * difference + x)));
  }
  const T x = high / g;
  if (x == 0) return low * high / g;
  return 2 * low * x / (root(1 + sum * x * (sum * x)) + root(1 + difference * x * (difference * x)));
}

// Singular values of the bidiagonal matrix into d (of any sign, in any order). Returns 0, or the number of the one
// (from 1) that took too long.
template <class T>
int64_t iterate_qr(T* d, T* e, int64_t n, Sweeps<T>& left, Sweeps<T>& right) {
  constexpr T eps = kEpsilon<T>;
  int64_t budget = kIterations * n, last_first = -1, last_end = -1;
  bool turned = false;
  for (int64_t end = n - 1; end > 0;) {
    int64_t first = end;
    for (; first > 0; --first)
      if (magnitude(e[first - 1]) <= 2 * eps * (magnitude(d[first - 1]) + magnitude(d[first]))) {
        e[first - 1] = 0;
        break;
      }
    if (first == end) {
      --end;
      continue;
    }
    if (budget-- == 0) return end + 1;
    // The chase runs from the larger end. Turned, the block is seen as its transpose from the other corner.
    if (first > last_end || end < last_first) turned = magnitude(d[first]) < magnitude(d[end]);
    last_first = first;
    last_end = end;
    const int64_t count = end - first, step = turned ? -1 : 1;
    T* const dd = turned ? d + end : d + first;
    T* const ee = turned ? e + end - 1 : e + first;
    Sweeps<T>& to_left = turned ? right : left;
    Sweeps<T>& to_right = turned ? left : right;
    const auto D = [&](int64_t i) -> T& { return dd[i * step]; };
    const auto E = [&](int64_t i) -> T& { return ee[i * step]; };

    T mu = magnitude(D(0)), least = mu, most = mu;
    for (int64_t i = 0; i < count; ++i) {
      const T di = magnitude(D(i + 1)), ei = magnitude(E(i));
      mu = mu == 0 ? 0 : di * (mu / (mu + ei));
      least = mu < least ? mu : least;
      most = di > most ? di : most;
      most = ei > most ? ei : most;
    }
    T shift = 0;
    if (static_cast<T>(n) * 100 * eps * least > eps * most) {
      shift = smaller_singular(D(count - 1), E(count - 1), D(count));
      const T ratio = shift / magnitude(D(0));
      if (ratio * ratio < eps) shift = 0;
    }
    const int64_t at = turned ? end : first;
    Rotation<T>* out_right = to_right.begin(at, step, count);
    Rotation<T>* out_left = to_left.begin(at, step, count);
    if (shift == 0) {
      T r, cs = 1;
      Rotation<T> old{1, 0};
      for (int64_t i = 0; i < count; ++i) {
        const Rotation<T> turn = rotation(D(i) * cs, E(i), r);
        if (i > 0) E(i - 1) = old.s * r;
        old = rotation(old.c * r, D(i + 1) * turn.s, D(i));
        cs = turn.c;
        *out_right++ = turn;
        *out_left++ = old;
      }
      const T h = D(count) * cs;
      D(count) = h * old.c;
      E(count - 1) = h * old.s;
      continue;
    }
    const T top = D(0);
    T f = (magnitude(top) - shift) * ((top < 0 ? T(-1) : T(1)) + shift / top), g = E(0), r;
    for (int64_t i = 0; i < count; ++i) {
      const Rotation<T> a = rotation(f, g, r);
      if (i > 0) E(i - 1) = r;
      f = fma_(a.c, D(i), a.s * E(i));
      E(i) = fma_(a.c, E(i), -(a.s * D(i)));
      g = a.s * D(i + 1);
      D(i + 1) *= a.c;
      const Rotation<T> b = rotation(f, g, r);
      D(i) = r;
      f = fma_(b.c, E(i), b.s * D(i + 1));
      D(i + 1) = fma_(b.c, D(i + 1), -(b.s * E(i)));
      if (i + 1 < count) {
        g = b.s * E(i + 1);
        E(i + 1) *= b.c;
      }
      *out_right++ = a;
      *out_left++ = b;
    }
    E(count - 1) = f;
  }
  return 0;
}

// Of a matrix with at least as many rows as columns: a wide one is turned. `core` is what is made bidiagonal: A, or the
// R of a tall A.
template <class T>
struct SvdPlaces {
  int64_t rows, columns, outer;  // outer: left vectors that are wanted
  bool tall;
  int64_t core, core_outer;  // rows and left vectors of the core
  T *a, *q, *zl, *zr, *d, *e, *y, *sign, *most;
  int64_t* order;
  Reflections<T> first, left, right;
  Sweeps<T> turn_left, turn_right;
  SvdPlaces(Arena& arena, const SvdArgs& g)
      : rows(larger(g.rows, g.columns)),
        columns(smaller(g.rows, g.columns)),
        outer(g.full ? rows : columns),
        tall(3 * rows >= 5 * columns && columns > 0),
        core(tall ? columns : rows),
        core_outer(tall ? columns : outer),
        a(arena.take<T>(rows * padded<T>(columns))),
        q(arena.take<T>(rows * padded<T>(outer))),
        zl(arena.take<T>(core_outer * padded<T>(core))),
        zr(arena.take<T>(columns * padded<T>(columns))),
        d(arena.take<T>(columns + 1)),
        e(arena.take<T>(columns + 1)),
        y(arena.take<T>(padded<T>(columns))),
        sign(arena.take<T>(padded<T>(columns))),
        most(arena.take<T>(padded<T>(columns))),
        order(arena.take<int64_t>(columns)),
        first(arena, tall ? columns : 0, tall ? rows : 0),
        left(arena, columns, core),
        right(arena, larger(columns - 1, 0), larger(columns - 1, 0)),
        turn_left(arena, columns, zl, padded<T>(core), core),
        turn_right(arena, columns, zr, padded<T>(columns), columns) {}
};

// sign_of each of the first columns of q, row by row.
template <class T>
void signs_of_columns(const T* q, int64_t ld, int64_t rows, int64_t columns, T* most, T* sign) {
  clear(most, columns);
  for (int64_t i = 0; i < rows; ++i)
    each_vector<T>(0, columns, [&](int64_t j, auto part) {
      const vec<T> x = part.get(q + i * ld + j), y = x < 0 ? -x : x, m = part.get(most + j);
      part.put(most + j, m < y ? y : m);
    });
  clear(sign, columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (sign[j] == 0 && magnitude(q[i * ld + j]) >= T(0.99) * most[j])
        sign[j] = q[i * ld + j] < 0 ? T(-1) : T(1);
}

template <class T>
BatchPlan svd_plan(const SvdArgs& g) {
  Arena count{nullptr};
  SvdPlaces<T> p(count, g);
  const double work =
      6.0 * static_cast<double>(p.rows) * static_cast<double>(p.columns) * static_cast<double>(p.outer);
  return plan_batch(g.batch, work, count.used);
}

template <class T>
void svd_of(const SvdArgs& g) {
  const bool wide = g.rows < g.columns;
  int32_t what = 0;
  const int64_t failed = for_batch(svd_plan<T>(g), g.work, &what, [&](int64_t item, Arena arena) {
    SvdPlaces<T> p(arena, g);
    const int64_t rows = p.rows, columns = p.columns, outer = p.outer;
    const int64_t lda = padded<T>(columns), ldl = padded<T>(p.core), ldq = padded<T>(outer);
    const T* const in = static_cast<const T*>(g.a) + item * rows * columns;
    if (wide)
      copy_transposed(in, rows, rows, columns, p.a, lda);
    else
      copy_exact(in, columns, rows, columns, p.a, lda);
    const T power = safe_power(p.a, lda, rows, columns);
    if (power == 0) return kNotFinite;
    if (power != 1)
      for (int64_t i = 0; i < rows; ++i) scale(power, p.a + i * lda, columns);
    if (p.tall) {
      factor_qr(p.a, lda, rows, columns, p.first);
      for (int64_t i = 1; i < columns; ++i) clear(p.a + i * lda, i);
    }
    bidiagonalize(p.a, lda, p.core, columns, p.d, p.e, p.left, p.right, p.y);
    if (columns > 0) {  // right vectors: (1, H_0 H_1 ...)'
      p.right.form(p.zr, lda, columns - 1);
      for (int64_t i = 0; i < columns; ++i) p.a[i * lda] = p.a[i] = 0;
      p.a[0] = 1;
      copy_exact(p.zr, lda, columns - 1, columns - 1, p.a + lda + 1, lda);
      transpose_exact(p.a, lda, columns, columns, p.zr, lda);
    }
    p.left.form(p.q, ldq, p.core_outer);
    transpose_exact(p.q, ldq, p.core, p.core_outer, p.zl, ldl);
    if (const int64_t wrong = iterate_qr(p.d, p.e, columns, p.turn_left, p.turn_right)) return wrong;
    p.turn_left.flush();
    p.turn_right.flush();

    for (int64_t i = 0; i < columns; ++i) {  // insertion: equal singular values keep their order
      int64_t j = i;
      for (; j > 0 && magnitude(p.d[p.order[j - 1]]) < magnitude(p.d[i]); --j) p.order[j] = p.order[j - 1];
      p.order[j] = i;
    }
    // Left vectors become the columns of q, right ones the rows of a; the reflections of the core make room.
    T* const s = static_cast<T*>(g.s) + item * columns;
    T* const lefts = p.left.v;
    T* const rights = p.a;
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t from = p.order[i];
      copy_exact(p.zl + from * ldl, 0, 1, p.core, lefts + i * ldl, 0);
      copy_exact(p.zr + from * lda, 0, 1, columns, rights + i * lda, 0);
      s[i] = magnitude(p.d[from]) / power;
      if (p.d[from] < 0) scale(T(-1), rights + i * lda, columns);
    }
    transpose_exact(lefts, ldl, columns, p.core, p.q, ldq);
    transpose_exact(p.zl + columns * ldl, ldl, p.core_outer - columns, p.core, p.q + columns, ldq);
    if (p.tall) {
      for (int64_t i = 0; i < rows; ++i) {
        if (i >= columns)
          clear(p.q + i * ldq, outer);
        else
          clear(p.q + i * ldq + columns, outer - columns);
        if (i >= columns && i < outer) p.q[i * ldq + i] = 1;
      }
      p.first.apply(p.q, ldq, outer, false);
    }
    if (wide)
      for (int64_t i = 0; i < columns; ++i) p.sign[i] = sign_of(rights + i * lda, columns);
    else
      signs_of_columns(p.q, ldq, rows, columns, p.most, p.sign);
    for (int64_t i = 0; i < rows; ++i)
      each_vector<T>(0, columns, [&](int64_t j, auto part) {
        part.put(p.q + i * ldq + j, part.get(p.q + i * ldq + j) * part.get(p.sign + j));
      });
    for (int64_t i = 0; i < columns; ++i) scale(p.sign[i], rights + i * lda, columns);
    T* const u = static_cast<T*>(g.u) + item * g.rows * (wide ? columns : outer);
    T* const vh = static_cast<T*>(g.vh) + item * g.columns * (wide ? outer : columns);
    if (wide) {
      transpose_exact(rights, lda, columns, columns, u, columns);
      transpose_exact(p.q, ldq, rows, outer, vh, rows);
    } else {
      copy_exact(p.q, ldq, rows, outer, u, outer);
      copy_exact(rights, lda, columns, columns, vh, columns);
    }
    return int64_t{0};
  });
  report(g.status, what == kNotFinite ? Status::not_finite : Status::not_converged, failed, what);
}

}  // namespace
}  // namespace pl::PL_ISA
