// Fused attention: scores, softmax and weighted sum in blocks that stay in cache; formulas in attention.h.
//
//   forward   parallel over (batch, head, kTaskElements / depth queries). A task walks the keys in blocks: K is
//             transposed and V copied onto the stack, then, for kQueryRows queries at a time, scores = q K' (register
//             tiles), the running maximum m and sum l of each row are brought up to date (Milakov & Gimelshein 2018),
//             and out = out e^(m_old - m) + e^(scores - m) V. Queries are packed, already times scale.
//   backward  parallel over (batch, key head, range of keys). A task walks its keys in blocks and, inside, the queries
//             (of all heads that share the key head); p is computed again from lse:
//               dV += p' dO,  ds = p (dO V' - delta),  dQ += ds K,  dK += ds' Q,  delta = rowsum(dO out)
//             dK and dV of a block stay on the stack. dQ is written in place where one range holds all keys; ranges,
//             which there are only when batch and heads alone would leave threads idle, sum theirs in the workspace
//             and the parts are added in order.
// With `causal`, blocks above the diagonal are skipped and those on it cut to the columns in use. Tasks depend on the
// shape only.
#include "kernels/attention.h"

#include "core/parallel.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_tile.h"
#include "kernels/philox.h"
#include "kernels/random_formulas.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kQueryRows = 48;        // four tiles of twelve rows
constexpr int64_t kTaskElements = 12288;  // of packed queries: 192 rows at depth 64
constexpr int64_t kMostTaskRows = 192;
constexpr int64_t kBlockElements = 8192;  // of packed keys: 128 of them at depth 64
constexpr int64_t kMostKeys = 128;        // a block of keys
constexpr int64_t kLeastKeys = 16;        // a whole number of vectors on every ISA
constexpr int64_t kPackedElements = kLeastKeys * kMostAttentionDepth;
constexpr int64_t kTaskWork = int64_t{1} << 18;  // multiply-adds that pay for a task
constexpr int64_t kWantedTasks = 32;             // ranges of keys are made until there are so many
constexpr int64_t kRangeKeys = 256;              // the shortest range
constexpr int64_t kDeltaRows = 64;

struct Blocking {
  int64_t keys;  // of a block
  int64_t rows;  // queries at a time
  int64_t task;  // queries of a forward task
};
Blocking blocking(const AttentionInputs& in) {
  const int64_t depth = larger(in.depth, in.value_depth);
  const int64_t keys =
      larger(kLeastKeys, smaller(kMostKeys, kBlockElements / depth / kLeastKeys * kLeastKeys));
  const int64_t task = larger(12, smaller(kMostTaskRows, kTaskElements / depth / 12 * 12));
  return {keys, smaller(kQueryRows, task), task};
}

template <class T>
const T* row_of(const AttentionOperand& o, int64_t b, int64_t t, int64_t h) {
  return static_cast<const T*>(o.data) + b * o.batch + t * o.length + h * o.head;
}

// c (rows, columns) (+)= op(a) b, panel by panel; b's rows are whole vectors.
template <class T>
void product(int64_t rows, int64_t columns, int64_t k, const T* a, int64_t lda, bool a_transposed, const T* b,
             int64_t ldb, T* c, int64_t ldc, bool add) {
  constexpr int64_t panel = kPanelVectors * width<T>;
  for (int64_t j = 0; j < columns; j += panel)
    tile_column(rows, smaller(panel, columns - j), k, a, lda, a_transposed, b + j, ldb, c + j, ldc, add);
}

// out = in scale, rows of whole vectors
template <class T>
void copy_scaled(const T* in, int64_t ldi, int64_t rows, int64_t columns, T scale, T* out, int64_t ldo) {
  constexpr int W = width<T>;
  for (int64_t i = 0; i < rows; ++i, in += ldi, out += ldo) {
    int64_t j = 0;
    for (; j + W <= columns; j += W) store(out + j, load(in + j) * scale);
    if (j < columns) store(out + j, load_n(in + j, columns - j) * scale);
  }
}

// Where a block of scores lies: queries [i, i + rows), keys [j, j + columns) of (b, h).
struct Block {
  int64_t b, h, i, rows, j, columns;
};

// How many of a block's columns row r sees, the diagonal being what hides the others.
PL_INLINE int64_t seen(const AttentionInputs& in, const Block& k, int64_t r) {
  if (!in.causal) return k.columns;
  return larger(0, smaller(k.columns, k.i + r + 1 - k.j));
}

template <class T>
void apply_mask(const AttentionInputs& in, const Block& k, T* scores, int64_t ld) {
  constexpr T least = static_cast<T>(-__builtin_inf());
  for (int64_t r = 0; r < k.rows; ++r, scores += ld) {
    const int64_t at = k.b * in.mask_b + k.h * in.mask_h + (k.i + r) * in.mask_t + k.j * in.mask_s;
    if (in.additive) {
      const T* const mask = static_cast<const T*>(in.mask) + at;
      if (in.mask_s)
        for (int64_t j = 0; j < k.columns; ++j) scores[j] += mask[j];
      else
        for (int64_t j = 0; j < k.columns; ++j) scores[j] += mask[0];
    } else {
      const uint8_t* const mask = static_cast<const uint8_t*>(in.mask) + at;
      if (in.mask_s)
        for (int64_t j = 0; j < k.columns; ++j) scores[j] = mask[j] ? scores[j] : least;
      else if (!mask[0])
        for (int64_t j = 0; j < k.columns; ++j) scores[j] = least;
    }
  }
}

// The words that decide what dropout keeps of a row of a block.
constexpr int64_t kMostWords = (kMostKeys + 3 + kPhiloxStep - 1) / kPhiloxStep * kPhiloxStep;
struct Dropout {
  uint64_t seed, draw;
  uint32_t least;
  const uint32_t* words_of(const AttentionInputs& in, const Block& k, int64_t r, uint32_t* buffer) const {
    const int64_t row = (k.b * in.heads + k.h) * in.queries + k.i + r;
    const uint64_t first =
        static_cast<uint64_t>(row) * static_cast<uint64_t>(in.keys) + static_cast<uint64_t>(k.j);
    const int64_t skip = static_cast<int64_t>(first % 4);
    philox(seed, draw, first / 4, static_cast<int>(round_up(skip + k.columns, kPhiloxStep)), buffer);
    return buffer + skip;
  }
};
Dropout dropout_of(const AttentionInputs& in, const RngState* state) {
  if (in.dropout == 0) return {};
  return {state->seed, state->draw, keep_from(in.dropout)};
}

// p = e^(scores - shift), zero where the diagonal hides; returns the row's sum. Rows are padded to whole vectors.
template <class T>
PL_INLINE T exp_row(T* p, int64_t visible, int64_t columns, T shift) {
  constexpr int W = width<T>;
  const vec<T> least = splat<vec<T>>(static_cast<T>(-__builtin_inf()));
  vec<T> sum{}, other{};
  int64_t j = 0;
  for (; j + 2 * W <= visible; j += 2 * W) {
    const vec<T> e = exp_(load(p + j) - shift), f = exp_(load(p + j + W) - shift);
    store(p + j, e);
    store(p + j + W, f);
    sum += e;
    other += f;
  }
  for (; j < visible; j += W) {
    const vec<T> x = visible - j >= W ? load(p + j) : load_n(p + j, visible - j, least);
    const vec<T> e = exp_(x - shift);
    store(p + j, e);
    sum += e;
  }
  for (; j < columns; j += W) store(p + j, vec<T>{});
  return sum_lanes(sum + other);
}

template <class T>
PL_INLINE T max_row(const T* x, int64_t n, T least) {
  constexpr int W = width<T>;
  vec<T> m = splat<vec<T>>(least), other = m;
  int64_t j = 0;
  for (; j + 2 * W <= n; j += 2 * W) {
    const vec<T> a = load(x + j), b = load(x + j + W);
    m = select(m < a, a, m);
    other = select(other < b, b, other);
  }
  for (; j < n; j += W) {
    const vec<T> a = n - j >= W ? load(x + j) : load_n(x + j, n - j, m);
    m = select(m < a, a, m);
  }
  return max_lanes(select(m < other, other, m));
}

template <class T>
void attention_task(const AttentionArgs& a, const Blocking& size, const Dropout& dropout, int64_t b,
                    int64_t h, int64_t from, int64_t to) {
  const AttentionInputs& in = a.in;
  constexpr int W = width<T>;
  constexpr T least = static_cast<T>(-__builtin_inf());
  const int64_t depth = in.depth, wide = round_up(in.value_depth, W), kept = h / (in.heads / in.kv_heads);
  const int64_t ld = round_up(size.keys, W), ldq = round_up(depth, W);
  alignas(64) T queries[kPackedElements], sums[kPackedElements];  // sums: of p V
  alignas(64) T keys[kPackedElements], values[kPackedElements];
  alignas(64) T scores[kQueryRows * kMostKeys];
  alignas(64) T most[kMostTaskRows], total[kMostTaskRows];
  alignas(64) T shift[kQueryRows + W], fade[kQueryRows + W];
  for (int64_t r = 0; r < to - from; ++r) most[r] = least, total[r] = 0;
  copy_scaled(row_of<T>(in.q, b, from, h), in.q.length, to - from, depth, static_cast<T>(in.scale), queries,
              ldq);

  const int64_t end = in.causal ? smaller(in.keys, to) : in.keys;
  for (int64_t j = 0; j < end; j += size.keys) {
    const int64_t columns = smaller(size.keys, end - j);
    copy_transposed(row_of<T>(in.k, b, j, kept), in.k.length, depth, columns, keys, ld);
    copy_rows(row_of<T>(in.v, b, j, kept), in.v.length, columns, in.value_depth, values, wide);
    for (int64_t i = from; i < to; i += size.rows) {
      Block k{b, h, i, smaller(size.rows, to - i), j, columns};
      if (in.causal) k.columns = smaller(columns, k.i + k.rows - j);
      if (k.columns <= 0) continue;
      product(k.rows, k.columns, depth, queries + (i - from) * ldq, ldq, false, keys, ld, scores, ld, false);
      if (in.mask) apply_mask(in, k, scores, ld);
      T* const m = most + (i - from);
      T* const l = total + (i - from);
      for (int64_t r = 0; r < k.rows; ++r) {
        const T now = max_row(scores + r * ld, seen(in, k, r), m[r]);
        shift[r] = now == least ? T(0) : now;
        fade[r] = m[r] - shift[r];
        m[r] = now;
      }
      for (int64_t r = 0; r < k.rows; r += W) store(fade + r, exp_(load(fade + r)));
      for (int64_t r = 0; r < k.rows; ++r) {
        T* const p = scores + r * ld;
        l[r] = l[r] * fade[r] + exp_row(p, seen(in, k, r), k.columns, shift[r]);
        T* const sum = sums + (i - from + r) * wide;
        if (j > 0 && fade[r] != 1)
          for (int64_t d = 0; d < wide; d += W) store(sum + d, load(sum + d) * fade[r]);
        if (in.dropout == 0) continue;
        uint32_t buffer[kMostWords];
        const uint32_t* const words = dropout.words_of(in, k, r, buffer);
        for (int64_t c = 0; c < k.columns; ++c) p[c] = keep_if(words[c] >= dropout.least, p[c]);
      }
      product(k.rows, in.value_depth, k.columns, scores, ld, false, values, wide, sums + (i - from) * wide,
              wide, j > 0);
    }
  }

  const T kept_scale = static_cast<T>(1 / (1 - in.dropout));
  T* const lse = static_cast<T*>(a.lse) + (b * in.heads + h) * in.queries + from;
  for (int64_t r = 0; r < to - from; ++r) {
    const bool empty = total[r] == 0;
    T* const out = static_cast<T*>(a.out) + ((b * in.queries + from + r) * in.heads + h) * in.value_depth;
    const T factor = empty ? T(0) : kept_scale / total[r];
    for (int64_t d = 0; d < in.value_depth; d += W) {
      const vec<T> y = empty ? vec<T>{} : load(sums + r * wide + d) * factor;
      store_n(out + d, y, smaller(W, in.value_depth - d));
    }
    lse[r] = empty ? -least : most[r] + log_(total[r]);
  }
}

template <class T>
void attention_typed(const AttentionArgs& a) {
  const AttentionInputs& in = a.in;
  const Blocking size = blocking(in);
  const Dropout dropout = dropout_of(in, a.state);
  const int64_t parts = blocks_of(in.queries, size.task), heads = in.batch * in.heads;
  const int64_t rows = blocks_of(in.queries, larger(1, parts));
  const int64_t work = smaller(rows, in.queries) * in.keys * (in.depth + in.value_depth);
  // The later queries of a causal head have more keys: the long tasks are started first.
  parallel_for(heads * parts, larger(1, kTaskWork / larger(1, work)), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t head = t % heads, part = parts - 1 - t / heads;
      attention_task<T>(a, size, dropout, head / in.heads, head % in.heads, part * rows,
                        smaller((part + 1) * rows, in.queries));
    }
  });
  if (in.dropout == 0) return;
  *a.drawn = *a.state;
  a.state->draw += 1;
}

// Ranges of keys, one task each.
int64_t key_ranges(const AttentionInputs& in) {
  const int64_t heads = larger(1, in.batch * in.kv_heads);
  return larger(1, smaller(blocks_of(kWantedTasks, heads), in.keys / kRangeKeys));
}

template <class T>
struct Backward {
  const AttentionBackwardArgs& a;
  const AttentionInputs& in;
  Blocking size;
  Dropout dropout;
  int64_t ranges, range;  // keys of a range
  T* delta;               // (batch, heads, queries)
  T* parts;               // (ranges, batch, queries, heads, depth)

  explicit Backward(const AttentionBackwardArgs& args)
      : a(args), in(args.in), size(blocking(args.in)), dropout(dropout_of(args.in, args.drawn)) {
    ranges = key_ranges(in);
    range = round_up(blocks_of(in.keys, ranges), size.keys);
    delta = static_cast<T*>(a.work);
    parts = ranges == 1 ? static_cast<T*>(a.dq) : delta + round_up(in.batch * in.heads * in.queries, 16);
  }
  int64_t query_elements() const { return in.batch * in.queries * in.heads * in.depth; }

  void compute_delta(int64_t begin, int64_t end) const {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t h = t % in.heads, i = t / in.heads % in.queries, b = t / in.heads / in.queries;
      const T* const out = static_cast<const T*>(a.out) + t * in.value_depth;
      const T* const dout = row_of<T>(a.dout, b, i, h);
      vec<T> sum{};
      for (int64_t d = 0; d < in.value_depth; d += width<T>) {
        const int64_t n = smaller(width<T>, in.value_depth - d);
        sum = fma_(load_n(out + d, n), load_n(dout + d, n), sum);
      }
      delta[(b * in.heads + h) * in.queries + i] = sum_lanes(sum);
    }
  }

  // scores become p (with dropout: what is kept of it, scaled), dp becomes ds
  void slopes(const Block& k, T* scores, T* dp, int64_t ld) const {
    constexpr int W = width<T>;
    const int64_t row = (k.b * in.heads + k.h) * in.queries + k.i;
    const T* const lse = static_cast<const T*>(a.lse) + row;
    const T kept_scale = static_cast<T>(1 / (1 - in.dropout));
    for (int64_t r = 0; r < k.rows; ++r, scores += ld, dp += ld) {
      const T shift = lse[r], own = delta[row + r];
      const int64_t visible = seen(in, k, r);
      exp_row(scores, visible, k.columns, shift);
      if (in.dropout != 0) {
        uint32_t buffer[kMostWords];
        const uint32_t* const words = dropout.words_of(in, k, r, buffer);
        for (int64_t c = 0; c < visible; ++c) {
          const bool keep = words[c] >= dropout.least;
          const T p = scores[c];
          scores[c] = keep_if(keep, p * kept_scale);
          dp[c] = p * (keep_if(keep, dp[c] * kept_scale) - own);
        }
      } else {
        for (int64_t c = 0; c < visible; c += W) store(dp + c, load(scores + c) * (load(dp + c) - own));
      }
      for (int64_t c = visible; c < k.columns; ++c) dp[c] = 0;
    }
  }

  void task(int64_t b, int64_t kept, int64_t part) const {
    constexpr int W = width<T>;
    const int64_t depth = in.depth, value_depth = in.value_depth, group = in.heads / in.kv_heads;
    const int64_t first = part * range, last = smaller(first + range, in.keys);
    const int64_t ld = round_up(size.keys, W), wide = round_up(depth, W), wide_v = round_up(value_depth, W);
    alignas(64) T keys[kPackedElements], keys_t[kPackedElements], values_t[kPackedElements];
    alignas(64) T dk[kPackedElements], dv[kPackedElements];
    alignas(64) T scores[kQueryRows * kMostKeys], dp[kQueryRows * kMostKeys];
    alignas(64) T queries[kPackedElements], dout[kPackedElements];
    T* const dq = parts + (ranges == 1 ? 0 : part * query_elements()) + b * in.queries * in.heads * depth;
    const T scale = static_cast<T>(in.scale);
    const int64_t hidden = in.causal ? smaller(first, in.queries) : 0;  // queries that see none of these keys
    for (int64_t i = 0; i < (last > first ? hidden : in.queries); ++i)
      for (int64_t h = kept * group; h < (kept + 1) * group; ++h)
        __builtin_memset(dq + (i * in.heads + h) * depth, 0, static_cast<size_t>(depth) * sizeof(T));

    for (int64_t j = first; j < last; j += size.keys) {
      const int64_t columns = smaller(size.keys, last - j);
      const T* const k = row_of<T>(in.k, b, j, kept);
      copy_scaled(k, in.k.length, columns, depth, scale, keys, wide);
      copy_transposed(k, in.k.length, depth, columns, keys_t, ld);
      copy_transposed(row_of<T>(in.v, b, j, kept), in.v.length, value_depth, columns, values_t, ld);
      __builtin_memset(dk, 0, static_cast<size_t>(columns * wide) * sizeof(T));
      __builtin_memset(dv, 0, static_cast<size_t>(columns * wide_v) * sizeof(T));
      for (int64_t h = kept * group; h < (kept + 1) * group; ++h) {
        for (int64_t i = in.causal ? j : 0; i < in.queries; i += size.rows) {
          Block block{b, h, i, smaller(size.rows, in.queries - i), j, columns};
          if (in.causal) block.columns = smaller(columns, i + block.rows - j);
          const int64_t rows = block.rows, seen_columns = block.columns;
          copy_scaled(row_of<T>(in.q, b, i, h), in.q.length, rows, depth, scale, queries, wide);
          copy_rows(row_of<T>(a.dout, b, i, h), a.dout.length, rows, value_depth, dout, wide_v);
          product(rows, seen_columns, depth, queries, wide, false, keys_t, ld, scores, ld, false);
          if (in.mask) apply_mask(in, block, scores, ld);
          product(rows, seen_columns, value_depth, dout, wide_v, false, values_t, ld, dp, ld, false);
          slopes(block, scores, dp, ld);
          product(seen_columns, value_depth, rows, scores, ld, true, dout, wide_v, dv, wide_v, true);
          product(seen_columns, depth, rows, dp, ld, true, queries, wide, dk, wide, true);
          product(rows, depth, seen_columns, dp, ld, false, keys, wide, dq + (i * in.heads + h) * depth,
                  in.heads * depth, j > first);
        }
      }
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t at = (b * in.keys + j + c) * in.kv_heads + kept;
        __builtin_memcpy(static_cast<T*>(a.dk) + at * depth, dk + c * wide,
                         static_cast<size_t>(depth) * sizeof(T));
        __builtin_memcpy(static_cast<T*>(a.dv) + at * value_depth, dv + c * wide_v,
                         static_cast<size_t>(value_depth) * sizeof(T));
      }
    }
  }

  void run() const {
    parallel_for(in.batch * in.queries * in.heads, kDeltaRows,
                 [&](int64_t begin, int64_t end) { compute_delta(begin, end); });
    const int64_t heads = in.batch * in.kv_heads;
    const int64_t work =
        in.heads / in.kv_heads * in.queries * smaller(range, in.keys) * (in.depth + in.value_depth);
    parallel_for(heads * ranges, larger(1, kTaskWork / larger(1, work)), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) task(t % heads / in.kv_heads, t % heads % in.kv_heads, t / heads);
    });
    if (ranges == 1) return;
    const int64_t n = query_elements();
    T* const dq = static_cast<T*>(a.dq);
    parallel_for(n, kTaskWork / 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T sum = parts[i];
        for (int64_t r = 1; r < ranges; ++r) sum += parts[r * n + i];
        dq[i] = sum;
      }
    });
  }
};

void attention_forward(Stream, const AttentionArgs& a) {
  if (a.in.dtype == DType::float32) attention_typed<float>(a);
  if (a.in.dtype == DType::float64) attention_typed<double>(a);
}

void attention_backward(Stream, const AttentionBackwardArgs& a) {
  if (a.in.dtype == DType::float32) Backward<float>(a).run();
  if (a.in.dtype == DType::float64) Backward<double>(a).run();
}

int64_t attention_workspace(const AttentionInputs& in) {
  const int64_t ranges = key_ranges(in), delta = round_up(in.batch * in.heads * in.queries, 16);
  const int64_t parts = ranges == 1 ? 0 : ranges * in.batch * in.queries * in.heads * in.depth;
  return (delta + parts) * static_cast<int64_t>(itemsize(in.dtype));
}

}  // namespace

extern const AttentionKernels attention;
const AttentionKernels attention = {
    .attention = attention_forward,
    .attention_backward = attention_backward,
    .attention_workspace = attention_workspace,
};

}  // namespace pl::PL_ISA
