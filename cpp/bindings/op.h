// The op table of the module: def_op(m, "softmax", &ops::softmax, {{"x"}, {"axis", -1}}, "doc") makes one function.
//
// Arguments are parsed here rather than by pybind11's overloads, so that each error names the op and the argument.
#pragma once
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "bindings/convert.h"
#include "ops/common.h"

namespace pl {

struct NoneTag {};
inline constexpr NoneTag None;

// An argument that the op changes in place.
struct Written {
  const char* name;
};

struct Param {
  Param(Written w) : name(w.name), written(true) {}
  Param(Written w, NoneTag) : name(w.name), fallback(py::none()), optional(true), written(true) {}
  Param(const char* name) : name(name) {}
  Param(const char* name, NoneTag) : name(name), fallback(py::none()), optional(true) {}
  template <class T>
  Param(const char* name, T fallback) : name(name), fallback(py::cast(fallback)), optional(true) {}
  const char* name;
  py::object fallback;
  bool optional = false;
  bool written = false;
};

enum class Out { none, yes };  // does the op take out= ?

struct OpEntry {
  using Invoke = PyObject* (*)(const OpEntry&, PyObject* const* values, PyObject* out);
  std::string name, doc;
  std::vector<Param> params;
  bool has_out;
  Invoke invoke;
  void (*fn)();
  PyMethodDef method;
};

// Makes the builtin function and adds it to the module; the entry lives as long as the process.
void add_op(py::module_& m, OpEntry* entry);

namespace detail {
template <class R, class... A, size_t... I>
PyObject* invoke(const OpEntry& e, PyObject* const* v, PyObject* out, std::index_sequence<I...>) {
  Call call(e.name.c_str());
  call.look(v, e.params.size());
  call.keep_inputs = out && out != Py_None;
  for (size_t i = 0; i < e.params.size(); ++i)
    if (e.params[i].written && v[i] != Py_None) call.in_place(e.params[i].name, v[i]);
  auto fn = reinterpret_cast<R (*)(A...)>(e.fn);
  std::tuple<std::decay_t<A>...> a{From<std::decay_t<A>>::get(call, e.params[I].name, v[I])...};
  if constexpr (std::is_void_v<R>) {
    std::apply(fn, a);
    return py::none().release().ptr();
  } else if constexpr (std::is_same_v<R, Tensor>) {
    ops::OptTensor target;
    if (out && out != Py_None) {
      call.in_place("out", out);
      bool tensors = call.any_tensor;
      call.keep_inputs = false;
      target = call.tensor("out", out);
      call.any_tensor = tensors;
      ops::OutScope scope(e.name.c_str(), target, call.inputs);
      scope.finish(std::apply(fn, a));
      return py::reinterpret_borrow<py::object>(out).release().ptr();
    }
    return call.wrap(std::apply(fn, a)).release().ptr();
  } else {
    return call.wrap(std::apply(fn, a)).release().ptr();
  }
}
}  // namespace detail

template <class R, class... A>
void def_op(py::module_& m, const char* name, R (*fn)(A...), std::vector<Param> params, const char* doc,
            Out out = std::is_same_v<R, Tensor> ? Out::yes : Out::none) {
  auto* e = new OpEntry{name,
                        doc,
                        std::move(params),
                        out == Out::yes,
                        [](const OpEntry& entry, PyObject* const* v, PyObject* o) {
                          return detail::invoke<R, A...>(entry, v, o, std::index_sequence_for<A...>{});
                        },
                        reinterpret_cast<void (*)()>(fn),
                        {}};
  if (e->params.size() != sizeof...(A))
    throw std::logic_error(std::string(name) + ": wrong number of parameters");
  add_op(m, e);
}

}  // namespace pl
