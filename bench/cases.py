"""What a case is, and how it is measured: sides that compute the same, an oracle, work to relate the time to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from bench import timing
from bench.timing import Local, Timed

# Work on less than this stays in the caches, where a fraction of the memory's bandwidth says nothing.
CACHE_BYTES = 2**25


class Mismatch(AssertionError):
    """pylearn does not compute what the oracle says; nothing is timed."""


class Missing(Exception):
    """A case cannot be measured here: an op that does not exist, a library for the oracle."""


@dataclass(frozen=True)
class Side:
    """One way to compute a case. ``run`` is what is timed, ``result`` what is compared, computed once from the start.

    ``per_call`` is the number of units (steps, say) that one run does; ``elsewhere`` times a side of another process;
    ``profile`` says where the time of a run goes, as (what, seconds) pairs.
    """

    name: str
    run: Callable[[], Any]
    result: Callable[[], Sequence[Any]]
    per_call: int = 1
    elsewhere: Timed | None = None
    profile: Callable[[], list[tuple[str, float]]] | None = None

    def timed(self) -> Timed:
        return self.elsewhere or Local(self.run)


@dataclass(frozen=True)
class Absent:
    """A side that cannot be measured, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Case:
    """``build()`` gives the float64 oracle and the sides, ``pylearn`` first.

    ``flops`` and ``nbytes`` are the least that the work needs; 0 where a fraction would say nothing.
    """

    family: str
    name: str
    label: str
    build: Callable[[], tuple[Sequence[np.ndarray], list[Side | Absent]]]
    flops: float = 0
    nbytes: float = 0
    tolerance: float = 2e-5
    heavy: bool = False  # left out of --quick
    cold: bool = False  # also a first call, with the caches full of something else
    peak: str = "fma"  # the ceiling of its operations

    @property
    def title(self) -> str:
        return f"{self.name} {self.label}"


@dataclass(frozen=True)
class Row:
    """What a case measured. ``seconds``, ``best`` and ``cold`` by side; ``errors`` against the oracle."""

    family: str
    name: str
    label: str
    threads: int
    seconds: dict[str, float]
    best: dict[str, float]
    errors: dict[str, float]
    flops: float = 0
    nbytes: float = 0
    peak: str = "fma"
    cold: dict[str, float] = field(default_factory=dict)
    fractions: dict[str, float] = field(default_factory=dict)  # of the peak and of "bandwidth"
    absent: dict[str, str] = field(default_factory=dict)  # sides left out, and why
    profile: list[tuple[str, float]] = field(default_factory=list)  # where pylearn's time goes: what, seconds
    ceilings: dict[str, float] = field(default_factory=dict)  # that the fractions are of

    @property
    def title(self) -> str:
        return f"{self.name} {self.label}"

    def ratio(self, peer: str, cold: bool = False) -> float:
        """How many times the peer's time is pylearn's; NaN when it was not measured."""
        seconds = self.cold if cold else self.seconds
        return seconds[peer] / seconds["pylearn"] if peer in seconds else math.nan

    def best_peer(self, cold: bool = False) -> tuple[str, float]:
        """The fastest of the peers that were measured, and its ratio; ("", NaN) without any."""
        seconds = self.cold if cold else self.seconds
        peers = [name for name in seconds if not name.startswith("pylearn")]
        peer = min(peers, key=seconds.__getitem__, default="")
        return peer, self.ratio(peer, cold)

    @property
    def disturbed(self) -> bool:
        """A median far above the best round: something else ran, or threads that wait by spinning lost a processor."""
        return any(self.seconds[name] > 2 * self.best[name] for name in self.seconds)

    @property
    def limit(self) -> float:
        """Seconds that the operations take at the measured peak, or the bytes at the measured bandwidth."""
        limits = [self.flops / self.ceilings.get(self.peak, math.inf)]
        if self.nbytes > CACHE_BYTES:
            limits.append(self.nbytes / self.ceilings["bandwidth"])
        return max(limits)

    def record(self) -> dict[str, Any]:
        return asdict(self)


def error(got: Sequence[Any], want: Sequence[np.ndarray]) -> float:
    """Largest difference over the largest value, over all arrays; infinite for other shapes or values not finite."""
    if len(got) != len(want):
        return math.inf
    worst = 0.0
    for g, w in zip(got, want, strict=True):
        g = np.asarray(g)
        if g.shape != w.shape or not np.isfinite(g).all():
            return math.inf
        if w.size:
            largest = max(float(np.abs(w).max()), float(np.finfo(np.float32).tiny))
            worst = max(worst, float(np.abs(g - w).max()) / largest)
    return worst


@dataclass
class Verified:
    """The sides that compute what they should, their errors, and why others are left out."""

    sides: list[Side]
    errors: dict[str, float]
    absent: dict[str, str]


def verified(case: Case, pylearn_needed: bool = True) -> Verified:
    """Compares every side with the oracle. A peer that fails or differs is left out, with the reason.

    Raises:
        Missing: pylearn's side, or the oracle, cannot be made here.
        Mismatch: pylearn differs from the oracle by more than the tolerance.
    """
    want, sides = case.build()
    found = Verified([], {}, {})
    for side in sides:
        if isinstance(side, Absent):
            if side.name == "pylearn" and pylearn_needed:
                raise Missing(side.why)
            found.absent[side.name] = side.why
            continue
        try:
            off = error(side.result(), want)
        except Exception as e:
            if side.name.startswith("pylearn"):
                raise
            found.absent[side.name] = f"{type(e).__name__}: {(str(e).splitlines() or [''])[0][:150]}"
            continue
        if off <= case.tolerance:
            found.sides.append(side)
            found.errors[side.name] = off
        elif side.name.startswith("pylearn"):
            raise Mismatch(f"{case.title}: {side.name} differs from the float64 oracle by {off:.1e}")
        else:
            found.absent[side.name] = f"differs from the float64 oracle by {off:.1e}"
    return found


def measure(case: Case, threads: int, effort: timing.Effort, ceilings: dict[str, float]) -> Row:
    """Verifies the case, then times its sides alternately.

    The ceilings are measured again beside the case, because clocks change from second to second; a higher one than
    before is noted in ``ceilings`` (operations or bytes a second).

    Raises:
        Missing, Mismatch: see :func:`verified`.
    """
    from pylearn import _core

    ready = verified(case)
    names = [side.name for side in ready.sides]
    units = [side.per_call for side in ready.sides]
    timed = [side.timed() for side in ready.sides]
    found = timing.alternate(timed, effort)
    cold = timing.alternate_cold(timed, effort) if case.cold else []
    ceilings["fma"] = max(ceilings["fma"], _core.fma_peak(min(0.05, effort.block)))
    if case.nbytes > CACHE_BYTES:
        rates = _core.stream(min(0.15, 5 * effort.block))
        ceilings["bandwidth"] = max(ceilings["bandwidth"], *rates.values())
    profile = ready.sides[0].profile
    row = Row(
        case.family, case.name, case.label, threads,
        seconds={name: t.median / n for name, t, n in zip(names, found, units, strict=True)},
        best={name: t.best / n for name, t, n in zip(names, found, units, strict=True)},
        errors=ready.errors, flops=case.flops, nbytes=case.nbytes, peak=case.peak,
        cold={name: t / n for name, t, n in zip(names, cold, units)} if cold else {},
        absent=ready.absent, profile=profile() if profile else [],
    )  # fmt: skip
    return related(row, ceilings)


def related(row: Row, ceilings: dict[str, float]) -> Row:
    """The row with its fractions of these ceilings: of the best time, since a ceiling is the best of many bursts."""
    fractions = {}
    if row.flops:  # without a peak of its own, of float32's: above 1 where the other type is faster
        peak = row.peak if row.peak in ceilings else "fma"
        fractions[peak] = row.flops / row.best["pylearn"] / ceilings[peak]
    if row.nbytes > CACHE_BYTES:
        fractions["bandwidth"] = row.nbytes / row.best["pylearn"] / ceilings["bandwidth"]
    return replace(row, fractions=fractions, ceilings=dict(ceilings))


def ceilings(quick: bool) -> dict[str, float]:
    """Operations a second of multiply-adds, and bytes a second of memory, measured with our own kernels."""
    from pylearn import _core

    seconds = 0.02 if quick else 0.5
    rates = _core.stream(0.03 if quick else 0.9)
    found = {
        "fma": _core.fma_peak(seconds),
        "bandwidth": max(rates.values()),
        **{f"stream_{name}": rate for name, rate in rates.items()},
    }
    if hasattr(_core, "bf16_peak"):  # of processors that have bfloat16 products
        peak = _core.bf16_peak(seconds)
        if peak:
            found["bf16"] = peak
    return found


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan
