"""Normalisation, channels last."""

import numpy as np

from .activations import sigmoid
from .elementwise import quiet, real, tanh

__all__ = [
    "batch_norm", "batch_norm_inference", "batch_norm_backward", "layer_norm", "layer_norm_backward", "rms_norm",
    "rms_norm_backward", "group_norm", "group_norm_backward",
]  # fmt: skip


def _or(parameter, default):
    return default if parameter is None else real(parameter)


def _act(z, activation):
    return {"relu": lambda z: np.maximum(z, 0), "sigmoid": sigmoid, "tanh": tanh}.get(activation, real)(z)


def _through(dy, z, activation):
    """dy times the activation's slope at z."""
    y = _act(z, activation)
    return real(dy) * {"relu": z > 0, "sigmoid": y * (1 - y), "tanh": 1 - y * y}.get(activation, 1.0)


@quiet
def _statistics(x, axes):
    count = np.prod([x.shape[a] for a in axes])
    mean = np.divide(np.sum(x, axis=axes, keepdims=True), count)
    return mean, np.divide(np.sum(np.square(x - mean), axis=axes, keepdims=True), count)


def _gradients(dy, x, axes, gamma, beta, mean, var, epsilon, activation, parameters=None, frozen=False):
    """dx, dgamma, dbeta; `parameters`: the axes over which gamma and beta are repeated."""
    rstd = (var + epsilon) ** -0.5
    t = (x - mean) * rstd
    g = _through(dy, _or(gamma, 1) * t + _or(beta, 0), activation)
    h = g * _or(gamma, 1)
    if not frozen and x.size:
        h = h - np.mean(h, axis=axes, keepdims=True) - t * np.mean(h * t, axis=axes, keepdims=True)
    return rstd * h, np.sum(g * t, axis=parameters), np.sum(g, axis=parameters)


@quiet
def batch_norm(x, gamma=None, beta=None, epsilon=1e-3, activation=None):
    """Each channel over all axes but the last (Ioffe & Szegedy 2015), and the biased statistics themselves.

    x (batch, ..., C), gamma and beta (C,) -> y, mean (C,), var (C,)
    y = activation(gamma (x - mean) / sqrt(var + epsilon) + beta)
    """
    x = real(x)
    mean, var = (s.reshape(-1) for s in _statistics(x, tuple(range(x.ndim - 1))))
    return batch_norm_inference(x, gamma, beta, mean, var, epsilon, activation), mean, var


@quiet
def batch_norm_inference(x, gamma, beta, mean, var, epsilon=1e-3, activation=None):
    """activation(gamma (x - mean) / sqrt(var + epsilon) + beta) with statistics (C,) that are given"""
    z = (real(x) - real(mean)) / np.sqrt(real(var) + epsilon)
    return _act(z * _or(gamma, 1) + _or(beta, 0), activation)


@quiet
def batch_norm_backward(dy, x, gamma, beta, mean, var, epsilon=1e-3, activation=None, training=True):
    """dx, dgamma, dbeta of batch_norm (through y alone); training=False: of batch_norm_inference"""
    x, axes = real(x), tuple(range(np.ndim(x) - 1))
    return _gradients(
        dy, x, axes, gamma, beta, real(mean), real(var), epsilon, activation, axes, frozen=not training
    )


def _trailing(x, axis):
    return tuple(sorted(a % x.ndim for a in np.atleast_1d(np.asarray(axis, int)).tolist()))


@quiet
def layer_norm(x, gamma=None, beta=None, axis=-1, epsilon=1e-3, activation=None):
    """activation(gamma (x - mean) / sqrt(var + epsilon) + beta) over the last axes (Ba, Kiros & Hinton 2016)

    gamma and beta have the shape of those axes.
    """
    x = real(x)
    mean, var = _statistics(x, _trailing(x, axis))
    return _act((x - mean) / np.sqrt(var + epsilon) * _or(gamma, 1) + _or(beta, 0), activation)


@quiet
def layer_norm_backward(dy, x, gamma=None, beta=None, axis=-1, epsilon=1e-3, activation=None):
    """dx, dgamma, dbeta of layer_norm"""
    x = real(x)
    axes = _trailing(x, axis)
    others = tuple(range(x.ndim - len(axes)))
    mean, var = _statistics(x, axes)
    return _gradients(dy, x, axes, gamma, beta, mean, var, epsilon, activation, others)


@quiet
def rms_norm(x, gamma=None, axis=-1, epsilon=1e-6, activation=None):
    """activation(gamma x / sqrt(mean(x^2) + epsilon)) over the last axes (Zhang & Sennrich 2019)"""
    x = real(x)
    square = np.mean(x * x, axis=_trailing(x, axis), keepdims=True)
    return _act(x / np.sqrt(square + epsilon) * _or(gamma, 1), activation)


@quiet
def rms_norm_backward(dy, x, gamma=None, axis=-1, epsilon=1e-6, activation=None):
    """dx, dgamma of rms_norm"""
    x = real(x)
    axes = _trailing(x, axis)
    rstd = (np.mean(x * x, axis=axes, keepdims=True) + epsilon) ** -0.5
    t = x * rstd
    g = _through(dy, t * _or(gamma, 1), activation)
    h = g * _or(gamma, 1)
    dx = rstd * (h - t * np.mean(h * t, axis=axes, keepdims=True))
    return dx, np.sum(g * t, axis=tuple(range(x.ndim - len(axes))))


def _grouped(x, groups):
    return real(x).reshape(x.shape[0], int(np.prod(x.shape[1:-1])), groups, x.shape[-1] // groups)


@quiet
def group_norm(x, groups, gamma=None, beta=None, epsilon=1e-3, activation=None):
    """Each group of C / groups neighbouring channels of each x[i] (Wu & He 2018); groups=C is instance norm.

    x (batch, ..., C), gamma and beta (C,)
    """
    x = real(x)
    g = _grouped(x, groups)
    mean, var = _statistics(g, (1, 3))
    z = ((g - mean) / np.sqrt(var + epsilon)).reshape(x.shape)
    return _act(z * _or(gamma, 1) + _or(beta, 0), activation)


@quiet
def group_norm_backward(dy, x, groups, gamma=None, beta=None, epsilon=1e-3, activation=None):
    """dx, dgamma, dbeta of group_norm"""
    x = real(x)
    g = _grouped(x, groups)
    gamma, beta = (None if p is None else real(p).reshape(g.shape[2:]) for p in (gamma, beta))
    mean, var = _statistics(g, (1, 3))
    dx, dgamma, dbeta = _gradients(
        real(dy).reshape(g.shape), g, (1, 3), gamma, beta, mean, var, epsilon, activation, (0, 1)
    )
    return dx.reshape(x.shape), dgamma.reshape(-1), dbeta.reshape(-1)
