"""Results are the same bits for any number of threads, and the same again when repeated."""

import pytest
from op_checks import describe, run, same_bits
from op_samples import RECORDS, Op, samples_of

import pylearn

WITH_BIG = [op for op in RECORDS.values() if op.big]


@pytest.fixture(autouse=True)
def _restore_threads():
    before = pylearn.num_threads()
    yield
    pylearn.set_num_threads(before)


@pytest.mark.parametrize("op", WITH_BIG, ids=[op.name for op in WITH_BIG])
def test_threads(op: Op) -> None:
    for dtype in op.dtypes[:2]:
        for sample in samples_of(op, dtype, "big"):
            results = []
            for threads in (1, 2, 3):
                pylearn.set_num_threads(threads)
                results.append(run(op, sample))
            for got in results[1:]:
                same_bits(got, results[0], describe(op, sample))


def test_most_ops_have_a_big_sample() -> None:
    views = {"transpose", "expand_dims", "squeeze", "broadcast_to", "slice", "flip", "split", "diagonal",
             "stop_gradient"}  # fmt: skip
    assert {op.name for op in RECORDS.values() if not op.big} <= views
