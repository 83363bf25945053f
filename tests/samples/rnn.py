"""Records of the recurrent ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array

ACTIVATIONS = (
    "tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "selu", "softplus", "exponential", None,
)  # fmt: skip
ROUGH = ("relu", "hard_sigmoid", "elu", "selu")  # kinks in the value or the slope
GROWING = ("exponential",)  # for single steps only: a few more and float32 overflows
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}

# batch, steps, features, hidden
SIZES = ((2, 3, 3, 4), (1, 1, 1, 1), (3, 4, 2, 5))
EMPTY = ((0, 2, 3, 2), (2, 0, 3, 2), (2, 2, 0, 3), (2, 2, 3, 0))

# -- calls -------------------------------------------------------------------------------------------------------------


def _sequence(
    rng: Rng, kind: str, sizes: tuple[int, ...], dtype: str, reset_after: bool = True
) -> tuple[np.ndarray, ...]:
    """x, w, u, b, h (, c): weights small enough that no state grows."""
    batch, steps, features, hidden = sizes
    wide = GATES[kind] * hidden
    bias = (2, wide) if kind == "gru" and reset_after else (wide,)
    scale = 1 / max(hidden, 4) ** 0.5
    values = [
        array(rng, (batch, steps, features), dtype, -1, 1),
        array(rng, (features, wide), dtype, -1, 1) * np.asarray(1 / max(features, 1) ** 0.5, dtype),
        array(rng, (hidden, wide), dtype, -scale, scale),
        array(rng, bias, dtype, -0.5, 0.5),
        *(array(rng, (batch, hidden), dtype, -1, 1) for _ in range(2 if kind == "lstm" else 1)),
    ]
    return tuple(values)


def _options(
    kind: str, activation: str | None = "tanh", recurrent: str | None = "sigmoid", **more: Any
) -> dict:
    return {
        "activation": activation,
        **({} if kind == "simple_rnn" else {"recurrent_activation": recurrent}),
        **more,
    }


def _smooth(options: dict) -> bool:
    return not {options.get("activation"), options.get("recurrent_activation")} & set(ROUGH)


def _sequence_samples(kind: str):
    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample(_sequence(rng, kind, sizes, dtype)) for sizes in SIZES + EMPTY]
        small = SIZES[0]
        mask = np.array([[True, False, True], [False, True, False]])
        calls.append(Sample(_sequence(rng, kind, small, dtype), {"mask": mask}))
        calls.append(Sample(_sequence(rng, kind, small, dtype), {"mask": mask, "reverse": True}))
        calls.append(Sample(_sequence(rng, kind, small, dtype)[:3]))
        calls.append(Sample((*_sequence(rng, kind, small, dtype)[:3], None), {"reverse": True}))
        for name in ACTIVATIONS:
            if name in GROWING:
                continue
            options = _options(kind, name)
            calls.append(Sample(_sequence(rng, kind, small, dtype), options, smooth=_smooth(options)))
        if kind != "simple_rnn":
            for name in ("tanh", "hard_sigmoid", "relu", None):
                options = _options(kind, "softsign", name)
                calls.append(Sample(_sequence(rng, kind, small, dtype), options, smooth=_smooth(options)))
        if kind == "gru":
            first = [
                Sample(_sequence(rng, kind, s, dtype, False), {"reset_after": False}) for s in SIZES + EMPTY
            ]
            first.append(
                Sample(_sequence(rng, kind, small, dtype, False), {"reset_after": False, "mask": mask})
            )
            calls += [*first, Sample(_sequence(rng, kind, small, dtype, False)[:3], {"reset_after": False})]
        return calls

    return samples


def _sequence_more(kind: str):
    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = []
        for hidden in (1, 7, 8, 9, 15, 16, 17, 33, 65, 130):
            for options in ({}, {"reset_after": False}) if kind == "gru" else ({},):
                sizes = (3, 4, 5, hidden)
                calls.append(Sample(_sequence(rng, kind, sizes, dtype, not options), options))
        calls += [
            Sample(_sequence(rng, kind, (batch, 3, 5, 9), dtype)) for batch in (5, 8, 13, 16, 17, 33, 40)
        ]
        return calls

    return more


def _draw(kind: str, backward: bool = False):
    """Any sizes, activations, mask and direction; each optional argument given or not."""

    def draw(rng: Rng, dtype: str) -> Sample:
        sizes = tuple(int(rng.integers(1, high + 1)) for high in (40, 9, 40, 40))
        steps = sizes[1]
        names = [n for n in ACTIVATIONS if n not in GROWING]
        # gates that are not bounded make the state grow from step to step
        gates = [n for n in names if steps <= 3 or n in ("sigmoid", "tanh", "hard_sigmoid", "softsign")]
        if rng.random() < 0.6:  # most of the draws are for the gradients too
            names, gates = ([n for n in some if n not in ROUGH] for some in (names, gates))
        options = _options(kind, names[rng.integers(len(names))], gates[rng.integers(len(gates))])
        if rng.random() < 0.5:
            options["mask"] = rng.random(sizes[:2]) < 0.7
        options["reverse"] = bool(rng.random() < 0.5)
        if kind == "gru":
            options["reset_after"] = bool(rng.random() < 0.5)
        values = _sequence(rng, kind, sizes, dtype, options.get("reset_after", True))
        given = [*values[:3], *(v if rng.random() < 0.7 else None for v in values[3:])]
        if backward:
            state = values[4].shape
            shapes = [(*sizes[:2], sizes[3])] + [state] * (2 if kind == "lstm" else 1)
            given = [array(rng, s, dtype, -1, 1) if rng.random() < 0.7 else None for s in shapes] + given
        return Sample(tuple(given), options, smooth=_smooth(options))

    return draw


def _gradients(rng: Rng, kind: str, call: tuple, dtype: str) -> tuple[np.ndarray, ...]:
    """dy, dh (, dc) of a call."""
    batch, steps = call[0].shape[:2]
    hidden = call[2].shape[0]
    state = [(batch, hidden)] * (2 if kind == "lstm" else 1)
    return tuple(array(rng, s, dtype, -1, 1) for s in [(batch, steps, hidden), *state])


def _backward_samples(kind: str):
    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = []
        for s in _sequence_samples(kind)(rng, dtype):
            grads = _gradients(rng, kind, s.args, dtype)
            calls.append(Sample((*grads, *s.args), s.kwargs))
        grads = _gradients(rng, kind, s.args, dtype)
        calls.append(Sample((*(None for _ in grads), *s.args), s.kwargs))
        calls.append(Sample((grads[0], *(None for _ in grads[1:]), *s.args), s.kwargs))
        calls.append(Sample((None, *grads[1:], *s.args), s.kwargs))
        return calls

    return samples


def _big(kind: str, backward: bool = False):
    def big(rng: Rng, dtype: str) -> list[Sample]:
        calls = []
        for options in ({}, {"reset_after": False}) if kind == "gru" else ({},):
            call = _sequence(rng, kind, (40, 6, 50, 70), dtype, not options)
            grads = _gradients(rng, kind, call, dtype) if backward else ()
            calls.append(Sample((*grads, *call), options))
        return calls

    return big


# -- what must be refused ----------------------------------------------------------------------------------------------


def _wrong_options(args: tuple, kind: str) -> list[Bad]:
    wrong = []
    for name in ("activation",) if kind.startswith("simple_rnn") else ("activation", "recurrent_activation"):
        wrong += [
            bad(ValueError, name, *args, **{name: "softmax"}),
            bad(TypeError, name, *args, **{name: 3}),
        ]
    return wrong


def _sequence_errors(kind: str, backward: bool = False):
    names = ("x", "w", "u", "b", "h", "c")[: 6 if kind == "lstm" else 5]

    def errors(rng: Rng) -> list[Bad]:
        call = _sequence(rng, kind, (2, 3, 3, 4), "float32")
        first = _gradients(rng, kind, call, "float32") if backward else ()
        n = len(first)
        wrong = _wrong_options((*first, *call), kind)
        for i, name in enumerate(names):
            wrong += bad_array((*first, *call), n + i, name, optional=i > 2)
            wrong.append(bad(ValueError, names, *first, *call[:i], call[i][..., :-1], *call[i + 1 :]))
            wrong.append(bad(ValueError, name, *first, *call[:i], call[i][None], *call[i + 1 :]))
        args = (*first, *call)
        wrong += [
            bad(TypeError, names, *first, call[0], call[1].astype(np.float64), *call[2:]),
            bad(TypeError, names, *first, *(a.astype(np.int64) for a in call)),
            bad(ValueError, "x", *first, call[0][:, 0], *call[1:]),
            bad(ValueError, "h", *first, *call[:4], call[4][:1], *call[5:]),
            bad(ValueError, "mask", *args, mask=np.ones((3, 2), bool)),
            bad(ValueError, "mask", *args, mask=np.ones((2, 3, 1), bool)),
            bad(TypeError, "mask", *args, mask=np.ones((2, 3), np.float32)),
            bad(TypeError, "mask", *args, mask="all"),
            bad(TypeError, "reverse", *args, reverse="yes"),
        ]
        if kind == "gru":
            wrong += [
                bad(ValueError, "b", *args, reset_after=False),
                bad(ValueError, "b", *first, *call[:3], call[3][0], call[4]),
                bad(TypeError, "reset_after", *args, reset_after="no"),
            ]
        for i, name in enumerate(("dy", "dh", "dc")[:n]):
            wrong += bad_array(args, i, name, optional=True)
            wrong.append(bad(ValueError, name, *args[:i], args[i][:1], *args[i + 1 :]))
            wrong.append(bad(TypeError, name, *args[:i], args[i].astype(np.float64), *args[i + 1 :]))
        return wrong

    return errors


# -- single steps ------------------------------------------------------------------------------------------------------


def _cell(
    rng: Rng, kind: str, sizes: tuple[int, int, int], dtype: str, reset_after: bool = True
) -> tuple[np.ndarray, ...]:
    """x, h (, c), w, u, b"""
    batch, features, hidden = sizes
    x, w, u, b, *states = _sequence(rng, kind, (batch, 1, features, hidden), dtype, reset_after)
    return x[:, 0], *states, w, u, b


CELLS = ((2, 3, 4), (1, 1, 1), (0, 3, 2), (3, 2, 5))


def _cell_samples(kind: str):
    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample(_cell(rng, kind, s, dtype)) for s in CELLS]
        for name in ACTIVATIONS:
            options = _options(kind, name)
            calls.append(Sample(_cell(rng, kind, CELLS[0], dtype), options, smooth=_smooth(options)))
        if kind != "simple_rnn":
            for name in ("hard_sigmoid", "tanh", None):
                options = _options(kind, "tanh", name)
                calls.append(Sample(_cell(rng, kind, CELLS[0], dtype), options, smooth=_smooth(options)))
        if kind == "gru":
            calls += [Sample(_cell(rng, kind, s, dtype, False), {"reset_after": False}) for s in CELLS]
        return [*calls, Sample((*_cell(rng, kind, CELLS[0], dtype)[:-1], None))]

    return samples


def _cell_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [
        Sample((array(rng, s.args[1].shape, dtype), array(rng, s.args[1].shape, dtype), *s.args), s.kwargs)
        for s in _cell_samples("lstm")(rng, dtype)[:-1]
    ]


def _cell_errors(kind: str, backward: bool = False):
    names = ("x", "h", "c", "w", "u", "b") if kind == "lstm" else ("x", "h", "w", "u", "b")

    def errors(rng: Rng) -> list[Bad]:
        cell = _cell(rng, kind, (2, 3, 4), "float32")
        first = (array(rng, (2, 4), "float32"), array(rng, (2, 4), "float32")) if backward else ()
        n = len(first)
        wrong = _wrong_options((*first, *cell), kind)
        for i, name in enumerate(names):
            wrong += bad_array((*first, *cell), n + i, name, optional=name == "b")
            short = cell[i][..., :-1]
            wrong.append(bad(ValueError, names, *first, *cell[:i], short, *cell[i + 1 :]))
            wrong.append(bad(ValueError, name, *first, *cell[:i], cell[i][None], *cell[i + 1 :]))
        w = len(names) - 3
        wrong += [
            bad(TypeError, names, *first, *cell[:w], cell[w].astype(np.float64), *cell[w + 1 :]),
            bad(TypeError, names, *first, *(a.astype(np.int64) for a in cell)),
        ]
        for i, name in enumerate(("dh", "dc")[:n]):
            wrong += bad_array((*first, *cell), i, name)
            wrong.append(bad(ValueError, name, *(f[:1] if j == i else f for j, f in enumerate(first)), *cell))
        return wrong

    return errors


def _cell_more(kind: str):
    return lambda rng, dtype: [Sample(_cell(rng, kind, (3, 5, n), dtype)) for n in (1, 2, 7, 8, 9, 17, 33)]


# -- twins in torch ----------------------------------------------------------------------------------------------------


def _torch_activation(t, name):
    f = t.nn.functional
    return {
        "tanh": t.tanh, "sigmoid": t.sigmoid, "relu": t.relu, "linear": lambda v: v, None: lambda v: v,
        "hard_sigmoid": f.hardsigmoid, "softsign": f.softsign, "softplus": f.softplus, "elu": f.elu,
        "selu": f.selu, "exponential": t.exp,
    }[name]  # fmt: skip


def _torch_lstm_cell(t, x, h, c, w, u, b=None, activation="tanh", recurrent_activation="sigmoid"):
    z = x @ w + h @ u + (0 if b is None else b)
    i, f, g, o = z.chunk(4, -1)
    act, gate = _torch_activation(t, activation), _torch_activation(t, recurrent_activation)
    c = gate(f) * c + gate(i) * act(g)
    return gate(o) * act(c), c


def _torch_gru_cell(
    t, x, h, w, u, b=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):
    act, gate = _torch_activation(t, activation), _torch_activation(t, recurrent_activation)
    n = u.shape[0]
    if reset_after:
        kernel_bias, bias = (0, 0) if b is None else b
        (xz, xr, xn), (hz, hr, hn) = (x @ w + kernel_bias).chunk(3, -1), (h @ u + bias).chunk(3, -1)
        z = gate(xz + hz)
        new = act(xn + gate(xr + hr) * hn)
    else:
        xz, xr, xn = (x @ w + (0 if b is None else b)).chunk(3, -1)
        z = gate(xz + h @ u[:, :n])
        new = act(xn + (gate(xr + h @ u[:, n : 2 * n]) * h) @ u[:, 2 * n :])
    return z * h + (1 - z) * new


def _torch_simple_cell(t, x, h, w, u, b=None, activation="tanh"):
    return _torch_activation(t, activation)(x @ w + h @ u + (0 if b is None else b))


def _torch_sequence(cell, states: int):
    def twin(t, x, w, u, b=None, *given, mask=None, reverse=False, **options):
        batch, steps, _ = x.shape
        state = [
            v if v is not None else x.new_zeros(batch, u.shape[0]) for v in (*given, None, None)[:states]
        ]
        y = [None] * steps
        for k in range(steps)[:: -1 if reverse else 1]:
            new = cell(t, x[:, k], *state, w, u, b, **options)
            new = new if isinstance(new, tuple) else (new,)
            state = (
                list(new) if mask is None else [t.where(mask[:, k, None], a, s) for a, s in zip(new, state)]
            )
            y[k] = state[0]
        ys = t.stack(y, 1) if steps else x.new_zeros(batch, 0, u.shape[0])
        return ys, *state

    return twin


# -- records -----------------------------------------------------------------------------------------------------------

OPTIONS = {
    "simple_rnn": ("activation",),
    "lstm": ("activation", "recurrent_activation"),
    "gru": ("activation", "recurrent_activation", "reset_after"),
}
TWINS = {"simple_rnn": (_torch_simple_cell, 1), "lstm": (_torch_lstm_cell, 2), "gru": (_torch_gru_cell, 1)}


def _records(kind: str) -> list[Op]:
    states = ("h", "c") if kind == "lstm" else ("h",)
    arrays = ("x", "w", "u", "b", *states)
    grads = ("dy", *(f"d{s}" for s in states))
    options = OPTIONS[kind]
    cell_arrays = ("x", *states, "w", "u", "b")
    return [
        Op(
            kind,
            (*arrays, *options, "mask", "reverse"),
            (*arrays, "mask"),
            _sequence_samples(kind),
            _sequence_errors(kind),
            getattr(ref, kind),
            more=_sequence_more(kind),
            big=_big(kind),
            draw=_draw(kind),
            grad=tuple(range(len(arrays))),
            tolerance="network",
            same_bits=False,
            out=False,
            torch=_torch_sequence(*TWINS[kind]),
        ),
        Op(
            f"{kind}_backward",
            (*grads, *arrays, *options, "mask", "reverse"),
            (*grads, *arrays, "mask"),
            _backward_samples(kind),
            _sequence_errors(kind, backward=True),
            getattr(ref, f"{kind}_backward"),
            big=_big(kind, backward=True),
            draw=_draw(kind, backward=True),
            tolerance="network",
            same_bits=False,
            out=False,
        ),
        Op(
            f"{kind}_cell",
            (*cell_arrays, *options),
            cell_arrays,
            _cell_samples(kind),
            _cell_errors(kind),
            getattr(ref, f"{kind}_cell"),
            more=_cell_more(kind),
            big=lambda rng, dtype: [Sample(_cell(rng, kind, (200, 64, 100), dtype))],
            grad=tuple(range(len(cell_arrays))),
            tolerance="network",
            same_bits=False,
            out=kind != "lstm",
            torch=TWINS[kind][0],
        ),
    ]


OPS = [
    *_records("simple_rnn"),
    *_records("lstm"),
    Op(
        "lstm_cell_backward",
        ("dh", "dc", "x", "h", "c", "w", "u", "b", *OPTIONS["lstm"]),
        ("dh", "dc", "x", "h", "c", "w", "u", "b"),
        _cell_backward_samples,
        _cell_errors("lstm", backward=True),
        ref.lstm_cell_backward,
        big=lambda rng, dtype: [
            Sample(
                (
                    array(rng, (200, 100), dtype),
                    array(rng, (200, 100), dtype),
                    *_cell(rng, "lstm", (200, 64, 100), dtype),
                )
            )
        ],
        tolerance="network",
        same_bits=False,
        out=False,
    ),
    *_records("gru"),
]
