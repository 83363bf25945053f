#include "bindings/op.h"

namespace pl {
namespace {

constexpr size_t kMaxParams = 24;

PyObject* fail(const std::string& message) {
  PyErr_SetString(PyExc_TypeError, message.c_str());
  return nullptr;
}

PyObject* call_op(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* keywords) {
  auto* e = static_cast<const OpEntry*>(PyCapsule_GetPointer(self, nullptr));
  PyObject* values[kMaxParams] = {};
  PyObject* out = nullptr;
  size_t n = e->params.size();
  if (static_cast<size_t>(n_args) > n)
    return fail("[" + e->name + "] takes at most " + std::to_string(n) + " positional arguments, got " +
                std::to_string(n_args));
  for (Py_ssize_t i = 0; i < n_args; ++i) values[i] = args[i];
  Py_ssize_t n_keywords = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < n_keywords; ++k) {
    PyObject* key = PyTuple_GET_ITEM(keywords, k);
    PyObject* value = args[n_args + k];
    size_t i = 0;
    while (i < n && PyUnicode_CompareWithASCIIString(key, e->params[i].name) != 0) ++i;
    if (i < n) {
      if (values[i]) return fail("[" + e->name + "] argument '" + e->params[i].name + "' is given twice");
      values[i] = value;
    } else if (e->has_out && PyUnicode_CompareWithASCIIString(key, "out") == 0) {
      out = value;
    } else {
      std::string known;
      for (const Param& p : e->params) known += (known.empty() ? "" : ", ") + std::string(p.name);
      return fail("[" + e->name + "] has no argument '" + PyUnicode_AsUTF8(key) + "'; it takes " + known +
                  (e->has_out ? ", out" : ""));
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (values[i]) continue;
    if (!e->params[i].optional)
      return fail("[" + e->name + "] argument '" + e->params[i].name + "' is missing");
    values[i] = e->params[i].fallback.ptr();
  }
  try {
    return e->invoke(*e, values, out);
  } catch (...) {
    set_python_error(e->name.c_str());
    return nullptr;
  }
}

}  // namespace

void add_op(py::module_& m, OpEntry* e) {
  if (e->params.size() > kMaxParams) throw std::logic_error(e->name + ": too many parameters");
  std::string signature;
  for (const Param& p : e->params) {
    signature += (signature.empty() ? "" : ", ") + std::string(p.name);
    if (p.optional) signature += "=" + py::repr(p.fallback).cast<std::string>();
  }
  if (e->has_out) signature += ", *, out=None";
  e->doc = e->name + "(" + signature + ")\n--\n\n" + e->doc;  // read by inspect.signature
  e->method = {e->name.c_str(), reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_op)),
               METH_FASTCALL | METH_KEYWORDS, e->doc.c_str()};
  py::capsule self(e);
  py::object module_name = m.attr("__name__");
  m.attr(e->name.c_str()) =
      py::reinterpret_steal<py::object>(PyCFunction_NewEx(&e->method, self.ptr(), module_name.ptr()));
}

}  // namespace pl
