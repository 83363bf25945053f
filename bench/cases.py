"""What a case is, and how it is measured: sides that compute the same, an oracle, work to relate the time to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from bench import timing

# Work on less than this stays in the caches, where a fraction of the memory's bandwidth says nothing.
CACHE_BYTES = 2**25


class Mismatch(AssertionError):
    """A side of a case does not compute what its oracle says; nothing is timed."""


@dataclass(frozen=True)
class Side:
    """One way to compute a case. ``run`` is what is timed, ``result`` what is compared, computed once from the start.

    ``per_call`` is the number of units (steps, say) that one run does.
    """

    name: str
    run: Callable[[], Any]
    result: Callable[[], Sequence[Any]]
    per_call: int = 1


@dataclass(frozen=True)
class Case:
    """``build()`` gives the float64 oracle and the sides, ``pylearn`` first.

    ``flops`` and ``nbytes`` are the least that the work needs; 0 where a fraction would say nothing.
    """

    kind: str
    name: str
    label: str
    build: Callable[[], tuple[Sequence[np.ndarray], list[Side]]]
    flops: float = 0
    nbytes: float = 0
    tolerance: float = 2e-5
    heavy: bool = False  # left out of --quick


@dataclass(frozen=True)
class Row:
    """What a case measured. ``seconds`` and ``best`` by side; ``errors`` against the oracle."""

    kind: str
    name: str
    label: str
    threads: int
    seconds: dict[str, float]
    best: dict[str, float]
    errors: dict[str, float]
    flops: float = 0
    nbytes: float = 0
    fractions: dict[str, float] = field(default_factory=dict)  # of "fma" and "bandwidth"

    def ratio(self, peer: str) -> float:
        """How many times the peer's time is pylearn's; NaN when it was not measured."""
        return self.seconds[peer] / self.seconds["pylearn"] if peer in self.seconds else math.nan

    def record(self) -> dict[str, Any]:
        return asdict(self)


def error(got: Sequence[Any], want: Sequence[np.ndarray]) -> float:
    """Largest difference over the largest value, over all arrays; infinite for other shapes or values not finite."""
    if len(got) != len(want):
        return math.inf
    worst = 0.0
    for g, w in zip(got, want):
        g = np.asarray(g)
        if g.shape != w.shape or not np.isfinite(g).all():
            return math.inf
        if w.size:
            largest = max(float(np.abs(w).max()), float(np.finfo(np.float32).tiny))
            worst = max(worst, float(np.abs(g - w).max()) / largest)
    return worst


def verified(case: Case) -> tuple[list[Side], dict[str, float]]:
    """The sides of the case and their errors.

    Raises:
        Mismatch: a side differs from the oracle by more than the tolerance.
    """
    want, sides = case.build()
    errors = {side.name: error(side.result(), want) for side in sides}
    for name, found in errors.items():
        if not found <= case.tolerance:
            raise Mismatch(f"{case.name} {case.label}: {name} differs from the float64 oracle by {found:.1e}")
    return sides, errors


def measure(case: Case, threads: int, effort: timing.Effort, ceilings: dict[str, float]) -> Row:
    """Verifies the case, then times its sides alternately.

    The peak of multiply-adds is measured again beside the case, because clocks change from second to second; a higher
    one than before is noted in ``ceilings`` (operations or bytes a second).

    Raises:
        Mismatch: see :func:`verified`.
    """
    from pylearn import _core

    sides, errors = verified(case)
    found = timing.alternate([side.run for side in sides], effort)
    seconds = {side.name: t.median / side.per_call for side, t in zip(sides, found)}
    best = {side.name: t.best / side.per_call for side, t in zip(sides, found)}
    ceilings["fma"] = max(ceilings["fma"], _core.fma_peak(min(0.05, effort.block)))
    row = Row(case.kind, case.name, case.label, threads, seconds, best, errors, case.flops, case.nbytes)
    return related(row, ceilings)


def related(row: Row, ceilings: dict[str, float]) -> Row:
    """The row with its fractions of these ceilings: of the best time, since a ceiling is the best of many bursts."""
    fractions = {}
    if row.flops:
        fractions["fma"] = row.flops / row.best["pylearn"] / ceilings["fma"]
    if row.nbytes > CACHE_BYTES:
        fractions["bandwidth"] = row.nbytes / row.best["pylearn"] / ceilings["bandwidth"]
    return replace(row, fractions=fractions)


def ceilings(quick: bool) -> dict[str, float]:
    """Operations a second of multiply-adds, and bytes a second of memory, measured with our own kernels."""
    from pylearn import _core

    rates = _core.stream(0.03 if quick else 0.9)
    return {
        "fma": _core.fma_peak(0.02 if quick else 0.5),
        "bandwidth": max(rates.values()),
        **{f"stream_{name}": rate for name, rate in rates.items()},
    }


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan
