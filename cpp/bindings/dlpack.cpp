// The DLPack protocol, both ways, without copies: https://dmlc.github.io/dlpack (structs of version 1.0).
#include <cstdint>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "kernels/backend.h"

namespace pl {
namespace {

struct DLDevice {
  int32_t device_type, device_id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};
constexpr uint64_t kReadOnly = 1, kCopied = 2;
constexpr int32_t kCpu = 1, kCuda = 2;

int32_t dl_device(const Tensor& t) { return t.device() == Device::cpu ? kCpu : kCuda; }

DLDataType dl_type(DType t) {
  switch (t) {
    case DType::boolean: return {6, 8, 1};
    case DType::uint8: return {1, 8, 1};
    case DType::int32: return {0, 32, 1};
    case DType::int64: return {0, 64, 1};
    case DType::float32: return {2, 32, 1};
    case DType::float64: return {2, 64, 1};
  }
  return {};
}

DType from_dl_type(DLDataType d) {
  for (int i = 0; i < kDTypeCount; ++i) {
    DLDataType t = dl_type(static_cast<DType>(i));
    if (t.code == d.code && t.bits == d.bits && d.lanes == 1) return static_cast<DType>(i);
  }
  raise<TypeError>("[from_dlpack] argument 'x' has a dtype (code ", int(d.code), ", ", int(d.bits), " bits, ",
                   d.lanes, " lanes) that is not supported");
}

// What a capsule of ours owns.
struct Export {
  Tensor tensor;
  int64_t shape[kMaxRank], strides[kMaxRank];
};

template <class Managed>
py::capsule make_capsule(const Tensor& t, const char* name, Managed* managed) {
  auto* e = new Export{t.detach(), {}, {}};
  for (int i = 0; i < t.ndim(); ++i) {
    e->shape[i] = t.shape()[i];
    e->strides[i] = t.strides()[i];
  }
  managed->tensor = {t.impl()->data, {dl_device(t), 0}, t.ndim(), dl_type(t.dtype()),
                     e->shape,       e->strides,        0};
  managed->context = e;
  managed->deleter = [](Managed* self) {
    delete static_cast<Export*>(self->context);
    delete self;
  };
  return py::capsule(managed, name, [](PyObject* capsule) {
    const char* now = PyCapsule_GetName(capsule);
    if (now && std::string(now).rfind("used_", 0) == 0) return;  // the consumer owns it
    auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, now));
    if (m) m->deleter(m);
  });
}

py::capsule to_dlpack(const Tensor& t0, py::handle, py::handle max_version, py::handle wanted,
                      py::handle copy) {
  note_read("__dlpack__()");
  if (!wanted.is_none() && py::reinterpret_borrow<py::tuple>(wanted)[0].cast<int>() != dl_device(t0))
    throw py::buffer_error(std::string("[__dlpack__] argument 'dl_device': this Tensor is on '") +
                           device_name(t0.device()) + "'");
  DeviceScope scope(t0.device());
  if (t0.device() != Device::cpu) synchronize();  // the other side has a stream of its own
  Tensor t = copy.ptr() == Py_True ? ops::copy(t0.detach()) : t0;
  bool versioned =
      !max_version.is_none() && py::reinterpret_borrow<py::tuple>(max_version)[0].cast<int>() >= 1;
  if (!versioned) {
    if (t.readonly()) throw py::buffer_error("[__dlpack__] a read-only Tensor needs DLPack 1.0 or a copy");
    return make_capsule(t, "dltensor", new DLManagedTensor{});
  }
  auto* m = new DLManagedTensorVersioned{};
  m->version = {1, 0};
  m->flags = (t.readonly() ? kReadOnly : 0) | (copy.ptr() == Py_True ? kCopied : 0);
  return make_capsule(t, "dltensor_versioned", m);
}

template <class Managed>
Tensor import(Managed* m, bool readonly) {
  const DLTensor& d = m->tensor;
  const bool on_cuda = d.device.device_type == kCuda;
  if (on_cuda && !cuda_report().usable)
    raise<RuntimeError>("[from_dlpack] argument 'x' is on 'cuda', which is not available here: ",
                        cuda_report().why);
  if (!on_cuda && d.device.device_type != kCpu)
    raise<ValueError>("[from_dlpack] argument 'x' is on a device that is neither 'cpu' nor 'cuda'");
  if (d.ndim < 0 || d.ndim > kMaxRank)
    raise<ValueError>("[from_dlpack] argument 'x' has ", d.ndim, " dimensions; at most ", kMaxRank,
                      " are supported");
  Shape shape, strides;
  for (int i = 0; i < d.ndim; ++i) shape.push_back(d.shape[i]);
  if (d.strides)
    for (int i = 0; i < d.ndim; ++i) strides.push_back(d.strides[i]);
  else
    strides = contiguous_strides(shape);
  DType dtype = from_dl_type(d.dtype);
  auto* data = static_cast<std::byte*>(d.data) + d.byte_offset;
  if (reinterpret_cast<uintptr_t>(data) % itemsize(dtype) != 0)
    raise<ValueError>("[from_dlpack] argument 'x' is not aligned to its elements");
  auto release = [m] {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    if (m->deleter) m->deleter(m);
  };
  return from_memory(data, shape, strides, dtype, readonly, release, on_cuda ? Place::device : Place::host);
}

Tensor from_dlpack(py::handle x) {
  if (!py::hasattr(x, "__dlpack__"))
    raise<TypeError>("[from_dlpack] argument 'x' has no __dlpack__: ", Py_TYPE(x.ptr())->tp_name);
  py::object capsule;
  try {
    capsule = x.attr("__dlpack__")(py::arg("max_version") = py::make_tuple(1, 0));
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_TypeError)) throw;
    capsule = x.attr("__dlpack__")();  // an exporter of before version 1.0
  }
  // The capsule is renamed only once nothing can fail: until then it frees itself.
  if (auto* m = static_cast<DLManagedTensorVersioned*>(
          PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")
              ? PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned")
              : nullptr)) {
    if (m->version.major > 1)
      raise<ValueError>("[from_dlpack] argument 'x' speaks DLPack ", m->version.major);
    Tensor t = import(m, (m->flags & kReadOnly) != 0);
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    return t;
  }
  auto* m = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!m) throw py::error_already_set();
  Tensor t = import(m, false);
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  return t;
}

}  // namespace

void bind_dlpack(py::module_& m) {
  auto cls = py::reinterpret_borrow<py::class_<Tensor>>(m.attr("Tensor"));
  cls.def("__dlpack__", &to_dlpack, py::kw_only(), py::arg("stream") = py::none(),
          py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
          py::arg("copy") = py::none());
  cls.def("__dlpack_device__", [](const Tensor& t) { return py::make_tuple(dl_device(t), 0); });
  m.def("from_dlpack", &from_dlpack, py::arg("x"),
        "A Tensor over the memory of any object that speaks DLPack.");
}

}  // namespace pl
