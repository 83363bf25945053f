// Which outputs of a resizing read a position, along one axis; shared by the CPU and CUDA.
#pragma once
#include "kernels/math.h"
#include "kernels/resize.h"

namespace pl::PL_ISA {
namespace {

// The taps that read position i, and what each takes of it.
struct Readers {
  int64_t begin, end;
};
PL_INLINE Readers readers(const ResizeAxis& a, bool nearest, int64_t i) {
  return {a.first[nearest || i == 0 ? i : i - 1], a.first[i + 1]};
}
PL_INLINE double share(const ResizeTap& t, int64_t i) {
  return (t.low == i ? 1 - t.weight : 0) + (t.high == i ? t.weight : 0);
}

}  // namespace
}  // namespace pl::PL_ISA
