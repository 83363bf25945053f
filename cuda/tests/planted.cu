// Kernels and host code with one mistake each, beside the same without it.
//
//   planted CASE right|wrong      exit status 0 when the result is what it should be
//   planted list
//
// tests/test_cuda_emulation.py asks that every case is right when it is right, and fails when it is wrong.
#include <cuda_bf16.h>

#include <cmath>

#include "ptx.cuh"
#include "support.h"

namespace pl::cuda {
namespace {

constexpr int kN = 300;  // no multiple of a block

std::vector<float> ramp(int n) {
  std::vector<float> v(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) v[static_cast<size_t>(i)] = static_cast<float>(i % 17 - 8);
  return v;
}
template <class T>
bool equal(const Array<T>& a, const std::vector<T>& b) {
  const std::vector<T> v = a.host();
  return v.size() == b.size() && !std::memcmp(v.data(), b.data(), b.size() * sizeof(T));
}

// ---- missing barrier: y = x reversed within a block, through shared memory

struct Line {
  float x[256];
};
template <bool kWrong>
__global__ void reverse(const float* x, float* y) {
  auto& s = smem<Line>();
  s.x[threadIdx.x] = x[threadIdx.x];
  if constexpr (!kWrong) __syncthreads();
  y[threadIdx.x] = s.x[255 - threadIdx.x];
}
template <bool kWrong>
bool missing_barrier() {
  const auto x = ramp(256);
  Array<float> in(x), out(256);
  start({}, reverse<kWrong>, dim3(1), dim3(256), sizeof(Line), in.get(), out.get());
  return launches() == cudaSuccess && equal(out, std::vector<float>(x.rbegin(), x.rend()));
}

// ---- missing barrier of a warp: the same among 32 lanes

template <bool kWrong>
__global__ void reverse_warp(const float* x, float* y) {
  auto& s = smem<Line>();
  s.x[threadIdx.x] = x[threadIdx.x];
  if constexpr (!kWrong) __syncwarp();
  y[threadIdx.x] = s.x[31 - threadIdx.x];
}
template <bool kWrong>
bool missing_syncwarp() {
  const auto x = ramp(32);
  Array<float> in(x), out(32);
  start({}, reverse_warp<kWrong>, dim3(1), dim3(32), sizeof(Line), in.get(), out.get());
  return launches() == cudaSuccess && equal(out, std::vector<float>(x.rbegin(), x.rend()));
}

// ---- missing barrier at the end of a loop: the next round overwrites what others still read

template <bool kWrong>
__global__ void rounds(const float* x, float* y, int n) {
  auto& s = smem<Line>();
  float sum = 0;
  for (int i = 0; i < n; ++i) {
    s.x[threadIdx.x] = x[i * 64 + threadIdx.x];
    __syncthreads();
    sum += s.x[63 - threadIdx.x];
    if constexpr (!kWrong) __syncthreads();
  }
  y[threadIdx.x] = sum;
}
template <bool kWrong>
bool overwritten_too_early() {
  const auto x = ramp(64 * 5);
  std::vector<float> y(64);
  for (size_t i = 0; i < x.size(); ++i) y[63 - i % 64] += x[i];
  Array<float> in(x), out(64);
  start({}, rounds<kWrong>, dim3(1), dim3(64), sizeof(Line), in.get(), out.get(), 5);
  return launches() == cudaSuccess && equal(out, y);
}

// ---- divergent barrier

template <bool kWrong>
__global__ void halves(float* y) {
  auto& s = smem<Line>();
  if (!kWrong || threadIdx.x < 32) {
    s.x[threadIdx.x] = 1;
    __syncthreads();
  }
  y[threadIdx.x] = s.x[threadIdx.x % 32];
}
template <bool kWrong>
bool divergent_barrier() {
  Array<float> out(64);
  start({}, halves<kWrong>, dim3(1), dim3(64), sizeof(Line), out.get());
  return launches() == cudaSuccess && equal(out, std::vector<float>(64, 1.0f));
}

// ---- a shuffle that half of the warp does not come to

template <bool kWrong>
__global__ void shuffle_in_branch(float* y) {
  float v = static_cast<float>(threadIdx.x);
  if (!kWrong || threadIdx.x < 16)
    v = __shfl_xor_sync(~0u, v, 1);
  else
    v = static_cast<float>(__popc(__ballot_sync(~0u, 1)));
  y[threadIdx.x] = v;
}
template <bool kWrong>
bool divergent_shuffle() {
  std::vector<float> y(32);
  for (size_t i = 0; i < 32; ++i) y[i] = static_cast<float>(i ^ 1);
  Array<float> out(32);
  start({}, shuffle_in_branch<kWrong>, dim3(1), dim3(32), 0, out.get());
  return launches() == cudaSuccess && equal(out, y);
}

// ---- out of bounds, and an output that is not all written

template <int kMistake>  // 0 none, 1 one element too many, 2 the tail is left out
__global__ void twice(const float* x, float* y, int n) {
  const int i = static_cast<int>(first());
  if (kMistake == 1 ? i <= n : kMistake == 2 ? i < n / 256 * 256 : i < n) y[i] = 2 * x[i < n ? i : 0];
}
template <int kMistake>
bool doubled() {
  const auto x = ramp(kN);
  auto y = x;
  for (float& v : y) v *= 2;
  Array<float> in(x);
  bool good;
  {
    Array<float> out(kN);
    start({}, twice<kMistake>, dim3(2), dim3(256), 0, in.get(), out.get(), kN);
    good = launches() == cudaSuccess && equal(out, y);
  }
  return good;
}
template <bool kWrong>
bool out_of_bounds() {
  return doubled<kWrong ? 1 : 0>();
}
template <bool kWrong>
bool uninitialised_output() {
  return doubled<kWrong ? 2 : 0>();
}

// ---- shared memory beyond what the launch gave

template <bool kWrong>
__global__ void beyond(float* y) {
  auto& s = smem<Line>();
  s.x[threadIdx.x + (kWrong ? 1 : 0)] = 1;
  __syncthreads();
  y[threadIdx.x] = s.x[threadIdx.x ? threadIdx.x : 1];
}
template <bool kWrong>
bool shared_overflow() {
  Array<float> out(256);
  start({}, beyond<kWrong>, dim3(1), dim3(256), sizeof(Line), out.get());
  return launches() == cudaSuccess && equal(out, std::vector<float>(256, 1.0f));
}

// ---- a grid that waits for itself without a cooperative launch

__global__ void together(unsigned* counter, float* y) {
  if (threadIdx.x == 0) {
    add_release(counter, 1);
    while (load_acquire(counter) < gridDim.x) spin();
  }
  __syncthreads();
  y[first()] = 1;
}
template <bool kWrong>
bool not_cooperative() {
  Array<unsigned> counter(std::vector<unsigned>(1, 0));
  Array<float> out(64);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(2);
  config.blockDim = dim3(32);
  config.attrs = &attribute;
  config.numAttrs = kWrong ? 0 : 1;
  note_error(cudaLaunchKernelEx(&config, together, counter.get(), out.get()));
  return launches() == cudaSuccess && equal(out, std::vector<float>(64, 1.0f));
}

// ---- a ring of stages filled by TMA: wrong parity, a wait that is missing, a stage that is filled too early

constexpr int kStages = 2, kTiles = 5, kTile = 256;
struct Ring {
  alignas(128) float x[kStages][kTile];
  uint64_t full[kStages], empty[kStages];
};
enum class Mistake { none, parity, no_wait, no_empty };
template <Mistake kMistake>
__global__ void ring(const float* x, float* y) {
  auto& s = smem<Ring>();
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrier_init(&s.full[i], 1);
      mbarrier_init(&s.empty[i], 32);
    }
    mbarrier_fence_init();
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    if (threadIdx.x == 0)
      for (int t = 0; t < kTiles; ++t) {
        const int q = t % kStages, use = t / kStages;
        if (kMistake != Mistake::no_empty) mbarrier_wait(&s.empty[q], (use + 1) & 1);
        mbarrier_expect(&s.full[q], kTile * 4);
        bulk_load(s.x[q], x + t * kTile, kTile * 4, &s.full[q]);
      }
  } else {
    for (int t = 0; t < kTiles; ++t) {
      const int q = t % kStages, use = t / kStages;
      if (kMistake != Mistake::no_wait) mbarrier_wait(&s.full[q], (use + (kMistake == Mistake::parity)) & 1);
      for (int i = static_cast<int>(threadIdx.x) - 32; i < kTile; i += 32)
        y[t * kTile + i] = s.x[q][kTile - 1 - i];
      mbarrier_arrive(&s.empty[q]);
    }
    mbarrier_wait(&s.full[(kTiles - 1) % kStages], (kTiles - 1) / kStages & 1);
  }
}
template <Mistake kMistake>
bool ring_case() {
  const auto x = ramp(kTiles * kTile);
  std::vector<float> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i / kTile * kTile + kTile - 1 - i % kTile];
  Array<float> in(x), out(x.size());
  start({}, ring<kMistake>, dim3(1), dim3(64), sizeof(Ring), in.get(), out.get());
  return launches() == cudaSuccess && equal(out, y);
}
template <bool kWrong>
bool wrong_parity() {
  return ring_case<kWrong ? Mistake::parity : Mistake::none>();
}
template <bool kWrong>
bool missing_wait() {
  return ring_case<kWrong ? Mistake::no_wait : Mistake::none>();
}
template <bool kWrong>
bool stage_overwritten() {
  return ring_case<kWrong ? Mistake::no_empty : Mistake::none>();
}

// ---- wgmma: a wrong descriptor, D read before the wait

struct Operands {
  alignas(1024) __nv_bfloat16 a[64 * 64], b[64 * 64];
  uint64_t bar;
};
template <int kMistake>  // 0 none, 1 the step along k is in elements, 2 no wait for the product
__global__ void product(PL_TENSOR_MAP a, PL_TENSOR_MAP b, float* y) {
  auto& s = smem<Operands>();
  if (threadIdx.x == 0) {
    mbarrier_init(&s.bar, 1);
    mbarrier_fence_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    mbarrier_expect(&s.bar, sizeof s.a + sizeof s.b);
    tma_load(s.a, a, &s.bar, 0, 0);
    tma_load(s.b, b, &s.bar, 0, 0);
  }
  mbarrier_wait(&s.bar, 0);
  float d[32];
  for (float& v : d) v = NAN;
  wgmma_fence();
  for (int k = 0; k < 4; ++k) {
    const uint64_t step = static_cast<uint64_t>(k) * (kMistake == 1 ? 1 : 2);  // 32 bytes, in units of 16
    wgmma_bf16<64>(d, wgmma_descriptor(s.a) + step, wgmma_descriptor(s.b) + step, k > 0);
  }
  wgmma_commit();
  if constexpr (kMistake != 2) wgmma_wait<0>();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int i = 0; i < 32; ++i)
    y[(warp * 16 + lane / 4 + i % 4 / 2 * 8) * 64 + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
  if constexpr (kMistake == 2) wgmma_wait<0>();
}
template <int kMistake>
bool product_case() {
  std::vector<__nv_bfloat16> a(64 * 64), b(64 * 64);
  for (int i = 0; i < 64 * 64; ++i) {
    a[static_cast<size_t>(i)] = __float2bfloat16(static_cast<float>(i * 7 % 13 - 6));
    b[static_cast<size_t>(i)] = __float2bfloat16(static_cast<float>(i * 5 % 11 - 5));
  }
  std::vector<float> y(64 * 64);
  for (size_t i = 0; i < 64; ++i)
    for (size_t j = 0; j < 64; ++j)
      for (size_t k = 0; k < 64; ++k)
        y[i * 64 + j] += __bfloat162float(a[i * 64 + k]) * __bfloat162float(b[j * 64 + k]);
  Array<__nv_bfloat16> in_a(a), in_b(b);
  Array<float> out(64 * 64);
  CUtensorMap map_a, map_b;
  const uint64_t size[] = {64, 64}, stride[] = {128};
  const uint32_t box[] = {64, 64};
  CHECK(make_tensor_map(&map_a, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, in_a.get(), size, stride, box,
                        CU_TENSOR_MAP_SWIZZLE_128B));
  CHECK(make_tensor_map(&map_b, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, in_b.get(), size, stride, box,
                        CU_TENSOR_MAP_SWIZZLE_128B));
  start({}, product<kMistake>, dim3(1), dim3(128), sizeof(Operands), map_a, map_b, out.get());
  return launches() == cudaSuccess && equal(out, y);
}
template <bool kWrong>
bool wrong_descriptor() {
  return product_case<kWrong ? 1 : 0>();
}
template <bool kWrong>
bool product_not_awaited() {
  return product_case<kWrong ? 2 : 0>();
}

// ---- host code: a scalar frozen in a graph, results read too early, device memory touched

__global__ void add_step(float* y, const int* step, int frozen) {
  y[threadIdx.x] += static_cast<float>(step ? *step : frozen);
}
__global__ void advance(int* step) { *step += 1; }
template <bool kWrong>
bool stale_capture_scalar() {
  Array<float> out(std::vector<float>(32, 0.0f));
  Array<int> step(std::vector<int>(1, 1));
  cudaStream_t stream;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  int number = 1;
  start({stream}, add_step, dim3(1), dim3(32), 0, out.get(), kWrong ? nullptr : step.get(), number);
  start({stream}, advance, dim3(1), dim3(1), 0, step.get());
  cudaGraph_t graph;
  CHECK(cudaStreamEndCapture(stream, &graph));
  cudaGraphExec_t exec;
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  for (; number <= 4; ++number) CHECK(cudaGraphLaunch(exec, stream));
  CHECK(cudaStreamSynchronize(stream));
  const bool good = launches() == cudaSuccess && equal(out, std::vector<float>(32, 1 + 2 + 3 + 4));
  CHECK(cudaGraphExecDestroy(exec));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaStreamDestroy(stream));
  return good;
}

template <bool kWrong>
bool read_too_early() {
  Array<float> in(std::vector<float>(32, 7.0f));
  float* pinned;
  CHECK(cudaHostAlloc(&pinned, 32 * sizeof(float), cudaHostAllocDefault));
  for (int i = 0; i < 32; ++i) pinned[i] = 0;
  cudaStream_t stream;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CHECK(cudaMemcpyAsync(pinned, in.get(), 32 * sizeof(float), cudaMemcpyDeviceToHost, stream));
  if (!kWrong) CHECK(cudaStreamSynchronize(stream));
  bool good = true;
  for (int i = 0; i < 32; ++i) good &= pinned[i] == 7.0f;
  CHECK(cudaStreamDestroy(stream));
  CHECK(cudaFreeHost(pinned));
  return good;
}

template <bool kWrong>
bool host_touches_device() {
  Array<float> in(std::vector<float>(32, 7.0f));
  return kWrong ? *const_cast<volatile float*>(in.get()) == 7.0f : in.host()[0] == 7.0f;
}

struct Case {
  const char* name;
  bool (*right)();
  bool (*wrong)();
};
#define CASE(name) {#name, name<false>, name<true>}
constexpr Case kCases[] = {
    CASE(missing_barrier),      CASE(missing_syncwarp),    CASE(overwritten_too_early),
    CASE(divergent_barrier),    CASE(divergent_shuffle),   CASE(out_of_bounds),
    CASE(uninitialised_output), CASE(shared_overflow),     CASE(not_cooperative),
    CASE(wrong_parity),         CASE(missing_wait),        CASE(stage_overwritten),
    CASE(wrong_descriptor),     CASE(product_not_awaited), CASE(stale_capture_scalar),
    CASE(read_too_early),       CASE(host_touches_device),
};

}  // namespace
}  // namespace pl::cuda

int main(int argc, char** argv) {
  if (argc == 2 && !std::strcmp(argv[1], "list")) {
    for (const auto& c : pl::cuda::kCases) std::puts(c.name);
    return 0;
  }
  for (const auto& c : pl::cuda::kCases)
    if (argc == 3 && !std::strcmp(argv[1], c.name)) {
      const bool good = std::strcmp(argv[2], "wrong") ? c.right() : c.wrong();
      if (!good) std::puts("the result is wrong");
      return good ? 0 : 1;
    }
  std::puts("usage: planted CASE right|wrong, or planted list");
  return 2;
}
