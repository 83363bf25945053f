"""Losses as objects: a function, its settings, and how rows become one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import ops, registry
from pylearn._core import Tensor
from pylearn.align import tensors, weighted
from pylearn.losses import checks
from pylearn.losses import classification as of_classes
from pylearn.losses import regression as of_numbers

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss:
    """Base class: write ``call(y_true, y_pred)``, giving a value per row (or a scalar).

    Args:
        reduction: ``"sum_over_batch_size"`` (the same as ``"mean"``): the sum of the weighted values over their
            number; ``"mean_with_sample_weight"``: over the sum of the weights; ``"sum"``; ``"none"``.
        name: key in logs; the snake-cased class name by default.

    >>> MeanSquaredError()([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    labels = False  # targets are class ids (kept integers), not numbers
    regression = False  # targets are quantities, for which accuracy means nothing

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", **kwargs: Any
    ) -> None:
        registry.reject(self, kwargs, ("name", "reduction"))
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
        self.name = name or registry.snake(type(self).__name__)
        self.reduction = reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Values (N, …) from y_true and y_pred."""
        raise TypeError(f"{type(self).__name__} has no call(y_true, y_pred): write one")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss: a scalar Tensor, or a float when no argument was a Tensor.

        Raises:
            ValueError: shapes that do not fit; both are named.
        """
        y_true, y_pred, sample_weight, given = tensors(y_true, y_pred, sample_weight)
        out = self.reduce(self.call(y_true, y_pred), sample_weight)
        if given:
            return out
        return out.numpy() if out.ndim else out.item()

    def reduce(self, values: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        if values.ndim == 0 and sample_weight is None:
            return values
        values, weight = weighted(values, sample_weight, self.name)
        if weight is not None:
            values = values * weight
        if self.reduction in ("none", None):
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            total = ops.sum(weight)
            return ops.sum(values) / ops.where(ops.equal(total, 0.0), total + 1.0, total)
        return ops.mean(values)

    def check(self, y: np.ndarray, output_shape: tuple[int | None, ...], name: str = "y") -> None:
        """Looks at the whole target array before training.

        Raises:
            ValueError: it does not fit the output; the message says the fix.
        """

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return registry.construct(cls, config, ("name", "reduction"))


class FunctionLoss(Loss):
    """A function (y_true, y_pred) → values per row, as a loss."""

    def __init__(self, function: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or getattr(function, "__name__", "loss"), **kwargs)
        self.function = function
        self._fits = registry.takes_two(function)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if not self._fits:
            raise TypeError(f"the loss {self.name!r} must be a function of (y_true, y_pred)")
        values = self.function(y_true, y_pred)
        if not isinstance(values, Tensor):
            raise TypeError(
                f"the loss {self.name!r} must return a Tensor made with pylearn.ops, so that gradients pass it, but "
                f"returned {'nothing (None)' if values is None else f'a {type(values).__name__}'}"
            )
        return values


class _Formula(Loss):
    """One of this package's functions with its settings."""

    function: Callable[..., Any]
    settings: tuple[str, ...] = ()
    target = staticmethod(checks.elementwise)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return type(self).function(y_true, y_pred, **{name: getattr(self, name) for name in self.settings})

    def check(self, y: np.ndarray, output_shape: tuple[int | None, ...], name: str = "y") -> None:
        type(self).target(y, output_shape, name, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.settings}}


class MeanSquaredError(_Formula):
    """mean((y - ŷ)²)"""

    regression = True
    function = staticmethod(of_numbers.mean_squared_error)


class MeanAbsoluteError(_Formula):
    """mean(|y - ŷ|)"""

    regression = True
    function = staticmethod(of_numbers.mean_absolute_error)


class MeanAbsolutePercentageError(_Formula):
    """100 · mean(|(y - ŷ) / y|)"""

    regression = True
    function = staticmethod(of_numbers.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(_Formula):
    """mean((log(1 + y) - log(1 + ŷ))²)"""

    regression = True
    function = staticmethod(of_numbers.mean_squared_logarithmic_error)


class LogCosh(_Formula):
    """mean(log(cosh(ŷ - y)))"""

    regression = True
    function = staticmethod(of_numbers.log_cosh)


class Poisson(_Formula):
    """mean(ŷ - y log ŷ)"""

    regression = True
    function = staticmethod(of_numbers.poisson)


class CosineSimilarity(_Formula):
    """-cos(y, ŷ)"""

    regression = True
    function = staticmethod(of_numbers.cosine_similarity)


class Huber(_Formula):
    """Squared near zero, linear beyond ``delta`` (Huber 1964)."""

    regression = True
    function = staticmethod(of_numbers.huber)
    settings: tuple[str, ...] = ("delta",)

    def __init__(self, delta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not delta > 0:
            raise ValueError(f"delta must be > 0, got {delta}")
        self.delta = float(delta)


class Hinge(_Formula):
    """mean(max(1 - y ŷ, 0))"""

    function = staticmethod(of_classes.hinge)


class SquaredHinge(_Formula):
    """mean(max(1 - y ŷ, 0)²)"""

    function = staticmethod(of_classes.squared_hinge)


class CategoricalHinge(_Formula):
    """max(1 + max((1 - y) ŷ) - sum(y ŷ), 0)"""

    function = staticmethod(of_classes.categorical_hinge)
    target = staticmethod(checks.one_hot)


class KLDivergence(_Formula):
    """sum y log(y / ŷ)"""

    function = staticmethod(of_classes.kl_divergence)


def _smoothing(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"label_smoothing must be in [0, 1], got {value}")
    return float(value)


class CategoricalCrossentropy(_Formula):
    """-sum_k y_k log p_k, one-hot targets (N, …, K)."""

    function: Callable[..., Any] = staticmethod(of_classes.categorical_crossentropy)
    settings: tuple[str, ...] = ("from_logits", "label_smoothing", "axis")
    target = staticmethod(checks.one_hot)

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.from_logits, self.axis = bool(from_logits), axis
        self.label_smoothing = _smoothing(label_smoothing)


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """-alpha sum_k (1 - p_k)^gamma y_k log p_k, one-hot targets (N, …, K)."""

    function = staticmethod(of_classes.categorical_focal_crossentropy)
    settings: tuple[str, ...] = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0,
        axis: int = -1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(from_logits, label_smoothing, axis, **kwargs)
        self.alpha, self.gamma = float(alpha), float(gamma)


class SparseCategoricalCrossentropy(_Formula):
    """-log p[y], class ids (N, …). Places of ``ignore_class`` count neither above nor below the line of the mean."""

    labels = True
    function = staticmethod(of_classes.sparse_categorical_crossentropy)
    settings: tuple[str, ...] = ("from_logits", "ignore_class", "axis")
    target = staticmethod(checks.ids)

    def __init__(
        self, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.from_logits, self.ignore_class, self.axis = bool(from_logits), ignore_class, axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        values = super().call(y_true, y_pred)
        if self.ignore_class is None or self.reduction not in ("sum_over_batch_size", "mean"):
            return values
        counted = ops.sum(ops.cast(ops.not_equal(y_true, self.ignore_class), values.dtype))
        return values * (float(values.size) / ops.maximum(counted, 1.0))

    def check(self, y: np.ndarray, output_shape: tuple[int | None, ...], name: str = "y") -> None:
        super().check(
            y if self.ignore_class is None else np.where(y == self.ignore_class, 0, y), output_shape, name
        )


class BinaryCrossentropy(_Formula):
    """mean(-y log p - (1 - y) log(1 - p)), targets in [0, 1]."""

    function: Callable[..., Any] = staticmethod(of_classes.binary_crossentropy)
    settings: tuple[str, ...] = ("from_logits", "label_smoothing")
    target = staticmethod(checks.probabilities)

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.from_logits = bool(from_logits)
        self.label_smoothing = _smoothing(label_smoothing)


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """The binary cross-entropy of each value times (1 - q)^gamma, q the probability of the target."""

    function = staticmethod(of_classes.binary_focal_crossentropy)
    settings: tuple[str, ...] = (
        "apply_class_balancing",
        "alpha",
        "gamma",
        "from_logits",
        "label_smoothing",
        "axis",
    )

    def __init__(
        self, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False,
        label_smoothing: float = 0.0, axis: int = -1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(from_logits, label_smoothing, **kwargs)
        self.apply_class_balancing, self.axis = bool(apply_class_balancing), axis
        self.alpha, self.gamma = float(alpha), float(gamma)


class Dice(_Formula):
    """1 - 2 sum(y ŷ) / (sum(y) + sum(ŷ)), over the whole batch unless ``axis`` says otherwise."""

    function: Callable[..., Any] = staticmethod(of_numbers.dice)
    settings: tuple[str, ...] = ("axis",)

    def __init__(self, axis: of_numbers.Axis = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis


class Tversky(Dice):
    """1 - I / (I + alpha sum((1 - y) ŷ) + beta sum(y (1 - ŷ))), I = sum(y ŷ); Dice with weights for both errors."""

    function = staticmethod(of_numbers.tversky)
    settings: tuple[str, ...] = ("alpha", "beta", "axis")

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.5, axis: of_numbers.Axis = None, **kwargs: Any
    ) -> None:
        super().__init__(axis, **kwargs)
        self.alpha, self.beta = float(alpha), float(beta)
