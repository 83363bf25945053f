"""Limits on weights, put in force after every update of the optimizer, with Keras' names and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pylearn import ops, registry

_TINY = 1e-7  # a norm of zero is divided by this


class Constraint:
    """Maps a weight to the nearest one that is allowed; of the same shape."""

    def __init__(self, **kwargs: Any) -> None:
        registry.reject(self, kwargs)

    def __call__(self, w: Any) -> Any:
        """The allowed weight."""
        raise TypeError(f"{type(self).__name__} has no __call__: write one")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        return registry.construct(cls, config)


class NonNeg(Constraint):
    """max(w, 0)

    >>> import numpy as np
    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0.0)


class _Norm(Constraint):
    """Scales w so that its norms along ``axis`` are what ``wanted`` makes of them."""

    def __init__(self, axis: int | Sequence[int] = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis) if isinstance(axis, int) else [int(a) for a in axis]

    def wanted(self, norms: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no wanted: write one")

    def __call__(self, w: Any) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        norms = ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))
        return w * (self.wanted(norms) / (norms + _TINY))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MaxNorm(_Norm):
    """Vectors longer than ``max_value`` are scaled down to it (Srivastava et al. 2014).

    Args:
        max_value: largest norm, ≥ 0.
        axis: along which norms are taken: 0 for a dense kernel (D, units), so that each unit's incoming weights are
            limited; [0, 1, 2] for that of a convolution.

    >>> import numpy as np
    >>> MaxNorm(2.0)(np.array([[3.0, 0.0], [4.0, 1.0]])).round(3)
    array([[1.2, 0. ],
           [1.6, 1. ]])
    """

    def __init__(self, max_value: float = 2.0, axis: int | Sequence[int] = 0, **kwargs: Any) -> None:
        super().__init__(axis, **kwargs)
        self.max_value = _size("max_value", max_value)

    def wanted(self, norms: Any) -> Any:
        return ops.minimum(norms, self.max_value)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, **super().get_config()}


class UnitNorm(_Norm):
    """Vectors along ``axis`` are scaled to norm 1.

    Args:
        axis: along which norms are taken; 0.
    """

    def wanted(self, norms: Any) -> Any:
        return 1.0


class MinMaxNorm(_Norm):
    """Norms are brought between two bounds: rate · clip(norm, min_value, max_value) + (1 - rate) · norm.

    Args:
        min_value, max_value: smallest and largest norm, 0 ≤ min_value ≤ max_value.
        rate: how far towards the bounds each update goes, in [0, 1]; 1 is all the way.
        axis: along which norms are taken; 0.
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0,
        axis: int | Sequence[int] = 0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(axis, **kwargs)
        self.min_value, self.max_value = _size("min_value", min_value), _size("max_value", max_value)
        if self.min_value > self.max_value:
            raise ValueError(f"MinMaxNorm: min_value ({min_value}) is greater than max_value ({max_value})")
        self.rate = _size("rate", rate)
        if self.rate > 1.0:
            raise ValueError(f"MinMaxNorm: rate must be in [0, 1], got {rate}")

    def wanted(self, norms: Any) -> Any:
        clipped = ops.clip(norms, self.min_value, self.max_value)
        return clipped if self.rate == 1.0 else clipped * self.rate + norms * (1.0 - self.rate)

    def get_config(self) -> dict[str, Any]:
        config = {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate}
        return {**config, **super().get_config()}


def _size(name: str, value: float) -> float:
    value = float(value)
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number ≥ 0, got {value}")
    return value


ALL: list[type[Constraint]] = [MaxNorm, NonNeg, UnitNorm, MinMaxNorm]
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm

_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in ALL},
    "max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm,
}  # fmt: skip


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """A constraint from its name, an object, any callable, a saved configuration, or None."""
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = registry.lookup(identifier, _TABLE, "constraint")
        return found() if isinstance(found, type) else found
    if registry.is_config(identifier):
        return registry.deserialize(identifier, _TABLE, "constraint")
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(f"a constraint must be a name, an object or None, got {identifier!r}")


__all__ = [
    "ALL", "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "max_norm", "min_max_norm", "non_neg",
    "unit_norm",
]  # fmt: skip
