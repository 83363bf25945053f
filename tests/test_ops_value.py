"""Every op against its float64 reference: every sample, dtype, tail length and special value of its record."""

import numpy as np
import pytest
from op_checks import as_arrays, check_values, describe, map_arrays, run, same_bits
from op_samples import RECORDS, Op, samples_of

import pylearn
from pylearn import ops

CASES = [(op, dtype) for op in RECORDS.values() for dtype in op.dtypes]


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=[f"{op.name}-{dtype}" for op, dtype in CASES])
def test_value(op: Op, dtype: str) -> None:
    assert check_values(op, dtype) >= 3


@pytest.mark.parametrize("op", RECORDS.values(), ids=RECORDS)
def test_tensors_in_tensors_out(op: Op) -> None:
    """A Tensor among the arguments gives Tensors with the same bits; NumPy arrays alone give NumPy arrays."""
    for sample in samples_of(op, op.dtypes[0]):
        where = describe(op, sample)
        from_numpy = run(op, sample)
        f = getattr(ops, op.name)
        tensors = map_arrays(op, sample, pylearn.asarray)
        if op.writes:
            same_bits(run(op, tensors), from_numpy, where)
            continue
        if op.random:
            pylearn.random.seed(20260)
        result = f(*tensors.args, **tensors.kwargs)
        parts = result if isinstance(result, (tuple, list)) else [result]
        assert all(isinstance(r, pylearn.Tensor) for r in parts), where
        same_bits(as_arrays(result), from_numpy, where)
        plain = f(*sample.args, **sample.kwargs)
        parts = plain if isinstance(plain, (tuple, list)) else [plain]
        assert all(isinstance(r, (np.ndarray, np.generic)) for r in parts), where


@pytest.mark.parametrize("op", RECORDS.values(), ids=RECORDS)
def test_arguments_are_left_alone(op: Op) -> None:
    for sample in samples_of(op, op.dtypes[0]):
        before = map_arrays(op, sample, np.copy)
        run(op, sample)
        arrays: list[np.ndarray] = []
        map_arrays(op, sample, arrays.append)
        copies: list[np.ndarray] = []
        map_arrays(op, before, copies.append)
        same_bits(arrays, copies, describe(op, sample))
