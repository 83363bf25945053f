// The argument 'generator' of what draws: None is the default one.
#pragma once
#include "bindings/convert.h"
#include "ops/random.h"

namespace pl {

struct GeneratorState {
  Tensor state;
};
template <>
struct From<GeneratorState> {
  static GeneratorState get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {ops::default_generator()};
    if (!is_tensor(h)) c.bad(what, "a Generator's state", h);
    return {h.cast<Tensor&>()};
  }
};

}  // namespace pl
