// Minimal CUDA-on-host emulation: one fiber per CUDA thread, one block (or cluster) at a time, single OS thread.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <utility>
#include <vector>
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#define PL_EMU 1
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
struct dim3 { unsigned x, y, z; constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {} };
struct uint3_ { unsigned x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) double2 { double x, y; };
template <class T> T __ldcg(const T* p) { return *p; }
inline uint3_ threadIdx, blockIdx;  // set by the scheduler on every switch
inline dim3 blockDim, gridDim;
namespace emu {
enum State { READY, BLOCKBAR, WARPBAR, SPIN, DONE };
struct Warp { unsigned arrived = 0, exited = 0; unsigned gen = 0; alignas(16) unsigned char slot[32][64]; };
struct Fiber { void* sp; char* stk; State st; uint3_ tid; unsigned lin; unsigned wait_mask; const void* site; void* fake; };
struct Bar { unsigned n = 0, gen = 0; };
struct Block { Bar wgbar[8]; std::vector<Fiber> f; std::vector<Warp> w; std::vector<unsigned char> smem; uint3_ bid; unsigned alive, at_bar; const void* bar_site; int count = 0; };
struct Ctx { Block* blk = nullptr; Fiber* cur = nullptr; dim3 grid, block; void* sched_sp = nullptr; std::function<void()> body; unsigned order = 0; std::mt19937 rng{1}; std::size_t smem_bytes = 0; const void* ss; std::size_t sn; void* sfake; };
inline Ctx g;
[[noreturn]] inline void die(const char* m) { std::fprintf(stderr, "emu: %s (block %u,%u thread %u)\n", m, g.blk->bid.x, g.blk->bid.y, g.cur ? g.cur->lin : 0u); std::abort(); }
extern "C" void emu_switch(void** save, void* load);
#define EMU_STK (64 * 1024)
inline void to_sched(bool dying = false) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(dying ? nullptr : &g.cur->fake, g.ss, g.sn);
#endif
  Fiber* me = g.cur; emu_switch(&me->sp, g.sched_sp);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(me->fake, &g.ss, &g.sn);
#endif
}
inline void entry() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &g.ss, &g.sn);
#endif
  g.body();
  g.cur->st = DONE; g.blk->alive--; g.blk->w[g.cur->lin / 32].exited |= 1u << (g.cur->lin % 32);
  to_sched(true); std::abort();
}
inline void resume(Fiber& f) {
  g.cur = &f; threadIdx = f.tid;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&g.sfake, f.stk, EMU_STK);
#endif
  emu_switch(&g.sched_sp, f.sp);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(g.sfake, nullptr, nullptr);
#endif
}
inline char* stack_for(std::size_t i) {
  static std::vector<char*> st;
  while (st.size() <= i) st.push_back((char*)mmap(nullptr, EMU_STK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return st[i];
}
inline void init_block(Block& b, std::size_t first_stack) {
  unsigned n = g.block.x * g.block.y * g.block.z;
  b.f.assign(n, Fiber{}); b.w.assign((n + 31) / 32, Warp{}); b.alive = n; b.at_bar = 0; b.bar_site = nullptr;
  b.smem.assign(g.smem_bytes + 1024, 0xFF);                       // poison: 0xFFFFFFFF is a NaN
  for (unsigned i = 0; i < n; ++i) {
    Fiber& f = b.f[i]; f.st = READY; f.lin = i; f.stk = stack_for(first_stack + i); f.tid = {i % g.block.x, i / g.block.x % g.block.y, i / (g.block.x * g.block.y)};
    void** sp = (void**)(f.stk + EMU_STK - 64); sp[6] = (void*)&entry; sp[7] = nullptr; f.sp = sp;   // 6 saved regs, then ret address
    if (i + 1 == n && n % 32) b.w[n / 32].exited = ~0u << (n % 32);
  }
}
inline int step_block(Block& b) {  // one pass over the block's threads: 2 progress, 1 only spinning, 0 stuck or finished
  g.blk = &b; blockIdx = b.bid; blockDim = g.block; gridDim = g.grid; unsigned n = b.f.size(); bool ran = false, spin = false;
  static std::vector<unsigned> ord; if (ord.size() != n) { ord.resize(n); for (unsigned i = 0; i < n; ++i) ord[i] = i; }
  if (g.order == 2) std::shuffle(ord.begin(), ord.end(), g.rng);
  for (unsigned k = 0; k < n; ++k) { Fiber& f = b.f[g.order == 1 ? n - 1 - k : g.order == 2 ? ord[k] : k]; if (f.st == READY || f.st == SPIN) { ran |= f.st == READY; f.st = READY; resume(f); spin |= f.st == SPIN; ran |= f.st != SPIN; } }
  if (b.alive && b.at_bar == b.alive) { for (auto& f : b.f) if (f.st == BLOCKBAR) f.st = READY; b.at_bar = 0; b.bar_site = nullptr; ran = true; }
  for (auto& f : b.f) ran |= f.st == READY;
  return ran ? 2 : spin ? 1 : 0;
}
inline void run_blocks(std::vector<Block>& bs) {  // all blocks in bs are co-resident
  std::size_t k = 0; for (auto& b : bs) { init_block(b, k); k += b.f.size(); }
  for (unsigned idle = 0;;) {
    bool alive = false; int best = 0;
    for (auto& b : bs) if (b.alive) { alive = true; best = std::max(best, step_block(b)); }
    if (!alive) return;
    if (best == 0) die("deadlock: no runnable thread");
    if (best == 1 && ++idle > 200000) die("livelock: every thread spins"); if (best == 2) idle = 0;
  }
}
inline __attribute__((noinline)) void block_barrier(const void* site) {
  Block& b = *g.blk; if (b.at_bar == 0) b.bar_site = site; else if (b.bar_site != site) die("divergent __syncthreads");
  b.at_bar++; g.cur->st = BLOCKBAR; to_sched();
}
inline void warp_barrier(unsigned mask) {
  Warp& w = g.blk->w[g.cur->lin / 32]; unsigned me = 1u << (g.cur->lin % 32); if (!(mask & me)) die("lane not in mask");
  w.arrived |= me; unsigned gen = w.gen;
  if ((w.arrived & mask) == (mask & ~w.exited)) { w.arrived &= ~mask; w.gen++; for (unsigned l = 0; l < 32; ++l) { unsigned i = g.cur->lin / 32 * 32 + l; if (i < g.blk->f.size() && (mask >> l & 1) && g.blk->f[i].st == WARPBAR) g.blk->f[i].st = READY; } }
  else { (void)gen; g.cur->st = WARPBAR; to_sched(); }
}
template <class T, class F> T exchange(unsigned mask, T v, F src) {
  static_assert(sizeof(T) <= 64); Warp& w = g.blk->w[g.cur->lin / 32]; unsigned lane = g.cur->lin % 32;
  std::memcpy(w.slot[lane], &v, sizeof v); warp_barrier(mask); T r; std::memcpy(&r, w.slot[src(lane)], sizeof r); warp_barrier(mask); return r;
}
}  // namespace emu
constexpr int warpSize = 32;
#define __syncthreads() do { static const char emu_site = 0; emu::block_barrier(&emu_site); } while (0)
inline void __syncwarp(unsigned m = ~0u) { emu::warp_barrier(m); }
inline void __threadfence() {}
template <class T> T __shfl_down_sync(unsigned m, T v, unsigned d, int w = 32) { return emu::exchange(m, v, [&](unsigned l) { unsigned s = l + d; return (l & (w - 1)) + d < (unsigned)w ? s : l; }); }
template <class T> T __shfl_up_sync(unsigned m, T v, unsigned d, int w = 32) { return emu::exchange(m, v, [&](unsigned l) { return (l & (w - 1)) >= d ? l - d : l; }); }
template <class T> T __shfl_xor_sync(unsigned m, T v, int x, int = 32) { return emu::exchange(m, v, [&](unsigned l) { return l ^ x; }); }
template <class T> T __shfl_sync(unsigned m, T v, int s, int w = 32) { return emu::exchange(m, v, [&](unsigned l) { return (l & ~(w - 1)) + (s & (w - 1)); }); }
inline unsigned __ballot_sync(unsigned m, int p) { unsigned r = 0; for (int l = 0; l < 32; ++l) if (m >> l & 1) r |= (unsigned)(__shfl_sync(m, (int)!!p, l)) << l; return r; }
template <class T> unsigned __match_any_sync(unsigned m, T v) { unsigned r = 0; emu::Warp& w = emu::g.blk->w[emu::g.cur->lin / 32]; std::memcpy(w.slot[emu::g.cur->lin % 32], &v, sizeof v); emu::warp_barrier(m); for (int l = 0; l < 32; ++l) { T o; std::memcpy(&o, w.slot[l], sizeof o); if ((m >> l & 1) && o == v) r |= 1u << l; } emu::warp_barrier(m); return r; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
#define __syncthreads_count(p) ([&](int emu_p) { static const char emu_site = 0; emu::block_barrier(&emu_site); if (emu_p) emu::g.blk->count++; emu::block_barrier(&emu_site); const int emu_n = emu::g.blk->count; emu::block_barrier(&emu_site); emu::g.blk->count = 0; return emu_n; }(!!(p)))
template <class T> T atomicAdd(T* p, T v) { T o = *p; *p = o + v; return o; }
template <class T> T atomicMax(T* p, T v) { T o = *p; if (v > o) *p = v; return o; }
template <class T> T atomicCAS(T* p, T c, T v) { T o = *p; if (o == c) *p = v; return o; }
inline float __expf(float x) { return std::exp(x); }
inline float normcdff(float x) { return 0.5f * std::erfc(-x * 0.70710678f); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }
inline float rsqrtf(float x) { return 1.f / std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
namespace pl { inline void spin() { emu::g.cur->st = emu::SPIN; emu::to_sched(); }
template <class S> S& smem() { auto p = ((uintptr_t)emu::g.blk->smem.data() + 1023) & ~uintptr_t(1023); return *reinterpret_cast<S*>(p); } }
// ---- host API
using cudaError_t = int; using cudaStream_t = void*; constexpr cudaError_t cudaSuccess = 0;
enum { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaLaunchAttributeID { cudaLaunchAttributeCooperative = 2 };
struct cudaLaunchAttribute { cudaLaunchAttributeID id; struct { int cooperative; } val; };
struct cudaLaunchConfig_t { dim3 gridDim, blockDim; std::size_t dynamicSmemBytes = 0; cudaStream_t stream = nullptr; cudaLaunchAttribute* attrs = nullptr; unsigned numAttrs = 0; };
template <class T> cudaError_t cudaMalloc(T** p, std::size_t n) { *p = (T*)std::malloc(n); std::memset((void*)*p, 0xFF, n); return 0; }
inline cudaError_t cudaFree(void* p) { std::free(p); return 0; }
inline cudaError_t cudaMemcpy(void* d, const void* s, std::size_t n, int) { std::memcpy(d, s, n); return 0; }
inline cudaError_t cudaMemset(void* d, int v, std::size_t n) { std::memset(d, v, n); return 0; }
inline cudaError_t cudaGetLastError() { return 0; }
template <class F> cudaError_t cudaFuncSetAttribute(F, int, int) { return 0; }
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
inline cudaError_t cudaGetDevice(int* device) { *device = 0; return 0; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { *value = 160 << 10; return 0; }
enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
template <class... E, class... A> cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* c, void (*k)(E...), A&&... a) {
  emu::g.grid = c->gridDim; emu::g.block = c->blockDim; emu::g.smem_bytes = c->dynamicSmemBytes; emu::g.body = [&] { k(a...); };
  std::vector<emu::Block> bs; bool coop = c->numAttrs && c->attrs[0].id == cudaLaunchAttributeCooperative;
  for (unsigned z = 0; z < c->gridDim.z; ++z) for (unsigned y = 0; y < c->gridDim.y; ++y) for (unsigned x = 0; x < c->gridDim.x; ++x) {
    bs.emplace_back(); bs.back().bid = {x, y, z}; if (!coop) { emu::run_blocks(bs); bs.clear(); } }
  if (coop) emu::run_blocks(bs);
  return 0;
}
