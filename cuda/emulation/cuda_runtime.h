// CUDA for the host's C++ compiler: kernels that are started with cudaLaunchKernelEx() run on the CPU, checked. The
// sources of the CUDA library compile against this folder as they do against the toolkit.
#pragma once
#define PL_EMU 1

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
#define __cluster_dims__(...)

#include "intrinsics.h"
#include "machine.h"
#include "runtime.h"
#include "vector_types.h"
#include "warp.h"

namespace pl {

inline void spin(emu::Where where = emu::Where::current()) { emu::spin(where); }

template <class S>
S& smem() {
  static_assert(alignof(S) <= 1024);
  return *static_cast<S*>(emu::shared_memory(sizeof(S)));
}

}  // namespace pl
