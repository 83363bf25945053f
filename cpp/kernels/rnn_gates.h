// Activations of a recurrence and their slopes (rnn_act.h), over tiles of a few rows that lie in the first-level cache. Which
// activation it is, is asked once a tile, not once a value: all of them run at the speed of their formula.
#pragma once
#include "kernels/rnn_act.h"

namespace pl::PL_ISA {
namespace {

// x[i] = a(x[i]) for `n` vectors of each row
template <class T>
__attribute__((noinline)) void activate_tile(RnnActivation a, T* x, int64_t distance, int64_t rows,
                                             int64_t n) {
  constexpr int W = width<T>;
  with_activation(a, [&](auto act) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < n; ++v) {
        T* const p = x + r * distance + v * W;
        store(p, act.value(load(p)));
      }
  });
}

// g[i] = g[i] a'(.), y = a(.), for `n` vectors of each row
template <class T>
__attribute__((noinline)) void slope_tile(RnnActivation a, T* g, int64_t g_distance, const T* y,
                                          int64_t y_distance, int64_t rows, int64_t n) {
  constexpr int W = width<T>;
  with_activation(a, [&](auto act) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < n; ++v) {
        T* const p = g + r * g_distance + v * W;
        store(p, act.times_slope(load(p), load(y + r * y_distance + v * W)));
      }
  });
}

}  // namespace
}  // namespace pl::PL_ISA
