// Element types. The order is the promotion order inside a kind; see core/promote.cpp for the table.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pl {

enum class DType : uint8_t { boolean, uint8, int32, int64, float32, float64 };
inline constexpr int kDTypeCount = 6;

constexpr size_t itemsize(DType t) {
  switch (t) {
    case DType::boolean:
    case DType::uint8: return 1;
    case DType::int32:
    case DType::float32: return 4;
    case DType::int64:
    case DType::float64: return 8;
  }
  return 0;
}

constexpr const char* dtype_name(DType t) {
  switch (t) {
    case DType::boolean: return "bool";
    case DType::uint8: return "uint8";
    case DType::int32: return "int32";
    case DType::int64: return "int64";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
  }
  return "?";
}

constexpr bool is_float(DType t) { return t == DType::float32 || t == DType::float64; }
constexpr bool is_integer(DType t) { return t == DType::uint8 || t == DType::int32 || t == DType::int64; }

}  // namespace pl
