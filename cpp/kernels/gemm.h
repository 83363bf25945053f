// C = act(op(A) op(B) + bias), float32 and float64.
//
// C is cut into blocks of rows and columns, one task each; a task walks K in blocks of kc and covers its block of C
// with register tiles (gemm_tile.h). The tiles read A and B in place as long as the caches serve that well, which is
// most of the shapes of a small network. Otherwise an operand is packed
//   own     by the task, on its stack: panels of B when C is cut by columns only (few rows), groups of A's rows when A
//           jumps through memory and is used with few panels. The tiles ask the cache for what is packed next;
//   shared  by all threads into the workspace, a slab of K at a time, before the tasks start: B when C is cut by rows
//           too, A when it jumps through memory or its rows fall on the same cache sets. A stored transposed is turned
//           then, so that all four layouts run alike from there; the tiles ask for the next panel of B.
// Otherwise A is never packed: a task's rows of it, one block of K deep, stay in the second-level cache.
// The plan depends on the shape only, and no sum is ever shared between tasks: any number of threads gives the same
// bits.
#pragma once
#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#include "kernels/gemv.h"
#include "kernels/linalg.h"

namespace pl::PL_ISA {
namespace {

// Block sizes in bytes, by the register file; a second-level cache of 1 MB is assumed with 32 registers, else 512 KB.
struct Blocking {
  int64_t own_bytes;       // a panel of B packed by a task
  int64_t in_place_bytes;  // B up to here is read in place
  int64_t slab_bytes;      // of packed B in the workspace; of packed A twice that
  int64_t group_bytes;     // of rows of A packed by a task
  int64_t depth;           // steps of k in a block; C is read and written once for each block
  int64_t rows;  // of C in a task that shares B: its rows of A, one block deep, stay in the second level
};
inline constexpr Blocking kBlocking = kVectorRegisters == 32 ? Blocking{.own_bytes = 128 << 10,
                                                                        .in_place_bytes = 512 << 10,
                                                                        .slab_bytes = 8 << 20,
                                                                        .group_bytes = 256 << 10,
                                                                        .depth = 1024,
                                                                        .rows = 96}
                                                             : Blocking{.own_bytes = 64 << 10,
                                                                        .in_place_bytes = 256 << 10,
                                                                        .slab_bytes = 8 << 20,
                                                                        .group_bytes = 128 << 10,
                                                                        .depth = 512,
                                                                        .rows = 96};
inline constexpr int64_t kTaskWork = int64_t{1}
                                     << 18;   // multiply-adds that pay for a task: some microseconds
inline constexpr int64_t kPackGrain = 16384;  // elements worth packing on another thread
inline constexpr int64_t kMaxTasks = 64;
inline constexpr int64_t kFewRows = 192;     // up to here C is cut by columns only
inline constexpr int64_t kFewPanels = 4;     // up to here it does not pay to pack A for all threads
inline constexpr int64_t kShortDepth = 256;  // a block of K whose steps lie far apart in memory

template <class T>
inline constexpr int64_t kPanel = kPanelVectors * width<T>;  // columns
template <class T>
inline constexpr int64_t kGap = PL_VEC / int64_t{sizeof(T)};  // added to the row distance of packed A

enum class Pack { no, own, shared };

struct Plan {
  Pack pack_a, pack_b;
  bool rows_contiguous;   // of A, as the tiles read it
  int64_t group;          // rows of A packed at a time
  int64_t rows, columns;  // of a block of C
  int64_t kc;
  int64_t slab;  // blocks of K packed at a time
};

// Rows `stride` bytes apart fall on few sets of a cache when it is a high power of two: how many of them are kept?
constexpr int64_t rows_in_cache(int64_t stride) {
  constexpr int64_t span = 64 << 10,
                    ways = 16;  // of the second level: bytes from one line of a set to the next
  const int64_t apart = stride & -stride;
  return apart < 4096 ? span : larger(1, span / apart) * ways;
}

template <class T>
Plan plan_gemm(const GemmArgs& g) {
  constexpr Blocking K = kBlocking;
  const int64_t size = sizeof(T), panels = blocks_of(g.n, kPanel<T>), width_b = panels * kPanel<T> * size;
  const int64_t work = g.m * g.n * g.k;
  const int64_t tasks = larger(1, smaller(kMaxTasks, work / kTaskWork) / larger(1, g.batch));
  const bool by_columns = g.m <= kFewRows && (panels >= 4 || (g.trans_b && g.batch > 1));
  Plan p{};
  if (!g.trans_b && g.k * g.n * size <= K.in_place_bytes)
    p.pack_b = Pack::no;
  else
    p.pack_b = by_columns ? Pack::own : Pack::shared;

  int64_t depth = K.depth;
  if (p.pack_b == Pack::shared) depth = larger(K.depth / 2, smaller(depth, K.slab_bytes / width_b));
  if (p.pack_b == Pack::own || !kMaskedLoads) depth = smaller(depth, K.own_bytes / (kPanel<T> * size));
  if (p.pack_b == Pack::own && !g.trans_b)
    depth = smaller(depth, larger(kShortDepth, rows_in_cache(g.ldb * size)));
  // A in place touches a cache line per step of k when it is stored transposed; rows in few sets push each other out.
  const bool jumps = g.trans_a && smaller(g.k, depth) * g.lda * size > K.in_place_bytes / 2;
  const bool crowds = !g.trans_a && p.pack_b == Pack::shared && rows_in_cache(g.lda * size) < 64;
  if (jumps || crowds)
    p.pack_a = p.pack_b == Pack::shared && panels > kFewPanels && g.m * depth * size <= 2 * K.slab_bytes
                   ? Pack::shared
                   : Pack::own;
  if (jumps && p.pack_a == Pack::own) depth = smaller(depth, kShortDepth);
  p.kc = blocks_of(g.k, blocks_of(g.k, depth));
  p.group = (K.group_bytes / ((p.kc + kGap<T>)*size) - kGap<T>) / kMaxTileRows * kMaxTileRows;
  p.rows_contiguous = g.trans_a && p.pack_a != Pack::shared;
  p.slab = 1;
  p.rows = g.m;
  p.columns = g.n;
  if (p.pack_b == Pack::shared) {
    const int64_t most = p.pack_a == Pack::own ? p.group : K.rows;
    p.rows = blocks_of(g.m, blocks_of(g.m, most));
    if (p.rows < g.m) p.rows = smaller(most, round_up(p.rows, tile_rows(kPanelVectors)));
    const int64_t across = smaller(panels, blocks_of(tasks, blocks_of(g.m, p.rows)));
    p.columns = blocks_of(panels, across) * kPanel<T>;
  } else if (by_columns) {
    p.columns = blocks_of(panels, smaller(panels, tasks)) * kPanel<T>;
  } else {
    const int64_t step = p.pack_a == Pack::own     ? p.group
                         : g.m >= 8 * kMaxTileRows ? kMaxTileRows
                                                   : tile_rows(kPanelVectors);
    p.rows = larger(step, round_up(blocks_of(g.m, tasks), step));
  }
  if (p.pack_b == Pack::shared) p.slab = larger(1, K.slab_bytes / (p.kc * width_b));
  if (p.pack_a == Pack::shared) p.slab = larger(1, smaller(p.slab, 2 * K.slab_bytes / (g.m * p.kc * size)));
  return p;
}

// Elements of the workspace: blocks of B, then blocks of A.
template <class T>
int64_t packed_b_size(const GemmArgs& g, const Plan& p) {
  if (p.pack_b != Pack::shared) return 0;
  return smaller(p.slab, blocks_of(g.k, p.kc)) * p.kc * round_up(g.n, kPanel<T>);
}
template <class T>
int64_t packed_size(const GemmArgs& g, const Plan& p) {
  int64_t size = packed_b_size<T>(g, p);
  if (p.pack_a == Pack::shared) size += smaller(p.slab, blocks_of(g.k, p.kc)) * g.m * (p.kc + kGap<T>);
  return size;
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
             const T* pb, int64_t ldb, Ahead* ahead = nullptr) const {
    if (g.symmetric && j1 <= i0) return;  // below the diagonal
    T* const out = c + i0 * g.ldc + j0;
    tile_column(i1 - i0, j1 - j0, kc, pa, lda, plan.rows_contiguous, pb, ldb, out, g.ldc,
                g.accumulate || p > 0, ahead);
    if (p + kc == g.k && !g.accumulate)
      finish(out, g.ldc, i1 - i0, j1 - j0, g.bias ? static_cast<const T*>(g.bias) + j0 : nullptr, 1,
             g.activation, residual_at<T>(g, out));
  }

  static int64_t steps(int64_t rows, int64_t kc) { return blocks_of(rows, tile_rows(kPanelVectors)) * kc; }

  // The block of C at (i0,j0) and the blocks of K in [p0,p1).
  void block(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) const {
    if (plan.pack_b == Pack::own) return block_own(i0, i1, j0, j1, p0, p1);
    if (plan.pack_b == Pack::shared) return block_shared(i0, i1, j0, j1, p0, p1);
    if (plan.pack_a == Pack::no) return block_in_place(i0, i1, j0, j1, p0, p1);
    alignas(64) T own[kBlocking.own_bytes / sizeof(T)];
    alignas(64) T group[kBlocking.group_bytes / sizeof(T)];
    constexpr int64_t P = kPanel<T>;
    for (int64_t p = p0; p < p1; p += plan.kc) {
      const int64_t kc = smaller(plan.kc, p1 - p);
      for_groups(i0, i1, p, kc, group, [&](int64_t i, int64_t i_end, const T* pa, int64_t lda) {
        for (int64_t j = j0; j < j1; j += P) {
          const int64_t to = smaller(j + P, j1), whole = round_up(to - j, width<T>);
          Ahead ahead;
          if (to == j1) ask_a(ahead, i_end, i1, p, kc, p1, i0, steps(i_end - i, kc));
          if (kMaskedLoads || to - j == whole) {
            cover(i, i_end, j, to, p, kc, pa, lda, b_at(p, j), g.ldb, &ahead);
          } else {
            pack_panel(p, kc, j, to - j, own, whole);
            cover(i, i_end, j, to, p, kc, pa, lda, own, whole, &ahead);
          }
        }
      });
    }
  }

  // Asks for the rows of A that are packed next: from i on, or the first ones in the next block of K.
  void ask_a(Ahead& ahead, int64_t i, int64_t i1, int64_t p, int64_t kc, int64_t p1, int64_t i0,
             int64_t over) const {
    if (i >= i1) {
      p += kc;
      i = i0;
      kc = smaller(plan.kc, p1 - p);
    }
    if (p >= p1) return;
    const int64_t rows = smaller(plan.group, i1 - i);
    if (g.trans_a)
      ahead.spread(a_at(i, p), kc, rows * int64_t{sizeof(T)}, lda * int64_t{sizeof(T)}, over);
    else
      ahead.spread(a_at(i, p), rows, kc * int64_t{sizeof(T)}, lda * int64_t{sizeof(T)}, over);
  }

  // Panels of B packed by the task; the next one is on its way meanwhile.
  void block_own(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) const {
    alignas(64) T own[kBlocking.own_bytes / sizeof(T)];
    alignas(64) T group[kBlocking.group_bytes / sizeof(T)];
    constexpr int64_t P = kPanel<T>;
    for (int64_t p = p0; p < p1; p += plan.kc) {
      const int64_t kc = smaller(plan.kc, p1 - p);
      for (int64_t j = j0; j < j1; j += P) {
        const int64_t to = smaller(j + P, j1), ldb = round_up(to - j, width<T>);
        pack_panel(p, kc, j, to - j, own, ldb);
        Ahead ahead;
        ask_b(ahead, p, kc, j, j0, j1, p1, steps(i1 - i0, kc));
        for_groups(i0, i1, p, kc, group, [&](int64_t i, int64_t i_end, const T* pa, int64_t lda) {
          cover(i, i_end, j, to, p, kc, pa, lda, own, ldb, &ahead);
        });
      }
    }
  }

  // Asks for the panel of B that is packed after the one at (p, j).
  void ask_b(Ahead& ahead, int64_t p, int64_t kc, int64_t j, int64_t j0, int64_t j1, int64_t p1,
             int64_t over) const {
    j += kPanel<T>;
    if (j >= j1) {
      j = j0;
      p += kc;
      kc = smaller(plan.kc, p1 - p);
    }
    if (p >= p1) return;
    const int64_t columns = smaller(kPanel<T>, j1 - j), size = sizeof(T);
    if (g.trans_b)
      ahead.spread(b_at(p, j), columns, kc * size, g.ldb * size, over);
    else
      ahead.spread(b_at(p, j), kc, columns * size, g.ldb * size, over);
  }

  // Panels of B in the workspace.
  void block_shared(int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) const {
    alignas(64) T group[kBlocking.group_bytes / sizeof(T)];
    constexpr int64_t P = kPanel<T>;
    const auto panel = [&](int64_t p, int64_t kc, int64_t j) {
      return packed + ((p - p0) * blocks_of(g.n, P) + j / P * kc) * P;
    };
    for (int64_t p = p0; p < p1; p += plan.kc) {
      const int64_t kc = smaller(plan.kc, p1 - p);
      const auto panels = [&](int64_t i, int64_t i_end, const T* pa, int64_t lda) {
        for (int64_t j = j0; j < j1; j += P) {
          const int64_t to = smaller(j + P, j1);
          const int64_t over = steps(i_end - i, kc);
          Ahead ahead;
          if (plan.pack_a == Pack::own && to == j1)
            ask_a(ahead, i_end, i1, p, kc, p1, i0, over);
          else if (to < j1)  // the next panel, else its first tile would wait for the third level
            ahead.spread(panel(p, kc, to), 1, kc * P * int64_t{sizeof(T)}, 0, over);
          cover(i, i_end, j, to, p, kc, pa, lda, panel(p, kc, j), round_up(to - j, width<T>), &ahead);
        }
      };
      if (plan.pack_a == Pack::shared)
        panels(i0, i1, packed_a((p - p0) / plan.kc) + i0 * (plan.kc + kGap<T>), plan.kc + kGap<T>);
      else
        for_groups(i0, i1, p, kc, group, panels);
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
    alignas(64) T own[kBlocking.own_bytes / sizeof(T)];
    const int64_t ldb = round_up(to - j, width<T>);
    pack_panel(p, kc, j, to - j, own, ldb);
    cover(i0, i1, j, to, p, kc, a_at(i0, p), lda, own, ldb);
  }

  template <class F>
  void for_groups(int64_t i0, int64_t i1, int64_t p, int64_t kc, T* group, const F& f) const {
    if (plan.pack_a != Pack::own) return f(i0, i1, a_at(i0, p), lda);
    for (int64_t i = i0; i < i1; i += plan.group) {
      const int64_t to = smaller(i + plan.group, i1);
      const int64_t distance = (g.trans_a ? plan.group : kc) + kGap<T>;
      if (g.trans_a)
        copy_rows(a_at(i, p), lda, kc, to - i, group, distance);
      else
        copy_rows(a_at(i, p), lda, to - i, kc, group, distance);
      f(i, to, group, distance);
    }
  }

  // A's rows in the block of K, kc + gap apart
  T* packed_a(int64_t block) const {
    return packed + packed_b_size<T>(g, plan) + block * g.m * (plan.kc + kGap<T>);
  }

  void pack_shared(int64_t p0, int64_t p1) const {
    constexpr int64_t P = kPanel<T>, R = kBlocking.rows;
    const int64_t panels = blocks_of(g.n, P), depth_blocks = blocks_of(p1 - p0, plan.kc);
    const int64_t strips = plan.pack_a == Pack::shared ? blocks_of(g.m, R) : 0;
    parallel_for((panels + strips) * depth_blocks, larger(1, kPackGrain / (P * plan.kc)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t t = begin; t < end; ++t) {
                     const int64_t block = t % depth_blocks, p = p0 + block * plan.kc;
                     const int64_t kc = smaller(plan.kc, p1 - p), part = t / depth_blocks;
                     if (part < panels) {
                       const int64_t j = part * P, columns = smaller(P, g.n - j);
                       pack_panel(p, kc, j, columns, packed + ((p - p0) * panels + part * kc) * P,
                                  round_up(columns, width<T>));
                       continue;
                     }
                     const int64_t i = (part - panels) * R, rows = smaller(R, g.m - i),
                                   distance = plan.kc + kGap<T>;
                     if (g.trans_a)
                       copy_transposed(a_at(i, p), lda, rows, kc, packed_a(block) + i * distance, distance);
                     else
                       copy_rows(a_at(i, p), lda, rows, kc, packed_a(block) + i * distance, distance);
                   }
                 },
                 !g.accumulate);
  }
};

// What lies below the diagonal of C (n,n) from what lies above.
template <class T>
void mirror(T* c, int64_t ldc, int64_t n) {
  constexpr int64_t S = 32;  // a square that stays in the first-level cache
  parallel_for(blocks_of(n, S), larger(1, kPackGrain / (S * n)), [&](int64_t begin, int64_t end) {
    for (int64_t i0 = begin * S; i0 < smaller(end * S, n); i0 += S)
      for (int64_t j0 = 0; j0 <= i0; j0 += S)
        for (int64_t i = i0; i < smaller(i0 + S, n); ++i)
          for (int64_t j = j0; j < smaller(j0 + S, i); ++j) c[i * ldc + j] = c[j * ldc + i];
  });
}

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
void gemm_blocks(const GemmArgs& g) {
  if (g.k == 0) {
    if (g.accumulate) return;
    for (int64_t b = 0; b < g.batch; ++b) {
      T* const c = static_cast<T*>(g.c) + b * g.batch_c;
      for (int64_t i = 0; i < g.m; ++i)
        __builtin_memset(c + i * g.ldc, 0, static_cast<size_t>(g.n) * sizeof(T));
      finish(c, g.ldc, g.m, g.n, static_cast<const T*>(g.bias), 1, g.activation, residual_at<T>(g, c));
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
  if (plan.pack_b != Pack::shared) {
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

template <class T>
void gemm_float(const GemmArgs& g) {
  gemm_blocks<T>(g);
  if (!g.symmetric) return;
  for (int64_t b = 0; b < g.batch; ++b) mirror(static_cast<T*>(g.c) + b * g.batch_c, g.ldc, g.n);
}

}  // namespace
}  // namespace pl::PL_ISA
