"""Transposed convolutions, channels last."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.convolutional import Convolution, per_axis, sizes_of


class _Transposed(Convolution):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
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
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            self.output_padding = sizes_of(owner, "output_padding", output_padding, self.rank, least=0)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{owner}: output_padding must be smaller than strides {self.strides}, got {output_padding!r}"
                )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{owner}: strides > 1 and dilation_rate > 1 do not go together")
        self.kernel: Any = None

    def build_kernels(self, channels: int) -> None:
        self.kernel = self.weight_for("kernel", (*self.kernel_size, self.filters, channels))

    def convolve(self, x: Any, activation: str | None) -> Any:
        run = ops.conv1d_transpose if self.rank == 1 else ops.conv2d_transpose
        cut = self.output_padding is not None and self.padding == "same"
        extra = self.output_padding
        ends = []
        if cut:  # where the output begins is Keras' choice: cut it out of all that the windows reach
            ends = [self._end(n, axis) for axis, n in enumerate(x.shape[1:-1])]
            extra = tuple(more for _, _, more in ends)
        y = run(
            x, self.kernel, self.bias, strides=per_axis(self.strides), padding="valid" if cut else self.padding,
            output_padding=None if extra is None else per_axis(extra), dilation=per_axis(self.dilation_rate),
            activation=activation,
        )  # fmt: skip
        return y[(slice(None), *(slice(begin, begin + size) for begin, size, _ in ends))] if cut else y

    def _end(self, size: int, axis: int) -> tuple[int, int, int]:
        """Of the output along an axis: where it begins in what the windows reach, its size, how far it goes beyond."""
        assert self.output_padding is not None
        span = self._span(axis)
        out = self.places(size, axis) or 0
        before = -(-(span + span % 2 - 2 + self.output_padding[axis]) // 2)
        begin = span - 1 - min(before, span - 1)
        return begin, out, max(0, begin + out - ((size - 1) * self.strides[axis] + span))

    def _span(self, axis: int) -> int:
        return (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1

    def places(self, size: int | None, axis: int) -> int | None:
        if size is None:
            return None
        span, stride = self._span(axis), self.strides[axis]
        if self.output_padding is not None:
            pad = span // 2 if self.padding == "same" else 0
            return max(0, (size - 1) * stride + span - 2 * pad + self.output_padding[axis])
        return size * stride + (0 if self.padding == "same" else max(span - stride, 0))

    def get_config(self) -> dict[str, Any]:
        extra = None if self.output_padding is None else list(self.output_padding)
        return {**super().get_config(), "filters": self.filters, "output_padding": extra}


class Conv1DTranspose(_Transposed):
    """The adjoint of a convolution along the steps, which makes sequences longer.

    Args:
        filters: channels of the output.
        kernel_size: steps a kernel spans.
        strides: how many steps of the output follow from one.
        padding: ``"valid"`` (T · strides + max(kernel_size - strides, 0) steps) or ``"same"`` (T · strides).
        output_padding: steps added at the end of (T - 1) · strides + kernel_size - 2 · pad, below ``strides``.
        data_format: ``"channels_last"``.
        dilation_rate: steps between a kernel's taps; not with strides.
        activation: name or function.
        use_bias, kernel_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, C) → (N, T', filters); kernel (kernel_size, filters, C).
    """

    rank = 1


class Conv2DTranspose(_Transposed):
    """The adjoint of a convolution over images, which makes them larger (Dumoulin and Visin 2016).

    Args:
        filters: channels of the output.
        kernel_size, strides, dilation_rate: one number for both axes, or (height, width).
        padding: ``"valid"`` (H · strides + max(KH - strides, 0) rows) or ``"same"`` (H · strides).
        output_padding: rows and columns added to (H - 1) · strides + KH - 2 · pad, below ``strides``.
        data_format: ``"channels_last"``.
        activation: name or function.
        use_bias, kernel_initializer, bias_initializer: ``True``, ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, H, W, C) → (N, H', W', filters); kernel (KH, KW, filters, C).

    >>> import numpy as np
    >>> Conv2DTranspose(8, 3, strides=2, padding="same")(np.ones((1, 7, 7, 4))).shape
    (1, 14, 14, 8)
    """

    rank = 2
