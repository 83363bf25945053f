"""Label encodings on NumPy arrays, under Keras' old module name."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt


def to_categorical(y: Any, num_classes: int | None = None, dtype: npt.DTypeLike = "float32") -> np.ndarray:
    """One-hot rows of integer labels.

    Args:
        y: labels 0 … num_classes − 1, of any shape; a trailing axis of 1 is dropped, as a column vector
            (N, 1) holds N labels. Floats are accepted when they are whole numbers.
        num_classes: length of the rows; the largest label + 1 by default.
        dtype: of the result.

    Returns:
        shape of ``y`` plus ``(num_classes,)``: 1 at each label, 0 elsewhere.

    Raises:
        ValueError: a label that is negative, not a whole number, or not below ``num_classes``, with its
            position; no labels and no ``num_classes``.
        TypeError: labels that are not numbers.

    Example:
        >>> to_categorical([0, 2]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = _whole_numbers(np.asarray(y))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("to_categorical needs num_classes when there are no labels")
        n = int(labels.max()) + 1
    else:
        n = _class_count(num_classes)
    _refuse(labels, labels < 0, "is negative; labels count from 0", "")
    from_one = labels.size > 0 and labels.max() == n and labels.min() > 0
    hint = "; labels that start at 1 need y - 1" if from_one else ""
    _refuse(labels, labels >= n, f"is not below num_classes={n}", hint)
    result = np.zeros((labels.size, n), dtype)
    result[np.arange(labels.size), labels.ravel()] = 1
    return result.reshape(*labels.shape, n)


def _whole_numbers(y: np.ndarray) -> np.ndarray:
    """Labels as int64."""
    if y.dtype == object:
        try:
            y = y.astype(np.float64)
        except (TypeError, ValueError):
            raise _not_numbers(y) from None
    if y.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            odd = (y != np.floor(y)) | ~np.isfinite(y) | (np.abs(y) >= 2**63)
        _refuse(y, odd, "is not a whole number", "")
    elif y.dtype.kind not in "iub":
        raise _not_numbers(y)
    elif y.dtype == np.uint64:
        _refuse(y, y >= 2**63, "is too large", "")
    return y.astype(np.int64)


def _not_numbers(y: np.ndarray) -> TypeError:
    first = y.ravel().tolist()[0] if y.size else None
    return TypeError(
        f"to_categorical needs integer labels, got {y.dtype} such as {first!r}; number them first: "
        "classes, y = numpy.unique(y, return_inverse=True)"
    )


def _class_count(num_classes: int) -> int:
    try:
        n = operator.index(num_classes)
    except TypeError:
        raise TypeError(f"num_classes must be an integer, got {num_classes!r}") from None
    if n < 1:
        raise ValueError(f"num_classes must be at least 1, got {n}")
    return n


def _refuse(labels: np.ndarray, bad: np.ndarray, why: str, hint: str) -> None:
    if bad.any():
        where = np.unravel_index(int(np.argmax(bad)), bad.shape)
        position = ", ".join(str(int(i)) for i in where)
        raise ValueError(f"to_categorical: label {labels[where]} at position {position or '()'} {why}{hint}")
