"""Optimizers with Keras' names and defaults, each one fused update over all parameters."""

from __future__ import annotations

from typing import Any

from pylearn import registry
from pylearn.optimizers import schedules
from pylearn.optimizers.base import Optimizer
from pylearn.optimizers.rules import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop

ALL: list[type[Optimizer]] = [SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Nadam, Lion]
_TABLE: dict[str, Any] = {**{c.__name__: c for c in ALL}, **{c.__name__.lower(): c for c in ALL}}


def get(identifier: Any) -> Optimizer:
    """An optimizer from its name (any case), an object, a class, or a saved configuration.

    Raises:
        ValueError: unknown name; the message names the closest one.
        TypeError: something else.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        key = identifier if identifier in _TABLE else identifier.lower()
        return registry.lookup(key, _TABLE, "optimizer")()
    if registry.is_config(identifier):
        return registry.deserialize(identifier, _TABLE, "optimizer")
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    raise TypeError(f"an optimizer must be a name or an object of pylearn.optimizers, got {identifier!r}")


__all__ = [
    "ALL",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "RMSprop",
    "Optimizer",
    "get",
    "schedules",
]
