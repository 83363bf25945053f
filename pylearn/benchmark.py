"""Kernels checked against their NumPy references, then timed against NumPy in the same run.

A case is an op of ``pylearn.ops`` with one set of float32 arguments. Its result is compared with that of
``pylearn.reference`` computed in float64; only then both are timed, alternately, on the float32 arguments,
and the fastest call of each side is kept.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

ROUNDS = 7
TOLERANCE = 2e-5  # float32 against float64, relative to the largest value of the result


Arguments = tuple[list[Any], dict[str, Any]]
Build = Callable[[np.random.Generator], Arguments]


@dataclass(frozen=True)
class Case:
    """One op with one set of arguments.

    ``build`` makes (args, kwargs) from a generator; ``updates`` counts the leading arguments that the op
    changes in place, which are then its result.
    """

    kernel: str
    label: str
    build: Build
    updates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Row:
    """What a case measured: seconds per call, the error against float64, and whether it is acceptable."""

    kernel: str
    label: str
    pylearn: float
    numpy: float
    error: float
    verified: bool

    @property
    def ratio(self) -> float:
        """How many times NumPy's time is pylearn's; NaN when nothing was timed."""
        return self.numpy / self.pylearn if self.pylearn else math.nan

    @staticmethod
    def header() -> str:
        return f"{'kernel':<24}{'shape':<28}{'pylearn µs':>12}{'NumPy µs':>12}{'ratio':>8}{'error':>10}"

    def text(self) -> str:
        left = f"{self.kernel:<24}{self.label:<28}"
        if not self.verified:
            return f"{left}{'differs from its reference':>32}{self.error:>10.1e}"
        ours, theirs = self.pylearn * 1e6, self.numpy * 1e6
        return f"{left}{ours:>12.1f}{theirs:>12.1f}{self.ratio:>8.2f}{self.error:>10.1e}"

    def record(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio if self.verified else None}


def _arrays(*shapes: tuple[int, ...]) -> Build:
    return lambda rng: ([rng.standard_normal(shape, np.float32) for shape in shapes], {})


def _cross_entropy(rows: int, classes: int) -> Build:
    return lambda rng: (
        [rng.standard_normal((rows, classes), np.float32), rng.integers(0, classes, rows)],
        {},
    )


def _lstm(batch: int, features: int, hidden: int) -> Build:
    shapes = (
        (batch, features),
        (batch, hidden),
        (batch, hidden),
        (features, 4 * hidden),
        (hidden, 4 * hidden),
        (4 * hidden,),
    )
    return lambda rng: ([0.3 * rng.standard_normal(shape, np.float32) for shape in shapes], {})


def _adam(n: int) -> Build:
    def build(rng: np.random.Generator) -> Arguments:
        p, g, m, v = (rng.standard_normal(n, np.float32) for _ in range(4))
        return [p, g, 0.1 * m, v * v], {"step": 3}

    return build


def _sgd(n: int) -> Build:
    return lambda rng: ([rng.standard_normal(n, np.float32) for _ in range(2)], {"lr": 0.01})


def _matmul(m: int, k: int, n: int) -> Case:
    return Case("matmul", f"{m}x{k} @ {k}x{n}", _arrays((m, k), (k, n)))


CASES = (
    _matmul(64, 64, 64),
    _matmul(32, 784, 100),
    _matmul(128, 784, 512),
    _matmul(256, 256, 256),
    _matmul(1024, 1024, 1024),
    _matmul(64, 4096, 1024),
    Case("exp", "1,000,000", _arrays((1_000_000,))),
    Case("tanh", "1,000,000", _arrays((1_000_000,))),
    Case("add", "1000x1000 + 1000", _arrays((1000, 1000), (1000,))),
    Case("sum", "1,000,000", _arrays((1_000_000,))),
    Case("softmax", "4096x1000", _arrays((4096, 1000))),
    Case("softmax_cross_entropy", "128x10", _cross_entropy(128, 10)),
    Case("softmax_cross_entropy", "4096x1000", _cross_entropy(4096, 1000)),
    Case("conv2d", "32x28x28x1 * 3x3x1x32", _arrays((32, 28, 28, 1), (3, 3, 1, 32))),
    Case("conv2d", "32x13x13x32 * 3x3x32x64", _arrays((32, 13, 13, 32), (3, 3, 32, 64))),
    Case("lstm_cell", "32x128, 128 units", _lstm(32, 128, 128)),
    Case("sgd_update", "670,000", _sgd(670_000), updates=(0,)),
    Case("adam_update", "8,000", _adam(8_000), updates=(0, 2, 3)),
    Case("adam_update", "670,000", _adam(670_000), updates=(0, 2, 3)),
)


def kernels() -> list[str]:
    """Names of the kernels that have cases, in the order of ``CASES``."""
    return list(dict.fromkeys(case.kernel for case in CASES))


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    import pylearn
    from pylearn import _core

    core = _core.info()
    return {
        "pylearn": pylearn.__version__,
        "isa": core["isa"],
        "threads": core["threads"],
        "device": "cpu",
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def run(names: Sequence[str] = (), seconds: float = 0.2) -> Iterator[Row]:
    """Check, then time, the cases of the named kernels (all when none is named), one row at a time.

    Args:
        names: kernels, of :func:`kernels`.
        seconds: rough time for each side of a case.
    """
    from pylearn import ops, reference

    for case in CASES:
        if not names or case.kernel in names:
            yield measure(case, getattr(ops, case.kernel), getattr(reference, case.kernel), seconds)


def measure(case: Case, op: Callable[..., Any], twin: Callable[..., Any], seconds: float) -> Row:
    """Compare ``op`` with its NumPy twin on one case; time both unless they differ."""
    args, kwargs = case.build(np.random.default_rng(0))
    got = _results(case, op, [_copy(a) for a in args], kwargs)
    want = _results(case, twin, [_double(a) for a in args], kwargs)
    errors = [_error(g, w) for g, w in zip(got, want)] if len(got) == len(want) else []
    error = max(errors, default=math.inf)
    if error > TOLERANCE:
        return Row(case.kernel, case.label, 0.0, 0.0, error, False)
    sides = [(f, [_copy(a) for a in args]) for f in (op, twin)]
    loops = [_loops(f, arrays, kwargs, seconds / ROUNDS) for f, arrays in sides]
    best = [math.inf, math.inf]
    for _ in range(ROUNDS):
        for side, (f, arrays) in enumerate(sides):
            best[side] = min(best[side], _seconds(f, arrays, kwargs, loops[side]))
    return Row(case.kernel, case.label, best[0], best[1], error, True)


def summary(rows: Sequence[Row]) -> str:
    """Last line of the table: the geometric mean of the ratios, and how many cases differ."""
    timed = [row.ratio for row in rows if row.verified]
    wrong = len(rows) - len(timed)
    mean = math.exp(sum(map(math.log, timed)) / len(timed)) if timed else math.nan
    verdict = "all equal to their references" if not wrong else f"{wrong} DIFFER from their references"
    return f"{len(rows)} cases, {verdict}; geometric mean {mean:.2f} x NumPy (above 1: faster than NumPy)"


def _results(case: Case, f: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> list[np.ndarray]:
    result = f(*args, **kwargs)
    if case.updates:
        return [args[i] for i in case.updates]
    return [np.asarray(r) for r in (result if isinstance(result, tuple | list) else (result,))]


def _error(got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference over the largest value; infinite for another shape or values that are not finite."""
    if got.shape != want.shape or not np.isfinite(got).all():
        return math.inf
    if got.size == 0:
        return 0.0
    return float(np.abs(got - want).max() / max(np.abs(want).max(), np.finfo(np.float32).tiny))


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _double(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.astype(np.float64)
    return _copy(value)


def _seconds(f: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        f(*args, **kwargs)
    return (time.perf_counter() - start) / loops


def _loops(f: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], seconds: float) -> int:
    """Calls that fill about ``seconds``, after one to warm up; a cap keeps repeated updates finite."""
    f(*args, **kwargs)
    return max(1, min(10_000, int(seconds / max(_seconds(f, args, kwargs, 1), 1e-7))))
