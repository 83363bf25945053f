// The kernel table: one instance per ISA, later one for CUDA. The design's word for it is "one interface,
// implemented twice": a field is either filled or the loader names what is missing.
#pragma once
#include "kernels/attention.h"
#include "kernels/bf16.h"
#include "kernels/ceiling.h"
#include "kernels/conv.h"
#include "kernels/decomp.h"
#include "kernels/elementwise.h"
#include "kernels/embed.h"
#include "kernels/index.h"
#include "kernels/linalg.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pointloss.h"
#include "kernels/pool.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/resize.h"
#include "kernels/rnn.h"
#include "kernels/sort.h"

namespace pl {

struct KernelTable {
  const char* isa;
  LinalgKernels linalg;
  DecompKernels decomp;
  Bf16Kernels bf16;
  ElementwiseKernels elementwise;
  ReduceKernels reduce;
  LossKernels loss;
  NormKernels norm;
  AttentionKernels attention;
  EmbedKernels embed;
  IndexKernels index;
  SortKernels sort;
  PoolKernels pool;
  ResizeKernels resize;
  RandomKernels random;
  OptimKernels optim;
  PointLossKernels pointloss;
  ConvKernels conv;
  RnnKernels rnn;
  CeilingKernels ceiling;
};

// Chosen once, from the processor and PYLEARN_ISA. Throws ValueError (core/error.h) for an unknown or unusable name.
const KernelTable& cpu_kernels();

// Names compiled in, best last, and whether this processor runs them.
struct IsaInfo {
  const char* name;
  bool usable;
};
const IsaInfo* compiled_isas(int* count);

}  // namespace pl
