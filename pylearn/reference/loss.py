"""Softmax and the losses from logits, with their gradients."""

import numpy as np

from .activations import softplus
from .elementwise import quiet, real

__all__ = [
    "softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "softmax_cross_entropy",
    "softmax_cross_entropy_backward", "binary_cross_entropy", "squared_error", "absolute_error",
    "huber",
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
