"""Losses of numbers. y_true and y_pred (N, …, D) → (N, …), the mean over the last axis."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pylearn import ops
from pylearn._core import Tensor
from pylearn.align import aligned, tensors

EPSILON = 1e-7
Function = Callable[..., Any]
Axis = int | tuple[int, ...] | None


def elementwise(function: Function) -> Function:
    """Aligns the two arguments before the formula; NumPy in, NumPy out."""

    @functools.wraps(function)
    def wrapper(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        y_true, y_pred, _, given = tensors(y_true, y_pred)
        out = function(aligned(y_true, y_pred, function.__name__), y_pred, *args, **kwargs)
        return out if given else out.numpy()

    return wrapper


def mean_last(x: Tensor) -> Tensor:
    return ops.mean(x, axis=-1) if x.ndim > 1 else x


def pointwise(y_pred: Tensor, y_true: Tensor, loss: str, parameter: float = 0.0) -> Tensor:
    """The mean of a pointwise loss over the last axis, in one pass; of a vector its elements."""
    return ops.pointwise_loss(y_pred, y_true, loss, parameter, "mean" if y_pred.ndim > 1 else "none")


@elementwise
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean((y - ŷ)²)"""
    return pointwise(y_pred, y_true, "squared_error")


@elementwise
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean(|y - ŷ|)"""
    return pointwise(y_pred, y_true, "absolute_error")


@elementwise
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """mean of e²/2 where |e| ≤ delta, else delta (|e| - delta/2)"""
    return pointwise(y_pred, y_true, "huber", delta)


@elementwise
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean(log(cosh(ŷ - y)))"""
    return pointwise(y_pred, y_true, "log_cosh")


@elementwise
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean((log(1 + y) - log(1 + ŷ))²), both cut below at 1e-7"""
    return pointwise(y_pred, y_true, "squared_logarithmic_error", EPSILON)


@elementwise
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 · mean(|(y - ŷ) / y|), |y| cut below at 1e-7"""
    return pointwise(y_pred, y_true, "absolute_percentage_error", EPSILON)


@elementwise
def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean(ŷ - y log ŷ): the Poisson likelihood of rate ŷ, without its constant"""
    return pointwise(y_pred, y_true, "poisson", EPSILON)


@elementwise
def cosine_similarity(y_true: Any, y_pred: Any) -> Any:
    """-cos(y, ŷ) over the last axis; -1 is equal directions"""

    def unit(x: Tensor) -> Tensor:
        return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-12))

    return -ops.sum(unit(y_true) * unit(y_pred), axis=-1)


@elementwise
def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> Any:
    """1 - 2 sum(y ŷ) / (sum(y) + sum(ŷ)), for masks (Milletari et al. 2016).

    Args:
        axis: what is summed over; everything, batch included, by default.
    """
    both = 2.0 * ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - both / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + EPSILON)


@elementwise
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> Any:
    """1 - I / (I + alpha sum((1 - y) ŷ) + beta sum(y (1 - ŷ))) with I = sum(y ŷ) (Salehi et al. 2017).

    Args:
        alpha, beta: weights of what is found wrongly and of what is missed.
        axis: what is summed over; everything, batch included, by default.
    """
    both = ops.sum(y_true * y_pred, axis=axis)
    wrong, missed = ops.sum((1.0 - y_true) * y_pred, axis=axis), ops.sum(y_true * (1.0 - y_pred), axis=axis)
    return 1.0 - both / (both + alpha * wrong + beta * missed + EPSILON)
