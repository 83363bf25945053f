#include "core/tensor.h"

#include <cstring>

#include "core/capture.h"
#include "core/record.h"
#include "core/runtime.h"

namespace pl {
namespace {
// Kernels of one device cannot reach the other's memory. What is shared is waited for before the CPU looks at it.
void check_place(const Storage& storage) {
  if (!device_runtime()) return;
  const Device here = current_device();
  if (storage.place() == Place::shared) {
    if (here == Device::cpu) synchronize();
  } else if (storage.device() != here) {
    raise<ValueError>("a Tensor on '", device_name(storage.device()), "' meets Tensors on '",
                      device_name(here), "': move it with .to('", device_name(here), "')");
  }
}
}  // namespace

const void* Tensor::read() const {
  check_place(*impl_->storage);
  if (Recorder* r = recorder()) r->touch(*impl_->storage, false);
  return impl_->data;
}

void* Tensor::write() const {
  if (impl_->storage->readonly()) raise<ValueError>("the array is read-only");
  check_place(*impl_->storage);
  if (Recorder* r = recorder()) r->touch(*impl_->storage, true);
  impl_->storage->bump();
  return impl_->data;
}

namespace {
Tensor fresh(Ref<Pool> pool, const Shape& shape, DType dtype) {
  int64_t n = count(shape), bytes;
  if (__builtin_mul_overflow(n, static_cast<int64_t>(itemsize(dtype)), &bytes))
    raise<MemoryError>("an array of shape ", shape, " is too large");
  auto impl = make<TensorImpl>();
  impl->storage = make<Storage>(std::move(pool), static_cast<size_t>(bytes));
  impl->data = impl->storage->data();
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}
}  // namespace

Tensor empty(const Shape& shape, DType dtype) {
  Recorder* r = recorder();
  if (r && r->device() == current_device()) return fresh(r->pool(), shape, dtype);
  return empty_lasting(shape, dtype);
}

Tensor empty_lasting(const Shape& shape, DType dtype) {
  return fresh(Ref<Pool>(&Pool::here()), shape, dtype);
}
Tensor empty_host(const Shape& shape, DType dtype) { return fresh(Ref<Pool>(&Pool::global()), shape, dtype); }
Tensor empty_shared(const Shape& shape, DType dtype) {
  return fresh(Ref<Pool>(&Pool::shared()), shape, dtype);
}

Tensor here(const Tensor& t) {
  const Device device = current_device();
  if (t.device() == device || t.storage().place() == Place::shared) return t;
  Tensor copy = empty_lasting(t.shape(), t.dtype());
  copy_bytes(copy.impl()->data, device, t.impl()->data, t.device(), static_cast<size_t>(t.nbytes()));
  copy.impl()->weak = t.weak();
  copy.impl()->known = t.impl()->known;
  copy.impl()->number = t.impl()->number;
  return copy;
}

Tensor to_host(const Tensor& t) {
  if (t.storage().place() == Place::shared) synchronize();
  DeviceScope scope(Device::cpu);
  return here(t);
}

namespace {
template <class V>
Tensor filled(V value, DType dtype, bool weak) {
  Tensor t = empty_host({}, dtype);
  void* p = t.impl()->data;
  switch (dtype) {
    case DType::boolean: *static_cast<bool*>(p) = value != 0; break;
    case DType::uint8: *static_cast<uint8_t*>(p) = static_cast<uint8_t>(value); break;
    case DType::int32: *static_cast<int32_t*>(p) = static_cast<int32_t>(value); break;
    case DType::int64: *static_cast<int64_t*>(p) = static_cast<int64_t>(value); break;
    case DType::float32: *static_cast<float*>(p) = static_cast<float>(value); break;
    case DType::float64: *static_cast<double*>(p) = static_cast<double>(value); break;
  }
  t.impl()->weak = weak;
  if (itemsize(dtype) == sizeof t.impl()->number) {
    t.impl()->known = true;
    std::memcpy(&t.impl()->number, p, sizeof t.impl()->number);
  }
  return here(t);
}
}  // namespace

Tensor scalar(double value, DType dtype, bool weak) { return filled(value, dtype, weak); }
Tensor scalar_int(int64_t value, DType dtype, bool weak) { return filled(value, dtype, weak); }

Tensor from_memory(void* data, const Shape& shape, const Shape& strides, DType dtype, bool readonly,
                   std::function<void()> release, Place place) {
  auto impl = make<TensorImpl>();
  impl->contiguous = is_contiguous(shape, strides);
  size_t bytes = impl->contiguous ? static_cast<size_t>(count(shape)) * itemsize(dtype) : 0;
  impl->storage = make<Storage>(data, bytes, readonly, std::move(release), place);
  impl->data = static_cast<std::byte*>(data);
  impl->shape = shape;
  impl->strides = strides;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

bool is_contiguous(const Shape& shape, const Shape& strides) {
  int64_t step = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

Tensor Tensor::detach() const { return view(impl_->shape, impl_->strides); }

Tensor Tensor::view(const Shape& shape, const Shape& strides, int64_t offset) const {
  auto impl = make<TensorImpl>();
  impl->storage = impl_->storage;
  impl->data = impl_->data + offset * static_cast<int64_t>(itemsize(impl_->dtype));
  impl->shape = shape;
  impl->strides = strides;
  impl->contiguous = pl::is_contiguous(shape, strides);
  impl->dtype = impl_->dtype;
  impl->weak = impl_->weak;
  return Tensor(std::move(impl));
}

namespace {
struct Range {
  const std::byte *low, *high;  // [low, high)
};
Range range(const Tensor& t) {
  int64_t low = 0, high = 0;
  for (int i = 0; i < t.ndim(); ++i) {
    if (t.shape()[i] == 0) return {nullptr, nullptr};
    int64_t last = (t.shape()[i] - 1) * t.strides()[i];
    (last < 0 ? low : high) += last;
  }
  int64_t size = static_cast<int64_t>(itemsize(t.dtype()));
  return {t.impl()->data + low * size, t.impl()->data + (high + 1) * size};
}
}  // namespace

bool may_overlap(const Tensor& a, const Tensor& b) {
  Range x = range(a), y = range(b);
  return x.low < y.high && y.low < x.high;
}

bool same_memory(const Tensor& a, const Tensor& b) {
  return a.impl()->data == b.impl()->data && a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.strides() == b.strides() || (a.is_contiguous() && b.is_contiguous()));
}

}  // namespace pl
