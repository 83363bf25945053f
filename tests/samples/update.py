"""Records of the ops that write into their first argument."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import ALL, Bad, Op, Rng, Sample, array, bad, bad_array

SHAPES = ((), (1,), (17,), (3, 5), (0,))


def _arrays(rng: Rng, shape: tuple[int, ...], dtype: str, n: int) -> tuple[np.ndarray, ...]:
    return tuple(array(rng, shape, dtype, 0.1, 1) for _ in range(n))


def _readonly(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def _sgd_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = [Sample(_arrays(rng, s, dtype, 2)) for s in SHAPES]
    p, g, v = _arrays(rng, (3, 5), dtype, 3)
    return [
        *calls,
        Sample((p, g), {"lr": 0.1, "weight_decay": 0.01}),
        Sample((p, g), {"lr": 0.1, "momentum": 0.9, "velocity": v}),
        Sample((p, g, 0.1, 0.9, v), {"nesterov": True}),
        Sample((p, g, 0.0)),
    ]


def _state_errors(args: tuple, names: tuple[str, ...]) -> list[Bad]:
    """What may be wrong with arrays that must agree: kind, shape, dtype, write access, sharing."""
    wrong: list[Bad] = []
    for i, name in enumerate(names):

        def swap(value: object, i: int = i) -> tuple:
            return (*args[:i], value, *args[i + 1 :])

        wrong += bad_array(args, i, name)
        wrong.append(bad(ValueError, (name, "p"), *swap(args[i][:2])))
        wrong.append(bad(TypeError, (name, "p"), *swap(args[i].astype(np.float64))))
        wrong.append(bad(TypeError, (name, "p"), *swap(args[i].tolist())))
        if name != "g":
            wrong.append(bad(ValueError, name, *swap(_readonly(args[i]))))
            wrong.append(bad(ValueError, name, *swap(np.repeat(args[i], 2, 1)[:, ::2])))
    wrong.append(bad(ValueError, ("g", "p"), args[0], args[0], *args[2:]))
    nan = args[1].copy()
    nan[1, 1] = np.nan
    wrong.append(bad((ValueError, FloatingPointError), "g", args[0], nan, *args[2:]))
    return wrong


def _number_errors(args: tuple, **limits: tuple) -> list[Bad]:
    wrong = []
    for name, values in limits.items():
        wrong += [bad(ValueError, name, *args, **{name: v}) for v in values]
        wrong.append(bad(TypeError, name, *args, **{name: "0.5"}))
    return wrong


def _sgd_errors(rng: Rng) -> list[Bad]:
    p, g, v = _arrays(rng, (3, 4), "float32", 3)
    whole = np.zeros((4, 4), np.float32)
    return [
        *_state_errors((p, g), ("p", "g")),
        *_number_errors(
            (p, g), lr=(-1.0, np.nan, np.inf), momentum=(-0.1, 1.0, np.nan), weight_decay=(-1.0, np.nan)
        ),
        bad(ValueError, "velocity", p, g, momentum=0.9),
        bad(ValueError, "velocity", p, g, 0.1, 0.9, v[:2]),
        bad(TypeError, "velocity", p, g, 0.1, 0.9, v.astype(np.float64)),
        bad(TypeError, "velocity", p, g, 0.1, 0.9, "text"),
        bad(ValueError, "velocity", p, g, 0.1, 0.9, _readonly(v)),
        bad(ValueError, ("velocity", "p"), p, g, 0.1, 0.9, p),
        bad(ValueError, ("p", "g"), whole[:3], whole[1:]),
        bad(TypeError, "p", p.astype(np.int64), g.astype(np.int64)),
    ]


def _adam_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = [Sample((*_arrays(rng, s, dtype, 4), 1)) for s in SHAPES]
    state = _arrays(rng, (3, 5), dtype, 4)
    return [
        *calls,
        Sample((*state, 7, 0.1)),
        Sample((*state, 2), {"weight_decay": 0.1}),
        Sample((*state, 2), {"weight_decay": 0.1, "decoupled": True}),
        Sample((*state, 1000), {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    ]


def _adam_errors(rng: Rng) -> list[Bad]:
    args = _arrays(rng, (3, 4), "float32", 4)
    return [
        *_state_errors((*args, 1), ("p", "g", "m", "v")),
        *_number_errors(
            (*args, 1),
            lr=(-1.0, np.nan),
            beta_1=(-0.1, 1.0, np.nan),
            beta_2=(-0.1, 1.0),
            epsilon=(-1.0, np.nan),
            weight_decay=(-1.0,),
        ),
        *(bad(ValueError, "step", *args, s) for s in (0, -1, -(2**62))),
        *(bad(TypeError, "step", *args, s) for s in ("1", 1.5, None)),
        bad(ValueError, ("m", "v"), *args[:3], args[2], 1),
    ]


def _assign_samples(rng: Rng, dtype: str) -> list[Sample]:
    pairs = [
        ((), ()),
        ((17,), (17,)),
        ((3, 5), (5,)),
        ((3, 5), ()),
        ((2, 3, 4), (3, 1)),
        ((0,), (0,)),
        ((0, 3), (3,)),
    ]
    return [Sample((array(rng, a, dtype), array(rng, b, dtype))) for a, b in pairs]


def _assign_errors(rng: Rng) -> list[Bad]:
    x, y = array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
    return [
        *bad_array((x, y), 0, "dst"),
        *bad_array((x, y), 1, "value"),
        bad(ValueError, "value", x, y[:2]),
        bad(ValueError, "value", x, np.zeros((2, 3, 4), np.float32)),
        bad(ValueError, "value", x[:, :3], y),
        bad(ValueError, "dst", _readonly(x), y),
        bad(TypeError, "dst", [1.0, 2.0], 1.0),
        bad(TypeError, "value", x.astype(np.int32), y),
        bad(TypeError, "value", x.astype(bool), y),
    ]


def _assign(name: str, reference, dtypes: tuple[str, ...] = ALL) -> Op:
    return Op(
        name,
        ("dst", "value"),
        ("dst", "value"),
        _assign_samples,
        _assign_errors,
        reference,
        dtypes=dtypes,
        big=lambda rng, dtype: [Sample((array(rng, (301, 997), dtype), array(rng, (997,), dtype)))],
        tolerance="elementwise",
        writes=(0,),
        out=False,
    )


OPS = [
    Op(
        "sgd_update",
        ("p", "g", "lr", "momentum", "velocity", "nesterov", "weight_decay"),
        ("p", "g", "velocity"),
        _sgd_samples,
        _sgd_errors,
        ref.sgd_update,
        big=lambda rng, dtype: [Sample((*_arrays(rng, (300_001,), dtype, 2), 0.1))],
        tolerance="network",
        writes=(0, 4),
        out=False,
    ),
    Op(
        "adam_update",
        (
            "p", "g", "m", "v", "step", "lr", "beta_1", "beta_2", "epsilon", "weight_decay", "decoupled",
        ),
        ("p", "g", "m", "v"),
        _adam_samples,
        _adam_errors,
        ref.adam_update,
        big=lambda rng, dtype: [Sample((*_arrays(rng, (300_001,), dtype, 4), 3))],
        tolerance="network",
        writes=(0, 2, 3),
        out=False,
    ),
    _assign("assign", ref.assign),
    _assign("assign_add", ref.assign_add),
]  # fmt: skip
