"""How good classes and probabilities are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn.plots import canvas

Path = str | os.PathLike[str] | None


def confusion_matrix(
    y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None, normalize: bool = False, ax: Any = None,
    path: Path = None,
) -> Any:  # fmt: skip
    """Counts of true class (rows) against predicted class (columns).

    Args:
        y_true: (N,) classes, or (N, K) one-hot.
        y_pred: (N,) classes, or (N, K) scores.
        labels: names of the classes, in sorted order of the classes.
        normalize: shares of each row instead of counts.
        ax: axes to draw in, instead of a new figure.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: lengths differ, or not as many labels as classes.
    """
    true, predicted = _classes(y_true), _classes(y_pred)
    if len(true) != len(predicted):
        raise ValueError(f"y_true has {len(true)} rows, y_pred {len(predicted)}")
    names = np.unique(np.concatenate([true, predicted]))
    if labels is not None and len(labels) != len(names):
        raise ValueError(f"{len(labels)} labels for {len(names)} classes: {names}")
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (np.searchsorted(names, true), np.searchsorted(names, predicted)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.8 + 0.5 * len(names)
    axes = canvas.one(ax, size, size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                text = f"{shares[i, j]:.2f}" if normalize else str(count)
                colour = "white" if shares[i, j] > 0.55 else "black"
                axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    shown = [str(label) for label in (names if labels is None else labels)]
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true",
             title=f"{np.trace(counts) / max(1, len(true)):.1%} right")  # fmt: skip
    axes.set_xticklabels(shown, rotation=45 if max(map(len, shown)) > 3 else 0, ha="right" if max(map(len, shown)) > 3
                         else "center")  # fmt: skip
    axes.set_yticklabels(shown)
    return canvas.finish(axes.figure, path)


def roc(
    y_true: Any, y_score: Any, labels: Sequence[Any] | None = None, ax: Any = None, path: Path = None
) -> Any:
    """Share of positives found against share of negatives taken for positive, over all thresholds.

    Args:
        y_true: (N,) of two classes, the larger one positive; with several columns of scores, classes or (N, K) one-hot.
        y_score: (N,) scores of the positive class, or (N, K): a curve for each class against the rest.
        labels: names of the classes.
        ax: axes to draw in, instead of a new figure.
        path: file to write.

    Returns:
        the Figure. The legend has the area under each curve.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: lengths differ, or one class only.
    """
    axes = canvas.one(ax, 4.4, 4.2)
    for positive, score, name in _against_rest(y_true, y_score, labels):
        hits, alarms = _counts(positive, score)
        x, y = alarms / alarms[-1], hits / hits[-1]
        area = float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
        axes.plot(x, y, label=f"{name}area {area:.3f}")
    axes.plot([0, 1], [0, 1], color=canvas.GREY, linestyle=":")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    return canvas.finish(axes.figure, path)


def precision_recall(
    y_true: Any, y_score: Any, labels: Sequence[Any] | None = None, ax: Any = None, path: Path = None
) -> Any:
    """Share of right ones among those taken for positive, against the share of positives found.

    Arguments, result and errors are those of ``roc``. The legend has the average precision; a dotted line is the share
    of positives, which guessing reaches.
    """
    axes = canvas.one(ax, 4.4, 4.2)
    for positive, score, name in _against_rest(y_true, y_score, labels):
        hits, alarms = _counts(positive, score)
        precision, recall = hits[1:] / (hits[1:] + alarms[1:]), hits / hits[-1]
        average = float(np.sum(np.diff(recall) * precision))
        (line,) = axes.step(recall[1:], precision, where="pre", label=f"{name}average {average:.3f}")
        axes.axhline(positive.mean(), color=line.get_color(), linestyle=":", alpha=0.5, linewidth=1)
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.03), ylim=(0, 1.03))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    return canvas.finish(axes.figure, path)


def calibration(y_true: Any, y_proba: Any, bins: int = 10, ax: Any = None, path: Path = None) -> Any:
    """Predicted probability against the share that came true, in bins of equal width.

    Args:
        y_true: (N,) of two classes, or classes or one-hot for (N, K).
        y_proba: (N,) probability of the positive class; or (N, K), of which the largest is looked at: is the class
            that is predicted with 0.8 right in 80 % of the cases?
        bins: number of bins, > 0.
        ax: axes to draw in, instead of a new figure.
        path: file to write.

    Returns:
        the Figure. Its title has the expected calibration error: the mean distance from the diagonal (Guo et al. 2017).

    Raises:
        ImportError: matplotlib is absent.
        ValueError: probabilities outside [0, 1].
    """
    proba = np.asarray(y_proba, float)
    if not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError("y_proba must be probabilities in [0, 1]")
    if proba.ndim == 2 and proba.shape[1] > 1:
        right = proba.argmax(axis=1) == _classes(y_true)
        proba = proba.max(axis=1)
        what = "confidence of the predicted class"
    else:
        ((right, proba, _),) = _against_rest(y_true, proba, None)
        what = "predicted probability"
    at = np.minimum((proba * bins).astype(int), bins - 1)
    counts = np.bincount(at, minlength=bins)
    filled = counts > 0
    said = np.bincount(at, proba, bins)[filled] / counts[filled]
    came = np.bincount(at, right, bins)[filled] / counts[filled]
    error = float(np.sum(counts[filled] * np.abs(said - came)) / counts.sum())
    axes = canvas.one(ax, 4.4, 4.2)
    axes.bar(
        (np.arange(bins) + 0.5) / bins,
        counts / counts.sum(),
        0.9 / bins,
        color="#e2e8f0",
        label="share of cases",
    )
    axes.plot([0, 1], [0, 1], color=canvas.GREY, linestyle=":")
    axes.plot(said, came, marker="o")
    axes.set(xlabel=what, ylabel="share that came true", xlim=(0, 1), ylim=(0, 1),
             title=f"expected calibration error {error:.3f}")  # fmt: skip
    axes.legend(loc="best", fontsize=8)
    return canvas.finish(axes.figure, path)


def _classes(y: Any) -> np.ndarray:
    y = np.asarray(y)
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)


def _against_rest(
    y_true: Any, y_score: Any, labels: Sequence[Any] | None
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """(is it positive?, score, name) of each curve."""
    score = np.asarray(y_score, float)
    true = _classes(y_true)
    if len(true) != len(score):
        raise ValueError(f"y_true has {len(true)} rows, y_score {len(score)}")
    if not np.isfinite(score).all():
        raise ValueError("y_score has values that are not finite")
    if score.ndim == 1 or score.shape[1] == 1:
        names = np.unique(true)
        if len(names) != 2:
            raise ValueError(f"a curve needs two classes in y_true, got {names}")
        return [(true == names[1], score.reshape(-1), "")]
    names = np.arange(score.shape[1]) if true.dtype.kind in "iub" else np.unique(true)
    shown = names if labels is None else labels
    if len(names) != score.shape[1] or len(shown) != len(names):
        raise ValueError(
            f"{score.shape[1]} columns of scores for {len(names)} classes and {len(shown)} labels"
        )
    curves = [(true == name, score[:, i], f"{label}: ") for i, (name, label) in enumerate(zip(names, shown))]
    for positive, _, name in curves:
        if positive.all() or not positive.any():
            raise ValueError(f"class {name.removesuffix(': ')} is in all rows or in none")
    return curves


def _counts(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives at or above each threshold that occurs, from none to all."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[last]
    return np.append(0, hits), np.append(0, last + 1 - hits)
