"""Records of sorting and of elements by their positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import ALL, INTS, Bad, Op, Rng, Sample, array, bad, bad_array, bad_out, distinct

HUGE = 2**62
Shape = tuple[int, ...]

LINES: tuple[tuple[Shape, dict[str, Any]], ...] = (
    ((9,), {}),
    ((3, 7), {}),
    ((3, 7), {"axis": 0}),
    ((2, 5, 4), {"axis": 1, "descending": True}),
    ((4, 6), {"axis": None}),
    ((4, 6), {"descending": True}),
    ((1, 1), {}),
    ((0, 3), {}),
    ((3, 0), {"axis": 1}),
)
# around the changes of method: insertion, merging, bytes, wider digits
LENGTHS = (2, 11, 12, 13, 24, 25, 100, 319, 320, 321, 1000, 16383, 16384, 20000)


def _special(rng: Rng, shape: Shape, dtype: str) -> np.ndarray:
    """Many ties, and what is special to the type."""
    x = rng.integers(0, 4, shape).astype(dtype)
    if np.dtype(dtype).kind == "f":
        for value in (np.inf, -np.inf, np.nan, -np.nan, -0.0, -1.5):
            x[rng.random(shape) < 0.1] = value
    elif np.dtype(dtype).kind == "i":
        info = np.iinfo(dtype)
        for value in (info.min, info.max, -1):
            x[rng.random(shape) < 0.1] = value
    return x


def _spread(rng: Rng, shape: Shape, dtype: str) -> np.ndarray:
    """Values over the whole range of the type."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return array(rng, shape, dtype)
    if kind == "f":
        return (rng.standard_normal(shape) * 10.0 ** rng.integers(-8, 9, shape)).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def _lines(rng: Rng, shape: Shape, dtype: str) -> np.ndarray:
    return distinct(rng, shape, dtype) if np.dtype(dtype).kind == "f" else array(rng, shape, dtype, -9, 9)


def _axis_errors(args: tuple) -> list[Bad]:
    return [
        bad(IndexError, "axis", *args, axis=2),
        bad(IndexError, "axis", *args, axis=-3),
        bad((IndexError, ValueError), "axis", *args, axis=HUGE),
        bad(TypeError, "axis", *args, axis="0"),
        bad(TypeError, "axis", *args, axis=0.5),
    ]


def _draw_line(rng: Rng, dtype: str) -> tuple[np.ndarray, int]:
    shape = tuple(int(v) for v in rng.integers(1, rng.choice([4, 9, 40]), rng.integers(1, 4)))
    x = distinct(rng, shape, dtype)
    if x.dtype.kind == "f":  # of size 1: differences of large sums lose their digits
        x = (x * (40 / max(x.size, 40))).astype(dtype)
    return x, int(rng.integers(-len(shape), len(shape)))


def _sorting(name: str, torch: Callable) -> Op:
    values = name == "sort"

    def errors(rng: Rng) -> list[Bad]:
        x = array(rng, (3, 4), "float32")
        return [
            *bad_array((x,), 0, "x"),
            *bad_out((x,), np.zeros((3, 4), np.float32 if values else np.int64)),
            *_axis_errors((x,)),
            bad(ValueError, "x", np.float32(1)),
            bad(TypeError, "descending", x, descending="yes"),
        ]

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((make(rng, (2, n), dtype),)) for n in LENGTHS for make in (_special, _spread)]
        calls += [Sample((_special(rng, (3, n), dtype), -1, True)) for n in (7, 400)]
        return [*calls, Sample((_special(rng, (70, 5), dtype), 0)), Sample((_spread(rng, (200000,), dtype),))]

    def draw(rng: Rng, dtype: str) -> Sample:
        x, axis = _draw_line(rng, dtype)
        return Sample((x, axis, bool(rng.random() < 0.5)))

    return Op(
        name,
        ("x", "axis", "descending"),
        ("x",),
        lambda rng, dtype: [Sample((_lines(rng, shape, dtype),), options) for shape, options in LINES],
        errors,
        getattr(ref, name),
        dtypes=ALL,
        result="same" if values else "int64",
        more=more,
        big=lambda rng, dtype: [
            Sample((_special(rng, (400000,), dtype),)),
            Sample((_spread(rng, (300, 700), dtype),)),
        ],
        draw=draw,
        grad=(0,) if values else (),
        tolerance="exact",
        torch=torch,
    )


def _torch_sort(output: int) -> Callable:
    def twin(t, x, axis=-1, descending=False):
        x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
        return t.sort(x, dim=axis, descending=descending, stable=True)[output]

    return twin


TOPS: tuple[tuple[Shape, tuple], ...] = (
    ((9,), (3,)),
    ((3, 7), (7,)),
    ((3, 7), (2, 0)),
    ((2, 5, 4), (1, 1)),
    ((4, 6), (0,)),
    ((0, 3), (2,)),
    ((1,), (1,)),
)


def _topk_errors(rng: Rng) -> list[Bad]:
    x = array(rng, (3, 4), "float32")
    return [
        *bad_array((x, 2), 0, "x"),
        *_axis_errors((x, 2)),
        *(bad(ValueError, "k", x, k) for k in (-1, 5, HUGE)),
        bad((ValueError, TypeError), "k", x, 2**80),
        bad(TypeError, "k", x, "2"),
        bad(TypeError, "k", x, 1.5),
        bad(TypeError, "k", x, None),
        bad(ValueError, "x", np.float32(1), 1),
    ]


def _topk_more(rng: Rng, dtype: str) -> list[Sample]:
    shapes = (((3, 500), 1), ((3, 500), 10), ((2, 200), 64), ((2, 200), 65), ((2, 200), 200))
    calls = [Sample((make(rng, shape, dtype), k)) for shape, k in shapes for make in (_special, _spread)]
    return [*calls, Sample((np.sort(_spread(rng, (1000,), dtype)), 20))]


def _draw_topk(rng: Rng, dtype: str) -> Sample:
    x, axis = _draw_line(rng, dtype)
    return Sample((x, int(rng.integers(1, x.shape[axis] + 1)), axis))


def _search_samples(rng: Rng, dtype: str) -> list[Sample]:
    line = np.sort(array(rng, (20,), dtype, -9, 9))
    return [
        Sample((line, array(rng, (30,), dtype, -10, 10))),
        Sample((line, array(rng, (3, 5), dtype, -10, 10), "right")),
        Sample((line, line, "left")),
        Sample((line, line, "right")),
        Sample((line[:0], line)),
        Sample((line, line[:0])),
        Sample((line, line[3])),
    ]


def _search_more(rng: Rng, dtype: str) -> list[Sample]:
    line, values = np.sort(_special(rng, (50,), dtype)), _special(rng, (40,), dtype)
    return [Sample((line, values, side)) for side in ("left", "right")]


def _search_errors(rng: Rng) -> list[Bad]:
    line, v = np.sort(array(rng, (9,), "float32")), array(rng, (4,), "float32")
    return [
        *bad_array((line, v), 0, "sorted"),
        *bad_array((line, v), 1, "values"),
        *bad_out((line, v), np.zeros(4, np.int64)),
        bad(ValueError, "sorted", line[None], v),
        bad(ValueError, "sorted", np.float32(1), v),
        bad(ValueError, "side", line, v, "middle"),
        bad(TypeError, "side", line, v, None),
        bad(TypeError, "side", line, v, 1),
    ]


def _draw_search(rng: Rng, dtype: str) -> Sample:
    line = np.sort(array(rng, (int(rng.integers(0, 200)),), dtype, -3, 3).round(1))
    values = array(rng, (int(rng.integers(1, 200)),), dtype, -3.5, 3.5).round(1)
    return Sample((line, values, ("left", "right")[rng.integers(2)]))


def _ids(rng: Rng, shape: Shape, low: int, high: int, dtype: str = "int64") -> np.ndarray:
    return rng.integers(low, high, shape).astype(dtype)


def _along_samples(rng: Rng, dtype: str) -> list[Sample]:
    x = array(rng, (3, 5, 4), dtype)
    return [
        Sample((x, _ids(rng, (3, 5, 6), -4, 4))),
        Sample((x, _ids(rng, (3, 2, 4), 0, 5, "int32"), 1)),
        Sample((x, _ids(rng, (7, 5, 4), 0, 3, "uint8"), 0)),
        Sample((x[0, 0], _ids(rng, (9,), 0, 4))),
        Sample((x, _ids(rng, (8,), -60, 60), None)),
        Sample((x, _ids(rng, (3, 5, 0), 0, 4))),
        Sample((x[:0], _ids(rng, (0, 5, 2), 0, 4))),
    ]


def _along_errors(rng: Rng) -> list[Bad]:
    x, i = array(rng, (3, 4), "float32"), _ids(rng, (3, 4), 0, 3)
    return [
        *bad_array((x, i), 0, "x"),
        *bad_array((x, i), 1, "indices"),
        *bad_out((x, i), np.zeros((3, 4), np.float32)),
        *_axis_errors((x, i)),
        *(bad(IndexError, "indices", x, np.full((3, 2), v), 1) for v in (4, -5, 2**62, -(2**63))),
        bad(ValueError, "indices", x, i[0], 1),
        bad(ValueError, "indices", x, i[:2], 1),
        bad(ValueError, "indices", x, i, None),
        bad(TypeError, "indices", x, i.astype(np.float64), 1),
        bad(TypeError, "indices", x, i > 0, 1),
        bad(ValueError, "x", np.float32(1), i),
    ]


def _draw_along(rng: Rng, dtype: str) -> Sample:
    x, axis = _draw_line(rng, dtype)
    shape = list(x.shape)
    shape[axis] = int(rng.integers(1, 12))
    return Sample((x, _ids(rng, tuple(shape), -x.shape[axis], x.shape[axis]), axis))


def _torch_along(t, x, i, axis=-1):
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    i = t.as_tensor(i).long()
    return x.gather(axis, t.where(i < 0, i + x.shape[axis], i))


def _bincount_samples(rng: Rng, dtype: str) -> list[Sample]:
    """The dtype is that of the weights."""
    calls = []
    for kind in INTS:
        ids, weights = _ids(rng, (40,), 0, 9, kind), array(rng, (40,), dtype)
        calls += [Sample((ids, None, size), smooth=False) for size in (9, 15)] + [Sample((ids, weights, 12))]
    return [*calls, Sample((ids[:0], None, 3), smooth=False), Sample((ids[:0], weights[:0], 0))]


def _bincount_more(rng: Rng, dtype: str) -> list[Sample]:
    """As long as the largest id, which no recorded step can hold."""
    ids, weights = _ids(rng, (40,), 0, 9), array(rng, (40,), dtype)
    return [Sample((ids,)), Sample((ids, weights)), Sample((ids[:0],)), Sample((ids.astype(np.uint8),))]


def _bincount_errors(rng: Rng) -> list[Bad]:
    ids, weights = _ids(rng, (9,), 0, 4), array(rng, (9,), "float32")
    return [
        *bad_array((ids, None, 4), 0, "x"),
        *bad_array((ids, weights, 4), 1, "weights", optional=True),
        *bad_out((ids, None, 4), np.zeros(4, np.int64)),
        *(bad(IndexError, "x", np.array(wrong), None, 4) for wrong in ([4], [0, -1], [2**62], [-(2**63)])),
        bad(IndexError, "x", np.array([1, -1])),
        bad(IndexError, "x", ids, None, 0),
        bad((ValueError, MemoryError), "x", np.array([2**62])),
        bad((ValueError, MemoryError), ("x", "length"), np.array([2**63 - 1])),
        bad(ValueError, "x", ids[None]),
        bad(TypeError, "x", weights),
        bad(TypeError, "weights", ids, ids),
        bad(ValueError, "weights", ids, weights[:4]),
        bad(ValueError, "length", ids, None, -1),
        bad((ValueError, MemoryError), "length", ids, None, HUGE),
        bad(TypeError, "length", ids, None, "4"),
        bad(TypeError, "length", ids, None, 4.5),
    ]


def _draw_bincount(rng: Rng, dtype: str) -> Sample:
    n, length = int(rng.integers(0, 300)), int(rng.integers(1, 50))
    return Sample((_ids(rng, (n,), 0, length), array(rng, (n,), dtype), length))


def _bincount_result(sample: Sample, dtype: str) -> tuple[str]:
    weights = sample.args[1] if len(sample.args) > 1 else None
    return ("int64" if weights is None else str(weights.dtype),)


OPS = [
    _sorting("sort", _torch_sort(0)),
    _sorting("argsort", _torch_sort(1)),
    Op(
        "topk",
        ("x", "k", "axis"),
        ("x",),
        lambda rng, dtype: [Sample((_lines(rng, shape, dtype), *rest)) for shape, rest in TOPS],
        _topk_errors,
        ref.topk,
        dtypes=ALL,
        result=lambda sample, dtype: (dtype, "int64"),
        more=_topk_more,
        big=lambda rng, dtype: [Sample((_special(rng, (300, 700), dtype), k)) for k in (5, 100)],
        draw=_draw_topk,
        grad=(0,),
        tolerance="exact",
        torch=lambda t, x, k, axis=-1: tuple(t.topk(x, k, axis)),
        out=False,
    ),
    Op(
        "searchsorted",
        ("sorted", "values", "side"),
        ("sorted", "values"),
        _search_samples,
        _search_errors,
        ref.searchsorted,
        dtypes=ALL,
        result="int64",
        more=_search_more,
        big=lambda rng, dtype: [
            Sample((np.sort(_special(rng, (5000,), dtype)), _special(rng, (9000,), dtype)))
        ],
        draw=_draw_search,
        tolerance="exact",
        torch=lambda t, line, values, side="left": t.searchsorted(line, values, side=side),
    ),
    Op(
        "take_along_axis",
        ("x", "indices", "axis"),
        ("x", "indices"),
        _along_samples,
        _along_errors,
        ref.take_along_axis,
        dtypes=ALL,
        big=lambda rng, dtype: [
            Sample((array(rng, (90, 70, 80), dtype), _ids(rng, (90, 40, 80), 0, 70), 1)),
            Sample((array(rng, (500, 300), dtype), _ids(rng, (500, 200), 0, 300))),
        ],
        draw=_draw_along,
        grad=(0,),
        tolerance="exact",
        torch=_torch_along,
    ),
    Op(
        "bincount",
        ("x", "weights", "length"),
        ("x", "weights"),
        _bincount_samples,
        _bincount_errors,
        ref.bincount,
        result=_bincount_result,
        more=_bincount_more,
        big=lambda rng, dtype: [
            Sample((_ids(rng, (200001,), 0, 100), weights, 120))
            for weights in (None, array(rng, (200001,), dtype))
        ],
        draw=_draw_bincount,
        grad=(1,),
        tolerance="sum",
    ),
]
