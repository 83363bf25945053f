"""Records of the ops that change the size of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import ALL, Bad, Op, Rng, Sample, array, bad, bad_array, bad_out

HUGE = 2**62
Shape = tuple[int, ...]
KINDS = ("nearest", "bilinear")

TARGETS: tuple[tuple[Shape, Any], ...] = (
    ((2, 4, 3, 2), (8, 6)),
    ((1, 5, 4, 3), (7, 3)),
    ((1, 7, 9, 1), (3, 4)),
    ((1, 1, 1, 2), 3),
    ((1, 3, 4, 2), (3, 4)),
    ((0, 3, 4, 2), 5),
    ((1, 3, 4, 2), (0, 2)),
    ((1, 3, 4, 0), 2),
)
FACTORS: tuple[tuple[Shape, Any], ...] = (
    ((2, 4, 3, 2), 2),
    ((1, 3, 5, 3), (3, 1)),
    ((1, 2, 2, 1), (2, 4)),
    ((0, 3, 4, 2), 2),
    ((1, 0, 4, 2), 2),
)
CHANNELS = (1, 3, 5, 8, 15, 16, 17, 33, 64, 70)


def _size_errors(result: Shape, low: int) -> Any:
    def errors(rng: Rng) -> list[Bad]:
        x = array(rng, (2, 4, 3, 2), "float32")
        return [
            *bad_array((x, 2), 0, "x"),
            *bad_out((x, 2), np.zeros(result, np.float32)),
            bad(ValueError, "x", x[0], 2),
            bad(ValueError, "x", x[None], 2),
            bad(TypeError, "x", x.astype(np.int32), 2),
            *(bad(ValueError, "size", x, v) for v in (low - 1, -HUGE, (2, low - 1))),
            bad((ValueError, MemoryError), "size", x, HUGE),
            bad((ValueError, MemoryError), "size", x, 2**30),
            bad((ValueError, TypeError), "size", x, 2**80),
            bad(TypeError, "size", x, 1.5),
            bad(TypeError, "size", x, "2"),
            bad(TypeError, "size", x, None),
            bad((TypeError, ValueError), "size", x, (2, 2, 2)),
        ]

    return errors


def _kind_errors(rng: Rng) -> list[Bad]:
    x = array(rng, (2, 4, 3, 2), "float32")
    wrong = [bad(ValueError, "interpolation", x, 2, kind) for kind in ("cubic", "", "Nearest")]
    return [*wrong, bad(TypeError, "interpolation", x, 2, None), bad(TypeError, "interpolation", x, 2, 1)]


def _torch_resize(t, x, size, interpolation="bilinear"):
    size = (size, size) if np.ndim(size) == 0 else tuple(size)
    if x.numel() == 0 or 0 in size:
        return x.new_zeros((x.shape[0], *size, x.shape[3])) + x.sum()
    kind = (
        {"mode": "nearest-exact"}
        if interpolation == "nearest"
        else {"mode": "bilinear", "align_corners": False}
    )
    return t.nn.functional.interpolate(x.permute(0, 3, 1, 2), size, **kind).permute(0, 2, 3, 1)


def _torch_upsample(t, x, size=2, interpolation="nearest"):
    h, w = (size, size) if np.ndim(size) == 0 else size
    return _torch_resize(t, x, (x.shape[1] * h, x.shape[2] * w), interpolation)


def _draw(rng: Rng, dtype: str, factors: bool) -> Sample:
    n, h, w, p, q = (int(v) for v in rng.integers(1, (4, 12, 12, 20, 20)))
    x = array(rng, (n, h, w, int(rng.choice(CHANNELS))), dtype)
    return Sample((x, (p % 4 + 1, q % 4 + 1) if factors else (p, q), KINDS[rng.integers(2)]))


def _resizing(name: str, cases: tuple[tuple[Shape, Any], ...], factors: bool, torch: Any) -> Op:
    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = [
            Sample((array(rng, s, dtype), size), {"interpolation": k}) for s, size in cases for k in KINDS
        ]
        return [*calls, Sample((array(rng, cases[0][0], dtype), cases[0][1]))]

    def more(rng: Rng, dtype: str) -> list[Sample]:
        size: Any = 3 if factors else (13, 8)
        return [Sample((array(rng, (1, 5, 6, c), dtype), size, k)) for c in CHANNELS for k in KINDS]

    return Op(
        name,
        ("x", "size", "interpolation"),
        ("x",),
        samples,
        lambda rng: [
            *_size_errors((2, 8, 6, 2) if factors else (2, 2, 2, 2), int(factors))(rng),
            *_kind_errors(rng),
        ],
        getattr(ref, name),
        more=more,
        big=lambda rng, dtype: [
            Sample((array(rng, (4, 40, 41, 24), dtype), 2 if factors else (75, 61), k)) for k in KINDS
        ],
        draw=lambda rng, dtype: _draw(rng, dtype, factors),
        grad=(0,),
        tolerance="sum",
        torch=torch,
    )


def _upsample1d_errors(rng: Rng) -> list[Bad]:
    x = array(rng, (2, 4, 3), "float32")
    return [
        *bad_array((x, 2), 0, "x"),
        *bad_out((x, 2), np.zeros((2, 8, 3), np.float32)),
        bad(ValueError, "x", x[0], 2),
        bad(TypeError, "x", x.astype(np.int32), 2),
        *(bad(ValueError, "size", x, v) for v in (0, -1)),
        bad((ValueError, MemoryError), "size", x, HUGE),
        bad(TypeError, "size", x, 1.5),
        bad(TypeError, "size", x, None),
    ]


def _draw_sequence(rng: Rng, dtype: str) -> Sample:
    n, t, size = (int(v) for v in rng.integers(1, (4, 30, 6)))
    return Sample((array(rng, (n, t, int(rng.choice(CHANNELS))), dtype), size))


def _shuffling(name: str, cases: tuple[tuple[Shape, int], ...], bad_factors: tuple[int, ...]) -> Op:
    """pixel_shuffle and its inverse."""
    shuffle = name == "pixel_shuffle"

    def errors(rng: Rng) -> list[Bad]:
        x = array(rng, cases[0][0], "float32")
        return [
            *bad_array((x, 2), 0, "x"),
            bad(ValueError, "x", x[0], 2),
            bad(ValueError, "x", x[None], 2),
            *(bad(ValueError, "factor", x, v) for v in (0, -1, -2, HUGE, 2**32, *bad_factors)),
            bad((ValueError, TypeError), "factor", x, 2**80),
            bad(TypeError, "factor", x, 2.0),
            bad(TypeError, "factor", x, "2"),
            bad(TypeError, "factor", x, None),
        ]

    def draw(rng: Rng, dtype: str) -> Sample:
        n, h, w, c, f = (int(v) for v in rng.integers(1, (4, 6, 6, 20, 5)))
        return Sample((array(rng, (n, h, w, c * f * f) if shuffle else (n, h * f, w * f, c), dtype), f))

    def torch(t, x, factor):
        n, h, w, c = x.shape
        if shuffle:  # torch's channels are (C, f, f)
            x = x.reshape(n, h, w, factor * factor, -1).transpose(3, 4).reshape(n, h, w, c)
            return t.nn.functional.pixel_shuffle(x.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)
        y = t.nn.functional.pixel_unshuffle(x.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)
        return y.reshape(*y.shape[:3], c, factor * factor).transpose(3, 4).reshape(y.shape)

    def twin(t, x, factor):
        if x.numel() == 0:
            return x.new_zeros(getattr(ref, name)(x.detach().numpy(), factor).shape) + x.sum()
        return torch(t, x, factor)

    return Op(
        name,
        ("x", "factor"),
        ("x",),
        lambda rng, dtype: [Sample((array(rng, shape, dtype), factor)) for shape, factor in cases],
        errors,
        getattr(ref, name),
        dtypes=ALL,
        big=lambda rng, dtype: [Sample((array(rng, (2, 64, 66, 36), dtype), 3 if shuffle else 2))],
        draw=draw,
        grad=(0,),
        tolerance="exact",
        torch=twin,
        out=False,
    )


OPS = [
    _resizing("resize2d", TARGETS, False, _torch_resize),
    _resizing("upsample2d", FACTORS, True, _torch_upsample),
    Op(
        "upsample1d",
        ("x", "size"),
        ("x",),
        lambda rng, dtype: (
            [
                Sample((array(rng, s, dtype), size))
                for s, size in (((2, 4, 3), 2), ((1, 1, 2), 5), ((0, 3, 2), 2))
            ]
            + [Sample((array(rng, (2, 3, 1), dtype),))]
        ),
        _upsample1d_errors,
        ref.upsample1d,
        big=lambda rng, dtype: [Sample((array(rng, (4, 600, 30), dtype), 3))],
        draw=_draw_sequence,
        grad=(0,),
        tolerance="exact",
        torch=lambda t, x, size=2: x.repeat_interleave(size, 1),
    ),
    _shuffling(
        "pixel_shuffle", (((2, 3, 2, 8), 2), ((1, 2, 3, 9), 3), ((1, 2, 3, 5), 1), ((0, 2, 2, 4), 2)), (3,)
    ),
    _shuffling(
        "pixel_unshuffle",
        (((2, 4, 6, 2), 2), ((1, 3, 6, 2), 3), ((1, 2, 3, 5), 1), ((1, 0, 2, 3), 2)),
        (3, 4),
    ),
]
