// Models of what runs beside the threads of a Hopper multiprocessor: mbarriers, TMA, wgmma, clusters. They do what the
// PTX manual says the instructions do, as late or as early as it allows; ptx.cuh calls them.
#pragma once
#include <cuda.h>

#include <cstdint>

#include "machine.h"

namespace emu::hopper {

uint32_t shared_address(const void* p);  // relative to the block's shared memory, as in a matrix descriptor

void mbarrier_init(uint64_t* bar, uint32_t count);
void mbarrier_arrive(uint64_t* bar);
void mbarrier_expect(uint64_t* bar, uint32_t bytes);
bool mbarrier_passed(const uint64_t* bar, uint32_t parity);
void mbarrier_wait(const uint64_t* bar, uint32_t parity, Where where);

// The box at the coordinates, innermost first, to `to` of every block of the cluster that `blocks` names.
void tma_load(void* to, const CUtensorMap* map, uint64_t* bar, const int* at, int rank, uint32_t blocks);
void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* bar);
void tma_store(const CUtensorMap* map, const void* from, const int* at, int rank);
void tma_store_commit();
void tma_store_wait(unsigned groups);

// D (64, n) += A (64, k) B (n, k)^T of bfloat16 (k = 16) or TF32 (k = 8), d being this thread's part of D.
void wgmma(float* d, int n, uint64_t a, uint64_t b, bool tf32, bool accumulate);
void wgmma_commit();
void wgmma_wait(unsigned groups, Where where);

uint32_t cluster_rank();
void* cluster_map(const void* p, uint32_t rank);
void cluster_arrive();
void cluster_wait(Where where);

}  // namespace emu::hopper
