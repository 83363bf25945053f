#include "bindings/convert.h"

#include "core/capture.h"
#include "kernels/backend.h"
#include "ops/transfer.h"

namespace pl {
namespace {

std::string type_name(py::handle h) { return Py_TYPE(h.ptr())->tp_name; }

// Supported types as they are; near ones are widened without loss.
std::optional<DType> dtype_of(const py::dtype& d, bool& convert) {
  convert = false;
  char kind = d.kind();
  auto size = d.itemsize();
  if (kind == 'b') return DType::boolean;
  if (kind == 'f' && size == 4) return DType::float32;
  if (kind == 'f' && size == 8) return DType::float64;
  if (kind == 'i' && size == 4) return DType::int32;
  if (kind == 'i' && size == 8) return DType::int64;
  if (kind == 'u' && size == 1) return DType::uint8;
  convert = true;
  if (kind == 'f' && size == 2) return DType::float32;
  if ((kind == 'i' && size < 4) || (kind == 'u' && size == 2)) return DType::int32;
  if (kind == 'u' && size == 4) return DType::int64;
  return {};
}

DType array_dtype(Call& c, const char* what, const py::array& a, bool& convert) {
  std::optional<DType> dtype = dtype_of(a.dtype(), convert);
  if (!dtype)
    raise<TypeError>("[", c.op, "] argument '", what, "' has dtype ", py::str(a.dtype()).cast<std::string>(),
                     "; supported: bool, uint8, int32, int64, float32, float64");
  return *dtype;
}

// Can kernels work on the array's memory as it lies?
bool is_usable(const py::array& a, DType dtype) {
  bool usable = (a.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0 &&
                (a.dtype().byteorder() == '=' || a.dtype().byteorder() == '|');
  for (py::ssize_t i = 0; usable && i < a.ndim(); ++i)
    usable = a.strides(i) % static_cast<py::ssize_t>(itemsize(dtype)) == 0;
  return usable;
}

Tensor from_array(Call& c, const char* what, py::array a) {
  bool convert = false;
  DType dtype = array_dtype(c, what, a, convert);
  if (a.ndim() > kMaxRank)
    raise<ValueError>("[", c.op, "] argument '", what, "' has ", a.ndim(), " dimensions; at most ", kMaxRank,
                      " are supported");
  auto size = static_cast<int64_t>(itemsize(dtype));
  if (convert || !is_usable(a, dtype))
    a = py::array(a.attr("astype")(numpy_dtype(dtype), py::arg("order") = "C"));
  Shape shape, strides;
  for (py::ssize_t i = 0; i < a.ndim(); ++i) {
    shape.push_back(a.shape(i));
    strides.push_back(a.strides(i) / size);
  }
  bool readonly = !a.writeable();
  void* data = const_cast<void*>(a.data());
  PyObject* owner = a.release().ptr();
  Tensor t = from_memory(data, shape, strides, dtype, readonly, [owner] {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    Py_DECREF(owner);
  });
  if (current_device() == Device::cpu) return t;
  {
    DeviceScope scope(Device::cpu);
    t = ops::contiguous(t);
  }
  return here(t);
}

PyTypeObject* tensor_type() {
  static auto* type = reinterpret_cast<PyTypeObject*>(py::type::of<Tensor>().ptr());
  return type;
}

}  // namespace

bool is_tensor(py::handle h) { return PyObject_TypeCheck(h.ptr(), tensor_type()); }

bool is_arraylike(py::handle h) {
  return is_tensor(h) || PyFloat_Check(h.ptr()) || PyLong_Check(h.ptr()) || PyList_Check(h.ptr()) ||
         PyTuple_Check(h.ptr()) || py::isinstance<py::array>(h) || py::hasattr(h, "__array__");
}

void Call::bad(const char* what, const std::string& expected, py::handle got) {
  raise<TypeError>("[", op, "] argument '", what, "' must be ", expected, ", not ", type_name(got));
}

bool Call::look(py::handle h) {
  if (is_tensor(h)) {
    const Storage& s = h.cast<Tensor&>().storage();
    if (s.place() == Place::shared) return false;
    set_current_device(s.device());
    return placed_ = true;
  }
  if (!PyList_CheckExact(h.ptr()) && !PyTuple_CheckExact(h.ptr())) return false;
  for (py::handle item : py::reinterpret_borrow<py::sequence>(h))
    if (is_tensor(item) && look(item)) return true;
  return false;
}

void Call::look(PyObject* const* values, size_t n) {
  if (!device_runtime()) return;  // there is only the CPU
  for (size_t i = 0; i < n; ++i)
    if (values[i] && look(py::handle(values[i]))) return;
}

Tensor Call::tensor(const char* what, py::handle h) {
  PyObject* p = h.ptr();
  Tensor t;
  if (is_tensor(h)) {
    any_tensor = true;
    t = h.cast<Tensor&>();
    if (device_runtime()) {
      if (!placed_) look(h);
      if (placed_ && t.storage().place() != Place::shared && t.device() != current_device())
        raise<ValueError>("[", op, "] argument '", what, "' is on '", device_name(t.device()),
                          "', the others are on '", device_name(current_device()), "': move it with .to('",
                          device_name(current_device()), "')");
    }
  } else if (PyFloat_CheckExact(p)) {
    return scalar(PyFloat_AS_DOUBLE(p), DType::float64, true);
  } else if (PyBool_Check(p)) {
    return scalar_int(p == Py_True, DType::boolean);
  } else if (PyLong_CheckExact(p)) {
    return scalar_int(integer(what, h), DType::int64, true);
  } else if (py::isinstance<py::array>(h)) {
    t = from_array(*this, what, py::reinterpret_borrow<py::array>(h));
  } else if (PyUnicode_Check(p) || PyBytes_Check(p) || p == Py_None || PyDict_Check(p) || PySet_Check(p)) {
    bad(what, "an array, a Tensor or a number", h);
  } else {
    bool sequence = PyList_Check(p) || PyTuple_Check(p);
    if (!sequence && !py::hasattr(h, "__array__") && !PyObject_CheckBuffer(p) && !PyFloat_Check(p) &&
        !PyIndex_Check(p))
      bad(what, "an array, a Tensor or a number", h);
    if (sequence)
      for (py::object item : py::reinterpret_borrow<py::sequence>(h))
        if (is_tensor(item)) {  // a list of Tensors stays on the tape
          Tensor stacked = ops::stack(From<std::vector<Tensor>>::get(*this, what, h), 0);
          any_tensor = true;
          return stacked;
        }
    py::object a;
    try {
      a = py::module_::import("numpy").attr("asarray")(h);
    } catch (py::error_already_set& e) {
      if (e.matches(PyExc_MemoryError)) throw;
      raise<ValueError>("[", op, "] argument '", what, "' cannot be made an array: ", e.what());
    }
    if (!py::isinstance<py::array>(a)) bad(what, "an array, a Tensor or a number", h);
    t = from_array(*this, what, py::reinterpret_borrow<py::array>(a));
  }
  if (keep_inputs) inputs.push_back(t);
  return t;
}

void Call::in_place(const char* what, py::handle h) {
  if (is_tensor(h)) return;
  if (current_device() != Device::cpu) bad(what, "a Tensor on the device, to be changed in place", h);
  if (!py::isinstance<py::array>(h)) bad(what, "a NumPy array or a Tensor, to be changed in place", h);
  py::array a = py::reinterpret_borrow<py::array>(h);
  bool convert = false;
  DType dtype = array_dtype(*this, what, a, convert);
  if (convert)
    raise<TypeError>("[", op, "] argument '", what, "' has dtype ", py::str(a.dtype()).cast<std::string>(),
                     ", which cannot be changed in place: use ", dtype_name(dtype));
  if (!is_usable(a, dtype))
    raise<ValueError>("[", op, "] argument '", what,
                      "' cannot be changed in place: its memory is misaligned, "
                      "byte-swapped or stepped by parts of an element");
}

int64_t Call::integer(const char* what, py::handle h) {
  if (PyBool_Check(h.ptr()) || !PyIndex_Check(h.ptr())) bad(what, "an integer", h);
  py::object i = py::reinterpret_steal<py::object>(PyNumber_Index(h.ptr()));
  if (!i) {
    PyErr_Clear();
    bad(what, "an integer", h);
  }
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(i.ptr(), &overflow);
  if (overflow) raise<ValueError>("[", op, "] argument '", what, "' does not fit 64 bits");
  return v;
}

double Call::real(const char* what, py::handle h) {
  if (is_tensor(h)) note_read("float()");
  double v = PyUnicode_Check(h.ptr()) || PyBytes_Check(h.ptr()) ? -1.0 : PyFloat_AsDouble(h.ptr());
  if (PyUnicode_Check(h.ptr()) || PyBytes_Check(h.ptr()) || (v == -1.0 && PyErr_Occurred())) {
    PyErr_Clear();
    bad(what, "a number", h);
  }
  return v;
}

bool Call::boolean(const char* what, py::handle h) {
  if (h.ptr() == Py_True) return true;
  if (h.ptr() == Py_False) return false;
  if (py::isinstance(h, py::module_::import("numpy").attr("bool_"))) return h.cast<bool>();
  bad(what, "True or False", h);
}

std::string Call::text(const char* what, py::handle h) {
  if (!PyUnicode_Check(h.ptr())) bad(what, "a string", h);
  return h.cast<std::string>();
}

Shape Call::shape(const char* what, py::handle h) {
  if (PyIndex_Check(h.ptr()) && !PySequence_Check(h.ptr())) return {integer(what, h)};
  if (!PySequence_Check(h.ptr()) || PyUnicode_Check(h.ptr()) || PyBytes_Check(h.ptr()) || is_tensor(h))
    bad(what, "an integer or a sequence of integers", h);
  py::sequence s = py::reinterpret_borrow<py::sequence>(h);
  if (PySequence_Size(h.ptr()) < 0) {  // an array without dimensions
    PyErr_Clear();
    if (PyIndex_Check(h.ptr())) return {integer(what, h)};
    bad(what, "an integer or a sequence of integers", h);
  }
  if (s.size() > kMaxRank)
    raise<ValueError>("[", op, "] argument '", what, "' has ", s.size(), " entries; at most ", kMaxRank,
                      " dimensions are supported");
  Shape out;
  for (size_t i = 0; i < s.size(); ++i) {
    py::object item =
        py::reinterpret_steal<py::object>(PySequence_GetItem(h.ptr(), static_cast<Py_ssize_t>(i)));
    if (!item) {
      PyErr_Clear();
      bad(what, "an integer or a sequence of integers", h);
    }
    out.push_back(integer(what, item));
  }
  return out;
}

DType Call::dtype(const char* what, py::handle h) {
  if (h.is_none()) bad(what, "a dtype", h);
  py::object d;
  try {
    d = py::module_::import("numpy").attr("dtype")(h);
  } catch (py::error_already_set&) {
    bad(what, "a dtype such as \"float32\"", h);
  }
  bool convert = false;
  std::optional<DType> t = dtype_of(py::reinterpret_borrow<py::dtype>(d), convert);
  if (!t || convert)
    raise<TypeError>("[", op, "] argument '", what, "' is ", py::str(d).cast<std::string>(),
                     "; supported: bool, uint8, int32, int64, float32, float64");
  return *t;
}

Activation From<Activation>::get(Call& c, const char* what, py::handle h) {
  if (h.is_none()) return Activation::none;
  std::string s = c.text(what, h);
  if (s == "linear" || s == "none") return Activation::none;
  if (s == "relu") return Activation::relu;
  if (s == "sigmoid") return Activation::sigmoid;
  if (s == "tanh") return Activation::tanh;
  raise<ValueError>("[", c.op, "] argument '", what,
                    "' must be None, 'linear', 'relu', 'sigmoid' or 'tanh', not '", s, "'");
}

AnyActivation From<AnyActivation>::get(Call& c, const char* what, py::handle h) {
  static constexpr std::pair<const char*, Activation> names[] = {{"linear", Activation::none},
                                                                 {"relu", Activation::relu},
                                                                 {"sigmoid", Activation::sigmoid},
                                                                 {"tanh", Activation::tanh},
                                                                 {"leaky_relu", Activation::leaky_relu},
                                                                 {"elu", Activation::elu},
                                                                 {"selu", Activation::selu},
                                                                 {"softplus", Activation::softplus},
                                                                 {"gelu", Activation::gelu},
                                                                 {"gelu_tanh", Activation::gelu_tanh},
                                                                 {"silu", Activation::silu}};
  if (h.is_none()) return {Activation::none};
  const std::string s = c.text(what, h);
  std::string known;
  for (const auto& [name, value] : names) {
    if (s == name) return {value};
    known += std::string(", '") + name + "'";
  }
  raise<ValueError>("[", c.op, "] argument '", what, "' must be one of None", known, "; not '", s, "'");
}

std::vector<Tensor> From<std::vector<Tensor>>::get(Call& c, const char* what, py::handle h) {
  if (!PyList_Check(h.ptr()) && !PyTuple_Check(h.ptr())) c.bad(what, "a list or tuple of arrays", h);
  std::vector<Tensor> out;
  for (py::object item : py::reinterpret_borrow<py::sequence>(h)) out.push_back(c.tensor(what, item));
  return out;
}

Device device_of(const char* op, const char* what, py::handle h) {
  const std::string name = Call(op).text(what, h);
  if (name == "cpu") return Device::cpu;
  if (name == "auto") return cuda_report().usable ? Device::cuda : Device::cpu;
  if (name != "cuda")
    raise<ValueError>("[", op, "] argument '", what, "' must be 'cpu', 'cuda' or 'auto', not '", name, "'");
  const DeviceReport& report = cuda_report();
  if (!report.usable) raise<RuntimeError>("[", op, "] device 'cuda' is not available: ", report.why);
  return Device::cuda;
}

py::dtype numpy_dtype(DType t) {
  static const std::vector<py::dtype>* types = [] {
    auto* v = new std::vector<py::dtype>;
    for (int i = 0; i < kDTypeCount; ++i) v->push_back(py::dtype(dtype_name(static_cast<DType>(i))));
    return v;
  }();
  return (*types)[static_cast<size_t>(t)];
}

py::array to_numpy(const Tensor& given) {
  const Tensor t = ops::to_device(given.detach(), Device::cpu);
  if (t.storage().place() == Place::shared) synchronize();
  auto size = static_cast<py::ssize_t>(itemsize(t.dtype()));
  std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), strides;
  for (int64_t s : t.strides()) strides.push_back(s * size);
  Storage* owner = &t.storage();
  owner->retain();
  py::capsule base(owner, [](void* p) { static_cast<Storage*>(p)->release(); });
  py::array a(numpy_dtype(t.dtype()), shape, strides, t.impl()->data, base);
  if (t.readonly()) a.attr("flags").attr("writeable") = false;
  return a;
}

void note_read(const char* what) {
  if (Recorder* r = recorder())
    r->abandon(std::string(what) + " read a value while the step was recorded; a replay could not see it");
}

py::object Call::wrap(const Tensor& t) const {
  if (!t.defined()) return py::none();
  if (any_tensor) return py::cast(t);
  note_read("an op on NumPy arrays");
  py::array a = to_numpy(t);
  return t.ndim() == 0 ? a[py::tuple()].cast<py::object>() : py::object(a);
}

py::object Call::wrap(const std::vector<Tensor>& ts) const {
  py::list out;
  for (const Tensor& t : ts) out.append(wrap(t));
  return out;
}

namespace {
std::string named(const char* op, const std::string& message) {
  if (!op) return message;
  std::string prefix = std::string("[") + op + "]";
  if (message.starts_with(prefix)) return message;
  size_t end = message.starts_with("[") ? message.find("] ") : std::string::npos;
  return prefix + " " + (end == std::string::npos ? message : message.substr(end + 2));
}
}  // namespace

void set_python_error(const char* op) {
  auto set = [op](PyObject* type, const std::exception& e) {
    PyErr_SetString(type, named(op, e.what()).c_str());
  };
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const LinAlgError& e) {
    try {
      set(py::module_::import("numpy.linalg").attr("LinAlgError").ptr(), e);
    } catch (py::error_already_set& failed) {
      failed.restore();
    }
  } catch (const ValueError& e) {
    set(PyExc_ValueError, e);
  } catch (const TypeError& e) {
    set(PyExc_TypeError, e);
  } catch (const IndexError& e) {
    set(PyExc_IndexError, e);
  } catch (const MemoryError& e) {
    set(PyExc_MemoryError, e);
  } catch (const FloatingPointError& e) {
    set(PyExc_FloatingPointError, e);
  } catch (const Interrupted&) {
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const py::builtin_exception& e) {
    e.set_error();
  } catch (const std::exception& e) {
    set(PyExc_RuntimeError, e);
  }
}

}  // namespace pl
