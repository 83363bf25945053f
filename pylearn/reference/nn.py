"""Softmax, the losses from logits, and the LSTM cell, with their gradients."""

from collections.abc import Callable

import numpy as np

from .activations import sigmoid, softplus
from .elementwise import quiet, real, tanh

__all__ = [
    "softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "softmax_cross_entropy",
    "softmax_cross_entropy_backward", "binary_cross_entropy", "squared_error", "absolute_error",
    "huber", "lstm_cell", "lstm_cell_backward",
]  # fmt: skip


@quiet
def log_softmax(x, axis=-1):
    """x - log(sum(e^x)) along the axis"""
    x = real(x)
    x = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def softmax(x, axis=-1):
    """e^x / sum(e^x) along the axis"""
    return np.exp(log_softmax(x, axis))


def softmax_backward(dy, y, axis=-1):
    """dx = y (dy - sum(dy y))"""
    dy, y = real(dy), real(y)
    return y * (dy - np.sum(dy * y, axis=axis, keepdims=True))


def log_softmax_backward(dy, y, axis=-1):
    """dx = dy - e^y sum(dy)"""
    dy, y = real(dy), real(y)
    return dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)


def _dense(labels, logits):
    """Labels as rows of target probabilities."""
    logits, labels = np.asarray(logits), np.asarray(labels)
    if labels.ndim == logits.ndim:
        return real(labels)
    if labels.size and not (labels.min() >= 0 and labels.max() < logits.shape[-1]):
        raise IndexError("[softmax_cross_entropy] 'labels' out of range")
    return (labels[..., None] == np.arange(logits.shape[-1])).astype(np.float64)


@quiet
def softmax_cross_entropy(logits, labels):
    """-sum_c t_c log softmax(logits)_c for every row; labels are class numbers or rows t of probabilities"""
    t = _dense(labels, logits)
    return -np.sum(np.where(t == 0, 0, t * log_softmax(logits)), axis=-1)


def softmax_cross_entropy_backward(dy, logits, labels):
    """dlogits = dy (softmax(logits) sum_c(t_c) - t)"""
    t = _dense(labels, logits)
    return real(dy)[..., None] * (softmax(logits) * t.sum(axis=-1, keepdims=True) - t)


@quiet
def binary_cross_entropy(logits, targets):
    """-t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)), from the logits z"""
    z, t = real(logits), real(targets)
    return np.maximum(z, 0) - z * t + softplus(-np.abs(z))


@quiet
def squared_error(x1, x2):
    """(x1 - x2)^2"""
    return np.square(real(x1) - real(x2))


def absolute_error(x1, x2):
    """|x1 - x2|"""
    return np.abs(real(x1) - real(x2))


def huber(x1, x2, delta=1.0):
    """d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2), where d = x1 - x2"""
    d = np.abs(real(x1) - real(x2))
    return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))


def _relu(z):
    return np.maximum(z, 0)


def _lstm_gates(x, h, w, u, b, activation):
    z = real(x) @ real(w) + real(h) @ real(u) + (0 if b is None else real(b))
    act = {"tanh": tanh, "sigmoid": sigmoid, "relu": _relu, None: real}[activation]
    zi, zf, zg, zo = np.split(z, 4, axis=-1)
    return sigmoid(zi), sigmoid(zf), act(zg), sigmoid(zo), act


def lstm_cell(x, h, c, w, u, b=None, activation="tanh"):
    """One step of an LSTM (Hochreiter & Schmidhuber 1997), gates in Keras' order i, f, g, o.

    x (B,D), h and c (B,H), w (D,4H), u (H,4H), b (4H,) -> h', c' (B,H)
    i, f, o = sigmoid(z), g = activation(z), z = x w + h u + b;   c' = f c + i g;   h' = o activation(c')
    """
    i, f, g, o, act = _lstm_gates(x, h, w, u, b, activation)
    c_out = f * real(c) + i * g
    return o * act(c_out), c_out


def lstm_cell_backward(dh, dc, x, h, c, w, u, b=None, activation="tanh"):
    """Gradients of x, h, c, w, u, b from those of h' and c'."""
    i, f, g, o, act = _lstm_gates(x, h, w, u, b, activation)
    slopes: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {  # of the activation, from its output
        "tanh": lambda y: 1 - y * y,
        "sigmoid": lambda y: y * (1 - y),
        "relu": lambda y: (y > 0).astype(float),
        None: np.ones_like,
    }
    slope = slopes[activation]
    x, h, c, w, u = (real(v) for v in (x, h, c, w, u))
    dh, y = real(dh), act(f * c + i * g)
    dc = real(dc) + dh * o * slope(y)
    dz = np.concatenate(
        [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * slope(g), dh * y * o * (1 - o)], axis=-1
    )
    return dz @ w.T, dz @ u.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(axis=0)
