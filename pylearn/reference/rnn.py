"""Recurrences over whole sequences, and their single steps.

x (B,T,F), w (F,GH), u (H,GH), b (GH,), h and c (B,H), y (B,T,H); the columns of w, u and b hold the gates side by side.
mask (B,T): where it is false, a row keeps its state, which is its output too. reverse: from the last step to the first;
outputs stay at the time of their input, and the final state is the one after step 0.
"""

from collections.abc import Callable

import numpy as np

from .activations import elu, hard_sigmoid, relu, selu, sigmoid, softplus, softsign
from .elementwise import exp, real, tanh

__all__ = [
    "simple_rnn", "simple_rnn_backward", "simple_rnn_cell", "lstm", "lstm_backward", "lstm_cell",
    "lstm_cell_backward", "gru", "gru_backward", "gru_cell",
]  # fmt: skip

Step = Callable[..., tuple[np.ndarray, ...]]

# name: function, and its slope where its value is y
ACTIVATIONS: dict[str | None, tuple[Callable, Callable]] = {
    None: (real, np.ones_like),
    "linear": (real, np.ones_like),
    "relu": (relu, lambda y: (y > 0).astype(float)),
    "sigmoid": (sigmoid, lambda y: y * (1 - y)),
    "tanh": (tanh, lambda y: 1 - y * y),
    "hard_sigmoid": (hard_sigmoid, lambda y: ((y > 0) & (y < 1)) / 6),
    "softsign": (softsign, lambda y: (1 - np.abs(y)) ** 2),
    "softplus": (softplus, lambda y: -np.expm1(-y)),
    "elu": (elu, lambda y: np.where(y < 0, y + 1, 1)),
    "selu": (
        selu,
        lambda y: np.where(y < 0, y + 1.0507009873554805 * 1.6732632423543772, 1.0507009873554805),
    ),
    "exponential": (exp, lambda y: y),
}


def _bias(b):
    return 0 if b is None else real(b)


def _over_time(step: Step, x, states, mask, reverse):
    """step(x_t, *states) -> states, over the sequence: y, *final states."""
    x = real(x)
    batch, steps, _ = x.shape
    live = np.ones((batch, steps), bool) if mask is None else np.asarray(mask)
    y = np.empty((batch, steps, states[0].shape[1]))
    for t in range(steps)[:: -1 if reverse else 1]:
        new = step(x[:, t], *states)
        states = tuple(np.where(live[:, t, None], n, s) for n, s in zip(new, states))
        y[:, t] = states[0]
    return y, *states


def _initial(state, x, u):
    return np.zeros((np.shape(x)[0], np.shape(u)[0])) if state is None else real(state)


def _backward_over_time(step, step_backward, grads, x, w, u, bias_shape, states, mask, reverse):
    """step_backward(d states, x_t, *states) -> dx_t, dw, du, db, *d states, from the last step to the first."""
    x = real(x)
    batch, steps, _ = x.shape
    live = np.ones((batch, steps), bool) if mask is None else np.asarray(mask)
    order = range(steps)[:: -1 if reverse else 1]
    before = {}
    for t in order:
        before[t] = states
        new = step(x[:, t], *states)
        states = tuple(np.where(live[:, t, None], n, s) for n, s in zip(new, states))
    dy, *ds = grads
    ds = [np.zeros_like(states[0]) if d is None else real(d) for d in ds]
    dx, dw, du, db = np.zeros(x.shape), np.zeros(np.shape(w)), np.zeros(np.shape(u)), np.zeros(bias_shape)
    for t in order[::-1]:
        if dy is not None:
            ds[0] = ds[0] + real(dy)[:, t]
        on = live[:, t, None]
        dx[:, t], dwt, dut, dbt, *old = step_backward([d * on for d in ds], x[:, t], *before[t])
        ds = [np.where(on, o, d) for o, d in zip(old, ds)]
        dw, du, db = dw + dwt, du + dut, db + dbt
    return dx, dw, du, db, *ds


# -- plain recurrence --------------------------------------------------------------------------------------------------


def simple_rnn_cell(x, h, w, u, b=None, activation="tanh"):
    """One step: h' = activation(x w + h u + b)"""
    return ACTIVATIONS[activation][0](real(x) @ real(w) + real(h) @ real(u) + _bias(b))


def simple_rnn(x, w, u, b=None, h=None, activation="tanh", mask=None, reverse=False):
    """simple_rnn_cell over x (B,T,F) -> y (B,T,H), h (B,H); w (F,H), u (H,H), b (H,)"""
    step = lambda xt, ht: (simple_rnn_cell(xt, ht, w, u, b, activation),)
    return _over_time(step, x, (_initial(h, x, u),), mask, reverse)


def simple_rnn_backward(dy, dh, x, w, u, b=None, h=None, activation="tanh", mask=None, reverse=False):
    """dx, dw, du, db, dh of simple_rnn from the gradients of its outputs; None stands for zeros."""
    w, u = real(w), real(u)
    step = lambda xt, ht: (simple_rnn_cell(xt, ht, w, u, b, activation),)

    def back(ds, xt, ht):
        dz = ds[0] * ACTIVATIONS[activation][1](step(xt, ht)[0])
        return dz @ w.T, xt.T @ dz, ht.T @ dz, dz.sum(axis=0), dz @ u.T

    states = (_initial(h, x, u),)
    return _backward_over_time(step, back, (dy, dh), x, w, u, u.shape[1:], states, mask, reverse)


# -- LSTM --------------------------------------------------------------------------------------------------------------


def _lstm_gates(x, h, w, u, b, activation, recurrent_activation):
    z = real(x) @ real(w) + real(h) @ real(u) + _bias(b)
    act, gate = ACTIVATIONS[activation][0], ACTIVATIONS[recurrent_activation][0]
    zi, zf, zg, zo = np.split(z, 4, axis=-1)
    return gate(zi), gate(zf), act(zg), gate(zo)


def lstm_cell(x, h, c, w, u, b=None, activation="tanh", recurrent_activation="sigmoid"):
    """One step of an LSTM (Hochreiter & Schmidhuber 1997), gates in Keras' order i, f, g, o.

    x (B,D), h and c (B,H), w (D,4H), u (H,4H), b (4H,) -> h', c' (B,H)
    i, f, o = recurrent_activation(z), g = activation(z), z = x w + h u + b;   c' = f c + i g;   h' = o activation(c')
    """
    i, f, g, o = _lstm_gates(x, h, w, u, b, activation, recurrent_activation)
    c_out = f * real(c) + i * g
    return o * ACTIVATIONS[activation][0](c_out), c_out


def lstm_cell_backward(dh, dc, x, h, c, w, u, b=None, activation="tanh", recurrent_activation="sigmoid"):
    """Gradients of x, h, c, w, u, b from those of h' and c'."""
    i, f, g, o = _lstm_gates(x, h, w, u, b, activation, recurrent_activation)
    act, slope = ACTIVATIONS[activation]
    gate_slope = ACTIVATIONS[recurrent_activation][1]
    x, h, c, w, u = (real(v) for v in (x, h, c, w, u))
    dh, y = real(dh), act(f * c + i * g)
    dc = real(dc) + dh * o * slope(y)
    dz = np.concatenate(
        [dc * g * gate_slope(i), dc * c * gate_slope(f), dc * i * slope(g), dh * y * gate_slope(o)], axis=-1
    )
    return dz @ w.T, dz @ u.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(axis=0)


def lstm(
    x, w, u, b=None, h=None, c=None,
    activation="tanh", recurrent_activation="sigmoid", mask=None, reverse=False,
):  # fmt: skip
    """lstm_cell over x (B,T,F) -> y (B,T,H), h and c (B,H); w (F,4H), u (H,4H), b (4H,)"""
    step = lambda xt, ht, ct: lstm_cell(xt, ht, ct, w, u, b, activation, recurrent_activation)
    return _over_time(step, x, (_initial(h, x, u), _initial(c, x, u)), mask, reverse)


def lstm_backward(
    dy, dh, dc, x, w, u, b=None, h=None, c=None,
    activation="tanh", recurrent_activation="sigmoid", mask=None, reverse=False,
):  # fmt: skip
    """dx, dw, du, db, dh, dc of lstm from the gradients of its outputs; None stands for zeros."""
    names = (activation, recurrent_activation)
    step = lambda xt, ht, ct: lstm_cell(xt, ht, ct, w, u, b, *names)

    def back(ds, xt, ht, ct):
        dx, dh0, dc0, dw, du, db = lstm_cell_backward(*ds, xt, ht, ct, w, u, b, *names)
        return dx, dw, du, db, dh0, dc0

    states = (_initial(h, x, u), _initial(c, x, u))
    return _backward_over_time(step, back, (dy, dh, dc), x, w, u, np.shape(u)[1:], states, mask, reverse)


# -- GRU ---------------------------------------------------------------------------------------------------------------


def _gru_gates(x, h, w, u, b, activation, recurrent_activation, reset_after):
    """z, r, the candidate, and what the reset gate multiplies: the candidate's product with h, or h itself."""
    act, gate = ACTIVATIONS[activation][0], ACTIVATIONS[recurrent_activation][0]
    h, u = real(h), real(u)
    n = u.shape[0]
    if reset_after:
        kernel_bias, bias = (0, 0) if b is None else real(b)
        xz, xr, xn = np.split(real(x) @ real(w) + kernel_bias, 3, axis=-1)
        hz, hr, inner = np.split(h @ u + bias, 3, axis=-1)
        z, r = gate(xz + hz), gate(xr + hr)
        return z, r, act(xn + r * inner), inner
    xz, xr, xn = np.split(real(x) @ real(w) + _bias(b), 3, axis=-1)
    z, r = gate(xz + h @ u[:, :n]), gate(xr + h @ u[:, n : 2 * n])
    return z, r, act(xn + (r * h) @ u[:, 2 * n :]), h


def gru_cell(
    x, h, w, u, b=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):  # fmt: skip
    """One step of a GRU (Cho et al. 2014), gates in Keras' order z, r, n.

    x (B,D), h (B,H), w (D,3H), u (H,3H) -> h' (B,H);   h' = z h + (1 - z) n;   z, r = recurrent_activation(.)
    reset_after: n = activation(x w_n + b_n + r (h u_n + e_n)), b (2,3H) holding b and e (cuDNN, torch);
    else:        n = activation(x w_n + (r h) u_n + b_n), b (3H,)
    """
    z, _, n, _ = _gru_gates(x, h, w, u, b, activation, recurrent_activation, reset_after)
    return z * real(h) + (1 - z) * n


def gru(
    x, w, u, b=None, h=None,
    activation="tanh", recurrent_activation="sigmoid", reset_after=True, mask=None, reverse=False,
):  # fmt: skip
    """gru_cell over x (B,T,F) -> y (B,T,H), h (B,H); w (F,3H), u (H,3H), b (2,3H), or (3H,) without reset_after"""
    step = lambda xt, ht: (gru_cell(xt, ht, w, u, b, activation, recurrent_activation, reset_after),)
    return _over_time(step, x, (_initial(h, x, u),), mask, reverse)


def gru_backward(
    dy, dh, x, w, u, b=None, h=None,
    activation="tanh", recurrent_activation="sigmoid", reset_after=True, mask=None, reverse=False,
):  # fmt: skip
    """dx, dw, du, db, dh of gru from the gradients of its outputs; None stands for zeros."""
    w, u = real(w), real(u)
    n = u.shape[0]
    names = (activation, recurrent_activation, reset_after)
    slope, gate_slope = ACTIVATIONS[activation][1], ACTIVATIONS[recurrent_activation][1]
    step = lambda xt, ht: (gru_cell(xt, ht, w, u, b, *names),)

    def back(ds, xt, ht):
        (d,) = ds
        z, r, y, inner = _gru_gates(xt, ht, w, u, b, *names)
        dz, dn = d * (ht - y) * gate_slope(z), d * (1 - z) * slope(y)
        reset = dn if reset_after else dn @ u[:, 2 * n :].T  # the gradient of r inner
        dr = reset * inner * gate_slope(r)
        dx = np.concatenate([dz, dr, dn], axis=-1)
        if reset_after:
            dk = np.concatenate([dz, dr, dn * r], axis=-1)
            return dx @ w.T, xt.T @ dx, ht.T @ dk, np.stack([dx.sum(0), dk.sum(0)]), d * z + dk @ u.T
        dk = dx[:, : 2 * n]
        du = np.concatenate([ht.T @ dk, (r * ht).T @ dn], axis=-1)
        return dx @ w.T, xt.T @ dx, du, dx.sum(0), d * z + dk @ u[:, : 2 * n].T + reset * r

    bias = (2, 3 * n) if reset_after else (3 * n,)
    states = (_initial(h, x, u),)
    return _backward_over_time(step, back, (dy, dh), x, w, u, bias, states, mask, reverse)
