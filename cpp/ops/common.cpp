#include "ops/common.h"

namespace pl::ops {
namespace {
thread_local Tensor* out_hint = nullptr;
}

Tensor result(const Shape& shape, DType dtype) {
  if (out_hint && out_hint->shape() == shape && out_hint->dtype() == dtype) {
    Tensor out = *out_hint;
    out_hint = nullptr;
    return out;
  }
  return empty(shape, dtype);
}

OutScope::OutScope(const char* op, const OptTensor& out, const std::vector<Tensor>& inputs)
    : op_(op), out_(out), before_(out_hint) {
  out_hint = nullptr;
  if (!out_) return;
  if (out_->readonly()) raise<ValueError>("[", op, "] argument 'out' is read-only");
  if (out_->has_node() && grad_enabled())
    raise<ValueError>("[", op, "] argument 'out' cannot be used while gradients are recorded");
  if (!out_->is_contiguous()) return;
  for (const Tensor& x : inputs)
    if (may_overlap(x, *out_)) return;
  hint_ = *out_;
  out_hint = &hint_;
}

OutScope::~OutScope() { out_hint = before_; }

Tensor OutScope::finish(const Tensor& computed) {
  if (!out_) return computed;
  if (!(computed.shape() == out_->shape()))
    raise<ValueError>("[", op_, "] argument 'out' has shape ", out_->shape(), ", the result ",
                      computed.shape());
  if (computed.dtype() != out_->dtype())
    raise<TypeError>("[", op_, "] argument 'out' is ", dtype_name(out_->dtype()), ", the result ",
                     dtype_name(computed.dtype()));
  if (computed.impl() == out_->impl() || same_memory(computed, *out_)) return *out_;
  copy_into(may_overlap(computed, *out_) ? copy(computed) : computed, *out_);
  return *out_;
}

void check_size(const char* op, const char* argument, const Shape& shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(itemsize(dtype));
  bool too_large = false;  // empty or not: NumPy refuses (2**62, 0) too
  for (int64_t s : shape) {
    if (s < 0) raise<ValueError>("[", op, "] argument '", argument, "' gives a negative size: ", shape);
    too_large = too_large || (s > 0 && __builtin_mul_overflow(bytes, s, &bytes));
  }
  if (too_large) raise<MemoryError>("[", op, "] argument '", argument, "' gives too large an array: ", shape);
}

void require_float(const char* op, const char* argument, const Tensor& x) {
  if (!is_float(x.dtype()))
    raise<TypeError>("[", op, "] argument '", argument, "' must be float32 or float64, not ",
                     dtype_name(x.dtype()));
}

void require_same_dtype(const char* op, const char* a, const Tensor& x, const char* b, const Tensor& y) {
  if (x.dtype() != y.dtype())
    raise<TypeError>("[", op, "] arguments '", a, "' and '", b,
                     "' have different dtypes: ", dtype_name(x.dtype()), " and ", dtype_name(y.dtype()));
}

Tensor as_float(const Tensor& x) { return is_float(x.dtype()) ? x : cast(x, DType::float64); }

}  // namespace pl::ops
