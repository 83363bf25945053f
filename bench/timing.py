"""Timing of several sides of one case, alternately: A B C, A B C, …

A side is timed in short blocks of calls, and each round gives every side one block, so that a slow moment of the
machine meets all of them. What is reported is the median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, seconds of a block, and the pause before it.

    The pause lets the workers of the side before fall asleep: OpenMP's and OpenBLAS' keep spinning for a while.
    """

    rounds: int
    block: float
    pause: float


FULL = Effort(rounds=15, block=0.02, pause=0.03)
QUICK = Effort(rounds=3, block=0.002, pause=0.0)


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of the rounds, and the best."""

    median: float
    best: float


def calls_of(run: Callable[[], Any], seconds: float) -> int:
    """Calls that fill about so many seconds; the first few warm up caches, plans and compilers."""
    for _ in range(3):
        run()
    start = time.perf_counter()
    run()
    return max(1, min(100_000, round(seconds / max(time.perf_counter() - start, 1e-8))))


def alternate(sides: Sequence[Callable[[], Any]], effort: Effort) -> list[Timing]:
    """Times of one call of each side."""
    calls = [calls_of(run, effort.block) for run in sides]
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(effort.rounds):
        for run, count, found in zip(sides, calls, times):
            if effort.pause:
                time.sleep(effort.pause)
                run()
            start = time.perf_counter()
            for _ in range(count):
                run()
            found.append((time.perf_counter() - start) / count)
    return [Timing(statistics.median(found), min(found)) for found in times]
