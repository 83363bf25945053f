"""Records of pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array, bad_out, distinct

HUGE = 2**62
Shape = tuple[int, ...]

# image, options
WINDOWS: tuple[tuple[Shape, dict], ...] = (
    ((2, 5, 6, 3), {}),
    ((2, 4, 6, 2), {"pool_size": (2, 3)}),
    ((1, 7, 6, 2), {"pool_size": 3, "strides": 2}),
    ((1, 7, 6, 2), {"pool_size": 3, "strides": 2, "padding": "same"}),
    ((1, 5, 5, 1), {"pool_size": 3, "strides": 1, "padding": 1}),
    ((1, 8, 7, 2), {"pool_size": 2, "strides": (3, 4)}),
    ((1, 6, 4, 2), {"pool_size": (3, 2), "strides": (1, 2), "padding": ((2, 0), (0, 1))}),
    ((2, 3, 3, 1), {"pool_size": 3}),
    ((1, 3, 4, 2), {"pool_size": 5, "padding": "same"}),
    ((0, 4, 4, 2), {}),
    ((2, 4, 4, 0), {}),
)
SPANS: tuple[tuple[Shape, dict], ...] = (
    ((2, 7, 3), {}),
    ((2, 9, 2), {"pool_size": 3, "strides": 2, "padding": "same"}),
    ((1, 9, 2), {"pool_size": 4, "strides": 1, "padding": (3, 1)}),
    ((1, 9, 2), {"pool_size": 2, "strides": 5, "padding": 1}),
    ((0, 4, 2), {}),
)
TARGETS: tuple[tuple[Shape, Any], ...] = (
    ((2, 6, 4, 3), (3, 2)),
    ((2, 7, 5, 2), 3),
    ((1, 3, 2, 2), (5, 3)),
    ((1, 5, 4, 2), 1),
    ((1, 5, 4, 2), (5, 4)),
    ((0, 5, 4, 2), 2),
    ((1, 5, 4, 2), (0, 2)),
)
CHANNELS = (1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, 64, 65, 130)


def _special(rng: Rng, shape: Shape, dtype: str) -> np.ndarray:
    """Ties, infinities and NaNs."""
    x = rng.integers(-2, 3, shape).astype(dtype)
    for value in (np.inf, -np.inf, np.nan):
        x[rng.random(shape) < 0.08] = value
    return x


def _torch_pads(x: Any, size: tuple, steps: tuple, padding: Any, axes: int) -> list[int]:
    """Padding of the last axes first, enough at the end for every window."""
    pads = []
    for i in reversed(range(axes)):
        if isinstance(padding, str):
            windows = ref.pool._strided(x.shape[1 + i], size[i], steps[i], padding)
            before = (
                ref.conv.same_padding(x.shape[1 + i], size[i], steps[i], 1)[0] if padding == "same" else 0
            )
        else:
            both = padding if np.ndim(padding) == 0 or axes == 1 else padding[i]
            both = (both, both) if np.ndim(both) == 0 else both
            windows = ref.pool._strided(x.shape[1 + i], size[i], steps[i], both)
            before = both[0]
        end = (len(windows) - 1) * steps[i] + size[i]
        pads += [before, end - before - x.shape[1 + i]]
    return pads


def _torch_pool(kind: str, axes: int) -> Callable:
    def pool(t, x, pool_size=2, strides=None, padding="valid"):
        size = (pool_size,) * axes if np.ndim(pool_size) == 0 else tuple(pool_size)
        steps = size if strides is None else (strides,) * axes if np.ndim(strides) == 0 else tuple(strides)
        pads = _torch_pads(x, size, steps, padding, axes)
        if x.numel() == 0:
            return (
                x.permute(0, -1, *range(1, axes + 1)).new_zeros(
                    getattr(ref, f"{kind}_pool{axes}d")(x.detach().numpy(), pool_size, strides, padding).shape
                )
                + x.sum()
            )
        x = x.movedim(-1, 1)
        f = t.nn.functional
        if kind == "max":
            y = getattr(f, f"max_pool{axes}d")(f.pad(x, pads, value=-np.inf), size, steps)
        else:
            mean = lambda v: getattr(f, f"avg_pool{axes}d")(f.pad(v, pads), size, steps)
            y = mean(x) / mean(t.ones_like(x))
        return y.movedim(1, -1)

    return pool


def _window_errors(axes: int) -> Callable[[Rng], list[Bad]]:
    def errors(rng: Rng) -> list[Bad]:
        x = (
            array(rng, (2, 5, 6, 3)[: axes + 1] + (3,), "float32")
            if axes == 1
            else array(rng, (2, 5, 6, 3), "float32")
        )
        wrong = [
            *bad_array((x,), 0, "x"),
            *bad_out(
                (x,), np.zeros((2, 2, 3, 3)[: axes + 1] + (3,) if axes == 1 else (2, 2, 3, 3), np.float32)
            ),
            bad(ValueError, "x", x[0]),
            bad(ValueError, "x", x[None]),
            bad(TypeError, "x", x.astype(np.int64)),
            bad(ValueError, "pool_size", x, 7),
            bad(ValueError, "pool_size", x, HUGE),
            bad(ValueError, "pool_size", x, HUGE, padding="same"),
            bad(ValueError, ("padding", "pool_size"), x, 2, padding=2),
            bad(ValueError, "padding", x, 2, padding=-1),
            bad((ValueError, TypeError), "padding", x, 2, padding=2**80),
            bad(ValueError, "padding", x, 2, padding=HUGE),
            bad(ValueError, "padding", x, 2, padding="full"),
            bad(TypeError, "padding", x, 2, padding=0.5),
            bad(TypeError, "padding", x, 2, padding=None),
            bad((TypeError, ValueError), "padding", x, 2, padding=(1, 1, 1)),
        ]
        for name in ("pool_size", "strides"):
            wrong += [bad(ValueError, name, x, **{name: v}) for v in (0, -1, -HUGE)]
            wrong += [
                bad((TypeError, ValueError), name, x, **{name: v}) for v in ("2", 1.5, (1, 1, 1), 2**80)
            ]
        return wrong

    return errors


def _draw_axis(rng: Rng) -> tuple[int, int, int, Any]:
    """Size, pool size, stride, and padding of one axis."""
    kernel = int(rng.integers(1, 6))
    pads = tuple(int(v) for v in rng.integers(0, kernel, 2))
    return int(rng.integers(kernel, 14)), kernel, int(rng.integers(1, 5)), pads


def _channels(rng: Rng) -> int:
    return int(rng.choice([1, 2, 3, 5, 8, 16, 17, 21, 32, 40]))


def _windowed(name: str, axes: int) -> Op:
    kind = name[:3]
    cases = WINDOWS if axes == 2 else SPANS

    def draw(rng: Rng, dtype: str) -> Sample:
        drawn = [_draw_axis(rng) for _ in range(axes)]
        size, kernel, stride, pads = (tuple(d[i] for d in drawn) for i in range(4))
        padding = ("valid", "same", pads)[rng.integers(3)]
        if axes == 1 and padding == pads:
            padding = pads[0]
        one = lambda v: v if axes == 2 else v[0]
        options = {"pool_size": one(kernel), "strides": one(stride), "padding": padding}
        if rng.random() < 0.3:
            del options["strides"]
        return Sample((distinct(rng, (int(rng.integers(1, 4)), *size, _channels(rng)), dtype),), options)

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = []
        for c in CHANNELS:
            x = distinct(rng, (1, 5, 7)[-axes - 1 :] + (c,) if axes == 2 else (1, 7, c), dtype)
            calls += [Sample((x,)), Sample((x,), {"pool_size": 3, "strides": 2, "padding": "same"})]
        if axes == 1:
            calls.append(Sample((distinct(rng, (2, 900, 5), dtype), 300, 7)))
        else:
            calls.append(Sample((distinct(rng, (1, 40, 30, 5), dtype), (18, 17), 3)))
        if kind == "max":
            calls.append(Sample((_special(rng, cases[0][0], dtype),)))
        return calls

    def big(rng: Rng, dtype: str) -> list[Sample]:
        x = array(rng, (6, 31, 33, 40) if axes == 2 else (6, 1001, 40), dtype)
        return [Sample((x,)), Sample((x,), {"pool_size": 3, "strides": 2, "padding": "same"})]

    return Op(
        name,
        ("x", "pool_size", "strides", "padding"),
        ("x",),
        lambda rng, dtype: [Sample((distinct(rng, shape, dtype),), options) for shape, options in cases],
        _window_errors(axes),
        getattr(ref, name),
        more=more,
        big=big,
        draw=draw,
        grad=(0,),
        tolerance="exact" if kind == "max" else "sum",
        torch=_torch_pool(kind, axes),
    )


def _adaptive_errors(rng: Rng) -> list[Bad]:
    x = array(rng, (2, 5, 6, 3), "float32")
    return [
        *bad_array((x, 2), 0, "x"),
        *bad_out((x, 2), np.zeros((2, 2, 2, 3), np.float32)),
        bad(ValueError, "x", x[0], 2),
        bad(ValueError, "x", x[:, :0], 2),
        bad(TypeError, "x", x.astype(np.int32), 2),
        bad(ValueError, "output_size", x, -1),
        bad((ValueError, MemoryError), "output_size", x, HUGE),
        bad((ValueError, MemoryError), "output_size", x, (2**31 - 1, 2**31 - 1)),
        bad((ValueError, TypeError), "output_size", x, 2**80),
        bad((ValueError, TypeError), "output_size", x, (1, 2, 3)),
        bad(TypeError, "output_size", x, "2"),
        bad(TypeError, "output_size", x, 1.5),
        bad(TypeError, "output_size", x, None),
    ]


def _adaptive(name: str) -> Op:
    kind = "max" if "max" in name else "avg"

    def draw(rng: Rng, dtype: str) -> Sample:
        n, h, w, p, q = (int(v) for v in rng.integers(1, 12, 5))
        return Sample((distinct(rng, (n % 3 + 1, h, w, _channels(rng)), dtype), (p, q)))

    def torch(t, x, size):
        y = getattr(t.nn.functional, f"adaptive_{kind}_pool2d")(x.permute(0, 3, 1, 2), size)
        return (y[0] if isinstance(y, tuple) else y).permute(0, 2, 3, 1)

    def twin(t, x, size):
        wanted = (size, size) if np.ndim(size) == 0 else size
        if x.numel() == 0 or 0 in wanted:
            return x.new_zeros((x.shape[0], *wanted, x.shape[3])) + x.sum()
        return torch(t, x, size)

    return Op(
        name,
        ("x", "output_size"),
        ("x",),
        lambda rng, dtype: [Sample((distinct(rng, shape, dtype), size)) for shape, size in TARGETS],
        _adaptive_errors,
        getattr(ref, name),
        more=lambda rng, dtype: [Sample((distinct(rng, (1, 37, 29, c), dtype), (2, 3))) for c in CHANNELS],
        big=lambda rng, dtype: [Sample((array(rng, (4, 61, 63, 40), dtype), (7, 9)))],
        draw=draw,
        grad=(0,),
        tolerance="exact" if kind == "max" else "sum",
        torch=twin,
    )


def _global(name: str, axes: int) -> Op:
    kind = "max" if "max" in name else "avg"
    cases: tuple[Shape, ...] = ((2, 5, 4, 3), (1, 1, 1, 1), (3, 2, 7, 2), (0, 3, 3, 2), (2, 3, 3, 0))

    def shaped(shape: Shape) -> Shape:
        return shape if axes == 2 else (shape[0], shape[1] * shape[2], shape[3])

    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((distinct(rng, shaped(s), dtype),)) for s in cases]
        return [*calls, Sample((distinct(rng, shaped(cases[0]), dtype), True))]

    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((distinct(rng, shaped((2, 23, 17, c)), dtype),)) for c in CHANNELS]
        return [*calls, *([Sample((_special(rng, shaped(cases[0]), dtype),))] if kind == "max" else [])]

    def errors(rng: Rng) -> list[Bad]:
        x = array(rng, shaped((2, 5, 6, 3)), "float32")
        return [
            *bad_array((x,), 0, "x"),
            *bad_out((x,), np.zeros((2, 3), np.float32)),
            bad(ValueError, "x", x[0]),
            bad(ValueError, "x", x[:, :0]),
            bad(TypeError, "x", x.astype(np.int32)),
            bad(TypeError, "keepdims", x, "yes"),
        ]

    def draw(rng: Rng, dtype: str) -> Sample:
        n, h, w = (int(v) for v in rng.integers(1, 20, 3))
        x = distinct(rng, shaped((n % 4 + 1, h, w, _channels(rng))), dtype)
        return Sample((x,), {"keepdims": bool(rng.random() < 0.5)})

    def torch(t, x, keepdims=False):
        dims = tuple(range(1, axes + 1))
        return (t.amax if kind == "max" else t.mean)(x, dims, keepdims)

    return Op(
        name,
        ("x", "keepdims"),
        ("x",),
        samples,
        errors,
        getattr(ref, name),
        more=more,
        big=lambda rng, dtype: [
            Sample((array(rng, shaped((9, 40, 45, 70)), dtype),)),
            Sample((array(rng, shaped((1, 80, 45, 300)), dtype),)),
        ],
        draw=draw,
        grad=(0,),
        tolerance="exact" if kind == "max" else "sum",
        torch=torch,
    )


OPS = [
    *(_windowed(f"{kind}_pool{axes}d", axes) for kind in ("max", "avg") for axes in (1, 2)),
    *(_adaptive(f"adaptive_{kind}_pool2d") for kind in ("max", "avg")),
    *(_global(f"global_{kind}_pool{axes}d", axes) for kind in ("max", "avg") for axes in (1, 2)),
]
