"""The speeds that must hold (``--check``), in the figures of one run.

The two absolute ones are for a machine of two AVX-512 cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import Row, geometric_mean

STEP_MICROSECONDS = 60
PREDICT_MICROSECONDS = 15


@dataclass(frozen=True)
class Check:
    """One demand: what was found, what is asked, whether it holds."""

    what: str
    threads: int
    found: float
    limit: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def text(self) -> str:
        sign, verdict = "≤" if self.at_most else "≥", "ok" if self.holds else "MISSED"
        return (
            f"{verdict:<7}{self.what}, threads {self.threads}: {self.found:.2f} (asked {sign} {self.limit:g})"
        )


def checks(rows: Sequence[Row]) -> list[Check]:
    """The demands that these rows can answer, for each number of threads."""
    return [
        check
        for threads in sorted({row.threads for row in rows})
        for kind in (_matmul, _train)
        for check in kind([row for row in rows if row.threads == threads], threads)
    ]


def _matmul(rows: Sequence[Row], threads: int) -> list[Check]:
    products = [row for row in rows if row.name == "matmul"]
    ratios = [row.ratio("numpy") for row in products]
    found = []
    if len(ratios) > 1:
        found += [
            Check("matmul: geometric mean over NumPy", threads, geometric_mean(ratios), 1.0),
            Check("matmul: worst shape over NumPy", threads, min(ratios), 0.85),
        ]
    for row in products:
        if row.label == "1024x1024x1024":
            found.append(Check("matmul 1024³: of the multiply-add peak", threads, row.fractions["fma"], 0.85))
    return found


def _train(rows: Sequence[Row], threads: int) -> list[Check]:
    def microseconds(row: Row, what: str, limit: float) -> Check:
        return Check(what, threads, row.seconds["pylearn"] * 1e6, limit, at_most=True)

    found = []
    for row in rows:
        case = (row.name, row.label)
        if case == ("step", "mlp 64-100-10 b32"):
            found.append(microseconds(row, "64-100-10 step, µs", STEP_MICROSECONDS))
        if case == ("predict", "mlp 64-100-10, one row"):
            found.append(microseconds(row, "64-100-10 one-row predict, µs", PREDICT_MICROSECONDS))
        if case == ("step", "mlp 784-100-10 b32"):
            for peer in ("torch", "jax"):
                if not math.isnan(row.ratio(peer)):
                    found.append(Check(f"784-100-10 step over {peer}", threads, row.ratio(peer), 1.0))
    return found
