"""Images (N,H,W,C) of another size."""

import numpy as np

from .elementwise import real

__all__ = ["resize2d", "upsample2d", "upsample1d", "pixel_shuffle", "pixel_unshuffle"]


def _along(x, axis, out, interpolation):
    """Output o reads x at (o + 1/2) size / out - 1/2, no further out than its first and last element."""
    size, o = x.shape[axis], np.arange(out)
    if interpolation == "nearest":
        return np.take(x, (2 * o + 1) * size // (2 * out) if out else o, axis)
    place = np.maximum((o + 0.5) * (size / max(out, 1)) - 0.5, 0)
    low = np.minimum(place.astype(int), size - 1)
    high = np.minimum(low + 1, size - 1)
    shape = [1] * x.ndim
    shape[axis] = out
    w = (place - low).reshape(shape)
    return np.take(x, low, axis) * (1 - w) + np.take(x, high, axis) * w


def resize2d(x, size, interpolation="bilinear"):
    """x (N,H,W,C) -> y (N,*size,C): the nearest pixel, or a blend of the 2 x 2 nearest; half-pixel centres

    y[n,p,q,c] reads x at row (p + 1/2) H / size[0] - 1/2 and column (q + 1/2) W / size[1] - 1/2.
    """
    h, w = (size, size) if np.ndim(size) == 0 else size
    return _along(_along(real(x), 2, w, interpolation), 1, h, interpolation)


def upsample2d(x, size=2, interpolation="nearest"):
    """resize2d to size times the height and width: "nearest" repeats pixels"""
    h, w = (size, size) if np.ndim(size) == 0 else size
    return resize2d(x, (np.shape(x)[1] * h, np.shape(x)[2] * w), interpolation)


def upsample1d(x, size=2):
    """x (N,T,C) -> y (N, size T, C): each step repeated"""
    return np.repeat(real(x), size, axis=1)


def pixel_shuffle(x, factor):
    """x (N,H,W,f f C) -> y (N, f H, f W, C): y[n, f p + i, f q + j, c] = x[n, p, q, (f i + j) C + c]"""
    n, h, w, c = np.shape(x)
    parts = np.reshape(x, (n, h, w, factor, factor, c // factor**2)).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h * factor, w * factor, c // factor**2)


def pixel_unshuffle(x, factor):
    """The inverse of pixel_shuffle: x (N, f H, f W, C) -> y (N,H,W,f f C)"""
    n, h, w, c = np.shape(x)
    parts = np.reshape(x, (n, h // factor, factor, w // factor, factor, c)).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h // factor, w // factor, c * factor**2)
