"""Targets beside predictions: the one rule by which their shapes may differ, for losses and metrics alike.

``(n,)`` and ``(n, 1)`` are the same thing and are aligned to the prediction's form. Anything else that differs is an
error; nothing broadcasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import Tensor, asarray

_LABELS = ("uint8", "int32", "int64")


def tensors(
    y_true: Any, y_pred: Any, sample_weight: Any = None
) -> tuple[Tensor, Tensor, Tensor | None, bool]:
    """Both as Tensors, the prediction a float; and whether one of them was a Tensor already."""
    given = isinstance(y_true, Tensor) or isinstance(y_pred, Tensor)
    y_pred = y_pred if isinstance(y_pred, Tensor) else asarray(_array(y_pred))
    y_true = y_true if isinstance(y_true, Tensor) else asarray(_array(y_true))
    if y_pred.dtype.kind != "f":
        y_pred = ops.cast(y_pred, "float64" if y_true.dtype == np.float64 else "float32")
    if sample_weight is not None and not isinstance(sample_weight, Tensor):
        sample_weight = asarray(_array(sample_weight))
    return y_true, y_pred, sample_weight, given


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected numbers, got an array of {array.dtype}")
    if array.dtype == np.float16 or array.dtype.itemsize > 8:
        return array.astype("float32")
    if array.dtype.kind in "iu" and array.dtype.name not in _LABELS:
        return array.astype("int64")
    return array


def aligned(y_true: Tensor, y_pred: Tensor, owner: str) -> Tensor:
    """``y_true`` in the shape and dtype of ``y_pred``.

    Raises:
        ValueError: the shapes differ by more than a last axis of 1; names both.
    """
    y_true = reshaped(y_true, y_pred.shape, owner)
    return y_true if y_true.dtype == y_pred.dtype else ops.cast(y_true, y_pred.dtype)


def reshaped(y_true: Tensor, shape: tuple[int, ...], owner: str) -> Tensor:
    if y_true.shape == shape:
        return y_true
    if same_but_last(y_true.shape, shape):
        return ops.reshape(y_true, shape)
    raise ValueError(
        f"[{owner}] y_true has shape {y_true.shape}, y_pred {shape}: they must be equal "
        "(only (n,) beside (n, 1) is aligned); nothing is broadcast"
    )


def same_but_last(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> bool:
    """Do the shapes differ only by a last axis of 1?"""
    return a + (1,) == b or b + (1,) == a


def labels(y_true: Tensor, y_pred: Tensor, owner: str) -> Tensor:
    """Class ids (int) in the shape of ``y_pred`` without its last axis.

    Raises:
        ValueError: the shapes do not fit; a one-hot matrix is named as such.
    """
    wanted = y_pred.shape[:-1]
    if y_true.shape != wanted:
        if y_true.shape == wanted + (1,):
            y_true = ops.reshape(y_true, wanted)
        elif y_true.shape == y_pred.shape:
            raise ValueError(
                f"[{owner}] y_true has the shape {y_true.shape} of y_pred: it looks one-hot, but class ids of shape "
                f"{wanted} are needed; use categorical_crossentropy, or y.argmax(-1)"
            )
        else:
            raise ValueError(f"[{owner}] y_true has shape {y_true.shape}, y_pred {y_pred.shape}: class ids must have "
                             f"shape {wanted}")  # fmt: skip
    return y_true if y_true.dtype.name in _LABELS else ops.cast(y_true, "int64")


def weighted(values: Tensor, weight: Tensor | None, owner: str) -> tuple[Tensor, Tensor | None]:
    """The weights in ``values``' dtype and in a shape that multiplies them: one per row, or one per value.

    Raises:
        ValueError: neither.
    """
    if weight is None:
        return values, None
    if weight.dtype != values.dtype:
        weight = ops.cast(weight, values.dtype)
    if weight.shape == values.shape:
        return values, weight
    if weight.ndim == values.ndim + 1 and weight.shape == values.shape + (1,):
        return values, ops.reshape(weight, values.shape)
    rows = weight.shape[:1] == values.shape[:1]
    if weight.ndim and rows and weight.size == weight.shape[0] and values.ndim > 1:
        shape = weight.shape[:1] + (1,) * (values.ndim - 1)
        return values, ops.broadcast_to(ops.reshape(weight, shape), values.shape)
    if weight.ndim == 0:
        return values, ops.broadcast_to(weight, values.shape)
    raise ValueError(
        f"[{owner}] sample_weight has shape {weight.shape}, the values {values.shape}: "
        "give one weight per row or one per value"
    )
