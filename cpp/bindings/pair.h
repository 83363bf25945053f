// Reads an argument of two integers: one number for both axes, or two.
#pragma once
#include "bindings/op.h"

namespace pl {

template <>
struct From<ops::Pair> {
  static ops::Pair get(Call& c, const char* what, py::handle h) {
    Shape s = c.shape(what, h);
    if (s.ndim() == 0 || s.ndim() > 2)
      raise<ValueError>("[", c.op, "] argument '", what, "' must be one or two integers");
    return {s[0], s[s.ndim() - 1]};
  }
};

}  // namespace pl
