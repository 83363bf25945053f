// What the decompositions are made of: padded copies, products of blocks, substitution by strips, batches.
//
// Matrices are factored in workspaces whose rows are a whole, odd number of cache lines apart: every row starts
// aligned, whole vectors may be read and written past its end (the padding is zero or never looked at), and rows
// do not fall on the same cache sets. Products go through the register tiles of gemm_tile.h, which add; where a
// product is subtracted, one operand is kept negated.
#pragma once
#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kLine = 64;   // bytes
inline constexpr int64_t kStrip = 8;   // rows that substitution holds in registers
inline constexpr int64_t kBlock = 64;  // rows of a block: products are at least this deep
inline constexpr int64_t kDeep = 256;  // depth of a product before its operands leave the second-level cache
inline constexpr int64_t kWork = int64_t{1} << 18;  // multiply-adds that pay for a task
inline constexpr int64_t kMostSlots = 64;
inline constexpr int64_t kSlotBytes = 32 << 20;  // of all slots together, where one does not need more

template <class T>
inline constexpr int64_t kPanelColumns = kPanelVectors * width<T>;

template <class T>
inline constexpr T kEpsilon = sizeof(T) == 4 ? T(__FLT_EPSILON__) : T(__DBL_EPSILON__);
template <class T>
inline constexpr T kLargest = sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__);

template <class T>
constexpr int64_t padded(int64_t n) {
  const int64_t line = kLine / int64_t{sizeof(T)}, lines = blocks_of(larger(n, 1), line);
  return (lines | 1) * line;
}

// Hands out pieces of a workspace; with a null base it only counts.
struct Arena {
  char* base;
  int64_t used = 0;
  template <class T>
  T* take(int64_t n) {
    T* const p = reinterpret_cast<T*>(base + used);
    used += round_up(n * int64_t{sizeof(T)}, kLine);
    return p;
  }
};

// How a batch is cut: chunks of `grain` matrices, each with a place in the workspace. Few and large matrices are
// one chunk, and the parallel loops are inside.
struct BatchPlan {
  int64_t items, grain, chunks, slot;
  int64_t head() const { return round_up(items * int64_t{sizeof(int32_t)}, kLine); }
  int64_t bytes() const { return head() + chunks * slot; }
};
inline BatchPlan plan_batch(int64_t items, double work, int64_t slot) {
  const int64_t slots = smaller(kMostSlots, larger(1, kSlotBytes / larger(slot, 1)));
  const int64_t by_work = work < 1 ? items : static_cast<int64_t>(static_cast<double>(kWork) / work) + 1;
  int64_t grain = larger(1, larger(blocks_of(items, slots), by_work));
  if (items < 4 && work > 64.0 * static_cast<double>(kWork)) grain = larger(items, 1);
  return {items, grain, larger(1, blocks_of(items, grain)), round_up(slot, kLine)};
}
inline double cubed(int64_t n) {
  return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
}

// f(item, arena) -> what is wrong with it, or 0; returns the first item that failed, or -1.
template <class F>
int64_t for_batch(const BatchPlan& plan, void* work, int32_t* what, const F& f) {
  auto* const info = static_cast<int32_t*>(work);
  __builtin_memset(info, 0, static_cast<size_t>(plan.items) * sizeof(int32_t));
  char* const slots = static_cast<char*>(work) + plan.head();
  parallel_for(plan.items, plan.grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      info[i] = static_cast<int32_t>(f(i, Arena{slots + begin / plan.grain * plan.slot}));
  });
  for (int64_t i = 0; i < plan.items; ++i)
    if (info[i]) {
      *what = info[i];
      return i;
    }
  return -1;
}
inline void report(Status* status, Status::Code code, int64_t item, int64_t value) {
  if (item < 0 || !status || status->code != Status::ok) return;
  status->code = code;
  status->position = item;
  status->value = value;
}

// Tasks of whole column panels, of about kWork each.
template <class T, class F>
void for_columns(int64_t begin, int64_t end, double work_per_column, const F& f) {
  if (begin >= end) return;
  constexpr int64_t P = kPanelColumns<T>;
  const int64_t panels = blocks_of(end - begin, P);
  const double per_panel = work_per_column * static_cast<double>(P);
  const int64_t grain =
      per_panel < 1 ? panels : static_cast<int64_t>(static_cast<double>(kWork) / per_panel) + 1;
  parallel_for(panels, grain,
               [&](int64_t from, int64_t to) { f(begin + from * P, smaller(begin + to * P, end)); });
}

// -- copies ------------------------------------------------------------------------------------------------------------

inline constexpr int64_t kShort = 512;  // bytes of a row that are moved here rather than by the C library

template <class T>
void clear(T* p, int64_t n) {
  if (n * int64_t{sizeof(T)} > kShort)
    __builtin_memset(p, 0, static_cast<size_t>(n) * sizeof(T));
  else
    each_vector<T>(0, n, [&](int64_t j, auto part) { part.put(p + j, vec<T>{}); });
}
// rows x columns elements, nothing past them
template <class T>
void copy_exact(const T* in, int64_t ldi, int64_t rows, int64_t columns, T* out, int64_t ldo) {
  for (int64_t i = 0; i < rows; ++i, in += ldi, out += ldo) {
    if (columns * int64_t{sizeof(T)} > kShort)
      __builtin_memcpy(out, in, static_cast<size_t>(columns) * sizeof(T));
    else
      each_vector<T>(0, columns, [&](int64_t j, auto part) { part.put(out + j, part.get(in + j)); });
  }
}
template <class T>
void copy_negated(const T* in, int64_t ldi, int64_t rows, int64_t columns, T* out, int64_t ldo) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) out[i * ldo + j] = -in[i * ldi + j];
}
// out (columns, rows) = in', in squares that stay in the first-level cache
template <class T>
void transpose_exact(const T* in, int64_t ldi, int64_t rows, int64_t columns, T* out, int64_t ldo) {
  constexpr int64_t B = 32;
  alignas(64) T square[B * padded<T>(B)];
  constexpr int64_t lds = padded<T>(B);
  for (int64_t i = 0; i < rows; i += B)
    for (int64_t j = 0; j < columns; j += B) {
      const int64_t h = smaller(B, rows - i), w = smaller(B, columns - j);
      copy_transposed(in + i * ldi + j, ldi, w, h, square, lds);
      copy_exact(square, lds, w, h, out + j * ldo + i, ldo);
    }
}
template <class T>
void swap_rows(T* a, T* b, int64_t n) {
  each_vector<T>(0, n, [&](int64_t j, auto part) {
    const vec<T> x = part.get(a + j), y = part.get(b + j);
    part.put(a + j, y);
    part.put(b + j, x);
  });
}

// -- vectors -----------------------------------------------------------------------------------------------------------

template <class T>
PL_INLINE T dot(const T* a, const T* b, int64_t n) {
  constexpr int W = width<T>;
  vec<T> s0{}, s1{}, s2{}, s3{};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    s0 = fma_(load(a + i), load(b + i), s0);
    s1 = fma_(load(a + i + W), load(b + i + W), s1);
    s2 = fma_(load(a + i + 2 * W), load(b + i + 2 * W), s2);
    s3 = fma_(load(a + i + 3 * W), load(b + i + 3 * W), s3);
  }
  for (; i + W <= n; i += W) s0 = fma_(load(a + i), load(b + i), s0);
  if (i < n) s1 = fma_(load_n(a + i, n - i), load_n(b + i, n - i), s1);
  return sum_lanes((s0 + s1) + (s2 + s3));
}
template <class T>
PL_INLINE void axpy(T x, const T* a, T* y, int64_t n) {
  const vec<T> f = broadcast(x);
  each_vector<T>(0, n,
                 [&](int64_t i, auto part) { part.put(y + i, fma_(f, part.get(a + i), part.get(y + i))); });
}
template <class T>
PL_INLINE void scale(T x, T* y, int64_t n) {
  const vec<T> f = broadcast(x);
  each_vector<T>(0, n, [&](int64_t i, auto part) { part.put(y + i, f * part.get(y + i)); });
}
template <class T>
PL_INLINE T magnitude(T x) {
  return x < 0 ? -x : x;
}
// The largest magnitude; NaNs are passed over.
template <class T>
PL_INLINE T largest(const T* a, int64_t n) {
  vec<T> m{};
  each_vector<T>(0, n, [&](int64_t i, auto part) {
    const vec<T> x = part.get(a + i), y = x < 0 ? -x : x;
    m = m < y ? y : m;
  });
  return max_lanes(m);
}
template <class T>
PL_INLINE T root(T x) {
  if constexpr (sizeof(T) == 4)
    return __builtin_sqrtf(x);
  else
    return __builtin_sqrt(x);
}

// -- products and substitution -----------------------------------------------------------------------------------------

// C (rows, columns) = or += op(A) B, k deep. `turned`: A is stored (k, rows). Whole vectors of B are read.
template <class T>
void product(int64_t rows, int64_t columns, int64_t k, const T* a, int64_t lda, bool turned, const T* b,
             int64_t ldb, T* c, int64_t ldc, bool add) {
  constexpr int64_t P = kPanelColumns<T>;
  if (rows <= 0 || columns <= 0) return;
  for (int64_t p = 0; p < k; p += kDeep) {
    const int64_t deep = smaller(kDeep, k - p);
    for (int64_t j = 0; j < columns; j += P)
      tile_column(rows, smaller(P, columns - j), deep, turned ? a + p * lda : a + p, lda, turned,
                  b + p * ldb + j, ldb, c + j, ldc, add || p > 0);
  }
}

// Forward substitution of R rows at y, y + step, ...: y_i = (y_i + sum_k<i c[i][k] y_k) inverse[i]; c is negated.
template <class T>
struct Coefficients {
  T c[kStrip][kStrip];
  T inverse[kStrip];
};
template <class T, int R>
void substitute(const Coefficients<T>& f, T* y, int64_t step, int64_t columns) {
  each_vector<T>(0, columns, [&](int64_t j, auto part) {
    vec<T> row[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) row[i] = part.get(y + i * step + j);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      row[i] *= broadcast(f.inverse[i]);
#pragma GCC unroll 8
      for (int k = i + 1; k < R; ++k) row[k] = fma_(broadcast(f.c[k][i]), row[i], row[k]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) part.put(y + i * step + j, row[i]);
  });
}
template <class T>
void substitute(int64_t rows, const Coefficients<T>& f, T* y, int64_t step, int64_t columns) {
  if (columns <= 0) return;
  switch (rows) {
    case 1: return substitute<T, 1>(f, y, step, columns);
    case 2: return substitute<T, 2>(f, y, step, columns);
    case 3: return substitute<T, 3>(f, y, step, columns);
    case 4: return substitute<T, 4>(f, y, step, columns);
    case 5: return substitute<T, 5>(f, y, step, columns);
    case 6: return substitute<T, 6>(f, y, step, columns);
    case 7: return substitute<T, 7>(f, y, step, columns);
    case 8: return substitute<T, 8>(f, y, step, columns);
  }
}

// op(A) Y = Y in place: A (n, n) triangular, Y (n, columns) with rows of whole vectors. Left-looking: a block of rows
// takes one deep product with all rows solved before, and then goes strip by strip.
template <class T>
struct Triangle {
  const T* a;
  int64_t lda;
  bool lower, trans, unit;
  int64_t n;

  bool forward() const { return lower != trans; }
  T at(int64_t i, int64_t j) const { return trans ? a[j * lda + i] : a[i * lda + j]; }
};

template <class T>
void solve_block(const Triangle<T>& t, int64_t i0, int64_t i1, T* y, int64_t ldy, int64_t columns) {
  constexpr int64_t gap = kLine / int64_t{sizeof(T)};
  alignas(64) T pack[kDeep * (kBlock + gap)];
  const bool forward = t.forward();
  const int64_t solved0 = forward ? 0 : i1, solved1 = forward ? i0 : t.n;
  for (int64_t p = solved0; p < solved1; p += kDeep) {
    const int64_t deep = smaller(kDeep, solved1 - p);
    const int64_t ldp = t.trans ? kBlock + gap : kDeep + gap;
    if (t.trans)
      copy_negated(t.a + p * t.lda + i0, t.lda, deep, i1 - i0, pack, ldp);
    else
      copy_negated(t.a + i0 * t.lda + p, t.lda, i1 - i0, deep, pack, ldp);
    product(i1 - i0, columns, deep, pack, ldp, t.trans, y + p * ldy, ldy, y + i0 * ldy, ldy, true);
  }
  for (int64_t done = 0; done < i1 - i0; done += kStrip) {
    const int64_t rows = smaller(kStrip, i1 - i0 - done);
    const int64_t from = forward ? i0 + done : i1 - done - rows, to = from + rows;
    const int64_t s0 = forward ? i0 : to;
    if (done > 0) {
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t p = 0; p < done; ++p) pack[p * kStrip + i] = -t.at(from + i, s0 + p);
      product(rows, columns, done, pack, kStrip, true, y + s0 * ldy, ldy, y + from * ldy, ldy, true);
    }
    Coefficients<T> f;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = forward ? from + i : to - 1 - i;
      f.inverse[i] = t.unit ? T(1) : T(1) / t.at(row, row);
      for (int64_t k = 0; k < i; ++k) f.c[i][k] = -t.at(row, forward ? from + k : to - 1 - k);
    }
    substitute(rows, f, forward ? y + from * ldy : y + (to - 1) * ldy, forward ? ldy : -ldy, columns);
  }
}

// The same for one contiguous vector: products with the rows of A as they lie.
template <class T>
void solve_vector(const Triangle<T>& t, T* y) {
  const bool forward = t.forward();
  for (int64_t done = 0; done < t.n; ++done) {
    const int64_t i = forward ? done : t.n - 1 - done, from = forward ? 0 : i + 1;
    const T* const row = t.a + i * t.lda;
    if (!t.trans) y[i] -= dot(row + from, y + from, done);
    if (!t.unit) y[i] /= row[i];
    const int64_t rest = forward ? i + 1 : 0;
    if (t.trans) axpy(-y[i], row + rest, y + rest, t.n - 1 - done);
  }
}

// Right sides in a workspace: rows of whole vectors, or one contiguous vector.
template <class T>
constexpr int64_t right_side_ld(int64_t columns) {
  return columns == 1 ? 1 : padded<T>(columns);
}

template <class T>
void solve_triangle(const Triangle<T>& t, T* y, int64_t ldy, int64_t columns) {
  if (columns == 1) return solve_vector(t, y);
  constexpr int64_t P = kPanelColumns<T>;
  const int64_t panels = blocks_of(columns, P);
  const double per_panel = 0.5 * static_cast<double>(t.n) * static_cast<double>(t.n) * static_cast<double>(P);
  const int64_t by_work =
      static_cast<int64_t>(static_cast<double>(kWork) / larger(1, static_cast<int64_t>(per_panel)));
  // A is packed once a task: few and wide tasks, as long as there are four.
  const int64_t grain = larger(by_work + 1, smaller(8, panels / 4));
  parallel_for(panels, grain, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * P, to = smaller(end * P, columns), blocks = blocks_of(t.n, kBlock);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t block = t.forward() ? b : blocks - 1 - b;
      solve_block(t, block * kBlock, smaller((block + 1) * kBlock, t.n), y + from, ldy, to - from);
    }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
