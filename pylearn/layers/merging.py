"""Layers that join several inputs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import asarray
from pylearn.layers.base import Layer, Shape


def _several(layer: Layer, shapes: Any, exactly: int | None = None) -> list[Any]:
    if not isinstance(shapes, list) or len(shapes) < 2 or (exactly and len(shapes) != exactly):
        count = f"{exactly}" if exactly else "at least two"
        raise ValueError(f"{layer.name}: call {type(layer).__name__} on a list of {count} tensors")
    return shapes


class _Merge(Layer):
    """An operation element by element on inputs of one shape.

    Axes of size 1 are spread, and to rows with fewer axes such axes are added in front, as in Keras. A place is masked
    in the output if it is in all inputs.
    """

    exactly: int | None = None

    def merge(self, xs: list[Any]) -> Any:
        raise TypeError(f"{type(self).__name__} has no merge: write one")

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, x: Any) -> Any:
        self.compute_output_shape([t.shape for t in _several(self, x, self.exactly)])
        rank = max(t.ndim for t in x)
        return self.merge([_with_rank(self.floats(t), rank) for t in x])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = _several(self, input_shape, self.exactly)
        rank = max(len(s) for s in shapes)
        out: list[int | None] = []
        for sizes in zip(*((s[0], *(1,) * (rank - len(s)), *s[1:]) for s in shapes), strict=True):
            known = {n for n in sizes if n is not None}
            wide = known - {1}
            if len(wide) > 1 or (not out and len(known) > 1):
                raise ValueError(f"{self.name}: inputs must have one shape, got {[tuple(s) for s in shapes]}")
            out.append(wide.pop() if wide else (None if None in sizes else 1))
        return tuple(out)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        if mask is None or any(m is None for m in mask):
            return None
        return functools.reduce(ops.logical_or, mask)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def _with_rank(x: Any, rank: int) -> Any:
    return x if x.ndim == rank else ops.reshape(x, (x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]))


class Add(_Merge):
    """The sum of inputs of one shape.

    >>> import numpy as np
    >>> Add()([np.ones((1, 2)), np.full((1, 2), 3.0)]).numpy()
    array([[4., 4.]], dtype=float32)
    """

    def merge(self, xs: list[Any]) -> Any:
        return functools.reduce(ops.add, xs)


class Subtract(_Merge):
    """The first of two inputs less the second."""

    exactly = 2

    def merge(self, xs: list[Any]) -> Any:
        return ops.subtract(*xs)


class Multiply(_Merge):
    """The product of inputs of one shape, element by element."""

    def merge(self, xs: list[Any]) -> Any:
        return functools.reduce(ops.multiply, xs)


class Average(_Merge):
    """The mean of inputs of one shape, element by element."""

    def merge(self, xs: list[Any]) -> Any:
        return functools.reduce(ops.add, xs) / len(xs)


class Maximum(_Merge):
    """The largest of inputs of one shape, element by element."""

    def merge(self, xs: list[Any]) -> Any:
        return functools.reduce(ops.maximum, xs)


class Minimum(_Merge):
    """The smallest of inputs of one shape, element by element."""

    def merge(self, xs: list[Any]) -> Any:
        return functools.reduce(ops.minimum, xs)


class Concatenate(Layer):
    """Inputs joined along an axis. Masks are joined likewise.

    Args:
        axis: of the whole tensor, the batch axis being 0.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)

    def _check(self, shapes: Any) -> None:
        shapes = _several(self, shapes)
        axis = self.axis % len(shapes[0])
        rest = {(len(s), *(n for i, n in enumerate(s) if i != axis)) for s in shapes}
        if axis == 0 or len(rest) > 1:
            raise ValueError(f"{self.name}: inputs must agree on all axes but axis {self.axis}, got {shapes}")

    def call(self, x: Any) -> Any:
        self._check([t.shape for t in _several(self, x)])
        return ops.concatenate(x, axis=self.axis)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        parts = []
        for t, m in zip(x, mask, strict=True):
            if m is None:
                m = asarray(np.ones((1,) * t.ndim, "bool"))
            elif m.ndim < t.ndim:
                m = ops.reshape(m, (*m.shape, *(1,) * (t.ndim - m.ndim)))
            parts.append(ops.broadcast_to(m, t.shape))
        return ops.any(ops.concatenate(parts, axis=self.axis), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        self._check(input_shape)
        axis = self.axis % len(input_shape[0])
        sizes = [shape[axis] for shape in input_shape]
        total = None if any(n is None for n in sizes) else sum(sizes)
        return tuple(total if i == axis else n for i, n in enumerate(input_shape[0]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Layer):
    """Scalar products of two inputs along an axis of each, for each row of the batch.

    Args:
        axes: the axis of both, or one for each; not 0, the batch axis.
        normalize: scale along the axis to length 1 first, so that products are cosines.

    Shapes:
        x (N, A, …, K), y (N, B, …, K) → (N, A, …, B, …) for axes=-1; (N, K), (N, K) → (N, 1).

    >>> import numpy as np
    >>> Dot(axes=(2, 1))([np.ones((5, 2, 3)), np.ones((5, 3, 4))]).shape
    (5, 2, 4)
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        both = list(axes) if isinstance(axes, (list, tuple)) else [axes, axes]
        if len(both) != 2 or not all(isinstance(a, int) and not isinstance(a, bool) and a != 0 for a in both):
            raise ValueError(f"Dot: axes must be a whole number other than 0, or two of them, got {axes!r}")
        self.axes = axes if isinstance(axes, int) else both
        self.normalize = bool(normalize)

    def build(self, input_shape: Any) -> None:
        self._places(input_shape)

    def _places(self, shapes: Any) -> list[int]:
        shapes = _several(self, shapes, 2)
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        if any(not -len(s) < a < len(s) for a, s in zip(axes, shapes, strict=True)):
            raise ValueError(
                f"{self.name}: axes {self.axes} do not exist in shapes {[tuple(s) for s in shapes]}"
            )
        places = [a % len(s) for a, s in zip(axes, shapes, strict=True)]
        sizes = [s[p] for p, s in zip(places, shapes, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"{self.name}: axes {self.axes} have sizes {sizes[0]} and {sizes[1]}, of shapes "
                f"{[tuple(s) for s in shapes]}"
            )
        return places

    def call(self, x: Any) -> Any:
        flat, rest = [], []
        for t, axis in zip(x, self._places([t.shape for t in _several(self, x, 2)]), strict=True):
            others = [i for i in range(1, t.ndim) if i != axis]
            t = ops.transpose(self.floats(t), (0, *others, axis))
            if self.normalize:  # as Keras: a length below 1e-6 counts as 1e-6
                t = t / ops.sqrt(ops.maximum(ops.sum(ops.square(t), axis=-1, keepdims=True), 1e-12))
            rest.append(t.shape[1:-1])
            flat.append(ops.reshape(t, (t.shape[0], int(np.prod(rest[-1])), t.shape[-1])))
        y = ops.matmul(flat[0], ops.transpose(flat[1], (0, 2, 1)))
        return ops.reshape(y, (y.shape[0], *rest[0], *rest[1])) if rest[0] or rest[1] else y[:, :, 0]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        a, b = self._places(input_shape)
        first, second = input_shape
        row = (*(n for i, n in enumerate(first) if i not in (0, a)),
               *(n for i, n in enumerate(second) if i not in (0, b)))  # fmt: skip
        return (first[0], *(row or (1,)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


# -- Keras' short forms: the layer, made and called ---------------------------------------------------------------


def add(inputs: list[Any], **kwargs: Any) -> Any:
    """``Add(**kwargs)(inputs)``

    >>> from pylearn.layers import Input
    >>> add([Input((4,)), Input((4,))]).shape
    (None, 4)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: list[Any], **kwargs: Any) -> Any:
    """``Subtract(**kwargs)(inputs)``"""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: list[Any], **kwargs: Any) -> Any:
    """``Multiply(**kwargs)(inputs)``"""
    return Multiply(**kwargs)(inputs)


def average(inputs: list[Any], **kwargs: Any) -> Any:
    """``Average(**kwargs)(inputs)``"""
    return Average(**kwargs)(inputs)


def maximum(inputs: list[Any], **kwargs: Any) -> Any:
    """``Maximum(**kwargs)(inputs)``"""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: list[Any], **kwargs: Any) -> Any:
    """``Minimum(**kwargs)(inputs)``"""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: list[Any], axis: int = -1, **kwargs: Any) -> Any:
    """``Concatenate(axis, **kwargs)(inputs)``"""
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: list[Any], axes: Any = -1, **kwargs: Any) -> Any:
    """``Dot(axes, **kwargs)(inputs)``"""
    return Dot(axes, **kwargs)(inputs)
