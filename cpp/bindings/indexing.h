// x[key] and x[key] = value with NumPy's keys.
#pragma once
#include "bindings/convert.h"

namespace pl {

Tensor get_item(const Tensor& x, py::handle key);
void set_item(const Tensor& x, py::handle key, py::handle value);

}  // namespace pl
