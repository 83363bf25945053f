"""Normalisation of activations."""

from __future__ import annotations

from typing import Any

from pylearn import initializers, ops, regularizers
from pylearn.autograd import no_grad
from pylearn.layers.base import Layer, Shape


class _Normalization(Layer):
    """Scale gamma and shift beta over the last axis."""

    supports_masking = True
    none_only = ("gamma_constraint", "beta_constraint")

    def __init__(
        self, epsilon: float, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any,
        beta_regularizer: Any, gamma_regularizer: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"{type(self).__name__}: epsilon must be ≥ 0, got {epsilon!r}")
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.gamma: Any = None
        self.beta: Any = None

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.add_weight("gamma", shape, self.gamma_initializer, self.gamma_regularizer)
        if self.center:
            self.beta = self.add_weight("beta", shape, self.beta_initializer, self.beta_regularizer)

    def _cast(self, x: Any) -> Any:
        return x if x.dtype == self.dtype else ops.cast(x, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "epsilon": self.epsilon, "center": self.center, "scale": self.scale,
            "beta_initializer": self.beta_initializer, "gamma_initializer": self.gamma_initializer,
            "beta_regularizer": self.beta_regularizer, "gamma_regularizer": self.gamma_regularizer,
        }  # fmt: skip


class BatchNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, over all axes but the last (Ioffe and Szegedy 2015).

    In training the mean and variance are the batch's, and running averages of them are kept; these serve otherwise,
    and always once ``trainable`` is False.

    Args:
        axis: of the channels: the last.
        momentum: share of the old value in the running averages.
        epsilon: added to the variance.
        center, scale: whether there are beta, gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: zeros, ones, zeros,
            ones.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Raises:
        ValueError: another axis than the last.

    >>> import numpy as np
    >>> layer = BatchNormalization()
    >>> layer(np.array([[1.0], [3.0]]), training=True).numpy().round(2).ravel()
    array([-1.,  1.], dtype=float32)
    """

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones", beta_regularizer: Any = None, gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            **kwargs,
        )
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNormalization: momentum must be in [0, 1], got {momentum!r}")
        self.axis, self.momentum = int(axis), float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, input_shape: Shape) -> None:
        if self.axis not in (-1, len(input_shape) - 1):
            raise ValueError(
                f"{self.name}: channels come last here, axis must be -1, got {self.axis}; "
                "turn the data once: np.moveaxis(X, 1, -1)"
            )
        channels = input_shape[-1] if len(input_shape) > 1 else None
        if channels is None:
            raise ValueError(f"{self.name}: the size of the last axis must be known, got shape {input_shape}")
        self._add_scale((channels,))
        self.moving_mean = self.add_weight(
            "moving_mean", (channels,), self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", (channels,), self.moving_variance_initializer, trainable=False
        )

    def call(self, x: Any, training: bool = False) -> Any:
        x = self._cast(x)
        if not training or not self.trainable:
            return ops.batch_norm_inference(
                x, self.gamma, self.beta, self.moving_mean, self.moving_variance, epsilon=self.epsilon
            )
        y, mean, variance = ops.batch_norm(x, self.gamma, self.beta, epsilon=self.epsilon)
        with no_grad():
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                ops.assign(moving, moving * self.momentum + batch * (1.0 - self.momentum))
        return y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "axis": self.axis, "momentum": self.momentum,
            "moving_mean_initializer": self.moving_mean_initializer,
            "moving_variance_initializer": self.moving_variance_initializer,
        }  # fmt: skip


class LayerNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, over the last axes of each row (Ba et al. 2016).

    Args:
        axis: the last axis, or a list of the last ones.
        epsilon: added to the variance.
        center, scale: whether there are beta, gamma.
        beta_initializer, gamma_initializer: zeros, ones.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Raises:
        ValueError: axes that are not the last ones.

    >>> import numpy as np
    >>> LayerNormalization()(np.array([[1.0, 3.0]])).numpy().round(2)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            **kwargs,
        )
        self.axis = [int(a) for a in axis] if isinstance(axis, list | tuple) else int(axis)

    def build(self, input_shape: Shape) -> None:
        rank = len(input_shape)
        axes = sorted(a % rank for a in (self.axis if isinstance(self.axis, list) else [self.axis]))
        if not axes or axes != list(range(rank - len(axes), rank)) or axes[0] == 0:
            raise ValueError(
                f"{self.name}: axis must be the last axes of a row, got {self.axis} for {input_shape}"
            )
        shape = tuple(input_shape[a] for a in axes)
        if None in shape:
            raise ValueError(f"{self.name}: the size of the last axes must be known, got shape {input_shape}")
        self._add_scale(tuple(int(n) for n in shape if n is not None))
        self._axes = tuple(a - rank for a in axes)

    def call(self, x: Any) -> Any:
        return ops.layer_norm(self._cast(x), self.gamma, self.beta, axis=self._axes, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
