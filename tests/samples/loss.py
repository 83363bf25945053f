"""Records of softmax, the losses and dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pylearn import reference as ref

from .elementwise import TAILS
from .record import FLOATS, Op, Rng, Sample, array, bad, bad_array, bad_out

HUGE = 2**62
ROWS = (1001, 97)


def _axis_errors(*args: object) -> list:
    return [
        bad(IndexError, "axis", *args, axis=2),
        bad(IndexError, "axis", *args, axis=-3),
        bad((IndexError, ValueError), "axis", *args, axis=HUGE),
        bad(TypeError, "axis", *args, axis="0"),
        bad(TypeError, "axis", *args, axis=None),
        bad(TypeError, "axis", *args, axis=(0, 1)),
    ]


SOFTMAX_CASES = (
    ((5,), -1),
    ((3, 5), -1),
    ((3, 5), 0),
    ((2, 3, 4), 1),
    ((1, 1), -1),
    ((0, 3), -1),
    ((3, 0), -1),
)


def _softmax(name: str, torch: Callable) -> Op:
    def more(rng: Rng, dtype: str) -> list[Sample]:
        calls = [Sample((array(rng, (3, n), dtype, -9, 9),)) for n in TAILS]
        x = array(rng, (6, 5), dtype, -9, 9)
        x[0, 1], x[1, 2], x[2], x[3, 0], x[4] = np.nan, np.inf, -np.inf, -np.inf, 1e4
        return [*calls, Sample((x,)), Sample((array(rng, (3, 9), dtype, -300, 300),))]

    def errors(rng: Rng) -> list:
        x = array(rng, (3, 4), "float32")
        return [
            *bad_array((x,), 0, "x"),
            *bad_out((x,), x),
            *_axis_errors(x),
            bad(ValueError, "x", np.float32(1)),
        ]

    return Op(
        name,
        ("x", "axis"),
        ("x",),
        lambda rng, dtype: [Sample((array(rng, s, dtype),), {"axis": a}) for s, a in SOFTMAX_CASES],
        errors,
        getattr(ref, name),
        more=more,
        big=lambda rng, dtype: [Sample((array(rng, ROWS, dtype), a)) for a in (0, 1)],
        grad=(0,),
        tolerance="network",
        same_bits=False,
        torch=torch,
    )


def _softmax_backward(name: str, forward: Callable) -> Op:
    def one(rng: Rng, shape: tuple[int, ...], axis: int, dtype: str) -> Sample:
        y = forward(array(rng, shape, "float64"), axis).astype(dtype)
        return Sample((array(rng, shape, dtype), y), {"axis": axis})

    def errors(rng: Rng) -> list:
        dy, y = array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
        return [
            *bad_array((dy, y), 0, "dy"),
            *bad_array((dy, y), 1, "y"),
            *_axis_errors(dy, y),
            bad(ValueError, "dy", dy[:2], y),
            bad(TypeError, "dy", dy.astype(np.float64), y),
            bad(ValueError, ("x", "y", "dy"), np.float32(1), np.float32(1)),
        ]

    return Op(
        name,
        ("dy", "y", "axis"),
        ("dy", "y"),
        lambda rng, dtype: [one(rng, s, a, dtype) for s, a in SOFTMAX_CASES],
        errors,
        getattr(ref, name),
        big=lambda rng, dtype: [one(rng, ROWS, 1, dtype)],
        tolerance="network",
        same_bits=False,
    )


# -- cross-entropy -----------------------------------------------------------------------------------------------------


def _dense(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ref.softmax(rng.standard_normal(shape)).astype(dtype)


def _entropy_samples(rng: Rng, dtype: str) -> list[Sample]:
    x = array(rng, (6, 5), dtype)
    ids = rng.integers(0, 5, (6,))
    return [
        Sample((x, ids)),
        Sample((x, ids.astype(np.int32))),
        Sample((x, ids.astype(np.uint8))),
        Sample((x, _dense(rng, (6, 5), dtype))),
        Sample((x, np.eye(5, dtype=dtype)[ids])),
        Sample((x, array(rng, (6, 5), dtype, 0, 1))),
        Sample((x[0], np.asarray(2))),
        Sample((array(rng, (2, 3, 4), dtype), rng.integers(0, 4, (2, 3)))),
        Sample((array(rng, (3, 1), dtype), np.zeros((3,), np.int64))),
        Sample((x[:0], ids[:0])),
    ]


def _entropy_more(rng: Rng, dtype: str) -> list[Sample]:
    calls = [Sample((array(rng, (3, n), dtype, -9, 9), rng.integers(0, n, (3,)))) for n in TAILS]
    calls += [Sample((array(rng, (3, n), dtype, -9, 9), _dense(rng, (3, n), dtype))) for n in TAILS]
    return [*calls, Sample((array(rng, (3, 9), dtype, -300, 300), rng.integers(0, 9, (3,))))]


def _labels_errors(x: np.ndarray, ids: np.ndarray, *before: np.ndarray) -> list:
    outside = [np.array([0, 1, 4]), np.array([0, -1, 1]), np.array([HUGE, 0, 0]), np.array([0, 0, -(2**63)])]
    return [
        *bad_array((*before, x, ids), len(before), "logits"),
        *bad_array((*before, x, ids), len(before) + 1, "labels"),
        *(bad(IndexError, ("labels", "x"), *before, x, wrong) for wrong in outside),
        bad(ValueError, "labels", *before, x, ids[:2]),
        bad(ValueError, "labels", *before, x, x[:, :3]),
        bad(ValueError, "labels", *before, x, np.float32(1)),
        bad(TypeError, "logits", *before, x.astype(np.int64), ids),
        bad((TypeError, ValueError), "labels", *before, x, ids.astype(np.float32)),
    ]


def _entropy_errors(rng: Rng) -> list:
    x, ids = array(rng, (3, 4), "float32"), np.array([0, 3, 1])
    return [
        *_labels_errors(x, ids),
        bad(ValueError, "logits", x[:, :0], ids),
        bad(ValueError, "logits", np.float32(1), np.int64(0)),
        bad(ValueError, "out", x, ids, out=np.zeros((4,), np.float32)),
    ]


def _entropy_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [Sample((array(rng, s.args[0].shape[:-1], dtype), *s.args)) for s in _entropy_samples(rng, dtype)]


def _entropy_backward_errors(rng: Rng) -> list:
    dy, x, ids = array(rng, (3,), "float32"), array(rng, (3, 4), "float32"), np.array([0, 3, 1])
    return [
        *bad_array((dy, x, ids), 0, "dy"),
        *_labels_errors(x, ids, dy),
        bad(ValueError, "dy", dy[:2], x, ids),
        bad(TypeError, "dy", dy.astype(np.float64), x, ids),
    ]


def _torch_entropy(t, x, labels):
    if labels.ndim == x.ndim:
        return -(labels * t.log_softmax(x, -1)).sum(-1)
    rows = t.nn.functional.cross_entropy(
        x.reshape(-1, x.shape[-1]), labels.long().reshape(-1), reduction="none"
    )
    return rows.reshape(labels.shape)


# -- losses of two arrays of one shape ---------------------------------------------------------------------------------


def loss(
    name: str,
    params: tuple[str, str] = ("x1", "x2"),
    second: tuple[float, float] = (-2.0, 2.0),
    kinks: tuple[float, ...] = (),
    options: tuple[tuple[str, float], ...] = (),
    tolerance: str = "elementwise",
    torch: Callable | None = None,
) -> Op:
    """An elementwise loss, which never broadcasts. ``kinks``: where |x1 - x2| is not smooth."""

    def two(rng: Rng, shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
        a, b = array(rng, shape, dtype), array(rng, shape, dtype, *second)
        for k in kinks:
            a = np.where(np.abs(np.abs(a - b) - k) < 0.05, b + np.asarray(k + 0.2, dtype), a).astype(dtype)
        return a, b

    def errors(rng: Rng) -> list:
        a, b = two(rng, (3, 4), "float32")
        wrong = [*bad_array((a, b), 0, params[0]), *bad_array((a, b), 1, params[1]), *bad_out((a, b), a)]
        for p, _ in options:
            wrong += [bad(TypeError, p, a, b, **{p: "1"})]
            wrong += [bad(ValueError, p, a, b, **{p: v}) for v in (0.0, -1.0, np.nan)]
        return [
            *wrong,
            bad(ValueError, params, a, b[:, :3]),
            bad(ValueError, params, a, b[0]),
            bad(ValueError, params, a, b[:, :1]),
            bad(ValueError, params, a, np.float32(1)),
            bad(ValueError, params, a[0], b[:, 0]),
        ]

    return Op(
        name,
        (*params, *(p for p, _ in options)),
        params,
        lambda rng, dtype: [
            *(Sample(two(rng, s, dtype)) for s in ((), (1,), (17,), (3, 5), (0,), (3, 0))),
            *(Sample(two(rng, (3, 5), dtype), {p: v}, smooth=False) for p, v in options),
        ],
        errors,
        getattr(ref, name),
        more=lambda rng, dtype: [Sample(two(rng, (n,), dtype)) for n in TAILS],
        big=lambda rng, dtype: [Sample(two(rng, (3, 40961), dtype))],
        grad=(0, 1),
        tolerance=tolerance,
        torch=torch,
    )


# -- losses of a prediction and a target ------------------------------------------------------------------------------

POINTWISE = {  # the parameter to try, and where targets lie
    "squared_error": (0.0, (-2.0, 2.0)),
    "absolute_error": (0.0, (-2.0, 2.0)),
    "huber": (0.4, (-2.0, 2.0)),
    "log_cosh": (0.0, (-2.0, 2.0)),
    "squared_logarithmic_error": (1e-3, (0.1, 2.0)),
    "absolute_percentage_error": (1e-3, (0.3, 2.0)),
    "poisson": (1e-3, (0.1, 2.0)),
    "hinge": (0.0, (-1.0, 1.0)),
    "squared_hinge": (0.0, (-1.0, 1.0)),
    "kl_divergence": (1e-3, (0.1, 0.9)),
    "binary_cross_entropy": (1e-3, (0.1, 0.9)),
    "binary_cross_entropy_with_logits": (0.0, (0.0, 1.0)),
}
REDUCED = {"none": lambda y: y, "mean": lambda y: y.mean(-1), "sum": lambda y: y.sum(-1)}


def _point(rng: Rng, kind: str, shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and target, away from where the loss has a kink."""
    c, (low, high) = POINTWISE[kind]
    t = array(rng, shape, dtype, low, high)
    if kind.endswith("hinge"):
        t = np.where(t < 0, -1, 1).astype(dtype)
        x = array(rng, shape, dtype)
        return np.where(np.abs(1 - t * x) < 0.1, x + 0.3 * t, x).astype(dtype), t
    x = (
        array(rng, shape, dtype)
        if low < 0 or kind.endswith("logits")
        else array(rng, shape, dtype, 0.05, 0.95)
    )
    for k in {"absolute_error": (0.0,), "huber": (0.0, c), "absolute_percentage_error": (0.0,)}.get(kind, ()):
        x = np.where(np.abs(np.abs(x - t) - k) < 0.05, t + np.asarray(k + 0.2, dtype), x).astype(dtype)
    return x, t


def _point_samples(rng: Rng, dtype: str) -> list[Sample]:
    made = []
    for kind, (c, _) in POINTWISE.items():
        made.append(Sample((*_point(rng, kind, (3, 5), dtype), kind, c)))
        made.append(Sample((*_point(rng, kind, (2, 3, 17), dtype), kind, c, "mean")))
        made.append(Sample((*_point(rng, kind, (19,), dtype), kind, c, "sum")))
        made.append(Sample((*_point(rng, kind, (0, 4), dtype), kind, c, "mean")))
    made.append(Sample((*_point(rng, "poisson", (6, 1), dtype), "poisson", 1e-3, "mean")))
    return [
        *made,
        Sample((*_point(rng, "hinge", (), dtype), "hinge")),
        Sample((*_point(rng, "huber", (0,), dtype), "huber", 1.0)),
    ]


def _point_more(rng: Rng, dtype: str) -> list[Sample]:
    """The edges of the domains, what is beyond, and what is not a number."""
    x = np.array([0, 1, -0.5, 1.5, 0.25, 0.75, -0.0, np.nan, 0.5], dtype)
    t = np.array([0, 1, 0, 1, 0.5, 0.5, 1, 0.5, 0.25], dtype)
    made = [Sample((x, t, kind, c)) for kind, (c, _) in POINTWISE.items()]
    far = np.array([1e4, -1e4, 100, -100, np.inf], dtype)
    made += [Sample((far, np.zeros(5, dtype), kind, 1.0)) for kind in ("huber", "log_cosh", "squared_error")]
    return [
        *made,
        *(Sample((*_point(rng, "log_cosh", (3, n), dtype), "log_cosh", 0.0, "mean")) for n in TAILS if n),
    ]


def _point_draw(rng: Rng, dtype: str) -> Sample:
    kind = str(rng.choice(list(POINTWISE)))
    shape = tuple(int(n) for n in rng.integers(1, 40, rng.integers(1, 4)))
    x, t = _point(rng, kind, shape, dtype)
    return Sample((x, t, kind, POINTWISE[kind][0], str(rng.choice(list(REDUCED)))))


def _kind_errors(rng: Rng, first: tuple) -> list:
    x, t = array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
    call = (*first, x, t)
    return [
        *bad_array((*call, "hinge"), len(first), "prediction"),
        *bad_array((*call, "hinge"), len(first) + 1, "target"),
        bad(ValueError, ("prediction", "target"), *first, x, t[:, :3], "hinge"),
        bad(ValueError, ("prediction", "target"), *first, x, t[0], "hinge"),
        bad(ValueError, ("prediction", "target"), *first, x, t[:, :1], "hinge"),
        bad(ValueError, "loss", *call, "hinges"),
        bad(TypeError, "loss", *call, 3),
        bad(ValueError, "reduction", *call, "hinge", 0.0, "max"),
        bad(TypeError, "reduction", *call, "hinge", 0.0, None),
        bad(TypeError, "parameter", *call, "huber", "1"),
        *(bad(ValueError, "parameter", *call, "huber", c) for c in (0.0, -1.0, np.nan)),
        *(bad(ValueError, "parameter", *call, "poisson", c) for c in (-1.0, np.nan, np.inf)),
        bad(ValueError, "prediction", *first, x[:, :0], t[:, :0], "hinge", 0.0, "mean"),
        bad(ValueError, "prediction", *first, x[0, 0], t[0, 0], "hinge", 0.0, "mean"),
    ]


def _point_errors(rng: Rng) -> list:
    x, t = array(rng, (3, 4), "float32"), array(rng, (3, 4), "float32")
    return [*_kind_errors(rng, ()), *bad_out((x, t, "hinge"), x)]


def _torch_point(t, x, y, kind, c=0.0, reduction="none"):
    f = t.nn.functional
    value = {
        "squared_error": lambda: (x - y) ** 2,
        "absolute_error": lambda: (x - y).abs(),
        "huber": lambda: f.huber_loss(x, y, reduction="none", delta=c),
        "log_cosh": lambda: (x - y) + f.softplus(2 * (y - x)) - np.log(2),
        "squared_logarithmic_error": lambda: (t.log1p(x.clamp_min(c)) - t.log1p(y.clamp_min(c))) ** 2,
        "absolute_percentage_error": lambda: 100 * ((x - y) / y.abs().clamp_min(c)).abs(),
        "poisson": lambda: f.poisson_nll_loss(x, y, log_input=False, eps=c, reduction="none"),
        "hinge": lambda: f.relu(1 - x * y),
        "squared_hinge": lambda: f.relu(1 - x * y) ** 2,
        "kl_divergence": lambda: f.kl_div(x.clamp(c, 1).log(), y.clamp(c, 1), reduction="none"),
        "binary_cross_entropy": lambda: f.binary_cross_entropy(x.clamp(c, 1 - c), y, reduction="none"),
        "binary_cross_entropy_with_logits": lambda: f.binary_cross_entropy_with_logits(
            x, y, reduction="none"
        ),
    }[kind]()
    return REDUCED[reduction](value)


def _with_dy(rng: Rng, sample: Sample, dtype: str, of_target: bool) -> Sample:
    x, t, kind, c, reduction = (*sample.args, *(0.0, "none")[len(sample.args) - 3 :])
    dy = array(rng, x.shape if reduction == "none" else x.shape[:-1], dtype)
    return Sample((dy, x, t, kind, c, reduction, of_target), smooth=sample.smooth)


def _point_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [_with_dy(rng, s, dtype, side) for s in _point_samples(rng, dtype) for side in (False, True)]


def _point_backward_errors(rng: Rng) -> list:
    x, t, dy = (array(rng, (3, 4), "float32") for _ in range(3))
    return [
        *bad_array((dy, x, t, "hinge"), 0, "dy"),
        *_kind_errors(rng, (dy,)),
        *bad_out((dy, x, t, "hinge"), x),
        bad(ValueError, "dy", dy[:2], x, t, "hinge"),
        bad(ValueError, "dy", dy, x, t, "hinge", 0.0, "mean"),
        bad(TypeError, "dy", dy.astype(np.float64), x, t, "hinge"),
        bad(TypeError, "of_target", dy, x, t, "hinge", 0.0, "none", "no"),
    ]


# -- dropout -----------------------------------------------------------------------------------------------------------


def _dropout_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    return [
        *bad_array((x, 0.5), 0, "x"),
        *(bad(ValueError, "rate", x, r) for r in (-0.1, 1.0, 2.0, np.nan, np.inf)),
        *(bad(TypeError, "rate", x, r) for r in ("0.5", None, x)),
    ]


OPS = [
    _softmax("softmax", lambda t, x, axis=-1: t.softmax(x, axis)),
    _softmax("log_softmax", lambda t, x, axis=-1: t.log_softmax(x, axis)),
    _softmax_backward("softmax_backward", ref.softmax),
    _softmax_backward("log_softmax_backward", ref.log_softmax),
    Op(
        "softmax_cross_entropy",
        ("logits", "labels"),
        ("logits", "labels"),
        _entropy_samples,
        _entropy_errors,
        ref.softmax_cross_entropy,
        more=_entropy_more,
        big=lambda rng, dtype: [
            Sample((array(rng, ROWS, dtype), rng.integers(0, ROWS[1], ROWS[:1]))),
            Sample((array(rng, ROWS, dtype), _dense(rng, ROWS, dtype))),
        ],
        grad=(0,),
        tolerance="network",
        same_bits=False,
        torch=_torch_entropy,
    ),
    Op(
        "softmax_cross_entropy_backward",
        ("dy", "logits", "labels"),
        ("dy", "logits", "labels"),
        _entropy_backward_samples,
        _entropy_backward_errors,
        ref.softmax_cross_entropy_backward,
        big=lambda rng, dtype: [
            Sample((array(rng, ROWS[:1], dtype), array(rng, ROWS, dtype), rng.integers(0, ROWS[1], ROWS[:1])))
        ],
        grad=(0, 1),
        tolerance="network",
        same_bits=False,
    ),
    Op(
        "pointwise_loss",
        ("prediction", "target", "loss", "parameter", "reduction"),
        ("prediction", "target"),
        _point_samples,
        _point_errors,
        ref.pointwise_loss,
        more=_point_more,
        big=lambda rng, dtype: [
            Sample((*_point(rng, kind, (211, 1001), dtype), kind, POINTWISE[kind][0], reduction))
            for kind, reduction in (("squared_error", "none"), ("poisson", "mean"), ("hinge", "sum"))
        ],
        draw=_point_draw,
        grad=(0, 1),
        tolerance="network",
        torch=_torch_point,
    ),
    Op(
        "pointwise_loss_backward",
        ("dy", "prediction", "target", "loss", "parameter", "reduction", "of_target"),
        ("dy", "prediction", "target"),
        _point_backward_samples,
        _point_backward_errors,
        ref.pointwise_loss_backward,
        big=lambda rng, dtype: [
            _with_dy(
                rng,
                Sample((*_point(rng, kind, (211, 1001), dtype), kind, POINTWISE[kind][0], r)),
                dtype,
                False,
            )
            for kind, r in (("squared_error", "none"), ("poisson", "mean"))
        ],
        draw=lambda rng, dtype: _with_dy(rng, _point_draw(rng, dtype), dtype, bool(rng.random() < 0.5)),
        grad=(0, 1, 2),
        tolerance="network",
    ),
    loss(
        "binary_cross_entropy",
        ("logits", "targets"),
        (0.1, 0.9),
        tolerance="network",
        torch=lambda t, a, b: t.nn.functional.binary_cross_entropy_with_logits(a, b, reduction="none"),
    ),
    loss("squared_error", torch=lambda t, a, b: (a - b) ** 2),
    loss("absolute_error", kinks=(0,), torch=lambda t, a, b: (a - b).abs()),
    loss(
        "huber",
        kinks=(0, 1),
        options=(("delta", 0.4),),
        torch=lambda t, a, b, delta=1.0: t.nn.functional.huber_loss(a, b, reduction="none", delta=delta),
    ),
    Op(
        "dropout",
        ("x", "rate"),
        ("x",),
        lambda rng, dtype: [
            Sample((array(rng, s, dtype), r))
            for s, r in (((), 0.5), ((17,), 0.3), ((6, 7), 0.8), ((0,), 0.5), ((5,), 0.0))
        ],
        _dropout_errors,
        ref.dropout,
        dtypes=FLOATS,
        more=lambda rng, dtype: [Sample((array(rng, (n,), dtype), 0.4)) for n in TAILS],
        big=lambda rng, dtype: [Sample((array(rng, (3, 40961), dtype), 0.3))],
        grad=(0,),
        random=True,
        out=False,
    ),
]
