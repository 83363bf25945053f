// Optimizer updates: one launch updates every parameter, in place.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// One parameter inside the launch. All arrays hold n contiguous elements of the launch's dtype.
struct Segment {
  void* p;        // the weights
  const void* g;  // their gradient
  void* s1;       // first slot: momentum, or Adam's m; may be null where the rule needs none
  void* s2;       // second slot: Adam's v
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
  int64_t skipped;  // updates skipped because something was not finite; the kernel adds one
  int32_t finite;   // out: 1 if this update was applied
  int32_t reserved;
};

// Every rule first looks at the gradients (and at *loss when not null): if any is not finite, nothing is written but
// finite = 0 and skipped += 1. step counts applied updates, so the first applied one sees t = 1.
// L2 decay: g += decay p (SGD, Adam). Decoupled: p -= rate decay p (AdamW).

// no momentum: p -= r g;  momentum: s = momentum s - r g, p += s;  nesterov: p += momentum s - r g  (Keras' form)
struct SgdArgs {
  DType dtype;
  bool nesterov;
  bool decoupled;
  double momentum;
  const Segment* segments;
  int64_t n_segments;
  const void* loss;  // one element of dtype, or null
  OptimScalars* scalars;
};

// m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= r sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps)  (Keras' epsilon)
struct AdamArgs {
  DType dtype;
  bool decoupled;
  double beta_1, beta_2, epsilon;
  const Segment* segments;
  int64_t n_segments;
  const void* loss;
  OptimScalars* scalars;
};

struct OptimKernels {
  void (*sgd)(Stream, const SgdArgs&);
  void (*adam)(Stream, const AdamArgs&);
};

}  // namespace pl
