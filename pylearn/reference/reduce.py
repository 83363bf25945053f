"""Reductions over axes, and running sums. ``axis`` is None (all), an axis or several."""

import math

import numpy as np

from .elementwise import numeric, quiet, real

__all__ = [
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "any",
    "all",
    "logsumexp",
    "argmax",
    "argmin",
    "var",
    "std",
    "cumsum",
]


def _wide(x):
    """x as it is summed: floats in float64, everything else in int64."""
    x = numeric(x)
    return x if x.dtype.kind == "f" else x.astype(np.int64)


def _axes(axis):
    return tuple(axis) if isinstance(axis, list) else axis


@quiet
def sum(x, axis=None, keepdims=False):
    """the sum"""
    return np.sum(_wide(x), axis=_axes(axis), keepdims=keepdims)


@quiet
def mean(x, axis=None, keepdims=False):
    """the sum over the count; NaN of nothing"""
    x = real(x)
    total = np.sum(x, axis=_axes(axis), keepdims=keepdims)
    return np.divide(total, x.size / total.size if total.size else 1)


@quiet
def prod(x, axis=None, keepdims=False):
    """the product"""
    return np.prod(_wide(x), axis=_axes(axis), keepdims=keepdims)


def max(x, axis=None, keepdims=False):
    """the largest; NaN if there is one"""
    return np.max(numeric(x), axis=_axes(axis), keepdims=keepdims)


def min(x, axis=None, keepdims=False):
    """the smallest; NaN if there is one"""
    return np.min(numeric(x), axis=_axes(axis), keepdims=keepdims)


def any(x, axis=None, keepdims=False):
    """is one not 0?"""
    return np.any(x, axis=_axes(axis), keepdims=keepdims)


def all(x, axis=None, keepdims=False):
    """is none 0?"""
    return np.all(x, axis=_axes(axis), keepdims=keepdims)


@quiet
def logsumexp(x, axis=None, keepdims=False):
    """log(sum(e^x)), from the largest down; -inf of nothing"""
    x, axis = real(x), _axes(axis)
    top = np.max(x, axis=axis, keepdims=True, initial=-math.inf)
    top = np.where(np.isfinite(top), top, 0)
    y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, tuple(range(x.ndim)) if axis is None else axis)


def argmax(x, axis=None, keepdims=False):
    """where the first NaN is, else the first of the largest"""
    return np.argmax(numeric(x), axis=axis, keepdims=keepdims)


def argmin(x, axis=None, keepdims=False):
    """where the first NaN is, else the first of the smallest"""
    return np.argmin(numeric(x), axis=axis, keepdims=keepdims)


@quiet
def var(x, axis=None, ddof=0, keepdims=False):
    """sum((x - mean)^2) / (count - ddof)"""
    x, axis = real(x), _axes(axis)
    squares = np.square(x - mean(x, axis=axis, keepdims=True))
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    count = x.size / total.size if total.size else 1
    return np.divide(total, np.maximum(count - ddof, 0))


@quiet
def std(x, axis=None, ddof=0, keepdims=False):
    """the root of var"""
    return np.sqrt(var(x, axis, ddof, keepdims))


def cumsum(x, axis=None):
    """y[i] = x[0] + ... + x[i] along the axis, or over x laid out flat"""
    return np.cumsum(_wide(x), axis=axis)
