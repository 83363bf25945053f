"""Records of the ops that write into their first argument."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import ALL, NOT_ARRAYS, Bad, Op, Rng, Sample, array, bad, bad_array

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


def _sgd_draw(rng: Rng, dtype: str) -> Sample:
    p, g, v = _arrays(rng, tuple(int(n) for n in rng.integers(1, 40, rng.integers(0, 3))), dtype, 3)
    settings: dict = {"lr": float(rng.uniform(0.001, 0.1)), "weight_decay": float(rng.uniform(0, 0.1))}
    if rng.random() < 0.7:
        settings |= {"momentum": 0.9, "velocity": v, "nesterov": bool(rng.random() < 0.5)}
    return Sample((p, g), settings)


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


# The rules beside SGD: their slots, whether they count steps, and other constants to try.
SETTINGS: dict[str, tuple[tuple[str, ...], bool, dict[str, float]]] = {
    "adam_update": (("m", "v"), True, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "adagrad_update": (("accumulator",), False, {"epsilon": 1e-3}),
    "adadelta_update": (("accumulated_grad", "accumulated_delta"), False, {"rho": 0.5, "epsilon": 1e-3}),
    "rmsprop_update": (("v",), False, {"rho": 0.5, "epsilon": 1e-3}),
    "adamax_update": (("m", "u"), True, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "nadam_update": (("m", "v"), True, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "lion_update": (("m",), False, {"beta_1": 0.5, "beta_2": 0.9}),
}
LIMITS = {
    "lr": (-1.0, np.nan, np.inf), "momentum": (-0.1, 1.0), "rho": (-0.1, 1.0, np.nan),
    "beta_1": (-0.1, 1.0, np.nan), "beta_2": (-0.1, 1.0), "epsilon": (-1.0, np.nan), "weight_decay": (-1.0,),
}  # fmt: skip
# Optional slots: what must be given with them.
EXTRA: dict[str, dict[str, dict[str, float]]] = {
    "adam_update": {"vhat": {}},
    "rmsprop_update": {"average": {}, "velocity": {"momentum": 0.9}},
}
STEP_ERRORS = [(ValueError, 0), (ValueError, -1), (ValueError, -(2**62)), (TypeError, "1"), (TypeError, 1.5)]


def _state(rng: Rng, dtype: str, shape: tuple[int, ...], slots: int) -> tuple[np.ndarray, ...]:
    """p, g and slots; gradients of both signs, none so small that its sign is rounding's."""
    p, *rest = _arrays(rng, shape, dtype, 1 + slots)
    g = array(rng, shape, dtype, 0.1, 1) * np.where(rng.random(shape) < 0.5, -1, 1).astype(dtype)
    return (p, g.astype(dtype), *rest)


def _rule(name: str, params: tuple[str, ...], torch=None) -> Op:
    slots, counts, other = SETTINGS[name]
    extra = EXTRA.get(name, {})

    def call(rng: Rng, dtype: str, shape: tuple[int, ...], step: int = 1) -> tuple:
        return (*_state(rng, dtype, shape, len(slots)), *((step,) if counts else ()))

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        made = [Sample(call(rng, dtype, s, 1 + i)) for i, s in enumerate(SHAPES)]
        made.append(Sample(call(rng, dtype, (3, 5), 1000), {"lr": 0.1, **other}))
        made.append(Sample(call(rng, dtype, (3, 5), 3), {"weight_decay": 0.1}))
        for slot, needs in extra.items():
            made.append(
                Sample(call(rng, dtype, (3, 5), 2), {slot: array(rng, (3, 5), dtype, 0.1, 1), **needs})
            )
        if "decoupled" in params:
            made.append(Sample(call(rng, dtype, (3, 5), 2), {"weight_decay": 0.1, "decoupled": True}))
        return made

    def draw(rng: Rng, dtype: str) -> Sample:
        shape = tuple(int(n) for n in rng.integers(1, 40, rng.integers(0, 3)))
        kwargs: dict = {"lr": float(rng.uniform(0, 0.1))}
        for key in other:
            kwargs[key] = float(rng.uniform(1e-4, 1e-2) if key == "epsilon" else rng.uniform(0.3, 0.99))
        for slot, needs in extra.items():
            if rng.random() < 0.5:
                kwargs |= {slot: array(rng, shape, dtype, 0.1, 1), **needs}
        if rng.random() < 0.5:
            kwargs["weight_decay"] = float(rng.uniform(0, 0.1))
        if "decoupled" in params:
            kwargs["decoupled"] = bool(rng.random() < 0.5)
        return Sample(call(rng, dtype, shape, int(rng.integers(1, 50))), kwargs)

    def errors(rng: Rng) -> list[Bad]:
        args = call(rng, "float32", (3, 4))
        wrong = _state_errors(args, ("p", "g", *slots))
        wrong += _number_errors(args, **{k: v for k, v in LIMITS.items() if k in params})
        if counts:
            wrong += [bad(kind, "step", *args[:-1], step) for kind, step in STEP_ERRORS]
        if len(slots) > 1:
            wrong.append(bad(ValueError, slots, *args[:3], args[2], *args[4:]))
        for slot, needs in extra.items():
            wrong.append(bad(ValueError, (slot, "p"), *args, **{slot: args[0], **needs}))
            wrong.append(bad(TypeError, slot, *args, **{slot: "text", **needs}))
            wrong.append(bad(ValueError, slot, *args, **{slot: args[0][:2].copy(), **needs}))
        return wrong

    written = ("p", *slots, *extra)
    return Op(
        name,
        params,
        tuple(p for p in params if p in ("g", *written)),
        samples,
        errors,
        getattr(ref, name),
        big=lambda rng, dtype: [Sample(call(rng, dtype, (300_001,), 3))],
        draw=draw,
        tolerance="network",
        writes=tuple(i for i, p in enumerate(params) if p in written),
        out=False,
        torch=torch,
    )


# -- rows of a table ---------------------------------------------------------------------------------------------------


def _sparse(name: str, params: tuple[str, ...], slots: tuple[str, ...], counts: bool) -> Op:
    after = () if name == "sparse_sgd_update" else slots  # those that are always there

    def call(
        rng: Rng, dtype: str, rows: int, tail: tuple[int, ...], ids: tuple[int, ...], kind="int64"
    ) -> tuple:
        p, *state = _arrays(rng, (rows, *tail), dtype, 1 + len(after))
        chosen = rng.integers(0, rows, ids).astype(kind)
        return (p, chosen, array(rng, (*ids, *tail), dtype, -1, 1), *state, *((3,) if counts else ()))

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        made = [
            Sample(call(rng, dtype, 7, (5,), (12,))),
            Sample(call(rng, dtype, 50, (3,), (2, 4), "int32")),
            Sample(call(rng, dtype, 9, (), (6,), "uint8")),
            Sample(call(rng, dtype, 4, (2, 3), (5,)), {"lr": 0.1, "weight_decay": 0.1}),
            Sample(call(rng, dtype, 4, (3,), (0,))),
        ]
        if not after:
            v = array(rng, (7, 5), dtype)
            made.append(Sample((*call(rng, dtype, 7, (5,), (12,)), 0.1, 0.9, v)))
            made.append(Sample((*call(rng, dtype, 7, (5,), (12,)), 0.1, 0.9, v, True)))
        return made

    def draw(rng: Rng, dtype: str) -> Sample:
        tail = tuple(int(n) for n in rng.integers(1, 20, rng.integers(0, 3)))
        rows, n = int(rng.integers(1, 5000)), int(rng.integers(0, 60))
        kwargs: dict = {"lr": float(rng.uniform(0, 0.1)), "weight_decay": float(rng.uniform(0, 0.1))}
        if not after:
            kwargs |= {"momentum": 0.9, "velocity": array(rng, (rows, *tail), dtype), "nesterov": bool(n % 2)}
        return Sample(
            call(rng, dtype, rows, tail, (n,), ("uint8" if rows < 250 else "int32", "int64")[n % 2]), kwargs
        )

    def errors(rng: Rng) -> list[Bad]:
        args = call(rng, "float32", 6, (4,), (3,))
        p, ids, g, *rest = args
        nan = g.copy()
        nan[1, 1] = np.inf
        wrong = [Bad((p, ids, make(), *rest), {}, raises, ("g",)) for make, raises in NOT_ARRAYS]
        wrong += bad_array(args, 1, "ids")
        wrong += _number_errors(args, **{k: v for k, v in LIMITS.items() if k in params})
        for where in (6, -1, 2**40):
            far = ids.copy()
            far[1] = where
            wrong.append(bad(IndexError, "ids", p, far, g, *rest))
        if counts:
            wrong += [bad(kind, "step", *args[:-1], step) for kind, step in STEP_ERRORS]
        return [
            *wrong,
            bad(TypeError, "ids", p, ids.astype(np.float32), g, *rest),
            bad(ValueError, "g", p, ids, g[:2], *rest),
            bad(ValueError, "g", p, ids, g[:, :3], *rest),
            bad(TypeError, "g", p, ids, g.astype(np.float64), *rest),
            bad((ValueError, FloatingPointError), "g", p, ids, nan, *rest),
            bad(ValueError, ("p", "g"), p, ids, p[:3], *rest),
            bad(ValueError, "p", _readonly(p), ids, g, *rest),
            bad(ValueError, "p", np.array(1.0), np.zeros((), np.int64), np.ones(()), *rest),
            *(bad(ValueError, slots[0], *args[:3], args[3][:2].copy(), *args[4:]) for _ in after[:1]),
        ]

    written = ("p", *slots)
    return Op(
        name,
        params,
        tuple(p for p in params if p in ("ids", "g", *written)),
        samples,
        errors,
        getattr(ref, name),
        big=lambda rng, dtype: [Sample(call(rng, dtype, 3000, (32,), (20_000,)))],
        draw=draw,
        tolerance="network",
        writes=tuple(i for i, p in enumerate(params) if p in written),
        out=False,
    )


def _torch_sgd(t, p, g, lr=0.01, momentum=0.0, velocity=None, nesterov=False, weight_decay=0.0):
    """torch keeps -s / lr."""
    own = t.nn.Parameter(p.clone())
    own.grad = g
    kept = t.optim.SGD([own], lr, momentum, weight_decay=weight_decay, nesterov=nesterov and momentum > 0)
    if momentum:
        kept.state[own]["momentum_buffer"] = -velocity / lr
    kept.step()
    if velocity is None:
        return (own,)
    return own, -lr * kept.state[own]["momentum_buffer"] if momentum else velocity


def _torch_step(make, names):
    """One step of a torch optimizer from the slots given; ``names`` are torch's for them."""

    def twin(t, p, g, *slots, **settings):
        own = t.nn.Parameter(p.clone())
        own.grad = g.clone()
        state = [s.clone() for s in slots if isinstance(s, t.Tensor)]
        step = slots[-1] if len(slots) > len(state) else 1
        kept = make(t, own, step, settings)
        kept.state[own].update(dict(zip(names, state)), step=t.tensor(float(step - 1)))
        kept.step()
        return (own, *(kept.state[own][name] for name in names))

    return twin


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
        draw=_sgd_draw,
        tolerance="network",
        writes=(0, 4),
        out=False,
        torch=_torch_sgd,
    ),
    _rule(
        "adam_update",
        ("p", "g", "m", "v", "step", "lr", "beta_1", "beta_2", "epsilon", "weight_decay", "decoupled", "vhat"),
    ),
    _rule("adagrad_update", ("p", "g", "accumulator", "lr", "epsilon", "weight_decay")),
    _rule(
        "adadelta_update",
        ("p", "g", "accumulated_grad", "accumulated_delta", "lr", "rho", "epsilon", "weight_decay"),
        torch=_torch_step(
            lambda t, own, step, s: t.optim.Adadelta(
                [own], s.get("lr", 0.001), s.get("rho", 0.95), s.get("epsilon", 1e-7), s.get("weight_decay", 0.0)
            ),
            ("square_avg", "acc_delta"),
        ),
    ),
    _rule(
        "rmsprop_update",
        ("p", "g", "v", "lr", "rho", "momentum", "epsilon", "velocity", "average", "weight_decay"),
    ),
    _rule("adamax_update", ("p", "g", "m", "u", "step", "lr", "beta_1", "beta_2", "epsilon", "weight_decay")),
    _rule("nadam_update", ("p", "g", "m", "v", "step", "lr", "beta_1", "beta_2", "epsilon", "weight_decay")),
    _rule("lion_update", ("p", "g", "m", "lr", "beta_1", "beta_2", "weight_decay")),
    _sparse(
        "sparse_sgd_update",
        ("p", "ids", "g", "lr", "momentum", "velocity", "nesterov", "weight_decay"),
        ("velocity",),
        False,
    ),
    _sparse(
        "sparse_adam_update",
        ("p", "ids", "g", "m", "v", "step", "lr", "beta_1", "beta_2", "epsilon", "weight_decay"),
        ("m", "v"),
        True,
    ),
    _sparse(
        "sparse_adagrad_update",
        ("p", "ids", "g", "accumulator", "lr", "epsilon", "weight_decay"),
        ("accumulator",),
        False,
    ),
    _assign("assign", ref.assign),
    _assign("assign_add", ref.assign_add),
]  # fmt: skip
