"""Records of the reductions and of cumsum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pylearn import reference as ref

from .elementwise import TAILS
from .record import ALL, FLOATS, NUMBERS, Op, Rng, Sample, array, bad, bad_array, bad_out, distinct

AXES: tuple[tuple[tuple[int, ...], object], ...] = (
    ((), None),
    ((17,), None),
    ((17,), 0),
    ((3, 5), None),
    ((3, 5), 0),
    ((3, 5), -1),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), (2, 1)),
    ((2, 3, 4), 1),
    ((2, 3, 4), (0, 1, 2)),
    ((2, 1, 4), 1),
)
EMPTY: tuple[tuple[tuple[int, ...], object], ...] = (
    ((0,), None),
    ((3, 0), 1),
    ((0, 3), 1),
    ((2, 0, 3), (0, 2)),
)


def _axis_errors(x: np.ndarray, several: bool, keepdims: bool = True) -> list:
    wrong = [
        bad(IndexError, "axis", x, axis=2),
        bad(IndexError, "axis", x, axis=-3),
        bad((IndexError, ValueError), "axis", x, axis=2**62),
        bad((IndexError, ValueError, TypeError), "axis", x, axis=2**80),
        bad(TypeError, "axis", x, axis="0"),
        bad(TypeError, "axis", x, axis=0.5),
        bad(TypeError, "axis", x, axis=x),
    ]
    if several:
        wrong += [bad(ValueError, "axis", x, axis=(0, 0)), bad(TypeError, "axis", x, axis=(0, None))]
    else:
        wrong += [bad(TypeError, "axis", x, axis=(0, 1))]
    return wrong + ([bad(TypeError, "keepdims", x, keepdims="yes")] if keepdims else [])


def reduction(
    name: str,
    *,
    dtypes: tuple[str, ...] = NUMBERS,
    result: str = "same",
    empty: bool = True,
    several: bool = True,
    make: Callable[[Rng, tuple[int, ...], str], np.ndarray] = array,
    grad: bool = True,
    tolerance: str = "sum",
    torch: Callable | None = None,
    specials: bool = False,
    ddof: bool = False,
) -> Op:
    """``empty``: defined of nothing. ``several``: takes more than one axis."""

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        cases = [(shape, axis) for shape, axis in AXES if several or not isinstance(axis, tuple)]
        cases += [(s, a) for s, a in EMPTY if empty and (several or not isinstance(a, tuple))] + [((0, 3), 1)]
        # the root of a variance of 0 has no slope
        calls = [
            Sample(
                (make(rng, shape, dtype),),
                {"axis": axis},
                smooth=name != "std" or shape not in ((), (2, 1, 4)),
            )
            for shape, axis in cases
        ]
        calls.append(Sample((make(rng, (3, 5), dtype),), {"axis": 0, "keepdims": True}))
        calls.append(Sample((make(rng, (3, 5), dtype),), {"keepdims": True}))
        if ddof:
            calls.append(Sample((make(rng, (3, 5), dtype), -1), {"ddof": 1}))
        return calls

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((make(rng, (n,), dtype),)) for n in (*TAILS, 128, 129, 1000, 4097)]
        calls += [Sample((make(rng, (n, 3), dtype),), {"axis": 0}) for n in TAILS]
        calls += [Sample((make(rng, (3, n), dtype),), {"axis": 1}) for n in TAILS]
        calls += [
            Sample((make(rng, s, dtype),), {"axis": 1}) for s in ((2, 300, 5), (3, 70, 67), (5, 2, 130))
        ]
        if specials and dtype in FLOATS:
            x = make(rng, (6, 9), dtype)
            x[0, 3], x[1, 8], x[2, 0], x[3, 4], x[3, 5] = np.nan, np.inf, -np.inf, np.inf, -np.inf
            x[4] = -np.inf
            calls += [Sample((x,), {"axis": a}) for a in (None, 0, 1)]
        return calls

    def big(rng: Rng, dtype: str) -> list[Sample]:
        calls = [
            Sample((make(rng, (300_001,), dtype),)),
            Sample((make(rng, (301, 997), dtype),), {"axis": 0}),
        ]
        return [*calls, Sample((make(rng, (301, 997), dtype),), {"axis": 1})]

    def errors(rng: Rng) -> list:
        x = array(rng, (3, 4), "float32")
        out = np.zeros(
            (3,), getattr(ref, name)(x, axis=1).dtype if result in ("bool", "int64") else np.float32
        )
        wrong = [*bad_array((x,), 0, "x"), *_axis_errors(x, several)]
        wrong += [type(b)(b.args, {**b.kwargs, "axis": 1}, b.raises, b.names) for b in bad_out((x,), out)]
        if not empty:
            wrong += [bad(ValueError, "x", x[:0]), bad(ValueError, "x", x[:0], axis=0)]
        if ddof:
            wrong.append(bad(TypeError, "ddof", x, ddof="1"))
        return wrong

    return Op(
        name,
        ("x", "axis", *(("ddof",) if ddof else ()), "keepdims"),
        ("x",),
        samples,
        errors,
        getattr(ref, name),
        dtypes=dtypes,
        result=result,
        more=more,
        big=big,
        grad=(0,) if grad else (),
        tolerance=tolerance,
        torch=torch,
        same_bits=result in ("bool", "int64") or name in ("max", "min"),
    )


def _torch(f: Callable) -> Callable:
    """A torch reduction that wants its axes named and positive in number."""

    def call(t, x, axis=None, keepdims=False, **kwargs):
        axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return f(t, x, axes, keepdims, **kwargs) if x.ndim else f(t, x[None], (0,), False, **kwargs)

    return call


def _near_one(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return array(rng, shape, dtype, 0.95, 1.05) if dtype in FLOATS else array(rng, shape, dtype, 1, 1)


def _cumsum_samples(rng: Rng, dtype: str) -> list[Sample]:
    cases = [
        ((), None),
        ((17,), None),
        ((3, 5), None),
        ((3, 5), 0),
        ((3, 5), -1),
        ((2, 3, 4), 1),
        ((0,), 0),
        ((3, 0), 1),
    ]
    return [Sample((array(rng, s, dtype),), {"axis": a}) for s, a in cases]


def _cumsum_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    wrong = [*bad_array((x,), 0, "x"), *_axis_errors(x, False, keepdims=False)]
    return wrong + [
        bad(TypeError, ("cumsum", "wrong"), x, wrong=1),
        bad(ValueError, "out", x, axis=0, out=x[0]),
    ]


OPS = [
    reduction("sum", dtypes=ALL, result="sum", specials=True, torch=_torch(lambda t, x, a, k: x.sum(a, k))),
    reduction("mean", dtypes=ALL, result="float", specials=True, torch=_torch(lambda t, x, a, k: x.mean(a, k))),
    reduction("prod", dtypes=ALL, result="sum", make=_near_one, tolerance="network"),
    reduction("max", dtypes=ALL, empty=False, make=distinct, tolerance="exact", specials=True,
              torch=_torch(lambda t, x, a, k: x.amax(a, k))),
    reduction("min", dtypes=ALL, empty=False, make=distinct, tolerance="exact", specials=True,
              torch=_torch(lambda t, x, a, k: x.amin(a, k))),
    reduction("any", dtypes=ALL, result="bool", grad=False, specials=True),
    reduction("all", dtypes=ALL, result="bool", grad=False, specials=True),
    reduction("logsumexp", dtypes=ALL, result="float", specials=True,
              torch=_torch(lambda t, x, a, k: t.logsumexp(x, a, k))),
    reduction("argmax", dtypes=ALL, result="int64", empty=False, several=False, grad=False, specials=True),
    reduction("argmin", dtypes=ALL, result="int64", empty=False, several=False, grad=False, specials=True),
    reduction("var", dtypes=ALL, result="float", ddof=True, specials=True,
              torch=_torch(lambda t, x, a, k, ddof=0: t.var(x, a, correction=ddof, keepdim=k))),
    reduction("std", dtypes=ALL, result="float", ddof=True, specials=True, make=distinct, tolerance="network"),
    Op(
        "cumsum",
        ("x", "axis"),
        ("x",),
        _cumsum_samples,
        _cumsum_errors,
        ref.cumsum,
        dtypes=ALL,
        result="sum",
        more=lambda rng, dtype: [Sample((array(rng, s, dtype),), {"axis": 0}) for s in ((1000,), (67, 33), (3, 1001))],
        big=lambda rng, dtype: [Sample((array(rng, (301, 997), dtype),), {"axis": a}) for a in (0, 1, None)],
        grad=(0,),
        tolerance="sum",
        same_bits=False,
        torch=lambda t, x, axis=None: x.reshape(-1).cumsum(0) if axis is None else x.cumsum(axis),
    ),
]  # fmt: skip
