// What pylearn/autograd.py is made of.
#include "autograd/tape.h"

#include "bindings/convert.h"
#include "bindings/module.h"

#include <pybind11/stl.h>

namespace pl {
namespace {

std::vector<Tensor> tensors(const char* op, const char* what, py::handle h) {
  std::vector<Tensor> out;
  if (h.is_none()) return out;
  for (py::handle item : h) {
    if (!is_tensor(item))
      raise<TypeError>("[", op, "] argument '", what, "' must hold Tensors, not ",
                       Py_TYPE(item.ptr())->tp_name);
    out.push_back(item.cast<Tensor&>());
  }
  return out;
}

struct Scope {};
struct NoGrad {
  bool before = false;
};

}  // namespace

void bind_autograd(py::module_& m) {
  py::class_<Scope>(m, "grad_scope", "Context in which ops on watched tensors are recorded; scopes nest.")
      .def(py::init<>())
      .def("__enter__", [](Scope&) { enter_grad(); })
      .def("__exit__", [](Scope&, const py::args&) { exit_grad(); });
  py::class_<NoGrad>(m, "no_grad", "Context in which nothing is recorded for gradients.")
      .def(py::init<>())
      .def("__enter__", [](NoGrad& s) { s.before = set_no_grad(true); })
      .def("__exit__", [](NoGrad& s, const py::args&) { set_no_grad(s.before); });
  m.def("enter_grad", &enter_grad);
  m.def("exit_grad", &exit_grad);
  m.def("grad_enabled", &grad_enabled);
  m.def("watch", &watch, py::arg("t"), "A handle on t's elements to take gradients with respect to.");
  m.def("watch_parameter", &watch_parameter, py::arg("t"),
        "Mark t itself, for good, as something to differentiate by.");
  m.def("detach", &Tensor::detach, py::arg("t"));
  m.def(
      "gradients",
      [](const Tensor& y, py::handle xs, py::handle out, py::handle seed) {
        Call c("grad");
        Tensor s = seed.is_none() ? Tensor() : c.tensor("seed", seed);
        return gradients(y, tensors("grad", "xs", xs), s, tensors("grad", "out", out));
      },
      py::arg("y"), py::arg("xs"), py::arg("out") = py::none(), py::arg("seed") = py::none(),
      "Gradients of y (one number, or weighted by seed) for each x; written into `out` where given.");
}

}  // namespace pl
