"""Elementwise functions of two arrays, which broadcast as in NumPy; choice, casts, copies."""

import builtins

import numpy as np

from .elementwise import numeric, quiet, real

__all__ = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "maximum", "minimum",
    "arctan2", "hypot", "logaddexp", "fmod", "copysign", "equal", "not_equal", "less", "less_equal",
    "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "where", "clip", "cast",
    "copy",
]  # fmt: skip


@quiet
def add(x1, x2):
    """x1 + x2"""
    return np.add(numeric(x1), numeric(x2))


@quiet
def subtract(x1, x2):
    """x1 - x2"""
    return np.subtract(numeric(x1), numeric(x2))


@quiet
def multiply(x1, x2):
    """x1 x2"""
    return np.multiply(numeric(x1), numeric(x2))


@quiet
def divide(x1, x2):
    """x1 / x2, a float"""
    return real(x1) / real(x2)


@quiet
def floor_divide(x1, x2):
    """floor(x1 / x2); whole numbers over 0 give 0"""
    return np.floor_divide(numeric(x1), numeric(x2))


@quiet
def remainder(x1, x2):
    """x1 - floor(x1 / x2) x2, with the sign of x2"""
    return np.remainder(numeric(x1), numeric(x2))


@quiet
def power(x1, x2):
    """x1^x2"""
    return np.power(numeric(x1), numeric(x2))


def maximum(x1, x2):
    """the larger; NaN if either is"""
    return np.maximum(numeric(x1), numeric(x2))


def minimum(x1, x2):
    """the smaller; NaN if either is"""
    return np.minimum(numeric(x1), numeric(x2))


def arctan2(x1, x2):
    """the angle of the point (x2, x1), in [-pi, pi]"""
    return np.arctan2(real(x1), real(x2))


@quiet
def hypot(x1, x2):
    """sqrt(x1^2 + x2^2) without overflow"""
    return np.hypot(real(x1), real(x2))


@quiet
def logaddexp(x1, x2):
    """log(e^x1 + e^x2)"""
    return np.logaddexp(real(x1), real(x2))


@quiet
def fmod(x1, x2):
    """x1 - trunc(x1 / x2) x2, with the sign of x1"""
    return np.fmod(numeric(x1), numeric(x2))


def copysign(x1, x2):
    """|x1| with the sign of x2"""
    return np.copysign(real(x1), real(x2))


def equal(x1, x2):
    """x1 == x2"""
    return np.equal(numeric(x1), numeric(x2))


def not_equal(x1, x2):
    """x1 != x2"""
    return np.not_equal(numeric(x1), numeric(x2))


def less(x1, x2):
    """x1 < x2"""
    return np.less(numeric(x1), numeric(x2))


def less_equal(x1, x2):
    """x1 <= x2"""
    return np.less_equal(numeric(x1), numeric(x2))


def greater(x1, x2):
    """x1 > x2"""
    return np.greater(numeric(x1), numeric(x2))


def greater_equal(x1, x2):
    """x1 >= x2"""
    return np.greater_equal(numeric(x1), numeric(x2))


def logical_and(x1, x2):
    """x1 != 0 and x2 != 0"""
    return np.logical_and(x1, x2)


def logical_or(x1, x2):
    """x1 != 0 or x2 != 0"""
    return np.logical_or(x1, x2)


def logical_xor(x1, x2):
    """exactly one of x1 != 0, x2 != 0"""
    return np.logical_xor(x1, x2)


def where(condition, x1, x2):
    """x1 where the condition holds, else x2"""
    return np.where(np.asarray(condition, dtype=builtins.bool), numeric(x1), numeric(x2))


def clip(x, min=None, max=None):
    """x, at least min and at most max; NaN stays NaN"""
    y = numeric(x)
    y = y if min is None else np.maximum(y, numeric(min))
    return y if max is None else np.minimum(y, numeric(max))


def cast(x, dtype):
    """x in another type. On the way to integers floats lose their fraction and stop at the ends; NaN is 0."""
    x, dtype = np.asarray(x), np.dtype(dtype)
    if x.dtype.kind == "f" and dtype.kind in "iu":
        y, ends = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0)), np.iinfo(dtype)
        inside = (y > ends.min) & (y < ends.max)
        return np.where(
            inside, np.where(inside, y, 0).astype(dtype), np.where(y > 0, ends.max, ends.min)
        ).astype(dtype)
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def copy(x):
    """the same values in memory of their own"""
    return np.array(x)
