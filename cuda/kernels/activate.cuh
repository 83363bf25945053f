// The activations that join another kernel's last step: which are cheap enough to be written out.
#pragma once
#include "launch.h"

#include "kernels/activate.h"

namespace pl::cuda {
namespace {

// Those cheap enough to be written out for every element a thread holds; the others are applied in a loop over what it
// has stored, so that their code is there once and takes no registers from the sums.
PL_INLINE bool is_cheap(Activation f) { return f == Activation::none || f == Activation::relu; }

}  // namespace
}  // namespace pl::cuda
