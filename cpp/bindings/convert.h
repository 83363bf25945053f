// Between Python objects and C++: every argument is named in the errors it causes.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/runtime.h"
#include "core/tensor.h"
#include "ops/ops.h"

namespace pl {

namespace py = pybind11;

// One call of an op: knows its name, and whether a Tensor came in (then Tensors go out, NumPy arrays otherwise).
class Call {
 public:
  explicit Call(const char* op, bool tensors = false)
      : op(op), any_tensor(tensors), scope_(current_device()) {}
  const char* op;
  bool any_tensor;
  bool keep_inputs = false;  // out= asks whether it overlaps one
  std::vector<Tensor> inputs;

  // The call works on the device of its Tensors; without any, on the thread's. Looks for the first one.
  void look(PyObject* const* values, size_t n);
  // Zero-copy where the memory allows. `what` is the argument's name. ValueError for a Tensor of another device.
  Tensor tensor(const char* what, py::handle h);
  // An error unless the argument's own memory can be written: a copy of it would take the change and be lost.
  void in_place(const char* what, py::handle h);
  int64_t integer(const char* what, py::handle h);
  double real(const char* what, py::handle h);
  bool boolean(const char* what, py::handle h);
  std::string text(const char* what, py::handle h);
  Shape shape(const char* what, py::handle h);  // an int or a sequence of ints
  DType dtype(const char* what, py::handle h);
  [[noreturn]] void bad(const char* what, const std::string& expected, py::handle got);

  py::object wrap(const Tensor& t) const;
  py::object wrap(const std::vector<Tensor>& ts) const;
  template <class... T>
  py::object wrap(const std::tuple<T...>& ts) const {
    return std::apply([&](const auto&... t) -> py::object { return py::make_tuple(wrap(t)...); }, ts);
  }

 private:
  bool look(py::handle h);
  DeviceScope scope_;
  bool placed_ = false;  // a Tensor has said where
};

// Device by name: "cpu", "cuda", or "auto", which is "cuda" where there is one.
Device device_of(const char* op, const char* what, py::handle h);

// A method that works on the device of its Tensor: def_method(cls, "copy", [](const Tensor& t) { ... }).
template <class R, class... A>
auto on_own_device(R (*f)(const Tensor&, A...)) {
  return [f](const Tensor& t, A... a) -> R {
    DeviceScope scope(t.device());
    return f(t, std::forward<A>(a)...);
  };
}
template <class Class, class F, class... Extra>
void def_method(Class& cls, const char* name, F f, const Extra&... extra) {
  cls.def(name, on_own_device(+f), extra...);
}

// From C++ to NumPy: a view of the tensor's memory (read-only if that is), 0-d as an array.
py::array to_numpy(const Tensor& t);
// Reading values: ends a recording in progress, since a replay could not see the decision taken on them.
void note_read(const char* what);
py::dtype numpy_dtype(DType t);
bool is_tensor(py::handle h);
bool is_arraylike(py::handle h);  // could tensor() accept it?
// Sets Python's error from the exception in flight; for use in catch (...). With `op`, the message starts with
// "[op]", also when the error came from an op that this one is made of, or from below the ops.
void set_python_error(const char* op = nullptr);

// Conversion by type, for the op table.
template <class T>
struct From;
template <>
struct From<Tensor> {
  static Tensor get(Call& c, const char* what, py::handle h) { return c.tensor(what, h); }
};
template <>
struct From<ops::OptTensor> {
  static ops::OptTensor get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return c.tensor(what, h);
  }
};
template <>
struct From<int64_t> {
  static int64_t get(Call& c, const char* what, py::handle h) { return c.integer(what, h); }
};
template <>
struct From<std::optional<int64_t>> {
  static std::optional<int64_t> get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return c.integer(what, h);
  }
};
template <>
struct From<double> {
  static double get(Call& c, const char* what, py::handle h) { return c.real(what, h); }
};
template <>
struct From<bool> {
  static bool get(Call& c, const char* what, py::handle h) { return c.boolean(what, h); }
};
template <>
struct From<Shape> {
  static Shape get(Call& c, const char* what, py::handle h) { return c.shape(what, h); }
};
template <>
struct From<ops::OptAxes> {
  static ops::OptAxes get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return c.shape(what, h);
  }
};
template <>
struct From<DType> {
  static DType get(Call& c, const char* what, py::handle h) { return c.dtype(what, h); }
};
template <>
struct From<Activation> {
  static Activation get(Call& c, const char* what, py::handle h);
};
// Any activation of the dense layer; the other fused kernels take the first few.
struct AnyActivation {
  Activation value;
  operator Activation() const { return value; }
};
template <>
struct From<AnyActivation> {
  static AnyActivation get(Call& c, const char* what, py::handle h);
};
template <>
struct From<std::vector<Tensor>> {
  static std::vector<Tensor> get(Call& c, const char* what, py::handle h);
};

}  // namespace pl
