"""The ops of one and of two arrays, one line each; choice, casts and copies."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .elementwise import BIG, SHAPES, TAILS, binary, special, unary
from .record import ALL, FLOATS, INTS, NUMBERS, Op, Rng, Sample, array, away_from, bad, bad_array, bad_out

UNARY = [
    unary("negative", dtypes=NUMBERS, result="same", torch=lambda t, x: -x),
    unary("abs", dtypes=ALL, result="same", kinks=(0,), torch=lambda t, x: x.abs()),
    unary("sign", dtypes=NUMBERS, result="same", kinks=(0,), torch=lambda t, x: x.sign()),
    unary("square", dtypes=NUMBERS, result="same", torch=lambda t, x: x.square()),
    unary("sqrt", 0.1, 3, torch=lambda t, x: x.sqrt()),
    unary("rsqrt", 0.1, 3, torch=lambda t, x: x.rsqrt()),
    unary("reciprocal", 0.2, 3, torch=lambda t, x: x.reciprocal()),
    unary("exp", dtypes=ALL, torch=lambda t, x: x.exp()),
    unary("expm1", torch=lambda t, x: x.expm1()),
    unary("log", 0.1, 3, dtypes=NUMBERS, torch=lambda t, x: x.log()),
    unary("log1p", -0.9, 3, torch=lambda t, x: x.log1p()),
    unary("log2", 0.1, 3, torch=lambda t, x: x.log2()),
    unary("log10", 0.1, 3, torch=lambda t, x: x.log10()),
    unary("sin", -9, 9, torch=lambda t, x: x.sin()),
    unary("cos", -9, 9, torch=lambda t, x: x.cos()),
    unary("tan", -1.3, 1.3, torch=lambda t, x: x.tan()),
    unary("arcsin", -0.9, 0.9, torch=lambda t, x: x.asin()),
    unary("arccos", -0.9, 0.9, torch=lambda t, x: x.acos()),
    unary("arctan", torch=lambda t, x: x.atan()),
    unary("sinh", torch=lambda t, x: x.sinh()),
    unary("cosh", torch=lambda t, x: x.cosh()),
    unary("tanh", torch=lambda t, x: x.tanh()),
    unary("sigmoid", -5, 5, dtypes=ALL, torch=lambda t, x: x.sigmoid()),
    unary("softplus", -5, 5, torch=lambda t, x: t.nn.functional.softplus(x, threshold=50)),
    unary("relu", dtypes=NUMBERS, result="same", kinks=(0,), torch=lambda t, x: x.relu()),
    unary(
        "elu",
        kinks=(0,),
        params=(("alpha", 0.5),),
        torch=lambda t, x, alpha=1.0: t.nn.functional.elu(x, alpha),
    ),
    unary("selu", kinks=(0,), torch=lambda t, x: t.nn.functional.selu(x)),
    unary("silu", -5, 5, torch=lambda t, x: t.nn.functional.silu(x)),
    unary(
        "gelu",
        -5,
        5,
        tolerance="special",  # the approximation's tail cancels, as its formula does
        params=(("approximate", True),),
        torch=lambda t, x, approximate=False: t.nn.functional.gelu(
            x, approximate="tanh" if approximate else "none"
        ),
    ),
    unary(
        "leaky_relu",
        kinks=(0,),
        params=(("negative_slope", 0.03),),
        torch=lambda t, x, negative_slope=0.2: t.nn.functional.leaky_relu(x, negative_slope),
    ),
    unary("hard_sigmoid", -5, 5, kinks=(-3, 3), torch=lambda t, x: (x / 6 + 0.5).clamp(0, 1)),
    unary("softsign", kinks=(0,), torch=lambda t, x: t.nn.functional.softsign(x)),
    unary("erf", torch=lambda t, x: x.erf()),
    unary("erfc", torch=lambda t, x: x.erfc()),
    # a cancelling zero at 1 and 2
    unary("lgamma", 0.1, 9, second=False, tolerance="special", torch=lambda t, x: x.lgamma()),
    # its own gradient, the trigamma function, is refused
    unary("digamma", 0.1, 9, grad=False, tolerance="special"),
    unary("floor", dtypes=NUMBERS, result="same", kinks=(-2, -1, 0, 1, 2), torch=lambda t, x: x.floor()),
    unary("ceil", dtypes=NUMBERS, result="same", kinks=(-2, -1, 0, 1, 2), torch=lambda t, x: x.ceil()),
    unary("round", dtypes=NUMBERS, result="same", kinks=(-1.5, -0.5, 0.5, 1.5), torch=lambda t, x: x.round()),
    unary("trunc", dtypes=NUMBERS, result="same", kinks=(-2, -1, 0, 1, 2), torch=lambda t, x: x.trunc()),
    unary("isnan", dtypes=ALL, result="bool", grad=False),
    unary("isinf", dtypes=ALL, result="bool", grad=False),
    unary("isfinite", dtypes=ALL, result="bool", grad=False),
    unary("logical_not", dtypes=ALL, result="bool", grad=False),
]

TRUTHS = (
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor",
)  # fmt: skip
BINARY = [
    binary("add", dtypes=ALL, torch=lambda t, a, b: a + b),
    binary("subtract", dtypes=NUMBERS, torch=lambda t, a, b: a - b),
    binary("multiply", dtypes=ALL, torch=lambda t, a, b: a * b),
    binary("divide", dtypes=ALL, result="float", avoid=(0,), torch=lambda t, a, b: a / b),
    binary("floor_divide", then=(0.6, 3), dtypes=NUMBERS, grad=()),
    binary("remainder", (0.1, 0.5), (0.6, 2), dtypes=NUMBERS, torch=lambda t, a, b: t.remainder(a, b)),
    binary("power", (0.2, 2), (0, 3), dtypes=NUMBERS, extremes=FLOATS, torch=lambda t, a, b: a**b),
    binary("maximum", dtypes=ALL, apart=0.05, torch=lambda t, a, b: t.maximum(a, b)),
    binary("minimum", dtypes=ALL, apart=0.05, torch=lambda t, a, b: t.minimum(a, b)),
    binary("arctan2", avoid=(0,), result="float", torch=lambda t, a, b: t.atan2(a, b)),
    binary("hypot", (0.2, 2), (0.2, 2), result="float", torch=lambda t, a, b: t.hypot(a, b)),
    # the zero of log(e^a + e^b) cancels
    binary("logaddexp", result="float", tolerance="special", torch=lambda t, a, b: t.logaddexp(a, b)),
    binary("fmod", (0.1, 0.5), (0.6, 2), dtypes=NUMBERS, torch=lambda t, a, b: t.fmod(a, b)),
    binary("copysign", (0.1, 2), avoid=(0,), result="float", torch=lambda t, a, b: t.copysign(a, b)),
    *(binary(name, dtypes=ALL, result="bool", grad=()) for name in TRUTHS),
]


# -- where, clip, cast, copy, stop_gradient ----------------------------------------------------------------------------


def _where_samples(rng: Rng, dtype: str) -> list[Sample]:
    shapes = [
        ((), (), ()),
        ((17,), (17,), (17,)),
        ((3, 1), (1, 4), (4,)),
        ((5,), (3, 5), ()),
        ((0,), (0,), (1,)),
    ]
    return [Sample((array(rng, c, "bool"), array(rng, a, dtype), array(rng, b, dtype))) for c, a, b in shapes]


def _where_errors(rng: Rng) -> list:
    c, a, b = array(rng, (3, 4), "bool"), array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
    return [
        *bad_array((c, a, b), 0, "condition"),
        *bad_array((c, a, b), 1, "x1"),
        *bad_array((c, a, b), 2, "x2"),
        *bad_out((c, a, b), a),
        bad(TypeError, "condition", a, a, b),
        bad(ValueError, ("condition", "broadcast"), c[:2], a, b),
        bad(ValueError, ("x1", "broadcast"), c, a[:, :3], b),
    ]


def _clip_samples(rng: Rng, dtype: str) -> list[Sample]:
    x = away_from(array(rng, (3, 5), dtype), -1, 1) if dtype in FLOATS else array(rng, (3, 5), dtype)
    low, high = np.asarray(-1, dtype) if dtype != "uint8" else np.asarray(0, dtype), np.asarray(1, dtype)
    rows = np.full((5,), 1, dtype)
    python = (0, 1) if dtype == "uint8" else (-1, 1)
    return [
        Sample((x, *python)),
        Sample((x, low, high)),
        Sample((x,), {"min": low}),
        Sample((x,), {"max": rows}),
        Sample((x[:0], low, high)),
        Sample((np.asarray(x[1, 2]), low, high)),
    ]


def _clip_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    return [
        *bad_array((x, 0.0, 1.0), 0, "x"),
        *bad_array((x, 0.0, 1.0), 1, "min", optional=True),
        *bad_array((x, 0.0, 1.0), 2, "max", optional=True),
        *bad_out((x, 0.0, 1.0), x),
        bad(ValueError, ("min", "max"), x),
        bad(ValueError, ("min", "broadcast"), x, np.zeros(3, np.float32)),
    ]


def _cast_samples(rng: Rng, dtype: str) -> list[Sample]:
    shapes = ((), (17,), (3, 5), (0,))
    return [Sample((array(rng, s, dtype, -9, 9), to)) for to in ALL for s in shapes]


def _cast_more(rng: Rng, dtype: str) -> list[Sample]:
    ends = special(dtype)
    if dtype in FLOATS:
        ends = np.concatenate(
            [ends, np.array([254.9, 255, 256, -0.9, 2**31 - 1, 2**31, -(2**31), 9e18, 1e19, -1e19], dtype)]
        )
    return [Sample((ends, to)) for to in ALL] + [
        Sample((array(rng, n, dtype, -99, 99), to)) for n in TAILS for to in ALL
    ]


def _cast_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    kinds = ("int16", "float16", "complex64", "nonsense", "U3", object, 7, np.ones(2), [], "datetime64[D]")
    return [
        *bad_array((x, "int32"), 0, "x"),
        *bad_out((x, "float32"), x),
        *(bad((TypeError, ValueError), "dtype", x, k) for k in kinds),
        bad(TypeError, ("cast", "dtype"), x),
    ]


def _copy_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [Sample((array(rng, s, dtype),)) for s in SHAPES]


def _copy_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    return [*bad_array((x,), 0, "x"), *bad_out((x,), x)]


def _no_out_errors(rng: Rng) -> list:
    return list(bad_array((array(rng, (3, 4), "float32"),), 0, "x"))


def _big(rng: Rng, dtype: str) -> list[Sample]:
    return [Sample((array(rng, BIG, dtype),))]


OTHERS = [
    Op(
        "where",
        ("condition", "x1", "x2"),
        ("condition", "x1", "x2"),
        _where_samples,
        _where_errors,
        ref.where,
        dtypes=ALL,
        big=lambda rng, dtype: [
            Sample((array(rng, BIG, "bool"), array(rng, BIG, dtype), array(rng, BIG[1:], dtype)))
        ],
        grad=(1, 2),
        tolerance="exact",
        torch=lambda t, c, a, b: t.where(c, a, b),
        phrases=("broadcast",),
    ),
    Op(
        "clip",
        ("x", "min", "max"),
        ("x",),
        _clip_samples,
        _clip_errors,
        ref.clip,
        dtypes=NUMBERS,
        big=lambda rng, dtype: [Sample((array(rng, BIG, dtype), 0, 1))],
        grad=(0,),
        tolerance="exact",
        torch=lambda t, x, min=None, max=None: t.clip(x, min, max),
        phrases=("broadcast",),
    ),
    Op(
        "cast",
        ("x", "dtype"),
        ("x",),
        _cast_samples,
        _cast_errors,
        ref.cast,
        dtypes=ALL,
        result="dtype",
        more=_cast_more,
        big=lambda rng, dtype: [Sample((array(rng, BIG, dtype), to)) for to in INTS],
        tolerance="exact",
    ),
    Op(
        "copy",
        ("x",),
        ("x",),
        _copy_samples,
        _copy_errors,
        ref.copy,
        dtypes=ALL,
        big=_big,
        grad=(0,),
        tolerance="exact",
        torch=lambda t, x: x.clone(),
    ),
    Op(
        "stop_gradient",
        ("x",),
        ("x",),
        _copy_samples,
        _no_out_errors,
        ref.stop_gradient,
        dtypes=ALL,
        tolerance="exact",
        out=False,
    ),
]

OPS = [*UNARY, *BINARY, *OTHERS]
