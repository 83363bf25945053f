"""Records of the normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array

Shape = tuple[int, ...]
ACTIVATIONS = (None, "relu", "sigmoid", "tanh")
# channels around every width of a vector, and of several rows taken as one
WIDTHS = (1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 100, 127, 128, 129, 200)


def _random(rng: Rng, shape: Shape, dtype: str, width: int = 1) -> np.ndarray:
    """Values whose groups differ in mean and spread, none of them with a vanishing variance."""
    x = rng.standard_normal(shape) * rng.uniform(0.5, 2, shape[-width:]) + rng.uniform(-2, 2, shape[-width:])
    return x.astype(dtype)


def _parameters(rng: Rng, shape: Shape, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    return array(rng, shape, dtype, 0.5, 1.5), array(rng, shape, dtype, -0.5, 0.5)


def _smooth(options: dict) -> bool:
    return options.get("activation") != "relu"


def _options(rng: Rng, epsilon: bool = True) -> dict[str, Any]:
    options: dict[str, Any] = {"activation": ACTIVATIONS[rng.integers(4)]}
    if epsilon and rng.random() < 0.5:
        options["epsilon"] = float(rng.choice([1e-5, 1e-2]))
    return options


def _maybe(rng: Rng, *parameters: np.ndarray) -> tuple:
    return tuple(p if rng.random() < 0.75 else None for p in parameters)


def _activation_errors(*args: object, **kwargs: object) -> list[Bad]:
    return [
        bad(ValueError, "activation", *args, activation="softmax", **kwargs),
        bad(TypeError, "activation", *args, activation=3, **kwargs),
        bad(ValueError, "epsilon", *args, epsilon=-1.0, **kwargs),
        bad(ValueError, "epsilon", *args, epsilon=np.nan, **kwargs),
        bad(TypeError, "epsilon", *args, epsilon="0", **kwargs),
    ]


# -- batch ----------------------------------------------------------------------------------------------------------

BATCHES: tuple[Shape, ...] = ((6, 4), (2, 3, 5, 3), (3, 7, 1), (5, 17))


def _batch_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for shape in BATCHES:
        for activation in ACTIVATIONS:
            options = {"activation": activation}
            gamma, beta = _parameters(rng, shape[-1:], dtype)
            calls.append(Sample((_random(rng, shape, dtype), gamma, beta), options, smooth=_smooth(options)))
    x = _random(rng, (7, 3), dtype)
    gamma, beta = _parameters(rng, (3,), dtype)
    return [
        *calls,
        Sample((x,)),
        Sample((x, gamma)),
        Sample((x, None, beta), {"epsilon": 0.1}),
        Sample((x[:1], gamma, beta)),
        Sample((x[:, :0], gamma[:0], beta[:0])),
        Sample((x[:0], gamma, beta), smooth=False),
    ]


def _batch_more(rng: Rng, dtype: str) -> list[Sample]:
    calls = [
        Sample((_random(rng, (n, c), dtype), *_parameters(rng, (c,), dtype)), {"activation": "relu"})
        for c in WIDTHS
        for n in (3, 70)
    ]
    x = _random(rng, (40, 6), dtype)
    constant = x.copy()
    constant[:, 1] = 3.0
    strange = x.copy()
    strange[3, 0], strange[4, 2] = np.nan, np.inf
    return [*calls, Sample((constant,)), Sample((strange,))]


def _draw_batch(rng: Rng, dtype: str) -> Sample:
    c = int(rng.integers(1, rng.choice([5, 40, 150])))
    shape = (int(rng.integers(2, 30)), *(int(v) for v in rng.integers(1, 6, rng.integers(0, 3))), c)
    options = _options(rng)
    parameters = _maybe(rng, *_parameters(rng, (c,), dtype))
    return Sample((_random(rng, shape, dtype), *parameters), options, smooth=_smooth(options))


def _batch_errors(rng: Rng) -> list[Bad]:
    x = array(rng, (6, 4), "float32")
    gamma, beta = _parameters(rng, (4,), "float32")
    return [
        *bad_array((x, gamma, beta), 0, "x"),
        *bad_array((x, gamma, beta), 1, "gamma", optional=True),
        *bad_array((x, gamma, beta), 2, "beta", optional=True),
        *_activation_errors(x, gamma, beta),
        bad(ValueError, "x", x[0], gamma, beta),
        bad(ValueError, "gamma", x, gamma[:3], beta),
        bad(ValueError, "beta", x, gamma, beta[None]),
        bad(TypeError, "x", x.astype(np.int64), gamma, beta),
        bad(TypeError, ("gamma", "x"), x, gamma.astype(np.float64), beta),
    ]


def _torch_act(t, z, activation):
    return z if activation is None else getattr(t, activation)(z)


def _torch_batch(t, x, gamma=None, beta=None, epsilon=1e-3, activation=None):
    if x.numel() == 0:
        nan = t.full((x.shape[-1],), float("nan"), dtype=x.dtype)
        return x * 1, nan, nan
    flat = x.reshape(-1, x.shape[-1])
    mean, var = flat.mean(0), flat.var(0, unbiased=False)
    return _torch_inference(t, x, gamma, beta, mean, var, epsilon, activation), mean, var


def _torch_inference(t, x, gamma, beta, mean, var, epsilon=1e-3, activation=None):
    z = (x - mean) * t.rsqrt(var + epsilon)
    z = z if gamma is None else z * gamma
    return _torch_act(t, z if beta is None else z + beta, activation)


def _given(rng: Rng, c: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    return array(rng, (c,), dtype, -1, 1), array(rng, (c,), dtype, 0.5, 2)


def _inference_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for s in _batch_samples(rng, dtype):
        gamma, beta = (*s.args[1:], None, None)[:2]
        args = (s.args[0], gamma, beta, *_given(rng, s.args[0].shape[-1], dtype))
        calls.append(Sample(args, s.kwargs, s.smooth or s.args[0].size == 0))
    return calls


def _draw_inference(rng: Rng, dtype: str) -> Sample:
    s = _draw_batch(rng, dtype)
    return Sample((*s.args, *_given(rng, s.args[0].shape[-1], dtype)), s.kwargs, s.smooth)


def _inference_errors(rng: Rng, *first: np.ndarray) -> list[Bad]:
    x = array(rng, (6, 4), "float32")
    args = (*first, x, *_parameters(rng, (4,), "float32"), *_given(rng, 4, "float32"))
    n = len(first)
    return [
        *bad_array(args, n, "x"),
        *bad_array(args, n + 3, "mean"),
        *bad_array(args, n + 4, "var"),
        *_activation_errors(*args),
        bad(ValueError, "mean", *args[: n + 3], args[n + 3][:3], args[n + 4]),
        bad(TypeError, ("var", "x"), *args[: n + 4], args[n + 4].astype(np.float64)),
        bad(ValueError, "gamma", *args[: n + 1], args[n + 1][:3], *args[n + 2 :]),
    ]


def _batch_backward(rng: Rng, sample: Sample, dtype: str, training: bool) -> Sample:
    gamma, beta = (*sample.args[1:], None, None)[:2]
    x = sample.args[0]
    statistics = ref.batch_norm(x)[1:] if training and x.size else _given(rng, x.shape[-1], dtype)
    args = (array(rng, x.shape, dtype), x, gamma, beta, *(s.astype(dtype) for s in statistics))
    return Sample(args, {**sample.kwargs, "training": training})


def _batch_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [
        _batch_backward(rng, s, dtype, training)
        for s in _batch_samples(rng, dtype)
        if s.args[0].size or s.args[0].shape[-1] == 0
        for training in (True, False)
    ]


def _backward_errors(rng: Rng, wrong: list[Bad], *after: np.ndarray) -> list[Bad]:
    dy, x = array(rng, (6, 4), "float32"), array(rng, (6, 4), "float32")
    return [
        *wrong,
        *bad_array((dy, x, *after), 0, "dy"),
        bad(ValueError, "dy", dy[:, :2], x, *after),
        bad(TypeError, ("dy", "x"), dy.astype(np.float64), x, *after),
    ]


# -- layer, RMS -----------------------------------------------------------------------------------------------------

LAYERS: tuple[tuple[Shape, int | Shape, int], ...] = (  # x, axis, how many axes
    ((5, 4), -1, 1),
    ((2, 3, 17), 2, 1),
    ((2, 3, 4), (-1, -2), 2),
    ((3, 5), (0, 1), 2),
    ((7,), 0, 1),
    ((3, 2), -1, 1),
    ((0, 4), -1, 1),
    ((3, 0), -1, 1),
)


def _row_samples(rng: Rng, dtype: str, beta: bool) -> list[Sample]:
    calls = []
    for k, (shape, axis, width) in enumerate(LAYERS):
        parameters = _parameters(rng, shape[len(shape) - width :], dtype)[: 1 + beta]
        for activation in (ACTIVATIONS[k % 4], None):
            options = {"axis": axis, "activation": activation}
            args = (_random(rng, shape, dtype), *parameters)
            calls.append(Sample(args, options, smooth=_smooth(options)))
    x = _random(rng, (6, 5), dtype)
    return [
        *calls,
        Sample((x,)),
        Sample((x, None), {"epsilon": 0.1}),
        Sample((x, *_parameters(rng, (5,), dtype)[: 1 + beta])),
    ]


def _row_more(rng: Rng, dtype: str, beta: bool) -> list[Sample]:
    calls = [
        Sample(
            (_random(rng, (11, n), dtype), *_parameters(rng, (n,), dtype)[: 1 + beta]), {"activation": "tanh"}
        )
        for n in (*WIDTHS, 1000)
    ]
    x = _random(rng, (4, 20), dtype)
    x[1, 3], x[2, 5], x[3] = np.nan, np.inf, 2.0
    return [*calls, Sample((x,))]


def _draw_row(rng: Rng, dtype: str, beta: bool) -> Sample:
    width = int(rng.integers(1, 3))
    shape = (*(int(v) for v in rng.integers(1, 12, rng.integers(1, 3))),)
    inner = tuple(int(v) for v in rng.integers(2, rng.choice([5, 40, 150]) if width == 1 else 14, width))
    options = _options(rng) | {"axis": tuple(range(-width, 0)) if width > 1 or rng.random() < 0.5 else -1}
    parameters = _maybe(rng, *_parameters(rng, inner, dtype)[: 1 + beta])
    return Sample((_random(rng, shape + inner, dtype, width), *parameters), options, smooth=_smooth(options))


def _row_errors(rng: Rng, beta: bool, *first: np.ndarray) -> list[Bad]:
    x = array(rng, (6, 4), "float32")
    args = (*first, x, *_parameters(rng, (4,), "float32")[: 1 + beta])
    n = len(first)
    wrong = [
        *bad_array(args, n, "x"),
        *bad_array(args, n + 1, "gamma", optional=True),
        *_activation_errors(*args),
        bad(ValueError, "gamma", *args[: n + 1], args[n + 1][:3]),
        bad(TypeError, ("gamma", "x"), *args[: n + 1], args[n + 1].astype(np.float64)),
        bad(TypeError, "x", *first, x.astype(np.int64)),
        bad(ValueError, "axis", *args, axis=0),
        bad(IndexError, "axis", *args, axis=2),
        bad((ValueError, IndexError), "axis", *args, axis=()),
        bad(TypeError, "axis", *args, axis="last"),
    ]
    return wrong if not beta else [*wrong, bad(ValueError, "beta", *args[:-1], args[-1][None])]


def _row_backward(rng: Rng, calls: list[Sample], dtype: str) -> list[Sample]:
    return [Sample((array(rng, s.args[0].shape, dtype), *s.args), s.kwargs) for s in calls]


def _torch_layer(t, x, gamma=None, beta=None, axis=-1, epsilon=1e-3, activation=None):
    axes = (axis,) if isinstance(axis, int) else axis
    shape = [x.shape[a] for a in sorted(a % x.ndim for a in axes)]
    y = t.nn.functional.layer_norm(x, shape, gamma, beta, epsilon) if x.numel() else x * 1
    return _torch_act(t, y, activation)


def _torch_rms(t, x, gamma=None, axis=-1, epsilon=1e-6, activation=None):
    y = x * t.rsqrt((x * x).mean(axis, keepdim=True) + epsilon)
    return _torch_act(t, y if gamma is None else y * gamma, activation)


# -- groups ---------------------------------------------------------------------------------------------------------

GROUPED: tuple[tuple[Shape, int], ...] = (
    ((2, 5, 4), 2),
    ((3, 2, 3, 6), 3),
    ((2, 4, 3), 1),
    ((2, 6, 3), 3),
    ((5, 8), 2),
    ((0, 3, 4), 2),
    ((2, 3, 0), 1),
)


def _group_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for k, (shape, groups) in enumerate(GROUPED):
        for activation in (ACTIVATIONS[(k + 1) % 4], None):
            options = {"activation": activation}
            args = (_random(rng, shape, dtype), groups, *_parameters(rng, shape[-1:], dtype))
            calls.append(Sample(args, options, smooth=_smooth(options)))
    x = _random(rng, (3, 4, 6), dtype)
    return [*calls, Sample((x, 2)), Sample((x, 6, None, x[0, 0]), {"epsilon": 0.1})]


def _group_more(rng: Rng, dtype: str) -> list[Sample]:
    return [
        Sample((_random(rng, (n, s, c), dtype), groups, *_parameters(rng, (c,), dtype)))
        for c in WIDTHS
        for n, s in ((2, 9), (5, 30))
        for groups in {1, c}
    ]


def _draw_group(rng: Rng, dtype: str) -> Sample:
    groups, each = int(rng.integers(1, 9)), int(rng.integers(1, rng.choice([3, 20])))
    shape = (
        int(rng.integers(1, 7)),
        *(int(v) for v in rng.integers(3, 9, 2)),
        groups * each,
    )
    options = _options(rng)
    parameters = _maybe(rng, *_parameters(rng, shape[-1:], dtype))
    return Sample((_random(rng, shape, dtype), groups, *parameters), options, smooth=_smooth(options))


def _group_errors(rng: Rng, *first: np.ndarray) -> list[Bad]:
    x = array(rng, (6, 4), "float32")
    args = (*first, x, 2, *_parameters(rng, (4,), "float32"))
    n = len(first)
    return [
        *bad_array(args, n, "x"),
        *bad_array(args, n + 2, "gamma", optional=True),
        *_activation_errors(*args),
        bad(ValueError, "beta", *args[:-1], args[-1][:3]),
        bad(TypeError, "x", *first, x.astype(np.int64), *args[n + 1 :]),
        *(bad(ValueError, "groups", *first, x, g) for g in (0, 3, -1, 2**62)),
        bad(TypeError, "groups", *first, x, "2"),
        bad(TypeError, "groups", *first, x, None),
    ]


def _torch_group(t, x, groups, gamma=None, beta=None, epsilon=1e-3, activation=None):
    if x.numel() == 0:
        return x * 1
    y = t.nn.functional.group_norm(x.movedim(-1, 1), groups, eps=epsilon).movedim(1, -1)
    y = y if gamma is None else y * gamma
    return _torch_act(t, y if beta is None else y + beta, activation)


def _op(name: str, params: tuple[str, ...], arrays: tuple[str, ...], *rest: Any, **more: Any) -> Op:
    return Op(
        name, params, arrays, *rest, getattr(ref, name), tolerance="network", same_bits=False,
        **({"out": False} if name.endswith("backward") else {}) | more,
    )  # fmt: skip


BOTH = ("gamma", "beta")
LAST = ("epsilon", "activation")
BIG: tuple[Shape, ...] = ((3000, 37), (700, 300))

OPS = [
    _op(
        "batch_norm",
        ("x", *BOTH, *LAST),
        ("x", *BOTH),
        _batch_samples,
        _batch_errors,
        more=_batch_more,
        big=lambda rng, d: [Sample((_random(rng, s, d), *_parameters(rng, s[-1:], d))) for s in BIG],
        draw=_draw_batch,
        grad=(0, 1, 2),
        torch=_torch_batch,
        out=False,
    ),
    _op(
        "batch_norm_inference",
        ("x", *BOTH, "mean", "var", *LAST),
        ("x", *BOTH, "mean", "var"),
        _inference_samples,
        _inference_errors,
        big=lambda rng, d: [
            Sample((_random(rng, s, d), *_parameters(rng, s[-1:], d), *_given(rng, s[-1], d))) for s in BIG
        ],
        draw=_draw_inference,
        grad=(0, 1, 2, 3, 4),
        torch=_torch_inference,
    ),
    _op(
        "batch_norm_backward",
        ("dy", "x", *BOTH, "mean", "var", *LAST, "training"),
        ("dy", "x", *BOTH, "mean", "var"),
        _batch_backward_samples,
        lambda rng: _backward_errors(
            rng,
            _inference_errors(rng, array(rng, (6, 4), "float32")),
            *_parameters(rng, (4,), "float32"),
            *_given(rng, 4, "float32"),
        ),
        big=lambda rng, d: [
            _batch_backward(rng, Sample((_random(rng, s, d), *_parameters(rng, s[-1:], d))), d, training)
            for s in BIG
            for training in (True, False)
        ],
        draw=lambda rng, d: _batch_backward(rng, _draw_batch(rng, d), d, bool(rng.integers(2))),
    ),
    _op(
        "layer_norm",
        ("x", *BOTH, "axis", *LAST),
        ("x", *BOTH),
        lambda rng, d: _row_samples(rng, d, True),
        lambda rng: _row_errors(rng, True),
        more=lambda rng, d: _row_more(rng, d, True),
        big=lambda rng, d: [Sample((_random(rng, s, d), *_parameters(rng, s[-1:], d))) for s in BIG],
        draw=lambda rng, d: _draw_row(rng, d, True),
        grad=(0, 1, 2),
        torch=_torch_layer,
    ),
    _op(
        "layer_norm_backward",
        ("dy", "x", *BOTH, "axis", *LAST),
        ("dy", "x", *BOTH),
        lambda rng, d: _row_backward(rng, _row_samples(rng, d, True), d),
        lambda rng: _backward_errors(rng, _row_errors(rng, True, array(rng, (6, 4), "float32"))),
        more=lambda rng, d: _row_backward(rng, _row_more(rng, d, True)[:-1], d),
        big=lambda rng, d: _row_backward(
            rng, [Sample((_random(rng, s, d), *_parameters(rng, s[-1:], d))) for s in BIG], d
        ),
        draw=lambda rng, d: _row_backward(rng, [_draw_row(rng, d, True)], d)[0],
    ),
    _op(
        "rms_norm",
        ("x", "gamma", "axis", *LAST),
        ("x", "gamma"),
        lambda rng, d: _row_samples(rng, d, False),
        lambda rng: _row_errors(rng, False),
        more=lambda rng, d: _row_more(rng, d, False),
        big=lambda rng, d: [Sample((_random(rng, s, d), _parameters(rng, s[-1:], d)[0])) for s in BIG],
        draw=lambda rng, d: _draw_row(rng, d, False),
        grad=(0, 1),
        torch=_torch_rms,
    ),
    _op(
        "rms_norm_backward",
        ("dy", "x", "gamma", "axis", *LAST),
        ("dy", "x", "gamma"),
        lambda rng, d: _row_backward(rng, _row_samples(rng, d, False), d),
        lambda rng: _backward_errors(rng, _row_errors(rng, False, array(rng, (6, 4), "float32"))),
        more=lambda rng, d: _row_backward(rng, _row_more(rng, d, False)[:-1], d),
        big=lambda rng, d: _row_backward(
            rng, [Sample((_random(rng, s, d), _parameters(rng, s[-1:], d)[0])) for s in BIG], d
        ),
        draw=lambda rng, d: _row_backward(rng, [_draw_row(rng, d, False)], d)[0],
    ),
    _op(
        "group_norm",
        ("x", "groups", *BOTH, *LAST),
        ("x", *BOTH),
        _group_samples,
        _group_errors,
        more=_group_more,
        big=lambda rng, d: [
            Sample((_random(rng, (n, s, 30), d), 5, *_parameters(rng, (30,), d)))
            for n, s in ((40, 70), (2, 3000))
        ],
        draw=_draw_group,
        grad=(0, 2, 3),
        torch=_torch_group,
    ),
    _op(
        "group_norm_backward",
        ("dy", "x", "groups", *BOTH, *LAST),
        ("dy", "x", *BOTH),
        lambda rng, d: _row_backward(rng, _group_samples(rng, d), d),
        lambda rng: _backward_errors(rng, _group_errors(rng, array(rng, (6, 4), "float32")), 2),
        more=lambda rng, d: _row_backward(rng, _group_more(rng, d), d),
        big=lambda rng, d: _row_backward(
            rng,
            [
                Sample((_random(rng, (n, s, 30), d), 5, *_parameters(rng, (30,), d)))
                for n, s in ((40, 70), (2, 3000))
            ],
            d,
        ),
        draw=lambda rng, d: _row_backward(rng, [_draw_group(rng, d)], d)[0],
    ),
]
