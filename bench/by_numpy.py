"""The kernels as one writes them in NumPy, vectorised: plain functions, also for the child process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def matmul(a: Array, b: Array) -> Array:
    return a @ b


def linear_relu(x: Array, w: Array, b: Array) -> Array:
    return np.maximum(x @ w + b, 0)


def _columns(x: Array, kernel: int, pad: int) -> Array:
    """im2col: (N, OH, OW, kernel · kernel · C)."""
    if pad:
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))  # N OH OW C KH KW
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)


def conv2d(x: Array, w: Array, b: Array, pad: int) -> Array:
    return _columns(x, len(w), pad) @ w.reshape(-1, w.shape[3]) + b


def conv2d_both(dy: Array, x: Array, w: Array, b: Array, pad: int) -> tuple[Array, ...]:
    """y, dx, dw, db."""
    kernel, (n, height, width, filters), channels = len(w), dy.shape, x.shape[3]
    rows = _columns(x, kernel, pad).reshape(n * height * width, -1)
    matrix, flat = w.reshape(-1, filters), dy.reshape(-1, filters)
    y = (rows @ matrix + b).reshape(dy.shape)
    dw = (rows.T @ flat).reshape(w.shape)
    taps = (flat @ matrix.T).reshape(n, height, width, kernel, kernel, channels)
    dx = np.zeros((n, x.shape[1] + 2 * pad, x.shape[2] + 2 * pad, channels), x.dtype)
    for i in range(kernel):
        for j in range(kernel):
            dx[:, i : i + height, j : j + width] += taps[:, :, :, i, j]
    return y, dx[:, pad : pad + x.shape[1], pad : pad + x.shape[2]], dw, flat.sum(0)


def lstm_cell(x: Array, h: Array, c: Array, w: Array, u: Array, b: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def lstm(x: Array, w: Array, u: Array, b: Array, activation: Callable[[Array], Array] = np.tanh) -> Array:
    """y (B, T, H): the products with x of all steps at once, one cell a step."""
    batch, steps, units = len(x), x.shape[1], len(u)
    z = x @ w + b
    y = np.empty((batch, steps, units), x.dtype)
    h, c = np.zeros((2, batch, units), x.dtype)
    for t in range(steps):
        i, f, g, o = np.split(z[:, t] + h @ u, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * activation(g)
        y[:, t] = h = sigmoid(o) * activation(c)
    return y


def lstm_both(dy: Array, x: Array, w: Array, u: Array, b: Array) -> tuple[Array, ...]:
    """y, dx, dw, du, db."""
    batch, steps, units = len(x), x.shape[1], len(u)
    z = x @ w + b
    y, cells = (
        np.zeros((batch, steps + 1, units), x.dtype) for _ in range(2)
    )  # the first is the state before
    gates = np.empty((batch, steps, 4, units), x.dtype)
    for t in range(steps):
        a = (z[:, t] + y[:, t] @ u).reshape(batch, 4, units)
        gates[:, t] = sigmoid(a)
        gates[:, t, 2] = np.tanh(a[:, 2])
        i, f, g, o = gates[:, t].transpose(1, 0, 2)
        cells[:, t + 1] = f * cells[:, t] + i * g
        y[:, t + 1] = o * np.tanh(cells[:, t + 1])
    dz = np.empty((batch, steps, 4, units), x.dtype)
    dh, dc = np.zeros((2, batch, units), x.dtype)
    for t in reversed(range(steps)):
        i, f, g, o = gates[:, t].transpose(1, 0, 2)
        squashed = np.tanh(cells[:, t + 1])
        dh = dh + dy[:, t]
        dc = dc + dh * o * (1 - squashed**2)
        dz[:, t, 0] = dc * g * i * (1 - i)
        dz[:, t, 1] = dc * cells[:, t] * f * (1 - f)
        dz[:, t, 2] = dc * i * (1 - g**2)
        dz[:, t, 3] = dh * squashed * o * (1 - o)
        dc = dc * f
        dh = dz[:, t].reshape(batch, -1) @ u.T
    flat = dz.reshape(batch * steps, -1)
    before = y[:, :-1].reshape(batch * steps, units)
    dx = (flat @ w.T).reshape(x.shape)
    return y[:, 1:], dx, x.reshape(batch * steps, -1).T @ flat, before.T @ flat, flat.sum(0)


def attention(q: Array, k: Array, v: Array, causal: bool) -> Array:
    """(B, T, H, D), the scores in memory."""
    q, k, v = (a.transpose(0, 2, 1, 3) for a in (q, k, v))
    return (_weights(q, k, causal) @ v).transpose(0, 2, 1, 3)


def _weights(q: Array, k: Array, causal: bool) -> Array:
    """(B, H, T, T), of (B, H, T, D)."""
    scores = q @ k.transpose(0, 1, 3, 2) * q.dtype.type(q.shape[3] ** -0.5)
    if causal:
        scores[..., ~np.tri(q.shape[2], dtype=bool)] = -np.inf
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return scores


def attention_both(dy: Array, q: Array, k: Array, v: Array, causal: bool) -> tuple[Array, ...]:
    """y, dq, dk, dv."""
    dy, q, k, v = (a.transpose(0, 2, 1, 3) for a in (dy, q, k, v))
    p = _weights(q, k, causal)
    dp = dy @ v.transpose(0, 1, 3, 2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * q.dtype.type(q.shape[3] ** -0.5)
    found = (p @ v, ds @ k, ds.transpose(0, 1, 3, 2) @ q, p.transpose(0, 1, 3, 2) @ dy)
    return tuple(a.transpose(0, 2, 1, 3) for a in found)


def layer_norm_both(dy: Array, x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, ...]:
    """y, dx, dgamma, dbeta over the last axis."""
    scale = 1 / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(epsilon))
    n = (x - x.mean(-1, keepdims=True)) * scale
    d = dy * gamma
    dx = (d - d.mean(-1, keepdims=True) - n * (d * n).mean(-1, keepdims=True)) * scale
    return n * gamma + beta, dx, (dy * n).sum(0), dy.sum(0)


def batch_norm_both(dy: Array, x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, ...]:
    """y, dx, dgamma, dbeta over all axes but the last, with the batch's statistics."""
    shape = x.shape
    x, dy = x.reshape(-1, shape[-1]), dy.reshape(-1, shape[-1])
    scale = 1 / np.sqrt(x.var(0) + x.dtype.type(epsilon))
    n = (x - x.mean(0)) * scale
    dgamma, dbeta = (dy * n).sum(0), dy.sum(0)
    rows = x.dtype.type(len(x))
    dx = (dy - dbeta / rows - n * (dgamma / rows)) * (gamma * scale)
    return (n * gamma + beta).reshape(shape), dx.reshape(shape), dgamma, dbeta


def max_pool_2x2(x: Array) -> Array:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def embedding_both(dy: Array, ids: Array, table: Array) -> tuple[Array, Array]:
    """The rows, and their gradients added up in the table's."""
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids.ravel(), dy.reshape(-1, dy.shape[-1]))
    return table[ids], dtable


def cross_entropy_both(x: Array, y: Array) -> tuple[Array, Array]:
    """Losses per row, and the gradient of their mean."""
    z = x - x.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    row = np.arange(len(y))
    losses = np.log(total[:, 0]) - z[row, y]
    e /= total * x.dtype.type(len(y))
    e[row, y] -= x.dtype.type(1 / len(y))
    return losses, e


def adam(p: Array, g: Array, m: Array, v: Array, a: Array, b: Array, t: int) -> None:
    """In place, with two scratch arrays and without a temporary."""
    m *= np.float32(0.9)
    np.multiply(g, np.float32(0.1), out=a)
    m += a
    v *= np.float32(0.999)
    np.multiply(g, g, out=a)
    a *= np.float32(0.001)
    v += a
    np.sqrt(v, out=a)
    a += np.float32(1e-7)
    np.divide(m, a, out=b)
    b *= np.float32(1e-3 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t))
    p -= b


def sgd(p: Array, g: Array, a: Array) -> None:
    np.multiply(g, np.float32(0.01), out=a)
    np.subtract(p, a, out=p)


def as_arrays(found: Any) -> list[Array]:
    return [np.asarray(a) for a in (found if isinstance(found, tuple | list) else (found,))]
