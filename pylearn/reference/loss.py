"""Softmax and the losses from logits, with their gradients."""

import numpy as np

from .activations import softplus
from .elementwise import quiet, real

__all__ = [
    "softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "softmax_cross_entropy",
    "softmax_cross_entropy_backward", "binary_cross_entropy", "squared_error", "absolute_error",
    "huber", "pointwise_loss", "pointwise_loss_backward",
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


def _cut(x, c, high=1.0):
    return np.clip(x, c, high)


def _inside(x, c, high=1.0):
    return (x >= c) & (x <= high)


# Of prediction x, target t and parameter c: the loss, its derivative with respect to x, and with respect to t.
_POINTWISE = {
    "squared_error": (
        lambda x, t, c: (x - t) ** 2, lambda x, t, c: 2 * (x - t), lambda x, t, c: 2 * (t - x),
    ),
    "absolute_error": (
        lambda x, t, c: np.abs(x - t), lambda x, t, c: np.sign(x - t), lambda x, t, c: np.sign(t - x),
    ),
    "huber": (
        lambda x, t, c: huber(x, t, c), lambda x, t, c: np.clip(x - t, -c, c), lambda x, t, c: np.clip(t - x, -c, c),
    ),
    "log_cosh": (
        lambda x, t, c: np.abs(x - t) + np.log1p(0.5 * np.expm1(-2 * np.abs(x - t))),
        lambda x, t, c: np.tanh(x - t),
        lambda x, t, c: np.tanh(t - x),
    ),
    "squared_logarithmic_error": (
        lambda x, t, c: (np.log1p(np.maximum(x, c)) - np.log1p(np.maximum(t, c))) ** 2,
        lambda x, t, c: 2 * (x >= c) * (np.log1p(np.maximum(x, c)) - np.log1p(np.maximum(t, c))) / (1 + x),
        lambda x, t, c: 2 * (t >= c) * (np.log1p(np.maximum(t, c)) - np.log1p(np.maximum(x, c))) / (1 + t),
    ),
    "absolute_percentage_error": (
        lambda x, t, c: 100 * np.abs(x - t) / np.maximum(np.abs(t), c),
        lambda x, t, c: 100 * np.sign(x - t) / np.maximum(np.abs(t), c),
        lambda x, t, c: 100 * (np.sign(t - x) - (np.abs(t) > c) * np.abs(x - t) / t) / np.maximum(np.abs(t), c),
    ),
    "poisson": (
        lambda x, t, c: x - t * np.log(x + c), lambda x, t, c: 1 - t / (x + c), lambda x, t, c: -np.log(x + c),
    ),
    "hinge": (
        lambda x, t, c: np.maximum(1 - t * x, 0), lambda x, t, c: -t * (t * x < 1), lambda x, t, c: -x * (t * x < 1),
    ),
    "squared_hinge": (
        lambda x, t, c: np.maximum(1 - t * x, 0) ** 2,
        lambda x, t, c: -2 * t * np.maximum(1 - t * x, 0),
        lambda x, t, c: -2 * x * np.maximum(1 - t * x, 0),
    ),
    "kl_divergence": (
        lambda x, t, c: _cut(t, c) * np.log(_cut(t, c) / _cut(x, c)),
        lambda x, t, c: -1.0 * _inside(x, c) * _cut(t, c) / _cut(x, c),
        lambda x, t, c: _inside(t, c) * (np.log(_cut(t, c) / _cut(x, c)) + 1),
    ),
    "binary_cross_entropy": (
        lambda x, t, c: -t * np.log(_cut(x, c, 1 - c)) - (1 - t) * np.log(1 - _cut(x, c, 1 - c)),
        lambda x, t, c: _inside(x, c, 1 - c) * (x - t) / _cut(x * (1 - x), c * (1 - c), 1),
        lambda x, t, c: np.log(1 - _cut(x, c, 1 - c)) - np.log(_cut(x, c, 1 - c)),
    ),
    "binary_cross_entropy_with_logits": (
        lambda x, t, c: binary_cross_entropy(x, t), lambda x, t, c: 1 / (1 + np.exp(-x)) - t, lambda x, t, c: -x,
    ),
}  # fmt: skip


@quiet
def pointwise_loss(prediction, target, loss, parameter=0.0, reduction="none"):
    """The loss of each element, or its mean or sum over the last axis."""
    y = _POINTWISE[loss][0](real(prediction), real(target), parameter)
    return y if reduction == "none" else y.sum(-1) if reduction == "sum" else y.mean(-1)


@quiet
def pointwise_loss_backward(dy, prediction, target, loss, parameter=0.0, reduction="none", of_target=False):
    """dy times the derivative of pointwise_loss with respect to the prediction, or to the target"""
    x, t, dy = real(prediction), real(target), real(dy)
    slope = _POINTWISE[loss][2 if of_target else 1](x, t, parameter)
    if reduction == "none":
        return dy * slope
    return dy[..., None] * slope / (x.shape[-1] if reduction == "mean" else 1)
