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
    x, w, b = _image(rng, *CONVOLUTIONS[0][:2], dtype)
    return [
        *calls,
        Sample((x, w)),
        Sample((x, w, None), {"padding": 1}),
        Sample((x, w, b), {"activation": "tanh"}),
        Sample((x, w, b), {"activation": "sigmoid"}),
        Sample((x, w, b), {"activation": "relu"}, smooth=False),
    ]


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
    for kernel in ((3, 3, 5, 9), (1, 1, 5, 9)):  # narrow images, one row, one pixel
        for size in ((6, 1), (1, 6), (2, 3), (3, 3)):
            calls.append(Sample(_image(rng, (9, *size, 5), kernel, dtype), {"padding": "same"}))
    return calls


# -- random configurations ---------------------------------------------------------------------------------------------


def _smooth(options: dict) -> bool:
    return options.get("activation") != "relu"


def _pair(rng: Rng, low: int, high: int) -> int | tuple[int, int]:
    one, two = (int(rng.integers(low, high + 1)) for _ in range(2))
    return one if rng.random() < 0.5 else (one, two)


def _activation(rng: Rng) -> str | None:
    return (None, None, "relu", "sigmoid", "tanh")[rng.integers(5)]


def _channels(rng: Rng, groups: int) -> int:
    """Sizes on both sides of a vector, as multiples of the groups."""
    most = max(40 // groups, 1)
    return groups * int(rng.integers(1, (4, most)[rng.integers(2)] + 1))


def _draw_conv(rng: Rng, dtype: str) -> Sample:
    kernel = [int(rng.integers(1, 5)) for _ in range(2)]
    dilation = _pair(rng, 1, 2)
    groups = (1, 1, 1, 2, 3, int(rng.integers(1, 20)))[rng.integers(6)]
    channels = groups if rng.random() < 0.2 else _channels(rng, groups)
    filters = groups if rng.random() < 0.2 else _channels(rng, groups)
    size = [
        (k - 1) * d + 1 + int(rng.integers(0, (3, 14)[rng.integers(2)]))
        for k, d in zip(kernel, np.broadcast_to(dilation, 2))
    ]
    margin = lambda: int(rng.integers(0, 4))
    padding = ("valid", "same", margin(), ((margin(), margin()), (margin(), margin())))[rng.integers(4)]
    options = {
        "strides": _pair(rng, 1, 3),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "activation": _activation(rng),
    }
    most = 600 // (size[0] * size[1]) + 1  # sums over all pixels as long as the tolerance expects
    batch = min((1, 1, 2, 5, 18)[rng.integers(5)], most)
    x, w, b = _image(rng, (batch, *size, channels), (*kernel, channels // groups, filters), dtype)
    return Sample((x, w, b) if rng.random() < 0.7 else (x, w), options, _smooth(options))


def _draw_conv_backward(rng: Rng, dtype: str) -> Sample:
    call = _draw_conv(rng, dtype)
    options = {k: v for k, v in call.kwargs.items() if k != "activation"}
    x, w = call.args[:2]
    return Sample((array(rng, ref.conv2d(x, w, **options).shape, dtype, -1, 1), x, w), options)


def _draw_conv1d(rng: Rng, dtype: str) -> Sample:
    kernel, dilation = int(rng.integers(1, 6)), int(rng.integers(1, 3))
    groups = (1, 1, 2, 5)[rng.integers(4)]
    channels, filters = _channels(rng, groups), _channels(rng, groups)
    margin = lambda: int(rng.integers(0, 4))
    options = {
        "strides": int(rng.integers(1, 4)),
        "padding": ("valid", "same", "causal", margin(), (margin(), margin()))[rng.integers(5)],
        "dilation": dilation,
        "groups": groups,
        "activation": _activation(rng),
    }
    batch, length = int(rng.integers(1, 7)), (kernel - 1) * dilation + 1 + int(rng.integers(0, 50))
    args = _image(rng, (batch, length, channels), (kernel, channels // groups, filters), dtype)
    return Sample(args, options, _smooth(options))


def _draw_depthwise(rng: Rng, dtype: str) -> Sample:
    kernel, dilation = [int(rng.integers(1, 5)) for _ in range(2)], _pair(rng, 1, 2)
    size = [(k - 1) * d + 1 + int(rng.integers(0, 14)) for k, d in zip(kernel, np.broadcast_to(dilation, 2))]
    channels, multiplier = int(rng.integers(1, 40)), (1, 1, 2, 3)[rng.integers(4)]
    options = {
        "strides": _pair(rng, 1, 3),
        "padding": ("valid", "same", int(rng.integers(0, 4)))[rng.integers(3)],
        "dilation": dilation,
        "activation": _activation(rng),
    }
    x = array(rng, (int(rng.integers(1, 4)), *size, channels), dtype, -1, 1)
    w = array(rng, (*kernel, channels, multiplier), dtype, -1, 1)
    return Sample((x, w, array(rng, channels * multiplier, dtype, -1, 1)), options, _smooth(options))


def _draw_transpose(rng: Rng, dtype: str, axes: int = 2) -> Sample:
    strides = [int(rng.integers(1, 4)) for _ in range(axes)]
    options: dict = {
        "strides": strides[0] if axes == 1 else tuple(strides),
        "padding": ("valid", "same")[rng.integers(2)],
        "dilation": int(rng.integers(1, 3)),
        "activation": _activation(rng),
    }
    if rng.random() < 0.3:
        extra = [int(rng.integers(0, s)) for s in strides]
        options["output_padding"] = extra[0] if axes == 1 else tuple(extra)
    channels, filters = _channels(rng, 1), _channels(rng, 1)
    x = array(
        rng, (int(rng.integers(1, 5)), *(int(rng.integers(2, 12)) for _ in strides), channels), dtype, -1, 1
    )
    w = array(rng, (*(int(rng.integers(1, 5)) for _ in strides), filters, channels), dtype, -1, 1)
    return Sample((x, w, array(rng, filters, dtype, -1, 1)), options, _smooth(options))


def _conv_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for xs, ws, options in CONVOLUTIONS:
        x, w, b = _image(rng, xs, ws, dtype)
        dy = array(rng, ref.conv2d(x, w, b, **options).shape, dtype, -1, 1)
        calls.append(Sample((dy, x, w), options))
    return calls


# -- the other convolutions --------------------------------------------------------------------------------------------


def _samples_of(table: tuple, bias_axis: int = -1):
    def samples(rng: Rng, dtype: str) -> list[Sample]:
        calls = []
        for xs, ws, options in table:
            x, w = array(rng, xs, dtype, -1, 1), array(rng, ws, dtype, -1, 1)
            filters = ws[-2] * ws[-1] if bias_axis == 0 else ws[bias_axis]
            calls.append(Sample((x, w, array(rng, filters, dtype, -1, 1)), options, _smooth(options)))
        return [*calls, Sample((x, w), options, _smooth(options))]

    return samples


_conv1d_samples = _samples_of(
    (
        ((2, 9, 3), (3, 3, 4), {}),
        ((2, 9, 3), (3, 3, 4), {"padding": "same", "activation": "relu"}),
        ((1, 8, 4), (2, 2, 6), {"padding": "causal", "dilation": 2, "groups": 2}),
        ((1, 8, 2), (3, 2, 17), {"padding": 2, "strides": 3, "activation": "tanh"}),
        ((3, 5, 2), (1, 2, 3), {}),
        ((0, 5, 2), (3, 2, 3), {}),
        ((1, 5, 2), (2, 2, 3), {"padding": (2, 0), "activation": "sigmoid"}),
    )
)
_depthwise_samples = _samples_of(
    (
        ((2, 5, 6, 3), (3, 3, 3, 1), {}),
        ((1, 5, 6, 18), (3, 2, 18, 1), {"padding": "same", "activation": "relu"}),
        ((1, 6, 5, 3), (2, 3, 3, 2), {"strides": 2, "padding": 1, "activation": "tanh"}),
        ((1, 7, 6, 2), (2, 3, 2, 3), {"dilation": (2, 1), "activation": "sigmoid"}),
        ((0, 5, 5, 2), (3, 3, 2, 1), {}),
        ((1, 6, 6, 4), (3, 3, 4, 1), {"padding": ((0, 1), (2, 0))}),
    ),
    bias_axis=0,
)
_transpose_samples = _samples_of(
    (
        ((2, 3, 4, 3), (3, 3, 4, 3), {}),
        ((1, 3, 3, 2), (3, 2, 5, 2), {"padding": "same", "strides": 2, "activation": "relu"}),
        ((1, 3, 4, 2), (2, 2, 3, 2), {"strides": (3, 2), "activation": "tanh"}),
        ((1, 3, 3, 2), (3, 3, 2, 2), {"strides": 2, "output_padding": 1, "padding": "same"}),
        ((1, 2, 3, 2), (2, 3, 3, 2), {"dilation": 2, "activation": "sigmoid"}),
        ((2, 3, 3, 4), (1, 1, 3, 4), {"strides": 2}),
        ((0, 3, 3, 2), (3, 3, 2, 2), {}),
        ((2, 3, 3, 2), (3, 3, 2, 2), {"strides": (2, 1), "output_padding": (1, 0)}),
    ),
    bias_axis=-2,
)
_transpose1d_samples = _samples_of(
    (
        ((2, 4, 3), (3, 4, 3), {}),
        ((1, 5, 2), (3, 5, 2), {"padding": "same", "strides": 2, "activation": "relu"}),
        ((1, 4, 2), (2, 3, 2), {"strides": 3, "output_padding": 2, "activation": "tanh"}),
        ((2, 3, 2), (2, 3, 2), {"dilation": 2, "padding": "same", "activation": "sigmoid"}),
        ((0, 3, 2), (3, 2, 2), {}),
    ),
    bias_axis=-2,
)


# -- rejections --------------------------------------------------------------------------------------------------------

NOT_COUNTS = (
    (0, ValueError),
    (-1, ValueError),
    ("1", (TypeError, ValueError)),
    (1.5, (TypeError, ValueError)),
)


def _bad_steps(args: tuple, axes: int) -> list[Bad]:
    """Strides, dilations, activations that no convolution takes."""
    wrong = [bad(e, n, *args, **{n: v}) for n in ("strides", "dilation") for v, e in NOT_COUNTS]
    wrong += [bad((TypeError, ValueError), n, *args, **{n: None}) for n in ("strides", "dilation")]
    others: tuple = ((1, 0), (1, 1, 1), (1, "2")) if axes == 2 else ((1, 1, 1), "two")
    wrong += [
        bad((TypeError, ValueError), n, *args, **{n: v}) for n in ("strides", "dilation") for v in others
    ]
    return [*wrong, bad(ValueError, ("dilation", "w"), *args, dilation=HUGE)]


def _bad_activation(args: tuple) -> list[Bad]:
    return [bad((TypeError, ValueError), "activation", *args, activation=v) for v in ("softmax", 1)]


def _bad_operands(args: tuple) -> list[Bad]:
    """x, w and b (the last argument) that do not fit together."""
    x, w, b = args
    return [
        *bad_array(args, 0, "x"),
        *bad_array(args, 1, "w"),
        *bad_array(args, 2, "b", optional=True),
        bad(ValueError, "x", x[0], w, b),
        bad(ValueError, "w", x, w[0], b),
        bad(ValueError, ("w", "groups", "x"), x[..., :3], w, b),
        bad(ValueError, "w", x, w[:0], b),
        bad(TypeError, ("x", "w"), x, w.astype(np.float64), b),
        bad(TypeError, ("x", "w"), x.astype(np.int64), w, b),
        bad(ValueError, "b", x, w, b[:3]),
        bad(ValueError, "b", x, w, b[None]),
        bad(TypeError, ("x", "b"), x, w, b.astype(np.float64)),
    ]


def _bad_padding(args: tuple, values: tuple) -> list[Bad]:
    return [bad((ValueError, TypeError), "padding", *args, padding=v) for v in (*values, "full", 0.5, None)]


def _bad_groups(args: tuple) -> list[Bad]:
    wrong = [bad(ValueError, "groups", *args, groups=v) for v in (3, 0, -1)]
    return [
        *wrong,
        bad(ValueError, ("groups", "w"), *args, groups=2),
        bad(TypeError, "groups", *args, groups="2"),
    ]


def _conv_errors(rng: Rng) -> list[Bad]:
    args = x, w, b = _image(rng, (2, 5, 6, 4), (3, 3, 4, 4), "float32")
    return [
        *_bad_operands(args),
        bad(ValueError, ("w", "x"), x[:, :2], w, b),
        *_bad_steps(args, 2),
        *_bad_groups(args),
        *_bad_padding(args, (-1, ((1, 2), (0, -1)), (1, 2, 3), HUGE)),
        bad(ValueError, ("dilation", "w"), *args, dilation=HUGE, padding="same"),
        *_bad_activation(args),
        bad(ValueError, "out", *args, out=np.zeros((2, 3, 4, 5), np.float32)),
        bad(TypeError, "out", *args, out=np.zeros((2, 3, 4, 4), np.float64)),
    ]


def _conv_backward_errors(rng: Rng) -> list[Bad]:
    x, w, _ = _image(rng, (2, 5, 6, 4), (3, 3, 4, 4), "float32")
    dy = array(rng, (2, 3, 4, 4), "float32")
    args = dy, x, w
    return [
        *(e for i, n in enumerate(("dy", "x", "w")) for e in bad_array(args, i, n)),
        bad(ValueError, "x", dy, x[0], w),
        bad(ValueError, "w", dy, x, w[0]),
        bad(ValueError, "w", dy, x, w[:0]),
        bad(TypeError, ("x", "w"), dy, x, w.astype(np.float64)),
        bad(ValueError, "dy", dy[:, :2], x, w),
        bad(TypeError, "dy", dy.astype(np.float64), x, w),
        *_bad_steps(args, 2),
        *_bad_groups(args),
        *_bad_padding(args, (-1, ((1, 2), (0, -1)), HUGE)),
    ]


def _conv1d_errors(rng: Rng) -> list[Bad]:
    args = x, w, b = _image(rng, (2, 5, 4), (3, 4, 4), "float32")
    return [
        *_bad_operands(args),
        bad(ValueError, ("w", "x"), x[:, :2], w, b),
        *_bad_steps(args, 1),
        *_bad_groups(args),
        *_bad_padding(args, (-1, (0, -1), (1, 2, 3), HUGE)),
        *_bad_activation(args),
    ]


def _depthwise_errors(rng: Rng) -> list[Bad]:
    args = x, w, b = _image(rng, (2, 5, 6, 4), (3, 3, 4, 1), "float32")
    args = x, w, b = x, w, np.concatenate([b] * 4)
    return [
        *_bad_operands(args),
        bad(ValueError, ("w", "x"), x[:, :2], w, b),
        *_bad_steps(args, 2),
        *_bad_padding(args, (-1, ((1, 2), (0, -1)), HUGE)),
        *_bad_activation(args),
    ]


def _transpose_errors(rng: Rng, axes: int = 2) -> list[Bad]:
    args = _image(rng, (2, *(5, 6)[:axes], 4), (*(3, 3)[:axes], 4, 4), "float32")
    return [
        *_bad_operands(args),
        *_bad_steps(args, axes),
        *_bad_padding(args, (1, "causal")),
        *_bad_activation(args),
        bad(ValueError, "strides", *args, strides=HUGE),
        bad((ValueError, MemoryError), "strides", *args, strides=2**30),
        *(bad(ValueError, "output_padding", *args, output_padding=v, strides=2) for v in (-1, 2)),
        bad((TypeError, ValueError), "output_padding", *args, output_padding="1"),
    ]


# -- torch's twins -----------------------------------------------------------------------------------------------------


def _act(t, y, activation):
    return y if activation is None else getattr(t, activation)(y)


def _torch_conv(t, x, w, b=None, strides=1, padding="valid", dilation=1, groups=1, activation=None):
    _, _, pads, out = ref.conv._geometry(x.detach().numpy(), w.detach().numpy(), strides, padding, dilation)
    (top, bottom), (left, right) = pads
    x = t.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    if w.shape[-1] == 0:  # torch takes no empty kernels
        return (x.sum() + w.sum()) * t.zeros((x.shape[0], *out, 0))
    y = t.nn.functional.conv2d(x, w.permute(3, 2, 0, 1), b, strides, 0, dilation, groups)
    return _act(t, y.permute(0, 2, 3, 1), activation)


def _torch_conv1d(t, x, w, b=None, strides=1, padding="valid", dilation=1, groups=1, activation=None):
    if padding == "causal":
        padding = ((w.shape[0] - 1) * dilation, 0)
    if not isinstance(padding, str):
        padding = ((0, 0), ref.conv._pair(padding))
    y = _torch_conv(t, x[:, None], w[None], b, (1, strides), padding, (1, dilation), groups, activation)
    return y[:, 0]


def _torch_depthwise(t, x, w, b=None, strides=1, padding="valid", dilation=1, activation=None):
    w = w.reshape(*w.shape[:2], 1, -1)
    return _torch_conv(t, x, w, b, strides, padding, dilation, x.shape[-1], activation)


def _torch_transpose(
    t, x, w, b=None, strides=1, padding="valid", output_padding=None, dilation=1, activation=None
):
    strides, dilation = ref.conv._pair(strides), ref.conv._pair(dilation)
    y = t.nn.functional.conv_transpose2d(
        x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), None, strides, 0, 0, 1, dilation
    ).permute(0, 2, 3, 1)
    for i in range(2):  # all windows, cut to Keras' size
        span = (w.shape[i] - 1) * dilation[i] + 1
        before, size = 0, x.shape[1 + i] * strides[i]
        if output_padding is not None:
            before = span // 2 if padding == "same" else 0
            size += span - strides[i] - 2 * before + ref.conv._pair(output_padding)[i]
        elif padding == "same":
            before = max(span - strides[i], 0) // 2
        else:
            size += max(span - strides[i], 0)
        after = max(before + size - y.shape[1 + i], 0)
        y = t.nn.functional.pad(y, (0, 0) * (2 - i) + (0, after)).narrow(1 + i, before, max(size, 0))
    return _act(t, y if b is None else y + b, activation)


def _torch_transpose1d(
    t, x, w, b=None, strides=1, padding="valid", output_padding=None, dilation=1, activation=None
):
    extra = None if output_padding is None else (0, output_padding)
    return _torch_transpose(
        t, x[:, None], w[None], b, (1, strides), padding, extra, (1, dilation), activation
    )[:, 0]


# -- the records -------------------------------------------------------------------------------------------------------

_CONVOLUTION = ("x", "w", "b", "strides", "padding", "dilation", "groups", "activation")
_TRANSPOSED = ("x", "w", "b", "strides", "padding", "output_padding", "dilation", "activation")

OPS = [
    Op(
        "conv2d",
        _CONVOLUTION,
        ("x", "w", "b"),
        _conv_samples,
        _conv_errors,
        ref.conv2d,
        more=_conv_more,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 28, 28, 8), (3, 3, 8, 16), dtype), {"padding": "same"})
        ],
        draw=_draw_conv,
        grad=(0, 1, 2),
        tolerance="product",
        same_bits=False,
        torch=_torch_conv,
    ),
    Op(
        "conv2d_backward",
        ("dy", "x", "w", "strides", "padding", "dilation", "groups"),
        ("dy", "x", "w"),
        _conv_backward_samples,
        _conv_backward_errors,
        ref.conv2d_backward,
        big=lambda rng, dtype: [
            Sample(
                (array(rng, (8, 26, 26, 16), dtype), *_image(rng, (8, 28, 28, 8), (3, 3, 8, 16), dtype)[:2])
            )
        ],
        draw=_draw_conv_backward,
        tolerance="product",
        same_bits=False,
        out=False,
    ),
    Op(
        "conv1d",
        _CONVOLUTION,
        ("x", "w", "b"),
        _conv1d_samples,
        _conv1d_errors,
        ref.conv1d,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 100, 20), (3, 20, 33), dtype), {"padding": "causal", "activation": "relu"})
        ],
        draw=_draw_conv1d,
        grad=(0, 1, 2),
        tolerance="product",
        same_bits=False,
        torch=_torch_conv1d,
    ),
    Op(
        "depthwise_conv2d",
        tuple(p for p in _CONVOLUTION if p != "groups"),
        ("x", "w", "b"),
        _depthwise_samples,
        _depthwise_errors,
        ref.depthwise_conv2d,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 28, 28, 40), (3, 3, 40, 1), dtype)[:2], {"padding": "same"})
        ],
        draw=_draw_depthwise,
        grad=(0, 1, 2),
        tolerance="product",
        same_bits=False,
        torch=_torch_depthwise,
    ),
    Op(
        "conv2d_transpose",
        _TRANSPOSED,
        ("x", "w", "b"),
        _transpose_samples,
        _transpose_errors,
        ref.conv2d_transpose,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 14, 14, 16), (3, 3, 16, 16), dtype), {"strides": 2, "padding": "same"})
        ],
        draw=_draw_transpose,
        grad=(0, 1, 2),
        tolerance="product",
        same_bits=False,
        torch=_torch_transpose,
    ),
    Op(
        "conv1d_transpose",
        _TRANSPOSED,
        ("x", "w", "b"),
        _transpose1d_samples,
        lambda rng: _transpose_errors(rng, 1),
        ref.conv1d_transpose,
        big=lambda rng, dtype: [
            Sample(_image(rng, (8, 100, 20), (3, 20, 20), dtype), {"strides": 2, "padding": "same"})
        ],
        draw=lambda rng, dtype: _draw_transpose(rng, dtype, 1),
        grad=(0, 1, 2),
        tolerance="product",
        same_bits=False,
        torch=_torch_transpose1d,
    ),
]
