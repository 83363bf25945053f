#include "bindings/indexing.h"

#include <algorithm>

#include "autograd/tape.h"
#include "core/capture.h"

namespace pl {
namespace {

bool is_plain_int(py::handle h) {
  return PyIndex_Check(h.ptr()) && !PyBool_Check(h.ptr()) && !is_tensor(h) && !py::isinstance<py::array>(h);
}

bool is_basic(py::handle h) {
  return PySlice_Check(h.ptr()) || h.is_none() || h.ptr() == Py_Ellipsis || is_plain_int(h);
}

// A key as one entry for each axis, the ellipsis spelled out. Boolean arrays become arrays of positions.
struct Key {
  std::vector<py::object> items;  // slice, int, None or an integer array
  bool advanced = false;
};

Key parse(const Tensor& x, py::handle key) {
  std::vector<py::object> given;
  if (PyTuple_Check(key.ptr()))
    for (py::handle h : py::reinterpret_borrow<py::tuple>(key))
      given.push_back(py::reinterpret_borrow<py::object>(h));
  else
    given.push_back(py::reinterpret_borrow<py::object>(key));
  Key k;
  int used = 0, ellipsis = -1;
  py::module_ numpy = py::module_::import("numpy");
  for (py::object& item : given) {
    if (item.ptr() == Py_Ellipsis) {
      if (ellipsis >= 0) raise<IndexError>("[getitem] only one ellipsis (...) is allowed");
      ellipsis = static_cast<int>(k.items.size());
      continue;
    }
    if (is_basic(item)) {
      if (!item.is_none()) ++used;
      k.items.push_back(item);
      continue;
    }
    if (PyUnicode_Check(item.ptr()) || PyFloat_Check(item.ptr()))
      raise<IndexError>(
          "[getitem] indices must be integers, slices, None, ... or integer or boolean arrays, not ",
          Py_TYPE(item.ptr())->tp_name);
    k.advanced = true;
    if (is_tensor(item)) {
      const Tensor& t = item.cast<Tensor&>();
      if (t.dtype() != DType::boolean) {
        k.items.push_back(item);
        ++used;
        continue;
      }
      note_read("a boolean index");
    }
    py::array a = py::reinterpret_borrow<py::array>(
        is_tensor(item) ? py::object(to_numpy(item.cast<Tensor&>())) : numpy.attr("asarray")(item));
    if (a.dtype().kind() == 'b') {
      for (py::ssize_t d = 0; d < a.ndim(); ++d)
        if (used + d >= x.ndim() || a.shape(d) != x.shape()[used + static_cast<int>(d)])
          raise<IndexError>("[getitem] the boolean index does not match the shape ", x.shape());
      if (a.ndim() == 0) raise<IndexError>("[getitem] a single True or False is not an index");
      for (py::handle axis : py::tuple(a.attr("nonzero")()))
        k.items.push_back(py::reinterpret_borrow<py::object>(axis));
      used += static_cast<int>(a.ndim());
    } else {
      if (a.size() == 0 && a.dtype().kind() == 'f') a = py::array(a.attr("astype")("int64"));
      if (a.dtype().kind() != 'i' && a.dtype().kind() != 'u')
        raise<IndexError>("[getitem] index arrays must be integers or booleans, not ",
                          py::str(a.dtype()).cast<std::string>());
      k.items.push_back(a);
      ++used;
    }
  }
  if (used > x.ndim())
    raise<IndexError>("[getitem] too many indices: ", used, " for an array of ", x.ndim(), " dimension",
                      x.ndim() == 1 ? "" : "s");
  py::object everything = py::slice(py::none{}, py::none{}, py::none{});
  auto at = ellipsis < 0 ? k.items.end() : k.items.begin() + ellipsis;
  k.items.insert(at, static_cast<size_t>(x.ndim() - used), everything);
  return k;
}

// The basic part: ints and slices as one view. `arrays` gets the axis (in the result) of every array.
Tensor basic(const Tensor& x, const Key& k, std::vector<int>& arrays) {
  Call c("getitem");
  Shape start, stop, step;
  std::vector<int> drop, fresh;
  int axis = 0, out = 0;
  for (const py::object& item : k.items) {
    if (item.is_none()) {
      fresh.push_back(out++);
      continue;
    }
    int64_t n = x.shape()[axis];
    if (is_plain_int(item)) {
      int64_t i = c.integer("index", item), j = i < 0 ? i + n : i;
      if (j < 0 || j >= n)
        raise<IndexError>("[getitem] index ", i, " is out of range for axis ", axis, " of ", x.shape());
      start.push_back(j);
      stop.push_back(j + 1);
      step.push_back(1);
      drop.push_back(axis);
    } else if (PySlice_Check(item.ptr())) {
      Py_ssize_t a, b, s;
      if (PySlice_Unpack(item.ptr(), &a, &b, &s) < 0) throw py::error_already_set();
      PySlice_AdjustIndices(n, &a, &b, s);
      start.push_back(a);
      stop.push_back(b);
      step.push_back(s);
      ++out;
    } else {
      start.push_back(0);
      stop.push_back(n);
      step.push_back(1);
      arrays.push_back(out++);
    }
    ++axis;
  }
  Tensor y = ops::slice(x, start, stop, step);
  if (!drop.empty()) {
    Axes axes;
    for (int d : drop) axes.push_back(d);
    y = ops::squeeze(y, axes);
  }
  for (int f : fresh) y = ops::expand_dims(y, f);
  return y;
}

// Positions in [-n, n) to positions in [0, n), checked.
Tensor normalized(const Tensor& ids, int64_t n) {
  Tensor range = empty_host({n}, DType::int64);
  auto* p = reinterpret_cast<int64_t*>(range.impl()->data);
  for (int64_t i = 0; i < n; ++i) p[i] = i;
  return ops::take(here(range), ids, 0);
}

Tensor gather(Tensor y, const Key& k, const std::vector<int>& axes) {
  Call c("getitem");
  std::vector<Tensor> ids;
  for (const py::object& item : k.items)
    if (!item.is_none() && !PySlice_Check(item.ptr()) && !is_plain_int(item))
      ids.push_back(c.tensor("index", item));
  if (ids.size() == 1) return ops::take(y, ids[0], axes[0]);
  bool neighbours = axes.back() - axes[0] == static_cast<int>(axes.size()) - 1;
  int first = axes[0];
  if (!neighbours) {
    Axes order;
    for (int a : axes) order.push_back(a);
    for (int i = 0; i < y.ndim(); ++i)
      if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
    y = ops::transpose(y, order);
    first = 0;
  }
  Shape shape;
  int64_t merged = 1;
  for (int i = 0; i < y.ndim(); ++i) {
    bool inside = i >= first && i < first + static_cast<int>(ids.size());
    if (!inside)
      shape.push_back(y.shape()[i]);
    else if ((merged *= y.shape()[i], i == first))
      shape.push_back(0);
  }
  shape[first] = merged;
  Tensor flat;
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t n = y.shape()[first + static_cast<int>(i)];
    Tensor part = normalized(ids[i], n);
    flat = flat.defined() ? ops::add(ops::multiply(flat, scalar_int(n, DType::int64)), part) : part;
  }
  return ops::take(ops::reshape(y, shape), flat, first);
}

}  // namespace

namespace {
// NumPy's rule: beside index arrays integers are index arrays too. It shows when a slice or None stands between them:
// then the indexed axis comes first.
void promote_separated_ints(Key& k) {
  ptrdiff_t first = -1, last = -1, count = 0;
  for (size_t i = 0; i < k.items.size(); ++i) {
    if (k.items[i].is_none() || PySlice_Check(k.items[i].ptr())) continue;
    if (first < 0) first = static_cast<ptrdiff_t>(i);
    last = static_cast<ptrdiff_t>(i);
    ++count;
  }
  if (last - first + 1 == count) return;
  py::object asarray = py::module_::import("numpy").attr("asarray");
  for (py::object& item : k.items)
    if (is_plain_int(item)) item = asarray(item, "int64");
}
}  // namespace

Tensor get_item(const Tensor& x, py::handle key) {
  Key k = parse(x, key);
  if (k.advanced) promote_separated_ints(k);
  std::vector<int> arrays;
  Tensor y = basic(x, k, arrays);
  if (!k.advanced) return y;
  return gather(y, k, arrays);
}

void set_item(const Tensor& x, py::handle key, py::handle value) {
  Key k = parse(x, key);
  Call c("setitem");
  if (x.readonly()) raise<ValueError>("[setitem] the array is read-only");
  if (!k.advanced) {
    std::vector<int> arrays;
    bool outside = set_no_grad(true);
    Tensor view;
    try {
      view = basic(x, k, arrays);
    } catch (...) {
      set_no_grad(outside);
      throw;
    }
    set_no_grad(outside);
    if (x.has_node() && grad_enabled())
      raise<ValueError>("[setitem] argument 'x' cannot be changed in place while gradients flow through it");
    Tensor v = c.tensor("value", value);
    ops::assign(view, v.weak() ? ops::cast(v, x.dtype()) : v);
    return;
  }
  if (x.has_node() && grad_enabled())
    raise<ValueError>("[setitem] argument 'x' cannot be changed in place while gradients flow through it");
  note_read("assignment to an index array");
  py::tuple items(k.items.size());
  for (size_t i = 0; i < k.items.size(); ++i)
    items[i] = is_tensor(k.items[i]) ? py::object(to_numpy(k.items[i].cast<Tensor&>())) : k.items[i];
  py::object v = is_tensor(value) ? py::object(to_numpy(value.cast<Tensor&>()))
                                  : py::reinterpret_borrow<py::object>(value);
  x.write();
  if (x.device() == Device::cpu) {
    to_numpy(x)[items] = v;
    return;
  }
  py::array changed = to_numpy(x);
  changed[items] = v;
  ops::assign(x, c.tensor("value", changed));
}

}  // namespace pl
