// Neighbouring launches of a recorded step, joined where that gives the same bits. The patterns are listed in fuse.cpp.
#pragma once
#include <vector>

#include "core/capture.h"
#include "core/tensor.h"

namespace pl::ops {

// Joins launches of the recording; `outputs` are read after a replay, everything else of the step's own memory is not.
void fuse(Recorder& recorder, const std::vector<Tensor>& outputs);

// Whether steps recorded from now on are fused; for tests and measurements. Returns what held before.
bool set_fusion(bool on);

}  // namespace pl::ops
