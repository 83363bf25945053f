"""Scaling of inputs, inside the model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import Tensor, asarray
from pylearn.layers.base import Layer, Shape


class Rescaling(Layer):
    """x · scale + offset: ``Rescaling(1 / 255)`` for pixels.

    Args:
        scale, offset: numbers, or lists of one per channel.

    >>> import numpy as np
    >>> Rescaling(1 / 127.5, offset=-1)(np.array([[0, 255]])).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = _numbers("scale", scale), _numbers("offset", offset)

    def call(self, x: Any) -> Any:
        x = self.floats(x)
        return x * self._factor(self.scale, x.dtype) + self._factor(self.offset, x.dtype)

    def _factor(self, value: Any, dtype: Any) -> Any:
        return value if isinstance(value, float) else asarray(np.asarray(value, dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


def _numbers(argument: str, value: Any) -> float | list[float]:
    array = np.asarray(value, "float64")
    if array.ndim > 1 or not np.isfinite(array).all():
        raise ValueError(f"Rescaling: {argument} must be a finite number, or one per channel, got {value!r}")
    return array.tolist()


class Normalization(Layer):
    """(x - mean) / sqrt(variance), with the mean and variance of data that ``adapt`` has seen.

    They are weights, which training does not change, so the model's file holds them.

    Args:
        axis: the axes that have a mean of their own: the last by default; None for one mean of everything.
        mean, variance: known numbers, instead of ``adapt``.
        invert: undo the normalisation: x · sqrt(variance) + mean.
        **kwargs: ``name``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> layer(np.array([[0.0, 40.0]])).numpy()
    array([[-1.,  2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        kwargs.pop("trainable", None)
        super().__init__(trainable=False, **kwargs)
        if (mean is None) != (variance is None):
            raise ValueError("Normalization: give both mean and variance, or neither and call adapt(data)")
        axes = () if axis is None else tuple(axis) if hasattr(axis, "__iter__") else (axis,)
        if 0 in axes:
            raise ValueError("Normalization: axis 0 is the batch and cannot have a mean of its own")
        self.axis = None if axis is None else [int(a) for a in axes] if len(axes) != 1 else int(axes[0])
        self._kept = [int(a) for a in axes]
        self.given = None if mean is None else (np.asarray(mean, "float64"), np.asarray(variance, "float64"))
        if self.given is not None and (self.given[1] < 0).any():
            raise ValueError("Normalization: variance must be ≥ 0")
        self.invert = bool(invert)
        self.mean: Any = None
        self.variance: Any = None

    def build(self, input_shape: Shape) -> None:
        kept = self._axes(len(input_shape))
        shape = [n if i in kept else 1 for i, n in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                f"{self.name}: the size of axis {self.axis} must be known, got shape {input_shape}"
            )
        sizes = [int(n) for n in shape if n is not None]
        self.mean = self.add_weight("mean", sizes, "zeros", trainable=False)
        self.variance = self.add_weight("variance", sizes, "ones", trainable=False)
        if self.given is not None:
            for weight, value in zip((self.mean, self.variance), self.given, strict=True):
                if value.size not in (1, weight.size):
                    raise ValueError(
                        f"{self.name}: mean and variance must have {weight.size} values for rows of shape "
                        f"{input_shape[1:]}, got {value.size}"
                    )
                spread = np.broadcast_to(value.reshape(-1), (weight.size,)).reshape(weight.shape)
                ops.assign(weight, np.ascontiguousarray(spread, self.dtype))

    def _axes(self, rank: int) -> set[int]:
        if any(not -rank < a < rank for a in self._kept):
            raise ValueError(
                f"{self.name}: axis {self.axis} does not exist in {rank} axes, the batch's included"
            )
        return {a % rank for a in self._kept}

    def adapt(self, data: Any) -> None:
        """Takes the mean and variance of data: an array (N, …), or an iterable of batches. Computed in float64.

        Raises:
            ValueError: no rows; rows of another shape; the layer was given its mean.
        """
        if self.given is not None:
            raise ValueError(f"{self.name}: it was given its mean and variance, so adapt is not for it")
        one = isinstance(data, (np.ndarray, Tensor)) or hasattr(data, "__array__")
        count, mean, spread = 0, np.zeros(()), np.zeros(())
        for batch in [data] if one else _batches(data):
            try:
                rows = np.asarray(batch.numpy() if isinstance(batch, Tensor) else batch, "float64")
            except (TypeError, ValueError):
                raise TypeError(f"{self.name}: adapt takes rows of numbers, got {str(batch)[:60]}") from None
            if not np.isfinite(rows).all():
                row = int(np.argmin(np.isfinite(rows.reshape(len(rows), -1)).all(1)))
                raise ValueError(f"{self.name}: adapt was given data that are not finite in row {row}")
            if rows.ndim == 1:
                rows = rows[:, None]
            self.ensure_built((None, *rows.shape[1:]))
            kept = self._axes(rows.ndim)
            want = [n if i in kept else 1 for i, n in enumerate(rows.shape)][1:]
            if want != list(self.mean.shape):
                raise ValueError(
                    f"{self.name}: data of shape {rows.shape} does not fit a mean of shape {tuple(self.mean.shape)}"
                )
            axes = tuple(i for i in range(rows.ndim) if i not in kept)
            more = math.prod(rows.shape[i] for i in axes)
            if more == 0:
                continue
            m, v = rows.mean(axes, keepdims=True)[0], rows.var(axes, keepdims=True)[0]
            total = count + more  # Chan et al. 1979
            spread = spread + v * more + (m - mean) ** 2 * (count * more / total)
            mean = mean + (m - mean) * (more / total)
            count = total
        if count == 0:
            raise ValueError(f"{self.name}: adapt was given no rows")
        ops.assign(self.mean, np.ascontiguousarray(mean, self.dtype))
        ops.assign(self.variance, np.ascontiguousarray(spread / count, self.dtype))

    def call(self, x: Any) -> Any:
        x = x if x.dtype == self.dtype else ops.cast(x, self.dtype)
        shape = tuple(self.mean.shape)
        if x.ndim != len(shape) + 1 or any(m not in (1, n) for m, n in zip(shape, x.shape[1:], strict=True)):
            raise ValueError(
                f"{self.name}: rows of shape {tuple(x.shape[1:])} do not fit a mean of shape {shape}"
            )
        deviation = ops.maximum(ops.sqrt(self.variance), 1e-7)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("trainable")
        mean, variance = (None, None) if self.given is None else (v.tolist() for v in self.given)
        return {**config, "axis": self.axis, "mean": mean, "variance": variance, "invert": self.invert}


def _batches(data: Any) -> Iterable[Any]:
    """Batches of an iterable; a list of numbers or of lists is one array."""
    if isinstance(data, (list, tuple)) and not any(isinstance(v, (np.ndarray, Tensor)) for v in data):
        return [data]
    return (batch[0] if isinstance(batch, tuple) else batch for batch in data)
