"""From what the caller has (arrays, frames, lists, dicts, generators) to flat lists of arrays with equal rows.

Every error is in the caller's terms: "x", "y", the name of an input, the shapes given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pylearn import registry, structure
from pylearn._core import Tensor
from pylearn.sparse import CSR
from pylearn.validation import check_ids

Shape = tuple[int | None, ...]
_NATIVE = ("float32", "float64", "int32", "int64", "uint8", "bool")


@dataclass
class Place:
    """An input or output of a model: its name, its static shape (None where any size will do) and dtype.

    ``ids`` is given where values are looked up in a table: they are whole numbers ≥ 0 and below it.
    """

    name: str
    shape: Shape | None = None
    dtype: str = "float32"
    ids: int | None = None


@dataclass
class Arrays:
    """Whole data sets: flat lists with one row count."""

    x: list[Any]
    y: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return int(self.x[0].shape[0])

    def __iter__(self) -> Iterator[Any]:
        return iter([*self.x, *self.y, *self.weights])

    def slice(self, rows: Any) -> Arrays:
        """The rows of a slice (views) or of an index array (copies)."""
        return Arrays(
            *(
                [a.rows(rows) if isinstance(a, CSR) else a[rows] for a in part]
                for part in (self.x, self.y, self.weights)
            )
        )


def is_array(value: Any) -> bool:
    return (hasattr(value, "shape") and hasattr(value, "dtype")) or is_frame(value) or is_sparse(value)


def is_frame(value: Any) -> bool:
    """A DataFrame or Series."""
    return hasattr(value, "to_numpy") and (hasattr(value, "columns") or hasattr(value, "index"))


def is_sparse(value: Any) -> bool:
    return hasattr(value, "tocsr") or isinstance(value, CSR)


def is_stream(value: Any) -> bool:
    """Something that yields batches, rather than an array or a nest of arrays."""
    if value is None or is_array(value) or isinstance(value, (list, tuple, dict, str, bytes)):
        return False
    return hasattr(value, "__next__") or hasattr(value, "__iter__") or (
        hasattr(value, "__getitem__") and hasattr(value, "__len__"))  # fmt: skip


def array(value: Any, what: str) -> Any:
    """A NumPy array of a dtype the kernels take (or CSR), without copying where that can be.

    Raises:
        TypeError, ValueError: text, objects, ragged lists; names ``what``.
    """
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, CSR):
        return value
    if hasattr(value, "tocsr"):
        return CSR.from_scipy(value)
    if is_frame(value):
        columns = zip(value.columns, value.dtypes, strict=True) if hasattr(value, "columns") else ()
        text = [str(name) for name, dtype in columns if str(dtype) in ("object", "str", "string", "category")]
        if text:
            raise TypeError(f"{what}: column {text[0]!r} does not hold numbers; encode it or leave it out")
        value = value.to_numpy()
    try:
        out = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{what}: the rows have different lengths, so they are not one array ({error})"
        ) from None
    if out.dtype == object:
        try:
            out = out.astype("float64")
        except (TypeError, ValueError):
            raise TypeError(f"{what} holds objects, not numbers (dtype object)") from None
    if out.dtype.kind in "US":
        raise TypeError(
            f"{what} holds text; encode it as numbers first (for labels: np.unique(y, return_inverse=True))"
        )
    if out.dtype.kind == "c":
        raise TypeError(f"{what} is complex; give its real and imaginary parts")
    if out.dtype.kind not in "fiub":
        raise TypeError(f"{what} has dtype {out.dtype}, which is not a number")
    return out if on_disk(out) else native(out)


def native(out: np.ndarray) -> np.ndarray:
    """In a dtype the kernels take; float16, int16, other byte orders and the like are converted."""
    if out.dtype.name in _NATIVE and out.dtype.isnative:
        return out
    name = {"f": "float32" if out.dtype.itemsize <= 4 else "float64", "i": "int64", "u": "int64", "b": "bool"}
    return out.astype(name[out.dtype.kind])


def on_disk(value: Any) -> bool:
    """Is it (a view of) an array mapped from a file?"""
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap):
            return True
        value = value.base
    return False


def spread(value: Any, places: Sequence[Place], what: str) -> list[Any]:
    """One item per place, from a single value, a list in order, or a dict by name.

    Raises:
        ValueError: missing or unknown names, another number of items.
    """
    names = [place.name for place in places]
    if isinstance(value, dict):
        missing = [name for name in names if name not in value]
        extra = [name for name in value if name not in names]
        if missing:
            hint = registry.suggest(missing[0], extra)
            raise ValueError(
                f"{what} lacks {missing[0]!r}; the model has {', '.join(map(repr, names))}{hint}"
            )
        if extra:
            registry.warn(f"{what}: {', '.join(map(repr, extra))} is not used by the model")
        return [value[name] for name in names]
    if isinstance(value, (list, tuple)):
        if len(places) > 1:
            if len(value) != len(places):
                raise ValueError(
                    f"{what} has {len(value)} arrays, the model has {len(places)}: {', '.join(names)}"
                )
            return list(value)
        if len(value) == 1 and is_array(value[0]) and len(value[0].shape) > 0:
            return [value[0]]
    elif len(places) > 1:
        raise ValueError(
            f"{what} is one array, but the model has {len(places)}: {', '.join(names)}; give a list or dict"
        )
    return [value]


def _fit(value: Any, place: Place, what: str) -> Any:
    value = fit_rows(value, place, what)
    if place.ids is not None and not is_sparse(value):
        check_ids(value, place.ids, what)
    return value


def fit_rows(value: Any, place: Place, what: str) -> Any:
    """The array, its rows in the shape of the place: an axis of size 1 is added or taken off where that is all.

    Raises:
        ValueError: other shapes, a batch axis in ``input_shape``, a single row.
    """
    if not is_sparse(value) and value.ndim == 0:
        raise ValueError(f"{what} is a single number; give an array of rows")
    if place.shape is None:
        return value
    row, wanted = tuple(value.shape[1:]), place.shape[1:]
    if _matches(row, wanted):
        return value
    if is_sparse(value):
        raise ValueError(f"{what} has rows of shape {row}, the model takes {_text(wanted)}")
    if len(wanted) == len(row) + 1 and wanted[-1] in (1, None) and _matches(row, wanted[:-1]):
        return value[..., None]
    if len(wanted) + 1 == len(row) and row[-1] == 1 and _matches(row[:-1], wanted):
        return value[..., 0]
    if _matches(tuple(value.shape), wanted):
        several = (
            ""
            if value.ndim == 1
            else (
                f"; if these are {len(value)} rows, input_shape must not contain the batch axis: "
                f"use input_shape={_text(wanted[1:])}"
            )
        )
        raise ValueError(
            f"{what} has the shape {value.shape} of a single row; add the batch axis: {what}[None]{several}"
        )
    if len(wanted) == value.ndim > 1 and _matches(row, wanted[1:]):
        raise ValueError(
            f"{what} has shape {value.shape}, but the model was built for rows of shape {_text(wanted)}: "
            f"input_shape must not contain the batch axis: use input_shape={_text(wanted[1:])}"
        )
    raise ValueError(f"{what} has shape {value.shape}, so its rows are {_text(row)}, but the model takes rows of shape "
                     f"{_text(wanted)}")  # fmt: skip


def _matches(row: Shape, wanted: Shape) -> bool:
    return len(row) == len(wanted) and all(b is None or a == b for a, b in zip(row, wanted, strict=True))


def _text(shape: Shape) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"


def label(what: str, places: Sequence[Place], i: int) -> str:
    return what if len(places) == 1 else f"{what}[{places[i].name!r}]"


def inputs(x: Any, places: Sequence[Place] | None, what: str = "x") -> list[Any]:
    """Flat inputs. Without ``places`` (a model that has not run yet) a list of arrays is several inputs."""
    if x is None:
        raise ValueError(f"{what} is None")
    if places is None:
        several = isinstance(x, dict) or (
            isinstance(x, (list, tuple)) and len(x) > 0 and all(is_array(v) and len(v.shape) > 0 for v in x)
        )
        leaves = structure.flatten(x) if several else [x]
        places = [Place(f"input {i}") for i in range(len(leaves))]
        return [
            _rows(array(leaf, label(what, places, i)), label(what, places, i))
            for i, leaf in enumerate(leaves)
        ]
    values = spread(x, places, what)
    return [_fit(array(value, label(what, places, i)), places[i], label(what, places, i))
            for i, value in enumerate(values)]  # fmt: skip


def _rows(value: Any, what: str) -> Any:
    if len(value.shape) == 0:
        raise ValueError(f"{what} is a single number; give an array of rows")
    return value


def targets(y: Any, places: Sequence[Place], what: str = "y") -> list[Any]:
    values = spread(y, places, what)
    return [_rows(array(v, label(what, places, i)), label(what, places, i)) for i, v in enumerate(values)]


def sample_weights(value: Any, places: Sequence[Place], rows: int, what: str = "sample_weight") -> list[Any]:
    """None, one array for all outputs, or one per output; float32, finite and not negative."""
    if value is None:
        return []
    values = spread(value, places, what) if isinstance(value, (dict, list, tuple)) and (
        isinstance(value, dict) or (len(places) > 1 and len(value) == len(places))) else [value]  # fmt: skip
    out = []
    for i, item in enumerate(values):
        name = label(what, places, i) if len(values) > 1 else what
        weight = array(item, name).astype("float32")
        if weight.shape[:1] != (rows,):
            raise ValueError(f"x has {rows} rows, {name} {weight.shape[0] if weight.ndim else 'is a number'}")
        for ok, said in ((np.isfinite(weight), "not finite"), (weight >= 0, "negative")):
            if not ok.all():
                raise ValueError(f"{name} is {said} in row {int(np.argmin(ok.reshape(rows, -1).all(1)))}")
        out.append(weight)
    return out


def class_weights(weight: dict[Any, float], y: np.ndarray, what: str = "class_weight") -> np.ndarray:
    """Weights per row from weights per class id.

    Raises:
        ValueError: a class in y without a weight.
    """
    if not isinstance(weight, dict):
        raise TypeError(f"{what} must be a dict from class id to weight, got {type(weight).__name__}")
    given = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))
    ids = given.astype("int64")
    if (ids != given).any():
        raise ValueError(f"{what} is for class ids, but y has {given[np.argmax(ids != given)]:g}; weigh the rows of "
                         "other targets with sample_weight")  # fmt: skip
    table = {}
    for key, value in weight.items():
        try:
            table[int(key)] = float(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"{what} must be a dict from class id to weight, got {key!r}: {value!r}"
            ) from None
        if not 0 <= table[int(key)] < np.inf:
            raise ValueError(f"{what} of class {key} must be a finite number ≥ 0, got {value!r}")
    present = np.unique(ids)
    missing = [int(c) for c in present if int(c) not in table]
    if missing:
        raise ValueError(f"{what} has no weight for class {missing[0]}")
    lookup = np.array([table[int(c)] for c in present], "float32")
    return lookup[np.searchsorted(present, ids)]


def check_lengths(arrays: Arrays, x_places: Sequence[Place] | None, y_places: Sequence[Place]) -> None:
    """All arrays have as many rows.

    Raises:
        ValueError: "x has 10 rows, y 9"; nothing at all.
    """
    rows = arrays.rows
    named = [(label("x", x_places or [Place("")] * len(arrays.x), i), a) for i, a in enumerate(arrays.x)]
    named += [(label("y", y_places, i), a) for i, a in enumerate(arrays.y)]
    first = named[0][0]
    for name, value in named[1:]:
        if value.shape[0] != rows:
            raise ValueError(f"{first} has {rows} rows, {name} {value.shape[0]}")
    if rows == 0:
        raise ValueError("x is empty: it has 0 rows")


def split(arrays: Arrays, fraction: float, stratify: bool) -> tuple[Arrays, Arrays]:
    """(training, validation): the last rows, as in Keras, or drawn evenly from each class with ``stratify``.

    Raises:
        ValueError: a fraction outside (0, 1), a side without rows.
    """
    rows = arrays.rows
    if isinstance(fraction, str) or not 0.0 < fraction < 1.0:
        raise ValueError(f"validation_split must be in (0, 1), got {fraction!r}")
    at = int(np.floor(rows * (1.0 - fraction)))
    if at == 0 or at == rows:
        raise ValueError(
            f"validation_split={fraction} of {rows} rows leaves nothing to {'train on' if at == 0 else 'validate on'}"
        )
    if not stratify:
        if arrays.y and is_sorted(arrays.y[0]):
            registry.warn(
                "validation_split takes the last rows, and y is sorted: validation would see other targets than "
                "training. Shuffle the rows first, or use stratify=True"
            )
        return arrays.slice(slice(0, at)), arrays.slice(slice(at, rows))
    if not arrays.y:
        raise ValueError("stratify=True needs y")
    ids = arrays.y[0]
    ids = ids.argmax(-1) if ids.ndim > 1 and ids.shape[-1] > 1 else ids.reshape(rows)
    chosen = np.zeros(rows, bool)
    for value in np.unique(ids):
        places = np.flatnonzero(ids == value)
        count = round(len(places) * fraction)
        if count:
            chosen[places[len(places) - count :]] = True
    if not chosen.any() or chosen.all():
        raise ValueError(f"validation_split={fraction} with stratify leaves one side without rows")
    return arrays.slice(np.flatnonzero(~chosen)), arrays.slice(np.flatnonzero(chosen))


def is_sorted(y: np.ndarray) -> bool:
    """Are the targets in order (and not all the same)? Of one-hot rows, the classes."""
    if len(y) < 10 or (y.ndim > 1 and y.size == 0):
        return False
    values = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)[:, 0]
    if values[0] == values[-1]:
        return False
    steps = np.diff(values.astype("float64"))
    return bool((steps >= 0).all() or (steps <= 0).all())


def unscaled_image(x: Any) -> bool:
    """Bytes (or whole numbers shaped like images) that were never divided by 255."""
    if is_sparse(x) or x.dtype.kind not in "iu" or (x.dtype != np.uint8 and x.ndim < 3) or x.size == 0:
        return False
    return bool(x[: min(len(x), 256)].max() > 1)


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) from what a generator yields: x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ValueError: a longer tuple.
    """
    if isinstance(batch, list) and len(batch) in (2, 3) and all(is_array(b) for b in batch):
        batch = tuple(batch)  # data loaders yield lists
    if not isinstance(batch, tuple):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            f"a generator must yield x, (x, y) or (x, y, sample_weight), got a tuple of {len(batch)}"
        )
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight


class Stream:
    """Batches from a generator or a sequence of batches; a plain iterator goes on where it was, across epochs."""

    def __init__(self, source: Any, steps: int | None, what: str = "x") -> None:
        self.source, self.what = source, what
        self.once = hasattr(source, "__next__")
        self.steps = steps
        if steps is None and hasattr(source, "__len__"):
            self.steps = len(source)
        self._iterator = source if self.once else None

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        if self.once:
            iterator = self._iterator
        elif hasattr(self.source, "__iter__"):
            iterator = iter(self.source)
        else:
            iterator = (self.source[i] for i in range(len(self.source)))
        count = 0
        while self.steps is None or count < self.steps:
            try:
                batch = next(iterator)  # type: ignore[arg-type]
            except StopIteration:
                break
            count += 1
            yield unpack(batch)
        if not self.once and hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()  # Keras' data sets shuffle themselves there
