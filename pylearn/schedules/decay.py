"""Rates that only fall: the base class and the decays."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from pylearn import registry


def positive(name: str, value: Any) -> Any:
    if not value > 0:
        raise ValueError(f"{name} must be > 0, got {value}")
    return value


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


class _ByRate(Schedule):
    """What falls by decay_rate over decay_steps, at once at their ends with ``staircase``."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase = float(positive("decay_rate", decay_rate)), bool(staircase)

    def periods(self, step: int) -> float:
        """Multiples of decay_steps that have passed."""
        passed = step / self.decay_steps
        return math.floor(passed) if self.staircase else passed

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "decay_rate": self.decay_rate, "staircase": self.staircase}  # fmt: skip


class ExponentialDecay(_ByRate):
    """initial · decay_rate^(step / decay_steps), the exponent rounded down with ``staircase``.

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate * self.decay_rate ** self.periods(step)


class InverseTimeDecay(_ByRate):
    """initial / (1 + decay_rate · step / decay_steps), the quotient rounded down with ``staircase``."""

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate / (1 + self.decay_rate * self.periods(step))


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
        self.initial_learning_rate, self.alpha = float(initial_learning_rate), alpha
        self.decay_steps = positive("decay_steps", decay_steps)
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps
        if warmup_target is not None:
            positive("warmup_steps", warmup_steps)

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


class PolynomialDecay(Schedule):
    """(initial - end) · (1 - step / decay_steps)^power + end, and end from decay_steps on.

    With ``cycle``, decay_steps grows to the next multiple that holds the step, so that the rate rises again.

    >>> PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.end_learning_rate, self.power, self.cycle = float(end_learning_rate), float(power), bool(cycle)

    def __call__(self, step: int) -> float:
        span = (
            self.decay_steps * max(1, math.ceil(step / self.decay_steps)) if self.cycle else self.decay_steps
        )
        left = 1.0 - min(step, span) / span
        return (
            self.initial_learning_rate - self.end_learning_rate
        ) * left**self.power + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "end_learning_rate": self.end_learning_rate, "power": self.power, "cycle": self.cycle}  # fmt: skip


class StepDecay(Schedule):
    """initial · decay_rate^floor(step / step_size): a fall every step_size updates.

    >>> StepDecay(0.1, step_size=10, decay_rate=0.5)(25)
    0.025
    """

    def __init__(
        self, initial_learning_rate: float, step_size: int, decay_rate: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.initial_learning_rate = float(initial_learning_rate)
        self.step_size, self.decay_rate = positive("step_size", step_size), float(decay_rate)

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate * self.decay_rate ** (step // self.step_size)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "step_size": self.step_size,
                "decay_rate": self.decay_rate}  # fmt: skip
