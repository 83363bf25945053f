"""Losses as metrics, with Keras' names."""

from __future__ import annotations

from typing import Any

from pylearn import losses
from pylearn._core import Tensor
from pylearn.metrics.base import MeanOverRows


class LossMetric(MeanOverRows):
    """A loss, averaged over rows, as a metric."""

    def __init__(self, loss: Any, name: str | None = None, **kwargs: Any) -> None:
        loss = losses.get(loss)
        super().__init__(name or loss.name, **kwargs)
        self.loss = loss

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self.loss.call(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": losses.serialize(self.loss)}


class _Named(LossMetric):
    """The metric of one loss, whose settings it takes."""

    of: type[losses.Loss]

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        settings = {
            key: kwargs.pop(key)
            for key in list(kwargs)
            if key in self.of().get_config() and key != "reduction"
        }
        super().__init__(self.of(**settings), name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        settings = {k: v for k, v in self.loss.get_config().items() if k not in ("name", "reduction")}
        return {"name": self.name, **settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class MeanAbsolutePercentageError(_Named):
    """100 · mean(|(y - ŷ) / y|)"""

    of = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_Named):
    """mean((log(1 + y) - log(1 + ŷ))²)"""

    of = losses.MeanSquaredLogarithmicError


class LogCoshError(_Named):
    """mean(log(cosh(ŷ - y)))"""

    of = losses.LogCosh


class Poisson(_Named):
    """mean(ŷ - y log ŷ)"""

    of = losses.Poisson


class KLDivergence(_Named):
    """sum y log(y / ŷ)"""

    of = losses.KLDivergence


class Hinge(_Named):
    """mean(max(1 - y ŷ, 0))"""

    of = losses.Hinge


class SquaredHinge(_Named):
    """mean(max(1 - y ŷ, 0)²)"""

    of = losses.SquaredHinge


class CategoricalHinge(_Named):
    """max(1 + max((1 - y) ŷ) - sum(y ŷ), 0)"""

    of = losses.CategoricalHinge


class BinaryCrossentropy(_Named):
    """mean(-y log p - (1 - y) log(1 - p))"""

    of = losses.BinaryCrossentropy


class CategoricalCrossentropy(_Named):
    """-sum_k y_k log p_k, one-hot targets"""

    of = losses.CategoricalCrossentropy


class SparseCategoricalCrossentropy(_Named):
    """-log p[y], class ids"""

    of = losses.SparseCategoricalCrossentropy


class CosineSimilarity(_Named):
    """cos(y, ŷ) over the last axis: 1 for equal directions, where the loss of this name has -1."""

    of = losses.CosineSimilarity

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return -super().values(y_true, y_pred)
