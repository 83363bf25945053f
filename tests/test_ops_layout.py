"""Memory layout never changes a result: strided, turned, Fortran, misaligned, byte-swapped, read-only, repeated,
inside a larger array; and ``out=`` in all of those shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from op_checks import describe, map_arrays, run, same_bits
from op_samples import RECORDS, Op, Sample, samples_of
from tolerances import check_value

from pylearn import ops


def strided(a: np.ndarray) -> np.ndarray:
    if a.ndim == 0:
        return a.copy()
    view = np.zeros((*a.shape[:-1], 3 * a.shape[-1]), a.dtype)[..., 1::3]
    view[...] = a
    return view


def turned(a: np.ndarray) -> np.ndarray:
    back = (slice(None, None, -1),) * a.ndim
    return a[back].copy()[back] if a.ndim else a.copy()


def fortran(a: np.ndarray) -> np.ndarray:
    return a.copy(order="F")


def misaligned(a: np.ndarray) -> np.ndarray:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    view = memory[1 : 1 + a.nbytes].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def byte_swapped(a: np.ndarray) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder())


def read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def inside(a: np.ndarray) -> np.ndarray:
    if a.ndim == 0:
        return a.copy()
    frame = np.zeros([n + 2 for n in a.shape], a.dtype)
    view = frame[(slice(1, -1),) * a.ndim]
    view[...] = a
    return view


def unusual_strides(a: np.ndarray) -> np.ndarray:
    """Steps that are no multiple of the element: a field of packed records."""
    records = np.zeros(a.shape, np.dtype([("tag", "u1"), ("value", a.dtype)]))
    records["value"] = a
    return records["value"] if a.ndim else a.copy()


LAYOUTS: list[Callable] = [
    strided, turned, fortran, misaligned, byte_swapped, read_only, inside, unusual_strides,
]  # fmt: skip


def repeated(a: np.ndarray) -> np.ndarray:
    """Its first row again and again: stride 0."""
    return np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else a


def agree(op: Op, got: list[np.ndarray], want: list[np.ndarray], where: str) -> None:
    if op.same_bits:
        return same_bits(got, want, where)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype, where
        check_value(g, w, op.tolerance, where)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("op", RECORDS.values(), ids=RECORDS)
def test_layout(op: Op, layout: Callable) -> None:
    for dtype in {op.dtypes[0], op.dtypes[-1]}:
        for sample in samples_of(op, dtype):
            changed = map_arrays(op, sample, layout, written=False)
            agree(op, run(op, changed), run(op, sample), f"{layout.__name__} {describe(op, sample)}")


@pytest.mark.parametrize("op", RECORDS.values(), ids=RECORDS)
def test_repeated_rows(op: Op) -> None:
    for sample in samples_of(op, op.dtypes[0]):
        if op.matrices and any(a.ndim == 2 for a in sample.args if isinstance(a, np.ndarray)):
            continue
        changed = map_arrays(op, sample, repeated, written=False)
        plain = map_arrays(op, changed, lambda a: a.copy(order="C"), written=False)
        if any(a.shape == () for a in sample.args if isinstance(a, np.ndarray)):
            continue
        agree(op, run(op, changed), run(op, plain), f"repeated {describe(op, sample)}")


# -- out= --------------------------------------------------------------------------------------------------------------

WITH_OUT = [op for op in RECORDS.values() if op.out and not op.random]
IDS = [op.name for op in WITH_OUT]


def with_out(op: Op, sample: Sample, out: np.ndarray) -> np.ndarray:
    result = getattr(ops, op.name)(*sample.args, **sample.kwargs, out=out)
    assert result is out, f"{describe(op, sample)}: out= is returned itself"
    return out


@pytest.mark.parametrize("layout", [np.copy, strided, turned, fortran, inside], ids=lambda f: f.__name__)
@pytest.mark.parametrize("op", WITH_OUT, ids=IDS)
def test_out(op: Op, layout: Callable) -> None:
    for sample in samples_of(op, op.dtypes[0]):
        (want,) = run(op, sample)
        out = layout(np.full_like(want, 7))
        got = with_out(op, sample, out)
        agree(op, [got], [want], f"out {layout.__name__} {describe(op, sample)}")


@pytest.mark.parametrize("layout", [misaligned, byte_swapped, unusual_strides], ids=lambda f: f.__name__)
def test_out_that_cannot_be_written_is_refused(layout: Callable) -> None:
    out = layout(np.zeros(3))
    with pytest.raises(ValueError, match="out"):
        ops.add(np.ones(3), 1.0, out=out)
    assert np.array_equal(out, np.zeros(3))


@pytest.mark.parametrize("op", WITH_OUT, ids=IDS)
def test_out_leaves_its_surroundings(op: Op) -> None:
    for sample in samples_of(op, op.dtypes[0]):
        (want,) = run(op, sample)
        frame = np.full([n + 2 for n in want.shape], 1, want.dtype)
        place = (slice(1, -1),) * want.ndim
        with_out(op, sample, frame[place] if want.ndim else frame)
        rest = frame.copy()
        rest[place] = 1
        assert want.ndim == 0 or (rest == 1).all(), describe(op, sample)


@pytest.mark.parametrize("op", WITH_OUT, ids=IDS)
def test_out_is_an_input(op: Op) -> None:
    for sample in samples_of(op, op.dtypes[0]):
        (want,) = run(op, sample)
        for i, a in enumerate(sample.args):
            if isinstance(a, np.ndarray) and a.shape == want.shape and a.dtype == want.dtype:
                own = a.copy()
                changed = Sample((*sample.args[:i], own, *sample.args[i + 1 :]), sample.kwargs)
                agree(
                    op, [with_out(op, changed, own)], [want], f"out is argument {i}: {describe(op, sample)}"
                )


@pytest.mark.parametrize("op", WITH_OUT, ids=IDS)
def test_out_overlaps_an_input(op: Op) -> None:
    """Written as if the input had been copied first."""
    for sample in samples_of(op, op.dtypes[0]):
        (want,) = run(op, sample)
        for i, a in enumerate(sample.args):
            if not (isinstance(a, np.ndarray) and a.dtype == want.dtype and a.size and want.size):
                continue
            memory = np.zeros(a.size + want.size, a.dtype)
            shift = max(1, a.size // 2)
            own, out = (
                memory[: a.size].reshape(a.shape),
                memory[shift : shift + want.size].reshape(want.shape),
            )
            own[...] = a
            changed = Sample((*sample.args[:i], own, *sample.args[i + 1 :]), sample.kwargs)
            agree(
                op, [with_out(op, changed, out)], [want], f"out overlaps argument {i}: {describe(op, sample)}"
            )


# -- in place ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["assign", "assign_add"])
@pytest.mark.parametrize("layout", [np.copy, strided, turned, fortran, inside], ids=lambda f: f.__name__)
def test_assign_into_a_view(name: str, layout: Callable) -> None:
    op = RECORDS[name]
    for dtype in op.dtypes:
        for sample in samples_of(op, dtype):
            if sample.args[0].ndim == 0:
                continue
            target = layout(sample.args[0])
            getattr(ops, name)(target, sample.args[1])
            same_bits(
                [np.ascontiguousarray(target)], run(op, sample), f"{layout.__name__} {describe(op, sample)}"
            )


@pytest.mark.parametrize("layout", [misaligned, byte_swapped, unusual_strides], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["assign", "assign_add", "sgd_update", "adam_update"])
def test_in_place_is_never_lost_on_a_copy(name: str, layout: Callable) -> None:
    """Memory that the kernels cannot use as it lies is refused or written, not silently copied."""
    op = RECORDS[name]
    sample = samples_of(op, "float64")[2]
    target = layout(sample.args[0])
    try:
        getattr(ops, name)(target, *sample.args[1:], **sample.kwargs)
    except (ValueError, TypeError) as error:
        assert op.params[0] in str(error)
        assert np.array_equal(target, sample.args[0])
    else:
        same_bits([target.astype(float)], run(op, sample)[:1], f"{layout.__name__} {describe(op, sample)}")


def test_overlapping_assign() -> None:
    x = np.arange(10.0)
    ops.assign(x[1:], x[:-1])
    assert np.array_equal(x, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    y = np.arange(6.0)
    ops.assign_add(y, y[::-1])
    assert np.array_equal(y, [5, 5, 5, 5, 5, 5])
