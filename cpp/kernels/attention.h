// Scaled dot-product attention, float32 and float64:
//   out[b,t,h] = sum_s p[b,h,t,s] v[b,s,h'],  p = softmax_s(scale q[b,t,h] . k[b,s,h'] + mask),  h' = h kv_heads / heads
// Memory is linear in the lengths: the probabilities are never stored, only lse, the logarithm of each row's sum.
#pragma once
#include "core/device.h"
#include "core/dtype.h"
#include "kernels/random.h"  // RngState

namespace pl {

inline constexpr int64_t kMostAttentionDepth = 1024;

// (batch, length, heads, depth) at data; depth is contiguous, the other distances are in elements.
struct AttentionOperand {
  const void* data;
  int64_t batch, length, head;
};

struct AttentionInputs {
  DType dtype;
  bool causal;  // query t sees the keys s <= t
  int64_t batch, heads, kv_heads, queries, keys;
  int64_t depth, value_depth;  // 1 to kMostAttentionDepth
  double scale;
  double
      dropout;  // probability; the mask of element (b,h,t,s) is that of element ((b H + h) T + t) S + s in random.h
  AttentionOperand q, k, v;
  const void* mask;                        // null, bool (true: seen) or dtype (added to the scores)
  bool additive;                           // the second of these
  int64_t mask_b, mask_h, mask_t, mask_s;  // elements; mask_s 0 or 1
};

// A row that sees no key gives zeros, and lse = inf.
struct AttentionArgs {
  AttentionInputs in;
  RngState* state;  // with dropout: drawn from, and counted on
  RngState* drawn;  // what the backward pass needs to draw the same again
  void* out;        // (batch, queries, heads, value_depth)
  void* lse;        // (batch, heads, queries)
};

struct AttentionBackwardArgs {
  AttentionInputs in;
  const RngState* drawn;
  AttentionOperand dout;
  const void* out;
  const void* lse;
  void* dq;    // (batch, queries, heads, depth)
  void* dk;    // (batch, keys, kv_heads, depth)
  void* dv;    // (batch, keys, kv_heads, value_depth)
  void* work;  // attention_workspace(in) bytes
};

struct AttentionKernels {
  void (*attention)(Stream, const AttentionArgs&);
  void (*attention_backward)(Stream, const AttentionBackwardArgs&);
  int64_t (*attention_workspace)(const AttentionInputs&);
};

}  // namespace pl
