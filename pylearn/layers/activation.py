"""Activations with arguments or weights, as layers."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.base import Layer, Shape


class _Elementwise(Layer):
    """The output has the shape and the mask of the input."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class ReLU(_Elementwise):
    """x where x > threshold, else negative_slope · (x - threshold); at most max_value.

    Args:
        max_value: an upper bound, or None.
        negative_slope: slope below the threshold.
        threshold: where the function begins to be x.

    >>> import numpy as np
    >>> ReLU(max_value=2.0)(np.array([[-1.0, 1.0, 3.0]])).numpy()
    array([[0., 1., 2.]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(f"ReLU: max_value must be ≥ 0, got {max_value}")
        for name, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0:
                raise ValueError(f"ReLU: {name} must be ≥ 0, got {value}")
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope, self.threshold = float(negative_slope), float(threshold)

    def call(self, x: Any) -> Any:
        x = self.floats(x)
        if self.threshold == 0.0:
            y = ops.leaky_relu(x, self.negative_slope) if self.negative_slope else ops.relu(x)
        else:
            y = ops.where(ops.greater(x, self.threshold), x, (x - self.threshold) * self.negative_slope)
        return y if self.max_value is None else ops.minimum(y, self.max_value)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "max_value": self.max_value, "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }  # fmt: skip


class LeakyReLU(_Elementwise):
    """x where x > 0, else negative_slope · x (Maas et al. 2013).

    Args:
        negative_slope: 0.3; ``alpha`` is its earlier name.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if slope is None or slope < 0:
            raise ValueError(f"LeakyReLU: negative_slope must be ≥ 0, got {slope}")
        self.negative_slope = float(slope)

    def call(self, x: Any) -> Any:
        return ops.leaky_relu(self.floats(x), self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class PReLU(_Elementwise):
    """x where x > 0, else alpha · x with an alpha for each place that is learned (He et al. 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of alpha; ``"zeros"``, None, None.
        shared_axes: axes along which one alpha serves, counted from 1: (1, 2) for one per channel of images.

    Shapes:
        x (N, …) → (N, …); alpha has the shape of a row, 1 along shared axes.
    """

    def __init__(
        self, alpha_initializer: Any = "zeros", alpha_regularizer: Any = None, alpha_constraint: Any = None,
        shared_axes: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.set_up(
            alpha_initializer=alpha_initializer, alpha_regularizer=alpha_regularizer,
            alpha_constraint=alpha_constraint,
        )  # fmt: skip
        axes: Any = () if shared_axes is None else shared_axes
        self.shared_axes = tuple(int(a) for a in (axes if hasattr(axes, "__iter__") else (axes,)))
        self.alpha: Any = None

    def build(self, input_shape: Shape) -> None:
        if any(not 1 <= axis < len(input_shape) for axis in self.shared_axes):
            raise ValueError(
                f"{self.name}: shared_axes must be among 1 to {len(input_shape) - 1}, got {self.shared_axes}"
            )
        shape = [1 if axis in self.shared_axes else n for axis, n in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                f"{self.name}: PReLU has a weight for each place of a row, whose shape {input_shape[1:]} is not "
                "known: share an alpha along the open axes with shared_axes"
            )
        self.alpha = self.weight_for("alpha", [int(n) for n in shape if n is not None])

    def call(self, x: Any) -> Any:
        x = self.floats(x)
        if x.ndim != self.alpha.ndim + 1 or any(
            a not in (1, n) for a, n in zip(self.alpha.shape, x.shape[1:], strict=True)
        ):
            raise ValueError(
                f"{self.name}: rows of shape {tuple(x.shape[1:])} do not fit alpha of shape {tuple(self.alpha.shape)}"
            )
        return ops.relu(x) - self.alpha * ops.relu(-x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shared_axes": list(self.shared_axes) or None}


class ELU(_Elementwise):
    """x where x > 0, else alpha · (exp(x) - 1) (Clevert et al. 2015).

    Args:
        alpha: 1.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, x: Any) -> Any:
        return ops.elu(self.floats(x), self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(_Elementwise):
    """exp(x) / sum(exp(x)) along an axis, over the places that are not masked.

    Args:
        axis: one, or a list of several that are normalised together.

    Call arguments:
        mask: True where a value counts; broadcastable to x. The others become 0.

    >>> import numpy as np
    >>> Softmax()(np.array([[1.0, 1.0, 5.0]]), mask=np.array([[True, True, False]])).numpy()
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = [int(a) for a in axis] if isinstance(axis, (list, tuple)) else int(axis)

    def call(self, x: Any, mask: Any = None) -> Any:
        x = self.floats(x)
        if mask is not None:
            if mask.ndim > x.ndim:
                raise ValueError(
                    f"{self.name}: a mask of shape {tuple(mask.shape)} does not fit {tuple(x.shape)}"
                )
            mask = ops.cast(mask, "bool")
            x = ops.where(mask, x, -1e30)
        if isinstance(self.axis, int) or len(self.axis) == 1:
            y = ops.softmax(x, axis=self.axis if isinstance(self.axis, int) else self.axis[0])
        else:
            y = ops.exp(x - ops.logsumexp(x, axis=tuple(self.axis), keepdims=True))
        return y if mask is None else ops.where(mask, y, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
