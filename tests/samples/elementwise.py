"""Records of the elementwise ops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pylearn import reference as ref

from .record import FLOATS, NUMBERS, Op, Rng, Sample, array, away_from, bad, bad_array, bad_out

SHAPES = ((), (1,), (5,), (17,), (3, 5), (2, 3, 4), (0,), (3, 0, 2))
TAILS = tuple(range(1, 68))
BIG = (3, 40961)  # several chunks on any number of threads
SPECIAL = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.5,
    -2.5,
    np.inf,
    -np.inf,
    np.nan,
    1e-30,
    -1e-30,
    1e-42,
    70.0,
    -70.0,
    1e4,
    -1e4,
)


def special(dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return np.array(SPECIAL, dtype)
    if dtype == "bool":
        return np.array([False, True])
    ends = np.iinfo(dtype)
    return np.array([ends.min, ends.min + 1, 0, 1, 2, 7, ends.max - 1, ends.max], dtype)


def unary(
    name: str,
    low: float = -2.0,
    high: float = 2.0,
    *,
    dtypes: tuple[str, ...] = FLOATS,
    result: str = "float",
    kinks: tuple[float, ...] = (),
    grad: bool = True,
    second: bool = True,
    tolerance: str = "elementwise",
    torch: Callable | None = None,
    extremes: bool = True,
    params: tuple[tuple[str, float], ...] = (),
) -> Op:
    """An op of one array, with numbers as further parameters: (name, a value that is not the default)."""

    def one(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        x = array(rng, shape, dtype, low, high)
        return away_from(x, *kinks) if x.dtype.kind == "f" else x

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        plain = [Sample((one(rng, shape, dtype),)) for shape in SHAPES]
        return plain + [Sample((one(rng, (7,), dtype),), {p: v}) for p, v in params]

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((one(rng, (n,), dtype),)) for n in TAILS]
        return calls + ([Sample((special(dtype),))] if extremes else [])

    def errors(rng: Rng) -> list:
        x = array(rng, (3, 4), "float32", max(low, -1), high)
        like = np.zeros((3, 4), np.bool_ if result == "bool" else np.float32)
        wrong = [*bad_array((x,), 0, "x"), *bad_out((x,), like)]
        wrong += [bad(TypeError, p, x, **{p: "text"}) for p, _ in params]
        return wrong + [bad(TypeError, (name,)), bad(TypeError, (name, "wrong"), x, wrong=1)]

    return Op(
        name,
        ("x", *(p for p, _ in params)),
        ("x",),
        samples,
        errors,
        getattr(ref, name),
        dtypes=dtypes,
        result=result,
        more=more,
        big=lambda rng, dtype: [Sample((one(rng, BIG, dtype),))],
        grad=(0,) if grad else (),
        second=second,
        torch=torch,
        tolerance=tolerance,
    )


def binary(
    name: str,
    first: tuple[float, float] = (-2.0, 2.0),
    then: tuple[float, float] = (-2.0, 2.0),
    *,
    dtypes: tuple[str, ...] = FLOATS,
    result: str = "same",
    apart: float = 0.0,
    avoid: tuple[float, ...] = (),
    grad: tuple[int, ...] = (0, 1),
    tolerance: str = "elementwise",
    torch: Callable | None = None,
    extremes: tuple[str, ...] = NUMBERS,
) -> Op:
    """An op of two arrays that broadcast. ``apart``: the least distance between the two, for kinks at x1 = x2."""

    def two(rng: Rng, a: tuple[int, ...], b: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
        x1, x2 = array(rng, a, dtype, *first), away_from(array(rng, b, dtype, *then), *avoid)
        if apart and x1.dtype.kind == "f" and a == b:
            x1 = np.where(np.abs(x1 - x2) < apart, x2 + np.asarray(2 * apart, dtype), x1).astype(dtype)
        return x1, x2

    pairs = [((), ()), ((1,), (1,)), ((17,), (17,)), ((3, 5), (3, 5)), ((0,), (0,)), ((3, 0, 2), (3, 0, 2))]
    if not apart:
        pairs += [
            ((3, 5), (5,)),
            ((3, 1), (1, 4)),
            ((4,), ()),
            ((), (2, 3)),
            ((2, 1, 3), (4, 1)),
            ((3, 0), (1,)),
        ]

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        return [Sample(two(rng, a, b, dtype)) for a, b in pairs]

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample(two(rng, (n,), (n,), dtype)) for n in TAILS]
        calls += [
            Sample(two(rng, a, b, dtype))
            for a, b in [((3, 5), (5,)), ((33, 1), (1, 35)), ((7,), ()), ((), (7,))]
        ]
        s = special(dtype)
        return calls + ([Sample((s[:, None].copy(), s[None, :].copy()))] if dtype in extremes else [])

    def errors(rng: Rng) -> list:
        a, b = two(rng, (3, 4), (3, 4), "float32")
        like = np.zeros((3, 4), np.bool_ if result == "bool" else np.float32)
        wrong = [*bad_array((a, b), 0, "x1"), *bad_array((a, b), 1, "x2"), *bad_out((a, b), like)]
        return [
            *wrong,
            bad(ValueError, ("x1", "x2", "broadcast"), a, b[:, :3]),
            bad(ValueError, ("x1", "x2", "broadcast"), a, b[:2]),
            bad(ValueError, "out", a, b[0], out=np.zeros((4,), like.dtype)),
            bad(TypeError, (name, "x2"), a),
            bad(TypeError, (name, "wrong"), a, b, wrong=1),
        ]

    return Op(
        name,
        ("x1", "x2"),
        ("x1", "x2"),
        samples,
        errors,
        getattr(ref, name),
        dtypes=dtypes,
        result=result,
        more=more,
        big=lambda rng, dtype: [Sample(two(rng, BIG, BIG, dtype)), Sample(two(rng, BIG, BIG[1:], dtype))],
        grad=grad,
        tolerance=tolerance,
        torch=torch,
        phrases=("broadcast",),
    )
