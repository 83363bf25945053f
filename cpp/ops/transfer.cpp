// Arrays from one device to another.
#include "ops/transfer.h"

#include "ops/common.h"

namespace pl::ops {

Tensor to_device(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  if (device != Device::cpu && !cuda_report().usable)
    raise<RuntimeError>("device '", device_name(device), "' is not available: ", cuda_report().why);
  if (Recorder* r = recorder()) r->abandon("an array was moved between devices while the step was recorded");
  Tensor from;
  {
    DeviceScope scope(x.device());
    from = contiguous(x.detach());
  }
  DeviceScope scope(device);
  Tensor y = here(from);
  y.impl()->name = x.impl()->name;
  record("to", {x}, {y}, [home = x.device()](Backward& b) { b.set(0, to_device(b.grad(), home)); });
  return y;
}

void move_to_device(const Tensor& x, Device device) {
  const Tensor moved = to_device(x.detach(), device);
  TensorImpl& t = *x.impl();
  t.storage = moved.impl()->storage;
  t.data = moved.impl()->data;
  t.strides = moved.strides();
  t.contiguous = moved.is_contiguous();
}

}  // namespace pl::ops
