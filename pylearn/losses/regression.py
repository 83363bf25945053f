"""Losses of numbers. y_true and y_pred (N, …, D) → (N, …), the mean over the last axis."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from pylearn import ops
from pylearn._core import Tensor
from pylearn.align import aligned, tensors

EPSILON = 1e-7
Function = Callable[..., Any]


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


@elementwise
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean((y - ŷ)²)"""
    return mean_last(ops.squared_error(y_pred, y_true))


@elementwise
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean(|y - ŷ|)"""
    return mean_last(ops.absolute_error(y_pred, y_true))


@elementwise
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """mean of e²/2 where |e| ≤ delta, else delta (|e| - delta/2)"""
    return mean_last(ops.huber(y_pred, y_true, delta=delta))


@elementwise
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean(log(cosh(ŷ - y)))"""
    e = y_pred - y_true
    return mean_last(e + ops.softplus(-2.0 * e) - math.log(2.0))


@elementwise
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean((log(1 + y) - log(1 + ŷ))²), both cut below at 1e-7"""
    a, b = ops.log1p(ops.maximum(y_pred, EPSILON)), ops.log1p(ops.maximum(y_true, EPSILON))
    return mean_last(ops.squared_error(a, b))


@elementwise
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 · mean(|(y - ŷ) / y|), |y| cut below at 1e-7"""
    return 100.0 * mean_last(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), EPSILON)))


@elementwise
def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean(ŷ - y log ŷ): the Poisson likelihood of rate ŷ, without its constant"""
    return mean_last(y_pred - y_true * ops.log(y_pred + EPSILON))


@elementwise
def cosine_similarity(y_true: Any, y_pred: Any) -> Any:
    """-cos(y, ŷ) over the last axis; -1 is equal directions"""

    def unit(x: Tensor) -> Tensor:
        return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-12))

    return -ops.sum(unit(y_true) * unit(y_pred), axis=-1)
