// Shapes and strides: up to kMaxDims sizes, stored inline. Sizes are 64-bit and every product is checked.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>

#include "core/error.h"

namespace pl {

inline constexpr int kMaxRank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    for (int64_t s : sizes) push_back(s);
  }

  int ndim() const { return n_; }
  bool empty() const { return n_ == 0; }
  int64_t operator[](int i) const { return v_[i]; }
  int64_t& operator[](int i) { return v_[i]; }
  const int64_t* begin() const { return v_; }
  const int64_t* end() const { return v_ + n_; }
  int64_t back() const { return v_[n_ - 1]; }
  void push_back(int64_t size) {
    if (n_ == kMaxRank) raise<ValueError>("arrays have at most ", kMaxRank, " dimensions");
    v_[n_++] = size;
  }
  void resize(int n) { n_ = n; }
  void erase(int i) {
    for (int j = i; j + 1 < n_; ++j) v_[j] = v_[j + 1];
    --n_;
  }
  void insert(int i, int64_t size) {
    push_back(size);
    for (int j = n_ - 1; j > i; --j) v_[j] = v_[j - 1];
    v_[i] = size;
  }
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.n_ != b.n_) return false;
    for (int i = 0; i < a.n_; ++i)
      if (a.v_[i] != b.v_[i]) return false;
    return true;
  }

 private:
  int n_ = 0;
  int64_t v_[kMaxRank];
};

using Axes = Shape;  // a short list of axis numbers

// Number of elements; ValueError when a size is negative, MemoryError when the product does not fit 63 bits.
int64_t count(const Shape& shape);
Shape contiguous_strides(const Shape& shape);
std::string to_string(const Shape& shape);
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

// NumPy's broadcasting; ValueError naming both shapes and the op.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);
// Strides with which an array of `shape` and `strides` is read as `target`, 0 along what is repeated.
Shape broadcast_strides(const Shape& shape, const Shape& strides, const Shape& target);
bool broadcasts_to(const Shape& shape, const Shape& target);

// -ndim <= axis < ndim, returned in [0, ndim); IndexError otherwise.
int normalize_axis(const char* op, int64_t axis, int ndim);
// Sorted, distinct, non-negative.
Axes normalize_axes(const char* op, const Axes& axes, int ndim);

}  // namespace pl
