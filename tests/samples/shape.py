"""Records of the ops that move elements without computing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pylearn import reference as ref

from .record import ALL, INTS, Op, Rng, Sample, array, bad, bad_array

HUGE = 2**62
BIG = (301, 997)


def move(
    name: str,
    params: tuple[str, ...],
    cases: tuple[tuple[tuple[int, ...], tuple], ...],
    wrong: Callable[[np.ndarray], list],
    big: tuple = (),
    torch: Callable | None = None,
    dtypes: tuple[str, ...] = ALL,
    out: bool = False,
    draw: Callable[[Rng, str], Sample] | None = None,
) -> Op:
    """An op of one array and what to do with it: ``cases`` of (shape, further arguments)."""

    def errors(rng: Rng) -> list:
        x = array(rng, (3, 4), "float32")
        return [*bad_array((x, *cases[0][1]), 0, "x"), *wrong(x)]

    return Op(
        name,
        ("x", *params),
        ("x",),
        lambda rng, dtype: [Sample((array(rng, shape, dtype), *rest)) for shape, rest in cases],
        errors,
        getattr(ref, name),
        dtypes=dtypes,
        big=(lambda rng, dtype: [Sample((array(rng, BIG, dtype), *big))]) if big else None,
        draw=draw,
        grad=(0,),
        tolerance="exact",
        out=out,
        torch=torch,
        phrases=("dimensions",),
    )


def _axis_errors(*rest: object) -> Callable[[np.ndarray], list]:
    def wrong(x: np.ndarray) -> list:
        return [
            bad(IndexError, "axis", x, *rest, axis=3),
            bad(IndexError, "axis", x, *rest, axis=-4),
            bad((IndexError, ValueError), "axis", x, *rest, axis=HUGE),
            bad(TypeError, "axis", x, *rest, axis="0"),
            bad(TypeError, "axis", x, *rest, axis=0.5),
        ]

    return wrong


def _shape_errors(x: np.ndarray) -> list:
    return [
        bad(ValueError, "shape", x, (5, 5)),
        bad((ValueError, MemoryError), "shape", x, (HUGE, HUGE)),
        bad((ValueError, MemoryError), "shape", x, (HUGE, 4)),
        bad(TypeError, "shape", x, "12"),
        bad(TypeError, "shape", x, (3.0, 4.0)),
        bad(TypeError, "shape", x, (None, 4)),
        bad(TypeError, "shape", x, None),
        bad((ValueError, TypeError), "shape", x, (2**80,)),
        bad(ValueError, "shape", x, (1,) * 9),
        bad(ValueError, "shape", x, (-2, -6)),
    ]


RESHAPE = move(
    "reshape",
    ("shape",),
    (
        ((3, 4), ((4, 3),)),
        ((3, 4), ((-1,),)),
        ((3, 4), ((2, -1, 3),)),
        ((), ((1, 1),)),
        ((1,), ((),)),
        ((0, 3), ((3, 0),)),
        ((6,), (6,)),
        ((0,), ((-1, 3),)),
        ((2, 3, 4), ((6, 4),)),
    ),
    lambda x: [
        *_shape_errors(x),
        bad(ValueError, "shape", x, (-1, -1)),
        bad(ValueError, "shape", x, (-1, 0)),
    ],
    big=((997, 301),),
    torch=lambda t, x, shape: x.reshape(shape),
)
TRANSPOSE = move(
    "transpose",
    ("axes",),
    (
        ((3, 4), ()),
        ((2, 3, 4), ((1, 2, 0),)),
        ((2, 3, 4), ((-1, 0, 1),)),
        ((), ()),
        ((5,), ((0,),)),
        ((0, 3), ()),
    ),
    lambda x: [
        bad(ValueError, "axes", x, (0,)),
        bad(ValueError, ("axes", "axis"), x, (0, 0)),
        bad((IndexError, ValueError), ("axes", "axis"), x, (0, 2)),
        bad((IndexError, ValueError), ("axes", "axis"), x, (0, HUGE)),
        bad(TypeError, "axes", x, "01"),
        bad(TypeError, "axes", x, (0.0, 1.0)),
    ],
    torch=lambda t, x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
)
EXPAND_DIMS = move(
    "expand_dims",
    ("axis",),
    (((3, 4), (0,)), ((3, 4), (1,)), ((3, 4), (-1,)), ((), (0,)), ((0,), (1,))),
    lambda x: [
        *_axis_errors()(x),
        bad(TypeError, "axis", x, None),
        bad(ValueError, "x", np.ones((1,) * 8), 0),
    ],
    torch=lambda t, x, axis: x.unsqueeze(axis),
)
SQUEEZE = move(
    "squeeze",
    ("axis",),
    (
        ((3, 1, 4), ()),
        ((3, 1, 1), (1,)),
        ((1, 3, 1), ((0, 2),)),
        ((1, 3, 1), (-1,)),
        ((), ()),
        ((0, 1), (1,)),
    ),
    lambda x: [*_axis_errors()(x), bad(ValueError, "axis", x, 0), bad(ValueError, "axis", x[:1], (0, 0))],
    torch=lambda t, x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
)
BROADCAST_TO = move(
    "broadcast_to",
    ("shape",),
    (
        ((4,), ((3, 4),)),
        ((3, 1), ((3, 4),)),
        ((), ((2, 3),)),
        ((1,), ((0,),)),
        ((3, 4), ((3, 4),)),
        ((1, 3), ((2, 5, 3),)),
        ((0,), ((2, 0),)),
    ),
    lambda x: [*_shape_errors(x), bad(ValueError, "shape", x, (4,))],
    torch=lambda t, x, shape: x.expand(shape),
)
SLICE = move(
    "slice",
    ("start", "stop", "step"),
    (
        ((7, 5), ((1, 0), (6, 5), (2, 1))),
        ((7,), ((5,), (0,), (-2,))),
        ((7,), ((6,), (-1,), (-1,))),
        ((7,), ((3,), (3,), (1,))),
        ((7,), ((2,), (99,), (3,))),
        ((0,), ((0,), (0,), (1,))),
        ((), ((), (), ())),
    ),
    lambda x: [
        bad(ValueError, "step", x, (0, 0), (1, 1), (0, 1)),
        bad(ValueError, "start", x, (0,), (1, 1), (1, 1)),
        bad(ValueError, "stop", x, (0, 0), (1,), (1, 1)),
        bad(ValueError, "step", x, (0, 0), (1, 1), (1,)),
        bad(TypeError, "start", x, "00", (1, 1), (1, 1)),
        bad(TypeError, "stop", x, (0, 0), (1.0, 1.0), (1, 1)),
        bad((TypeError, ValueError), "stop", x, (0, 0), (2**80, 1), (1, 1)),
        bad(ValueError, "step", x, (0, 0), (1, 1), (-(2**63), 1)),
    ],
)
FLIP = move(
    "flip",
    ("axis",),
    (((3, 4), (0,)), ((3, 4), (1,)), ((3, 4), ((0, -1),)), ((5,), (0,)), ((0, 2), (0,)), ((3, 4), (None,))),
    lambda x: [*_axis_errors()(x), bad(ValueError, "axis", x, (0, 0))],
    torch=lambda t, x, axis: x.flip(
        tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    ),
)
SPLIT = move(
    "split",
    ("indices_or_sections", "axis"),
    (
        ((6, 4), (3,)),
        ((6, 4), (2, 1)),
        ((7,), ((2, 5),)),
        ((7,), ((3,), -1)),
        ((7,), ((0, 0, 7),)),
        ((0, 2), (2,)),
        ((5,), ((-2,),)),
    ),
    lambda x: [
        *_axis_errors(1)(x),
        bad(ValueError, "indices_or_sections", x, 2),
        bad(ValueError, "indices_or_sections", x, 0),
        bad(ValueError, "indices_or_sections", x, -3),
        bad(ValueError, "indices_or_sections", x, HUGE),
        bad(TypeError, "indices_or_sections", x, "3"),
        bad(TypeError, "indices_or_sections", x, None),
        bad(TypeError, "indices_or_sections", x, 1.5),
        bad((ValueError, IndexError), "axis", np.float32(1), 1),
    ],
    torch=lambda t, x, parts, axis=0: t.tensor_split(x, parts, axis),
)


def _draw_pad(rng: Rng, dtype: str) -> Sample:
    mode = ("constant", "reflect", "symmetric", "edge", "wrap")[rng.integers(5)]
    shape = tuple(int(v) for v in rng.integers(1, 7, rng.integers(1, 5)))
    widths = tuple((int(a), int(b)) for a, b in rng.integers(0, 9, (len(shape), 2)))
    return Sample((array(rng, shape, dtype), widths, 1.5 if mode == "constant" else 0, mode))


PAD = move(
    "pad",
    ("pad_width", "value", "mode"),
    (
        ((3, 4), (1,)),
        ((3, 4), (((1, 2), (0, 3)), 1)),
        ((3, 4), ((2, 1),)),
        ((0, 2), (1, 1)),
        ((5,), (((0, 0),),)),
        ((2, 3, 2), (((1, 0), (0, 0), (2, 1)),)),
        *(((3, 4), (((1, 2), (0, 3)), 0, mode)) for mode in ("reflect", "symmetric", "edge", "wrap")),
        *(
            ((2, 3, 1), (((5, 4), (0, 7), (2, 2)), 0, mode))
            for mode in ("reflect", "symmetric", "edge", "wrap")
        ),
        ((0, 2), (((0, 0), (1, 1)), 0, "reflect")),
    ),
    lambda x: [
        bad(ValueError, "pad_width", x, -1),
        bad(ValueError, "pad_width", x, ((1, 1),) * 3),
        bad(ValueError, "pad_width", x, ((1, 1), (0, -1))),
        bad((MemoryError, ValueError), "pad_width", x, HUGE),
        bad((MemoryError, ValueError), "pad_width", x, ((0, HUGE), (HUGE, 0))),
        bad(TypeError, "pad_width", x, "1"),
        bad(TypeError, "pad_width", x, None),
        bad(TypeError, "pad_width", x, 1.5),
        bad((TypeError, ValueError), "pad_width", x, ((1, 2, 3), (1, 2, 3))),
        bad(TypeError, "value", x, 1, "0"),
        bad(ValueError, "value", x, 1, 2.0, "edge"),
        bad(ValueError, "mode", x, 1, 0, "mirror"),
        bad(TypeError, "mode", x, 1, 0, None),
        bad(TypeError, "mode", x, 1, 0, 3),
        bad(ValueError, "x", x[:0], 1, 0, "edge"),
        bad((MemoryError, ValueError), "pad_width", x, HUGE, 0, "wrap"),
    ],
    big=(((1, 2), (3, 4)),),
    out=True,
    draw=_draw_pad,
)


def joining(name: str, cases: tuple[tuple[tuple[tuple[int, ...], ...], int], ...], wrong: Callable) -> Op:
    """An op of a list of arrays: ``cases`` of (shapes, axis)."""

    def errors(rng: Rng) -> list:
        a, b = array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
        return [
            bad(ValueError, "xs", []),
            bad(TypeError, "xs", None),
            bad(TypeError, "xs", 3),
            bad(TypeError, "xs", [a, None]),
            bad(TypeError, "xs", [a, "text"]),
            bad(TypeError, "xs", [a, np.ones((3, 4), complex)]),
            bad(ValueError, "xs", [a, b[:2, :2]]),
            bad(ValueError, "xs", [a, b[0]]),
            bad(IndexError, "axis", [a, b], 3),
            bad(IndexError, "axis", [a, b], -4),
            bad((IndexError, ValueError), "axis", [a, b], HUGE),
            bad(TypeError, "axis", [a, b], "0"),
            bad(TypeError, "axis", [a, b], None),
            bad(ValueError, "out", [a, b], out=np.zeros((2, 2), np.float32)),
            *wrong(a, b),
        ]

    return Op(
        name,
        ("xs", "axis"),
        ("xs",),
        lambda rng, dtype: [Sample(([array(rng, s, dtype) for s in shapes], axis)) for shapes, axis in cases],
        errors,
        getattr(ref, name),
        dtypes=ALL,
        big=lambda rng, dtype: [Sample(([array(rng, BIG, dtype) for _ in range(3)], a)) for a in (0, 1)],
        grad=(0,),
        tolerance="exact",
        torch=lambda t, xs, axis: (t.cat if name == "concatenate" else t.stack)(list(xs), axis),
        phrases=("dimensions",),
    )


CONCATENATE = joining(
    "concatenate",
    (
        (((3, 4), (2, 4)), 0),
        (((3, 4), (3, 1), (3, 2)), 1),
        (((3, 4), (3, 1)), -1),
        (((5,),), 0),
        (((0, 4), (2, 4)), 0),
        (((2, 1, 3), (2, 5, 3)), 1),
    ),
    lambda a, b: [bad(ValueError, "xs", [np.float32(1), np.float32(2)])],
)
STACK = joining(
    "stack",
    ((((3, 4), (3, 4)), 0), (((3, 4), (3, 4)), 1), (((3, 4),) * 3, -1), (((), ()), 0), (((0,), (0,)), 1)),
    lambda a, b: [bad(ValueError, "xs", [np.ones((1,) * 8), np.ones((1,) * 8)])],
)


# -- take, one_hot -----------------------------------------------------------------------------------------------------


def _ids(rng: Rng, shape: tuple[int, ...], n: int, low: int = 0) -> np.ndarray:
    return rng.integers(low, n, shape)


def _take_samples(rng: Rng, dtype: str) -> list[Sample]:
    table = array(rng, (7, 3), dtype)
    return [
        Sample((table, _ids(rng, (5,), 7), 0)),
        Sample((table, _ids(rng, (2, 4), 7, -7), 0)),
        Sample((table, _ids(rng, (5,), 3).astype(np.int32), 1)),
        Sample((table, _ids(rng, (5,), 3).astype(np.uint8), -1)),
        Sample((table, _ids(rng, (6,), 21))),
        Sample((table, 2, 0)),
        Sample((table, np.asarray(-1), 0)),
        Sample((table, np.zeros((0,), np.int64), 0)),
        Sample((array(rng, (2, 5, 3), dtype), _ids(rng, (2, 2), 5), 1)),
        Sample((array(rng, (0, 3), dtype), np.zeros((0,), np.int64), 0)),
    ]


def _take_errors(rng: Rng) -> list:
    x, i = array(rng, (7, 3), "float32"), _ids(rng, (5,), 7)
    out_of_range = (np.array([7]), np.array([-8]), np.array([2**62]), np.array([-(2**63)]), 7)
    return [
        *bad_array((x, i, 0), 0, "x"),
        *(bad(IndexError, "indices", x, ids, 0) for ids in out_of_range),
        bad(IndexError, "indices", x[:0], np.array([0]), 0),
        bad(TypeError, "indices", x, np.array([0.5]), 0),
        bad(TypeError, "indices", x, np.array([True, False]), 0),
        bad(TypeError, "indices", x, None, 0),
        bad(TypeError, "indices", x, "0", 0),
        bad(IndexError, "axis", x, i, 2),
        bad(IndexError, "axis", x, i, -3),
        bad((IndexError, ValueError), "axis", x, i, HUGE),
        bad(TypeError, "axis", x, i, "0"),
        bad((TypeError, ValueError), "out", x, i, 0, out=np.zeros((5, 3), np.int32)),
        bad(ValueError, "out", x, i, 0, out=np.zeros((5, 2), np.float32)),
    ]


def _torch_take(t, x, i, axis=None):
    i = t.as_tensor(i).long()
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis % x.ndim)
    i = t.where(i < 0, i + x.shape[axis], i)
    y = x.index_select(axis, i.reshape(-1))
    return y.reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])


TAKE = Op(
    "take",
    ("x", "indices", "axis"),
    ("x", "indices"),
    _take_samples,
    _take_errors,
    ref.take,
    dtypes=ALL,
    big=lambda rng, dtype: [Sample((array(rng, BIG, dtype), _ids(rng, (401,), 301), 0))],
    grad=(0,),
    tolerance="exact",
    torch=_torch_take,
)


def _one_hot_samples(rng: Rng, dtype: str) -> list[Sample]:
    def ids(*shape: int) -> np.ndarray:
        return np.asarray(_ids(rng, shape, 4)).astype(dtype)

    return [
        Sample((ids(5), 4)),
        Sample((ids(2, 3), 6)),
        Sample((ids(5), 4, "float64")),
        Sample((ids(5), 4), {"dtype": "int32"}),
        Sample((ids(5), 4), {"dtype": "bool"}),
        Sample((ids(0), 4)),
        Sample((ids(), 4)),
    ]


def _one_hot_errors(rng: Rng) -> list:
    ids = _ids(rng, (5,), 4)
    return [
        *bad_array((ids, 4), 0, "x"),
        bad(TypeError, "x", ids.astype(np.float32), 4),
        *(bad(IndexError, "x", np.array(wrong), 4) for wrong in ([4], [-1], [2**62], [0, -(2**63)], 7)),
        bad(IndexError, "x", ids, 0),
        bad(ValueError, "num_classes", ids, -1),
        bad((ValueError, MemoryError), "num_classes", ids, HUGE),
        bad(TypeError, "num_classes", ids, 4.5),
        bad(TypeError, "num_classes", ids, "4"),
        bad((TypeError, ValueError), "dtype", ids, 4, "nonsense"),
        bad((TypeError, ValueError), "dtype", ids, 4, "float16"),
    ]


ONE_HOT = Op(
    "one_hot",
    ("x", "num_classes", "dtype"),
    ("x",),
    _one_hot_samples,
    _one_hot_errors,
    ref.one_hot,
    dtypes=INTS,
    result="dtype",
    big=lambda rng, dtype: [Sample((_ids(rng, (30001,), 10).astype(dtype), 10))],
    tolerance="exact",
)

OPS = [
    RESHAPE, TRANSPOSE, EXPAND_DIMS, SQUEEZE, BROADCAST_TO, CONCATENATE, STACK, SPLIT, PAD, SLICE, FLIP, TAKE, ONE_HOT,
]  # fmt: skip
