"""The speeds that must hold (``--check``), in the figures of one run: for each a floor and a goal.

Rows that something disturbed (see ``Row.disturbed``) are left out of means and minima. The absolute figures are for a
machine of two AVX-512 cores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.cases import Row, geometric_mean
from bench.memory import Peak

NOTICED_BYTES = 10 * 2**20  # peak memory below this is the allocators' noise


@dataclass(frozen=True)
class Check:
    """One demand: what was found, what is asked, what is hoped for."""

    what: str
    threads: int
    found: float
    floor: float
    goal: float
    at_most: bool = False

    def _reaches(self, limit: float) -> bool:
        return self.found <= limit if self.at_most else self.found >= limit

    @property
    def holds(self) -> bool:
        return self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        return "goal" if self._reaches(self.goal) else "ok" if self.holds else "MISSED"

    def text(self) -> str:
        sign = "≤" if self.at_most else "≥"
        limits = f"{self.floor:g}" if self.floor == self.goal else f"{self.floor:g}, goal {self.goal:g}"
        return (
            f"{self.verdict:<7}{self.what}, threads {self.threads}: {self.found:.2f} (asked {sign} {limits})"
        )

    def record(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def checks(rows: Sequence[Row], peaks: Sequence[Peak] = ()) -> list[Check]:
    """The demands that these figures can answer, for each number of threads."""
    found: list[Check] = []
    for threads in sorted({row.threads for row in rows}):
        here = [row for row in rows if row.threads == threads and not row.disturbed]
        for kind in (_matmul, _conv, _rnn, _streams, _steps, _small):
            found += [
                Check(what, threads, *figures) for what, *figures in kind(here) if not math.isnan(figures[0])
            ]
    found += [
        Check(f"peak memory of torch over pylearn's, {peak.name}", peak.threads, peak.ratio("torch"), 1, 1)
        for peak in peaks
        if {"pylearn", "torch"} <= peak.over_small_step.keys()
        and max(peak.over_small_step.values()) > NOTICED_BYTES
    ]
    return found


Demand = tuple[Any, ...]  # what, found, floor, goal[, at_most]


def _ratios(rows: Sequence[Row], *peers: str) -> list[float]:
    """Of the fastest of these peers (of all by default), where one was measured."""
    found = []
    for row in rows:
        ratios = [row.ratio(peer) for peer in peers] if peers else [row.best_peer()[1]]
        found += [min(r for r in ratios if not math.isnan(r))] if not all(map(math.isnan, ratios)) else []
    return found


def _mean_and_least(
    what: str, rows: Sequence[Row], mean: tuple[float, float], least: tuple[float, float], *peers: str
) -> Iterator[Demand]:
    ratios = _ratios(rows, *peers)
    if len(ratios) > 1:
        yield f"{what}: geometric mean", geometric_mean(ratios), *mean
        yield f"{what}: worst cell", min(ratios), *least


def _each(
    rows: Sequence[Row], wanted: Callable[[Row], bool], floor: float, goal: float, peer: str
) -> Iterator[Demand]:
    for row in rows:
        if wanted(row):
            yield f"{row.title} over {peer}", row.ratio(peer), floor, goal


def _matmul(rows: Sequence[Row]) -> Iterator[Demand]:
    products = [row for row in rows if row.name == "matmul"]
    libraries = ("numpy", "openblas", "torch", "onednn")
    yield from _mean_and_least("matmul over the best library", products, (1.05, 1.2), (0.85, 1.0), *libraries)
    times = {row.title: row.best["pylearn"] for row in rows}
    for row in products:
        if min(map(int, row.label.split()[0].split("x"))) >= 1024:
            yield f"{row.title}: of the multiply-add peak", row.fractions["fma"], 0.90, 0.95
    shape = "1024x1024x1024"
    if f"matmul_bf16 {shape}" in times and f"matmul {shape}" in times:
        gain = times[f"matmul {shape}"] / times[f"matmul_bf16 {shape}"]
        yield f"bfloat16 over float32, {shape}", gain, 1.5, 1.6


def _conv(rows: Sequence[Row]) -> Iterator[Demand]:
    both = [row for row in rows if row.name == "conv2d" and row.label.endswith("fwd+bwd")]
    yield from _mean_and_least("conv2d fwd+bwd over torch", both, (1.2, 1.6), (0.9, 1.1), "torch")
    yield from _each(rows, lambda row: row.name == "conv2d", 3, 3, "numpy")


def _rnn(rows: Sequence[Row]) -> Iterator[Demand]:
    def both(row: Row) -> bool:
        return row.name == "lstm" and row.label.endswith("fwd+bwd")

    def narrow(row: Row) -> bool:
        return both(row) and ("B1 " in row.label or "->32" in row.label)

    yield from _each(rows, narrow, 1.5, 2.5, "torch")
    yield from _each(rows, lambda row: both(row) and not narrow(row), 1.1, 1.5, "torch")
    yield from _each(rows, lambda row: row.name == "lstm_cell", 2, 2, "numpy")
    for row in rows:
        if "pylearn tanh" in row.seconds:
            yield f"{row.title}: tanh's time over it", row.ratio("pylearn tanh"), 0.9, 0.9


def _streams(rows: Sequence[Row]) -> Iterator[Demand]:
    for row in rows:
        if row.family in ("loss", "norm") or row.name == "adam_update":
            if "bandwidth" in row.fractions:
                yield f"{row.title}: of the stream bandwidth", row.fractions["bandwidth"], 0.7, 0.9
            else:
                ratios = _ratios([row], "numpy", "torch")
                yield f"{row.title} over NumPy and torch", (ratios or [math.nan])[0], 1.5, 3


def _steps(rows: Sequence[Row]) -> Iterator[Demand]:
    steps = [row for row in rows if row.family == "step"]
    yield from _mean_and_least(
        "steps over the best of torch and JAX", steps, (1.5, 2.5), (1, 1), "torch", "compiled", "jax"
    )
    yield from _each(steps, lambda row: row.label.startswith("cnn"), 3, 4, "torch")
    for row in steps:
        if row.label == "mlp 64-100-10 b32":
            yield f"{row.title}, µs", row.seconds["pylearn"] * 1e6, 60, 60, True


def _small(rows: Sequence[Row]) -> Iterator[Demand]:
    for row in rows:
        if (row.name, row.label) == ("predict", "mlp 64-100-10, one row"):
            yield f"{row.title}, µs", row.seconds["pylearn"] * 1e6, 15, 15, True
