"""Metrics of classes. The functions give a value per row: NumPy in, NumPy out."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn._core import Tensor
from pylearn.align import aligned, labels, reshaped, tensors, weighted
from pylearn.metrics.base import MeanOverRows, Metric, ratio


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Fraction of the last axis where y equals (ŷ > threshold)."""
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    y_true = reshaped(y_true, y_pred.shape, "binary_accuracy")
    equal = ops.equal(ops.cast(y_true, y_pred.dtype), ops.cast(ops.greater(y_pred, threshold), y_pred.dtype))
    equal = ops.cast(equal, "float64")
    out = ops.mean(equal, axis=-1) if equal.ndim > 1 and equal.shape[-1] != 1 else (
        ops.reshape(equal, equal.shape[:-1]) if equal.ndim > 1 else equal)  # fmt: skip
    return out if given else out.numpy()


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of a one-hot row is the largest of the prediction."""
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    y_true = reshaped(y_true, y_pred.shape, "categorical_accuracy")
    out = ops.cast(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)), "float64")
    return out if given else out.numpy()


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the class id is the largest of the prediction."""
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    ids = ops.cast(labels(y_true, y_pred, "sparse_categorical_accuracy"), "int64")
    out = ops.cast(ops.equal(ids, ops.argmax(y_pred, axis=-1)), "float64")
    return out if given else out.numpy()


def _in_top_k(chosen: Tensor, y_pred: Tensor, k: int) -> Tensor:
    score = ops.sum(ops.where(chosen, y_pred, 0.0), axis=-1, keepdims=True)
    above = ops.sum(ops.cast(ops.greater(y_pred, score), "float64"), axis=-1)
    return ops.cast(ops.less(above, float(k)), "float64")


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than k predictions exceed the one of the true class (one-hot)."""
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    y_true = reshaped(y_true, y_pred.shape, "top_k_categorical_accuracy")
    ids = ops.argmax(y_true, axis=-1)
    out = _in_top_k(ops.one_hot(ids, y_pred.shape[-1], dtype="bool"), y_pred, k)
    return out if given else out.numpy()


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than k predictions exceed the one of the true class (id)."""
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    ids = labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    out = _in_top_k(ops.one_hot(ids, y_pred.shape[-1], dtype="bool"), y_pred, k)
    return out if given else out.numpy()


class BinaryAccuracy(MeanOverRows):
    """Fraction of (ŷ > threshold) equal to y."""

    def __init__(self, name: str | None = "binary_accuracy", threshold: float = 0.5, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.threshold = float(threshold)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return binary_accuracy(y_true, y_pred, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanOverRows):
    """Fraction of rows whose largest prediction is the one-hot class."""

    def __init__(self, name: str | None = "categorical_accuracy", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return categorical_accuracy(y_true, y_pred)


class SparseCategoricalAccuracy(MeanOverRows):
    """Fraction of rows whose largest prediction is the class id."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return sparse_categorical_accuracy(y_true, y_pred)


class TopKCategoricalAccuracy(MeanOverRows):
    """Fraction of rows whose one-hot class is among the k largest predictions."""

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.k = int(k)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return top_k_categorical_accuracy(y_true, y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """Fraction of rows whose class id is among the k largest predictions."""

    def __init__(
        self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy", **kwargs: Any
    ) -> None:
        super().__init__(k, name, **kwargs)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return sparse_top_k_categorical_accuracy(y_true, y_pred, self.k)


class _Counts(Metric):
    """Weighted counts of true positives and of what they are divided by."""

    def __init__(self, thresholds: float | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.thresholds = thresholds
        self.hits, self.possible = self.add_variable(), self.add_variable()

    def _denominator(self, truth: Tensor, guess: Tensor) -> Tensor:
        raise TypeError("write _denominator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        if y_pred.ndim > 1 and y_pred.shape[-1] > 1 and y_true.shape == y_pred.shape[:-1]:
            raise ValueError(f"[{self.name}] y_true has the shape {y_true.shape} of class ids, y_pred {y_pred.shape}: "
                             "for several classes use F1Score(average='macro') or BalancedAccuracy(), or give one-hot "
                             "rows")  # fmt: skip
        y_true = aligned(y_true, y_pred, self.name)
        truth = ops.cast(ops.greater(y_true, 0.5), "float64")
        guess = ops.cast(ops.greater(y_pred, 0.5 if self.thresholds is None else self.thresholds), "float64")
        hits, possible = truth * guess, self._denominator(truth, guess)
        if sample_weight is not None:
            hits, weight = weighted(hits, sample_weight, self.name)
            hits, possible = hits * weight, possible * weight
        ops.assign_add(self.hits, ops.sum(hits))
        ops.assign_add(self.possible, ops.sum(possible))

    def result(self) -> float:
        return ratio(self.hits.item(), self.possible.item())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.thresholds}


class Precision(_Counts):
    """True positives over predicted positives."""

    def _denominator(self, truth: Tensor, guess: Tensor) -> Tensor:
        return guess


class Recall(_Counts):
    """True positives over positives."""

    def _denominator(self, truth: Tensor, guess: Tensor) -> Tensor:
        return truth


class _Cells(Metric):
    """The weighted count of one of the four cells of two classes."""

    truth, guess = 1.0, 1.0  # the cell

    def __init__(self, thresholds: float | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.thresholds = thresholds
        self.total = self.add_variable()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        y_true = aligned(y_true, y_pred, self.name)
        truth = ops.cast(ops.greater(y_true, 0.5), "float64")
        guess = ops.cast(ops.greater(y_pred, 0.5 if self.thresholds is None else self.thresholds), "float64")
        cell = (truth if self.truth else 1.0 - truth) * (guess if self.guess else 1.0 - guess)
        cell, weight = weighted(cell, sample_weight, self.name)
        ops.assign_add(self.total, ops.sum(cell if weight is None else cell * weight))

    def result(self) -> float:
        return float(self.total.item())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.thresholds}


class TruePositives(_Cells):
    """Positives predicted as such."""


class TrueNegatives(_Cells):
    """Negatives predicted as such."""

    truth, guess = 0.0, 0.0


class FalsePositives(_Cells):
    """Negatives predicted to be positive."""

    truth, guess = 0.0, 1.0


class FalseNegatives(_Cells):
    """Positives predicted to be negative."""

    truth, guess = 1.0, 0.0
