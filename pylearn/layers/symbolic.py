"""Symbolic tensors: what ``Input`` returns and layers are called on to describe a model."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import random, registry, structure
from pylearn._core import asarray

if TYPE_CHECKING:
    from pylearn.layers.base import Layer

Shape = tuple[int | None, ...]


class SymbolicTensor:
    """A place in a model: a shape with None for the batch axis, and the layer call that fills it."""

    def __init__(self, shape: Shape, dtype: str, node: Node | None = None, name: str | None = None) -> None:
        self.shape, self.dtype, self.node, self.name = shape, dtype, node, name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def _no(self, *_: Any) -> Any:
        raise TypeError(
            "a symbolic tensor has no values: it describes a model. Combine several with a layer such as Add or "
            "Concatenate, or write a layer"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _no
    __matmul__ = __rmatmul__ = __getitem__ = __array__ = __float__ = __bool__ = __len__ = __iter__ = _no

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape} dtype={self.dtype}>"


class Node:
    """One call of a layer: what it was given and what it gives."""

    def __init__(
        self, layer: Layer, inputs: Any, outputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.layer, self.inputs, self.outputs, self.args, self.kwargs = layer, inputs, outputs, args, kwargs
        for out in structure.leaves(outputs):
            out.node = self
        layer._nodes.append(self)


def any_symbolic(tree: Any) -> bool:
    return any(isinstance(leaf, SymbolicTensor) for leaf in structure.leaves(tree))


def is_shape(value: Any) -> bool:
    """A tuple of numbers and None, rather than a nest of shapes."""
    return isinstance(value, tuple) and all(n is None or isinstance(n, (int, np.integer)) for n in value)


def map_shapes(function: Any, shapes: Any) -> Any:
    """``structure.transform`` whose leaves are shapes."""
    if is_shape(shapes):
        return function(shapes)
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    return type(shapes)(map_shapes(function, value) for value in shapes)


def call(layer: Layer, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Builds the layer if need be and returns the symbolic output."""
    for leaf in structure.leaves(x):
        if not isinstance(leaf, SymbolicTensor):
            raise TypeError(
                f"{layer.name}: symbolic and real tensors cannot be mixed, got {type(leaf).__name__}"
            )
    shapes = structure.transform(lambda t: t.shape, x)
    layer.ensure_built(shapes)
    if layer._nodes and not args and structure.leaves(layer._nodes[0].inputs):
        _check_again(layer, shapes)
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    # what a call asks for (attention scores) may decide the outputs
    asked = {k: v for k, v in kwargs.items() if k in registry.argument_names(layer.compute_output_shape)}
    shape = layer.compute_output_shape(shapes, **asked)
    outputs = map_shapes(lambda s: SymbolicTensor(tuple(s), layer.dtype), shape)
    Node(layer, x, outputs, args, kwargs)
    return outputs


def _check_again(layer: Layer, shapes: Any) -> None:
    """A layer that is used again must be able to take these shapes.

    Raises:
        ValueError: it was built for others; names both.
    """
    before = structure.transform(lambda t: t.shape, layer._nodes[0].inputs)
    if structure_of_shapes(before) == structure_of_shapes(shapes) or not layer._own_trainable:
        return
    try:
        shape_by_trial(layer, shapes)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{layer.name}: the layer was built for inputs of shape {before} and cannot take {shapes}: make another "
            "layer for those"
        ) from error


def shape_by_trial(layer: Layer, shapes: Any) -> Any:
    """Runs the layer on zeros with two batch sizes; axes that differ are None. Draws no random numbers in effect."""
    generator = random.default_generator()
    state = generator.state()
    seen = []
    try:
        for rows in (2, 3):

            def zeros(shape: Shape, rows: int = rows) -> Any:
                sizes = [rows if n is None else n for n in shape]
                return asarray(np.zeros(sizes, "int64" if layer.accepts_integers else layer.dtype))

            out = layer.run(map_shapes(zeros, shapes))
            seen.append(structure.transform(lambda t: tuple(t.shape), out))
    finally:
        generator.set_state(state)
        layer._losses = []
    first, second = structure_of_shapes(seen[0]), structure_of_shapes(seen[1])
    merged = [
        tuple(None if a != b else a for a, b in zip(s, t, strict=True))
        for s, t in zip(first, second, strict=True)
    ]
    places = iter(merged)
    return map_shapes(lambda _: next(places), seen[0])


def structure_of_shapes(tree: Any) -> list[Shape]:
    """The shapes of a nest, in order."""
    found: list[Shape] = []

    def note(shape: Shape) -> Shape:
        found.append(shape)
        return shape

    map_shapes(note, tree)
    return found


def row_shape(shape: Any, owner: str, argument: str) -> Shape:
    """A checked shape of one row.

    Raises:
        TypeError, ValueError: not a tuple of sizes; names the owner and the argument.
    """
    try:
        sizes = (operator.index(shape),) if not hasattr(shape, "__iter__") else tuple(
            None if n is None else operator.index(n) for n in shape)  # fmt: skip
    except TypeError:
        raise TypeError(
            f"{owner}: {argument} must be a tuple of sizes such as (28, 28), got {shape!r}"
        ) from None
    if any(n is not None and n < 0 for n in sizes):
        raise ValueError(f"{owner}: {argument} must have sizes ≥ 0, got {shape!r}")
    return sizes
