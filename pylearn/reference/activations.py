"""Activations of networks, elementwise."""

import math

import numpy as np

from .elementwise import erfc, numeric, quiet, real

__all__ = [
    "sigmoid", "softplus", "relu", "elu", "selu", "silu", "gelu", "leaky_relu", "hard_sigmoid",
    "softsign",
]  # fmt: skip


@quiet
def sigmoid(x):
    """1 / (1 + e^-x)"""
    x = real(x)
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@quiet
def softplus(x):
    """log(1 + e^x)"""
    return np.logaddexp(0, real(x))


def relu(x):
    """max(x, 0)"""
    return np.maximum(numeric(x), 0)


@quiet
def elu(x, alpha=1.0):
    """x for x > 0, else alpha (e^x - 1)"""
    x = real(x)
    return np.where(x < 0, alpha * np.expm1(x), x)


@quiet
def selu(x):
    """scale elu(x, alpha) with the constants of self-normalising networks (Klambauer et al. 2017)"""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@quiet
def silu(x):
    """x sigmoid(x); 0 at -inf"""
    x = real(x)
    return np.where(np.isneginf(x), 0, x * sigmoid(x))


@quiet
def gelu(x, approximate=False):
    """x Phi(x), Phi the normal distribution function; 0 at -inf

    approximate: x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 (Hendrycks & Gimpel 2016)
    """
    x = real(x)
    if approximate:
        phi = sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    else:
        phi = erfc(-x / math.sqrt(2)) / 2
    return np.where(np.isneginf(x), 0, x * phi)


def leaky_relu(x, negative_slope=0.2):
    """x for x > 0, else negative_slope x"""
    x = real(x)
    return np.where(x < 0, negative_slope * x, x)


def hard_sigmoid(x):
    """clip(x / 6 + 1/2, 0, 1)"""
    return np.clip((real(x) + 3) / 6, 0, 1)


@quiet
def softsign(x):
    """x / (1 + |x|)"""
    x = real(x)
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))
