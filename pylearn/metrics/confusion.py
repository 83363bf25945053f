"""Metrics of a whole set of classes, all computed from one confusion matrix, which streams exactly.

Binary targets (one output) are cut at a threshold; of several outputs the largest is the class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import Tensor
from pylearn.align import reshaped, tensors
from pylearn.metrics.base import Metric

AVERAGES = (None, "binary", "micro", "macro", "weighted")


class ConfusionMatrix(Metric):
    """Counts (true class, predicted class), weighted; ``matrix()`` gives them, ``result()`` the share on the diagonal.

    Args:
        num_classes: of the targets; the width of the predictions by default (2 for one output).
        threshold: from which on one output means class 1.

    Shapes: y_true ids (N, …), (N, …, 1) or one-hot (N, …, K); y_pred (N, …, K), or (N, …, 1) or (N, …) for two classes.

    Raises:
        ValueError: shapes that do not fit; nothing is broadcast.
        IndexError: an id that is not below ``num_classes``.
    """

    def __init__(
        self, num_classes: int | None = None, threshold: float = 0.5, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self.num_classes, self.threshold = num_classes, float(threshold)
        self._counts: Tensor | None = None
        self._width = num_classes or 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        truth, guess, width = self._ids(y_true, y_pred)
        if self._counts is None:
            self._width = self.num_classes or width
            self._counts = self.add_variable((self._width**2,))
        places = ops.reshape(truth, (-1,)) * self._width + ops.reshape(guess, (-1,))
        weight = None
        if sample_weight is not None:
            weight = self._weights(sample_weight, truth.shape)
        counts = ops.bincount(places, weight, self._width**2)
        ops.assign_add(self._counts, ops.cast(counts, "float64"))

    def _ids(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, int]:
        """Class ids of both, and how many classes there are."""
        width = y_pred.shape[-1] if y_pred.ndim > 1 else 1
        if width == 1:
            y_true = reshaped(y_true, y_pred.shape, self.name)
            if self.num_classes is None or self.num_classes == 2:
                return _above(y_true, 0.5), _above(y_pred, self.threshold), 2
            return self._checked(y_true, 1), self._checked(y_pred, 1), 1  # both are ids already
        if self.num_classes and width != self.num_classes:
            if y_true.shape == y_pred.shape:
                return self._checked(y_true, 1), self._checked(y_pred, 1), 1
            raise ValueError(
                f"[{self.name}] y_pred has {width} classes (shape {y_pred.shape}), num_classes is {self.num_classes}"
            )
        if y_true.shape == y_pred.shape:
            return ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1), width
        wanted = y_pred.shape[:-1]
        if y_true.shape == (*wanted, 1):
            y_true = ops.reshape(y_true, wanted)
        if y_true.shape != wanted:
            raise ValueError(f"[{self.name}] y_true has shape {y_true.shape}, y_pred {y_pred.shape}: class ids must "
                             f"have shape {wanted}, one-hot rows {y_pred.shape}")  # fmt: skip
        return self._checked(y_true, width), ops.argmax(y_pred, axis=-1), width

    def _checked(self, y: Tensor, width: int) -> Tensor:
        """Ids, int64; one that is out of range raises."""
        ids = y if y.dtype == np.int64 else ops.cast(y, "int64")
        if ids.size:
            ops.one_hot(ops.stack([ops.min(ids), ops.max(ids)]), self.num_classes or width, "bool")
        return ids

    def _weights(self, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
        weight = ops.cast(weight, "float64")
        size = int(np.prod(shape))
        if weight.size != size:
            if weight.ndim == 0 or weight.shape[0] != shape[0] or weight.size != shape[0]:
                raise ValueError(f"[{self.name}] sample_weight has shape {weight.shape}, the targets {shape}: give one "
                                 "weight per row or one per target")  # fmt: skip
            rows = ops.reshape(weight, (shape[0],) + (1,) * (len(shape) - 1))
            weight = ops.broadcast_to(rows, shape)
        return ops.reshape(weight, (size,))

    def matrix(self) -> np.ndarray:
        """(true class, predicted class) → weight, float64."""
        if self._counts is None:
            return np.zeros((self._width, self._width))
        return np.array(self._counts.numpy()).reshape(self._width, self._width)

    def result(self) -> Any:
        matrix = self.matrix()
        return _ratio(float(np.trace(matrix)), float(matrix.sum()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "threshold": self.threshold}


def _above(x: Tensor, threshold: float) -> Tensor:
    return ops.cast(ops.greater(ops.cast(x, "float64") if x.dtype.kind != "f" else x, threshold), "int64")


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def _shares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, 0 where nothing was counted."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


class BalancedAccuracy(ConfusionMatrix):
    """The mean over classes of the share that is found, as scikit-learn's ``balanced_accuracy_score``."""

    def result(self) -> float:
        matrix = self.matrix()
        there = matrix.sum(1) > 0
        return float(_shares(np.diag(matrix), matrix.sum(1))[there].mean()) if there.any() else 0.0


class MatthewsCorrcoef(ConfusionMatrix):
    """Correlation of true and predicted classes (Matthews 1975; Gorodkin 2004), as ``matthews_corrcoef``."""

    def result(self) -> float:
        m = self.matrix()
        total, right = m.sum(), np.trace(m)
        true, guess = m.sum(1), m.sum(0)
        spread = (total**2 - guess @ guess) * (total**2 - true @ true)
        return float((right * total - true @ guess) / spread**0.5) if spread > 0 else 0.0


class CohenKappa(ConfusionMatrix):
    """Agreement beyond chance (Cohen 1960), as ``cohen_kappa_score``."""

    def result(self) -> float:
        m = self.matrix()
        total = m.sum()
        chance = float(m.sum(1) @ m.sum(0)) / total**2 if total else 1.0
        return float((np.trace(m) / total - chance) / (1.0 - chance)) if chance != 1.0 else 0.0


class FBetaScore(ConfusionMatrix):
    """(1 + β²) TP / ((1 + β²) TP + β² FN + FP), as scikit-learn's ``fbeta_score``.

    Args:
        average: None: one value per class (Keras' default); "macro": their mean; "weighted": their mean by how often
            each class occurs; "micro": of all counts together; "binary": of class 1. For two classes from one output,
            the value of class 1 whatever is given.
        beta: weight of recall beside precision.
        threshold: from which on one output means class 1.
        num_classes: the width of the predictions by default.
    """

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None,
        name: str | None = "fbeta_score", num_classes: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, 0.5 if threshold is None else threshold, name, **kwargs)
        if average not in AVERAGES:
            raise ValueError(f"average must be one of {AVERAGES}, got {average!r}")
        if not beta > 0:
            raise ValueError(f"beta must be > 0, got {beta}")
        self.average, self.beta, self._binary = average, float(beta), False

    def _ids(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, int]:
        self._binary = y_pred.ndim < 2 or y_pred.shape[-1] == 1
        return super()._ids(y_true, y_pred)

    def _scores(self, hit: np.ndarray, true: np.ndarray, guess: np.ndarray) -> np.ndarray:
        square = self.beta**2
        return _shares((1 + square) * hit, square * true + guess)

    def result(self) -> Any:
        m = self.matrix()
        if not m.size:
            return 0.0
        hit, true, guess = np.diag(m).copy(), m.sum(1), m.sum(0)
        scores = self._scores(hit, true, guess)
        if self.average == "binary" or (self._binary and len(scores) == 2):
            return float(scores[1])
        if self.average is None:
            return scores
        if self.average == "micro":
            return float(self._scores(hit.sum()[None], true.sum()[None], guess.sum()[None])[0])
        used = (true + guess) > 0  # scikit-learn's: labels that occur in either
        if self.average == "weighted":
            return _ratio(float(scores @ true), float(true.sum()))
        return float(scores[used].mean()) if used.any() else 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta}


class F1Score(FBetaScore):
    """2 TP / (2 TP + FN + FP), as scikit-learn's ``f1_score``; see ``FBetaScore``. By name, ``"f1_score"`` is macro."""

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score",
        num_classes: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(average, 1.0, threshold, name, num_classes, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config


class MacroPrecision(ConfusionMatrix):
    """The mean over classes of TP / (TP + FP), as ``precision_score`` with "macro"."""

    def result(self) -> float:
        return _macro(self.matrix(), 0)


class MacroRecall(ConfusionMatrix):
    """The mean over classes of TP / (TP + FN), as ``recall_score`` with "macro"."""

    def result(self) -> float:
        return _macro(self.matrix(), 1)


def _macro(m: np.ndarray, axis: int) -> float:
    used = m.sum(0) + m.sum(1) > 0
    return float(_shares(np.diag(m), m.sum(axis))[used].mean()) if used.any() else 0.0


class MeanIoU(ConfusionMatrix):
    """The mean over classes of TP / (TP + FP + FN): intersection over union, as ``jaccard_score`` with "macro".

    Classes that never occur, neither in truth nor in prediction, are left out.

    Args:
        num_classes: of the targets; the width of the predictions by default. With it, predictions of the targets'
            shape are taken as ids, as in Keras.
    """

    def result(self) -> float:
        m = self.matrix()
        hit, union = np.diag(m), m.sum(0) + m.sum(1) - np.diag(m)
        there = union > 0
        return float(_shares(hit, union)[there].mean()) if there.any() else 0.0


class Dice(ConfusionMatrix):
    """2 |A ∩ B| / (|A| + |B|) of masks over the whole set: of class 1 for one output, else the mean over classes."""

    def result(self) -> float:
        m = self.matrix()
        both = m.sum(0) + m.sum(1)
        scores, there = _shares(2 * np.diag(m), both), both > 0
        if len(m) == 2:
            return float(scores[1])
        return float(scores[there].mean()) if there.any() else 0.0
