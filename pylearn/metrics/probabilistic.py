"""Metrics of predicted probabilities: are they right as often as they say, and how surprised are they?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pylearn import losses, ops
from pylearn._core import Tensor
from pylearn.align import reshaped, tensors
from pylearn.metrics.base import MeanOverRows, Metric


class ExpectedCalibrationError(Metric):
    """sum over bins of (rows in it / rows) · |mean confidence - accuracy| (Naeini et al. 2015; Guo et al. 2017).

    The confidence of a row is its largest probability; of one output, max(p, 1 - p).

    Args:
        bins: of equal width over [0, 1].
    """

    def __init__(
        self, bins: int = 15, name: str | None = "expected_calibration_error", **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}")
        self.bins = int(bins)
        self.weight, self.confidence, self.right = (self.add_variable((self.bins,)) for _ in range(3))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        p = ops.cast(y_pred, "float64")
        if p.ndim < 2 or p.shape[-1] == 1:
            truth = ops.greater(ops.cast(reshaped(y_true, p.shape, self.name), "float64"), 0.5)
            guess = ops.greater(p, 0.5)
            confidence, right = ops.maximum(p, 1.0 - p), ops.equal(guess, truth)
        else:
            if y_true.shape == p.shape:
                ids = ops.argmax(y_true, axis=-1)
            else:
                ids = ops.cast(reshaped(y_true, p.shape[:-1], self.name), "int64")
            confidence, right = ops.max(p, axis=-1), ops.equal(ids, ops.argmax(p, axis=-1))
        confidence, hits = ops.reshape(confidence, (-1,)), ops.cast(ops.reshape(right, (-1,)), "float64")
        place = ops.cast(ops.clip(ops.ceil(confidence * self.bins) - 1.0, 0.0, self.bins - 1.0), "int64")
        weight = ops.reshape(ops.cast(sample_weight, "float64"), (-1,)) if sample_weight is not None else None
        if weight is not None and weight.size != confidence.size:
            raise ValueError(
                f"[{self.name}] sample_weight has {weight.size} values for {confidence.size} rows"
            )
        for variable, values in ((self.weight, None), (self.confidence, confidence), (self.right, hits)):
            if values is None:
                values = weight
            elif weight is not None:
                values = values * weight
            ops.assign_add(variable, ops.cast(ops.bincount(place, values, self.bins), "float64"))

    def result(self) -> float:
        weight = self.weight.numpy()
        total = float(weight.sum())
        return float(np.abs(self.confidence.numpy() - self.right.numpy()).sum() / total) if total else 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}


class Perplexity(MeanOverRows):
    """exp(mean cross-entropy): how many equally likely classes the predictions are as good as.

    Args:
        from_logits: predictions are logits.
        ignore_class: an id whose places count for nothing, such as padding.

    Shapes: y_true ids (N, …) or one-hot (N, …, K); y_pred (N, …, K). Masks and sample weights leave places out.
    """

    def __init__(
        self, from_logits: bool = False, ignore_class: int | None = None, name: str | None = "perplexity", **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        self.from_logits, self.ignore_class = bool(from_logits), ignore_class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        if self.ignore_class is not None and y_true.shape != y_pred.shape:
            ids = reshaped(y_true, y_pred.shape[:-1], self.name)
            keep = ops.cast(ops.not_equal(ids, self.ignore_class), "float64")
            if sample_weight is not None:
                weight = ops.cast(sample_weight, "float64")
                if weight.ndim < keep.ndim:
                    weight = ops.reshape(weight, weight.shape + (1,) * (keep.ndim - weight.ndim))
                keep = keep * weight
            sample_weight = keep
        self._add(self.values(y_true, y_pred), sample_weight)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if y_true.shape == y_pred.shape:
            return losses.categorical_crossentropy(y_true, y_pred, self.from_logits)
        return losses.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class)

    def result(self) -> float:
        mean = float(super().result())
        return math.exp(mean) if mean < 700 else math.inf

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": self.ignore_class}
