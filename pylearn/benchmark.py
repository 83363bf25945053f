"""Kernels checked against their NumPy references, then timed against NumPy in the same run.

A case is an op of ``pylearn.ops`` with one set of float32 arguments. Its result, and that of the same thing written in
NumPy in float32 (``NUMPY``), are compared with ``pylearn.reference``, which computes in float64; only then both are
timed, alternately, and the fastest call of each side is kept.
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


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def _losses(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    z = x - x.max(axis=-1, keepdims=True)
    return np.log(np.exp(z).sum(axis=-1)) - z[np.arange(len(x)), labels]


def _conv2d(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))  # (N, OH, OW, C, KH, KW)
    n, oh, ow = windows.shape[:3]
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * oh * ow, -1)
    return (columns @ w.reshape(-1, w.shape[3])).reshape(n, oh, ow, -1)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _lstm_cell(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _sgd_update(p: np.ndarray, g: np.ndarray, lr: float) -> None:
    p -= lr * g


def _adam_update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, step: int) -> None:
    m *= 0.9
    m += 0.1 * g
    v *= 0.999
    v += 0.001 * (g * g)
    rate = 0.001 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    p -= rate * m / (np.sqrt(v) + 1e-7)


# What a NumPy user would write, in the arguments' own dtype.
NUMPY: dict[str, Callable[..., Any]] = {
    "matmul": np.matmul,
    "exp": np.exp,
    "tanh": np.tanh,
    "add": np.add,
    "sum": np.sum,
    "softmax": _softmax,
    "softmax_cross_entropy": _losses,
    "conv2d": _conv2d,
    "lstm_cell": _lstm_cell,
    "sgd_update": _sgd_update,
    "adam_update": _adam_update,
}


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
    """Compare ``op`` and plain NumPy with the float64 twin on one case; time both unless one differs."""
    args, kwargs = case.build(np.random.default_rng(0))
    want = _results(case, twin, [_double(a) for a in args], kwargs)
    plain = NUMPY[case.kernel]
    error, numpy_error = (
        _distance(_results(case, f, [_copy(a) for a in args], kwargs), want) for f in (op, plain)
    )
    if max(error, numpy_error) > TOLERANCE:
        return Row(case.kernel, case.label, 0.0, 0.0, max(error, numpy_error), False)
    sides = [(f, [_copy(a) for a in args]) for f in (op, plain)]
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


def _distance(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest error among the results; infinite when their number differs."""
    if len(got) != len(want):
        return math.inf
    return max((_error(g, w) for g, w in zip(got, want, strict=True)), default=math.inf)


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
