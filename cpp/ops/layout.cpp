// Shapes: views where strides allow, copies where they do not.
#include <algorithm>
#include <utility>

#include "ops/common.h"

namespace pl::ops {
namespace {

// Marks y as computed from x by a change of shape whose inverse is `back`.
template <class Back>
Tensor recorded(const char* op, const Tensor& x, Tensor y, Back back) {
  record(op, {x}, {y}, [back](Backward& b) { b.set(0, back(b.grad())); });
  return y;
}

// Strides of the same elements under a new shape, if there are any.
bool restride(const Tensor& x, const Shape& shape, Shape& strides) {
  strides.resize(shape.ndim());
  Shape os, ost;
  for (int i = 0; i < x.ndim(); ++i)
    if (x.shape()[i] != 1) {
      os.push_back(x.shape()[i]);
      ost.push_back(x.strides()[i]);
    }
  int oi = 0, oj = 1, ni = 0, nj = 1;
  while (ni < shape.ndim() && oi < os.ndim()) {
    int64_t np = shape[ni], op = os[oi];
    while (np != op) {
      if (np < op)
        np *= shape[nj++];
      else
        op *= os[oj++];
    }
    for (int k = oi; k + 1 < oj; ++k)
      if (ost[k] != os[k + 1] * ost[k + 1]) return false;
    strides[nj - 1] = ost[oj - 1];
    for (int k = nj - 1; k > ni; --k) strides[k - 1] = strides[k] * shape[k];
    ni = nj++;
    oi = oj++;
  }
  int64_t last = ni >= 1 ? strides[ni - 1] : 1;
  for (int k = ni; k < shape.ndim(); ++k) strides[k] = last;
  return true;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.ndim(); ++i) {
    if (shape[i] == -1) {
      if (unknown >= 0) raise<ValueError>("[reshape] argument 'shape' ", wanted, " has more than one -1");
      unknown = i;
    } else if (shape[i] < 0) {
      raise<ValueError>("[reshape] argument 'shape' ", wanted, " has a negative size");
    } else if (__builtin_mul_overflow(known, shape[i], &known)) {
      raise<ValueError>("[reshape] argument 'shape' ", wanted, " is too large for an array of ", x.size());
    }
  }
  if (unknown >= 0) {
    if (known == 0 || x.size() % known != 0)
      raise<ValueError>("[reshape] argument 'shape' ", wanted, " does not divide an array of ", x.size(),
                        " elements");
    shape[unknown] = x.size() / known;
  }
  if (x.size() == 0) check_size("reshape", "shape", shape, x.dtype());
  if (count(shape) != x.size())
    raise<ValueError>("[reshape] argument 'shape' ", wanted, " does not hold the ", x.size(), " elements of ",
                      x.shape());
  if (shape == x.shape() && !grad_enabled()) return x;
  Tensor y;
  Shape strides;
  if (x.is_contiguous() || x.size() == 0)
    y = x.view(shape, contiguous_strides(shape));
  else if (restride(x, shape, strides))
    y = x.view(shape, strides);
  else
    y = copy(x.detach()).view(shape, contiguous_strides(shape));
  return recorded("reshape", x, y, [s = x.shape()](const Tensor& g) { return reshape(g, s); });
}

Tensor transpose(const Tensor& x, const OptAxes& axes) {
  Axes order;
  if (axes) {
    if (axes->ndim() != x.ndim())
      raise<ValueError>("[transpose] argument 'axes' ", *axes, " does not list the ", x.ndim(), " axes of ",
                        x.shape());
    bool seen[kMaxRank] = {};
    for (int64_t a : *axes) {
      if (a < -x.ndim() || a >= x.ndim())
        raise<IndexError>("[transpose] argument 'axes' names axis ", a, " of an array of shape ", x.shape());
      order.push_back(a < 0 ? a + x.ndim() : a);
      if (std::exchange(seen[order.back()], true))
        raise<ValueError>("[transpose] argument 'axes' names axis ", order.back(), " twice");
    }
  } else {
    for (int i = x.ndim() - 1; i >= 0; --i) order.push_back(i);
  }
  Shape shape, strides;
  Axes inverse;
  inverse.resize(x.ndim());
  for (int i = 0; i < order.ndim(); ++i) {
    int a = static_cast<int>(order[i]);
    shape.push_back(x.shape()[a]);
    strides.push_back(x.strides()[a]);
    inverse[a] = i;
  }
  return recorded("transpose", x, x.view(shape, strides),
                  [inverse](const Tensor& g) { return transpose(g, inverse); });
}

Tensor swap_last(const Tensor& x) {
  Axes order;
  for (int i = 0; i < x.ndim(); ++i) order.push_back(i);
  std::swap(order[x.ndim() - 1], order[x.ndim() - 2]);
  return transpose(x, order);
}

Tensor expand_dims(const Tensor& x, int64_t axis) {
  int a = normalize_axis("expand_dims", axis, x.ndim() + 1);
  if (x.ndim() == kMaxRank)
    raise<ValueError>("[expand_dims] argument 'x' has ", kMaxRank, " dimensions already");
  Shape shape = x.shape(), strides = x.strides();
  shape.insert(a, 1);
  strides.insert(a, 0);
  return recorded("expand_dims", x, x.view(shape, strides),
                  [s = x.shape()](const Tensor& g) { return reshape(g, s); });
}

Tensor squeeze(const Tensor& x, const OptAxes& axis) {
  Axes axes;
  if (axis) {
    axes = normalize_axes("squeeze", *axis, x.ndim());
    for (int64_t a : axes)
      if (x.shape()[static_cast<int>(a)] != 1)
        raise<ValueError>("[squeeze] argument 'axis': axis ", a, " of ", x.shape(), " is not of size 1");
  } else {
    for (int i = 0; i < x.ndim(); ++i)
      if (x.shape()[i] == 1) axes.push_back(i);
  }
  Shape shape = x.shape(), strides = x.strides();
  for (int i = axes.ndim() - 1; i >= 0; --i) {
    shape.erase(static_cast<int>(axes[i]));
    strides.erase(static_cast<int>(axes[i]));
  }
  return recorded("squeeze", x, x.view(shape, strides),
                  [s = x.shape()](const Tensor& g) { return reshape(g, s); });
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_size("broadcast_to", "shape", shape, x.dtype());
  if (!broadcasts_to(x.shape(), shape))
    raise<ValueError>("[broadcast_to] argument 'shape' ", shape, " cannot be reached from ", x.shape());
  if (x.shape() == shape) return x;
  return recorded("broadcast_to", x, x.view(shape, broadcast_strides(x.shape(), x.strides(), shape)),
                  [s = x.shape()](const Tensor& g) { return sum_to(g, s); });
}

namespace {
Tensor narrow(const Tensor& x, int axis, int64_t from, int64_t size) {
  Shape shape = x.shape();
  shape[axis] = size;
  return x.view(shape, x.strides(), size == 0 ? 0 : from * x.strides()[axis]);
}
}  // namespace

Tensor concatenate(const std::vector<Tensor>& xs, int64_t axis) {
  if (xs.empty()) raise<ValueError>("[concatenate] argument 'xs' is empty");
  int ndim = xs[0].ndim();
  if (ndim == 0) raise<ValueError>("[concatenate] argument 'xs' has arrays without dimensions: use stack");
  int a = normalize_axis("concatenate", axis, ndim);
  DType dtype = xs[0].dtype();
  Shape shape = xs[0].shape();
  for (size_t i = 1; i < xs.size(); ++i) {
    dtype = promote(dtype, xs[i].dtype());
    bool fits = xs[i].ndim() == ndim;
    for (int d = 0; fits && d < ndim; ++d) fits = d == a || xs[i].shape()[d] == shape[d];
    if (!fits)
      raise<ValueError>("[concatenate] argument 'xs': shapes ", xs[0].shape(), " and ", xs[i].shape(),
                        " differ off axis ", a);
    if (__builtin_add_overflow(shape[a], xs[i].shape()[a], &shape[a]))
      raise<MemoryError>("[concatenate] argument 'xs' is too large together");
  }
  Tensor y = result(shape, dtype);
  int64_t at = 0;
  for (const Tensor& x : xs) {
    if (x.size() > 0) copy_into(x, narrow(y, a, at, x.shape()[a]));
    at += x.shape()[a];
  }
  record("concatenate", xs, {y},
         [sizes =
              [&] {
                std::vector<int64_t> s;
                for (const Tensor& x : xs) s.push_back(x.shape()[a]);
                return s;
              }(),
          a](Backward& b) {
           int64_t from = 0;
           const Tensor& g = b.grad();
           for (size_t i = 0; i < sizes.size(); ++i) {
             if (b.wants(static_cast<int>(i))) {
               Shape start, stop, step;
               for (int d = 0; d < g.ndim(); ++d) {
                 start.push_back(d == a ? from : 0);
                 stop.push_back(d == a ? from + sizes[i] : g.shape()[d]);
                 step.push_back(1);
               }
               b.set(static_cast<int>(i), slice(g, start, stop, step));
             }
             from += sizes[i];
           }
         });
  return y;
}

Tensor stack(const std::vector<Tensor>& xs, int64_t axis) {
  if (xs.empty()) raise<ValueError>("[stack] argument 'xs' is empty");
  if (xs[0].ndim() == kMaxRank)
    raise<ValueError>("[stack] argument 'xs' has arrays of ", kMaxRank, " dimensions already");
  int a = normalize_axis("stack", axis, xs[0].ndim() + 1);
  std::vector<Tensor> expanded;
  for (const Tensor& x : xs) {
    if (!(x.shape() == xs[0].shape()))
      raise<ValueError>("[stack] argument 'xs': shapes ", xs[0].shape(), " and ", x.shape(), " differ");
    expanded.push_back(expand_dims(x, a));
  }
  return concatenate(expanded, a);
}

std::vector<Tensor> split(const Tensor& x, const Shape& indices, bool sections, int64_t axis) {
  int a = normalize_axis("split", axis, x.ndim());
  int64_t n = x.shape()[a];
  std::vector<int64_t> cuts{0};
  if (sections) {
    int64_t parts = indices[0];
    if (parts <= 0 || n % parts != 0)
      raise<ValueError>("[split] argument 'indices_or_sections': ", parts, " parts do not divide axis ", a,
                        " of ", x.shape());
    if (parts > 100000) raise<ValueError>("[split] argument 'indices_or_sections' is too large: ", parts);
    for (int64_t i = 1; i <= parts; ++i) cuts.push_back(i * (n / parts));
  } else {
    for (int64_t i : indices) cuts.push_back(std::clamp<int64_t>(i < 0 ? i + n : i, 0, n));
    cuts.push_back(n);
  }
  std::vector<Tensor> out;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    Shape start, stop, step;
    for (int d = 0; d < x.ndim(); ++d) {
      start.push_back(d == a ? cuts[i] : 0);
      stop.push_back(d == a ? std::max(cuts[i + 1], cuts[i]) : x.shape()[d]);
      step.push_back(1);
    }
    out.push_back(slice(x, start, stop, step));
  }
  return out;
}

namespace {

// The element of an axis of size n that stands at position i, which may be outside.
int64_t mirrored(const std::string& mode, int64_t i, int64_t n) {
  if (mode == "edge") return std::clamp<int64_t>(i, 0, n - 1);
  int64_t period = mode == "wrap" ? n : mode == "symmetric" ? 2 * n : std::max<int64_t>(2 * n - 2, 1);
  i = (i % period + period) % period;
  return i < n ? i : mode == "symmetric" ? period - 1 - i : period - i;
}

// Axis after axis by lookup of the elements that a border repeats; its gradient adds them up.
Tensor pad_by_lookup(Tensor x, const std::vector<Pair>& pad_width, const std::string& mode) {
  for (int axis = 0; axis < x.ndim(); ++axis) {
    auto [before, after] = pad_width[static_cast<size_t>(axis)];
    int64_t n = x.shape(axis), size = before + n + after;
    if (size == n) continue;
    if (n == 0)
      raise<ValueError>("[pad] argument 'x' ", x.shape(), " has nothing to repeat along axis ", axis,
                        " in mode '", mode, "'");
    Tensor places = empty_host({size}, DType::int64);
    auto* place = reinterpret_cast<int64_t*>(places.impl()->data);
    for (int64_t i = 0; i < size; ++i) place[i] = mirrored(mode, i - before, n);
    x = take(x, here(places), axis);
  }
  return x;
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<Pair>& pad_width, double value, const std::string& mode) {
  if (mode != "constant" && mode != "reflect" && mode != "symmetric" && mode != "edge" && mode != "wrap")
    raise<ValueError>(
        "[pad] argument 'mode' must be 'constant', 'reflect', 'symmetric', 'edge' or 'wrap', not '", mode,
        "'");
  if (mode != "constant" && value != 0)
    raise<ValueError>("[pad] argument 'value' is for mode 'constant', not '", mode, "'");
  if (static_cast<int>(pad_width.size()) != x.ndim())
    raise<ValueError>("[pad] argument 'pad_width' has ", pad_width.size(), " pairs for ", x.ndim(),
                      " dimensions");
  Shape shape, start, stop, step;
  int64_t offset = 0;
  for (int i = 0; i < x.ndim(); ++i) {
    auto [before, after] = pad_width[static_cast<size_t>(i)];
    int64_t size;
    if (before < 0 || after < 0) raise<ValueError>("[pad] argument 'pad_width' cannot be negative");
    if (__builtin_add_overflow(x.shape()[i], before, &size) || __builtin_add_overflow(size, after, &size))
      raise<MemoryError>("[pad] argument 'pad_width' is too large");
    shape.push_back(size);
    start.push_back(before);
    stop.push_back(before + x.shape()[i]);
    step.push_back(1);
  }
  check_size("pad", "pad_width", shape, x.dtype());
  if (mode != "constant") return pad_by_lookup(x, pad_width, mode);
  Tensor y = full(shape, value, x.dtype());
  for (int i = 0; i < x.ndim(); ++i) offset += start[i] * y.strides()[i];
  if (x.size() > 0) copy_into(x, y.view(x.shape(), y.strides(), offset));
  record("pad", {x}, {y}, [=](Backward& b) { b.set(0, slice(b.grad(), start, stop, step)); });
  return y;
}

// Normalised bounds: 0 <= start < size, and stop is where a step would leave (-1 below the first element).
Tensor slice(const Tensor& x, const Shape& start, const Shape& stop, const Shape& step) {
  if (start.ndim() != x.ndim() || stop.ndim() != x.ndim() || step.ndim() != x.ndim())
    raise<ValueError>("[slice] arguments 'start', 'stop' and 'step' need one number for each of the ",
                      x.ndim(), " dimensions of 'x'");
  Shape shape, strides;
  int64_t offset = 0;
  for (int i = 0; i < x.ndim(); ++i) {
    if (step[i] == 0) raise<ValueError>("[slice] argument 'step' cannot be 0");
    if (step[i] == INT64_MIN) raise<ValueError>("[slice] argument 'step' is out of range");
    int64_t n = x.shape()[i], low = step[i] > 0 ? 0 : -1, high = step[i] > 0 ? n : n - 1;
    int64_t a = std::clamp(start[i], low, high), b = std::clamp(stop[i], low, high);
    int64_t span = step[i] > 0 ? b - a : a - b, by = step[i] > 0 ? step[i] : -step[i];
    int64_t size = span <= 0 ? 0 : (span - 1) / by + 1;
    shape.push_back(size);
    strides.push_back(size <= 1 ? x.strides()[i] : x.strides()[i] * step[i]);
    if (size > 0) offset += a * x.strides()[i];
  }
  if (count(shape) == 0) offset = 0;
  Tensor y = x.view(shape, strides, offset);
  record("slice", {x}, {y}, [xs = x.shape(), start, stop, step](Backward& b) {
    Tensor dx = full(xs, 0.0, b.grad().dtype());
    Tensor hole = slice(dx, start, stop, step);
    if (b.grad().size() > 0) copy_into(b.grad().detach(), hole.detach());
    record("slice_backward", {b.grad()}, {dx},
           [start, stop, step](Backward& bb) { bb.set(0, slice(bb.grad(), start, stop, step)); });
    b.set(0, dx);
  });
  return y;
}

Tensor flip(const Tensor& x, const OptAxes& axis) {
  Axes axes;
  if (axis)
    axes = normalize_axes("flip", *axis, x.ndim());
  else
    for (int i = 0; i < x.ndim(); ++i) axes.push_back(i);
  Shape start, stop, step;
  for (int i = 0; i < x.ndim(); ++i) {
    bool turned = false;
    for (int64_t a : axes) turned = turned || a == i;
    start.push_back(turned ? x.shape()[i] - 1 : 0);
    stop.push_back(turned ? -1 : x.shape()[i]);
    step.push_back(turned ? -1 : 1);
  }
  return slice(x, start, stop, step);
}

}  // namespace pl::ops
