"""Metrics of quantities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pylearn import losses, ops
from pylearn._core import Tensor
from pylearn.align import reshaped, tensors
from pylearn.metrics.base import MeanOverRows, Metric


def _float64(y_true: Tensor, y_pred: Tensor, owner: str) -> tuple[Tensor, Tensor]:
    y_true = reshaped(y_true, y_pred.shape, owner)
    return ops.cast(y_true, "float64"), ops.cast(y_pred, "float64")


class MeanSquaredError(MeanOverRows):
    """mean((y - ŷ)²)"""

    def __init__(self, name: str | None = "mean_squared_error", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return losses.mean_squared_error(*_float64(y_true, y_pred, self.name))


class RootMeanSquaredError(MeanSquaredError):
    """sqrt(mean((y - ŷ)²))"""

    def __init__(self, name: str | None = "root_mean_squared_error", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(MeanOverRows):
    """mean(|y - ŷ|)"""

    def __init__(self, name: str | None = "mean_absolute_error", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return losses.mean_absolute_error(*_float64(y_true, y_pred, self.name))


class R2(Metric):
    """1 - sum((y - ŷ)²) / sum((y - mean y)²), averaged over outputs, as scikit-learn's ``r2_score``.

    The sums about the mean are merged batch by batch (Chan, Golub and LeVeque 1983), so nothing cancels.
    """

    def __init__(self, name: str | None = "r2", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self._state: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        y, guess = _float64(y_true, y_pred, self.name)
        width = y.shape[-1] if y.ndim > 1 else 1
        y, guess = ops.reshape(y, (-1, width)), ops.reshape(guess, (-1, width))
        if self._state is None:
            self._state = (self.add_variable((1,)), self.add_variable((width,)), self.add_variable((width,)),
                           self.add_variable((width,)))  # fmt: skip
        count, mean, spread, residual = self._state
        rows = y.shape[0]
        if rows == 0:
            return
        if sample_weight is None:
            n: Any = float(rows)
            batch_mean = ops.mean(y, axis=0)
            batch_spread = ops.sum(ops.square(y - batch_mean), axis=0)
            batch_residual = ops.sum(ops.square(y - guess), axis=0)
        else:
            w = ops.reshape(ops.cast(sample_weight, "float64"), (rows, 1))
            n = ops.reshape(ops.sum(w), (1,))
            batch_mean = ops.sum(w * y, axis=0) / ops.maximum(n, 1e-300)
            batch_spread = ops.sum(w * ops.square(y - batch_mean), axis=0)
            batch_residual = ops.sum(w * ops.square(y - guess), axis=0)
        delta, total = batch_mean - mean, ops.maximum(count + n, 1e-300)
        ops.assign_add(spread, batch_spread + ops.square(delta) * (count * n / total))
        ops.assign_add(mean, delta * (n / total))
        ops.assign_add(count, n)
        ops.assign_add(residual, batch_residual)

    def result(self) -> float:
        if self._state is None:
            return 0.0
        spread, residual = self._state[2].numpy(), self._state[3].numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(spread > 0, 1.0 - residual / spread, np.where(residual == 0, 1.0, 0.0))
        return float(np.mean(np.where(np.isnan(residual), np.nan, scores)))


R2Score = R2
