"""Matrix products."""

import math
from collections.abc import Callable

import numpy as np

from .activations import elu, gelu, leaky_relu, relu, selu, sigmoid, silu, softplus
from .elementwise import erfc, numeric, quiet, real, tanh
from .shape import sum_to

__all__ = ["matmul", "matmul_backward", "matmul_bf16", "gram", "round_bf16", "linear", "linear_backward"]

# Each activation of the dense layer.
ACTIVATIONS = {
    None: lambda z: z,
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "softplus": softplus,
    "gelu": gelu,
    "gelu_tanh": lambda z: gelu(z, approximate=True),
    "silu": silu,
}


def _gelu_tanh_slope(z):
    c, a = math.sqrt(2 / math.pi), 0.044715
    t = tanh(c * (z + a * z**3))
    return (1 + t) / 2 + z * (1 - t**2) * c * (1 + 3 * a * z**2) / 2


# Their slopes: functions of the output, but of the input for gelu, gelu_tanh and silu.
SLOPES: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: np.ones_like,
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y**2,
    "leaky_relu": lambda y: np.where(y > 0, 1.0, 0.2),
    "elu": lambda y: np.where(y > 0, 1.0, y + 1),
    "selu": lambda y: np.where(y > 0, 1.0507009873554805, y + 1.0507009873554805 * 1.6732632423543772),
    "softplus": lambda y: -np.expm1(-y),
    "gelu": lambda z: erfc(-z / math.sqrt(2)) / 2 + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    "gelu_tanh": _gelu_tanh_slope,
    "silu": lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
}


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


def round_bf16(x):
    """x rounded to the 8 bits of bfloat16's significand, ties to even; infinities and NaN as they are"""
    x = np.asarray(x, np.float32)
    bits = x.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.where(np.isfinite(x), rounded.astype(np.uint32).view(np.float32), x).astype(np.float64)


@quiet
def matmul_bf16(x1, x2):
    """The matrix product of x1 and x2, both rounded to bfloat16"""
    return np.matmul(round_bf16(x1), round_bf16(x2))


@quiet
def gram(x):
    """x' x over the last two axes: (..., N, K) -> (..., K, K)"""
    x = real(x)
    return np.matmul(np.swapaxes(x, -1, -2), x)


def linear(x, w, b=None, activation=None, residual=None):
    """activation(x w + b + residual): x (..., in), w (in, out), b (out,), residual (..., out)"""
    z = real(x) @ real(w)
    z = z if b is None else z + real(b)
    z = z if residual is None else z + real(residual)
    return ACTIVATIONS[activation](z)


def linear_backward(dy, x, w, y, activation=None):
    """dz = dy act'(y), dx = dz w', dw = x' dz, db = dz summed over the rows; returns dx, dw, db, dz

    y is linear's output, but what the activation was applied to for gelu, gelu_tanh and silu.
    """
    dy, x, w, y = real(dy), real(x), real(w), real(y)
    dz = dy * SLOPES[activation](y)
    rows = dz.reshape(-1, w.shape[1]) if w.shape[1] else dz.reshape(int(np.prod(dz.shape[:-1])), 0)
    return dz @ w.T, x.reshape(len(rows), w.shape[0]).T @ rows, rows.sum(0), dz
