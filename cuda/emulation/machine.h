// The machine behind the emulated CUDA: every thread of a block has a stack of its own and runs until it waits for
// another; blocks run in turn, those of a cluster or of a cooperative launch together. One thread of the system at a
// time. What a correct kernel may not rely on is made hostile: three orders of threads and blocks, shared memory full
// of NaN, asynchronous copies that arrive as late (or as early) as they may.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <vector>

#include "fiber.h"
#include "vector_types.h"

// Set on every switch. Not thread_local: only one kernel runs at a time.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace emu {

using Where = std::source_location;

enum class State : uint8_t { fresh, runnable, spinning, at_barrier, in_warp_call, done };

struct Warp;
// Computes the results of a warp-wide call for the lanes that take part, once the last has come.
using Finish = void (*)(Warp&, unsigned lanes);

struct Thread {
  uint3 id;
  unsigned index;  // in the block
  State state;
  uint8_t barrier;
  Fiber* stack;
  Where where;  // of the call it waits in
  // What it brought to a warp-wide call, and what it takes away.
  unsigned mask;
  Finish finish;
  unsigned source;
  alignas(16) unsigned char value[16];
  alignas(16) unsigned char result[16];
};

struct Warp {
  Thread* lanes;
  // Sets of lanes.
  unsigned runnable, spinning, exited, waiting;
};

struct Barrier {
  unsigned expected = 0, arrived = 0;
  Where where;
};

struct Block;
// What the models of asynchronous instructions keep for a block (ptx.cuh).
struct Unit {
  virtual ~Unit() = default;
  virtual void thread_returns(unsigned) {}
  virtual void block_returns() {}
};

struct Cluster {
  std::vector<Block*> blocks;
  unsigned arrived = 0, phase = 0, threads = 0;
};

struct Block {
  uint3 id;
  unsigned alive = 0;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Barrier barriers[16];
  unsigned char* shared = nullptr;
  Cluster* cluster = nullptr;
  unsigned rank = 0;  // in its cluster
  std::vector<std::unique_ptr<Unit>> units;
};

// A kernel with its arguments and its grid.
struct Launch {
  const void* kernel;
  dim3 grid, block, cluster;
  size_t shared;
  bool cooperative;
  std::shared_ptr<const void> arguments;
  void (*call)(const void* arguments);
};

enum Order : unsigned { forward, reverse, random_order };

struct Machine {
  unsigned order = forward;  // of threads and blocks; PYLEARN_CUDA_ORDER=forward|reverse|random
  Block* block = nullptr;
  Thread* thread = nullptr;
  const Launch* launch = nullptr;
  bool progress = false;  // since the scheduler last looked, something happened other than spinning
  uint64_t random_state = 0x9E3779B97F4A7C15;
  uint64_t clock = 0;

  Machine();
};
extern Machine g;

uint64_t random_bits();

// Runs every block of the grid to its end.
void run(const Launch& launch);

// Reports what is wrong with the kernel, which kernel it is and which thread, and aborts.
[[noreturn]] void die(const char* format, ...) __attribute__((format(printf, 1, 2)));
// A function's name from the symbols of the library it is in, or its address.
const char* name_of(const void* function);

// Called by a thread of the kernel.
void spin(Where where = Where::current());
void block_barrier(unsigned number, unsigned threads, Where where);
void block_arrive(unsigned number, unsigned threads, Where where);
const void* warp_call(unsigned mask, Finish finish, const void* value, size_t bytes, unsigned source,
                      Where where);
void* shared_memory(size_t bytes);
uint64_t now();

// `work` is done by a unit of the machine that runs beside the threads: at once, or when nothing else can happen.
void later(std::function<void()> work);

// The model of one kind of asynchronous unit, made at its first use in the block.
template <class U>
U& unit(Block& block = *g.block) {
  for (auto& u : block.units)
    if (auto* found = dynamic_cast<U*>(u.get())) return *found;
  block.units.push_back(std::make_unique<U>());
  return static_cast<U&>(*block.units.back());
}

}  // namespace emu
