// C = act(op(A) op(B) + bias), float32 and float64.
//
// C is cut into blocks of rows and columns, one task each; a task walks K in blocks of kc and covers its
// block of C with register tiles (gemm_tile.h). The tiles read A and B in place as long as the caches serve
// that well, which is most of the shapes of a small network. Otherwise a panel of B is packed
//   own     by the task, on its stack, when the task is the only one to use that panel (few rows: C is cut by
//   columns); shared  by all threads into the workspace, a slab of K at a time, before the tasks start (C is
//   cut by rows too);
// and a group of A's rows is packed on the stack when it is used with several panels, or jumps through
// memory. The plan depends on the shape only, and no sum is ever shared between tasks: any number of threads
// gives the same bits.
#pragma once
#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#include "kernels/gemv.h"
#include "kernels/linalg.h"

namespace pl::PL_ISA {
namespace {

inline constexpr int64_t kPanelBytes = 128 << 10;  // a packed panel of B: streams from the second-level cache
inline constexpr int64_t kInPlaceBytes = 512
                                         << 10;  // B up to here is read in place: half a second-level cache
inline constexpr int64_t kSlabBytes = 4 << 20;   // of packed B in the workspace
inline constexpr int64_t kTaskWork = int64_t{1}
                                     << 18;  // multiply-adds that pay for a task: some microseconds
inline constexpr int64_t kMaxTasks = 64;
inline constexpr int64_t kFewRows = 192;  // up to here C is cut by columns only
inline constexpr int64_t kPanelsPerTask = 8;
inline constexpr int64_t kInPlaceDepth = 1024;

template <class T>
inline constexpr int64_t kPanel = kPanelVectors * width<T>;  // columns
template <class T>
inline constexpr int64_t kDepth = smaller(kPanelBytes / (kPanel<T> * int64_t{sizeof(T)}), 512);
template <class T>
inline constexpr int64_t kGroup =
    (kVectorRegisters == 32 ? 192 : 96) / int64_t{sizeof(T)};  // rows of packed A
template <class T>
inline constexpr int64_t kGap = PL_VEC / int64_t{sizeof(T)};  // added to the row distance of packed A
// A group of A that is turned while it is packed may be up to this much wider, and its depth smaller: longer
// runs are read.
inline constexpr int64_t kWiden = 4;
template <class T>
inline constexpr int64_t kGroupSize =
    larger(kGroup<T> * (kDepth<T> + kWiden * kGap<T>), kDepth<T>*(kGroup<T> + kGap<T>));

enum class PackB { no, own, shared };

struct Plan {
  PackB pack_b;
  bool pack_a;
  bool turn_a;            // A is stored transposed, and packed in rows
  int64_t group;          // rows of A packed at a time
  int64_t rows, columns;  // of a block of C
  int64_t kc;
  int64_t slab;  // blocks of K packed at a time
};

template <class T>
Plan plan_gemm(const GemmArgs& g) {
  const int64_t size = sizeof(T), panels = blocks_of(g.n, kPanel<T>);
  const int64_t work = g.m * g.n * g.k;
  const int64_t tasks = larger(1, smaller(kMaxTasks, work / kTaskWork) / larger(1, g.batch));
  const bool by_columns = g.m <= kFewRows && (panels >= 4 || (g.trans_b && g.batch > 1));
  Plan p{};
  if (!g.trans_b && g.k * g.n * size <= kInPlaceBytes)
    p.pack_b = PackB::no;
  else
    p.pack_b = by_columns ? PackB::own : PackB::shared;

  const int64_t depth = p.pack_b == PackB::no && kMaskedLoads ? kInPlaceDepth : kDepth<T>;
  p.kc = blocks_of(g.k, blocks_of(g.k, depth));
  p.slab = 1;
  p.rows = g.m;
  p.columns = g.n;
  if (p.pack_b == PackB::shared) {
    p.rows = smaller(g.m, 2 * kGroup<T>);
    p.columns = kPanelsPerTask * kPanel<T>;
    while (p.columns > kPanel<T> && blocks_of(g.m, p.rows) * blocks_of(g.n, p.columns) < tasks)
      p.columns = round_up(p.columns / 2, kPanel<T>);
  } else if (by_columns) {
    p.columns = blocks_of(panels, smaller(panels, tasks)) * kPanel<T>;
  } else {
    const int64_t step = g.m >= 8 * kMaxTileRows ? kMaxTileRows : tile_rows(kPanelVectors);
    p.rows = larger(step, round_up(blocks_of(g.m, tasks), step));
  }
  // A in place touches a cache line per step of k when it is stored transposed.
  const bool jumps = g.trans_a && p.kc * g.lda * size > kInPlaceBytes / 2;
  p.pack_a = jumps || (p.pack_b == PackB::shared && smaller(p.columns, g.n) >= 3 * kPanel<T>);
  p.group = kGroup<T>;
  if (p.pack_a) {
    p.turn_a = g.trans_a && panels <= 2;
    const int64_t widen = p.turn_a ? kWiden : 1;
    p.group *= widen;
    p.kc = smaller(p.kc, blocks_of(g.k, blocks_of(g.k, kDepth<T> / widen)));
    if (p.rows < g.m) p.rows = round_up(p.rows, p.group);
  }
  if (p.pack_b == PackB::shared) {
    p.slab = larger(1, kSlabBytes / (p.kc * panels * kPanel<T> * size));
  }
  return p;
}

template <class T>
int64_t packed_size(const GemmArgs& g, const Plan& p) {  // elements
  if (p.pack_b != PackB::shared) return 0;
  return smaller(p.slab, blocks_of(g.k, p.kc)) * p.kc * round_up(g.n, kPanel<T>);
}

// One product of the batch.
template <class T>
struct Product {
  const GemmArgs& g;
  Plan plan;
  const T* a;
  int64_t lda;
  const T* b;
  T* c;
  T* packed;

  const T* a_at(int64_t i, int64_t p) const { return g.trans_a ? a + p * lda + i : a + i * lda + p; }
  const T* b_at(int64_t p, int64_t j) const { return g.trans_b ? b + j * g.ldb + p : b + p * g.ldb + j; }

  void pack_panel(int64_t p, int64_t kc, int64_t j, int64_t columns, T* out, int64_t ldo) const {
    if (g.trans_b)
      copy_transposed(b_at(p, j), g.ldb, kc, columns, out, ldo);
    else
      copy_rows(b_at(p, j), g.ldb, kc, columns, out, ldo);
  }

  // Rows [i0,i1), columns [j0,j1), all the panel's k in [p,p+kc).
  void cover(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p, int64_t kc, const T* pa, int64_t lda,
             const T* pb, int64_t ldb) const {
    T* const out = c + i0 * g.ldc + j0;
    tile_column(i1 - i0, j1 - j0, kc, pa, lda, g.trans_a && !plan.turn_a, pb, ldb, out, g.ldc,
                g.accumulate || p > 0);
    if (p + kc == g.k && !g.accumulate)
      finish(out, g.ldc, i1 - i0, j1 - j0, g.bias ? static_cast<const T*>(g.bias) + j0 : nullptr, 1,
             g.activation);
  }

  // The block of C at (i0,j0) and the blocks of K in [p0,p1).
  void block(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) const {
    if (plan.pack_b == PackB::no && !plan.pack_a) return block_in_place(i0, i1, j0, j1, p0, p1);
    alignas(64) T own[kPanelBytes / sizeof(T)];
    alignas(64) T group[kGroupSize<T>];
    constexpr int64_t P = kPanel<T>;
    for (int64_t p = p0; p < p1; p += plan.kc) {
      const int64_t kc = smaller(plan.kc, p1 - p);
      if (plan.pack_b == PackB::own) {
        for (int64_t j = j0; j < j1; j += P) {
          const int64_t to = smaller(j + P, j1), ldb = round_up(to - j, width<T>);
          pack_panel(p, kc, j, to - j, own, ldb);
          for_groups(i0, i1, p, kc, group, [&](int64_t i, int64_t i_end, const T* pa, int64_t lda) {
            cover(i, i_end, j, to, p, kc, pa, lda, own, ldb);
          });
        }
        continue;
      }
      for_groups(i0, i1, p, kc, group, [&](int64_t i, int64_t i_end, const T* pa, int64_t lda) {
        for (int64_t j = j0; j < j1; j += P) {
          const int64_t to = smaller(j + P, j1), whole = round_up(to - j, width<T>);
          if (plan.pack_b == PackB::shared) {
            const T* const panel = packed + ((p - p0) * blocks_of(g.n, P) + j / P * kc) * P;
            cover(i, i_end, j, to, p, kc, pa, lda, panel, whole);
          } else if (kMaskedLoads || to - j == whole) {
            cover(i, i_end, j, to, p, kc, pa, lda, b_at(p, j), g.ldb);
          } else {
            pack_panel(p, kc, j, to - j, own, whole);
            cover(i, i_end, j, to, p, kc, pa, lda, own, whole);
          }
        }
      });
    }
  }

  // As above, without the stack buffers where nothing is ever packed.
  void block_in_place(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) const {
    constexpr int64_t P = kPanel<T>;
    for (int64_t p = p0; p < p1; p += plan.kc) {
      const int64_t kc = smaller(plan.kc, p1 - p);
      for (int64_t j = j0; j < j1; j += P) {
        const int64_t to = smaller(j + P, j1);
        if (kMaskedLoads || (to - j) % width<T> == 0)
          cover(i0, i1, j, to, p, kc, a_at(i0, p), lda, b_at(p, j), g.ldb);
        else
          cover_last(i0, i1, j, to, p, kc);
      }
    }
  }

  __attribute__((noinline)) void cover_last(int64_t i0, int64_t i1, int64_t j, int64_t to, int64_t p,
                                            int64_t kc) const {
    alignas(64) T own[kPanelBytes / sizeof(T)];
    const int64_t ldb = round_up(to - j, width<T>);
    pack_panel(p, kc, j, to - j, own, ldb);
    cover(i0, i1, j, to, p, kc, a_at(i0, p), lda, own, ldb);
  }

  template <class F>
  void for_groups(int64_t i0, int64_t i1, int64_t p, int64_t kc, T* group, const F& f) const {
    if (!plan.pack_a) return f(i0, i1, a_at(i0, p), lda);
    for (int64_t i = i0; i < i1; i += plan.group) {
      const int64_t to = smaller(i + plan.group, i1);
      const bool by_k = g.trans_a && !plan.turn_a;
      const int64_t distance = (by_k ? plan.group : round_up(kc, width<T>)) + kGap<T>;
      if (by_k)
        copy_rows(a_at(i, p), lda, kc, to - i, group, distance);
      else if (plan.turn_a)
        copy_transposed(a_at(i, p), lda, to - i, kc, group, distance);
      else
        copy_rows(a_at(i, p), lda, to - i, kc, group, distance);
      f(i, to, group, distance);
    }
  }

  void pack_shared(int64_t p0, int64_t p1) const {
    constexpr int64_t P = kPanel<T>;
    const int64_t panels = blocks_of(g.n, P), depth_blocks = blocks_of(p1 - p0, plan.kc);
    parallel_for(
        panels * depth_blocks, 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; ++t) {
            const int64_t p = p0 + t / panels * plan.kc, j = t % panels * P;
            const int64_t kc = smaller(plan.kc, p1 - p), columns = smaller(P, g.n - j);
            pack_panel(p, kc, j, columns, packed + ((p - p0) * panels + j / P * kc) * P,
                       round_up(columns, width<T>));
          }
        },
        !g.accumulate);
  }
};

template <class T>
Product<T> product_of(const GemmArgs& g, const Plan& plan, int64_t batch) {
  return {g,
          plan,
          static_cast<const T*>(g.a) + batch * g.batch_a,
          g.lda,
          static_cast<const T*>(g.b) + batch * g.batch_b,
          static_cast<T*>(g.c) + batch * g.batch_c,
          static_cast<T*>(g.work)};
}

template <class T>
void gemm_float(const GemmArgs& g) {
  if (g.k == 0) {
    if (g.accumulate) return;
    for (int64_t b = 0; b < g.batch; ++b) {
      T* const c = static_cast<T*>(g.c) + b * g.batch_c;
      for (int64_t i = 0; i < g.m; ++i)
        __builtin_memset(c + i * g.ldc, 0, static_cast<size_t>(g.n) * sizeof(T));
      finish(c, g.ldc, g.m, g.n, static_cast<const T*>(g.bias), 1, g.activation);
    }
    return;
  }
  if (gemm_thin<T>(g)) return;
  const Plan plan = plan_gemm<T>(g);
  const int64_t row_blocks = blocks_of(g.m, plan.rows), column_blocks = blocks_of(g.n, plan.columns);
  const int64_t blocks = row_blocks * column_blocks;
  const auto run = [&](const Product<T>& product, int64_t t, int64_t p0, int64_t p1) {
    // Rows vary fastest: a thread's next task reuses the panels of B it has in its cache.
    const int64_t i = t % row_blocks * plan.rows, j = t / row_blocks * plan.columns;
    product.block(i, smaller(i + plan.rows, g.m), j, smaller(j + plan.columns, g.n), p0, p1);
  };
  if (plan.pack_b != PackB::shared) {
    const int64_t grain = larger(1, kTaskWork / larger(1, plan.rows * smaller(plan.columns, g.n) * g.k));
    parallel_for(
        g.batch * blocks, grain,
        [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; ++t) run(product_of<T>(g, plan, t / blocks), t % blocks, 0, g.k);
        },
        !g.accumulate);
    return;
  }
  for (int64_t b = 0; b < g.batch; ++b) {
    const Product<T> product = product_of<T>(g, plan, b);
    for (int64_t p = 0; p < g.k; p += plan.slab * plan.kc) {
      const int64_t end = smaller(p + plan.slab * plan.kc, g.k);
      product.pack_shared(p, end);
      parallel_for(
          blocks, 1,
          [&](int64_t begin, int64_t to) {
            for (int64_t t = begin; t < to; ++t) run(product, t, p, end);
          },
          !g.accumulate);
    }
  }
}

}  // namespace
}  // namespace pl::PL_ISA
