"""Losses of classes. Cross-entropies after a softmax or sigmoid head start from its logits, so they are exact where
the probability itself has rounded to 0 or 1."""

from __future__ import annotations

from typing import Any

from pylearn import _core, ops
from pylearn._core import Tensor
from pylearn.align import aligned, labels, tensors
from pylearn.losses.regression import EPSILON, elementwise, mean_last


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
    y_true: Any, y_pred: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log p[y], for class ids.

    Args:
        y_true: (N, …) or (N, …, 1) ids in [0, K).
        y_pred: (N, …, K) probabilities, or logits with ``from_logits``.

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
    logits = _logits(y_pred, from_logits, "softmax")
    if logits is None:
        # log of normalised probabilities is a set of logits of the same softmax
        p = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
        chosen = ops.one_hot(ids, y_pred.shape[-1], dtype=y_pred.dtype)
        out = -ops.sum(chosen * ops.log(ops.clip(p, EPSILON, 1.0 - EPSILON)), axis=-1)
    else:
        out = _rows(logits, ids)
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
    y_true = aligned(y_true, y_pred, "binary_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    logits = _logits(y_pred, from_logits, "sigmoid")
    if logits is not None:
        out = mean_last(ops.binary_cross_entropy(logits, y_true))
    else:
        p = ops.clip(y_pred, EPSILON, 1.0 - EPSILON)
        out = mean_last(-(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p)))
    return out if given else out.numpy()


@elementwise
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum y log(y / ŷ) over the last axis, both cut to [1e-7, 1]"""
    a, b = ops.clip(y_true, EPSILON, 1.0), ops.clip(y_pred, EPSILON, 1.0)
    return ops.sum(a * ops.log(a / b), axis=-1)


def _signs(y_true: Tensor) -> Tensor:
    """-1 and 1 from 0 and 1; other targets as they are."""
    zero_one = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(zero_one, 2.0 * y_true - 1.0, y_true)


@elementwise
def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y ŷ, 0)), y in {-1, 1} (or {0, 1})"""
    return mean_last(ops.relu(1.0 - _signs(y_true) * y_pred))


@elementwise
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y ŷ, 0)²), y in {-1, 1} (or {0, 1})"""
    return mean_last(ops.square(ops.relu(1.0 - _signs(y_true) * y_pred)))


@elementwise
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + max((1 - y) ŷ) - sum(y ŷ), 0), y one-hot"""
    return ops.relu(1.0 + ops.max((1.0 - y_true) * y_pred, axis=-1) - ops.sum(y_true * y_pred, axis=-1))
