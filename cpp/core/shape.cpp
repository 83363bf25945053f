#include "core/shape.h"

#include <algorithm>

namespace pl {

int64_t count(const Shape& shape) {
  int64_t n = 1;
  bool zero = false;
  for (int64_t s : shape) {
    if (s < 0) raise<ValueError>("sizes cannot be negative: ", shape);
    if (s == 0)
      zero = true;
    else if (__builtin_mul_overflow(n, s, &n))
      raise<MemoryError>("an array of shape ", shape, " is too large");
  }
  return zero ? 0 : n;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides;
  strides.resize(shape.ndim());
  int64_t step = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

std::string to_string(const Shape& shape) {
  std::string s = "(";
  for (int i = 0; i < shape.ndim(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + (shape.ndim() == 1 ? ",)" : ")");
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  Shape out;
  out.resize(std::max(a.ndim(), b.ndim()));
  for (int i = 1; i <= out.ndim(); ++i) {
    int64_t x = i <= a.ndim() ? a[a.ndim() - i] : 1, y = i <= b.ndim() ? b[b.ndim() - i] : 1;
    if (x != y && x != 1 && y != 1)
      raise<ValueError>("[", op, "] shapes ", a, " and ", b, " do not broadcast: sizes ", x, " and ", y,
                        " at axis -", i);
    out[out.ndim() - i] = x == 1 ? y : x;
  }
  return out;
}

Shape broadcast_strides(const Shape& shape, const Shape& strides, const Shape& target) {
  Shape out;
  out.resize(target.ndim());
  for (int i = 1; i <= target.ndim(); ++i) {
    int s = shape.ndim() - i;
    out[target.ndim() - i] = s >= 0 && shape[s] == target[target.ndim() - i] ? strides[s] : 0;
  }
  return out;
}

bool broadcasts_to(const Shape& shape, const Shape& target) {
  if (shape.ndim() > target.ndim()) return false;
  for (int i = 1; i <= shape.ndim(); ++i) {
    int64_t s = shape[shape.ndim() - i];
    if (s != 1 && s != target[target.ndim() - i]) return false;
  }
  return true;
}

int normalize_axis(const char* op, int64_t axis, int ndim) {
  if (axis < -ndim || axis >= ndim)
    raise<IndexError>("[", op, "] argument 'axis' is ", axis, ", but the array has ", ndim, " dimension",
                      ndim == 1 ? "" : "s");
  return static_cast<int>(axis < 0 ? axis + ndim : axis);
}

Axes normalize_axes(const char* op, const Axes& axes, int ndim) {
  Axes out = axes;
  for (int i = 0; i < axes.ndim(); ++i) out[i] = normalize_axis(op, axes[i], ndim);
  std::sort(&out[0], &out[0] + out.ndim());
  for (int i = 1; i < out.ndim(); ++i)
    if (out[i] == out[i - 1]) raise<ValueError>("[", op, "] argument 'axis' names axis ", out[i], " twice");
  return out;
}

}  // namespace pl
