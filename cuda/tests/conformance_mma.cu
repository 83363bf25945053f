// The wrappers of ptx_mma.cuh against what the manual says: run emulated by tests/test_cuda_emulation.py, and on a real
// GPU to see that the models are right. Operands are small whole numbers, so that every order of the sum gives the same.
//
//   conformance_mma            exit status 0 when all are right
#include "support.h"

#include <cuda_bf16.h>

#include "ptx_mma.cuh"

namespace pl::cuda {
namespace {

int value_a(int i, int k) { return (3 * i + 5 * k) % 7 - 3; }
int value_b(int k, int j) { return (2 * k + 3 * j) % 5 - 2; }
uint16_t bf16_bits(int x) { return __bfloat16_as_ushort(__float2bfloat16(static_cast<float>(x))); }

bool is_product(const char* what, const std::vector<float>& d, int depth) {
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      int sum = 100;
      for (int k = 0; k < depth; ++k) sum += value_a(i, k) * value_b(k, j);
      if (d[static_cast<size_t>(i * 8 + j)] == static_cast<float>(sum)) continue;
      std::printf("%s: (%d, %d) is %g and should be %d\n", what, i, j,
                  static_cast<double>(d[static_cast<size_t>(i * 8 + j)]), sum);
      return false;
    }
  return true;
}

__device__ __forceinline__ void put_fragment(const float (&d)[4], float* y) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  for (int e = 0; e < 4; ++e) y[(g + e / 2 * 8) * 8 + t * 2 + e % 2] = d[e];
}

struct Bf16Tiles {
  alignas(16) uint16_t a[16][16], b[8][16];
};

// cp.async, ldmatrix and mma.sync as the kernels use them: B has its rows along k.
__global__ void bf16_product(const uint16_t* a, const uint16_t* b, float* y) {
  auto& s = smem<Bf16Tiles>();
  const int lane = static_cast<int>(threadIdx.x);
  cp_async(&s.a[lane / 2][lane % 2 * 8], a + lane * 8, 16);
  cp_async_commit();
  if (lane < 16) cp_async(&s.b[lane / 2][lane % 2 * 8], b + lane * 8, 16);
  cp_async_commit();
  cp_async_wait<0>();
  __syncwarp();
  uint32_t x[4], z[4];
  ldmatrix(x, &s.a[lane % 16][lane / 16 * 8]);
  ldmatrix(z, &s.b[lane % 8][lane / 8 % 2 * 8]);
  const uint32_t pair[2] = {z[0], z[1]};
  float d[4] = {100, 100, 100, 100};
  mma_bf16(d, x, pair);
  put_fragment(d, y);
}
bool bf16() {
  std::vector<uint16_t> a, b;
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k) a.push_back(bf16_bits(value_a(i, k)));
  for (int j = 0; j < 8; ++j)
    for (int k = 0; k < 16; ++k) b.push_back(bf16_bits(value_b(k, j)));
  Array<uint16_t> da(a), db(b);
  Array<float> y(128);
  start(Stream{}, bf16_product, dim3(1), dim3(32), sizeof(Bf16Tiles), da.get(), db.get(), y.get());
  CHECK(launches());
  return is_product("bf16", y.host(), 16);
}

// With something in the bits that TF32 does not have.
__global__ void tf32_product(const float* a, const float* b, float* y) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  uint32_t x[4], z[2];
  for (int e = 0; e < 4; ++e) x[e] = __float_as_uint(a[(g + e % 2 * 8) * 8 + t + e / 2 * 4]) | 0x1fffu;
  for (int e = 0; e < 2; ++e) z[e] = __float_as_uint(b[(t + e * 4) * 8 + g]) | 0x1fffu;
  float d[4] = {100, 100, 100, 100};
  mma_tf32(d, x, z);
  put_fragment(d, y);
}
bool tf32() {
  std::vector<float> a, b;
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 8; ++k) a.push_back(static_cast<float>(value_a(i, k)));
  for (int k = 0; k < 8; ++k)
    for (int j = 0; j < 8; ++j) b.push_back(static_cast<float>(value_b(k, j)));
  Array<float> da(a), db(b), y(128);
  start(Stream{}, tf32_product, dim3(1), dim3(32), 0, da.get(), db.get(), y.get());
  CHECK(launches());
  return is_product("tf32", y.host(), 8);
}

struct Copied {
  alignas(16) float x[32][4];
};
// Every lane copies the first `lane % 5` floats of its four; the group it waits for is the one before the last.
__global__ void partial_copies(const float* from, float* y) {
  auto& s = smem<Copied>();
  const int lane = static_cast<int>(threadIdx.x);
  cp_async(s.x[lane], from + lane * 4, lane % 5 * 4);
  cp_async_commit();
  cp_async_commit();
  cp_async_wait<1>();
  __syncwarp();
  for (int e = 0; e < 4; ++e) y[lane * 4 + e] = s.x[31 - lane][e];
  cp_async_wait<0>();
}
bool copies() {
  std::vector<float> from(128);
  for (size_t i = 0; i < 128; ++i) from[i] = static_cast<float>(i) + 1;
  Array<float> x(from), y(128);
  start(Stream{}, partial_copies, dim3(1), dim3(32), sizeof(Copied), x.get(), y.get());
  CHECK(launches());
  const auto got = y.host();
  for (int lane = 0; lane < 32; ++lane)
    for (int e = 0; e < 4; ++e) {
      const int of = 31 - lane;
      const float expected = e < of % 5 ? from[static_cast<size_t>(of * 4 + e)] : 0.0f;
      if (got[static_cast<size_t>(lane * 4 + e)] != expected) {
        std::printf("copies: lane %d, element %d\n", of, e);
        return false;
      }
    }
  return true;
}

}  // namespace
}  // namespace pl::cuda

int main() {
  using namespace pl::cuda;
  const bool good[] = {bf16(), tf32(), copies()};
  const char* const names[] = {"bf16", "tf32", "copies"};
  for (int i = 0; i < 3; ++i) std::printf("%-20s %s\n", names[i], good[i] ? "ok" : "FAILED");
  return !(good[0] && good[1] && good[2]);
}
