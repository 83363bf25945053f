// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
// Word j of draw d under seed s is a function of (s, d, j) alone: key = (s low, s high), counter = (j / 4 low, j / 4
// high, d low, d high), lane = j % 4. Sizes never shift later draws, threads never matter, and every ISA and CUDA gives
// the same integers and uniforms (low + span u is rounded twice, never fused).
//
// From words w to elements: float32 takes word i for element i; float64 and `bits` take 64 bits, word 2i low and word
// 2i + 1 high, so element i belongs to counter i / 2. Box-Muller makes the pair (2k, 2k + 1) of normals from the pair of
// uniforms at the same places: r = sqrt(-2 log(1 - u[2k])), r cos(2 pi u[2k+1]) and r sin(2 pi u[2k+1]).
// Dropout takes word i for element i in either dtype, so the mask does not depend on the dtype.
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
  uniform,  // low + (high - low) u, u = (w >> 8) 2^-24 in float32, (w >> 11) 2^-53 from two words in
            // float64; rounding may give `high` itself when low is not 0
  normal,   // low = mean, high = standard deviation; Box-Muller on two uniforms
  truncated_normal,  // normal restricted to two standard deviations, by inversion of one uniform; in [mean - 2 sd, mean + 2 sd]
  bits,  // int64: a uniform integer in [low, high) (multiply-shift on 64 bits)
};

struct RandomArgs {
  DType dtype;
  Distribution distribution;
  int64_t n;
  double low, high;     // float parameters
  int64_t ilow, ihigh;  // those of `bits`
  RngState* state;
  void* y;
};

// mask[i] = w_i 2^-32 >= rate;  y[i] = mask[i] ? x[i] * T(1 / (1 - rate)) : 0.   rate in [0, 1)
struct DropoutArgs {
  DType dtype;
  double rate;
  int64_t n;
  RngState* state;
  const void* x;
  bool* mask;
  void* y;
};

// dx[i] = mask[i] ? dy[i] * T(scale) : 0;  scale = 1 / (1 - rate) is dropout's own
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
