"""Penalties on weights and on activations, with Keras' names and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylearn import ops, registry


class Regularizer:
    """Maps a tensor to a scalar penalty that is added to the loss."""

    def __init__(self, **kwargs: Any) -> None:
        registry.reject(self, kwargs)

    def __call__(self, x: Any) -> Any:
        """The penalty, a scalar of x's dtype."""
        raise TypeError(f"{type(self).__name__} has no __call__: write one")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return registry.construct(cls, config)


class L1L2(Regularizer):
    """l1 · sum|x| + l2 · sum x²

    Args:
        l1: weight of the absolute values, ≥ 0.
        l2: weight of the squares, ≥ 0.

    >>> import numpy as np
    >>> float(L1L2(l1=0.5, l2=1.0)(np.array([1.0, -2.0])))
    6.5
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1 = _weight("l1", l1)
        self.l2 = _weight("l2", l2)

    def __call__(self, x: Any) -> Any:
        total: Any = None
        if self.l1:
            total = self.l1 * ops.sum(ops.abs(x))
        if self.l2:
            squares = self.l2 * ops.sum(ops.square(x))
            total = squares if total is None else total + squares
        return 0.0 * ops.sum(x) if total is None else total

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 · sum|x|"""

    def __init__(self, l1: float = 0.01, **kwargs: Any) -> None:
        super().__init__(l1=l1, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 · sum x²"""

    def __init__(self, l2: float = 0.01, **kwargs: Any) -> None:
        super().__init__(l2=l2, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


def _weight(name: str, value: float) -> float:
    value = float(value)
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number ≥ 0, got {value}")
    return value


l1, l2, l1_l2 = L1, L2, L1L2
ALL: list[type[Regularizer]] = [L1L2, L1, L2]
_TABLE: dict[str, Any] = {**{c.__name__: c for c in ALL}, "l1": L1, "l2": L2, "l1_l2": L1L2}


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """A regularizer from its name, an object, any callable, a saved configuration, or None."""
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = registry.lookup(identifier, _TABLE, "regularizer")
        return found() if isinstance(found, type) else found
    if registry.is_config(identifier):
        return registry.deserialize(identifier, _TABLE, "regularizer")
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(f"a regularizer must be a name, an object or None, got {identifier!r}")


__all__ = ["ALL", "L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2"]
