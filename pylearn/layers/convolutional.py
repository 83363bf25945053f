"""Convolutions, channels last."""

from __future__ import annotations

import operator
from typing import Any

from pylearn import activations, ops, registry
from pylearn.layers.base import Layer, Shape
from pylearn.layers.products import linear


def sizes_of(owner: str, argument: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One number for all axes, or one each.

    Raises:
        TypeError, ValueError: not whole numbers ≥ ``least``, or not as many as axes; names the layer and the argument.
    """
    try:
        sizes = (
            tuple(map(operator.index, value))
            if hasattr(value, "__iter__")
            else (operator.index(value),) * rank
        )
    except TypeError:
        several = f" or {rank} of them" if rank > 1 else ""
        raise TypeError(f"{owner}: {argument} must be a whole number{several}, got {value!r}") from None
    if len(sizes) != rank or min(sizes) < least:
        several = f" or {rank} of them" if rank > 1 else ""
        raise ValueError(f"{owner}: {argument} must be a whole number ≥ {least}{several}, got {value!r}")
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
    hint = ""
    if len(input_shape) == rank + 1:
        hint = "; add the channel axis: X[..., None]"
    elif len(input_shape) == rank + 3:
        hint = "; input_shape is the shape of one row: leave the batch axis out"
    raise ValueError(
        f"{layer.name}: {type(layer).__name__} needs {axes}, got shape {tuple(input_shape)}{hint}"
    )


def warn_channels_first(layer: Layer, input_shape: Shape) -> None:
    """Warns where the channels of images seem to come first: (3, H, W)."""
    first = len(input_shape) == 4 and input_shape[1] in (1, 3)
    if first and all(n is None or n >= 8 for n in input_shape[2:]):
        registry.warn(
            f"{layer.name}: rows of shape {tuple(input_shape[1:])} seem to have their channels first; they come "
            "last here. If so, turn the data once: np.moveaxis(X, 1, -1)"
        )


def window_size(size: int | None, window: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """Number of places of a window along an axis."""
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    return max(0, (size - (window - 1) * dilation - 1) // stride + 1)


class Convolution(Layer):
    """What all convolutions share: windows, a bias and an activation. A subclass makes the kernels and convolves."""

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")
    bias: Any = None

    def __init__(
        self, kernel_size: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any,
        activation: Any, use_bias: bool, activity_regularizer: Any, settings: dict[str, Any], **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = type(self).__name__
        self.kernel_size = sizes_of(owner, "kernel_size", kernel_size, self.rank)
        self.strides = sizes_of(owner, "strides", strides, self.rank)
        self.dilation_rate = sizes_of(owner, "dilation_rate", dilation_rate, self.rank)
        if padding not in self.paddings:
            raise ValueError(f"{owner}: padding must be one of {self.paddings}, got {padding!r}")
        check_data_format(owner, data_format)
        self.padding = padding
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.channels = 0
        self.set_up(**settings)

    def filters_of(self, channels: int) -> int:
        """Channels of the output."""
        return int(self.filters)  # type: ignore[attr-defined]

    def build_kernels(self, channels: int) -> None:
        """Makes the kernels for inputs of so many channels."""
        raise TypeError(f"{type(self).__name__} has no build_kernels: write one")

    def convolve(self, x: Any, activation: str | None) -> Any:
        """The convolution with bias and (fused) activation."""
        raise TypeError(f"{type(self).__name__} has no convolve: write one")

    def build(self, input_shape: Shape) -> None:
        check_rank(self, input_shape, self.rank)
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"{self.name}: the number of channels must be known, got shape {input_shape}")
        warn_channels_first(self, input_shape)
        self.channels = channels
        self.build_kernels(channels)
        if self.use_bias:
            self.bias = self.weight_for("bias", (self.filters_of(channels),))

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, self.rank)
        if x.shape[-1] != self.channels:
            raise ValueError(f"{self.name}: expected {self.channels} channels, got shape {tuple(x.shape)}")
        if x.dtype != self.dtype:
            x = ops.cast(x, self.dtype)
        fused = activations.FUSED_IN_CONVOLUTION.get(self.activation)
        y = self.convolve(x, fused)
        return y if fused or self.activation is activations.linear else self.activation(y)

    def places(self, size: int | None, axis: int) -> int | None:
        """Size of the output along an axis."""
        return window_size(
            size, self.kernel_size[axis], self.strides[axis], self.padding, self.dilation_rate[axis]
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        places = [self.places(n, axis) for axis, n in enumerate(input_shape[1:-1])]
        if 0 in places:
            raise ValueError(
                f"{self.name}: a kernel of {self.kernel_size} does not fit into rows of shape {input_shape[1:]}"
            )
        return (input_shape[0], *places, self.filters_of(input_shape[-1] or 0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "kernel_size": list(self.kernel_size), "strides": list(self.strides),
            "padding": self.padding, "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
        }  # fmt: skip


class _Conv(Convolution):
    """Kernels of shape (*kernel_size, channels / groups, filters).

    One place wide, without strides and groups, it is a product, of bfloat16 operands under ``"mixed_bfloat16"``.
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, groups: int = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, activity_regularizer,
            settings, **kwargs,
        )  # fmt: skip
        owner = type(self).__name__
        self.filters = sizes_of(owner, "filters", filters, 1)[0]
        self.groups = sizes_of(owner, "groups", groups, 1)[0]
        if self.filters % self.groups:
            raise ValueError(f"{owner}: groups ({self.groups}) must divide filters ({self.filters})")
        self.kernel: Any = None

    def build_kernels(self, channels: int) -> None:
        if channels % self.groups:
            raise ValueError(f"{self.name}: groups ({self.groups}) must divide the channels ({channels})")
        self.kernel = self.weight_for("kernel", (*self.kernel_size, channels // self.groups, self.filters))

    def convolve(self, x: Any, activation: str | None) -> Any:
        if self.compute_dtype == "bfloat16" and {*self.kernel_size, *self.strides, self.groups} == {1}:
            kernel = ops.reshape(self.kernel, self.kernel.shape[-2:])  # a product over the channels
            return linear(self.dtype_policy, x, kernel, self.bias, activation)
        run = ops.conv1d if self.rank == 1 else ops.conv2d
        return run(
            x, self.kernel, self.bias, strides=per_axis(self.strides), padding=self.padding,
            dilation=per_axis(self.dilation_rate), groups=self.groups, activation=activation,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


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
        kernel_constraint, bias_constraint: put in force after every update.
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
        kernel_constraint, bias_constraint: put in force after every update.
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
