"""Records of the recurrent ops."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array

HUGE = 2**62


def _cell(rng: Rng, batch: int, features: int, hidden: int, dtype: str) -> tuple[np.ndarray, ...]:
    shapes = (
        (batch, features),
        (batch, hidden),
        (batch, hidden),
        (features, 4 * hidden),
        (hidden, 4 * hidden),
        (4 * hidden,),
    )
    return tuple(array(rng, s, dtype, -1, 1) for s in shapes)


def _cell_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = [Sample(_cell(rng, *s, dtype)) for s in ((2, 3, 4), (1, 1, 1), (0, 3, 2), (3, 2, 5))]
    calls += [
        Sample(_cell(rng, 2, 3, 4, dtype), {"activation": a}, smooth=a != "relu") for a in ("relu", "sigmoid")
    ]
    return [*calls, Sample((*_cell(rng, 2, 3, 4, dtype)[:5], None))]


def _cell_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [
        Sample((array(rng, s.args[1].shape, dtype), array(rng, s.args[1].shape, dtype), *s.args), s.kwargs)
        for s in _cell_samples(rng, dtype)[:-1]
    ]


def _cell_errors(rng: Rng, backward: bool = False) -> list[Bad]:
    names = ("x", "h", "c", "w", "u", "b")
    cell = _cell(rng, 2, 3, 4, "float32")
    first = (array(rng, (2, 4), "float32"), array(rng, (2, 4), "float32")) if backward else ()
    n = len(first)
    wrong = []
    for i, name in enumerate(names):
        wrong += bad_array((*first, *cell), n + i, name, optional=name == "b")
        short = cell[i][..., :-1]
        wrong.append(bad(ValueError, names, *first, *cell[:i], short, *cell[i + 1 :]))
        wrong.append(bad(ValueError, name, *first, *cell[:i], cell[i][None], *cell[i + 1 :]))
    wrong += [
        bad(TypeError, names, *first, *cell[:3], cell[3].astype(np.float64), *cell[4:]),
        bad(TypeError, names, *first, *(a.astype(np.int64) for a in cell)),
        bad(ValueError, "activation", *first, *cell, activation="softmax"),
        bad(TypeError, "activation", *first, *cell, activation=3),
    ]
    for i, name in enumerate(("dh", "dc")[:n]):
        wrong += bad_array((*first, *cell), i, name)
        wrong.append(bad(ValueError, name, *(f[:1] if j == i else f for j, f in enumerate(first)), *cell))
    return wrong


def _torch_cell(t, x, h, c, w, u, b, activation="tanh"):
    z = x @ w + h @ u + (0 if b is None else b)
    i, f, g, o = z.chunk(4, -1)
    act = getattr(t, activation)
    c = f.sigmoid() * c + i.sigmoid() * act(g)
    return o.sigmoid() * act(c), c


OPS = [
    Op(
        "lstm_cell",
        ("x", "h", "c", "w", "u", "b", "activation"),
        ("x", "h", "c", "w", "u", "b"),
        _cell_samples,
        _cell_errors,
        ref.lstm_cell,
        more=lambda rng, dtype: [Sample(_cell(rng, 3, 5, n, dtype)) for n in (1, 2, 7, 8, 9, 17, 33)],
        big=lambda rng, dtype: [Sample(_cell(rng, 200, 64, 100, dtype))],
        grad=(0, 1, 2, 3, 4, 5),
        tolerance="network",
        same_bits=False,
        out=False,
        torch=_torch_cell,
    ),
    Op(
        "lstm_cell_backward",
        ("dh", "dc", "x", "h", "c", "w", "u", "b", "activation"),
        ("dh", "dc", "x", "h", "c", "w", "u", "b"),
        _cell_backward_samples,
        lambda rng: _cell_errors(rng, backward=True),
        ref.lstm_cell_backward,
        big=lambda rng, dtype: [
            Sample(
                (
                    array(rng, (200, 100), dtype),
                    array(rng, (200, 100), dtype),
                    *_cell(rng, 200, 64, 100, dtype),
                )
            )
        ],
        tolerance="network",
        same_bits=False,
        out=False,
    ),
]
