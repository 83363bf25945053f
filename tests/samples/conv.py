"""Records of the convolutions."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array

HUGE = 2**62

# image, kernel, options
CONVOLUTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], dict], ...] = (
    ((2, 5, 6, 3), (3, 3, 3, 4), {}),
    ((2, 5, 6, 3), (3, 2, 3, 4), {"padding": "same"}),
    ((1, 7, 6, 2), (3, 3, 2, 3), {"padding": "same", "strides": 2}),
    ((1, 8, 7, 2), (2, 3, 2, 3), {"strides": (2, 3)}),
    ((1, 7, 7, 2), (3, 2, 2, 3), {"dilation": 2}),
    ((1, 7, 8, 1), (2, 2, 1, 2), {"dilation": (3, 2), "padding": "same"}),
    ((2, 4, 5, 4), (3, 3, 2, 6), {"groups": 2}),
    ((1, 4, 5, 4), (2, 2, 1, 4), {"groups": 4, "padding": "same"}),
    ((1, 4, 4, 2), (3, 3, 2, 2), {"padding": ((2, 0), (1, 3))}),
    ((2, 3, 3, 1), (1, 1, 1, 5), {}),
    ((0, 5, 5, 2), (3, 3, 2, 3), {}),
    ((1, 4, 4, 2), (3, 3, 2, 0), {}),
)


def _image(
    rng: Rng, x: tuple[int, ...], w: tuple[int, ...], dtype: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return array(rng, x, dtype, -1, 1), array(rng, w, dtype, -1, 1), array(rng, w[-1:], dtype, -1, 1)


def _conv_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = [Sample(_image(rng, x, w, dtype), options) for x, w, options in CONVOLUTIONS]
    x, w, _ = _image(rng, *CONVOLUTIONS[0][:2], dtype)
    return [*calls, Sample((x, w)), Sample((x, w, None), {"padding": 1})]


def _conv_more(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for channels in (1, 2, 3, 7, 8, 16, 17, 33):
        for filters in (1, 5, 16, 17):
            calls.append(
                Sample(
                    _image(rng, (1, 6, 5, channels), (3, 3, channels, filters), dtype), {"padding": "same"}
                )
            )
    calls.append(Sample(_image(rng, (2, 19, 23, 3), (5, 5, 3, 8), dtype), {"strides": 2, "padding": "same"}))
    return calls


def _conv_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for xs, ws, options in CONVOLUTIONS:
        x, w, b = _image(rng, xs, ws, dtype)
        dy = array(rng, ref.conv2d(x, w, b, **options).shape, dtype, -1, 1)
        calls.append(Sample((dy, x, w), options))
    return calls


def _conv_errors(rng: Rng, backward: bool = False) -> list[Bad]:
    x, w, b = _image(rng, (2, 5, 6, 4), (3, 3, 4, 4), "float32")
    args: tuple = (x, w, b)
    at = 0
    if backward:
        args, at = (array(rng, (2, 3, 4, 4), "float32"), x, w), 1

    def swap(**new: np.ndarray) -> tuple:
        names = ("dy", "x", "w") if backward else ("x", "w", "b")
        return tuple(new.get(n, a) for n, a in zip(names, args))

    wrong = [
        *bad_array(args, at, "x"),
        *bad_array(args, at + 1, "w"),
        bad(ValueError, "x", *swap(x=x[0])),
        bad(ValueError, "w", *swap(w=w[0])),
        bad(ValueError, ("w", "groups"), *swap(x=x[..., :3])),
        bad(ValueError, ("w", "x"), *swap(x=x[:, :2])),
        bad(ValueError, "w", *swap(w=w[:0])),
        bad(TypeError, ("x", "w"), *swap(w=w.astype(np.float64))),
        bad(TypeError, ("x", "w"), *swap(x=x.astype(np.int64))),
    ]
    for name in ("strides", "dilation"):
        wrong += [bad(ValueError, name, *args, **{name: v}) for v in (0, -1, (1, 0))]
        wrong += [
            bad((TypeError, ValueError), name, *args, **{name: v})
            for v in ("1", 1.5, (1, 1, 1), None, (1, "2"))
        ]
    wrong += [
        bad(ValueError, name, *args, groups=v) for name, v in (("groups", 3), ("groups", 0), ("groups", -1))
    ]
    wrong += [bad(ValueError, ("groups", "w"), *args, groups=2), bad(TypeError, "groups", *args, groups="2")]
    wrong += [
        bad((ValueError, TypeError), "padding", *args, padding=v)
        for v in ("full", -1, ((1, 2), (0, -1)), 0.5, None)
    ]
    wrong += [
        bad((ValueError, MemoryError), "padding", *args, padding=HUGE),
        bad(ValueError, ("dilation", "w"), *args, dilation=HUGE),
        bad(ValueError, ("dilation", "w"), *args, dilation=HUGE, padding="same"),
    ]
    if backward:
        return [*wrong, *bad_array(args, 0, "dy"), bad(ValueError, "dy", *swap(dy=args[0][:, :2]))]
    return [
        *wrong,
        *bad_array(args, 2, "b", optional=True),
        bad(ValueError, "b", *swap(b=b[:3])),
        bad(ValueError, "b", *swap(b=b[None])),
        bad(ValueError, "out", *args, out=np.zeros((2, 3, 4, 5), np.float32)),
        bad(TypeError, "out", *args, out=np.zeros((2, 3, 4, 4), np.float64)),
    ]


def _torch_conv(t, x, w, b=None, strides=1, padding="valid", dilation=1, groups=1):
    _, _, pads, out = ref.conv._geometry(x.detach().numpy(), w.detach().numpy(), strides, padding, dilation)
    (top, bottom), (left, right) = pads
    x = t.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    if w.shape[-1] == 0:  # torch takes no empty kernels
        return (x.sum() + w.sum()) * t.zeros((x.shape[0], *out, 0))
    y = t.nn.functional.conv2d(x, w.permute(3, 2, 0, 1), b, strides, 0, dilation, groups)
    return y.permute(0, 2, 3, 1)


# -- the LSTM cell -----------------------------------------------------------------------------------------------------


OPS = [
    Op(
        "conv2d",
        ("x", "w", "b", "strides", "padding", "dilation", "groups"),
        ("x", "w", "b"),
        _conv_samples,
        _conv_errors,
        ref.conv2d,
        more=_conv_more,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 28, 28, 8), (3, 3, 8, 16), dtype), {"padding": "same"})
        ],
        grad=(0, 1, 2),
        tolerance="sum",
        same_bits=False,
        torch=_torch_conv,
    ),
    Op(
        "conv2d_backward",
        ("dy", "x", "w", "strides", "padding", "dilation", "groups"),
        ("dy", "x", "w"),
        _conv_backward_samples,
        lambda rng: _conv_errors(rng, backward=True),
        ref.conv2d_backward,
        big=lambda rng, dtype: [
            Sample(
                (array(rng, (8, 26, 26, 16), dtype), *_image(rng, (8, 28, 28, 8), (3, 3, 8, 16), dtype)[:2])
            )
        ],
        tolerance="sum",
        same_bits=False,
        out=False,
    ),
]
