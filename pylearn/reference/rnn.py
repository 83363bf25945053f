"""Recurrent cells."""

from collections.abc import Callable

import numpy as np

from .activations import sigmoid
from .elementwise import real, tanh

__all__ = ["lstm_cell", "lstm_cell_backward"]


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
