"""Rates that rise too: warm-up, one cycle, restarts."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pylearn.schedules.decay import Schedule, positive


class CosineDecayRestarts(Schedule):
    """Half a cosine down to alpha times the initial rate, again and again (SGDR, Loshchilov and Hutter 2016).

    Args:
        initial_learning_rate: at the start of the first period.
        first_decay_steps: length of the first period.
        t_mul: each period is so many times as long as the one before.
        m_mul: each period begins with so many times the rate of the one before.
        alpha: the lowest rate of a period, as a fraction of the first.

    >>> CosineDecayRestarts(0.1, first_decay_steps=10)(10)
    0.1
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initial_learning_rate = float(initial_learning_rate)
        self.first_decay_steps = positive("first_decay_steps", first_decay_steps)
        if t_mul < 1:
            raise ValueError(f"t_mul must be ≥ 1, got {t_mul}")
        self.t_mul, self.m_mul, self.alpha = float(t_mul), float(m_mul), float(alpha)

    def __call__(self, step: int) -> float:
        start, length, period = 0.0, float(self.first_decay_steps), 0
        if self.t_mul == 1.0:
            period = int(step // length)
            start = period * length
        else:
            while step >= start + length:
                start, length, period = start + length, length * self.t_mul, period + 1
        done = (step - start) / length
        share = 0.5 * self.m_mul**period * (1 + math.cos(math.pi * done))
        return self.initial_learning_rate * ((1 - self.alpha) * share + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "first_decay_steps": self.first_decay_steps,
                "t_mul": self.t_mul, "m_mul": self.m_mul, "alpha": self.alpha}  # fmt: skip


class OneCycle(Schedule):
    """Up to ``max_learning_rate`` and down again, far below where it began (Smith and Topin 2017).

    The rate goes from max / div_factor up to max in the first ``pct_start`` of the steps, and down to
    max / (div_factor · final_div_factor) at step total_steps - 1, where it stays.

    Args:
        max_learning_rate: the peak; ``model.lr_find`` suggests one.
        total_steps: updates of the whole training, epochs · batches.
        pct_start: share of the steps spent going up.
        anneal_strategy: "cos" or "linear".
        div_factor, final_div_factor: how much lower the rate begins, and how much lower still it ends.
        three_phase: go down as fast as up, and only then below where it began.

    >>> schedule = OneCycle(1.0, total_steps=101, pct_start=0.5)
    >>> [round(schedule(step), 3) for step in (0, 25, 49, 100)]
    [0.04, 0.528, 1.0, 0.0]
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= pct_start <= 1.0:
            raise ValueError(f"pct_start must be in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.max_learning_rate, self.total_steps = (
            float(max_learning_rate),
            positive("total_steps", total_steps),
        )
        self.pct_start, self.anneal_strategy, self.three_phase = (
            float(pct_start),
            anneal_strategy,
            bool(three_phase),
        )
        self.div_factor = float(positive("div_factor", div_factor))
        self.final_div_factor = float(positive("final_div_factor", final_div_factor))

    def __call__(self, step: int) -> float:
        high = self.max_learning_rate
        low = high / self.div_factor
        last, up = self.total_steps - 1.0, self.pct_start * self.total_steps - 1.0
        turns = [(0.0, low), (up, high), (last, low / self.final_div_factor)]
        if self.three_phase:
            turns.insert(2, (2 * self.pct_start * self.total_steps - 2.0, low))
        step = min(step, self.total_steps - 1)
        for (begin, a), (end, b) in itertools.pairwise(turns):
            if step <= end:
                done = (step - begin) / (end - begin) if end > begin else 1.0
                if self.anneal_strategy == "cos":
                    return b + (a - b) / 2 * (math.cos(math.pi * done) + 1)
                return (b - a) * done + a
        return turns[-1][1]

    def get_config(self) -> dict[str, Any]:
        return {"max_learning_rate": self.max_learning_rate, "total_steps": self.total_steps,
                "pct_start": self.pct_start, "anneal_strategy": self.anneal_strategy, "div_factor": self.div_factor,
                "final_div_factor": self.final_div_factor, "three_phase": self.three_phase}  # fmt: skip


class LinearWarmup(Schedule):
    """A straight line up to where another schedule begins, which then takes over with its own count of steps.

    Args:
        learning_rate: what follows: a number, or a schedule; its first rate is where the line ends.
        warmup_steps: length of the line.
        initial_learning_rate: where it starts.

    >>> from pylearn.schedules import CosineDecay
    >>> schedule = LinearWarmup(CosineDecay(0.1, 90), warmup_steps=10)
    >>> schedule(0), schedule(5), schedule(10), schedule(100)
    (0.0, 0.05, 0.1, 0.0)
    """

    def __init__(
        self, learning_rate: Any, warmup_steps: int, initial_learning_rate: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not callable(learning_rate) and not isinstance(learning_rate, (int, float)):
            raise TypeError(f"learning_rate must be a number or a schedule, got {learning_rate!r}")
        self.learning_rate, self.warmup_steps = learning_rate, positive("warmup_steps", warmup_steps)
        self.initial_learning_rate = float(initial_learning_rate)

    def __call__(self, step: int) -> float:
        after = max(step - self.warmup_steps, 0)
        rate = self.learning_rate(after) if callable(self.learning_rate) else float(self.learning_rate)
        if step >= self.warmup_steps:
            return float(rate)
        return self.initial_learning_rate + (rate - self.initial_learning_rate) * step / self.warmup_steps

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "warmup_steps": self.warmup_steps,
                "initial_learning_rate": self.initial_learning_rate}  # fmt: skip
