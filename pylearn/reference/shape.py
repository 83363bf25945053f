"""Shapes and places: nothing is computed, elements move."""

import numpy as np

__all__ = [
    "reshape", "transpose", "expand_dims", "squeeze", "broadcast_to", "concatenate", "stack", "split",
    "pad", "take", "one_hot", "slice", "flip", "stop_gradient",
]  # fmt: skip


def sum_to(x, shape):
    """x summed over the axes along which an array of this shape was broadcast."""
    x = x.sum(axis=tuple(range(x.ndim - len(shape))))
    return x.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1), keepdims=True)


def reshape(x, shape):
    """the same elements in row-major order; one size may be -1"""
    return np.reshape(x, shape)


def transpose(x, axes=None):
    """axis i of the result is axis axes[i] of x; reversed by default"""
    return np.transpose(x, axes)


def expand_dims(x, axis):
    """an axis of size 1 at this place (or at these places) of the result"""
    return np.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis)


def squeeze(x, axis=None):
    """without these axes of size 1; without all of them by default"""
    return np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def broadcast_to(x, shape):
    """x repeated along axes of size 1 and new leading axes"""
    return np.array(np.broadcast_to(x, shape))


def concatenate(xs, axis=0):
    """one after the other along the axis"""
    return np.concatenate([np.asarray(x) for x in xs], axis=axis)


def stack(xs, axis=0):
    """one after the other along a new axis"""
    return np.stack([np.asarray(x) for x in xs], axis=axis)


def split(x, indices_or_sections, axis=0):
    """a list: so many equal parts, or the parts between these places"""
    return np.split(np.asarray(x), indices_or_sections, axis=axis)


def pad(x, pad_width, value=0, mode="constant"):
    """a border around x: pad_width is a number, (before, after) for all axes, or such a pair for each axis

    Of value; or of x reflected about its ends ("reflect", "symmetric" with the ends twice), its ends ("edge"), x itself
    again ("wrap").
    """
    return np.pad(x, pad_width, mode, **({"constant_values": value} if mode == "constant" else {}))


def take(x, indices, axis=None):
    """x at these places of the axis, or of x laid out flat; places below 0 count from the end"""
    return np.take(x, indices, axis=axis)


def one_hot(x, num_classes, dtype="float32"):
    """y[..., k] = 1 where x[...] = k, else 0; 0 <= x < num_classes"""
    return (np.asarray(x)[..., None] == np.arange(num_classes)).astype(dtype)


def slice(x, start, stop, step):
    """x[start:stop:step] on every axis; nothing counts from the end: stop -1 is before the first element"""
    x = np.asarray(x)
    for axis, (a, b, by) in enumerate(zip(start, stop, step)):
        low, high = (0, x.shape[axis]) if by > 0 else (-1, x.shape[axis] - 1)
        x = np.take(x, np.arange(min(max(a, low), high), min(max(b, low), high), by), axis=axis)
    return x


def flip(x, axis=None):
    """x backwards along the axes, all by default"""
    return np.flip(x, tuple(axis) if isinstance(axis, list) else axis)


def stop_gradient(x):
    """x, a constant to gradients"""
    return np.array(x)
