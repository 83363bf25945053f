"""Captured and eager calls give the same bits: each op replayed on values it was not recorded with."""

from __future__ import annotations

import numpy as np
import pytest
from op_checks import SEED, as_arrays, describe, map_arrays, run, same_bits
from op_samples import RECORDS, Op, Sample, samples_of

import pylearn
from pylearn import ops

ROUNDS = 5  # eager, recorded, then replays
PURE = [op for op in RECORDS.values() if not op.writes]
IN_PLACE = [op for op in RECORDS.values() if op.writes]


def variants(op: Op, sample: Sample) -> list[Sample]:
    """The call with its values in other orders: the same shapes and the same domain."""

    def reordered(a: np.ndarray, k: int) -> np.ndarray:
        if op.matrices and a.ndim > 1:  # the same change of rows and columns keeps what a matrix is
            return np.roll(a, (k, k), (-2, -1))
        return np.roll(a, k).reshape(a.shape).copy()

    return [sample, *(map_arrays(op, sample, lambda a, k=k: reordered(a, k)) for k in range(1, ROUNDS))]


@pytest.mark.parametrize("op", PURE, ids=[op.name for op in PURE])
def test_replays_are_eager_bits(op: Op) -> None:
    f = getattr(ops, op.name)
    for dtype in {op.dtypes[0], op.dtypes[-1]}:
        for sample in samples_of(op, dtype):
            captured = pylearn.capture(lambda *a, f=f, **k: f(*a, **k))
            calls = variants(op, sample)
            if op.random:
                pylearn.random.seed(SEED)
            eager = [as_arrays(f(*c.args, **c.kwargs)) for c in calls]
            if op.random:
                pylearn.random.seed(SEED)
            for n, (call, want) in enumerate(zip(calls, eager)):
                tensors = map_arrays(op, call, pylearn.asarray)
                got = as_arrays(captured(*tensors.args, **tensors.kwargs))
                same_bits(got, want, f"call {n} of {describe(op, sample)}")
            assert captured.stats["replayed"] >= ROUNDS - 2, describe(op, sample)


@pytest.mark.parametrize("op", IN_PLACE, ids=[op.name for op in IN_PLACE])
def test_updates_are_captured_as_launches(op: Op) -> None:
    """State outside the step is updated by every replay."""
    f = getattr(ops, op.name)
    for dtype in {op.dtypes[0], op.dtypes[-1]}:
        for sample in samples_of(op, dtype):
            calls = [sample] * ROUNDS
            plain = map_arrays(op, sample, np.copy)
            for _ in calls:
                f(*plain.args, **plain.kwargs)
            tensors = map_arrays(op, sample, lambda a: pylearn.asarray(a.copy()))
            step = pylearn.capture(lambda f=f, t=tensors: f(*t.args, **t.kwargs))
            for _ in calls:
                step()
            assert step.stats["replayed"] >= ROUNDS - 2, describe(op, sample)
            for i in op.writes:
                if i < len(sample.args):
                    got, want = np.asarray(tensors.args[i]), np.asarray(plain.args[i])
                    same_bits([got], [want], describe(op, sample))


@pytest.mark.parametrize("name", ["take", "softmax_cross_entropy"])
def test_ids_are_checked_in_replays(name: str) -> None:
    op = RECORDS[name]
    table, ids = np.ones((5, 4), np.float32), np.array([0, 1, 2, 3, 0])
    rest = (0,) if name == "take" else ()
    step = pylearn.capture(lambda t, i: getattr(ops, name)(t, i, *rest))
    for _ in range(4):
        good = as_arrays(step(table, ids))
    for wrong in (99, -99, 2**40):
        bad = ids.copy()
        bad[3] = wrong
        with pytest.raises(IndexError, match=f"(?s){name}.*indices|{name}.*labels"):
            step(table, bad)
    same_bits(as_arrays(step(table, ids)), good, op.name)


def test_gradients_are_captured() -> None:
    """Forward, backward and update in one captured step."""
    op = RECORDS["linear"]
    sample = samples_of(op, "float32")[0]
    x, w, b = sample.args

    def step(x, w, b):
        return pylearn.value_and_grad(
            lambda w, b: ops.mean(ops.square(ops.linear(x, w, b, "tanh"))), argnums=(0, 1)
        )(w, b)

    captured = pylearn.capture(step)
    for n in range(5):
        args = [pylearn.asarray(np.roll(a, n).reshape(a.shape).copy()) for a in (x, w, b)]
        want_loss, want = step(*args)
        loss, grads = captured(*args)
        same_bits(as_arrays([loss, *grads]), as_arrays([want_loss, *want]), f"call {n}")


def test_run_leaves_samples_alone() -> None:
    op = RECORDS["sgd_update"]
    sample = samples_of(op, "float32")[2]
    before = sample.args[0].copy()
    run(op, sample)
    assert np.array_equal(before, sample.args[0])
