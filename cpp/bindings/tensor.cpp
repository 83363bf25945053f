// The Tensor class.
#include <cstring>

#include "autograd/tape.h"
#include "bindings/convert.h"
#include "bindings/indexing.h"
#include "bindings/module.h"
#include "core/capture.h"
#include "ops/transfer.h"

namespace pl {
namespace {

py::tuple shape_tuple(const Shape& s) {
  py::tuple t(static_cast<size_t>(s.ndim()));
  for (int i = 0; i < s.ndim(); ++i) t[static_cast<size_t>(i)] = s[i];
  return t;
}

// NumPy, lists, numbers, Tensors; the result is never weak.
Tensor as_tensor(py::handle x, py::handle dtype, bool copy) {
  Call c("asarray");
  Tensor t = c.tensor("x", x);
  DType wanted = dtype.is_none() ? t.dtype() : c.dtype("dtype", dtype);
  if (wanted != t.dtype()) return ops::cast(t, wanted);
  if (t.weak()) {
    t = t.detach();
    t.impl()->weak = false;
  }
  return copy ? ops::copy(t) : t;
}

template <class F>
auto reading(const char* what, F f) {
  return [what, f](const Tensor& t) {
    note_read(what);
    return f(t);
  };
}

py::object item(const Tensor& t) {
  note_read("item()");
  if (t.size() != 1)
    raise<ValueError>("[item] the Tensor has ", t.size(), " elements (shape ", t.shape(),
                      "); item() needs exactly one");
  return to_numpy(t).attr("item")();
}

std::string represent(const Tensor& t) {
  note_read("repr()");
  py::object options = py::module_::import("numpy").attr("array2string");
  std::string values = options(to_numpy(t), py::arg("separator") = ", ", py::arg("prefix") = "Tensor(",
                               py::arg("threshold") = 200)
                           .cast<std::string>();
  std::ostringstream out;
  out << "Tensor(" << values << ", shape=" << t.shape() << ", dtype=" << dtype_name(t.dtype());
  if (!t.impl()->name.empty()) out << ", name='" << t.impl()->name << "'";
  out << ")";
  return out.str();
}

// Operators: the other side may be anything array-like; else Python is told to ask it.
using Binary = Tensor (*)(const Tensor&, const Tensor&);
template <Binary fn>
py::object forward_op(py::handle self, py::handle other) {
  if (!is_arraylike(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
  Call c("operator", true);
  PyObject* both[] = {self.ptr(), other.ptr()};
  c.look(both, 2);
  Tensor a = c.tensor("self", self), b = c.tensor("other", other);
  return c.wrap(fn(a, b));
}
template <Binary fn>
py::object reflected_op(py::handle self, py::handle other) {
  if (!is_arraylike(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
  Call c("operator", true);
  PyObject* both[] = {self.ptr(), other.ptr()};
  c.look(both, 2);
  Tensor a = c.tensor("other", other), b = c.tensor("self", self);
  return c.wrap(fn(a, b));
}

template <Binary fn, class Class>
void def_operator(Class& cls, const char* name, const char* reflected = nullptr) {
  cls.def(name, &forward_op<fn>);
  if (reflected) cls.def(reflected, &reflected_op<fn>);
}

// x.sum(axis=None, keepdims=False); `out` and `dtype` are what np.sum(x) passes along.
py::object no_extras(const char* op, py::handle dtype, py::handle out) {
  if (!dtype.is_none() || !out.is_none())
    raise<TypeError>("[", op, "] arguments 'dtype' and 'out' are for NumPy arrays only");
  return py::none();
}
using Reduction = Tensor (*)(const Tensor&, const ops::OptAxes&, bool);
template <Reduction fn, class Class>
void def_reduction(Class& cls, const char* name) {
  cls.def(
      name,
      [name](const Tensor& x, py::handle axis, py::handle dtype, py::handle out, bool keepdims) {
        no_extras(name, dtype, out);
        DeviceScope scope(x.device());
        Call c(name);
        return fn(x, From<ops::OptAxes>::get(c, "axis", axis), keepdims);
      },
      py::arg("axis") = py::none(), py::arg("dtype") = py::none(), py::arg("out") = py::none(),
      py::arg("keepdims") = false);
}
using Spread = Tensor (*)(const Tensor&, const ops::OptAxes&, double, bool);
template <Spread fn, class Class>
void def_spread(Class& cls, const char* name) {
  cls.def(
      name,
      [name](const Tensor& x, py::handle axis, py::handle dtype, py::handle out, double ddof, bool keepdims) {
        no_extras(name, dtype, out);
        DeviceScope scope(x.device());
        Call c(name);
        return fn(x, From<ops::OptAxes>::get(c, "axis", axis), ddof, keepdims);
      },
      py::arg("axis") = py::none(), py::arg("dtype") = py::none(), py::arg("out") = py::none(),
      py::arg("ddof") = 0.0, py::arg("keepdims") = false);
}
using ArgReduction = Tensor (*)(const Tensor&, std::optional<int64_t>, bool);
template <ArgReduction fn, class Class>
void def_arg_reduction(Class& cls, const char* name) {
  cls.def(
      name,
      [name](const Tensor& x, py::handle axis, py::handle out, bool keepdims) {
        no_extras(name, py::none(), out);
        DeviceScope scope(x.device());
        Call c(name);
        return fn(x, From<std::optional<int64_t>>::get(c, "axis", axis), keepdims);
      },
      py::arg("axis") = py::none(), py::arg("out") = py::none(), py::arg("keepdims") = false);
}

// x.reshape(2, 3) or x.reshape((2, 3))
Shape shape_args(const char* op, const py::args& args) {
  Call c(op);
  if (args.size() == 1) return c.shape("shape", args[0]);
  return c.shape("shape", args);
}

}  // namespace

void bind_tensor(py::module_& m) {
  py::class_<Tensor> cls(
      m, "Tensor",
      "An array that ops can be recorded on.\n\n"
      "Made with pylearn.asarray from NumPy arrays (sharing their memory), lists and numbers. Ops follow "
      "NumPy's broadcasting and type promotion; Python numbers take the type of the array beside them.");
  cls.def(py::init([](py::handle x, py::handle dtype) { return as_tensor(x, dtype, false); }), py::arg("x"),
          py::arg("dtype") = py::none());
  m.def("asarray", &as_tensor, py::arg("x"), py::arg("dtype") = py::none(), py::arg("copy") = false,
        "A Tensor over x's memory where that is possible, else over a copy.");

  cls.def_property_readonly("shape", [](const Tensor& t) { return shape_tuple(t.shape()); });
  cls.def_property_readonly(
      "strides",
      [](const Tensor& t) {
        py::list out;
        for (int64_t s : t.strides()) out.append(s * static_cast<int64_t>(itemsize(t.dtype())));
        return py::tuple(out);
      },
      "Bytes from one element to the next along each axis.");
  cls.def_property_readonly("dtype", [](const Tensor& t) { return numpy_dtype(t.dtype()); });
  cls.def_property_readonly("ndim", [](const Tensor& t) { return t.ndim(); });
  cls.def_property_readonly("size", [](const Tensor& t) { return t.size(); });
  cls.def_property_readonly("nbytes", [](const Tensor& t) { return t.nbytes(); });
  cls.def_property_readonly("device", [](const Tensor& t) { return device_name(t.device()); });
  cls.def_property_readonly("readonly", [](const Tensor& t) { return t.readonly(); });
  cls.def_property_readonly("T", on_own_device(+[](const Tensor& t) { return ops::transpose(t); }));
  cls.def_property_readonly("mT", on_own_device(+[](const Tensor& t) {
                              if (t.ndim() < 2)
                                raise<ValueError>("[mT] needs at least two dimensions, not ", t.shape());
                              return ops::swap_last(t);
                            }));
  cls.def_property(
      "name", [](const Tensor& t) { return t.impl()->name; },
      [](const Tensor& t, std::string name) { t.impl()->name = std::move(name); });

  cls.def("numpy", reading("numpy()", [](const Tensor& t) { return to_numpy(t); }),
          "A NumPy view of the same memory; a copy of what lies on a device.");
  cls.def("item", &item, "The one element as a Python number.");
  cls.def("tolist",
          reading("tolist()", [](const Tensor& t) -> py::object { return to_numpy(t).attr("tolist")(); }));
  cls.def(
      "__array__",
      [](const Tensor& t, py::handle dtype, py::handle copy) -> py::object {
        note_read("__array__()");
        py::object a = to_numpy(t);
        bool must_copy = copy.ptr() == Py_True, must_not = copy.ptr() == Py_False;
        if (!dtype.is_none() &&
            !py::object(a.attr("dtype")).equal(py::module_::import("numpy").attr("dtype")(dtype))) {
          if (must_not)
            raise<ValueError>("[__array__] argument 'copy' is False, but another dtype needs a copy");
          return a.attr("astype")(dtype);
        }
        return must_copy ? a.attr("copy")() : a;
      },
      py::arg("dtype") = py::none(), py::arg("copy") = py::none());
  cls.def(
      "to",
      [](const Tensor& t, py::handle device) { return ops::to_device(t, device_of("to", "device", device)); },
      py::arg("device"));
  cls.def("astype", on_own_device(+[](const Tensor& t, py::handle dtype) {
            return ops::cast(t, Call("astype").dtype("dtype", dtype));
          }),
          py::arg("dtype"));
  def_method(cls, "copy", [](const Tensor& t) { return ops::copy(t); });
  def_method(cls, "__copy__", [](const Tensor& t) { return ops::copy(t); });
  def_method(cls, "__deepcopy__", [](const Tensor& t, py::handle) {
    Tensor c = ops::copy(t.detach());
    c.impl()->name = t.impl()->name;
    return c;
  });
  cls.def(py::pickle([](const Tensor& t) { return py::make_tuple(to_numpy(t), t.impl()->name); },
                     [](const py::tuple& state) {
                       Tensor t = as_tensor(state[0], py::none(), true);
                       t.impl()->name = state[1].cast<std::string>();
                       return t;
                     }));
  cls.def("backward", [](const Tensor&) {
    raise<RuntimeError>(
        "Tensors keep no gradients: write the loss as a function and call "
        "pylearn.value_and_grad(fn)(...), which returns the loss and its gradients");
  });

  def_method(cls, "reshape",
             [](const Tensor& t, const py::args& a) { return ops::reshape(t, shape_args("reshape", a)); });
  def_method(cls, "ravel", [](const Tensor& t) { return ops::reshape(t, {t.size()}); });
  def_method(cls, "flatten", [](const Tensor& t) { return ops::copy(ops::reshape(t, {t.size()})); });
  def_method(cls, "transpose", [](const Tensor& t, const py::args& a) {
    if (a.empty() || (a.size() == 1 && a[0].is_none())) return ops::transpose(t);
    return ops::transpose(t, shape_args("transpose", a));
  });
  cls.def("squeeze", on_own_device(+[](const Tensor& t, py::handle axis) {
            Call c("squeeze");
            return ops::squeeze(t, From<ops::OptAxes>::get(c, "axis", axis));
          }),
          py::arg("axis") = py::none());
  def_reduction<ops::sum>(cls, "sum");
  def_reduction<ops::mean>(cls, "mean");
  def_reduction<ops::prod>(cls, "prod");
  def_reduction<ops::max>(cls, "max");
  def_reduction<ops::min>(cls, "min");
  def_reduction<ops::any>(cls, "any");
  def_reduction<ops::all>(cls, "all");
  def_spread<ops::var>(cls, "var");
  def_spread<ops::std>(cls, "std");
  def_arg_reduction<ops::argmax>(cls, "argmax");
  def_arg_reduction<ops::argmin>(cls, "argmin");

  def_operator<ops::add>(cls, "__add__", "__radd__");
  def_operator<ops::subtract>(cls, "__sub__", "__rsub__");
  def_operator<ops::multiply>(cls, "__mul__", "__rmul__");
  def_operator<ops::divide>(cls, "__truediv__", "__rtruediv__");
  def_operator<ops::floor_divide>(cls, "__floordiv__", "__rfloordiv__");
  def_operator<ops::remainder>(cls, "__mod__", "__rmod__");
  def_operator<ops::power>(cls, "__pow__", "__rpow__");
  def_operator<ops::matmul>(cls, "__matmul__", "__rmatmul__");
  def_operator<ops::equal>(cls, "__eq__");
  def_operator<ops::not_equal>(cls, "__ne__");
  def_operator<ops::less>(cls, "__lt__");
  def_operator<ops::less_equal>(cls, "__le__");
  def_operator<ops::greater>(cls, "__gt__");
  def_operator<ops::greater_equal>(cls, "__ge__");
  def_operator<ops::logical_and>(cls, "__and__", "__rand__");
  def_operator<ops::logical_or>(cls, "__or__", "__ror__");
  def_operator<ops::logical_xor>(cls, "__xor__", "__rxor__");
  def_method(cls, "__neg__", [](const Tensor& t) { return ops::negative(t); });
  def_method(cls, "__pos__", [](const Tensor& t) { return t; });
  def_method(cls, "__abs__", [](const Tensor& t) { return ops::abs(t); });
  def_method(cls, "__invert__", [](const Tensor& t) {
    if (t.dtype() != DType::boolean)
      raise<TypeError>("[invert] ~ needs a bool Tensor, not ", dtype_name(t.dtype()));
    return ops::logical_not(t);
  });
  cls.def("__hash__", [](const Tensor& t) { return reinterpret_cast<intptr_t>(t.impl()) >> 4; });

  def_method(cls, "__getitem__", [](const Tensor& t, py::handle key) { return get_item(t, key); });
  def_method(cls, "__setitem__",
             [](const Tensor& t, py::handle key, py::handle value) { set_item(t, key, value); });
  cls.def("__len__", [](const Tensor& t) {
    if (t.ndim() == 0) raise<TypeError>("a Tensor without dimensions has no len()");
    return t.shape()[0];
  });
  def_method(cls, "__iter__", [](const Tensor& t) -> py::iterator {
    if (t.ndim() == 0) raise<TypeError>("a Tensor without dimensions cannot be iterated over");
    py::list rows;
    for (int64_t i = 0; i < t.shape()[0]; ++i) rows.append(get_item(t, py::int_(i)));
    return py::iter(rows);
  });
  cls.def("__bool__", [](const Tensor& t) {
    if (t.size() != 1)
      raise<ValueError>("the truth of a Tensor with ", t.size(),
                        " elements is ambiguous: use .any() or .all()");
    return py::bool_(item(t)).cast<bool>();
  });
  cls.def("__float__", [](const Tensor& t) { return py::float_(item(t)); });
  cls.def("__int__", [](const Tensor& t) { return py::int_(item(t)); });
  cls.def("__index__", [](const Tensor& t) {
    if (!is_integer(t.dtype()))
      raise<TypeError>("only an integer Tensor can be an index, not ", dtype_name(t.dtype()));
    return py::int_(item(t));
  });
  cls.def("__repr__", &represent);
  cls.def("__format__", [](const Tensor& t, const std::string& spec) -> py::object {
    if (t.ndim() == 0 && !spec.empty()) return py::str(item(t).attr("__format__")(spec));
    return py::str(represent(t));
  });
  cls.attr("__array_priority__") = 1000;

  m.def(
      "logits_of",
      [](const Tensor& t) -> py::object {
        if (t.impl()->head == TensorImpl::Head::none) return py::none();
        return py::make_tuple(Tensor(t.impl()->logits),
                              t.impl()->head == TensorImpl::Head::softmax ? "softmax" : "sigmoid");
      },
      py::arg("y"), "(logits, 'softmax' or 'sigmoid') when y is that function's own output, else None.");
}

}  // namespace pl
