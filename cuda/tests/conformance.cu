// Every wrapper of PTX, and what the emulation models of CUDA, against what the manuals say: run emulated by
// tests/test_cuda_emulation.py, and on a real Hopper GPU to see that the models are right.
//
//   conformance [CASE...]      exit status 0 when all are right
#include <cuda_bf16.h>

#include <cmath>

#include "ptx.cuh"
#include "support.h"

namespace pl::cuda {
namespace {

template <class T>
bool same(const char* what, const Array<T>& array, const std::vector<T>& expected) {
  const auto v = array.host();
  for (size_t i = 0; i < expected.size(); ++i)
    if (std::memcmp(&v[i], &expected[i], sizeof(T))) {
      std::printf("  %s: element %zu is %g and should be %g\n", what, i, static_cast<double>(v[i]),
                  static_cast<double>(expected[i]));
      return false;
    }
  return true;
}
bool launched() {
  const cudaError_t e = launches();
  if (e) std::printf("  %s\n", cudaGetErrorString(e));
  return e == cudaSuccess;
}

// ---- warps

__global__ void warp_functions(int* y) {
  const int lane = threadIdx.x;
  int k = 0;
  const auto put = [&](auto v) { y[32 * k++ + lane] = static_cast<int>(v); };
  put(__shfl_sync(~0u, lane, 5));
  put(__shfl_sync(~0u, lane, 3, 8));
  put(__shfl_up_sync(~0u, lane, 2));
  put(__shfl_down_sync(~0u, lane, 3, 16));
  put(__shfl_xor_sync(~0u, lane, 16));
  put(__shfl_xor_sync(~0u, lane, 8, 8));
  put(__ballot_sync(~0u, lane % 3 == 0));
  put(__any_sync(~0u, lane == 7));
  put(__all_sync(~0u, lane < 31));
  put(__reduce_add_sync(~0u, lane));
  put(__reduce_max_sync(~0u, -lane));
  put(__reduce_xor_sync(~0u, static_cast<unsigned>(lane)));
  put(__match_any_sync(~0u, lane / 8));
  int all = -1;
  put(__match_all_sync(~0u, 4, &all));
  put(all);
  if (lane < 8) y[32 * k + lane] = __shfl_xor_sync(0xFFu, lane, 1);
}
bool warps() {
  constexpr int kRows = 16;
  std::vector<int> e;
  const auto row = [&](auto f) {
    for (int l = 0; l < 32; ++l) e.push_back(static_cast<int>(f(l)));
  };
  row([](int) { return 5; });
  row([](int l) { return l / 8 * 8 + 3; });
  row([](int l) { return l < 2 ? l : l - 2; });
  row([](int l) { return l % 16 + 3 < 16 ? l + 3 : l; });
  row([](int l) { return l ^ 16; });
  row([](int l) { return l & 8 ? l ^ 8 : l; });  // a later part gives the lane's own value
  unsigned thirds = 0;
  for (int l = 0; l < 32; l += 3) thirds |= 1u << l;
  row([=](int) { return thirds; });
  row([](int) { return 1; });
  row([](int) { return 0; });
  row([](int) { return 496; });
  row([](int) { return 0; });
  row([](int) { return 0; });
  row([](int l) { return 0xFFu << l / 8 * 8; });
  row([](int) { return ~0u; });
  row([](int) { return 1; });
  row([](int l) { return l < 8 ? l ^ 1 : 77; });
  Array<int> y(std::vector<int>(32 * kRows, 77));
  start({}, warp_functions, dim3(1), dim3(32), 0, y.get());
  return launched() && same("warp", y, e);
}

__global__ void atomic_functions(int* i, unsigned* u, unsigned long long* l, float* f) {
  const int t = threadIdx.x;
  atomicAdd(i, 1);
  atomicMax(i + 1, t);
  atomicMin(i + 2, -t);
  atomicOr(i + 3, 1 << t % 8);
  atomicCAS(i + 4, 0, 9);
  atomicInc(u, 9);
  atomicSub(u + 1, 1u);
  atomicXor(u + 2, 1u << t % 32);
  atomicAdd(l, 1ull << 33);
  atomicMax(l + 1, static_cast<unsigned long long>(t));
  atomicAdd(f, 0.5f);
}
bool atomics() {
  Array<int> i(std::vector<int>(5, 0));
  Array<unsigned> u(std::vector<unsigned>{0, 100, 0});
  Array<unsigned long long> l(std::vector<unsigned long long>(2, 0));
  Array<float> f(std::vector<float>(1, 0));
  start({}, atomic_functions, dim3(1), dim3(64), 0, i.get(), u.get(), l.get(), f.get());
  return launched() && same("int", i, {64, 63, -63, 255, 9}) && same("unsigned", u, {4, 36, 0}) &&
         same("64 bits", l, {64ull << 33, 63}) && same("float", f, {32.0f});
}

struct Line {
  float x[256];
};
__global__ void named_barriers(float* y) {  // warp 0 makes, warps 1 and 2 take; warp 3 is not part of it
  auto& s = smem<Line>();
  const int warp = threadIdx.x / 32;
  if (warp == 3) return;
  for (int round = 0; round < 3; ++round) {
    if (warp == 0) {
      s.x[threadIdx.x] = static_cast<float>(100 * round + threadIdx.x);
      barrier_arrive(1, 96);
      barrier_sync(2, 96);
    } else {
      barrier_sync(1, 96);
      y[round * 64 + threadIdx.x - 32] = s.x[31 - threadIdx.x % 32];
      barrier_sync(2, 96);
    }
  }
}
bool barriers() {
  std::vector<float> e;
  for (int r = 0; r < 3; ++r)
    for (int t = 0; t < 64; ++t) e.push_back(static_cast<float>(100 * r + 31 - t % 32));
  Array<float> y(e.size());
  start({}, named_barriers, dim3(1), dim3(128), sizeof(Line), y.get());
  return launched() && same("named barriers", y, e);
}

__global__ void grid_sum(unsigned* counter, unsigned* values, unsigned* y) {
  for (unsigned round = 1; round <= 3; ++round) {
    if (threadIdx.x == 0) {
      values[blockIdx.x] = round * (blockIdx.x + 1);
      add_release(counter, 1);
      while (load_acquire(counter) < gridDim.x * (2 * round - 1)) spin();
      unsigned sum = 0;
      for (unsigned b = 0; b < gridDim.x; ++b) sum += __ldcg(values + b);
      y[(round - 1) * gridDim.x + blockIdx.x] = sum;
      add_release(counter, 1);
      while (load_acquire(counter) < gridDim.x * 2 * round) spin();
    }
    __syncthreads();
  }
}
bool grids() {
  Array<unsigned> counter(std::vector<unsigned>(1, 0)), values(4), y(12);
  cudaLaunchAttribute a = {};
  a.id = cudaLaunchAttributeCooperative;
  a.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(4);
  config.blockDim = dim3(64);
  config.attrs = &a;
  config.numAttrs = 1;
  CHECK(cudaLaunchKernelEx(&config, grid_sum, counter.get(), values.get(), y.get()));
  return launched() && same("grid", y, {10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30});
}

// ---- TMA

struct Box {
  alignas(1024) float x[32 * 32];
  uint64_t bar;
};
__device__ __forceinline__ void begin(uint64_t* bar, uint32_t bytes) {
  if (threadIdx.x == 0) {
    mbarrier_init(bar, 1);
    mbarrier_fence_init();
    mbarrier_expect(bar, bytes);
  }
  __syncthreads();
}
// The box as it lies in shared memory.
__global__ void load_box(PL_TENSOR_MAP map, float* y, int rank, int x, int y0, int n) {
  auto& s = smem<Box>();
  begin(&s.bar, static_cast<uint32_t>(n) * 4);
  if (threadIdx.x == 0) {
    tma_prefetch(map);
    if (rank == 2) tma_load(s.x, map, &s.bar, x, y0);
    if (rank == 3) tma_load(s.x, map, &s.bar, x, y0, 1);
    if (rank == 4) tma_load(s.x, map, &s.bar, x, y0, 1, 1);
  }
  mbarrier_wait(&s.bar, 0);
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = s.x[i];
}
bool tma_loads() {
  // An array (2, 3, 20, 36) of floats whose elements tell where they are.
  constexpr int kW = 36, kH = 20, kD = 3, kT = 2;
  std::vector<float> v(kW * kH * kD * kT);
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  Array<float> in(v);
  const uint64_t size[] = {kW, kH, kD, kT}, strides[] = {kW * 4, kW * kH * 4, kW * kH * kD * 4};
  bool good = true;
  struct Shape {
    int rank, w;
    CUtensorMapSwizzle swizzle;
    int x, y;
  };
  for (const Shape& c :
       {Shape{2, 32, CU_TENSOR_MAP_SWIZZLE_128B, 0, 0}, Shape{2, 32, CU_TENSOR_MAP_SWIZZLE_128B, 8, 14},
        Shape{2, 32, CU_TENSOR_MAP_SWIZZLE_NONE, -3, -2}, Shape{2, 16, CU_TENSOR_MAP_SWIZZLE_64B, 4, 3},
        Shape{2, 8, CU_TENSOR_MAP_SWIZZLE_32B, 4, 3}, Shape{3, 32, CU_TENSOR_MAP_SWIZZLE_128B, 2, 5},
        Shape{4, 16, CU_TENSOR_MAP_SWIZZLE_NONE, 30, 15}}) {
    const int h = 8, n = c.w * h;
    const uint32_t box[] = {static_cast<uint32_t>(c.w), static_cast<uint32_t>(h), 1, 1};
    CUtensorMap map;
    CHECK(make_tensor_map(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, c.rank, in.get(), size, strides, box,
                          c.swizzle));
    std::vector<float> e(static_cast<size_t>(n));
    const int rows_to_bits[] = {0, 1, 3, 7};
    for (int j = 0; j < h; ++j)
      for (int i = 0; i < c.w; ++i) {
        const int x = c.x + i, y = c.y + j;
        const int at = x < 0 || y < 0 || x >= kW || y >= kH
                           ? -1
                           : x + kW * y + (c.rank > 2 ? kW * kH : 0) + (c.rank > 3 ? kW * kH * kD : 0);
        int byte = (j * c.w + i) * 4;
        byte ^= (byte >> 7 & rows_to_bits[c.swizzle]) << 4;
        e[static_cast<size_t>(byte / 4)] = at < 0 ? 0.0f : v[static_cast<size_t>(at)];
      }
    Array<float> y(e.size());
    start({}, load_box, dim3(1), dim3(64), sizeof(Box), map, y.get(), c.rank, c.x, c.y, n);
    good &= launched() && same("tma_load", y, e);
  }
  return good;
}

__global__ void store_box(PL_TENSOR_MAP map, int x, int y) {
  auto& s = smem<Box>();
  for (int i = threadIdx.x; i < 32 * 8; i += blockDim.x) s.x[i] = static_cast<float>(i + 1);
  fence_async_shared();
  __syncthreads();
  if (threadIdx.x == 0) {
    tma_store(map, s.x, x, y);
    tma_store_commit();
    tma_store_wait_read<0>();
  }
}
bool tma_stores() {
  const uint64_t size[] = {36, 20}, stride[] = {36 * 4};
  const uint32_t box[] = {32, 8};
  Array<float> y(std::vector<float>(36 * 20, 0.0f));
  CUtensorMap map;
  CHECK(make_tensor_map(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, y.get(), size, stride, box,
                        CU_TENSOR_MAP_SWIZZLE_NONE));
  start({}, store_box, dim3(1), dim3(64), sizeof(Box), map, 8, 15);
  std::vector<float> e(36 * 20, 0.0f);
  for (int j = 0; j < 8 && 15 + j < 20; ++j)
    for (int i = 0; i < 32 && 8 + i < 36; ++i)
      e[static_cast<size_t>((15 + j) * 36 + 8 + i)] = static_cast<float>(j * 32 + i + 1);
  return launched() && same("tma_store", y, e);
}

__global__ void bulk(const float* x, float* y) {
  auto& s = smem<Box>();
  begin(&s.bar, 1024);
  if (threadIdx.x == 0) bulk_load(s.x, x, 1024, &s.bar);
  mbarrier_wait(&s.bar, 0);
  y[threadIdx.x] = s.x[255 - threadIdx.x];
}
bool bulk_loads() {
  std::vector<float> x(256);
  for (size_t i = 0; i < 256; ++i) x[i] = static_cast<float>(i * i);
  Array<float> in(x), y(256);
  start({}, bulk, dim3(1), dim3(256), sizeof(Box), in.get(), y.get());
  return launched() && same("bulk_load", y, std::vector<float>(x.rbegin(), x.rend()));
}

// ---- wgmma

template <class T>
struct Operands {
  alignas(1024) T a[64 * 128 / sizeof(T)], b[256 * 128 / sizeof(T)];
  uint64_t bar;
};
template <class T, int N>
__global__ void product(PL_TENSOR_MAP a, PL_TENSOR_MAP b, float* y) {  // 128 bytes along k
  auto& s = smem<Operands<T>>();
  begin(&s.bar, (64 + N) * 128);
  if (threadIdx.x == 0) {
    tma_load(s.a, a, &s.bar, 0, 0);
    tma_load(s.b, b, &s.bar, 0, 0);
  }
  mbarrier_wait(&s.bar, 0);
  float d[N / 2];
  for (float& v : d) v = 1000;
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < 4; ++k) {  // 32 bytes each
    const uint64_t da = wgmma_descriptor(reinterpret_cast<char*>(s.a) + 32 * k);
    const uint64_t db = wgmma_descriptor(reinterpret_cast<char*>(s.b) + 32 * k);
    if constexpr (sizeof(T) == 2)
      wgmma_bf16<N>(d, da, db, k > 0);
    else
      wgmma_tf32<N>(d, da, db, true);
  }
  wgmma_commit();
  wgmma_wait<0>();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int i = 0; i < N / 2; ++i)
    y[(warp * 16 + lane / 4 + i % 4 / 2 * 8) * N + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
}
template <class T, int N>
bool product_case(const char* what, CUtensorMapDataType type) {
  constexpr size_t kDepth = 128 / sizeof(T);
  const auto fill = [](size_t n, int step) {
    std::vector<T> v(n);
    for (size_t i = 0; i < n; ++i)
      v[i] = T(static_cast<float>(static_cast<int>(i * static_cast<size_t>(step) % 13) - 6));
    return v;
  };
  const auto a = fill(64 * kDepth, 7), b = fill(N * kDepth, 5);
  std::vector<float> e(64 * N, sizeof(T) == 2 ? 0.0f : 1000.0f);
  for (size_t i = 0; i < 64; ++i)
    for (size_t j = 0; j < N; ++j)
      for (size_t k = 0; k < kDepth; ++k)
        e[i * N + j] += static_cast<float>(a[i * kDepth + k]) * static_cast<float>(b[j * kDepth + k]);
  Array<T> in_a(a), in_b(b);
  Array<float> y(e.size());
  CUtensorMap map_a, map_b;
  const uint64_t size_a[] = {kDepth, 64}, size_b[] = {kDepth, N}, stride[] = {128};
  const uint32_t box_a[] = {kDepth, 64}, box_b[] = {kDepth, N};
  CHECK(make_tensor_map(&map_a, type, 2, in_a.get(), size_a, stride, box_a, CU_TENSOR_MAP_SWIZZLE_128B));
  CHECK(make_tensor_map(&map_b, type, 2, in_b.get(), size_b, stride, box_b, CU_TENSOR_MAP_SWIZZLE_128B));
  start({}, product<T, N>, dim3(1), dim3(128), sizeof(Operands<T>), map_a, map_b, y.get());
  return launched() && same(what, y, e);
}
bool wgmma() {
  constexpr auto kHalf = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  constexpr auto kFull = CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  bool good = product_case<__nv_bfloat16, 64>("bf16, 64", kHalf);
  good &= product_case<__nv_bfloat16, 128>("bf16, 128", kHalf);
  good &= product_case<__nv_bfloat16, 256>("bf16, 256", kHalf);
  good &= product_case<float, 64>("tf32, 64", kFull);
  good &= product_case<float, 128>("tf32, 128", kFull);
  return good & product_case<float, 256>("tf32, 256", kFull);
}

// ---- clusters

__global__ void exchange(PL_TENSOR_MAP map, float* y) {
  auto& s = smem<Box>();
  const uint32_t rank = cluster_rank();
  if (threadIdx.x == 0) {
    mbarrier_init(&s.bar, 3);  // the thread that expects, and one of either block
    mbarrier_fence_init();
  }
  __syncthreads();
  cluster_arrive();
  cluster_wait();
  if (threadIdx.x == 0) {
    mbarrier_expect(&s.bar, 32 * 8 * 4);
    if (rank == 0) tma_load_multicast(s.x, map, &s.bar, 3, 0, 0);
    mbarrier_arrive_at(&s.bar, 0);
    mbarrier_arrive_at(&s.bar, 1);
  }
  mbarrier_wait(&s.bar, 0);
  __syncthreads();
  s.x[threadIdx.x] += static_cast<float>(1000 * (rank + 1));
  cluster_arrive();
  cluster_wait();
  y[blockIdx.x * 256 + threadIdx.x] = *cluster_map(s.x + threadIdx.x, rank ^ 1);
  cluster_arrive();  // nobody returns while its shared memory is read
  cluster_wait();
}
bool clusters() {
  std::vector<float> x(32 * 8), e;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  for (int b = 0; b < 4; ++b)
    for (const float v : x) e.push_back(v + (b % 2 ? 1000.0f : 2000.0f));
  Array<float> in(x), y(e.size());
  CUtensorMap map;
  const uint64_t size[] = {32, 8}, stride[] = {128};
  const uint32_t box[] = {32, 8};
  CHECK(make_tensor_map(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, in.get(), size, stride, box,
                        CU_TENSOR_MAP_SWIZZLE_NONE));
  cudaLaunchAttribute a[2] = {};
  a[0].id = cudaLaunchAttributeClusterDimension;
  a[0].val.clusterDim.x = 2;
  a[0].val.clusterDim.y = a[0].val.clusterDim.z = 1;
  a[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  a[1].val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(4);
  config.blockDim = dim3(256);
  config.dynamicSmemBytes = sizeof(Box);
  config.attrs = a;
  config.numAttrs = 2;
  CHECK(cudaLaunchKernelEx(&config, exchange, map, y.get()));
  return launched() && same("cluster", y, e);
}

__global__ void after(const float* x, float* y) {
  wait_for_previous_launch();
  y[threadIdx.x] = x[threadIdx.x] + 1;
  let_next_launch_begin();
}
bool dependent_launch() {
  Array<float> x(std::vector<float>(64, 1.0f)), y(64), z(64);
  cudaLaunchAttribute a = {};
  a.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  a.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.blockDim = dim3(64);
  config.gridDim = dim3(1);
  config.attrs = &a;
  config.numAttrs = 1;
  CHECK(cudaLaunchKernelEx(&config, after, x.get(), y.get()));
  CHECK(cudaLaunchKernelEx(&config, after, y.get(), z.get()));
  return launched() && same("dependent launch", z, std::vector<float>(64, 3.0f));
}

// ---- the runtime

__global__ void fill(float* y, float v) { y[first()] = v; }
__global__ void increase(float* y) { y[first()] += 1; }

#define EXPECT(call, error)                                                         \
  if (const cudaError_t got = (call); got != (error)) {                             \
    std::printf("  %s gives %s and should give %s\n", #call, cudaGetErrorName(got), \
                cudaGetErrorName(error));                                           \
    return false;                                                                   \
  }                                                                                 \
  cudaGetLastError()

cudaError_t launch_of(dim3 grid, dim3 block, size_t shared, float* y) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  return cudaLaunchKernelEx(&config, increase, y);
}
bool refused_launches() {
  Array<float> y(2048);
  EXPECT(launch_of(dim3(0), dim3(32), 0, y.get()), cudaErrorInvalidConfiguration);
  EXPECT(launch_of(dim3(1), dim3(0), 0, y.get()), cudaErrorInvalidConfiguration);
  EXPECT(launch_of(dim3(1), dim3(1025), 0, y.get()), cudaErrorInvalidConfiguration);
  EXPECT(launch_of(dim3(1), dim3(64, 32), 0, y.get()), cudaErrorInvalidConfiguration);
  EXPECT(launch_of(dim3(1, 65536), dim3(32), 0, y.get()), cudaErrorInvalidConfiguration);
  EXPECT(launch_of(dim3(1), dim3(32), 60000, y.get()), cudaErrorInvalidValue);
  EXPECT(cudaFuncSetAttribute(increase, cudaFuncAttributeMaxDynamicSharedMemorySize, 240 << 10),
         cudaErrorInvalidValue);
  EXPECT(cudaFuncSetAttribute(increase, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000), cudaSuccess);
  EXPECT(launch_of(dim3(1), dim3(32), 60000, y.get()), cudaSuccess);
  return launched();
}

bool graphs() {
  Array<float> y(std::vector<float>(64, 0.0f));
  cudaStream_t s, t;
  cudaEvent_t fork, join;
  CHECK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CHECK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  CHECK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  CHECK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  CHECK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  start({s}, increase, dim3(1), dim3(32), 0, y.get());
  CHECK(cudaEventRecord(fork, s));
  CHECK(cudaStreamWaitEvent(t, fork, 0));
  start({t}, increase, dim3(1), dim3(32), 0, y.get() + 32);
  CHECK(cudaEventRecord(join, t));
  CHECK(cudaStreamWaitEvent(s, join, 0));
  start({s}, increase, dim3(2), dim3(32), 0, y.get());
  cudaGraph_t graph;
  CHECK(cudaStreamEndCapture(s, &graph));
  size_t nodes = 0;
  CHECK(cudaGraphGetNodes(graph, nullptr, &nodes));
  cudaGraphExec_t exec;
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaStreamSynchronize(s));
  if (nodes != 3 || !same("a captured launch runs", y, std::vector<float>(64, 0.0f))) return false;
  for (int i = 0; i < 5; ++i) CHECK(cudaGraphLaunch(exec, s));
  CHECK(cudaStreamSynchronize(s));
  CHECK(cudaGraphExecDestroy(exec));
  if (!launched() || !same("graph", y, std::vector<float>(64, 10.0f))) return false;

  // One stream waits for what another does later in the program's order of synchronising.
  start({s}, fill, dim3(2), dim3(32), 0, y.get(), 4.0f);
  CHECK(cudaEventRecord(join, s));
  CHECK(cudaStreamWaitEvent(t, join, 0));
  start({t}, increase, dim3(2), dim3(32), 0, y.get());
  CHECK(cudaStreamSynchronize(t));
  if (!launched() || !same("event", y, std::vector<float>(64, 5.0f))) return false;

  // Waiting while capturing spoils the capture.
  CHECK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  EXPECT(cudaStreamSynchronize(s), cudaErrorStreamCaptureUnsupported);
  EXPECT(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
  CHECK(cudaEventDestroy(fork));
  CHECK(cudaEventDestroy(join));
  CHECK(cudaStreamDestroy(s));
  CHECK(cudaStreamDestroy(t));
  return true;
}

bool copies() {
  std::vector<float> x(100, 2.0f), back(100);
  Array<float> y(100);
  EXPECT(cudaMemcpy(y.get(), x.data(), 404, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT(cudaMemcpy(y.get(), x.data(), 400, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT(cudaMemset(y.get() + 50, 0, 200), cudaSuccess);
  EXPECT(cudaMemcpy(back.data(), y.get(), 400, cudaMemcpyDeviceToHost), cudaSuccess);
  void* p = nullptr;
  EXPECT(cudaMalloc(&p, size_t{1} << 50), cudaErrorMemoryAllocation);
  return back[49] == 2.0f && back[50] == 0.0f;
}

struct Case {
  const char* name;
  bool (*run)();
  bool hopper;
};
constexpr Case kCases[] = {
    {"warps", warps, false},
    {"atomics", atomics, false},
    {"barriers", barriers, false},
    {"grids", grids, false},
    {"refused_launches", refused_launches, false},
    {"graphs", graphs, false},
    {"copies", copies, false},
    {"bulk_loads", bulk_loads, true},
    {"tma_loads", tma_loads, true},
    {"tma_stores", tma_stores, true},
    {"wgmma", wgmma, true},
    {"clusters", clusters, true},
    {"dependent_launch", dependent_launch, true},
};

}  // namespace
}  // namespace pl::cuda

int main(int argc, char** argv) {
  int major = 0, minor = 0, failed = 0;
  CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  const bool hopper = major == 9 && minor == 0;
  for (const auto& c : pl::cuda::kCases) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= !std::strcmp(argv[i], c.name);
    if (!wanted) continue;
    if (c.hopper && !hopper) {
      std::printf("%-20s left out: not a Hopper GPU\n", c.name);
      continue;
    }
    const bool good = c.run();
    std::printf("%-20s %s\n", c.name, good ? "ok" : "FAILED");
    failed += !good;
  }
  return failed != 0;
}
