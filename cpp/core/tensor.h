// The tensor: a counted handle on shape, strides, element type and a storage. Views share the storage.
#pragma once
#include <optional>
#include <string>

#include "core/dtype.h"
#include "core/pool.h"
#include "core/ref.h"
#include "core/runtime.h"
#include "core/shape.h"

namespace pl {

class Node;

struct TensorImpl : RefCounted {
  Ref<Storage> storage;
  std::byte* data = nullptr;  // the first element, inside storage
  Shape shape, strides;       // strides in elements
  DType dtype = DType::float32;
  bool weak = false;  // came from a Python number: its type gives way to an array's
  bool contiguous = true;
  bool known = false;  // a number from Python, whose 8 bytes are in `number` too, wherever the storage lies
  int64_t number = 0;
  int output = 0;  // which output of `node`
  Ref<Node> node;  // how it was computed, while gradients are recorded
  // What softmax or sigmoid was applied to: cross-entropies start from there, for accuracy and speed.
  Ref<TensorImpl> logits;
  enum class Head : uint8_t { none, softmax, sigmoid } head = Head::none;
  std::string name;  // a parameter's path, e.g. "dense/kernel"
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const { return impl_->shape; }
  const Shape& strides() const { return impl_->strides; }
  int64_t shape(int i) const { return impl_->shape[i < 0 ? i + ndim() : i]; }
  int ndim() const { return impl_->shape.ndim(); }
  int64_t size() const { return count(impl_->shape); }
  int64_t nbytes() const { return size() * static_cast<int64_t>(itemsize(dtype())); }
  DType dtype() const { return impl_->dtype; }
  bool weak() const { return impl_->weak; }
  bool is_contiguous() const { return impl_->contiguous; }
  bool readonly() const { return impl_->storage->readonly(); }
  TensorImpl* impl() const { return impl_.get(); }
  Device device() const { return impl_->storage->device(); }
  Storage& storage() const { return *impl_->storage; }
  bool has_node() const { return static_cast<bool>(impl_->node); }

  // Where kernels read and write. A recording notes every storage that is touched, so take pointers here, just
  // before the launch, and nowhere else.
  const void* read() const;
  void* write() const;  // ValueError when read-only; counts as a write in place
  template <class T>
  const T* read() const {
    return static_cast<const T*>(read());
  }

  // The same elements, another handle: no graph node, no logits.
  Tensor detach() const;
  // A view with these sizes and strides, starting `offset` elements in. The caller answers for the bounds.
  Tensor view(const Shape& shape, const Shape& strides, int64_t offset = 0) const;

 private:
  Ref<TensorImpl> impl_;
};

// Not initialised; contiguous; on the calling thread's device.
Tensor empty(const Shape& shape, DType dtype);
// The same, but never part of a recording's reusable memory: for what outlives the step.
Tensor empty_lasting(const Shape& shape, DType dtype);
// In host memory, likewise lasting: for host code that fills it (data from Python, constants). Kernels get here() of it.
Tensor empty_host(const Shape& shape, DType dtype);
// In host memory that every device reaches at the same address: states of generators.
Tensor empty_shared(const Shape& shape, DType dtype);
// t itself, or a lasting copy of its bytes (contiguous ones) on the calling thread's device.
Tensor here(const Tensor& t);
// t itself, or a copy of its bytes (contiguous ones) in host memory, once the device has made them.
Tensor to_host(const Tensor& t);
Tensor scalar(double value, DType dtype, bool weak = false);
Tensor scalar_int(int64_t value, DType dtype, bool weak = false);
// A tensor over someone else's memory.
Tensor from_memory(void* data, const Shape& shape, const Shape& strides, DType dtype, bool readonly,
                   std::function<void()> release, Place place = Place::host);
// The first element, wherever it lies; waits for a device.
template <class T>
T first_element(const Tensor& t);
bool is_contiguous(const Shape& shape, const Shape& strides);
// Could writing into a change what is read from b? (compares the address ranges)
bool may_overlap(const Tensor& a, const Tensor& b);
bool same_memory(const Tensor& a, const Tensor& b);  // exactly the same elements

template <class T>
T first_element(const Tensor& t) {
  T value;
  copy_bytes(&value, Device::cpu, t.read(), t.device(), sizeof value);
  return value;
}

// NumPy 2's promotion, weak Python numbers included. See promote.cpp for the table.
DType promote(DType a, DType b);
DType promote(const Tensor& a, const Tensor& b);

}  // namespace pl
