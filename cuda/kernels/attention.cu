// Fused attention: scores, softmax and weighted sum in tiles; formulas in attention.h, the tiles' layout and products in
// attention_tile.cuh.
//
//   forward   a block for each head and 16 to 64 queries. It walks the keys 64 at a time: scores, the running maximum m
//             and sum l of each row (Milakov & Gimelshein 2018; the 16 threads of a row exchange theirs), out = out
//             e^(m_old - m) + e^(scores - m) V.
//   backward  delta = rowsum(dO out), a warp for each row; then three passes that make p again from lse, with
//             ds = p (dO V' - delta):
//               dQ  a block for each head and its queries, over the keys:       dQ += ds K
//               dK  a block for each key head and its keys, over the queries of all heads that share it: dK += ds' Q
//               dV  the same:                                                    dV += p' dO
//             Each block owns what it writes and adds in a fixed order: no atomics, no partial results in memory. One
//             accumulator a pass leaves registers for large tiles; a fused dK and dV would save one product in eight.
// With `causal`, tiles above the diagonal are skipped, and blocks with the longest walks start first. Dropout draws its
// mask anew in every pass, from the words that belong to the elements.
#include "kernels/attention.h"

#include "kernels/attention_tile.cuh"

namespace pl::cuda {
namespace {

struct WideOperands {
  bool q, k, v, dout, out;  // out: the results of the pass
};

// Exchanges between the 16 threads of a row.
template <class T, class Fold>
__device__ __forceinline__ T fold_row(T v, const Fold& fold) {
#pragma unroll
  for (int d = kSide / 2; d > 0; d /= 2) v = fold(v, __shfl_xor_sync(0xffffffffu, v, d));
  return v;
}

template <class Shape>
__global__ void __launch_bounds__(kThreads)
    attention_rows(AttentionArgs a, AttentionDropout dropout, WideOperands wide) {
  using T = typename Shape::T;
  constexpr T least = static_cast<T>(-INFINITY);
  const AttentionInputs& in = a.in;
  auto& shared = smem<TileShared<Shape, 1>>();
  const int64_t heads = in.batch * in.heads, head = blockIdx.x % heads, b = head / in.heads,
                h = head % in.heads;
  const int64_t row =
      (gridDim.x / heads - 1 - blockIdx.x / heads) * Shape::height;  // late queries see most keys
  const int64_t kept = h / (in.heads / in.kv_heads);
  const auto q = side_of<T>(in.q, b, h, in.queries, in.depth, static_cast<T>(in.scale), wide.q);
  const auto k = side_of<T>(in.k, b, kept, in.keys, in.depth, T(1), wide.k);
  const auto v = side_of<T>(in.v, b, kept, in.keys, in.value_depth, T(1), wide.v);
  hold_rows<Shape>(shared.rows[0], q, row);

  Accumulator<Shape> acc = {};
  T most[Shape::rows], total[Shape::rows];
#pragma unroll
  for (int i = 0; i < Shape::rows; ++i) most[i] = least, total[i] = 0;
  const int64_t end = in.causal && row + Shape::height < in.keys ? row + Shape::height : in.keys;
  for (int64_t key = 0; key < end; key += kColumns) {
    if (dropout.on)
      draw_mask(in, dropout.least, a.state, b, h, row, Shape::height, key, kColumns, false, shared.keep);
    T s[Shape::rows][kPerThread];
    scores<Shape>(shared.rows[0], shared.columns, q, k, row, key, s);
#pragma unroll
    for (int i = 0; i < Shape::rows; ++i) {
      const int r = thread_y() * Shape::rows + i;
      T now = most[i];
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        s[i][j] = masked_score(in, s[i][j], b, h, row + r, key + thread_x() + j * kSide);
        now = Larger{}(now, s[i][j]);
      }
      now = fold_row(now, Larger{});
      const T shift = now == least ? T(0) : now, fade = exp_(most[i] - shift);
      most[i] = now;
      T sum = 0;
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        T p = exp_(s[i][j] - shift);
        sum += p;
        const int column = thread_x() + j * kSide;
        if (dropout.on && !shared.keep[r * kColumns + column]) p = 0;
        shared.w[r * Shape::ld + column] = p;
      }
      total[i] = total[i] * fade + fold_row(sum, Add{});
      if (fade != T(1))
#pragma unroll
        for (int c = 0; c < Shape::chunks; ++c)
#pragma unroll
          for (int j = 0; j < kPerThread; ++j) acc[c][i][j] *= fade;
    }
    weigh<Shape>(shared.w, shared.columns, v, key, acc);
  }

  const T kept_scale = static_cast<T>(1 / (1 - in.dropout));
#pragma unroll
  for (int i = 0; i < Shape::rows; ++i) {
    const int64_t t = row + thread_y() * Shape::rows + i;
    const bool empty = total[i] == 0;
    const T factor = kept_scale / total[i];
#pragma unroll
    for (int c = 0; c < Shape::chunks; ++c)
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) acc[c][i][j] = empty ? T(0) : acc[c][i][j] * factor;
    if (t < in.queries && thread_x() == 0)
      static_cast<T*>(a.lse)[head * in.queries + t] = empty ? -least : most[i] + log_(total[i]);
  }
  put_rows<Shape>(static_cast<T*>(a.out) + (b * in.queries * in.heads + h) * in.value_depth,
                  in.heads * in.value_depth, row, in.queries, in.value_depth, wide.out, acc);
}

// The draw this call used, for the backward pass; the next call takes the next one.
__global__ void count_draw(RngState* state, RngState* drawn) {
  *drawn = *state;
  state->draw += 1;
}

template <class T>
__global__ void __launch_bounds__(kThreads) attention_delta(AttentionBackwardArgs a) {
  const AttentionInputs& in = a.in;
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  for (int64_t t = first() / kWarp; t < in.batch * in.queries * in.heads; t += stride() / kWarp) {
    const int64_t h = t % in.heads, i = t / in.heads % in.queries, b = t / in.heads / in.queries;
    const T* const out = static_cast<const T*>(a.out) + t * in.value_depth;
    const T* const dout =
        static_cast<const T*>(a.dout.data) + b * a.dout.batch + i * a.dout.length + h * a.dout.head;
    T sum = 0;
    for (int64_t d = lane; d < in.value_depth; d += kWarp) sum = fma_(out[d], dout[d], sum);
#pragma unroll
    for (int d = kWarp / 2; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
    if (lane == 0) static_cast<T*>(a.work)[(b * in.heads + h) * in.queries + i] = sum;
  }
}

enum class Gradient { dq, dk, dv };

template <Gradient kOf>
inline constexpr int kOperandsOf = kOf == Gradient::dv ? 1 : 2;

template <class Shape, Gradient kOf>
__global__ void __launch_bounds__(kThreads)
    attention_gradient(AttentionBackwardArgs a, AttentionDropout dropout, WideOperands wide) {
  using T = typename Shape::T;
  constexpr bool rows_are_keys = kOf != Gradient::dq;
  const AttentionInputs& in = a.in;
  auto& shared = smem<TileShared<Shape, kOperandsOf<kOf>>>();
  T* const second_rows = shared.rows[Shape::held && kOf != Gradient::dv ? 1 : 0];
  const int64_t group = in.heads / in.kv_heads, of_batch = rows_are_keys ? in.kv_heads : in.heads;
  const int64_t heads = in.batch * of_batch, b = blockIdx.x % heads / of_batch, own = blockIdx.x % of_batch;
  // The longest walks first: of the last queries, of the first keys.
  const int64_t tile = blockIdx.x / heads;
  const int64_t row = (rows_are_keys ? tile : gridDim.x / heads - 1 - tile) * Shape::height;
  const T kept_scale = static_cast<T>(1 / (1 - in.dropout)), scale = static_cast<T>(in.scale);
  const int64_t kept = rows_are_keys ? own : own / group;
  const auto key_side = side_of<T>(in.k, b, kept, in.keys, in.depth, T(1), wide.k);
  const auto value_side = side_of<T>(in.v, b, kept, in.keys, in.value_depth, T(1), wide.v);

  Accumulator<Shape> acc = {};
  const int64_t first_head = rows_are_keys ? own * group : own,
                last_head = rows_are_keys ? first_head + group : own + 1;
  for (int64_t h = first_head; h < last_head; ++h) {
    const auto query_side = side_of<T>(in.q, b, h, in.queries, in.depth, scale, wide.q);
    const auto slope_side = side_of<T>(a.dout, b, h, in.queries, in.value_depth, T(1), wide.dout);
    const auto& rows = rows_are_keys ? key_side : query_side;
    const auto& columns = rows_are_keys ? query_side : key_side;
    const auto& second = rows_are_keys ? value_side : slope_side;
    const auto& second_columns = rows_are_keys ? slope_side : value_side;
    if (h == first_head) {
      hold_rows<Shape>(shared.rows[0], rows, row);
      if constexpr (kOf != Gradient::dv) hold_rows<Shape>(second_rows, second, row);
    }
    const T* const lse = static_cast<const T*>(a.lse) + (b * in.heads + h) * in.queries;
    const T* const delta = static_cast<const T*>(a.work) + (b * in.heads + h) * in.queries;
    const int64_t from = rows_are_keys && in.causal ? row / kColumns * kColumns : 0;
    int64_t end = rows_are_keys ? in.queries : in.keys;
    if (!rows_are_keys && in.causal && row + Shape::height < end) end = row + Shape::height;
    for (int64_t column = from; column < end; column += kColumns) {
      if (dropout.on)
        draw_mask(in, dropout.least, a.drawn, b, h, rows_are_keys ? column : row,
                  rows_are_keys ? kColumns : Shape::height, rows_are_keys ? row : column,
                  rows_are_keys ? Shape::height : kColumns, rows_are_keys, shared.keep);
      T s[Shape::rows][kPerThread], dp[Shape::rows][kPerThread];
      scores<Shape>(shared.rows[0], shared.columns, rows, columns, row, column, s);
      if constexpr (kOf != Gradient::dv)
        scores<Shape>(second_rows, shared.columns, second, second_columns, row, column, dp);
#pragma unroll
      for (int i = 0; i < Shape::rows; ++i)
#pragma unroll
        for (int j = 0; j < kPerThread; ++j) {
          const int r = thread_y() * Shape::rows + i, c = thread_x() + j * kSide;
          const int64_t query = rows_are_keys ? column + c : row + r,
                        key = rows_are_keys ? row + r : column + c;
          const bool seen = query < in.queries && key < in.keys && !(in.causal && key > query);
          const bool keep = !dropout.on || shared.keep[r * kColumns + c];
          T w = 0;
          if (seen) {
            const T p = exp_(masked_score(in, s[i][j], b, h, query, key) - lse[query]);
            if constexpr (kOf == Gradient::dv)
              w = keep ? p * kept_scale : T(0);
            else
              w = p * ((keep ? dp[i][j] * kept_scale : T(0)) - delta[query]);
          }
          shared.w[r * Shape::ld + c] = w;
        }
      if constexpr (kOf == Gradient::dv) {
        weigh<Shape>(shared.w, shared.columns, slope_side, column, acc);
      } else {
        auto x = columns;
        x.factor = scale;  // ds is the gradient of scale q . k
        weigh<Shape>(shared.w, shared.columns, x, column, acc);
      }
    }
  }
  const int64_t count = rows_are_keys ? in.keys : in.queries,
                depth = kOf == Gradient::dv ? in.value_depth : in.depth;
  void* const out = kOf == Gradient::dq ? a.dq : kOf == Gradient::dk ? a.dk : a.dv;
  put_rows<Shape>(static_cast<T*>(out) + (b * count * of_batch + own) * depth, of_batch * depth, row, count,
                  depth, wide.out, acc);
}

template <class T>
WideOperands wide_operands(const AttentionInputs& in) {
  return {wide_operand<T>(in.q), wide_operand<T>(in.k), wide_operand<T>(in.v), false, false};
}
template <class T>
bool wide_result(const void* out, int64_t depth) {
  return wide_access(out) && depth % kPackWidth<T> == 0;
}
// Starts kernel(args...) with a block for each head and so many of its rows.
template <class Shape, int kOperands, class... E, class... A>
void start_tiles(Stream stream, int64_t heads, int64_t rows, void (*kernel)(E...), A... args) {
  const int64_t blocks = heads * ((rows + Shape::height - 1) / Shape::height);
  if (blocks > 0)
    start(stream, kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
          sizeof(TileShared<Shape, kOperands>), args...);
}

void attention_forward(Stream stream, const AttentionArgs& a) {
  const AttentionInputs& in = a.in;
  with_float(in.dtype, [&](auto type) {
    using T = decltype(type);
    WideOperands wide = wide_operands<T>(in);
    wide.out = wide_result<T>(a.out, in.value_depth);
    with_tile_shape<T>(in.depth > in.value_depth ? in.depth : in.value_depth, [&](auto shape) {
      start_tiles<decltype(shape), 1>(stream, in.batch * in.heads, in.queries,
                                      attention_rows<decltype(shape)>, a, attention_dropout(in), wide);
    });
  });
  if (in.dropout != 0) start(stream, count_draw, dim3(1), dim3(1), 0, a.state, a.drawn);
}

template <class Shape, Gradient kOf>
void start_gradient(Stream stream, const AttentionBackwardArgs& a, WideOperands wide, void* out) {
  using T = typename Shape::T;
  const AttentionInputs& in = a.in;
  wide.out = wide_result<T>(out, kOf == Gradient::dv ? in.value_depth : in.depth);
  start_tiles<Shape, kOperandsOf<kOf>>(stream, in.batch * (kOf == Gradient::dq ? in.heads : in.kv_heads),
                                       kOf == Gradient::dq ? in.queries : in.keys,
                                       attention_gradient<Shape, kOf>, a, attention_dropout(in), wide);
}

void attention_backward(Stream stream, const AttentionBackwardArgs& a) {
  const AttentionInputs& in = a.in;
  const int64_t rows = in.batch * in.heads * in.queries;
  with_float(in.dtype, [&](auto type) {
    using T = decltype(type);
    WideOperands wide = wide_operands<T>(in);
    wide.dout = wide_operand<T>(a.dout);
    if (rows > 0) start(stream, attention_delta<T>, blocks_for(rows * kWarp), dim3(kThreads), 0, a);
    with_tile_shape<T>(in.depth > in.value_depth ? in.depth : in.value_depth, [&](auto shape) {
      using Shape = decltype(shape);
      start_gradient<Shape, Gradient::dq>(stream, a, wide, a.dq);
      start_gradient<Shape, Gradient::dk>(stream, a, wide, a.dk);
      start_gradient<Shape, Gradient::dv>(stream, a, wide, a.dv);
    });
  });
}

int64_t attention_workspace(const AttentionInputs& in) {
  return in.batch * in.heads * in.queries * static_cast<int64_t>(itemsize(in.dtype));
}

}  // namespace

extern const AttentionKernels attention;
const AttentionKernels attention = {
    .attention = attention_forward,
    .attention_backward = attention_backward,
    .attention_workspace = attention_workspace,
};

}  // namespace pl::cuda
