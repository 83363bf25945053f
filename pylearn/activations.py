"""Activation functions, by Keras' names. Each takes an array or Tensor and returns the same kind and shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylearn import ops, registry

Activation = Callable[[Any], Any]


def linear(x: Any) -> Any:
    """x"""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0); in general x from ``threshold`` to ``max_value``, which it is above, and negative_slope ·
    (x - threshold) below."""
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return ops.relu(x)
    above = ops.where(
        ops.greater_equal(x, threshold), x, ops.multiply(ops.subtract(x, threshold), negative_slope)
    )
    return above if max_value is None else ops.minimum(above, max_value)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)"""
    return ops.clip(x, 0.0, 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where x > 0, else negative_slope · x"""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)); a cross-entropy after it starts from x."""
    return ops.sigmoid(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along ``axis``; a cross-entropy after it starts from x."""
    return ops.softmax(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x - log(sum(exp(x))) along ``axis``"""
    return ops.log_softmax(x, axis=axis)


def tanh(x: Any) -> Any:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))"""
    return ops.tanh(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))"""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)"""
    return ops.softsign(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha · (exp(x) - 1) (Clevert et al. 2015)"""
    return ops.elu(x, alpha=alpha)


def selu(x: Any) -> Any:
    """Self-normalising elu (Klambauer et al. 2017)"""
    return ops.selu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x · Φ(x), or its tanh approximation (Hendrycks and Gimpel 2016)"""
    return ops.gelu(x, approximate=approximate)


def silu(x: Any) -> Any:
    """x · sigmoid(x), also called swish"""
    return ops.silu(x)


def hard_sigmoid(x: Any) -> Any:
    """clip(x / 6 + 1/2, 0, 1)"""
    return ops.hard_sigmoid(x)


def hard_silu(x: Any) -> Any:
    """x · hard_sigmoid(x)"""
    return x * ops.hard_sigmoid(x)


def exponential(x: Any) -> Any:
    """exp(x)"""
    return ops.exp(x)


def mish(x: Any) -> Any:
    """x · tanh(softplus(x)) (Misra 2019)"""
    return x * ops.tanh(ops.softplus(x))


swish, hard_swish = silu, hard_silu

ALL: dict[str, Activation] = {
    "linear": linear, "relu": relu, "relu6": relu6, "leaky_relu": leaky_relu, "sigmoid": sigmoid,
    "softmax": softmax, "log_softmax": log_softmax, "tanh": tanh, "softplus": softplus, "softsign": softsign,
    "elu": elu, "selu": selu, "gelu": gelu, "silu": silu, "swish": silu, "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu, "hard_swish": hard_silu, "exponential": exponential, "mish": mish,
}  # fmt: skip

# Names under which a matrix product applies an activation itself; of these, a convolution too. Not sigmoid: a
# cross-entropy after it starts from what the sigmoid was given.
FUSED: dict[Activation, str] = {
    relu: "relu", tanh: "tanh", leaky_relu: "leaky_relu", elu: "elu", selu: "selu", softplus: "softplus", gelu: "gelu",
    silu: "silu",
}  # fmt: skip
FUSED_IN_CONVOLUTION: dict[Activation, str] = {relu: "relu", tanh: "tanh"}
# What the ops over sequences take.
RECURRENT = ("linear", "tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu")


def get(identifier: str | Activation | dict[str, Any] | None) -> Activation:
    """An activation from its name, a callable, a saved configuration, or None (linear).

    Raises:
        ValueError: unknown name; the message names the closest one.
        TypeError: something else.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return registry.lookup(identifier, ALL, "activation")
    if isinstance(identifier, dict):
        return registry.deserialize(identifier, ALL, "activation")
    if callable(identifier):
        return identifier
    raise TypeError(f"activation must be a name, a function or None, got {identifier!r}")


def serialize(activation: Activation) -> Any:
    """Its name where it is one of ``ALL``, else what ``registry.serialize`` says."""
    for name, function in ALL.items():
        if function is activation:
            return name
    return registry.serialize(activation)
