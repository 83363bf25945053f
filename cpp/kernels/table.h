// The kernel table: one instance per ISA, later one for CUDA. The design's word for it is "one interface,
// implemented twice": a field is either filled or the loader names what is missing.
#pragma once
#include "kernels/attention.h"
#include "kernels/ceiling.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/embed.h"
#include "kernels/linalg.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/rnn.h"

namespace pl {

struct KernelTable {
  const char* isa;
  LinalgKernels linalg;
  ElementwiseKernels elementwise;
  ReduceKernels reduce;
  LossKernels loss;
  NormKernels norm;
  AttentionKernels attention;
  EmbedKernels embed;
  PoolKernels pool;
  RandomKernels random;
  OptimKernels optim;
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
