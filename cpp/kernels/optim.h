// Optimizer updates: one launch updates every parameter, in place.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// The rules, in Keras' forms; g is the gradient, r the rate, t the number of this update, from 1.
//   sgd       p -= r g;  with momentum s = momentum s - r g, p += s;  nesterov p += momentum s - r g
//   adam      m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= r sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps);
//             amsgrad: h = max(h, v) in the place of v
//   adagrad   a += g^2;  p -= r g / sqrt(a + eps)
//   adadelta  a = rho a + (1-rho) g^2;  u = g sqrt(d + eps) / sqrt(a + eps);  d = rho d + (1-rho) u^2;  p -= r u
//   rmsprop   v = rho v + (1-rho) g^2;  u = r g / sqrt(v + eps), centered: c = rho c + (1-rho) g and v - c^2, at
//             least 0, in the place of v;  p -= u, with momentum s = momentum s + u, p -= s
//   adamax    m as adam's;  u = max(b2 u, |g|);  p -= r / (1-b1^t) m / (u + eps)
//   nadam     m, v as adam's;  b(t) = b1 (1 - 0.96^t / 2), B(t) = b(1) ... b(t);
//             p -= r (b(t+1) m / (1-B(t+1)) + (1-b(t)) g / (1-B(t))) / (sqrt(v / (1-b2^t)) + eps)
//   lion      p -= r sign(b1 m + (1-b1) g);  m = b2 m + (1-b2) g
enum class OptimRule : uint8_t { sgd, adam, adagrad, adadelta, rmsprop, adamax, nadam, lion };

// The constants of a rule; each reads those its formula names.
struct OptimHyper {
  OptimRule rule;
  bool nesterov, amsgrad, centered;
  bool decoupled;  // weight decay: p -= r decay p before the rule (AdamW), else g += decay p
  double momentum, rho, beta_1, beta_2, epsilon;
};

// What is done to the gradients first: limits on each value, on each parameter's norm, on the norm of all.
enum class Clip : uint8_t { none, value, norm, global_norm };

inline constexpr int kMaxSlots = 3;

// One parameter inside the launch. All arrays hold n contiguous elements of the launch's dtype.
struct Segment {
  void* p;                 // the weights
  const void* g;           // their gradient
  void* slots[kMaxSlots];  // the state of the rule, in the order of its formula; null behind
  void* sum;               // the gradients waiting for an update; null without accumulation
  void* average;           // the weights' moving average, or null
  int64_t n;
  double rate;     // multiplies the learning rate
  double decay;    // weight decay for this parameter
  int32_t frozen;  // 1: left as it is
  int32_t reserved;
};

// What changes between steps; lives in memory, never in a captured argument struct.
struct OptimScalars {
  double rate;      // the learning rate
  int64_t step;     // updates done so far; the kernel adds one
  int64_t skipped;  // calls skipped because something was not finite; the kernel adds one
  int64_t waiting;  // gradients in the segments' sums
  double product;   // nadam's B(product_step), found again when the step is not behind it
  int64_t product_step;
  int32_t finite;  // out: 1 unless this call was skipped
  int32_t reserved;
};

// Every call first looks at the gradients (and at *loss when not null): if any is not finite, nothing is written but
// finite = 0 and skipped += 1. step counts applied updates, so the first applied one sees t = 1.
// With accumulate = N > 1, N-1 calls only add to the sums; the N-th updates from the mean of N gradients.
// After the rule: average = ema average + (1-ema) p, at t = 1 the weights themselves; every `overwrite` updates
// (0: never) the weights become the average.
struct OptimArgs {
  DType dtype;
  Clip clip;
  OptimHyper hyper;
  double clip_at;  // > 0
  double ema;
  int64_t overwrite;
  int64_t accumulate;
  const Segment* segments;
  int64_t n_segments;
  const void* loss;   // one element of dtype, or null
  double* workspace;  // optim_workspace() numbers where clip is of a norm, else null
  OptimScalars* scalars;
};

// Elements of a chunk of work; segments are padded to kOptimLine elements, so that chunks begin on whole cache lines.
inline constexpr int64_t kOptimChunk = 1 << 15, kOptimLine = 16;

// Partial sums, one for each part of a segment inside a chunk, then a factor for each segment. A function of the
// sizes: chunks + segments + segments.
inline constexpr int64_t optim_workspace(int64_t padded_elements, int64_t n_segments) {
  return padded_elements / kOptimChunk + 1 + 2 * n_segments;
}

// The rows of one table that a batch has touched: the gradients of equal ids are added up in the order given, then each
// touched row takes one step of sgd, adam or adagrad. The other rows and their slots stay as they are (lazily: their
// momentum does not run down). Unless every id is in [0, rows) and every gradient finite, nothing is written.
struct SparseOptimArgs {
  DType dtype;
  DType id_dtype;  // uint8, int32, int64
  OptimHyper hyper;
  Segment table;  // p and slots (rows, cols), g (n, cols); table.n is not read
  int64_t rows, cols, n;
  const void* ids;     // (n)
  int64_t* workspace;  // 4 n numbers
  Status* status;
  OptimScalars* scalars;
};

struct OptimKernels {
  void (*update)(Stream, const OptimArgs&);
  void (*sparse)(Stream, const SparseOptimArgs&);
};

}  // namespace pl
