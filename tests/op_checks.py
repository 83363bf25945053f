"""How a record's samples are called, and the checks that more than one battery runs.

`python tests/op_checks.py [--quick] [OP...]` checks values with the ISA that PYLEARN_ISA names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from op_samples import RECORDS, Op, Sample, samples_of
from tolerances import check_value

import pylearn
from pylearn import ops

SEED = 20260


def map_arrays(op: Op, sample: Sample, f: Callable[[np.ndarray], Any], written: bool = True) -> Sample:
    """The call with f applied to its arrays (those in lists too); ``written``: also to those changed in place."""

    def visit(value: Any, name: str) -> Any:
        if not written and name in written_names(op):
            return value
        if isinstance(value, list):
            return [visit(v, name) for v in value]
        return f(value) if isinstance(value, np.ndarray) else value

    args = tuple(visit(a, op.params[i]) for i, a in enumerate(sample.args))
    return Sample(args, {k: visit(v, k) for k, v in sample.kwargs.items()}, sample.smooth)


def written_names(op: Op) -> set[str]:
    return {op.params[i] for i in op.writes}


def as_arrays(result: Any) -> list[np.ndarray]:
    """The outputs, in order, as arrays."""
    if isinstance(result, (tuple, list)):
        return [np.asarray(r) for r in result]
    return [np.asarray(result)]


def run(op: Op, sample: Sample, f: Callable | None = None) -> list[np.ndarray]:
    """The outputs of a call; of an op that works in place, what it wrote. Its arguments are left as they were."""
    f = f or getattr(ops, op.name)
    if op.random:
        pylearn.random.seed(SEED)
    if not op.writes:
        return as_arrays(f(*sample.args, **sample.kwargs))
    copies = {}

    def own(value: Any, name: str) -> Any:
        if name not in written_names(op) or value is None:
            return value
        copies[name] = value.copy()
        return copies[name]

    args = [own(a, op.params[i]) for i, a in enumerate(sample.args)]
    f(*args, **{k: own(v, k) for k, v in sample.kwargs.items()})
    return [np.asarray(copies[p]) for p in op.params if p in copies]


def expected(op: Op, sample: Sample) -> list[np.ndarray]:
    """What the reference gives."""
    wide = sample
    if op.writes:  # the reference keeps its digits too
        wide = map_arrays(op, sample, lambda a: a.astype(np.float64) if a.dtype.kind == "f" else a)
    if op.random:
        return as_arrays(op.reference(*wide.args, **wide.kwargs, seed=SEED))
    return run(op, wide, op.reference)


def result_dtype(op: Op, sample: Sample, dtype: str, output: int = 0) -> str:
    kind = op.result(sample, dtype) if callable(op.result) else op.result
    kind = kind[output] if isinstance(kind, tuple) else kind
    floating = dtype.startswith("float")
    if kind == "dtype":
        given = sample.kwargs.get("dtype", sample.args[-1] if len(sample.args) == len(op.params) else None)
        return str(given or "float32")
    return {
        "same": dtype,
        "float": dtype if floating else "float64",
        "sum": dtype if floating else "int64",
    }.get(kind, kind)


def describe(op: Op, sample: Sample) -> str:
    def show(v: Any) -> str:
        if isinstance(v, list):
            return "[" + ", ".join(map(show, v)) + "]"
        return f"{v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else repr(v)

    given = [show(a) for a in sample.args] + [f"{k}={show(v)}" for k, v in sample.kwargs.items()]
    return f"{op.name}({', '.join(given)})"


def check_values(
    op: Op, dtype: str, kinds: tuple[str, ...] = ("samples", "more"), f: Callable | None = None,
    tolerance: str | None = None,
) -> int:  # fmt: skip
    """Every sample of this dtype against the reference; returns how many.

    ``f`` is what is called, the op by default; ``tolerance`` its class, the op's by default.
    """
    count = 0
    for kind in kinds:
        for sample in samples_of(op, dtype, kind):
            where = describe(op, sample)
            got, want = run(op, sample, f), expected(op, sample)
            assert len(got) >= len(want) - 1 and len(got) <= len(want), f"{where}: {len(got)} outputs"
            for output, (g, w) in enumerate(zip(got, want)):
                assert str(g.dtype) == result_dtype(op, sample, dtype, output), f"{where}: dtype {g.dtype}"
                check_value(g, w, tolerance or op.tolerance, where)
            count += 1
    return count


def same_bits(got: list[np.ndarray], want: list[np.ndarray], where: str) -> None:
    assert len(got) == len(want), where
    for g, w in zip(got, want):
        assert g.dtype == w.dtype and g.shape == w.shape, (
            f"{where}: {g.dtype}{g.shape}, expected {w.dtype}{w.shape}"
        )
        if g.tobytes() != w.tobytes():
            differ = np.atleast_1d(g != w) & ~np.atleast_1d(np.isnan(g) & np.isnan(w))
            raise AssertionError(f"{where}: {int(differ.sum())} of {g.size} elements differ in their bits")


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    names = [a for a in arguments if not a.startswith("-")] or list(RECORDS)
    failed = calls = 0
    for name in names:
        op = RECORDS[name]
        for dtype in (
            op.dtypes if not quick else [d for d in op.dtypes if d in ("float32", "float64", "int32")]
        ):
            try:
                calls += check_values(op, dtype)
            except Exception as error:
                failed += 1
                print(f"{name} {dtype}: {type(error).__name__}: {error}")
    print(f"isa {pylearn._core.info()['isa']}: {calls} calls, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
