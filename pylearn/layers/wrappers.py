"""A layer at every step of a sequence."""

from __future__ import annotations

from typing import Any

from pylearn import ops, structure
from pylearn.layers.base import Layer, Shape
from pylearn.layers.nested import layer_from


class TimeDistributed(Layer):
    """The same layer at each step: (N, T, …) → (N, T, …).

    The steps of all rows are one batch to the layer inside. A mask (N, T) or (N, T, …) is cut up likewise.

    Args:
        layer: any layer with one input and one output.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> from pylearn.layers import Conv2D
    >>> TimeDistributed(Conv2D(8, 3))(np.ones((2, 5, 16, 16, 3))).shape
    (2, 5, 14, 14, 8)
    """

    supports_masking = True

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        layer = layer_from(layer)
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed: layer must be a layer, got {type(layer).__name__}")
        self.layer = layer
        self.accepts_integers = layer.accepts_integers

    def build(self, input_shape: Shape) -> None:
        self.layer.ensure_built(self._step(input_shape))

    def _step(self, shape: Any) -> Shape:
        if len(shape) < 3:
            raise ValueError(
                f"{self.name}: TimeDistributed needs (batch, steps, …), got shape {tuple(shape)}"
            )
        return (None, *shape[2:])

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        self._step(x.shape)
        y = self.layer.run(_joined(x), training=training, mask=self._mask(x, mask))
        return structure.transform(lambda t: ops.reshape(t, (*x.shape[:2], *t.shape[1:])), y)

    def _mask(self, x: Any, mask: Any) -> Any:
        if mask is None:
            return None
        if mask.ndim < 2 or tuple(mask.shape[:2]) != tuple(x.shape[:2]):
            raise ValueError(
                f"{self.name}: a mask of shape {tuple(mask.shape)} does not fit {tuple(x.shape)}"
            )
        return _joined(mask)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        inner = self.layer.compute_mask(_joined(x), self._mask(x, mask))
        if inner is not None and inner.ndim > 1:
            return ops.reshape(inner, (*x.shape[:2], *inner.shape[1:]))
        if mask is None or mask.ndim == 2:
            return mask
        return ops.any(mask, axis=tuple(range(2, mask.ndim)))  # a step counts if anything in it does

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        step = self.layer.compute_output_shape(self._step(input_shape))
        return (*input_shape[:2], *step[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": self.layer}


def _joined(x: Any) -> Any:
    return ops.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))
