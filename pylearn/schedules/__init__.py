"""Learning rates as functions of the number of updates done: ``schedule(step) -> rate``."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from pylearn import registry


class Schedule:
    """Base class; any callable ``step -> rate`` does too."""

    def __init__(self, **kwargs: Any) -> None:
        registry.reject(self, kwargs)

    def __call__(self, step: int) -> float:
        raise TypeError(f"{type(self).__name__} has no __call__: write one")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        return registry.construct(cls, config)


class ExponentialDecay(Schedule):
    """initial · decay_rate^(step / decay_steps), the exponent rounded down with ``staircase``.

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if decay_steps <= 0:
            raise ValueError(f"decay_steps must be > 0, got {decay_steps}")
        self.initial_learning_rate, self.decay_steps = float(initial_learning_rate), decay_steps
        self.decay_rate, self.staircase = float(decay_rate), bool(staircase)

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (
            math.floor(power) if self.staircase else power
        )

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "decay_rate": self.decay_rate, "staircase": self.staircase}  # fmt: skip


class PiecewiseConstantDecay(Schedule):
    """values[0] up to and with boundaries[0], then values[1], …; one more value than boundaries."""

    def __init__(self, boundaries: Sequence[int], values: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.boundaries, self.values = list(boundaries), [float(v) for v in values]
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(f"{len(self.boundaries)} boundaries need {len(self.boundaries) + 1} values, "
                             f"got {len(self.values)}")  # fmt: skip
        if sorted(self.boundaries) != self.boundaries:
            raise ValueError(f"boundaries must grow, got {self.boundaries}")

    def __call__(self, step: int) -> float:
        return self.values[bisect.bisect_left(self.boundaries, step)]

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values}


class CosineDecay(Schedule):
    """Half a cosine from the initial rate down to alpha times it over ``decay_steps`` (Loshchilov and Hutter 2016).

    With ``warmup_target``, first ``warmup_steps`` of linear growth from the initial rate to it.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0, warmup_target: float | None = None,
        warmup_steps: int = 0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if decay_steps <= 0:
            raise ValueError(f"decay_steps must be > 0, got {decay_steps}")
        self.initial_learning_rate, self.decay_steps, self.alpha = (
            float(initial_learning_rate),
            decay_steps,
            alpha,
        )
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: int) -> float:
        peak = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return peak + (self.warmup_target - peak) * step / self.warmup_steps
            peak, step = self.warmup_target, step - self.warmup_steps
        done = min(step, self.decay_steps) / self.decay_steps
        return peak * ((1 - self.alpha) * 0.5 * (1 + math.cos(math.pi * done)) + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "alpha": self.alpha, "warmup_target": self.warmup_target,
                "warmup_steps": self.warmup_steps}  # fmt: skip


class InverseTimeDecay(Schedule):
    """initial / (1 + decay_rate · step / decay_steps), the quotient rounded down with ``staircase``."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if decay_steps <= 0:
            raise ValueError(f"decay_steps must be > 0, got {decay_steps}")
        self.initial_learning_rate, self.decay_steps = float(initial_learning_rate), decay_steps
        self.decay_rate, self.staircase = float(decay_rate), bool(staircase)

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate / (
            1 + self.decay_rate * (math.floor(power) if self.staircase else power)
        )

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "decay_rate": self.decay_rate, "staircase": self.staircase}  # fmt: skip


ALL: list[type[Schedule]] = [ExponentialDecay, PiecewiseConstantDecay, CosineDecay, InverseTimeDecay]
_TABLE: dict[str, Any] = {c.__name__: c for c in ALL}


def get(identifier: Any) -> Any:
    """A schedule from an object, any callable, or a saved configuration."""
    if registry.is_config(identifier):
        return registry.deserialize(identifier, _TABLE, "schedule")
    if callable(identifier):
        return identifier
    raise TypeError(f"a schedule must be a function of the step, got {identifier!r}")
