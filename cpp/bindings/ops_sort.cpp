// Sorting, and elements by their positions.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/sort.h"

namespace pl {

struct Side {
  std::string name;
};
template <>
struct From<Side> {
  static Side get(Call& c, const char* what, py::handle h) { return {c.text(what, h)}; }
};

namespace {
Tensor searchsorted(const Tensor& sorted, const Tensor& values, const Side& side) {
  return ops::searchsorted(sorted, values, side.name);
}
}  // namespace

void bind_sort(py::module_& m) {
  const std::vector<Param> along{"x", {"axis", -1}, {"descending", false}};
  def_op(m, "sort", ops::sort, along,
         "Sorted along the axis, or flat with None; NaN counts as the largest. Stable.");
  def_op(m, "argsort", ops::argsort, along,
         "The positions that sort x along the axis; equal elements stay in order.");
  def_op(m, "topk", ops::topk, {"x", "k", {"axis", -1}},
         "(values, positions) of the k largest along the axis, the largest first, of equal ones the first.");
  def_op(m, "searchsorted", pl::searchsorted, {"sorted", "values", {"side", "left"}},
         "Where values belong in a sorted array: before equal elements ('left') or after them ('right').");
  def_op(m, "take_along_axis", ops::take_along_axis, {"x", "indices", {"axis", -1}},
         "Elements by position along the axis, each line with positions of its own.");
  def_op(
      m, "bincount", ops::bincount, {"x", {"weights", None}, {"length", None}},
      "How often each id below `length` occurs, or the sum of its weights; up to the largest id by default.");
}

}  // namespace pl
