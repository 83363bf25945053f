"""Checks of whole target arrays on the host, before training starts; with the fix in the message.

Each takes the array, the output's static shape (None, …) and a name for the array ("y"), and raises ValueError.
"""

from __future__ import annotations

import numpy as np

from pylearn.align import same_but_last

Shape = tuple[int | None, ...]
_LIMIT = 50_000_000  # values; larger arrays are left to the kernels' own checks


def _fits(shape: tuple[int, ...], output: Shape) -> bool:
    pattern = output[1:]
    return len(shape) == len(pattern) + 1 and all(
        b is None or a == b for a, b in zip(shape[1:], pattern, strict=True)
    )


def elementwise(y: np.ndarray, output: Shape, name: str, loss: str) -> None:
    """y must have the output's shape, (n,) beside (n, 1) aside."""
    if _fits(y.shape, output):
        return
    if same_but_last(y.shape[1:], output[1:]):
        return
    hint = ""
    if y.ndim == 1 and len(output) == 2 and y.dtype.kind in "iub":
        hint = "; for class ids use sparse_categorical_crossentropy or to_categorical(y)"
    raise ValueError(
        f"[{loss}] {name} has shape {y.shape}, the model's output {output}; they must agree{hint}"
    )


def one_hot(y: np.ndarray, output: Shape, name: str, loss: str) -> None:
    """y must be one-hot (or soft) rows for the output's classes."""
    if _fits(y.shape, output):
        return
    classes = output[-1]
    if _fits(y.shape, output[:-1]) or _fits(y.shape, output[:-1] + (1,)):
        if classes == 1:
            raise ValueError(f"[{loss}] the model has one output; use binary_crossentropy with a sigmoid, or "
                             f"one output per class with {name} one-hot")  # fmt: skip
        raise ValueError(f"[{loss}] {name} has shape {y.shape}: it looks like class ids, but one-hot rows of {classes} "
                         "are needed; use sparse_categorical_crossentropy or to_categorical(y)")  # fmt: skip
    if y.ndim == len(output) and y.shape[-1] != classes:
        raise ValueError(f"[{loss}] {name} has {y.shape[-1]} classes (shape {y.shape}), the model's output {classes}; "
                         f"make the last layer {y.shape[-1]} wide")  # fmt: skip
    raise ValueError(f"[{loss}] {name} has shape {y.shape}, the model's output {output}; they must agree")


def ids(y: np.ndarray, output: Shape, name: str, loss: str) -> None:
    """y must be whole numbers in [0, classes)."""
    classes = output[-1]
    if not _fits(y.shape, output[:-1]) and not _fits(y.shape, output[:-1] + (1,)):
        if _fits(y.shape, output):
            raise ValueError(f"[{loss}] {name} has shape {y.shape}: it looks one-hot, but class ids are needed; use "
                             "categorical_crossentropy, or y.argmax(-1)")  # fmt: skip
        raise ValueError(f"[{loss}] {name} has shape {y.shape}, the model's output {output}; class ids must have shape "
                         f"{output[:-1]}")  # fmt: skip
    if y.size == 0 or y.size > _LIMIT:
        return
    if y.dtype.kind == "f":
        whole = np.isfinite(y) & (y == np.floor(y))
        if not whole.all():
            row = int(np.argmin(whole.reshape(len(y), -1).all(1)))
            raise ValueError(f"[{loss}] {name} must hold class ids, row {row} has {y[row]!s}")
    low, high = y.min(), y.max()
    if low < 0 or (classes is not None and high >= classes):
        wrong = (y < 0) if classes is None else (y < 0) | (y >= classes)
        row = int(np.argmax(wrong.reshape(len(y), -1).any(1)))
        hint = ""
        if low == 1 and high == classes:
            hint = f"; ids start at 0: use {name} - 1"
        elif classes is not None and high >= classes:
            hint = f"; make the last layer {int(high) + 1} wide, or fix the labels"
        raise ValueError(f"[{loss}] {name} has the label {int(y[wrong].flat[0])} in row {row}, but the model has "
                         f"{classes} classes (0 to {(classes or 1) - 1}){hint}")  # fmt: skip


def probabilities(y: np.ndarray, output: Shape, name: str, loss: str) -> None:
    """y must be in [0, 1] and have the output's shape."""
    if not _fits(y.shape, output) and not same_but_last(y.shape[1:], output[1:]):
        hint = ""
        if y.ndim == 2 and y.shape[1] == 2 and output[-1] == 1:
            hint = "; it looks one-hot: use y[:, 1], or two outputs with softmax and categorical_crossentropy"
        elif y.ndim == 1 and len(output) == 2:
            hint = "; one target per row needs Dense(1, activation='sigmoid'), or sparse_categorical_crossentropy"
        raise ValueError(
            f"[{loss}] {name} has shape {y.shape}, the model's output {output}; they must agree{hint}"
        )
    if y.size == 0 or y.size > _LIMIT or y.dtype.kind == "b":
        return
    low, high = (
        np.nanmin(y) if y.dtype.kind == "f" else y.min(),
        np.nanmax(y) if y.dtype.kind == "f" else y.max(),
    )
    if low < 0 or high > 1:
        wrong = (y < 0) | (y > 1)
        row = int(np.argmax(wrong.reshape(len(y), -1).any(1)))
        hint = "for labels -1 and 1 use (y + 1) / 2" if low == -1 and high == 1 else (
            "for several classes use sparse_categorical_crossentropy and one output per class")  # fmt: skip
        raise ValueError(f"[{loss}] {name} must be in [0, 1], row {row} has {y[wrong].flat[0]!s}; {hint}")
