"""Timing of several sides of one case, alternately: A B C, A B C, …

A side is timed in short blocks of calls, and each round gives every side one block, so that a slow moment of the
machine meets all of them. What is reported is the median over the rounds.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

FLUSH_BYTES = 2**26  # read between two cold calls: more than the caches hold


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds (when they take more than ``budget`` seconds, ``fewest``), seconds of a block, and
    the pause before it.

    The pause lets the workers of the side before fall asleep: OpenMP's and OpenBLAS' keep spinning for a while.
    """

    rounds: int
    block: float
    pause: float
    cold_rounds: int
    fewest: int = 3
    budget: float = 6.0


FULL = Effort(rounds=7, block=0.015, pause=0.025, cold_rounds=3)
QUICK = Effort(rounds=3, block=0.002, pause=0.01, cold_rounds=1)


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of the rounds, and the best."""

    median: float
    best: float


class Timed(Protocol):
    """Something to time: here, or in a resident child process."""

    def block(self, calls: int) -> float:
        """Seconds of so many calls."""

    def cold(self) -> float:
        """Seconds of one call after the caches were filled with something else."""


class Local:
    """A function of this process."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run

    def block(self, calls: int) -> float:
        run = self.run
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return time.perf_counter() - start

    def cold(self) -> float:
        flush_caches()
        return self.block(1)


@functools.cache
def _filler() -> np.ndarray:
    return np.ones(FLUSH_BYTES // 8)


def flush_caches() -> None:
    """Reads 64 MB, in the calling thread."""
    _filler().sum()


def calls_of(side: Timed, seconds: float, warm: int = 3) -> int:
    """Calls that fill about so many seconds; the first few warm up caches, plans and compilers."""
    side.block(warm)
    return max(1, min(100_000, round(seconds / max(side.block(1), 1e-8))))


def alternate(sides: Sequence[Timed], effort: Effort) -> list[Timing]:
    """Times of one call of each side."""
    calls = [calls_of(side, effort.block) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    end = time.perf_counter() + effort.budget
    for i in range(effort.rounds):
        if i >= effort.fewest and time.perf_counter() > end:
            break
        for side, count, found in zip(sides, calls, times, strict=True):
            if effort.pause:
                time.sleep(effort.pause)
                if count > 1:  # wakes the workers; a call that fills a block alone does not notice
                    side.block(1)
            found.append(side.block(count) / count)
    return [Timing(statistics.median(found), min(found)) for found in times]


def alternate_cold(sides: Sequence[Timed], effort: Effort) -> list[float]:
    """Seconds of a first call, medians."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(effort.cold_rounds):
        for side, found in zip(sides, times, strict=True):
            time.sleep(effort.pause)
            found.append(side.cold())
    return [statistics.median(found) for found in times]
