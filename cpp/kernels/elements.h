// The element types as C++ types, what integers compute in, and tables indexed by element type and function. Shared
// by the CPU and CUDA.
#pragma once
#include <utility>

#include "core/dtype.h"

namespace pl::PL_ISA {
namespace {

// Booleans are stored as bytes 0 and 1 and computed as such; `boolean` keeps them apart from uint8.
enum class boolean : uint8_t {};

template <DType>
struct element;
template <>
struct element<DType::boolean> {
  using type = boolean;
};
template <>
struct element<DType::uint8> {
  using type = uint8_t;
};
template <>
struct element<DType::int32> {
  using type = int32_t;
};
template <>
struct element<DType::int64> {
  using type = int64_t;
};
template <>
struct element<DType::float32> {
  using type = float;
};
template <>
struct element<DType::float64> {
  using type = double;
};

template <class T>
inline constexpr bool is_real = false;
template <>
inline constexpr bool is_real<float> = true;
template <>
inline constexpr bool is_real<double> = true;
template <class T>
inline constexpr bool is_boolean = false;
template <>
inline constexpr bool is_boolean<boolean> = true;

// Arithmetic that wraps around, as NumPy's: done unsigned.
template <class T>
struct wrapping;
template <>
struct wrapping<boolean> {
  using type = uint8_t;
};
template <>
struct wrapping<uint8_t> {
  using type = uint32_t;
};
template <>
struct wrapping<int32_t> {
  using type = uint32_t;
};
template <>
struct wrapping<int64_t> {
  using type = uint64_t;
};

// The C++ type of the i-th dtype.
template <size_t i>
using element_at = typename element<static_cast<DType>(i)>::type;

// A table indexed by dtype and function: Maker<F, T>::entry() for each function F of the enum and element type T, null
// where the pair has no meaning (the op layer has rejected or cast those).
template <class Entry, class Op, template <Op, class> class Maker>
struct OpTable {
  static constexpr size_t kOps = static_cast<size_t>(Op::count_);
  Entry entry[kDTypeCount * kOps];

  template <size_t... i>
  constexpr explicit OpTable(std::index_sequence<i...>)
      : entry{Maker<static_cast<Op>(i % kOps), element_at<i / kOps>>::entry()...} {}
  constexpr OpTable() : OpTable(std::make_index_sequence<kDTypeCount * kOps>{}) {}
  constexpr Entry at(DType dtype, Op op) const {
    return entry[static_cast<size_t>(dtype) * kOps + static_cast<size_t>(op)];
  }
};

// The same for pairs of element types.
template <class Entry, template <class, class> class Maker>
struct PairTable {
  Entry entry[kDTypeCount * kDTypeCount];

  template <size_t... i>
  constexpr explicit PairTable(std::index_sequence<i...>)
      : entry{Maker<element_at<i / kDTypeCount>, element_at<i % kDTypeCount>>::entry()...} {}
  constexpr PairTable() : PairTable(std::make_index_sequence<kDTypeCount * kDTypeCount>{}) {}
  constexpr Entry at(DType from, DType to) const {
    return entry[static_cast<size_t>(from) * kDTypeCount + static_cast<size_t>(to)];
  }
};

}  // namespace
}  // namespace pl::PL_ISA
