// Inline PTX of Hopper's asynchronous instructions, each beside its model for the emulated build (emulation/hopper.h):
// mbarriers, TMA, wgmma, clusters, dependent launch. mma.sync, ldmatrix and cp.async are in ptx_mma.cuh.
//
// A ring of stages: thread 0 of the producer waits for `empty`, says how many bytes will come (mbarrier_expect) and
// starts the loads; the consumers wait for `full`, multiply, and arrive at `empty`. The parity of the n-th use of a
// stage is n % 2 for `full` and (n + 1) % 2 for `empty`, which is so passed at once the first time.
#pragma once
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#if defined(PL_EMU)
#include "hopper.h"
#endif

namespace pl::cuda {

// A tensor map is a kernel's argument by value: void kernel(PL_TENSOR_MAP map, ...).
#define PL_TENSOR_MAP const __grid_constant__ CUtensorMap

// PL_SM90: instructions of compute capability 9.0 and later; PL_SM90A: those of 9.0 alone (the "a" of sm_90a). Where a
// kernel is compiled for another architecture they trap; the host chooses the kernel by the architecture.
#if defined(PL_EMU)
#define PL_PTX inline
#define PL_WHERE , emu::Where where = emu::Where::current()
#define PL_WHERE_ONLY emu::Where where = emu::Where::current()
#else
#define PL_PTX __device__ __forceinline__
#define PL_WHERE
#define PL_WHERE_ONLY
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define PL_SM90(...) asm volatile(__VA_ARGS__)
#else
#define PL_SM90(...) __trap()
#endif
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define PL_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define PL_SM90A(...) __trap()
#endif
#endif

PL_PTX uint32_t shared_address(const void* p) {
#if defined(PL_EMU)
  return emu::hopper::shared_address(p);
#else
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
#endif
}

// ---- mbarriers

// `count` arrivals complete a phase, once the bytes that were announced have come too. By one thread, then
// mbarrier_fence_init() and a barrier of the block (the cluster) before anybody uses it.
PL_PTX void mbarrier_init(uint64_t* bar, uint32_t count) {
#if defined(PL_EMU)
  emu::hopper::mbarrier_init(bar, count);
#else
  PL_SM90("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(bar)), "r"(count) : "memory");
#endif
}
PL_PTX void mbarrier_fence_init() {
#if !defined(PL_EMU)
  PL_SM90("fence.mbarrier_init.release.cluster;" :: : "memory");
#endif
}
PL_PTX void mbarrier_arrive(uint64_t* bar) {
#if defined(PL_EMU)
  emu::hopper::mbarrier_arrive(bar);
#else
  PL_SM90("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(bar)) : "memory");
#endif
}
// At the barrier of another block of the cluster that lies where `bar` lies in this one.
PL_PTX void mbarrier_arrive_at(uint64_t* bar, uint32_t rank) {
#if defined(PL_EMU)
  emu::hopper::mbarrier_arrive(static_cast<uint64_t*>(emu::hopper::cluster_map(bar, rank)));
#else
  PL_SM90(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n}" ::"r"(shared_address(bar)),
      "r"(rank) : "memory");
#endif
}
// Arrives, and announces bytes that asynchronous copies will bring.
PL_PTX void mbarrier_expect(uint64_t* bar, uint32_t bytes) {
#if defined(PL_EMU)
  emu::hopper::mbarrier_expect(bar, bytes);
#else
  PL_SM90("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(bar)),
          "r"(bytes) : "memory");
#endif
}
// Until the phase of this parity is complete.
PL_PTX void mbarrier_wait(uint64_t* bar, uint32_t parity PL_WHERE) {
#if defined(PL_EMU)
  emu::hopper::mbarrier_wait(bar, parity, where);
#else
  PL_SM90(
      "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra "
      "again;\n}" ::"r"(shared_address(bar)),
      "r"(parity) : "memory");
#endif
}

// ---- TMA: boxes of an array between global and shared memory

// To `to` and, as bytes, to `bar`. Coordinates are in elements, innermost first; what lies outside of the array is zero.
PL_PTX void tma_load(void* to, const CUtensorMap& map, uint64_t* bar, int x, int y) {
#if defined(PL_EMU)
  const int at[] = {x, y};
  emu::hopper::tma_load(to, &map, bar, at, 2, 1u << emu::hopper::cluster_rank());
#else
  PL_SM90(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], "
      "[%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(bar)), "r"(x), "r"(y) : "memory");
#endif
}
PL_PTX void tma_load(void* to, const CUtensorMap& map, uint64_t* bar, int x, int y, int z) {
#if defined(PL_EMU)
  const int at[] = {x, y, z};
  emu::hopper::tma_load(to, &map, bar, at, 3, 1u << emu::hopper::cluster_rank());
#else
  PL_SM90(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], "
      "[%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(bar)), "r"(x), "r"(y), "r"(z) : "memory");
#endif
}
PL_PTX void tma_load(void* to, const CUtensorMap& map, uint64_t* bar, int x, int y, int z, int w) {
#if defined(PL_EMU)
  const int at[] = {x, y, z, w};
  emu::hopper::tma_load(to, &map, bar, at, 4, 1u << emu::hopper::cluster_rank());
#else
  PL_SM90(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, "
      "%6}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(bar)), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
#endif
}
// To the same place in every block of the cluster whose bit is set, each with its own barrier.
PL_PTX void tma_load_multicast(void* to, const CUtensorMap& map, uint64_t* bar, uint16_t blocks, int x,
                               int y) {
#if defined(PL_EMU)
  const int at[] = {x, y};
  emu::hopper::tma_load(to, &map, bar, at, 2, blocks);
#else
  PL_SM90(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1, {%4, %5}], [%2], %3;" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(bar)), "h"(blocks), "r"(x), "r"(y) : "memory");
#endif
}
// Contiguous bytes, a multiple of 16 at addresses that are.
PL_PTX void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* bar) {
#if defined(PL_EMU)
  emu::hopper::bulk_load(to, from, bytes, bar);
#else
  PL_SM90("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
              shared_address(to)),
          "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(bar)) : "memory");
#endif
}
PL_PTX void tma_prefetch([[maybe_unused]] const CUtensorMap& map) {
#if !defined(PL_EMU)
  PL_SM90("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#endif
}

// Before TMA or wgmma reads what threads wrote to shared memory: this fence by the writers, then a barrier.
PL_PTX void fence_async_shared() {
#if !defined(PL_EMU)
  PL_SM90("fence.proxy.async.shared::cta;" :: : "memory");
#endif
}
// From shared memory, which stays as it is until tma_store_wait_read(). By one thread: stores, commit, wait.
PL_PTX void tma_store(const CUtensorMap& map, const void* from, int x, int y) {
#if defined(PL_EMU)
  const int at[] = {x, y};
  emu::hopper::tma_store(&map, from, at, 2);
#else
  PL_SM90("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
          "r"(shared_address(from)), "r"(x), "r"(y) : "memory");
#endif
}
PL_PTX void tma_store_commit() {
#if defined(PL_EMU)
  emu::hopper::tma_store_commit();
#else
  PL_SM90("cp.async.bulk.commit_group;" :: : "memory");
#endif
}
// Until at most N groups of stores still read shared memory.
template <int N>
PL_PTX void tma_store_wait_read() {
#if defined(PL_EMU)
  emu::hopper::tma_store_wait(N);
#else
  PL_SM90("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
#endif
}

// ---- wgmma: products by a warpgroup (128 threads)

// An operand in shared memory: rows of 128 bytes along k, 8 rows to 1024 bytes, swizzled as TMA does with
// CU_TENSOR_MAP_SWIZZLE_128B. Steps along k within the 128 bytes add their bytes to p.
PL_PTX uint64_t wgmma_descriptor(const void* p) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kRows8 = uint64_t{1024 >> 4} << 32,
                     kLeading = uint64_t{1} << 16;
  return (shared_address(p) & 0x3FFFF) >> 4 | kLeading | kRows8 | kSwizzle128;
}

// Before the first product, and whenever threads have touched the registers of D.
PL_PTX void wgmma_fence() {
#if !defined(PL_EMU)
  PL_SM90A("wgmma.fence.sync.aligned;" :: : "memory");
#endif
}
PL_PTX void wgmma_commit() {
#if defined(PL_EMU)
  emu::hopper::wgmma_commit();
#else
  PL_SM90A("wgmma.commit_group.sync.aligned;" :: : "memory");
#endif
}
// Until at most N groups are under way. Only then may D be read and the operands be overwritten.
template <int N>
PL_PTX void wgmma_wait(PL_WHERE_ONLY) {
#if defined(PL_EMU)
  emu::hopper::wgmma_wait(N, where);
#else
  PL_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#endif
}

// D (64, N) = A (64, k) B (N, k)^T, plus D where `accumulate` (uniform in the warpgroup); k is 16 for bfloat16, 8 for
// TF32. Thread t keeps D(t / 32 * 16 + t % 32 / 4 + e / 2 * 8, 8 j + t % 4 * 2 + e % 2) in d[4 j + e], e = 0 ... 3.
#if defined(PL_EMU)
template <int N>
void wgmma_bf16(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate) {
  emu::hopper::wgmma(d, N, a, b, false, accumulate);
}
template <int N>
void wgmma_tf32(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate) {
  emu::hopper::wgmma(d, N, a, b, true, accumulate);
}
#else
// clang-format off
#define PL_REGISTERS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define PL_REGISTERS_64 PL_REGISTERS_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define PL_REGISTERS_128 PL_REGISTERS_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define PL_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define PL_D16(i) PL_D4(i), PL_D4(i + 4), PL_D4(i + 8), PL_D4(i + 12)
#define PL_D32(i) PL_D16(i), PL_D16(i + 16)
#define PL_D64(i) PL_D32(i), PL_D32(i + 32)
#define PL_D128(i) PL_D64(i), PL_D64(i + 64)
#define PL_WGMMA(shape, registers, a, b, accumulate, transposed)                        \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " accumulate ", 0;\nwgmma.mma_async.sync.aligned."  \
  shape " {" registers "}, " a ", " b ", p, 1, 1" transposed ";\n}"

template <int N>
__device__ void wgmma_bf16(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate);
template <int N>
__device__ void wgmma_tf32(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate);
template <>
PL_PTX void wgmma_bf16<64>(float (&d)[32], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n64k16.f32.bf16.bf16", PL_REGISTERS_32, "%32", "%33", "%34", ", 0, 0")
           : PL_D32(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
template <>
PL_PTX void wgmma_bf16<128>(float (&d)[64], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n128k16.f32.bf16.bf16", PL_REGISTERS_64, "%64", "%65", "%66", ", 0, 0")
           : PL_D64(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
template <>
PL_PTX void wgmma_bf16<256>(float (&d)[128], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n256k16.f32.bf16.bf16", PL_REGISTERS_128, "%128", "%129", "%130", ", 0, 0")
           : PL_D128(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
template <>
PL_PTX void wgmma_tf32<64>(float (&d)[32], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n64k8.f32.tf32.tf32", PL_REGISTERS_32, "%32", "%33", "%34", "")
           : PL_D32(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
template <>
PL_PTX void wgmma_tf32<128>(float (&d)[64], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n128k8.f32.tf32.tf32", PL_REGISTERS_64, "%64", "%65", "%66", "")
           : PL_D64(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
template <>
PL_PTX void wgmma_tf32<256>(float (&d)[128], uint64_t a, uint64_t b, bool accumulate) {
  PL_SM90A(PL_WGMMA("m64n256k8.f32.tf32.tf32", PL_REGISTERS_128, "%128", "%129", "%130", "")
           : PL_D128(0) : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
}
// clang-format on
#endif

// Registers per thread, given up by one warpgroup and taken by the others: a multiple of 8 from 24 to 256.
template <int R>
PL_PTX void take_registers() {
  static_assert(R % 8 == 0 && R >= 24 && R <= 256);
#if !defined(PL_EMU)
  PL_SM90A("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(R));
#endif
}
template <int R>
PL_PTX void give_registers() {
  static_assert(R % 8 == 0 && R >= 24 && R <= 256);
#if !defined(PL_EMU)
  PL_SM90A("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(R));
#endif
}

// ---- barriers of some threads of the block: number 1 to 15, a multiple of 32 threads

PL_PTX void barrier_sync(int number, int threads PL_WHERE) {
#if defined(PL_EMU)
  emu::block_barrier(static_cast<unsigned>(number), static_cast<unsigned>(threads), where);
#else
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}
// Comes, but does not wait for the others.
PL_PTX void barrier_arrive(int number, int threads PL_WHERE) {
#if defined(PL_EMU)
  emu::block_arrive(static_cast<unsigned>(number), static_cast<unsigned>(threads), where);
#else
  asm volatile("bar.arrive %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}

// ---- clusters

PL_PTX uint32_t cluster_rank() {
#if defined(PL_EMU)
  return emu::hopper::cluster_rank();
#else
  uint32_t rank = 0;
  PL_SM90("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#endif
}
// Every thread of the cluster: arrive, later wait.
PL_PTX void cluster_arrive() {
#if defined(PL_EMU)
  emu::hopper::cluster_arrive();
#else
  PL_SM90("barrier.cluster.arrive.release.aligned;" :: : "memory");
#endif
}
PL_PTX void cluster_wait(PL_WHERE_ONLY) {
#if defined(PL_EMU)
  emu::hopper::cluster_wait(where);
#else
  PL_SM90("barrier.cluster.wait.acquire.aligned;" :: : "memory");
#endif
}
// The same place in the shared memory of another block of the cluster, which must not have returned.
template <class T>
PL_PTX T* cluster_map(T* p, uint32_t rank) {
#if defined(PL_EMU)
  return static_cast<T*>(emu::hopper::cluster_map(p, rank));
#else
  T* remote = nullptr;
  PL_SM90("mapa.u64 %0, %1, %2;" : "=l"(remote) : "l"(p), "r"(rank));
  return remote;
#endif
}

// ---- order between blocks and between launches

PL_PTX unsigned load_acquire(const unsigned* p) {
#if defined(PL_EMU)
  return *p;
#else
  unsigned v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(__cvta_generic_to_global(p)) : "memory");
  return v;
#endif
}
PL_PTX void store_release(unsigned* p, unsigned v) {
#if defined(PL_EMU)
  *p = v;
#else
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(p)), "r"(v) : "memory");
#endif
}
PL_PTX void add_release(unsigned* p, unsigned v) {
#if defined(PL_EMU)
  *p += v;
#else
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(p)), "r"(v)
               : "memory");
#endif
}
// In a kernel launched with programmatic stream serialization: until the kernel before it has done its work. Before
// that, nothing the other one wrote may be read.
PL_PTX void wait_for_previous_launch() {
#if !defined(PL_EMU)
  PL_SM90("griddepcontrol.wait;" :: : "memory");
#endif
}
// The next kernel may begin once every block has come here.
PL_PTX void let_next_launch_begin() {
#if !defined(PL_EMU)
  PL_SM90("griddepcontrol.launch_dependents;" :: : "memory");
#endif
}

// ---- tensor maps, on the host

// An array of `rank` dimensions, innermost first: sizes in elements, strides in bytes of all but the innermost (multiples
// of 16), the box that one load brings. The driver's function is asked for at run time: nothing links to libcuda.
inline cudaError_t make_tensor_map(CUtensorMap* map, CUtensorMapDataType type, int rank, const void* base,
                                   const uint64_t* size, const uint64_t* strides, const uint32_t* box,
                                   CUtensorMapSwizzle swizzle) {
  static const auto encode = [] {
    void* f = nullptr;
    cudaDriverEntryPointQueryResult found;
    cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &f, 12000, cudaEnableDefault, &found);
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(f);
  }();
  if (!encode) return cudaErrorNotSupported;
  const cuuint32_t ones[5] = {1, 1, 1, 1, 1};
  const auto* sizes = reinterpret_cast<const cuuint64_t*>(size);
  const auto* pitches = reinterpret_cast<const cuuint64_t*>(strides);
  const CUresult r = encode(map, type, static_cast<cuuint32_t>(rank), const_cast<void*>(base), sizes, pitches,
                            box, ones, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
                            CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return r == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace pl::cuda
