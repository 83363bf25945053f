"""Normalisation of activations."""

from __future__ import annotations

from typing import Any

from pylearn import initializers, ops
from pylearn.autograd import no_grad
from pylearn.layers.base import Layer, Shape


class _Normalization(Layer):
    """Scale gamma and shift beta over the last axis."""

    supports_masking = True

    def __init__(
        self, epsilon: float, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any,
        beta_regularizer: Any, gamma_regularizer: Any, beta_constraint: Any, gamma_constraint: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"{type(self).__name__}: epsilon must be ≥ 0, got {epsilon!r}")
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.set_up(
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer, beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.gamma: Any = None
        self.beta: Any = None

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.weight_for("gamma", shape)
        if self.center:
            self.beta = self.weight_for("beta", shape)

    def _check(self, x: Any) -> Any:
        """x in the layer's dtype.

        Raises:
            ValueError: other channels than those it was built for.
        """
        weight = self.gamma if self.gamma is not None else self.beta
        wanted = () if weight is None else tuple(weight.shape)
        if wanted != tuple(x.shape[x.ndim - len(wanted) :]):
            raise ValueError(f"{self.name}: expected the last axes {wanted}, got shape {tuple(x.shape)}")
        return x if x.dtype == self.dtype else ops.cast(x, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "epsilon": self.epsilon, "center": self.center, "scale": self.scale,
        }  # fmt: skip


class BatchNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, over all axes but the last (Ioffe and Szegedy 2015).

    In training the mean and variance are the batch's, and running averages of them are kept; these serve otherwise,
    and always once ``trainable`` is False. With a mask the batch's are those of the places that are not masked.

    Args:
        axis: of the channels: the last.
        momentum: share of the old value in the running averages.
        epsilon: added to the variance.
        center, scale: whether there are beta, gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: zeros, ones, zeros,
            ones.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: put in force after every update.
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
        beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
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

    none_only = ("renorm", "synchronized")

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        x = self._check(x)
        if not training or not self.trainable:
            return ops.batch_norm_inference(
                x, self.gamma, self.beta, self.moving_mean, self.moving_variance, epsilon=self.epsilon
            )
        if mask is None:
            y, mean, variance = ops.batch_norm(x, self.gamma, self.beta, epsilon=self.epsilon)
        else:
            y, mean, variance = self._masked(x, mask)
        with no_grad():
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                ops.assign(moving, moving * self.momentum + batch * (1.0 - self.momentum))
        return y

    def _masked(self, x: Any, mask: Any) -> tuple[Any, Any, Any]:
        """Mean and variance over the places that count, and everything normalised by them."""
        if mask.ndim != x.ndim - 1:
            raise ValueError(
                f"{self.name}: a mask of shape {tuple(mask.shape)} does not fit {tuple(x.shape)}"
            )
        keep, axes = ops.expand_dims(ops.cast(mask, x.dtype), -1), tuple(range(x.ndim - 1))
        count = ops.sum(keep) + 1e-7
        mean = ops.sum(x * keep, axis=axes) / count
        apart = x - mean
        variance = ops.sum(ops.square(apart) * keep, axis=axes) / count
        y = apart * ops.rsqrt(variance + self.epsilon)
        y = y if self.gamma is None else y * self.gamma
        return y if self.beta is None else y + self.beta, mean, variance

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
        beta_constraint, gamma_constraint: put in force after every update.
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
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = [int(a) for a in axis] if isinstance(axis, list | tuple) else int(axis)

    def build(self, input_shape: Shape) -> None:
        self._axes = last_axes(self, self.axis, input_shape)
        self._add_scale(tuple(input_shape[a] or 0 for a in self._axes))

    def call(self, x: Any) -> Any:
        return ops.layer_norm(self._check(x), self.gamma, self.beta, axis=self._axes, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class GroupNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, over each group of channels of each row (Wu and He 2018).

    Args:
        groups: number of groups of neighbouring channels, which it divides; 1 is over all channels, -1 over each by
            itself (instance normalisation, Ulyanov et al. 2016).
        axis: of the channels: the last.
        epsilon: added to the variance.
        center, scale: whether there are beta, gamma.
        beta_initializer, gamma_initializer: zeros, ones.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Raises:
        ValueError: groups that do not divide the channels, another axis than the last.

    >>> import numpy as np
    >>> x = np.array([[1.0, 3.0, 10.0, 30.0]])
    >>> GroupNormalization(groups=2)(x).numpy().round(1)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        if isinstance(groups, bool) or not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(f"GroupNormalization: groups must be a whole number > 0, or -1, got {groups!r}")
        self.groups, self.axis = groups, int(axis)

    def build(self, input_shape: Shape) -> None:
        if self.axis not in (-1, len(input_shape) - 1):
            raise ValueError(f"{self.name}: channels come last here, axis must be -1, got {self.axis}")
        channels = input_shape[-1] if len(input_shape) > 1 else None
        if channels is None:
            raise ValueError(f"{self.name}: the size of the last axis must be known, got shape {input_shape}")
        self.group_count = channels if self.groups == -1 else self.groups
        if channels % self.group_count:
            raise ValueError(f"{self.name}: groups ({self.groups}) must divide the channels ({channels})")
        self._add_scale((channels,))

    def call(self, x: Any) -> Any:
        return ops.group_norm(self._check(x), self.group_count, self.gamma, self.beta, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


class RMSNormalization(Layer):
    """scale · x / sqrt(mean(x²) + epsilon), over the last axes of each row (Zhang and Sennrich 2019).

    Args:
        axis: the last axis, or a list of the last ones.
        epsilon: added to the mean of the squares.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> RMSNormalization()(np.array([[3.0, 4.0]])).numpy().round(3)
    array([[0.849, 1.131]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"RMSNormalization: epsilon must be ≥ 0, got {epsilon!r}")
        self.axis = [int(a) for a in axis] if isinstance(axis, list | tuple) else int(axis)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Shape) -> None:
        self._axes = last_axes(self, self.axis, input_shape)
        self.scale = self.add_weight("scale", [input_shape[a] or 0 for a in self._axes], "ones")

    def call(self, x: Any) -> Any:
        if tuple(x.shape[x.ndim - self.scale.ndim :]) != tuple(self.scale.shape):
            raise ValueError(
                f"{self.name}: expected the last axes {tuple(self.scale.shape)}, got shape {tuple(x.shape)}"
            )
        x = x if x.dtype == self.dtype else ops.cast(x, self.dtype)
        return ops.rms_norm(x, self.scale, axis=self._axes, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


def last_axes(layer: Layer, axis: int | list[int], input_shape: Shape) -> tuple[int, ...]:
    """The axes counted from the end.

    Raises:
        ValueError: not the last ones of a row, or of unknown size.
    """
    rank = len(input_shape)
    axes = sorted(a % rank for a in (axis if isinstance(axis, list) else [axis]))
    if not axes or axes != list(range(rank - len(axes), rank)) or axes[0] == 0:
        raise ValueError(f"{layer.name}: axis must be the last axes of a row, got {axis} for {input_shape}")
    if any(input_shape[a] is None for a in axes):
        raise ValueError(f"{layer.name}: the size of the last axes must be known, got shape {input_shape}")
    return tuple(a - rank for a in axes)
