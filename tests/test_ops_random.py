"""Random configurations of the kernel families: 200 of each op whose record draws them.

Each is compared with the float64 reference, in float32 or float64 in turn, with torch where the record has a twin, and
between one and three threads, bit for bit; gradients are compared with differences along a random direction.
A failure names the call and its number: `draw_of(op, number)` makes it again.
"""

from __future__ import annotations

import numpy as np
import pytest
from op_checks import as_arrays, describe, expected, result_dtype, run, same_bits
from op_samples import RECORDS, Op, Sample, rng_for
from test_ops_grad import gradient, parts, weighted
from tolerances import DIRECTION, TORCH, check_close, check_value

import pylearn

DRAWN = [op for op in RECORDS.values() if op.draw]
DRAWS, CHUNK = 200, 50
STEP = 1e-5


def draw_of(op: Op, number: int, dtype: str | None = None) -> tuple[Sample, str]:
    dtype = dtype or ("float32", "float64")[number % 2]
    assert op.draw
    return op.draw(rng_for(op.name, "draw", number), dtype), dtype


CASES = pytest.mark.parametrize(
    ("op", "first"),
    [(op, first) for op in DRAWN for first in range(0, DRAWS, CHUNK)],
    ids=[f"{op.name}-{first}" for op in DRAWN for first in range(0, DRAWS, CHUNK)],
)


@CASES
def test_values(op: Op, first: int) -> None:
    threads = pylearn.num_threads()
    try:
        for number in range(first, first + CHUNK):
            sample, dtype = draw_of(op, number)
            where = f"draw {number}: {describe(op, sample)}"
            pylearn.set_num_threads(1)
            got, want = run(op, sample), expected(op, sample)
            assert len(want) - 1 <= len(got) <= len(want), where
            for output, (g, w) in enumerate(zip(got, want)):
                assert str(g.dtype) == result_dtype(op, sample, dtype, output), where
                check_value(g, w, op.tolerance, where)
            pylearn.set_num_threads(3)
            same_bits(run(op, sample), got, where)
    finally:
        pylearn.set_num_threads(threads)


@pytest.mark.parametrize("op", [op for op in DRAWN if op.grad], ids=lambda op: op.name)
def test_gradients(op: Op) -> None:
    checked = 0
    for number in range(DRAWS):
        sample, _ = draw_of(op, number, "float64")
        if not sample.smooth:
            continue
        arrays, rebuild = parts(op, sample)
        where = f"draw {number}: gradient of {describe(op, sample)}"
        f = weighted(op, sample, rebuild)
        rng = rng_for(op.name, "direction", number)
        directions = [rng.uniform(-1, 1, a.shape) for a in arrays]
        ends = [
            float(np.asarray(f(*(a + sign * STEP * d for a, d in zip(arrays, directions)))))
            for sign in (1, -1)
        ]
        slope = sum(float(np.sum(np.asarray(g) * d)) for g, d in zip(gradient(f, arrays), directions))
        check_close(np.float64(slope), np.float64((ends[0] - ends[1]) / (2 * STEP)), **DIRECTION, where=where)
        checked += 1
    assert checked >= DRAWS // 2


@pytest.mark.parametrize("op", [op for op in DRAWN if op.torch], ids=lambda op: op.name)
def test_against_torch(op: Op) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    other = lambda v: torch.tensor(v) if isinstance(v, (np.ndarray, np.generic)) else v
    for number in range(DRAWS):
        sample, dtype = draw_of(op, number)
        args = [[other(v) for v in a] if isinstance(a, list) else other(a) for a in sample.args]
        theirs = op.torch(torch, *args, **{k: other(v) for k, v in sample.kwargs.items()})
        theirs = list(theirs) if isinstance(theirs, (tuple, list)) else [theirs]
        where = f"draw {number}: {describe(op, sample)}"
        for a, b in zip(as_arrays(run(op, sample)), theirs, strict=True):
            check_close(a, b.detach().numpy(), TORCH[dtype], TORCH[dtype], where)
