// dim3, float4 and their like, with the alignment they have under CUDA.
#pragma once
#include <cstddef>

namespace emu {
constexpr size_t vector_alignment(size_t bytes) { return bytes > 16 ? 16 : bytes; }
}  // namespace emu

#define EMU_VECTORS(T, name)                                                      \
  struct name##1 { T x; };                                                        \
  struct alignas(emu::vector_alignment(2 * sizeof(T))) name##2 { T x, y; };       \
  struct name##3 { T x, y, z; };                                                  \
  struct alignas(emu::vector_alignment(4 * sizeof(T))) name##4 { T x, y, z, w; }; \
  constexpr name##1 make_##name##1(T x) { return {x}; }                           \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; }                   \
  constexpr name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }           \
  constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

EMU_VECTORS(signed char, char)
EMU_VECTORS(unsigned char, uchar)
EMU_VECTORS(short, short)
EMU_VECTORS(unsigned short, ushort)
EMU_VECTORS(int, int)
EMU_VECTORS(unsigned, uint)
EMU_VECTORS(long, long)
EMU_VECTORS(unsigned long, ulong)
EMU_VECTORS(long long, longlong)
EMU_VECTORS(unsigned long long, ulonglong)
EMU_VECTORS(float, float)
EMU_VECTORS(double, double)
#undef EMU_VECTORS

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
