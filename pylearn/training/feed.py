"""Data sets and generators as batches that fit a model, and the recorded step for each form of batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import _core, registry
from pylearn.training import data
from pylearn.training.step import Step

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

BATCH = 32


def prepare(
    model: Trainer, x: Any, y: Any, sample_weight: Any, class_weight: Any, what: str = "", check: bool = True
) -> data.Arrays:
    """Flat arrays that fit the model, which is built for them if it was not.

    Args:
        what: prefix for messages, such as "validation ".
    """
    xs = data.inputs(x, model.input_places(), f"{what}x")
    if not xs:
        raise ValueError(f"{what}x is empty: it has no arrays")
    if xs[0].shape[0] == 0:
        raise ValueError(f"{what}x is empty: it has 0 rows")
    model.build_for(x, xs)
    xs = data.inputs(x, model.input_places(), f"{what}x")
    compiled = model.compiled("training")
    names, shapes = model.output_names(), model.output_shapes()
    places = compiled.places(names, shapes)
    if y is None and compiled.loss is not None:
        raise ValueError(f"{what}y is missing: give the targets, or a generator of (x, y) as x")
    ys = (
        [] if y is None else data.targets(y, places, f"{what}y")
    )  # none where layers make the loss (add_loss)
    arrays = data.Arrays(xs, ys)
    data.check_lengths(arrays, model.input_places(), places)
    if not compiled.resolved:
        compiled.resolve(names, shapes, ys)
    if check:
        compiled.check(ys, shapes, f"{what}y")
    weights = data.sample_weights(sample_weight, places, arrays.rows, f"{what}sample_weight")
    if class_weight is not None:
        if len(ys) > 1:
            raise ValueError("class_weight is for models with one output; use sample_weight")
        by_class = data.class_weights(class_weight, ys[0])
        weights = [by_class * weights[0] if weights else by_class]
    arrays.weights = weights
    for i, place in enumerate(model.input_places() or []):
        if place.dtype.startswith("float") and "scale" not in model._hinted and data.unscaled_image(xs[i]):
            model._hinted.add("scale")
            registry.warn(f"{data.label(what + 'x', model.input_places() or [], i)} holds whole numbers up to "
                          f"{int(np.max(xs[i][:256]))}; networks learn faster from x / 255.0")  # fmt: skip
    return arrays


class Feed:
    """Batches of arrays: sources as Tensors over the caller's memory, and an order of rows."""

    def __init__(
        self, model: Trainer, arrays: data.Arrays, batch_size: int | None, steps: int | None
    ) -> None:
        self.batch = BATCH if batch_size is None else whole("batch_size", batch_size)
        self.rows = arrays.rows
        self.batch = min(self.batch, self.rows)
        self.sources = [source(a) for a in arrays]
        self.counts = (len(arrays.x), len(arrays.y), len(arrays.weights))
        self.sparse = any(data.is_sparse(a) for a in self.sources)
        self.form = tuple(
            (*a.shape[1:], a.dtype.char) if not data.is_sparse(a) else "csr" for a in self.sources
        )
        total = math.ceil(self.rows / self.batch)
        if steps is not None and steps > total:
            registry.warn(f"steps_per_epoch={steps}, but the data make only {total} batches")
        self.steps = total if steps is None else min(total, whole("steps_per_epoch", steps))
        self.names = array_names(model, self.counts)

    def step(self, model: Trainer, kind: str, rows: int) -> Step:
        return step_for(model, kind, self.counts, self.form, rows, self.sparse)


def step_for(
    model: Trainer, kind: str, counts: tuple[int, int, int], form: Any, rows: int, sparse: bool = False
) -> Step:
    def make() -> Step:
        if kind == "predict":
            made = model.predict_step(counts[0])
        else:
            made = (model.train_step if kind == "train" else model.test_step)(counts, rows)
        made.eager = made.eager or sparse
        return made

    return model.fresh_steps().get((kind, rows, counts, form), make)


def source(value: Any) -> Any:
    if data.is_sparse(value):
        return value
    return _core.asarray(value if value.flags.c_contiguous else np.ascontiguousarray(value))


def array_names(model: Trainer, counts: tuple[int, int, int]) -> list[str]:
    places = model.input_places() or [data.Place("")] * counts[0]
    out = [data.label("x", places, i) for i in range(counts[0])]
    outputs = [data.Place(n) for n in model.output_names()]
    out += [data.label("y", outputs, i) for i in range(counts[1])]
    return out + ["sample_weight"] * counts[2]


def whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number ≥ 1, got {value!r}")
    return int(value)


class StreamFeed:
    """Batches as they come from a generator, each checked like a whole data set."""

    def __init__(self, model: Trainer, stream: data.Stream, class_weight: Any) -> None:
        self.model, self.stream, self.class_weight = model, stream, class_weight
        self.steps = stream.steps
        self.counts = (1, 1, 0)
        self.seen = False

    @property
    def names(self) -> list[str]:
        return array_names(self.model, self.counts)

    def __iter__(self) -> Iterator[tuple[list[Any], tuple[int, int, int]]]:
        for x, y, weight in self.stream:
            arrays = prepare(self.model, x, y, weight, self.class_weight, check=not self.seen)
            self.seen = True
            self.counts = (len(arrays.x), len(arrays.y), len(arrays.weights))
            yield [source(a) for a in arrays], self.counts

    def step(self, model: Trainer, kind: str, sources: Sequence[Any], counts: tuple[int, int, int]) -> Step:
        sparse = any(data.is_sparse(s) for s in sources)
        form = tuple((*s.shape[1:], s.dtype.char) if not data.is_sparse(s) else "csr" for s in sources)
        return step_for(model, kind, counts, form, sources[0].shape[0], sparse)
