"""Every op of ops.def has a record, samples, a reference and at least eight error inputs."""

import inspect

import pytest
from op_samples import RECORDS, errors_of, samples_of

from pylearn import _core, ops, reference

NAMES = list(_core.op_names())


def test_the_lists_agree() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert set(RECORDS) == set(NAMES), set(RECORDS) ^ set(NAMES)
    assert sorted(ops.OPS) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_complete(name: str) -> None:
    record = RECORDS[name]
    assert callable(getattr(ops, name))
    assert record.reference is getattr(reference, name)
    assert (record.reference.__doc__ or "").strip(), "a reference says what it computes"
    assert len(errors_of(record)) >= 8
    assert all(len(samples_of(record, dtype)) >= 3 for dtype in record.dtypes)
    sizes = [a.size for s in samples_of(record, record.dtypes[0]) for a in s.args if hasattr(a, "size")]
    lists = [
        a.size for s in samples_of(record, record.dtypes[0]) for x in s.args if isinstance(x, list) for a in x
    ]
    assert 0 in sizes + lists, "an empty sample"


@pytest.mark.parametrize("name", NAMES)
def test_signatures_agree(name: str) -> None:
    """Op, record and reference take the same arguments with the same defaults."""
    op = {
        p.name: p.default
        for p in inspect.signature(getattr(ops, name)).parameters.values()
        if p.name != "out"
    }
    op.pop("generator", None)
    twin = inspect.signature(getattr(reference, name)).parameters.values()
    twin = {p.name: p.default for p in twin if p.kind is not p.KEYWORD_ONLY}
    assert list(op) == list(twin)
    assert op == twin or all(op[k] == twin[k] for k in op if op[k] is not inspect.Parameter.empty)
    assert set(RECORDS[name].params) <= set(op)


@pytest.mark.parametrize("name", NAMES)
def test_documented(name: str) -> None:
    assert (getattr(ops, name).__doc__ or "").strip()
