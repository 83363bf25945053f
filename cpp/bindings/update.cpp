// The fused optimizer update, for pylearn/optimizers.
#include "ops/update.h"

#include "bindings/convert.h"
#include "bindings/module.h"

#include <pybind11/stl.h>

namespace pl {
namespace {

Clip clip_of(const std::string& name) {
  if (name == "value") return Clip::value;
  if (name == "norm") return Clip::norm;
  if (name == "global_norm") return Clip::global_norm;
  raise<ValueError>("[Update] argument 'hyper' has clip '", name,
                    "'; it must be 'value', 'norm' or 'global_norm'");
}

UpdateRule rule(const std::string& kind, const py::dict& hyper) {
  UpdateRule r;
  OptimHyper& h = r.hyper;
  h.rule = optim_rule(kind);
  const std::pair<const char*, double*> numbers[] = {
      {"momentum", &h.momentum}, {"rho", &h.rho},         {"beta_1", &h.beta_1},   {"beta_2", &h.beta_2},
      {"epsilon", &h.epsilon},   {"initial", &r.initial}, {"clip_at", &r.clip_at}, {"ema", &r.ema}};
  const std::pair<const char*, bool*> flags[] = {{"nesterov", &h.nesterov},
                                                 {"amsgrad", &h.amsgrad},
                                                 {"centered", &h.centered},
                                                 {"decoupled", &h.decoupled},
                                                 {"averages", &r.averages}};
  const std::pair<const char*, int64_t*> counts[] = {{"accumulate", &r.accumulate},
                                                     {"overwrite", &r.overwrite}};
  Call c("Update");
  for (auto [key, value] : hyper) {
    const std::string k = key.cast<std::string>();
    bool known = k == "clip";
    if (known) r.clip = clip_of(value.cast<std::string>());
    for (auto [name, place] : numbers)
      if (k == name) *place = c.real(name, value), known = true;
    for (auto [name, place] : flags)
      if (k == name) *place = c.boolean(name, value), known = true;
    for (auto [name, place] : counts)
      if (k == name) *place = c.integer(name, value), known = true;
    if (!known) raise<ValueError>("[Update] argument 'hyper' has an unknown key '", k, "'");
  }
  if (r.clip != Clip::none && !(r.clip_at > 0))
    raise<ValueError>("[Update] argument 'clip_at' must be positive, not ", r.clip_at);
  if (r.accumulate < 1)
    raise<ValueError>("[Update] argument 'accumulate' must be at least 1, not ", r.accumulate);
  if (r.overwrite < 0)
    raise<ValueError>("[Update] argument 'overwrite' must not be negative, got ", r.overwrite);
  return r;
}

// The class Python sees; the parameters' Python objects are kept as given.
struct PyUpdate {
  PyUpdate(const std::string& kind, const py::iterable& params, const py::dict& hyper) {
    std::vector<Tensor> ts;
    for (py::handle p : params) {
      if (!is_tensor(p))
        raise<TypeError>("[Update] argument 'params' must hold Tensors, not ", Py_TYPE(p.ptr())->tp_name);
      ts.push_back(p.cast<Tensor&>());
    }
    DeviceScope scope(ts.empty() ? current_device() : ts[0].device());
    update = make<Update>(rule(kind, hyper), ts);
  }
  Device device() const { return update->params()[0].device(); }
  Ref<Update> update;
};

// fn(name such as "m/0", tensor) for the slots of every parameter.
template <class Fn>
void each_slot(const Update& u, const Fn& fn) {
  for (size_t i = 0; i < u.slot_names().size(); ++i)
    for (size_t j = 0; j < u.params().size(); ++j)
      fn(std::string(u.slot_names()[i]) + "/" + std::to_string(j), u.slot(i)[j]);
}

}  // namespace

void bind_update(py::module_& m) {
  py::class_<PyUpdate>(m, "Update",
                       "One fused optimizer update of many parameters (kind 'sgd', 'adam', 'adagrad', ...). "
                       "Construction moves the "
                       "parameters into one arena; gradients are written to .grads; .apply() is one launch.")
      .def(py::init<const std::string&, const py::iterable&, const py::dict&>(), py::arg("kind"),
           py::arg("params"), py::arg("hyper") = py::dict())
      .def_property_readonly("grads", [](const PyUpdate& u) { return u.update->grads(); })
      .def_property_readonly("slots",
                             [](const PyUpdate& u) {
                               py::dict d;
                               for (size_t i = 0; i < u.update->slot_names().size(); ++i)
                                 d[u.update->slot_names()[i]] = u.update->slot(i);
                               return d;
                             })
      .def_property(
          "rate", [](PyUpdate& u) { return u.update->scalars().rate; },
          [](PyUpdate& u, double v) { u.update->set(&OptimScalars::rate, v); })
      .def_property(
          "step", [](PyUpdate& u) { return u.update->scalars().step; },
          [](PyUpdate& u, int64_t v) { u.update->set(&OptimScalars::step, v); })
      .def_property(
          "skipped", [](PyUpdate& u) { return u.update->scalars().skipped; },
          [](PyUpdate& u, int64_t v) { u.update->set(&OptimScalars::skipped, v); })
      .def_property(
          "waiting", [](PyUpdate& u) { return u.update->scalars().waiting; },
          [](PyUpdate& u, int64_t v) { u.update->set(&OptimScalars::waiting, v); })
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
            DeviceScope scope(u.device());
            Call c("Update.apply");
            u.update->apply(loss.is_none() ? Tensor() : c.tensor("loss", loss));
          },
          py::arg("loss") = py::none(),
          "Update every parameter from .grads; skipped when a gradient or loss is not finite.")
      .def(
          "state",
          [](PyUpdate& u) {
            DeviceScope scope(u.device());
            py::dict d;
            d["step"] = u.update->scalars().step;
            d["rate"] = u.update->scalars().rate;
            if (u.update->accumulates()) d["waiting"] = u.update->scalars().waiting;
            each_slot(*u.update, [&](const std::string& key, const Tensor& slot) {
              d[py::str(key)] = to_numpy(ops::copy(slot));
            });
            return d;
          },
          "Copies: step, rate, with accumulation the gradients waiting, and each slot as 'm/0', ...")
      .def(
          "load_state",
          [](PyUpdate& u, const py::dict& d) {
            DeviceScope scope(u.device());
            Call c("Update.load_state");
            auto get = [&](const std::string& key) {
              if (!d.contains(key))
                raise<ValueError>("[Update.load_state] argument 'state' lacks '", key, "'");
              return py::object(d[py::str(key)]);
            };
            each_slot(*u.update, [&](const std::string& key, const Tensor& slot) {
              Tensor value = c.tensor(key.c_str(), get(key));
              if (!(value.shape() == slot.shape()))
                raise<ValueError>("[Update.load_state] '", key, "' has shape ", value.shape(), ", expected ",
                                  slot.shape());
              ops::assign(slot, value);
            });
            if (u.update->accumulates())
              u.update->set(&OptimScalars::waiting, c.integer("waiting", get("waiting")));
            u.update->set(&OptimScalars::step, c.integer("step", get("step")));
            u.update->set(&OptimScalars::rate, c.real("rate", get("rate")));
          },
          py::arg("state"));
}

}  // namespace pl
