"""Pooling of images (N,H,W,C) and sequences (N,T,C)."""

import numpy as np

from .conv import same_padding
from .elementwise import real

__all__ = [
    "max_pool2d", "max_pool1d", "avg_pool2d", "avg_pool1d", "adaptive_max_pool2d", "adaptive_avg_pool2d",
    "global_max_pool2d", "global_max_pool1d", "global_avg_pool2d", "global_avg_pool1d",
]  # fmt: skip


def _pair(v):
    return (v, v) if np.ndim(v) == 0 else tuple(v)


def _strided(size, kernel, stride, padding):
    """(begin, end) of each window along one axis, cut off at its ends."""
    if padding == "valid":
        before, after = 0, 0
    elif padding == "same":
        before, after = same_padding(size, kernel, stride, 1)
    else:
        before, after = padding
    starts = range(-before, size + after - kernel + 1, stride)
    return [(max(s, 0), min(s + kernel, size)) for s in starts]


def _adaptive(size, out):
    """torch's rule: floor(o size / out) up to ceil((o + 1) size / out)"""
    return [(o * size // out, -(-(o + 1) * size // out)) for o in range(out)]


def _over(reduce, x, rows, cols):
    x = real(x)
    y = np.zeros((x.shape[0], len(rows), len(cols), x.shape[3]))
    for p, (a, b) in enumerate(rows):
        for q, (c, d) in enumerate(cols):
            y[:, p, q] = reduce(x[:, a:b, c:d], axis=(1, 2))
    return y


def _pool2d(reduce, x, pool_size, strides, padding):
    x, size = real(x), _pair(pool_size)
    steps = size if strides is None else _pair(strides)
    pads = (padding,) * 2 if isinstance(padding, str) else tuple(_pair(p) for p in _pair(padding))
    return _over(reduce, x, *(_strided(x.shape[1 + i], size[i], steps[i], pads[i]) for i in range(2)))


def _pool1d(reduce, x, pool_size, strides, padding):
    x = real(x)
    steps = pool_size if strides is None else strides
    cols = _strided(x.shape[1], pool_size, steps, padding if isinstance(padding, str) else _pair(padding))
    return _over(reduce, x[:, None], [(0, 1)], cols)[:, 0]


def max_pool2d(x, pool_size=2, strides=None, padding="valid"):
    """y[n,p,q,c] = the largest of x[n, p s - pad + i, q s - pad + j, c] for i, j below pool_size, in the image

    strides are pool_size by default. padding is "valid", "same" (ceil(size / stride) windows), a number, or
    ((top, bottom), (left, right)), less than pool_size. A NaN is the largest. The gradient goes to the first largest.
    """
    return _pool2d(np.max, x, pool_size, strides, padding)


def max_pool1d(x, pool_size=2, strides=None, padding="valid"):
    """max_pool2d along the time of x (N,T,C); padding may be (before, after)"""
    return _pool1d(np.max, x, pool_size, strides, padding)


def avg_pool2d(x, pool_size=2, strides=None, padding="valid"):
    """The mean over each window of max_pool2d: padding does not count."""
    return _pool2d(np.mean, x, pool_size, strides, padding)


def avg_pool1d(x, pool_size=2, strides=None, padding="valid"):
    """avg_pool2d along the time of x (N,T,C); padding may be (before, after)"""
    return _pool1d(np.mean, x, pool_size, strides, padding)


def _pool_to(reduce, x, output_size):
    x = real(x)
    return _over(reduce, x, *(_adaptive(x.shape[1 + i], n) for i, n in enumerate(_pair(output_size))))


def adaptive_max_pool2d(x, output_size):
    """The largest over window (p, q): rows floor(p H / OH) up to ceil((p + 1) H / OH), columns alike."""
    return _pool_to(np.max, x, output_size)


def adaptive_avg_pool2d(x, output_size):
    """The mean over the windows of adaptive_max_pool2d."""
    return _pool_to(np.mean, x, output_size)


def global_max_pool2d(x, keepdims=False):
    """x (N,H,W,C) -> y (N,C): the largest over H and W; the gradient goes to the first"""
    return np.max(real(x), axis=(1, 2), keepdims=keepdims)


def global_max_pool1d(x, keepdims=False):
    """x (N,T,C) -> y (N,C): the largest over T; the gradient goes to the first"""
    return np.max(real(x), axis=1, keepdims=keepdims)


def global_avg_pool2d(x, keepdims=False):
    """x (N,H,W,C) -> y (N,C): the mean over H and W"""
    return np.mean(real(x), axis=(1, 2), keepdims=keepdims)


def global_avg_pool1d(x, keepdims=False):
    """x (N,T,C) -> y (N,C): the mean over T"""
    return np.mean(real(x), axis=1, keepdims=keepdims)
