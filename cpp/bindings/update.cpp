// The fused optimizer update, for pylearn/optimizers.
#include "ops/update.h"

#include "bindings/convert.h"
#include "bindings/module.h"

#include <pybind11/stl.h>

namespace pl {
namespace {

UpdateRule rule(const std::string& kind, const py::dict& hyper) {
  UpdateRule r;
  if (kind == "adam")
    r.kind = UpdateRule::adam;
  else if (kind != "sgd")
    raise<ValueError>("[Update] argument 'kind' must be 'sgd' or 'adam', not '", kind, "'");
  Call c("Update");
  for (auto [key, value] : hyper) {
    std::string k = key.cast<std::string>();
    if (k == "momentum")
      r.momentum = c.real("momentum", value);
    else if (k == "nesterov")
      r.nesterov = c.boolean("nesterov", value);
    else if (k == "decoupled")
      r.decoupled = c.boolean("decoupled", value);
    else if (k == "beta_1")
      r.beta_1 = c.real("beta_1", value);
    else if (k == "beta_2")
      r.beta_2 = c.real("beta_2", value);
    else if (k == "epsilon")
      r.epsilon = c.real("epsilon", value);
    else
      raise<ValueError>("[Update] argument 'hyper' has an unknown key '", k, "'");
  }
  return r;
}

const char* slot_name(const UpdateRule::Kind kind, int i) {
  return kind == UpdateRule::sgd ? "momentum" : i == 0 ? "m" : "v";
}

// The class Python sees; the parameters' Python objects are kept as given.
struct PyUpdate {
  PyUpdate(const std::string& kind, const py::iterable& params, const py::dict& hyper)
      : rule(pl::rule(kind, hyper)) {
    std::vector<Tensor> ts;
    for (py::handle p : params) {
      if (!is_tensor(p))
        raise<TypeError>("[Update] argument 'params' must hold Tensors, not ", Py_TYPE(p.ptr())->tp_name);
      ts.push_back(p.cast<Tensor&>());
    }
    update = make<Update>(rule, ts);
  }
  UpdateRule rule;
  Ref<Update> update;
};

}  // namespace

void bind_update(py::module_& m) {
  py::class_<PyUpdate>(
      m, "Update",
      "One fused optimizer update of many parameters (kind 'sgd' or 'adam'). Construction moves the "
      "parameters into one arena; gradients are written to .grads; .apply() is one launch.")
      .def(py::init<const std::string&, const py::iterable&, const py::dict&>(), py::arg("kind"),
           py::arg("params"), py::arg("hyper") = py::dict())
      .def_property_readonly("grads", [](const PyUpdate& u) { return u.update->grads(); })
      .def_property_readonly("slots",
                             [](const PyUpdate& u) {
                               py::dict d;
                               for (int i = 0; i < u.update->slot_count(); ++i)
                                 d[slot_name(u.rule.kind, i)] = u.update->slot(i);
                               return d;
                             })
      .def_property(
          "rate", [](PyUpdate& u) { return u.update->scalars().rate; },
          [](PyUpdate& u, double v) { u.update->scalars().rate = v; })
      .def_property(
          "step", [](PyUpdate& u) { return u.update->scalars().step; },
          [](PyUpdate& u, int64_t v) { u.update->scalars().step = v; })
      .def_property(
          "skipped", [](PyUpdate& u) { return u.update->scalars().skipped; },
          [](PyUpdate& u, int64_t v) { u.update->scalars().skipped = v; })
      .def_property_readonly("finite", [](PyUpdate& u) { return u.update->scalars().finite != 0; })
      .def(
          "set_segment",
          [](PyUpdate& u, size_t i, double rate, double decay, bool frozen) {
            u.update->set_segment(i, rate, decay, frozen);
          },
          py::arg("i"), py::arg("rate") = 1.0F, py::arg("decay") = 0.0F, py::arg("frozen") = false)
      .def(
          "apply",
          [](PyUpdate& u, py::handle loss) {
            Call c("Update.apply");
            u.update->apply(loss.is_none() ? Tensor() : c.tensor("loss", loss));
          },
          py::arg("loss") = py::none(),
          "Update every parameter from .grads; skipped when a gradient or loss is not finite.")
      .def(
          "state",
          [](PyUpdate& u) {
            py::dict d;
            d["step"] = u.update->scalars().step;
            d["rate"] = u.update->scalars().rate;
            for (int i = 0; i < u.update->slot_count(); ++i)
              for (size_t j = 0; j < u.update->params().size(); ++j)
                d[py::str(std::string(slot_name(u.rule.kind, i)) + "/" + std::to_string(j))] =
                    to_numpy(ops::copy(u.update->slot(i)[j]));
            return d;
          },
          "Copies: step, rate, and each slot as 'm/0', ...")
      .def(
          "load_state",
          [](PyUpdate& u, const py::dict& d) {
            Call c("Update.load_state");
            auto get = [&](const std::string& key) {
              if (!d.contains(key))
                raise<ValueError>("[Update.load_state] argument 'state' lacks '", key, "'");
              return py::object(d[py::str(key)]);
            };
            for (int i = 0; i < u.update->slot_count(); ++i)
              for (size_t j = 0; j < u.update->params().size(); ++j) {
                std::string key = std::string(slot_name(u.rule.kind, i)) + "/" + std::to_string(j);
                Tensor value = c.tensor(key.c_str(), get(key));
                if (!(value.shape() == u.update->slot(i)[j].shape()))
                  raise<ValueError>("[Update.load_state] '", key, "' has shape ", value.shape(),
                                    ", expected ", u.update->slot(i)[j].shape());
                ops::assign(u.update->slot(i)[j], value);
              }
            u.update->scalars().step = c.integer("step", get("step"));
            u.update->scalars().rate = c.real("rate", get("rate"));
          },
          py::arg("state"));
}

}  // namespace pl
