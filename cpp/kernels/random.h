// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
// Element i of draw d under seed s is a function of (s, d, i) alone: key = s, counter = (i / 4 low, i / 4 high, d low,
// d high), lane = i % 4. Sizes never shift later draws, threads never matter, and CUDA gives the same integers.
#pragma once
#include "core/device.h"
#include "core/dtype.h"

namespace pl {

// Lives in memory that a captured step reads, so that each replay draws anew. Every kernel below uses the present
// draw number and adds one to it when it is done.
struct RngState {
  uint64_t seed;
  uint64_t draw;
};

enum class Distribution : uint8_t {
  uniform,           // low + (high - low) u, u = (bits >> 8) 2^-24 in float32; 53 bits from two words in float64
  normal,            // low = mean, high = standard deviation; Box-Muller on two uniforms
  truncated_normal,  // normal restricted to two standard deviations, by inversion of one uniform
  bits,              // int64: a uniform integer in [low, high) (multiply-shift on 64 bits)
};

struct RandomArgs {
  DType dtype;
  Distribution distribution;
  int64_t n;
  double low, high;       // float parameters
  int64_t ilow, ihigh;    // those of `bits`
  RngState* state;
  void* y;
};

// mask[i] = u_i >= rate;  y[i] = mask[i] ? x[i] / (1 - rate) : 0
struct DropoutArgs {
  DType dtype;
  double rate;
  int64_t n;
  RngState* state;
  const void* x;
  bool* mask;
  void* y;
};

// dx[i] = mask[i] ? dy[i] scale : 0
struct DropoutBackwardArgs {
  DType dtype;
  double scale;
  int64_t n;
  const bool* mask;
  const void* dy;
  void* dx;
};

struct RandomKernels {
  void (*fill)(Stream, const RandomArgs&);
  void (*dropout)(Stream, const DropoutArgs&);
  void (*dropout_backward)(Stream, const DropoutBackwardArgs&);
};

}  // namespace pl
