"""Layers with a way around them."""

from __future__ import annotations

from typing import Any

from pylearn import activations, ops
from pylearn.layers import BatchNormalization, Conv1D, Conv2D, Dense, Layer
from pylearn.layers.base import Shape
from pylearn.layers.nested import layer_from


class Residual(Layer):
    """activation(x + layers(x)): layers that learn what to add to their input (He et al. 2015).

    Where the layers give another shape, x goes through a projection: a dense layer for rows (N, F), a convolution of
    one pixel for sequences and images, with the strides between the two sizes.

    Args:
        *layers: the way that is not the short one, in order.
        activation: of the sum; None, name or function.
        projection: ``"auto"`` (only where shapes differ), ``"always"``, ``"never"``, or a layer of your own.
        normalize: follow the projection by a ``BatchNormalization``, as a ResNet does.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Raises:
        ValueError: shapes that no projection reconciles; names both.

    >>> import numpy as np
    >>> from pylearn.layers import Dense
    >>> Residual(Dense(8, activation="relu"), Dense(8))(np.ones((2, 8))).shape
    (2, 8)
    """

    def __init__(
        self,
        *layers: Any,
        activation: Any = None,
        projection: Any = "auto",
        normalize: bool = False,
        **kwargs: Any,
    ) -> None:
        if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
            layers = tuple(layers[0])
        super().__init__(**kwargs)
        self.layers = [layer_from(layer) for layer in layers]
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise TypeError("Residual: give it layers: Residual(Dense(64, activation='relu'), Dense(64))")
        names = [layer.name for layer in self.layers]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Residual: two layers are called alike, of {', '.join(names)}; give one another name"
            )
        self.activation = activations.get(activation)
        projection = layer_from(projection)
        if not isinstance(projection, Layer) and projection not in ("auto", "always", "never"):
            raise ValueError(
                f"Residual: projection must be 'auto', 'always', 'never' or a layer, got {projection!r}"
            )
        self.projection = projection
        self.normalize = bool(normalize)
        self._short: list[Layer] = []
        if isinstance(projection, Layer):
            self._set_short([projection])

    def _set_short(self, short: list[Layer]) -> None:
        self._short = short
        self._track(short)

    def build(self, input_shape: Shape) -> None:
        inner = self._through(input_shape, build=True)
        if not self._short and (
            self.projection == "always" or (self.projection == "auto" and inner != input_shape)
        ):
            self._set_short(self._project(input_shape, inner))
        shape = input_shape
        for layer in self._short:
            layer.ensure_built(shape)
            shape = layer.compute_output_shape(shape)
        if tuple(shape[1:]) != tuple(inner[1:]):
            raise ValueError(
                f"{self.name}: the layers make rows of {tuple(inner[1:])} of rows of {tuple(input_shape[1:])}, to "
                f"which the short way's {tuple(shape[1:])} cannot be added"
            )

    def _through(self, shape: Shape, build: bool = False) -> Shape:
        for layer in self.layers:
            if build:
                layer.ensure_built(shape)
            shape = layer.compute_output_shape(shape)
        return shape

    def _project(self, outer: Shape, inner: Shape) -> list[Layer]:
        if len(inner) != len(outer) or len(outer) > 4 or inner[-1] is None:
            raise ValueError(
                f"{self.name}: the layers make rows of {tuple(inner[1:])} of rows of {tuple(outer[1:])}; "
                "give a projection"
            )
        common: dict[str, Any] = {
            "use_bias": not self.normalize,
            "dtype": self.dtype_policy,
            "name": "projection",
        }
        if len(outer) == 2:
            short: Layer = Dense(inner[-1], **common)
        else:
            strides = [
                1 if a is None or not b else max(1, -(-a // b))
                for a, b in zip(outer[1:-1], inner[1:-1], strict=True)
            ]
            kind = Conv1D if len(outer) == 3 else Conv2D
            short = kind(inner[-1], 1, strides=strides, padding="same", **common)
        more = (
            [BatchNormalization(dtype=self.dtype_policy, name="projection_normalization")]
            if self.normalize
            else []
        )
        return [short, *more]

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        x = self.floats(x)
        y = short = x
        for layer in self.layers:
            y, mask = layer.run(y, training=training, mask=mask), layer.compute_mask(y, mask)
        for layer in self._short:
            short = layer.run(short, training=training)
        if tuple(y.shape) != tuple(short.shape):
            raise ValueError(f"{self.name}: {tuple(y.shape)} and {tuple(short.shape)} cannot be added")
        return self.activation(ops.add(short, y))

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask  # the steps stay where they are

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._through(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "layers": self.layers, "activation": activations.serialize(self.activation),
            "projection": self.projection, "normalize": self.normalize,
        }  # fmt: skip

    @classmethod
    def made_from(cls, config: dict[str, Any]) -> Any:
        return cls(*config.pop("layers"), **config)
