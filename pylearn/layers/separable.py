"""Convolutions whose kernels see one channel at a time, channels last."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.convolutional import Convolution, sizes_of


class _Depthwise(Convolution):
    """A kernel (*kernel_size, channels, depth_multiplier), and a convolution of each channel by itself."""

    def __init__(self, depth_multiplier: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.depth_multiplier = sizes_of(type(self).__name__, "depth_multiplier", depth_multiplier, 1)[0]
        self.depthwise_kernel: Any = None

    def build_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.weight_for("depthwise", shape, "depthwise_kernel")

    def depthwise(self, x: Any, bias: Any = None, activation: str | None = None) -> Any:
        if self.rank == 2:
            return ops.depthwise_conv2d(
                x, self.depthwise_kernel, bias, strides=self.strides, padding=self.padding,
                dilation=self.dilation_rate, activation=activation,
            )  # fmt: skip
        y = ops.depthwise_conv2d(
            ops.expand_dims(x, 1), ops.expand_dims(self.depthwise_kernel, 0), bias, strides=(1, *self.strides),
            padding=self.padding, dilation=(1, *self.dilation_rate), activation=activation,
        )  # fmt: skip
        return ops.squeeze(y, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class _DepthwiseConv(_Depthwise):
    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid", depth_multiplier: int = 1,
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "depthwise_initializer": depthwise_initializer, "bias_initializer": bias_initializer,
            "depthwise_regularizer": depthwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            depth_multiplier, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip

    def filters_of(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def convolve(self, x: Any, activation: str | None) -> Any:
        return self.depthwise(x, self.bias, activation)


class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel by itself along the steps: (N, T, C) → (N, T', C · depth_multiplier).

    Args:
        kernel_size: steps a kernel spans.
        strides: steps from one window to the next.
        padding: ``"valid"`` or ``"same"``.
        depth_multiplier: kernels per channel.
        data_format: ``"channels_last"``.
        dilation_rate: steps between a kernel's taps.
        activation: name or function.
        use_bias, depthwise_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        depthwise_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.ones((1, 5, 4))).shape
    (1, 3, 8)
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel of an image by itself: (N, H, W, C) → (N, H', W', C · depth_multiplier).

    Channel c · depth_multiplier + m of the output is that of kernel m on channel c (Chollet 2017).

    Args:
        kernel_size, strides, dilation_rate: one number for both axes, or (height, width).
        padding: ``"valid"`` or ``"same"``.
        depth_multiplier: kernels per channel.
        data_format: ``"channels_last"``.
        activation: name or function.
        use_bias, depthwise_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        depthwise_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> DepthwiseConv2D(3)(np.ones((1, 8, 8, 4))).shape
    (1, 6, 6, 4)
    """

    rank = 2


class _SeparableConv(_Depthwise):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, depth_multiplier: int = 1, activation: Any = None,
        use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "depthwise_initializer": depthwise_initializer, "pointwise_initializer": pointwise_initializer,
            "bias_initializer": bias_initializer, "depthwise_regularizer": depthwise_regularizer,
            "pointwise_regularizer": pointwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "pointwise_constraint": pointwise_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            depth_multiplier, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip
        self.filters = sizes_of(type(self).__name__, "filters", filters, 1)[0]
        self.pointwise_kernel: Any = None

    def build_kernels(self, channels: int) -> None:
        super().build_kernels(channels)
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self.weight_for("pointwise", shape, "pointwise_kernel")

    def convolve(self, x: Any, activation: str | None) -> Any:
        run = ops.conv1d if self.rank == 1 else ops.conv2d
        return run(self.depthwise(x), self.pointwise_kernel, self.bias, activation=activation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class SeparableConv1D(_SeparableConv):
    """A convolution of each channel by itself along the steps, then a mixing of channels at each step.

    Args:
        filters: channels of the output.
        kernel_size: steps a kernel spans.
        strides: steps from one window to the next.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.
        dilation_rate: steps between a kernel's taps.
        depth_multiplier: kernels per channel.
        activation: name or function.
        use_bias, depthwise_initializer, pointwise_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"glorot_uniform"``, ``"zeros"``.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, C) → (N, T', filters); depthwise_kernel (K, C, depth_multiplier), pointwise_kernel
        (1, C · depth_multiplier, filters).
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """A convolution of each channel of an image by itself, then a mixing of channels at each pixel (Chollet 2017).

    Args:
        filters: channels of the output.
        kernel_size, strides, dilation_rate: one number for both axes, or (height, width).
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``.
        depth_multiplier: kernels per channel.
        activation: name or function.
        use_bias, depthwise_initializer, pointwise_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"glorot_uniform"``, ``"zeros"``.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, H, W, C) → (N, H', W', filters); depthwise_kernel (KH, KW, C, depth_multiplier), pointwise_kernel
        (1, 1, C · depth_multiplier, filters).

    >>> import numpy as np
    >>> SeparableConv2D(8, 3)(np.ones((1, 8, 8, 4))).shape
    (1, 6, 6, 8)
    """

    rank = 2
