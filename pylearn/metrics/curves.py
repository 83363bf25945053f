"""The area under curves over all thresholds. Exact: predictions are kept on the host until the epoch ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn._core import Tensor
from pylearn.align import same_but_last
from pylearn.metrics.base import Metric

CURVES = ("ROC", "PR")


class AUC(Metric):
    """Area under the ROC curve, or with ``curve="PR"`` the average precision.

    As scikit-learn's ``roc_auc_score`` and ``average_precision_score``, over all thresholds: Keras' AUC sums over 200
    bins instead. Of several outputs, the mean over classes, each against the rest. Takes the rows of an epoch into
    memory and sorts them at its end, so it is in the logs of epochs, not of batches.

    Args:
        num_thresholds: accepted as in Keras; every prediction is a threshold.
        curve: "ROC" or "PR".
        name: key in logs.
        from_logits: accepted as in Keras; the area does not depend on it.

    Shapes: y_true 0 and 1 in the shape of y_pred, or class ids (N,) beside (N, K).

    >>> metric = AUC()
    >>> metric.update_state([0, 1, 1, 0], [0.1, 0.4, 0.8, 0.3])
    >>> metric.result()
    1.0
    """

    on_host = True

    def __init__(
        self, num_thresholds: int | None = None, curve: str = "ROC", name: str | None = "auc",
        from_logits: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        if curve not in CURVES:
            raise ValueError(f"curve must be one of {CURVES}, got {curve!r}")
        self.num_thresholds, self.curve, self.from_logits = num_thresholds, curve, bool(from_logits)
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []

    def reset_state(self) -> None:
        self._rows.clear()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y, p = _array(y_true), _array(y_pred)
        if y.shape != p.shape:
            if same_but_last(y.shape, p.shape):
                y = y.reshape(p.shape)
            elif y.shape == p.shape[:-1]:
                y = (y[..., None] == np.arange(p.shape[-1])).astype("float64")
            else:
                raise ValueError(f"[{self.name}] y_true has shape {y.shape}, y_pred {p.shape}: they must be equal, or "
                                 "y_true class ids; nothing is broadcast")  # fmt: skip
        w = None if sample_weight is None else _array(sample_weight).astype("float64").reshape(-1)
        width = p.shape[-1] if p.ndim > 1 else 1
        y, p = y.reshape(-1, width), p.reshape(-1, width)
        if w is not None and len(w) != len(y):
            if len(y) % max(len(w), 1):
                raise ValueError(f"[{self.name}] sample_weight has {len(w)} values for {len(y)} rows")
            w = np.repeat(w, len(y) // len(w))
        self._rows.append((np.array(y), np.array(p), None if w is None else np.array(w)))

    def result(self) -> float:
        if not self._rows:
            return 0.0
        y, p = (np.concatenate([row[i] for row in self._rows]) for i in (0, 1))
        w = np.concatenate([np.ones(len(a)) if c is None else c for a, _, c in self._rows])
        area = roc_auc if self.curve == "ROC" else average_precision
        scores = [area(y[:, k] > 0.5, p[:, k], w) for k in range(y.shape[1])]
        known = [score for score in scores if not np.isnan(score)]
        return float(np.mean(known)) if known else float("nan")

    def get_config(self) -> dict[str, Any]:
        settings = ("num_thresholds", "curve", "from_logits")
        return {**super().get_config(), **{name: getattr(self, name) for name in settings}}


def _array(value: Any) -> np.ndarray:
    return value.numpy() if isinstance(value, Tensor) else np.asarray(value)


def _cumulated(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of positives and of negatives at or above each distinct prediction, the largest first."""
    order = np.argsort(-p.astype("float64"), kind="stable")
    y, p, w = y[order], p[order], w[order]
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    return np.cumsum(w * y)[last], np.cumsum(w * ~y)[last]


def roc_auc(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """The trapezoids under the ROC curve; NaN where only one class occurs."""
    hits, alarms = _cumulated(y, p, w)
    if hits[-1] == 0 or alarms[-1] == 0:
        return float("nan")
    hits, alarms = np.append(0.0, hits / hits[-1]), np.append(0.0, alarms / alarms[-1])
    return float(np.sum(np.diff(alarms) * (hits[1:] + hits[:-1]) / 2))


def average_precision(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Sum of precision times the rise of recall; NaN without positives."""
    hits, alarms = _cumulated(y, p, w)
    if hits[-1] == 0:
        return float("nan")
    return float(np.sum(np.diff(np.append(0.0, hits / hits[-1])) * hits / np.maximum(hits + alarms, 1e-300)))
