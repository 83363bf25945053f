"""Matrix products."""

import numpy as np

from .activations import relu, sigmoid
from .elementwise import numeric, quiet, real, tanh
from .shape import sum_to

__all__ = ["matmul", "matmul_backward", "linear"]


@quiet
def matmul(x1, x2):
    """(..., M, K) @ (..., K, N) -> (..., M, N) with NumPy's rules for vectors and for leading axes"""
    return np.matmul(numeric(x1), numeric(x2))


def matmul_backward(dy, x1, x2):
    """dx1 = dy x2', dx2 = x1' dy, summed over broadcast axes"""
    dy, x1, x2 = real(dy), real(x1), real(x2)
    a, b = np.atleast_2d(x1), x2[:, None] if x2.ndim == 1 else x2
    if x1.ndim == 1:
        dy = np.expand_dims(dy, -1 if x2.ndim == 1 else -2)
    if x2.ndim == 1:
        dy = dy[..., None]
    da, db = dy @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ dy
    return sum_to(da, a.shape).reshape(x1.shape), sum_to(db, b.shape).reshape(x2.shape)


def linear(x, w, b=None, activation=None):
    """activation(x w + b): x (..., in), w (in, out), b (out,); activation None, relu, sigmoid or tanh"""
    y = real(x) @ real(w)
    y = y if b is None else y + real(b)
    return {None: lambda v: v, "relu": relu, "sigmoid": sigmoid, "tanh": tanh}[activation](y)
