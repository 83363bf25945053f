"""Layers that join several inputs."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.base import Layer, Shape


def _several(layer: Layer, shapes: Any) -> list[Shape]:
    if not isinstance(shapes, list) or len(shapes) < 2:
        raise ValueError(f"{layer.name}: call {type(layer).__name__} on a list of at least two tensors")
    return shapes


class Add(Layer):
    """The sum of inputs of one shape."""

    def build(self, input_shape: Any) -> None:
        shapes = _several(self, input_shape)
        if any(shape[1:] != shapes[0][1:] for shape in shapes):
            raise ValueError(f"{self.name}: inputs must have one shape, got {shapes}")

    def call(self, x: Any) -> Any:
        total = x[0]
        for item in x[1:]:
            total = total + item
        return total

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


class Concatenate(Layer):
    """Inputs joined along an axis.

    Args:
        axis: of the whole tensor, the batch axis being 0.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)

    def build(self, input_shape: Any) -> None:
        shapes = _several(self, input_shape)
        axis = self.axis % len(shapes[0])
        rest = {(len(s), *(n for i, n in enumerate(s) if i != axis)) for s in shapes}
        if axis == 0 or len(rest) > 1:
            raise ValueError(f"{self.name}: inputs must agree on all axes but axis {self.axis}, got {shapes}")

    def call(self, x: Any) -> Any:
        return ops.concatenate(x, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        axis = self.axis % len(input_shape[0])
        sizes = [shape[axis] for shape in input_shape]
        total = None if any(n is None for n in sizes) else sum(sizes)
        return tuple(total if i == axis else n for i, n in enumerate(input_shape[0]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
