"""Records of triangles and diagonals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import ALL, Bad, Op, Rng, Sample, array, bad, bad_array, bad_out

OFFSETS = (-9, -2, -1, 0, 1, 2, 9)


def _offset_samples(shapes: tuple[tuple[int, ...], ...]) -> Callable[[Rng, str], list[Sample]]:
    return lambda rng, dtype: [
        Sample((array(rng, shapes[i % len(shapes)], dtype), k)) for i, k in enumerate(OFFSETS * 2)
    ]


def _offset_errors(name: str, out: np.ndarray | None, stack: bool = True) -> Callable[[Rng], list[Bad]]:
    def errors(rng: Rng) -> list[Bad]:
        x = array(rng, (3, 4), "float32")
        wrong = [
            *bad_array((x,), 0, "x"),
            *(bad(TypeError, name, x, v) for v in ("1", 0.5, None)),
            bad((TypeError, ValueError), name, x, 2**80),
            bad(ValueError, "x", np.float32(1)),
        ]
        wrong.append(bad(ValueError, "x", x[0] if stack else x[None]))
        return wrong + (list(bad_out((x,), out)) if out is not None else [])

    return errors


STACKS = ((3, 4), (4, 3), (2, 3, 3), (1, 1), (0, 3), (3, 0), (2, 1, 2, 5))
SHAPED: dict[str, Any] = {"dtypes": ALL, "tolerance": "exact"}


def _torch_offset(name: str, last: bool = False) -> Callable:
    def call(t, x, k=0):
        return t.diagonal(x, k, -2, -1) if last else getattr(t, name)(x, k)

    return call


OPS = [
    *(
        Op(
            name,
            ("x", "k"),
            ("x",),
            _offset_samples(STACKS),
            _offset_errors("k", np.zeros((3, 4), np.float32)),
            getattr(ref, name),
            grad=(0,),
            big=lambda rng, dtype: [Sample((array(rng, (7, 300, 301), dtype), 3))],
            torch=_torch_offset(name),
            **SHAPED,
        )
        for name in ("tril", "triu")
    ),
    Op(
        "diagonal",
        ("x", "offset"),
        ("x",),
        _offset_samples(STACKS),
        _offset_errors("offset", np.zeros(3, np.float32)),
        ref.diagonal,
        grad=(0,),
        big=lambda rng, dtype: [Sample((array(rng, (3, 300, 50), dtype), 2))],
        torch=_torch_offset("diagonal", last=True),
        **SHAPED,
    ),
    Op(
        "trace",
        ("x", "offset"),
        ("x",),
        _offset_samples(STACKS),
        _offset_errors("offset", np.zeros((), np.float32)),
        ref.trace,
        grad=(0,),
        big=lambda rng, dtype: [Sample((array(rng, (3, 3000, 50), dtype),))],
        torch=lambda t, x, k=0: t.diagonal(x, k, -2, -1).sum(-1),
        dtypes=ALL,
        result="sum",
        tolerance="sum",
        same_bits=False,
    ),
    Op(
        "diag",
        ("x", "k"),
        ("x",),
        _offset_samples(((3, 4), (3,), (1,), (0,), (4, 2), (2,), (0, 3))),
        _offset_errors("k", np.zeros(3, np.float32), stack=False),
        ref.diag,
        grad=(0,),
        big=lambda rng, dtype: [Sample((array(rng, (700,), dtype), -1))],
        torch=_torch_offset("diag"),
        **SHAPED,
    ),
]
