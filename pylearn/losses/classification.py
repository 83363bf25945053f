"""Losses of classes. Cross-entropies after a softmax or sigmoid head start from its logits, so they are exact where
the probability itself has rounded to 0 or 1."""

from __future__ import annotations

from typing import Any

from pylearn import _core, ops
from pylearn._core import Tensor
from pylearn.align import aligned, labels, tensors
from pylearn.losses.regression import EPSILON, elementwise, mean_last, pointwise


def _logits(y_pred: Tensor, from_logits: bool, head: str) -> Tensor | None:
    if from_logits:
        return y_pred
    found = _core.logits_of(y_pred)
    return found[0] if found is not None and found[1] == head else None


def _last_axis(axis: int, y_pred: Tensor, owner: str) -> None:
    if axis not in (-1, y_pred.ndim - 1):
        raise ValueError(
            f"[{owner}] classes must be on the last axis, got axis={axis} for shape {y_pred.shape}"
        )


def _rows(logits: Tensor, target: Tensor) -> Tensor:
    if logits.ndim == 2:
        return ops.softmax_cross_entropy(logits, target)
    k, lead = logits.shape[-1], logits.shape[:-1]
    flat = (-1, k) if target.shape == logits.shape else (-1,)
    return ops.reshape(
        ops.softmax_cross_entropy(ops.reshape(logits, (-1, k)), ops.reshape(target, flat)), lead
    )


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum_k y_k log p_k, for one-hot (or soft) targets.

    Args:
        y_true: (N, …, K), rows sum to 1.
        y_pred: (N, …, K) probabilities, or logits with ``from_logits``.
        label_smoothing: in [0, 1]; y becomes y (1 - s) + s / K.

    Returns:
        (N, …).

    Raises:
        ValueError: shapes differ; class ids where one-hot rows are needed.
    """
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    name = "categorical_crossentropy"
    _last_axis(axis, y_pred, name)
    if y_true.shape != y_pred.shape:
        ids = y_true.shape == y_pred.shape[:-1] or y_true.shape == y_pred.shape[:-1] + (1,)
        fix = "these look like class ids: use sparse_categorical_crossentropy or to_categorical(y)"
        raise ValueError(f"[{name}] y_true has shape {y_true.shape}, y_pred {y_pred.shape}"
                         + (f"; {fix}" if ids else "; they must be equal"))  # fmt: skip
    y_true = aligned(y_true, y_pred, name)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    logits = _logits(y_pred, from_logits, "softmax")
    if logits is not None:
        out = _rows(logits, y_true)
    else:
        p = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
        out = -ops.sum(y_true * ops.log(ops.clip(p, EPSILON, 1.0 - EPSILON)), axis=-1)
    return out if given else out.numpy()


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log p[y], for class ids.

    Args:
        y_true: (N, …) or (N, …, 1) ids in [0, K).
        y_pred: (N, …, K) probabilities, or logits with ``from_logits``.
        ignore_class: an id, maybe outside [0, K), whose places count 0.

    Returns:
        (N, …).

    Raises:
        ValueError: shapes do not fit; one-hot rows where ids are needed.
        IndexError: an id outside [0, K).
    """
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    name = "sparse_categorical_crossentropy"
    _last_axis(axis, y_pred, name)
    ids = labels(y_true, y_pred, name)
    ignored = None
    if ignore_class is not None:
        ignored = ops.equal(ids, ignore_class)
        ids = ops.where(ignored, 0, ops.cast(ids, "int64"))
    logits = _logits(y_pred, from_logits, "softmax")
    if logits is None:
        # log of normalised probabilities is a set of logits of the same softmax
        p = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
        chosen = ops.one_hot(ids, y_pred.shape[-1], dtype=y_pred.dtype)
        out = -ops.sum(chosen * ops.log(ops.clip(p, EPSILON, 1.0 - EPSILON)), axis=-1)
    else:
        out = _rows(logits, ids)
    if ignored is not None:
        out = ops.where(ignored, 0.0, out)
    return out if given else out.numpy()


def categorical_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False,
    label_smoothing: float = 0.0, axis: int = -1,
) -> Any:  # fmt: skip
    """-alpha sum_k (1 - p_k)^gamma y_k log p_k (Lin et al. 2017): what is easy counts less.

    Args:
        y_true: (N, …, K), rows sum to 1.
        y_pred: (N, …, K) probabilities, or logits with ``from_logits``.
        alpha: weight of the whole. gamma: how much less; 0 gives alpha times the cross-entropy.
        label_smoothing: in [0, 1]; y becomes y (1 - s) + s / K.

    Returns:
        (N, …).

    Raises:
        ValueError: shapes differ.
    """
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    name = "categorical_focal_crossentropy"
    _last_axis(axis, y_pred, name)
    y_true = aligned(y_true, y_pred, name)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    logits = _logits(y_pred, from_logits, "softmax")
    if logits is not None:
        log_p = ops.log_softmax(logits)
        p = ops.exp(log_p)
    else:
        p = ops.clip(y_pred / ops.sum(y_pred, axis=-1, keepdims=True), EPSILON, 1.0 - EPSILON)
        log_p = ops.log(p)
    out = -alpha * ops.sum((1.0 - p) ** gamma * y_true * log_p, axis=-1)
    return out if given else out.numpy()


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> Any:
    """mean(-y log p - (1 - y) log(1 - p)) over the last axis.

    Args:
        y_true: the shape of y_pred, (n,) beside (n, 1) aligned; in [0, 1].
        y_pred: probabilities, or logits with ``from_logits``.
        label_smoothing: in [0, 1]; y becomes y (1 - s) + s / 2.

    Raises:
        ValueError: shapes differ.
    """
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    y_true = _smoothed(aligned(y_true, y_pred, "binary_crossentropy"), label_smoothing)
    logits = _logits(y_pred, from_logits, "sigmoid")
    if logits is not None:
        out = pointwise(logits, y_true, "binary_cross_entropy_with_logits")
    else:
        out = pointwise(y_pred, y_true, "binary_cross_entropy", EPSILON)
    return out if given else out.numpy()


def _smoothed(y_true: Tensor, label_smoothing: float) -> Tensor:
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def binary_focal_crossentropy(
    y_true: Any, y_pred: Any, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0,
    from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
) -> Any:  # fmt: skip
    """The mean of (1 - q)^gamma times the binary cross-entropy, q the probability of the target (Lin et al. 2017).

    Args:
        y_true: the shape of y_pred, (n,) beside (n, 1) aligned; in [0, 1].
        y_pred: probabilities, or logits with ``from_logits``.
        apply_class_balancing: multiply by alpha where y is 1, by 1 - alpha where it is 0.
        gamma: how much less counts what is easy; 0 gives the cross-entropy.
        label_smoothing: in [0, 1]; y becomes y (1 - s) + s / 2.

    Raises:
        ValueError: shapes differ.
    """
    y_true, y_pred, _, given = tensors(y_true, y_pred)
    name = "binary_focal_crossentropy"
    _last_axis(axis, y_pred, name)
    y_true = _smoothed(aligned(y_true, y_pred, name), label_smoothing)
    logits = _logits(y_pred, from_logits, "sigmoid")
    if logits is not None:
        p = ops.sigmoid(logits)
        values = ops.pointwise_loss(logits, y_true, "binary_cross_entropy_with_logits")
    else:
        p, values = y_pred, ops.pointwise_loss(y_pred, y_true, "binary_cross_entropy", EPSILON)
    values = values * (1.0 - (y_true * p + (1.0 - y_true) * (1.0 - p))) ** gamma
    if apply_class_balancing:
        values = values * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    out = mean_last(values)
    return out if given else out.numpy()


@elementwise
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum y log(y / ŷ) over the last axis, both cut to [1e-7, 1]"""
    return ops.pointwise_loss(y_pred, y_true, "kl_divergence", EPSILON, "sum")


def _signs(y_true: Tensor) -> Tensor:
    """-1 and 1 from 0 and 1; other targets as they are."""
    zero_one = ops.all(ops.equal(y_true * y_true, y_true))
    return ops.where(zero_one, 2.0 * y_true - 1.0, y_true)


@elementwise
def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y ŷ, 0)), y in {-1, 1} (or {0, 1})"""
    return pointwise(y_pred, _signs(y_true), "hinge")


@elementwise
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y ŷ, 0)²), y in {-1, 1} (or {0, 1})"""
    return pointwise(y_pred, _signs(y_true), "squared_hinge")


@elementwise
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + max((1 - y) ŷ) - sum(y ŷ), 0), y one-hot"""
    return ops.relu(1.0 + ops.max((1.0 - y_true) * y_pred, axis=-1) - ops.sum(y_true * y_pred, axis=-1))
