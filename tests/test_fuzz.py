"""Mutated valid calls never crash, hang or are rejected without saying why; see fuzz_ops.py."""

import os

import fuzz_ops
import pytest
from op_samples import RECORDS

import pylearn

SEED = int(os.environ.get("PYLEARN_FUZZ_SEED", "1"))


@pytest.fixture(autouse=True)
def _package_for_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """The children import the pylearn that is under test."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(pylearn.__file__)))


def run(names: list[str], calls: int, seed: int) -> None:
    problems: list[str] = []
    fuzz_ops.fuzz(names, calls, seed, problems.append)
    assert not problems, "\n".join(problems[:40])


def test_a_few_calls_of_every_op() -> None:
    run(list(RECORDS), 60, SEED)


@pytest.mark.fuzz
def test_a_thousand_calls_of_every_op() -> None:
    run(list(RECORDS), 1000, SEED + 1)


def test_cases_are_repeatable() -> None:
    for number in range(20):
        assert fuzz_ops.repeat_line("matmul", 3, number) == fuzz_ops.repeat_line("matmul", 3, number)
