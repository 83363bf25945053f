"""Sorting along an axis, and elements by their positions."""

import numpy as np

from .elementwise import real

__all__ = ["sort", "argsort", "topk", "searchsorted", "take_along_axis", "bincount"]


def argsort(x, axis=-1, descending=False):
    """The positions that sort x along the axis (of x laid out flat with None), equal elements in their order

    NaN counts as the largest, so it comes last, or first when descending.
    """
    x = np.ravel(x) if axis is None else np.asarray(x)
    axis = -1 if axis is None else axis
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")  # sorted, equal elements in reverse
    return np.flip(x.shape[axis] - 1 - backwards, axis)


def sort(x, axis=-1, descending=False):
    """x at the positions of argsort"""
    x, axis = (np.ravel(x), 0) if axis is None else (x, axis)
    return take_along_axis(x, argsort(x, axis, descending), axis)


def topk(x, k, axis=-1):
    """(values, positions) of the k largest along the axis, in the order of a descending argsort"""
    positions = np.take(argsort(x, axis, descending=True), np.arange(k), axis)
    return np.take_along_axis(np.asarray(x), positions, axis), positions


def searchsorted(sorted, values, side="left"):
    """How many of sorted (n) are less than each value; with side "right", less or equal"""
    return np.searchsorted(sorted, values, side)


def take_along_axis(x, indices, axis=-1):
    """y[..., i, ...] = x[..., indices[..., i, ...], ...] along the axis; positions below 0 count from the end"""
    return np.take_along_axis(np.asarray(x), np.asarray(indices), axis)


def bincount(x, weights=None, length=None):
    """y[k] = how many x are k, or the sum of their weights; 0 <= x < length, by default up to the largest"""
    return np.bincount(x, None if weights is None else real(weights), 0 if length is None else length)
