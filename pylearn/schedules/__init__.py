"""Learning rates as functions of the number of updates done: ``schedule(step) -> rate``, for any optimizer's
``learning_rate``. Keras' names where Keras has them."""

from __future__ import annotations

from typing import Any

from pylearn import registry
from pylearn.schedules.cycles import CosineDecayRestarts, LinearWarmup, OneCycle
from pylearn.schedules.decay import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    Schedule,
    StepDecay,
)

ALL: list[type[Schedule]] = [
    ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, StepDecay, InverseTimeDecay, CosineDecay,
    CosineDecayRestarts, OneCycle, LinearWarmup,
]  # fmt: skip
_TABLE: dict[str, Any] = {c.__name__: c for c in ALL}


def get(identifier: Any) -> Any:
    """A schedule from an object, any callable, or a saved configuration."""
    if registry.is_config(identifier):
        inner = {k: get(v) if registry.is_config(v) else v for k, v in identifier.get("config", {}).items()}
        if inner:
            identifier = {**identifier, "config": inner}  # a schedule that another one goes over to
        return registry.deserialize(identifier, _TABLE, "schedule")
    if callable(identifier):
        return identifier
    raise TypeError(f"a schedule must be a function of the step, got {identifier!r}")


__all__ = [
    "ALL", "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LinearWarmup", "OneCycle",
    "PiecewiseConstantDecay", "PolynomialDecay", "Schedule", "StepDecay", "get",
]  # fmt: skip
