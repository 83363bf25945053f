"""Dense, Activation, Flatten, Reshape and Dropout."""

from __future__ import annotations

import math
from typing import Any

from pylearn import activations, initializers, ops, regularizers
from pylearn.layers.base import Layer, Shape
from pylearn.sparse import CSR


class Dense(Layer):
    """activation(x · kernel + bias), over the last axis.

    Args:
        units: size of the output's last axis, > 0.
        activation: name or function.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: ``"glorot_uniform"`` and ``"zeros"``; a number is a constant.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``, ``input_dim``.

    Shapes:
        x (N, …, D) or a CSR matrix (N, D) → (N, …, units); kernel (D, units), bias (units,).

    Raises:
        TypeError: an argument that is not supported; names the closest one.
        ValueError: an input whose last axis has another size.

    >>> import numpy as np
    >>> layer = Dense(2, kernel_initializer="ones", bias_initializer=0.5)
    >>> layer(np.ones((1, 3))).numpy()
    array([[3.5, 3.5]], dtype=float32)
    """

    none_only = ("kernel_constraint", "bias_constraint", "lora_rank")

    supports_masking = True

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not hasattr(units, "__index__") or units <= 0:
            raise ValueError(f"Dense: units must be a whole number > 0, got {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Shape) -> None:
        if not input_shape or len(input_shape) < 2:
            raise ValueError(f"{self.name}: Dense needs rows with at least one axis, got shape {input_shape}")
        size = input_shape[-1]
        if size is None:
            raise ValueError(f"{self.name}: the size of the last axis must be known, got shape {input_shape}")
        self.kernel = self.add_weight(
            "kernel", (size, self.units), self.kernel_initializer, self.kernel_regularizer
        )
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), self.bias_initializer, self.bias_regularizer)

    def call(self, x: Any) -> Any:
        kernel = self.kernel
        if x.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"{self.name}: expected {kernel.shape[0]} values on the last axis, got shape {tuple(x.shape)}"
            )
        activation = self.activation
        if type(x) is CSR:
            if x.dtype != kernel.dtype:
                x = CSR(x.indptr, x.indices, x.values.astype(kernel.dtype), x.shape)
            y = x @ kernel
            return activation(y if self.bias is None else y + self.bias)
        if x.dtype != kernel.dtype:
            x = ops.cast(x, kernel.dtype)
        fused = activations.FUSED.get(activation)
        y = ops.linear(x, kernel, self.bias, activation=fused)
        return y if fused else activation(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias, "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer, "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
        }  # fmt: skip


class Activation(Layer):
    """An activation as a layer of its own.

    Args:
        activation: name or function.
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        return self.activation(x if x.dtype.kind == "f" else ops.cast(x, self.dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Flatten(Layer):
    """(N, A, B, …) → (N, A·B·…); a row without axes becomes (N, 1)."""

    accepts_integers = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last"):
            raise ValueError(f"Flatten: only data_format='channels_last' is supported, got {data_format!r}")

    def call(self, x: Any) -> Any:
        return x if x.ndim == 2 else ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        row = input_shape[1:]
        return (input_shape[0], None if None in row else math.prod(n for n in row if n is not None))

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


class Reshape(Layer):
    """Gives each row another shape of the same size.

    Args:
        target_shape: of one row; one axis may be -1.
    """

    accepts_integers = True

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(n) for n in target_shape)
        if sum(n == -1 for n in self.target_shape) > 1:
            raise ValueError(f"Reshape: at most one axis may be -1, got {self.target_shape}")

    def call(self, x: Any) -> Any:
        row = self._row(tuple(x.shape[1:]))
        return ops.reshape(x, (x.shape[0], *row))

    def _row(self, row: Shape) -> Shape:
        if None in row:
            return tuple(None if n == -1 else n for n in self.target_shape)
        size, known = (
            math.prod(n for n in row if n is not None),
            math.prod(n for n in self.target_shape if n != -1),
        )
        if (-1 in self.target_shape and (known == 0 or size % known)) or (
                -1 not in self.target_shape and size != known):  # fmt: skip
            raise ValueError(
                f"{self.name}: rows of shape {row} ({size} values) cannot become {self.target_shape}"
            )
        return tuple(size // known if n == -1 else n for n in self.target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._row(input_shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Dropout(Layer):
    """While training, sets a fraction of the values to zero and scales the others up (Srivastava et al. 2014).

    Args:
        rate: fraction dropped, in [0, 1).

    >>> import numpy as np
    >>> bool((Dropout(0.5)(np.ones((2, 2))).numpy() == 1).all())  # at rest outside training
    True
    """

    supports_masking = True
    none_only = ("noise_shape", "seed")

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"Dropout: rate is the fraction dropped and must be in [0, 1), got {rate}")
        self.rate = float(rate)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        return ops.dropout(x if x.dtype.kind == "f" else ops.cast(x, self.dtype), self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
