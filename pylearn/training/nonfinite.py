"""Where a step stopped being finite: the batch is run again, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pylearn import random, structure
from pylearn._core import Tensor
from pylearn.layers import Layer


def bad_row(value: Any) -> int | None:
    """The first row with a value that is not finite, or None."""
    if isinstance(value, Tensor):
        value = value.numpy()
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return None
    if value.ndim == 0:
        return None if np.isfinite(value) else 0
    finite = np.isfinite(value.reshape(len(value), -1)).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))


@contextmanager
def watching(layers: Sequence[Layer], seen: list[tuple[Layer, Any, Any]]) -> Iterator[None]:
    """Notes every layer's input and output, in the order of the calls that end first."""

    def spy(layer: Layer) -> Any:
        original = layer.call

        def call(x: Any, *args: Any, **kwargs: Any) -> Any:
            y = original(x, *args, **kwargs)
            seen.append((layer, x, y))
            return y

        return call

    watched = [layer for layer in layers if "call" not in layer.__dict__]
    for layer in watched:
        object.__setattr__(layer, "call", spy(layer))
    try:
        yield
    finally:
        for layer in watched:
            object.__delattr__(layer, "call")


def all_layers(layer: Layer) -> list[Layer]:
    found: list[Layer] = []
    for sublayer in layer._sublayers:
        if all(sublayer is not f for f in found):
            found += [s for s in [*all_layers(sublayer), sublayer] if all(s is not f for f in found)]
    return found


def explain(model: Any, batch: Sequence[Tensor], rows: Any, names: Sequence[str], run: Any) -> str:
    """What is not finite, in which layer, first in which row.

    Args:
        model: whose layers are watched.
        batch: the flat batch.
        rows: the row of the data set for each row of the batch, or None when batches come from a generator.
        names: what each array of the batch is called ("x", "y", …).
        run: the forward and backward pass on the batch, without an update: gives loss values per row, or None, and
            [(path, gradient)].

    Draws of random numbers are repeated as in the step that failed, so the same units drop out.
    """

    def where(row: int) -> str:
        return f"row {row} of the batch" if rows is None else f"row {int(rows[row])}"

    generator = random.default_generator()
    after = generator.state()
    seen: list[tuple[Layer, Any, Any]] = []
    result: list[Any] = []

    def attempt() -> None:
        seen.clear()
        with watching([layer for layer in all_layers(model) if not layer._sublayers], seen):
            result[:] = [run()]

    try:
        before_run = generator.state()
        attempt()
        drawn = generator.state()[1] - before_run[1]
        if drawn:
            generator.set_state((after[0], after[1] - drawn))
            attempt()
    finally:
        generator.set_state(after)

    inputs = [
        (name, row) for name, value in zip(names, batch, strict=True) if (row := bad_row(value)) is not None
    ]
    for layer, x, y in seen:
        bad_in = [r for leaf in structure.leaves(x) if (r := bad_row(leaf)) is not None]
        bad_out = [r for leaf in structure.leaves(y) if (r := bad_row(leaf)) is not None]
        if bad_in or bad_out:
            given = [item for item in inputs if item[0].startswith("x")]
            if given and bad_in:
                name, row = given[0]
                return (
                    f"{name} is not finite in {where(row)}, which reaches layer {layer.name!r} first. Remove or "
                    f"fill the bad rows: ~np.isfinite({name}).all(1)"
                )
            weights = [w.name for w in layer.weights if not np.isfinite(w.numpy()).all()]
            if weights:
                return f"the weights of layer {layer.name!r} ({weights[0]}) are not finite"
            row = (bad_out or bad_in)[0]
            return (f"the output of layer {layer.name!r} is not finite, first in {where(row)}. A lower learning rate, "
                    "scaled inputs or clipped gradients may help")  # fmt: skip
    last = seen[-1][0].name if seen else model.name
    if inputs:
        name, row = inputs[0]
        return f"{name} is not finite in {where(row)}, seen by the loss after layer {last!r}"
    values, grads = result[0]
    for value in values:
        row_ = bad_row(value)
        if row_ is not None:
            return f"the loss after layer {last!r} is not finite, first in {where(row_)}"
    for path, grad in reversed(grads):
        if not np.isfinite(grad.numpy()).all():
            layer_name = path.rpartition("/")[0] or path
            return f"the gradient of layer {layer_name!r} ({path}) is not finite"
    return f"it could not be repeated; the last layer is {last!r}"
