#include "machine.h"

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace emu {

Machine g;

Machine::Machine() {
  const char* name = std::getenv("PYLEARN_CUDA_ORDER");
  if (!name || !std::strcmp(name, "forward")) return;
  if (!std::strcmp(name, "reverse"))
    order = reverse;
  else if (!std::strcmp(name, "random"))
    order = random_order;
  else
    std::fprintf(stderr, "PYLEARN_CUDA_ORDER=%s is unknown; it is one of forward, reverse, random\n", name);
}

uint64_t random_bits() {  // xorshift64
  uint64_t& s = g.random_state;
  s ^= s << 13;
  s ^= s >> 7;
  return s ^= s << 17;
}

namespace {

constexpr size_t kTail = 256;               // bytes beyond a block's shared memory that nobody may write
constexpr unsigned char kUnwritten = 0xA5;  // they hold this
constexpr unsigned kSpins = 200000;         // passes without progress after which waiting is hopeless

Fiber scheduler;
auto& idle = *new std::vector<Fiber*>;       // stacks that nobody runs on; never destroyed, as stacks are not
std::vector<std::function<void()>> pending;  // what later() put off

Warp& warp_of(Thread& t) { return g.block->warps[t.index / 32]; }
unsigned lane_bit(const Thread& t) { return 1u << (t.index % 32); }

// The next lane to run, of a set that is not empty.
unsigned pick(unsigned lanes) {
  if (g.order == forward) return std::countr_zero(lanes);
  if (g.order == reverse) return 31 - std::countl_zero(lanes);
  const unsigned turn = random_bits() & 31;
  return (std::countr_zero(std::rotr(lanes, static_cast<int>(turn))) + turn) & 31;
}

// 0 ... n - 1 in the order of the day.
void arrange(std::vector<size_t>& places, size_t n) {
  places.resize(n);
  std::iota(places.begin(), places.end(), size_t{0});
  if (g.order == reverse) std::reverse(places.begin(), places.end());
  if (g.order == random_order)
    for (size_t i = n; i > 1; --i) std::swap(places[i - 1], places[random_bits() % i]);
}

void enter(Thread& t) {
  g.thread = &t;
  threadIdx = t.id;
  t.state = State::runnable;
}

void wait_in(State state) {
  Thread* const me = g.thread;
  me->state = state;
  switch_fiber(*me->stack, scheduler);
}

bool complete(Warp& w, unsigned mask) {
  const unsigned lanes = mask & ~w.exited;
  if ((w.waiting & lanes) != lanes || !lanes) return false;
  const Thread& first = w.lanes[std::countr_zero(lanes)];
  for (unsigned m = lanes; m; m &= m - 1) {
    const Thread& t = w.lanes[std::countr_zero(m)];
    if (t.mask != mask) return false;
    if (t.finish != first.finish)
      die("lanes of one warp are in different warp-wide calls: lane %u at %s:%u, lane %u at %s:%u",
          first.index % 32, first.where.file_name(), first.where.line(), t.index % 32, t.where.file_name(),
          t.where.line());
  }
  first.finish(w, lanes);
  w.waiting &= ~lanes;
  w.runnable |= lanes;
  g.progress = true;
  return true;
}

bool same(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() && !std::strcmp(a.file_name(), b.file_name());
}

// Adds the calling thread to those who came to the barrier; true when it was the last.
bool arrive(unsigned number, unsigned threads, const Where& where) {
  Block& b = *g.block;
  if (number >= 16) die("barrier %u: there are 16", number);
  const unsigned size = static_cast<unsigned>(b.threads.size());
  if (threads > size || threads % 32) {
    if (threads != size)
      die("barrier %u for %u threads in a block of %u: a multiple of 32 within the block", number, threads,
          size);
  }
  Barrier& bar = b.barriers[number];
  if (bar.arrived == 0) {
    bar.where = where;
    bar.expected = threads;
  } else if (bar.expected != threads) {
    die("barrier %u is for %u threads here and for %u at %s:%u", number, threads, bar.expected,
        bar.where.file_name(), bar.where.line());
  } else if (number == 0 && !same(bar.where, where)) {
    die("divergent barrier: __syncthreads() here, while other threads are in the one at %s:%u",
        bar.where.file_name(), bar.where.line());
  }
  g.progress = true;
  if (number == 0 && b.alive < size)
    die("divergent barrier: __syncthreads(), but %u threads of the block have returned", size - b.alive);
  if (++bar.arrived < threads) return false;
  bar.arrived = 0;
  for (Thread& t : b.threads)
    if (t.state == State::at_barrier && t.barrier == number) {
      t.state = State::runnable;
      warp_of(t).runnable |= lane_bit(t);
    }
  return true;
}

void finish_thread() {
  Thread& me = *g.thread;
  Block& b = *g.block;
  for (auto& u : b.units) u->thread_returns(me.index);
  me.state = State::done;
  g.progress = true;
  b.alive--;
  if (const Barrier& bar = b.barriers[0]; bar.arrived)
    die("divergent barrier: this thread returns while %u others wait in the __syncthreads() at %s:%u",
        bar.arrived, bar.where.file_name(), bar.where.line());
  Warp& w = warp_of(me);
  w.exited |= lane_bit(me);
  for (unsigned m = w.waiting; m; m &= m - 1)
    if (complete(w, w.lanes[std::countr_zero(m)].mask)) break;
}

// What runs on every stack: the present thread, and after it, without a switch, the next one that has not begun.
void carry() {
  for (;;) {
    Fiber* const here = g.thread->stack;
    g.launch->call(g.launch->arguments.get());
    finish_thread();
    Warp& w = warp_of(*g.thread);
    if (w.runnable) {
      Thread& next = w.lanes[pick(w.runnable)];
      if (next.state == State::fresh) {
        w.runnable &= ~lane_bit(next);
        next.stack = here;
        enter(next);
        continue;
      }
    }
    idle.push_back(here);
    switch_fiber(*here, scheduler);
  }
}

void resume(Thread& t) {
  if (t.state == State::fresh) {
    if (idle.empty()) idle.push_back(new_fiber(carry));
    t.stack = idle.back();
    idle.pop_back();
  }
  enter(t);
  switch_fiber(scheduler, *t.stack);
}

// One turn for every thread that can run.
void turn(Block& b) {
  static std::vector<size_t> warps;
  g.block = &b;
  blockIdx = b.id;
  if (warps.size() != b.warps.size() || g.order != forward) arrange(warps, b.warps.size());
  for (const size_t i : warps) {
    Warp& w = b.warps[i];
    w.runnable |= w.spinning;
    w.spinning = 0;
    while (w.runnable) {
      Thread& t = w.lanes[pick(w.runnable)];
      w.runnable &= ~lane_bit(t);
      resume(t);
    }
  }
}

const char* waits_in(const Thread& t) {
  switch (t.state) {
    case State::spinning: return "spins";
    case State::at_barrier: return t.barrier ? "waits at a named barrier" : "waits in __syncthreads()";
    case State::in_warp_call: return "waits in a warp-wide call";
    default: return "is not running";
  }
}

[[noreturn]] void stuck(const std::vector<Block*>& blocks, const char* what) {
  std::fprintf(stderr, "pylearn CUDA emulation: threads that have not returned:\n");
  int lines = 0;
  for (const Block* b : blocks)
    for (size_t i = 0; i < b->threads.size();) {
      const Thread& t = b->threads[i];
      size_t n = i + 1;
      while (n < b->threads.size() && b->threads[n].state == t.state && same(b->threads[n].where, t.where))
        ++n;
      if (t.state != State::done && lines++ < 40)
        std::fprintf(stderr, "  block (%u,%u,%u): threads %zu-%zu: each %s at %s:%u\n", b->id.x, b->id.y,
                     b->id.z, i, n - 1, waits_in(t), t.where.file_name(), t.where.line());
      i = n;
    }
  g.thread = nullptr;
  die("%s", what);
}

void begin(Block& b, uint3 id) {
  const dim3 shape = g.launch->block;
  const unsigned n = shape.x * shape.y * shape.z;
  b.id = id;
  b.alive = n;
  b.threads.resize(n);
  b.warps.resize((n + 31) / 32);
  b.units.clear();
  for (Barrier& bar : b.barriers) bar.arrived = 0;
  uint3 at = {0, 0, 0};
  for (unsigned i = 0; i < n; ++i) {
    Thread& t = b.threads[i];
    t.id = at;
    t.index = i;
    t.state = State::fresh;
    t.where = Where();
    if (++at.x == shape.x) at.x = 0, ++at.y;
    if (at.y == shape.y) at.y = 0, ++at.z;
  }
  for (unsigned i = 0; i < b.warps.size(); ++i) {
    const unsigned lanes = n - 32 * i < 32 ? (1u << (n - 32 * i)) - 1 : ~0u;
    b.warps[i] = {&b.threads[32 * i], lanes, 0, ~lanes, 0};
  }
  // 0xFFFF... is a NaN and no index.
  const size_t bytes = g.launch->shared;
#if defined(EMU_ASAN)
  std::free(b.shared);  // exact, for the sake of the red zone behind it
  void* memory = nullptr;
  if (posix_memalign(&memory, 1024, bytes ? bytes : 1)) std::abort();
  b.shared = static_cast<unsigned char*>(memory);
#else
  if (!b.shared) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 1024, bytes + kTail)) std::abort();
    b.shared = static_cast<unsigned char*>(memory);
    std::memset(b.shared + bytes, kUnwritten, kTail);
  }
#endif
  std::memset(b.shared, 0xFF, bytes);
}

void end(Block& b) {
  g.block = &b;
  g.thread = nullptr;
  for (auto& u : b.units) u->block_returns();
#if !defined(EMU_ASAN)
  const unsigned char* tail = b.shared + g.launch->shared;
  for (size_t i = 0; i < kTail; ++i)
    if (tail[i] != kUnwritten)
      die("a thread wrote %zu bytes beyond the %zu bytes of shared memory of its block", i, g.launch->shared);
#endif
}

// These blocks share the machine until all have returned.
void run_together(const std::vector<Block*>& blocks) {
  static std::vector<size_t> places;
  for (unsigned idle_turns = 0;;) {
    bool alive = false;
    g.progress = false;
    arrange(places, blocks.size());
    for (const size_t i : places)
      if (blocks[i]->alive) {
        alive = true;
        turn(*blocks[i]);
      }
    if (!alive) break;
    if (g.progress) {
      idle_turns = 0;
      continue;
    }
    if (!pending.empty()) {
      const size_t i = g.order == random_order ? random_bits() % pending.size() : 0;
      const auto work = std::move(pending[i]);
      pending.erase(pending.begin() + static_cast<ptrdiff_t>(i));
      work();
      continue;
    }
    bool spinning = false;
    for (const Block* b : blocks)
      for (const Warp& w : b->warps) spinning |= w.spinning != 0 || w.runnable != 0;
    if (!spinning) stuck(blocks, "deadlock: every thread waits for another");
    if (++idle_turns > kSpins) stuck(blocks, "livelock: threads spin and nothing changes any more");
  }
  for (Block* b : blocks) end(*b);
  if (!pending.empty()) {
    g.thread = nullptr;
    die("the kernel returned before its asynchronous copies had arrived: nobody waited for them");
  }
}

}  // namespace

void run(const Launch& launch) {
  const Machine before = g;
  const dim3 grid = launch.grid, cluster = launch.cluster;
  g.launch = &launch;
  gridDim = grid;
  blockDim = launch.block;
  const dim3 clusters(grid.x / cluster.x, grid.y / cluster.y, grid.z / cluster.z);
  const size_t count = size_t{clusters.x} * clusters.y * clusters.z,
               size = size_t{cluster.x} * cluster.y * cluster.z;
  const size_t together = launch.cooperative ? count : 1;
  std::vector<std::unique_ptr<Block>> blocks(together * size);
  std::vector<Cluster> groups(together);
  std::vector<Block*> all;
  for (auto& b : blocks) {
    b = std::make_unique<Block>();
    all.push_back(b.get());
  }
  for (size_t done = 0; done < count; done += together) {
    for (size_t i = 0; i < together; ++i) {
      size_t c = done + i;
      if (!launch.cooperative && g.order == reverse) c = count - 1 - c;
      // A step prime to the count visits every cluster once.
      if (!launch.cooperative && g.order == random_order && std::gcd(count, size_t{7919}) == 1)
        c = (c * 7919 + 1) % count;
      const size_t cx = c % clusters.x, cy = c / clusters.x % clusters.y, cz = c / clusters.x / clusters.y;
      groups[i] = {};
      for (size_t r = 0; r < size; ++r) {
        Block& b = *all[i * size + r];
        const size_t rx = r % cluster.x, ry = r / cluster.x % cluster.y, rz = r / cluster.x / cluster.y;
        begin(b, {static_cast<unsigned>(cx * cluster.x + rx), static_cast<unsigned>(cy * cluster.y + ry),
                  static_cast<unsigned>(cz * cluster.z + rz)});
        b.cluster = &groups[i];
        b.rank = static_cast<unsigned>(r);
        groups[i].blocks.push_back(&b);
        groups[i].threads += b.alive;
      }
    }
    run_together(all);
  }
  for (Block* b : all) std::free(b->shared);
  g.launch = before.launch;
  g.block = before.block;
  g.thread = before.thread;
}

void die(const char* format, ...) {
  std::fflush(stdout);
  std::fprintf(stderr, "pylearn CUDA emulation: ");
  va_list list;
  va_start(list, format);
  std::vfprintf(stderr, format, list);
  va_end(list);
  if (g.launch) std::fprintf(stderr, "\n  in kernel %s", name_of(g.launch->kernel));
  if (g.launch && g.block)
    std::fprintf(stderr, ", block (%u,%u,%u)", g.block->id.x, g.block->id.y, g.block->id.z);
  if (g.launch && g.thread) {
    const Thread& t = *g.thread;
    std::fprintf(stderr, ", thread %u (%u,%u,%u)", t.index, t.id.x, t.id.y, t.id.z);
    if (t.where.line()) std::fprintf(stderr, ", last at %s:%u", t.where.file_name(), t.where.line());
  }
  std::fprintf(stderr, "\n");
  std::abort();
}

void spin(Where where) {
  Thread& me = *g.thread;
  me.where = where;
  warp_of(me).spinning |= lane_bit(me);
  wait_in(State::spinning);
}

void block_barrier(unsigned number, unsigned threads, Where where) {
  Thread& me = *g.thread;
  me.where = where;
  me.barrier = static_cast<uint8_t>(number);
  if (!arrive(number, threads ? threads : static_cast<unsigned>(g.block->threads.size()), where))
    wait_in(State::at_barrier);
}

void block_arrive(unsigned number, unsigned threads, Where where) {
  g.thread->where = where;
  arrive(number, threads, where);
}

const void* warp_call(unsigned mask, Finish finish, const void* value, size_t bytes, unsigned source,
                      Where where) {
  Thread& me = *g.thread;
  Warp& w = warp_of(me);
  me.where = where;
  if (!(mask & lane_bit(me)))
    die("the mask %08x of a warp-wide call does not name the lane that makes it", mask);
  me.mask = mask;
  me.finish = finish;
  me.source = source;
  if (bytes) std::memcpy(me.value, value, bytes);
  w.waiting |= lane_bit(me);
  if (complete(w, mask))
    w.runnable &= ~lane_bit(me);  // goes on at once
  else
    wait_in(State::in_warp_call);
  return me.result;
}

void* shared_memory(size_t bytes) {
  if (bytes > g.launch->shared)
    die("the kernel uses %zu bytes of shared memory and was launched with %zu", bytes, g.launch->shared);
  return g.block->shared;
}

uint64_t now() { return ++g.clock; }

void later(std::function<void()> work) {
  const bool at_once = g.order == reverse || (g.order == random_order && random_bits() & 1);
  if (at_once)
    work();
  else
    pending.push_back(std::move(work));
}

}  // namespace emu
