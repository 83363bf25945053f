// Inline PTX of the synchronous tensor-core instructions (sm_80 and later), each beside a model for the emulated build:
// mma.sync, ldmatrix and cp.async. Fragments are named by the lane, group g = lane / 4 and t = lane % 4.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#if defined(PL_EMU)
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>
#endif

namespace pl::cuda {

#if defined(PL_EMU)

namespace model {

// What the tensor cores keep of a sum: it is cut, not rounded.
inline float cut(double x) {
  const float f = static_cast<float>(x);
  return std::isfinite(f) && std::fabs(double{f}) > std::fabs(x) ? std::nextafterf(f, 0.0f) : f;
}
inline float bf16_at(uint32_t pair, int half) {
  return std::bit_cast<float>(half ? pair & 0xffff0000u : pair << 16);
}
inline float tf32_at(uint32_t x) { return std::bit_cast<float>(x & 0xffffe000u); }

struct Fragments {
  float* d;
  const uint32_t *a, *b;
};

// D (16,8) += A (16,K) B (K,8) for the whole warp, once every lane has brought its fragments.
template <int K, class A, class B>
void multiply(emu::Warp& w, unsigned lanes, A a_at, B b_at) {
  if (lanes != ~0u) emu::die("mma.sync without all the lanes of the warp");
  const auto of = [&](int lane) { return *emu::value_of<const Fragments*>(w, static_cast<unsigned>(lane)); };
  float a[16][K], b[K][8];
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < K; ++k) a[i][k] = a_at(of, i, k);
  for (int k = 0; k < K; ++k)
    for (int j = 0; j < 8; ++j) b[k][j] = b_at(of, k, j);
  for (int lane = 0; lane < 32; ++lane)
    for (int e = 0; e < 4; ++e) {
      const int i = lane / 4 + e / 2 * 8, j = lane % 4 * 2 + e % 2;
      double sum = double{of(lane).d[e]};
      for (int k = 0; k < K; ++k) sum += double{a[i][k]} * double{b[k][j]};
      of(lane).d[e] = cut(sum);
    }
}

// The copies a thread has asked for, in its groups; they arrive when it waits for them, or at once.
struct Copies : emu::Unit {
  struct Copy {
    void* to;
    unsigned char bytes[16];
  };
  struct Queue {
    std::vector<Copy> open;
    std::vector<std::vector<Copy>> groups;
  };
  std::vector<Queue> queues = std::vector<Queue>(1024);
  void thread_returns(unsigned index) override {
    for (const auto& group : queues[index].groups)
      if (!group.empty()) emu::die("a thread returns with cp.async under way");
    if (!queues[index].open.empty()) emu::die("a thread returns with cp.async under way");
  }
  Queue& mine() { return queues[emu::g.thread->index]; }
};

}  // namespace model

// D += A B with A (16,16) and B (16,8) of bfloat16: a = pairs along k of (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8);
// b = (2t, g), (2t+8, g); d = (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const model::Fragments fragments{d, a, b}, *const mine = &fragments;
  constexpr auto finish = [](emu::Warp& w, unsigned lanes) {
    model::multiply<16>(
        w, lanes,
        [](auto of, int i, int k) {
          return model::bf16_at(of(i % 8 * 4 + k % 8 / 2).a[i / 8 + k / 8 * 2], k % 2);
        },
        [](auto of, int k, int j) { return model::bf16_at(of(j * 4 + k % 8 / 2).b[k / 8], k % 2); });
  };
  emu::warp_call(~0u, finish, &mine, sizeof mine, 0, emu::Where::current());
}

// D += A B with A (16,8) and B (8,8) of TF32, the lower 13 bits of a float are not looked at: a = (g, t), (g+8, t),
// (g, t+4), (g+8, t+4); b = (t, g), (t+4, g); d as above.
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const model::Fragments fragments{d, a, b}, *const mine = &fragments;
  constexpr auto finish = [](emu::Warp& w, unsigned lanes) {
    model::multiply<8>(
        w, lanes,
        [](auto of, int i, int k) { return model::tf32_at(of(i % 8 * 4 + k % 4).a[i / 8 + k / 4 * 2]); },
        [](auto of, int k, int j) { return model::tf32_at(of(j * 4 + k % 4).b[k / 4]); });
  };
  emu::warp_call(~0u, finish, &mine, sizeof mine, 0, emu::Where::current());
}

// Four 8 x 8 matrices of 16-bit elements: lane 8m + r gives the address of row r of matrix m; r[m] is its (g, 2t) and
// (g, 2t+1).
inline void ldmatrix(uint32_t (&r)[4], const void* row) {
  if (reinterpret_cast<uintptr_t>(row) % 16) emu::die("ldmatrix of a row that is not on 16 bytes");
  struct Ask {
    const void* row;
    uint32_t* r;
  };
  const Ask mine{row, r};
  constexpr auto finish = [](emu::Warp& w, unsigned lanes) {
    if (lanes != ~0u) emu::die("ldmatrix without all the lanes of the warp");
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned m = 0; m < 4; ++m) {
        const auto* from = static_cast<const unsigned char*>(emu::value_of<Ask>(w, 8 * m + lane / 4).row);
        std::memcpy(emu::value_of<Ask>(w, lane).r + m, from + lane % 4 * 4, 4);
      }
  };
  emu::warp_call(~0u, finish, &mine, sizeof mine, 0, emu::Where::current());
}

// 16 bytes to shared memory, of which `bytes` are read and the rest zero.
inline void cp_async(void* to, const void* from, int bytes) {
  if (reinterpret_cast<uintptr_t>(to) % 16 || reinterpret_cast<uintptr_t>(from) % 16)
    emu::die("cp.async of 16 bytes that are not on 16 bytes");
  model::Copies::Copy copy{to, {}};
  std::memcpy(copy.bytes, from, static_cast<size_t>(bytes));
  if (emu::g.order == emu::reverse)
    std::memcpy(to, copy.bytes, 16);
  else
    emu::unit<model::Copies>().mine().open.push_back(copy);
}
inline void cp_async_commit() {
  auto& q = emu::unit<model::Copies>().mine();
  q.groups.push_back(std::move(q.open));
  q.open.clear();
}
// Until at most N groups of this thread are under way.
template <int N>
void cp_async_wait() {
  auto& q = emu::unit<model::Copies>().mine();
  while (q.groups.size() > N) {
    for (const auto& c : q.groups.front()) std::memcpy(c.to, c.bytes, 16);
    q.groups.erase(q.groups.begin());
  }
}

#else

__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void ldmatrix(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

__device__ __forceinline__ void cp_async(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(to))),
               "l"(__cvta_generic_to_global(from)), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

}  // namespace pl::cuda
