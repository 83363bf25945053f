"""Data sets and generators as batches that fit a model, and the recorded step for each form of batch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import _core, random, registry
from pylearn.training import data
from pylearn.training.prefetch import Prefetch
from pylearn.training.step import Step

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

BATCH = 32


def prepare(
    model: Trainer, x: Any, y: Any, sample_weight: Any, class_weight: Any, what: str = ""
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
    compiled.check(ys, shapes, f"{what}y")
    weights = data.sample_weights(sample_weight, places, arrays.rows, f"{what}sample_weight")
    if class_weight is not None:
        if len(ys) > 1:
            raise ValueError("class_weight is for models with one output; use sample_weight")
        by_class = data.class_weights(class_weight, ys[0])
        weights = [by_class * weights[0] if weights else by_class]
    arrays.weights = weights
    for i, place in enumerate(model.input_places() or []):
        if place.dtype.startswith("float") and data.unscaled_image(xs[i]) and model.hint("scale"):
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
        self.form = form_of(self.sources)
        self.steps = steps_of(self.rows, self.batch, steps)
        self.names = array_names(model, self.counts)

    def step(self, model: Trainer, kind: str, rows: int) -> Step:
        return step_for(model, kind, self.counts, self.form, rows, self.sparse)

    def rows_of(self, index: Any, begin: int, end: int) -> Any:
        """The rows of the data set that were in a batch; None where they have no number."""
        return np.arange(begin, end) if index is None else index.numpy()[begin:end]


def step_for(
    model: Trainer, kind: str, counts: tuple[int, int, int], form: Any, rows: int, sparse: bool = False
) -> Step:
    def make() -> Step:
        if kind == "predict":
            made = model.make_predict_step(counts[0])
        else:
            make_step = model.make_train_step if kind == "train" else model.make_test_step
            made = make_step(counts, rows, form)
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
    """Batches as they come from a generator, each checked like a whole data set.

    Args:
        ahead: batches that a thread draws from the generator before they are needed; 0: none, without a thread.
    """

    def __init__(self, model: Trainer, stream: data.Stream, class_weight: Any, ahead: int = 0) -> None:
        self.model, self.stream, self.class_weight, self.ahead = model, stream, class_weight, ahead
        self.steps = stream.steps
        self.counts = (1, 1, 0)
        self.seen = False

    @property
    def names(self) -> list[str]:
        return array_names(self.model, self.counts)

    def batches(self, shuffle: bool = False) -> Generator[tuple[list[Any], tuple[int, int, int]]]:
        """The batches of an epoch, and how many arrays of x, y and weights each has."""
        with ahead_of(iter(self.stream), self.ahead) as batches:
            for x, y, weight in batches:
                arrays = prepare(self.model, x, y, weight, self.class_weight)
                self.seen = True
                self.counts = (len(arrays.x), len(arrays.y), len(arrays.weights))
                yield [source(a) for a in arrays], self.counts

    def step(self, model: Trainer, kind: str, sources: Sequence[Any], counts: tuple[int, int, int]) -> Step:
        return step_of(model, kind, sources, counts)

    def rows_of(self, index: Any, begin: int, end: int) -> Any:
        return None

    def ended(self, done: int) -> bool:
        """After an epoch of ``done`` batches: is there nothing left for another?"""
        if done == 0:
            if not self.seen:
                raise ValueError("x is empty: the generator yielded no batch")
            return True
        if self.stream.once and self.steps is not None and done < self.steps:
            registry.warn(f"the generator ended after {done} of {self.steps} batches; training stops")
            return True
        return self.stream.once and self.steps is None


class MappedFeed:
    """Batches of arrays that lie in files (``np.memmap``): a thread reads the rows of each, the rest stays there."""

    def __init__(
        self, model: Trainer, arrays: data.Arrays, batch_size: int | None, steps: int | None, ahead: int
    ) -> None:
        self.batch = min(BATCH if batch_size is None else whole("batch_size", batch_size), arrays.rows)
        self.arrays, self.rows, self.ahead = arrays, arrays.rows, ahead
        self.counts = (len(arrays.x), len(arrays.y), len(arrays.weights))
        self.names = array_names(model, self.counts)
        self.steps = steps_of(self.rows, self.batch, steps)
        self._rows: Any = None

    def batches(self, shuffle: bool = False) -> Generator[tuple[list[Any], tuple[int, int, int]]]:
        index = random.permutation(self.rows).numpy() if shuffle else None

        def read() -> Iterator[tuple[list[Any], Any]]:
            for i in range(self.steps):
                begin, end = i * self.batch, min((i + 1) * self.batch, self.rows)
                rows: Any = slice(begin, end) if index is None else index[begin:end]
                taken = self.arrays.slice(rows)
                yield (
                    [source(data.native(np.array(a))) if data.on_disk(a) else source(a) for a in taken],
                    rows,
                )

        with ahead_of(read(), self.ahead) as batches:
            for sources, rows in batches:
                self._rows = rows
                yield sources, self.counts

    def step(self, model: Trainer, kind: str, sources: Sequence[Any], counts: tuple[int, int, int]) -> Step:
        return step_of(model, kind, sources, counts)

    def rows_of(self, index: Any, begin: int, end: int) -> Any:
        return np.arange(self.rows)[self._rows]

    def ended(self, done: int) -> bool:
        return False


@contextlib.contextmanager
def ahead_of(batches: Iterator[Any], size: int) -> Generator[Iterator[Any]]:
    """The batches, made ahead by a thread that is gone at the end."""
    if size < 1:
        yield batches
        return
    with contextlib.closing(Prefetch(batches, size)) as made:
        yield made


def step_of(model: Trainer, kind: str, sources: Sequence[Any], counts: tuple[int, int, int]) -> Step:
    """The step for a batch that stands alone."""
    return step_for(
        model, kind, counts, form_of(sources), sources[0].shape[0], any(map(data.is_sparse, sources))
    )


def form_of(sources: Sequence[Any]) -> tuple[Any, ...]:
    return tuple((*s.shape[1:], s.dtype.char) if not data.is_sparse(s) else "csr" for s in sources)


def steps_of(rows: int, batch: int, steps: int | None) -> int:
    total = math.ceil(rows / batch)
    if steps is None:
        return total
    if whole("steps_per_epoch", steps) > total:
        registry.warn(f"steps_per_epoch={steps}, but the data make only {total} batches")
    return min(total, steps)


def feed_of(
    model: Trainer, arrays: data.Arrays, batch_size: int | None, steps: int | None, ahead: int
) -> Any:
    """A feed of whole arrays: from memory, or from the files they are mapped from."""
    if any(data.on_disk(a) for a in arrays):
        return MappedFeed(model, arrays, batch_size, steps, ahead)
    return Feed(model, arrays, batch_size, steps)
