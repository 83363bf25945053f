// What this machine can do at most: the denominators of every benchmark's fractions.
#pragma once
#include "core/device.h"

namespace pl {

// acc = acc m + c in independent chains of float32 vector registers, `rounds` times in each of `chunks` chunks. With m
// and 1 - m as multiplier and addend the chains tend to 1: no overflow and no denormal.
struct FmaArgs {
  int64_t chunks;
  int64_t rounds;
  float multiplier, addend;
  float* out;  // (chunks) the sum of a chunk's chains: something that depends on all of them
};

// float32 arrays that do not overlap, of n elements.
struct StreamArgs {
  int64_t n;
  float scale;
  float* a;
  const float* b;
  const float* c;
};

struct CeilingKernels {
  int64_t (*fma)(Stream, const FmaArgs&);    // returns the floating-point operations done
  void (*copy)(Stream, const StreamArgs&);   // a = b
  void (*triad)(Stream, const StreamArgs&);  // a = b + scale c
  void (*update)(Stream,
                 const StreamArgs&);  // a = a + scale b, in place: no line is fetched only to be overwritten
};

}  // namespace pl
