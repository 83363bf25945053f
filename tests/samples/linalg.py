"""Records of the matrix products."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import ALL, FLOATS, Op, Rng, Sample, array, away_from, bad, bad_array, bad_out

PRODUCTS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((3, 4), (4, 5)),
    ((1, 4), (4, 1)),
    ((4,), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (3, 4, 2)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((3, 4), (4, 0)),
    ((0, 3, 4), (0, 4, 2)),
)


def _pair(rng: Rng, a: tuple[int, ...], b: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    return array(rng, a, dtype, -1, 1), array(rng, b, dtype, -1, 1)


def _transposed(rng: Rng, m: int, k: int, n: int, dtype: str, scale: float = 1) -> list[Sample]:
    """All four layouts of the two matrices."""
    a, b = _pair(rng, (m, k), (k, n), dtype)
    a, b = (a, b) if scale == 1 else ((a * scale).astype(dtype), (b * scale).astype(dtype))
    return [Sample((x, y)) for x in (a, np.asfortranarray(a)) for y in (b, np.asfortranarray(b))]


def _matmul_more(rng: Rng, dtype: str) -> list[Sample]:
    sizes = [1, 2, 3, 5, 7, 8, 9, 15, 17, 31, 33, 64, 65, 67]
    calls = [Sample(_pair(rng, (m, m), (m, m), dtype)) for m in sizes]
    calls += [Sample(_pair(rng, (m, 37), (37, n), dtype)) for m in sizes for n in (1, 3, 16, 17, 67)]
    calls += [Sample(_pair(rng, (5, k), (k, 19), dtype)) for k in (*sizes, 255, 256, 257, 600)]
    for m, k, n in ((33, 65, 31), (130, 70, 50), (1, 300, 40), (200, 1, 33), (3, 500, 1)):
        calls += _transposed(rng, m, k, n, dtype)
    if dtype in FLOATS:
        for m, k, n in (
            (33, 1100, 260),
            (210, 1030, 330),
            (250, 300, 520),
            (400, 700, 40),
        ):  # every way of packing
            calls += _transposed(rng, m, k, n, dtype, 0.5)
        a, b = _pair(rng, (200, 8192), (500, 310), dtype)
        calls.append(Sample((a[:, :500], 0.5 * b)))  # rows of A that share cache sets
        a, b = _pair(rng, (5, 6), (6, 7), dtype)
        a[1, 2], b[3, 4], a[2, 0] = np.nan, np.inf, -np.inf
        calls.append(Sample((a, b)))
    return calls


def _matmul_errors(rng: Rng) -> list:
    a, b = _pair(rng, (3, 4), (4, 5), "float32")
    return [
        *bad_array((a, b), 0, "x1"),
        *bad_array((a, b), 1, "x2"),
        *bad_out((a, b), np.zeros((3, 5), np.float32)),
        bad(ValueError, ("x1", "x2"), a, a),
        bad(ValueError, ("x1", "x2"), a[0], a),
        bad(ValueError, "x1", np.float32(1), b),
        bad(ValueError, "x2", a, np.float32(1)),
        bad(ValueError, ("x1", "x2", "broadcast"), np.ones((2, 3, 4)), np.ones((3, 4, 5))),
    ]


def _bf16_errors(rng: Rng) -> list:
    a, b = _pair(rng, (3, 4), (4, 5), "float32")
    return [
        *bad_array((a, b), 0, "x1"),
        *bad_array((a, b), 1, "x2"),
        *bad_out((a, b), np.zeros((3, 5), np.float32)),
        bad(ValueError, ("x1", "x2"), a, a),
        bad(ValueError, "x1", np.float32(1), b),
        bad(TypeError, "x1", a.astype(np.float64), b),
        bad(TypeError, "x2", a, b.astype(np.int32)),
    ]


def _gram_samples(rng: Rng, dtype: str) -> list[Sample]:
    shapes = ((3, 4), (4, 1), (1, 4), (2, 5, 3), (2, 1, 3, 2), (0, 3), (3, 0), (0, 3, 2))
    return [Sample((array(rng, shape, dtype, -1, 1),)) for shape in shapes]


def _gram_more(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for n, k in ((50, 33), (40, 130), (1100, 70), (300, 260), (900, 330), (3, 500)):
        x = array(rng, (n, k), dtype, -0.7, 0.7)
        calls += [Sample((x,)), Sample((np.asfortranarray(x),))]
    x = array(rng, (5, 6), dtype, -1, 1)
    x[1, 2], x[3, 4] = np.nan, np.inf
    return [*calls, Sample((x,)), Sample((np.broadcast_to(array(rng, (7, 5), dtype), (3, 7, 5)),))]


def _gram_errors(rng: Rng) -> list:
    x = array(rng, (3, 4), "float32")
    return [
        *bad_array((x,), 0, "x"),
        *bad_out((x,), np.zeros((4, 4), np.float32)),
        bad(ValueError, "x", x[0]),
        bad(ValueError, "x", np.float32(1)),
        bad(TypeError, "x", x.astype(np.int32)),
        bad(TypeError, "x", x > 0),
    ]


def _draw_gram(rng: Rng, dtype: str) -> Sample:
    n, k = (int(v) for v in rng.integers(1, rng.choice([4, 40, 300]), 2))
    x = array(rng, (*((), (2,), (3, 1))[rng.integers(3)], n, k), dtype, -1, 1)
    return Sample((np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if rng.random() < 0.5 else x,))


def _backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for a, b in (
        ((3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((0, 4), (4, 5)),
    ):
        x1, x2 = _pair(rng, a, b, dtype)
        calls.append(Sample((array(rng, (x1 @ x2).shape, dtype, -1, 1), x1, x2)))
    return calls


def _backward_errors(rng: Rng) -> list:
    a, b = _pair(rng, (3, 4), (4, 5), "float32")
    dy = array(rng, (3, 5), "float32")
    return [
        *bad_array((dy, a, b), 0, "dy"),
        *bad_array((dy, a, b), 1, "x1"),
        *bad_array((dy, a, b), 2, "x2"),
        bad(ValueError, "dy", dy.T, a, b),
        bad(ValueError, ("x1", "x2"), dy, a, a),
        bad(ValueError, "x1", dy, a[0], b),
        bad(TypeError, "dy", dy.astype(np.float64), a, b),
        bad(TypeError, "x2", dy, a, b.astype(np.float64)),
    ]


# The activations and which of them bend sharply at 0.
ACTIVATIONS = (
    None, "relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "softplus", "gelu", "gelu_tanh", "silu",
)  # fmt: skip
KINKED = ("relu", "leaky_relu", "selu", "elu")


def _linear_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for shape in ((6, 4), (4,), (2, 3, 4), (0, 4)):
        for activation in (None, "relu", "sigmoid", "tanh"):
            x, (w, b) = away_from(array(rng, shape, dtype, -1, 1), 0), _pair(rng, (4, 5), (5,), dtype)
            calls.append(Sample((x, w, b), {"activation": activation}, smooth=activation != "relu"))
    for i, activation in enumerate(ACTIVATIONS[4:]):
        x, (w, b) = array(rng, (3, 4), dtype), _pair(rng, (4, 5), (5,), dtype)
        residual = array(rng, (3, 5), dtype) if i % 2 else None
        calls.append(Sample((x, w, b, activation, residual), smooth=activation not in KINKED))
    x, w = _pair(rng, (6, 4), (4, 5), dtype)
    for shape in ((2, 3, 5), (5,), (0, 5)):
        x2, residual = array(rng, (*shape[:-1], 4), dtype), array(rng, shape, dtype)
        calls.append(Sample((x2, w, w[0].copy()), {"activation": "tanh", "residual": residual}))
        calls.append(Sample((x2, w), {"residual": residual}))
    return [*calls, Sample((x, w)), Sample((x, w), {"activation": "tanh"}), Sample((x[:, :0], w[:0], w[0]))]


def _linear_errors(rng: Rng) -> list:
    x, w = _pair(rng, (3, 4), (4, 5), "float32")
    b = array(rng, (5,), "float32")
    return [
        *bad_array((x, w, b), 0, "x"),
        *bad_array((x, w, b), 1, "w"),
        *bad_array((x, w, b), 2, "b", optional=True),
        bad(ValueError, ("x", "w"), x[:, :3], w, b),
        bad(ValueError, "w", x, w[0], b),
        bad(ValueError, "b", x, w, b[:4]),
        bad(ValueError, "b", x, w, b[None]),
        bad(ValueError, "x", np.float32(1), w, b),
        *bad_array((x, w, b, None, x @ w), 4, "residual", optional=True),
        bad(ValueError, "residual", x, w, b, None, x),
        bad(ValueError, "activation", x, w, b, "softmax"),
        bad(ValueError, "activation", x, w, b, "nonsense"),
        bad(TypeError, "activation", x, w, b, 3),
        bad(ValueError, "out", x, w, b, out=np.zeros((3, 4), np.float32)),
    ]


def _draw_linear(rng: Rng, dtype: str) -> Sample:
    rows, k, n = (int(v) for v in rng.integers(1, rng.choice([4, 40, 90]), 3))
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    x, w = _pair(rng, ((rows, k), (2, rows, k), (k,))[rng.integers(3)], (k, n), dtype)
    w = (w / np.sqrt(k)).astype(dtype)
    b = array(rng, (n,), dtype) if rng.random() < 0.7 else None
    residual = array(rng, (*x.shape[:-1], n), dtype) if rng.random() < 0.4 else None
    return Sample((x, w, b, activation, residual), smooth=activation not in KINKED)


def _linear_backward_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for shape in ((6, 4), (4,), (2, 3, 4), (0, 4)):
        for activation in ACTIVATIONS:
            x, w = _pair(rng, shape, (4, 5), dtype)
            dy = array(rng, (*shape[:-1], 5), dtype)
            calls.append(Sample((dy, x, w, array(rng, dy.shape, dtype, 0.1, 0.9), activation)))
    return calls


def _linear_backward_more(rng: Rng, dtype: str) -> list[Sample]:
    """Strips of columns, chunks of rows, negative outputs, far inputs."""
    calls = []
    for rows, cols in ((3, 67), (70, 130), (3000, 9)):
        for activation in ACTIVATIONS:
            x, w = _pair(rng, (rows, 2), (2, cols), dtype)
            dy, y = _pair(rng, (rows, cols), (rows, cols), dtype)
            calls.append(Sample((dy, x, w, abs(y) if activation == "softplus" else y, activation)))
    for activation in ("gelu", "gelu_tanh", "silu"):
        (x, w), dy = _pair(rng, (2, 2), (2, 6), dtype), np.ones((2, 6), dtype)
        y = np.array([[-9, -4, -1.5, 1.5, 4, 9], [-60, -30, -0.0, 0, 30, 60]], dtype)
        calls.append(Sample((dy, x, w, y, activation)))
    return calls


def _draw_linear_backward(rng: Rng, dtype: str) -> Sample:
    rows, k, n = (int(v) for v in rng.integers(1, rng.choice([4, 40, 90]), 3))
    x, w = _pair(rng, ((rows, k), (2, rows, k))[rng.integers(2)], (k, n), dtype)
    dy = array(rng, (*x.shape[:-1], n), dtype, -1, 1)
    y = array(rng, dy.shape, dtype, 0.1, 1)
    return Sample((dy, x, w, y, ACTIVATIONS[rng.integers(len(ACTIVATIONS))]))


def _linear_backward_errors(rng: Rng) -> list:
    x, w = _pair(rng, (3, 4), (4, 5), "float32")
    dy, y = _pair(rng, (3, 5), (3, 5), "float32")
    args = (dy, x, w, y)
    return [
        *bad_array(args, 0, "dy"),
        *bad_array(args, 1, "x"),
        *bad_array(args, 2, "w"),
        *bad_array(args, 3, "y"),
        bad(ValueError, "dy", dy.T, x, w, y),
        bad(ValueError, "y", dy, x, w, y[:2]),
        bad(ValueError, "w", dy, x, w[0], y),
        bad(ValueError, "x", dy, x[:, :3], w, y),
        bad(TypeError, "y", dy, x, w, y.astype(np.float64)),
        bad(ValueError, "activation", dy, x, w, y, "nonsense"),
    ]


def _torch_linear(t, x, w, b=None, activation=None, residual=None):
    f = t.nn.functional
    special = {
        None: lambda z: z,
        "leaky_relu": lambda z: f.leaky_relu(z, 0.2),
        "gelu_tanh": lambda z: f.gelu(z, approximate="tanh"),
        "sigmoid": t.sigmoid,
        "tanh": t.tanh,
    }
    z = x @ w if b is None else x @ w + b
    z = z if residual is None else z + residual
    return (special.get(activation) or getattr(f, activation))(z)


def _draw_matmul(rng: Rng, dtype: str) -> Sample:
    """Any sizes, batches and memory orders."""
    m, k, n = (int(v) for v in rng.integers(1, rng.choice([4, 40, 130]), 3))
    batch = ((), (2,), (3, 1))[rng.integers(3)]
    a, b = _pair(rng, (*batch, m, k), (*((), batch)[rng.integers(2)], k, n), dtype)
    turned = lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    return Sample((turned(a) if rng.random() < 0.5 else a, turned(b) if rng.random() < 0.5 else b))


def _bf16_samples(rng: Rng, dtype: str) -> list[Sample]:
    return [Sample(_pair(rng, a, b, dtype)) for a, b in PRODUCTS]


def _bf16_more(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for m, k, n in ((33, 65, 31), (130, 70, 50), (1, 300, 40), (200, 1, 33), (3, 500, 1), (100, 1100, 70)):
        calls += _transposed(rng, m, k, n, dtype, 0.5)
    a, b = _pair(rng, (5, 6), (6, 7), dtype)
    a[1, 2], b[3, 4], a[2, 0] = np.nan, np.inf, -np.inf
    ties = np.array([[1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8, 1 + 2.0**-8 + 2.0**-20]], dtype)  # to even
    return [
        *calls,
        Sample((a, b)),
        Sample((ties.T, np.ones((1, 1), dtype))),
        Sample((ties, np.eye(4, dtype=dtype))),
    ]


OPS = [
    Op(
        "matmul_bf16",
        ("x1", "x2"),
        ("x1", "x2"),
        _bf16_samples,
        _bf16_errors,
        ref.matmul_bf16,
        dtypes=("float32",),
        more=_bf16_more,
        big=lambda rng, dtype: [
            Sample(_pair(rng, (310, 290), (290, 301), dtype)),
            Sample(_pair(rng, (2000, 3), (3, 400), dtype)),
        ],
        tolerance="product",
        same_bits=False,
        phrases=("broadcast",),
    ),
    Op(
        "matmul",
        ("x1", "x2"),
        ("x1", "x2"),
        lambda rng, dtype: [Sample(_pair(rng, a, b, dtype)) for a, b in PRODUCTS],
        _matmul_errors,
        ref.matmul,
        dtypes=ALL,
        more=_matmul_more,
        big=lambda rng, dtype: [
            Sample(_pair(rng, (310, 290), (290, 301), dtype)),
            Sample(_pair(rng, (2000, 3), (3, 400), dtype)),
            Sample(_pair(rng, (1, 2000), (2000, 600), dtype)),
        ],
        draw=_draw_matmul,
        grad=(0, 1),
        tolerance="product",
        same_bits=False,
        torch=lambda t, a, b: a @ b,
        phrases=("broadcast",),
    ),
    Op(
        "gram",
        ("x",),
        ("x",),
        _gram_samples,
        _gram_errors,
        ref.gram,
        more=_gram_more,
        big=lambda rng, dtype: [Sample((array(rng, (310, 290), dtype, -1, 1),))],
        draw=_draw_gram,
        grad=(0,),
        tolerance="product",
        same_bits=False,
        torch=lambda t, x: x.mT @ x,
    ),
    Op(
        "matmul_backward",
        ("dy", "x1", "x2"),
        ("dy", "x1", "x2"),
        _backward_samples,
        _backward_errors,
        ref.matmul_backward,
        big=lambda rng, dtype: [
            Sample(
                (array(rng, (300, 310), dtype), array(rng, (300, 290), dtype), array(rng, (290, 310), dtype))
            )
        ],
        grad=(0, 1, 2),
        tolerance="sum",
        same_bits=False,
        out=False,
        phrases=("broadcast",),
    ),
    Op(
        "linear",
        ("x", "w", "b", "activation", "residual"),
        ("x", "w", "b", "residual"),
        _linear_samples,
        _linear_errors,
        ref.linear,
        big=lambda rng, dtype: [
            Sample((*_pair(rng, (700, 290), (290, 301), dtype), array(rng, (301,), dtype), "tanh"))
        ],
        draw=_draw_linear,
        grad=(0, 1, 2, 4),
        tolerance="network",
        same_bits=False,
        torch=_torch_linear,
    ),
    Op(
        "linear_backward",
        ("dy", "x", "w", "y", "activation"),
        ("dy", "x", "w", "y"),
        _linear_backward_samples,
        _linear_backward_errors,
        ref.linear_backward,
        more=_linear_backward_more,
        big=lambda rng, dtype: [
            Sample(
                (
                    *_pair(rng, (700, 301), (700, 290), dtype),
                    *_pair(rng, (290, 301), (700, 301), dtype),
                    "tanh",
                )
            )
        ],
        draw=_draw_linear_backward,
        grad=(0, 1, 2, 3),
        tolerance="network",
        same_bits=False,
        out=False,
    ),
]
