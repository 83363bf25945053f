"""Pooling over windows and over everything, channels last."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import check_data_format, check_rank, per_axis, sizes_of, window_size


class _Pooling(Layer):
    rank: int
    kind: str  # "max" or "avg"
    default_size: Any = 2

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.pool_size = sizes_of(owner, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else sizes_of(owner, "strides", strides, self.rank)
        if padding not in ("valid", "same"):
            raise ValueError(f"{owner}: padding must be 'valid' or 'same', got {padding!r}")
        check_data_format(owner, data_format)
        self.padding = padding

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, self.rank)
        pool = getattr(ops, f"{self.kind}_pool{self.rank}d")
        return pool(
            x, pool_size=per_axis(self.pool_size), strides=per_axis(self.strides), padding=self.padding
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        places = [
            window_size(n, size, stride, self.padding)
            for n, size, stride in zip(input_shape[1:-1], self.pool_size, self.strides)
        ]
        if 0 in places:
            raise ValueError(
                f"{self.name}: windows of {self.pool_size} do not fit into rows of shape {input_shape[1:]}"
            )
        return (input_shape[0], *places, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "pool_size": list(self.pool_size), "strides": list(self.strides),
            "padding": self.padding,
        }  # fmt: skip


class MaxPooling1D(_Pooling):
    """The largest value of each window of steps: (N, T, C) → (N, T', C).

    Args:
        pool_size: steps of a window.
        strides: from one window to the next; ``pool_size`` by default.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> MaxPooling1D()(np.arange(4.0).reshape(1, 4, 1)).numpy().ravel()
    array([1., 3.], dtype=float32)
    """

    rank, kind = 1, "max"


class MaxPooling2D(_Pooling):
    """The largest value of each window: (N, H, W, C) → (N, H', W', C).

    Args:
        pool_size: one number for both axes, or (height, width).
        strides: from one window to the next; ``pool_size`` by default.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> MaxPooling2D()(np.arange(16.0).reshape(1, 4, 4, 1)).numpy().ravel()
    array([ 5.,  7., 13., 15.], dtype=float32)
    """

    rank, kind = 2, "max"


class AveragePooling1D(_Pooling):
    """The mean of each window of steps: (N, T, C) → (N, T', C). Padding is not counted.

    Args:
        pool_size: steps of a window.
        strides: from one window to the next; ``pool_size`` by default.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.
    """

    rank, kind = 1, "avg"


class AveragePooling2D(_Pooling):
    """The mean of each window: (N, H, W, C) → (N, H', W', C). Padding is not counted.

    Args:
        pool_size: one number for both axes, or (height, width).
        strides: from one window to the next; ``pool_size`` by default.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.
    """

    rank, kind = 2, "avg"


class _GlobalPooling(Layer):
    rank: int
    axes: tuple[int, ...]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_data_format(type(self).__name__, data_format)
        self.keepdims = bool(keepdims)
        self.axes = tuple(range(1, self.rank + 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        ones = (1,) * self.rank if self.keepdims else ()
        return (input_shape[0], *ones, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class _GlobalMax(_GlobalPooling):
    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, self.rank)
        return ops.max(x, axis=self.axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMax):
    """The largest value over all steps: (N, T, C) → (N, C), or (N, 1, C) with ``keepdims``."""

    rank = 1


class GlobalMaxPooling2D(_GlobalMax):
    """The largest value over the image: (N, H, W, C) → (N, C), or (N, 1, 1, C) with ``keepdims``."""

    rank = 2


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all steps that are not masked: (N, T, C) → (N, C), or (N, 1, C) with ``keepdims``."""

    rank = 1

    def call(self, x: Any, mask: Any = None) -> Any:
        check_rank(self, x.shape, 1)
        if mask is None:
            return ops.mean(x, axis=1, keepdims=self.keepdims)
        keep = ops.expand_dims(ops.cast(mask, x.dtype), -1)
        counted = ops.maximum(ops.sum(keep, axis=1, keepdims=self.keepdims), 1.0)
        return ops.sum(x * keep, axis=1, keepdims=self.keepdims) / counted


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean over the image: (N, H, W, C) → (N, C), or (N, 1, 1, C) with ``keepdims``."""

    rank = 2

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, 2)
        return ops.mean(x, axis=self.axes, keepdims=self.keepdims)
