"""Convolutions, channels last."""

from __future__ import annotations

import operator
from typing import Any

from pylearn import activations, initializers, ops, regularizers
from pylearn.layers.base import Layer, Shape


def sizes_of(owner: str, argument: str, value: Any, rank: int) -> tuple[int, ...]:
    """One number for all axes, or one each.

    Raises:
        TypeError, ValueError: not whole numbers > 0, or not as many as axes; names the layer and the argument.
    """
    try:
        sizes = (
            tuple(map(operator.index, value))
            if hasattr(value, "__iter__")
            else (operator.index(value),) * rank
        )
    except TypeError:
        raise TypeError(
            f"{owner}: {argument} must be a whole number or {rank} of them, got {value!r}"
        ) from None
    if len(sizes) != rank or min(sizes) < 1:
        raise ValueError(f"{owner}: {argument} must be {rank} whole number(s) > 0, got {value!r}")
    return sizes


def per_axis(sizes: tuple[int, ...]) -> Any:
    """How an op takes them: one number for one axis."""
    return sizes[0] if len(sizes) == 1 else sizes


def check_data_format(owner: str, data_format: str | None) -> None:
    if data_format in (None, "channels_last"):
        return
    if data_format == "channels_first":
        raise ValueError(f"{owner}: channels come last here; turn the data once: np.moveaxis(X, 1, -1)")
    raise ValueError(f"{owner}: data_format must be 'channels_last', got {data_format!r}")


def check_rank(layer: Layer, input_shape: Shape, rank: int) -> None:
    """Raises ValueError unless the input has ``rank`` axes between those of the batch and the channels."""
    if len(input_shape) == rank + 2:
        return
    axes = "(batch, steps, channels)" if rank == 1 else "(batch, height, width, channels)"
    hint = "; add the channel axis: X[..., None]" if len(input_shape) == rank + 1 else ""
    raise ValueError(
        f"{layer.name}: {type(layer).__name__} needs {axes}, got shape {tuple(input_shape)}{hint}"
    )


def window_size(size: int | None, window: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """Number of places of a window along an axis."""
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    return max(0, (size - (window - 1) * dilation - 1) // stride + 1)


class _Conv(Layer):
    """What the convolutions share. Their kernels are (*kernel_size, channels / groups, filters)."""

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")
    none_only = ("kernel_constraint", "bias_constraint")

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, groups: int = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = type(self).__name__
        self.filters = sizes_of(owner, "filters", filters, 1)[0]
        self.groups = sizes_of(owner, "groups", groups, 1)[0]
        self.kernel_size = sizes_of(owner, "kernel_size", kernel_size, self.rank)
        self.strides = sizes_of(owner, "strides", strides, self.rank)
        self.dilation_rate = sizes_of(owner, "dilation_rate", dilation_rate, self.rank)
        if padding not in self.paddings:
            raise ValueError(f"{owner}: padding must be one of {self.paddings}, got {padding!r}")
        if self.filters % self.groups:
            raise ValueError(f"{owner}: groups ({self.groups}) must divide filters ({self.filters})")
        check_data_format(owner, data_format)
        self.padding = padding
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Shape) -> None:
        check_rank(self, input_shape, self.rank)
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"{self.name}: the number of channels must be known, got shape {input_shape}")
        if channels % self.groups:
            raise ValueError(f"{self.name}: groups ({self.groups}) must divide the channels ({channels})")
        self.kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels // self.groups, self.filters), self.kernel_initializer,
            self.kernel_regularizer,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), self.bias_initializer, self.bias_regularizer)

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, self.rank)
        if x.shape[-1] != self.kernel.shape[-2] * self.groups:
            raise ValueError(
                f"{self.name}: expected {self.kernel.shape[-2] * self.groups} channels, got shape {tuple(x.shape)}"
            )
        if x.dtype != self.kernel.dtype:
            x = ops.cast(x, self.kernel.dtype)
        fused = activations.FUSED_IN_CONVOLUTION.get(self.activation)
        convolve = ops.conv1d if self.rank == 1 else ops.conv2d
        y = convolve(
            x, self.kernel, self.bias, strides=per_axis(self.strides), padding=self.padding,
            dilation=per_axis(self.dilation_rate),
            groups=self.groups, activation=fused,
        )  # fmt: skip
        return y if fused or self.activation is activations.linear else self.activation(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        windows = zip(input_shape[1:-1], self.kernel_size, self.strides, self.dilation_rate, strict=True)
        places = [window_size(n, size, stride, self.padding, apart) for n, size, stride, apart in windows]
        if 0 in places:
            raise ValueError(
                f"{self.name}: a kernel of {self.kernel_size} does not fit into rows of shape {input_shape[1:]}"
            )
        return (input_shape[0], *places, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "filters": self.filters, "kernel_size": list(self.kernel_size),
            "strides": list(self.strides), "padding": self.padding, "dilation_rate": list(self.dilation_rate),
            "groups": self.groups, "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer, "bias_initializer": self.bias_initializer,
            "kernel_regularizer": self.kernel_regularizer, "bias_regularizer": self.bias_regularizer,
        }  # fmt: skip


class Conv1D(_Conv):
    """activation(x * kernel + bias): a convolution along the steps of a sequence.

    Args:
        filters: channels of the output, > 0.
        kernel_size: steps a kernel spans.
        strides: steps from one window to the next.
        padding: ``"valid"`` (windows inside the sequence), ``"same"`` (ceil(steps / strides) windows, zeros around) or
            ``"causal"`` (the same number, a window ends at its own step).
        data_format: ``"channels_last"``.
        dilation_rate: steps between a kernel's taps.
        groups: the channels are cut into groups, each with filters of its own.
        activation: name or function, fused where it is relu, sigmoid or tanh.
        use_bias, kernel_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, C) → (N, T', filters); kernel (kernel_size, C / groups, filters), bias (filters,).

    Raises:
        ValueError: an input without channels, or whose channels groups does not divide.

    >>> import numpy as np
    >>> Conv1D(2, 3, kernel_initializer="ones")(np.ones((1, 5, 1))).numpy()[0, :, 0]
    array([3., 3., 3.], dtype=float32)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """activation(x * kernel + bias): a convolution over images.

    Args:
        filters: channels of the output, > 0.
        kernel_size, strides, dilation_rate: one number for both axes, or (height, width).
        padding: ``"valid"`` (windows inside the image) or ``"same"`` (ceil(size / strides) windows, zeros around).
        data_format: ``"channels_last"``.
        groups: the channels are cut into groups, each with filters of its own.
        activation: name or function, fused where it is relu, sigmoid or tanh.
        use_bias, kernel_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, H, W, C) → (N, H', W', filters); kernel (KH, KW, C / groups, filters), bias (filters,).

    Raises:
        ValueError: an input without channels, or whose channels groups does not divide.

    >>> import numpy as np
    >>> Conv2D(8, 3, activation="relu")(np.ones((2, 28, 28, 1))).shape
    (2, 26, 26, 8)
    """

    rank = 2
