"""Records of the decompositions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array, bad_out

LinAlgError = np.linalg.LinAlgError
SQUARES: tuple[tuple[int, ...], ...] = (
    (3, 3),
    (1, 1),
    (5, 5),
    (2, 3, 3),
    (2, 1, 4, 4),
    (0, 0),
    (0, 3, 3),
    (2, 0, 0),
)
SIZES = (2, 7, 8, 9, 16, 17, 24, 31, 33, 64, 65, 100)  # strips, vectors and blocks, whole and not
RECTANGLES: tuple[tuple[int, ...], ...] = (
    (4, 3),
    (3, 3),
    (3, 5),
    (1, 1),
    (5, 1),
    (1, 4),
    (2, 4, 2),
    (0, 3),
    (3, 0),
    (0, 2, 2),
)


# -- matrices ----------------------------------------------------------------------------------------------------------


def ranked(rng: Rng, shape: tuple[int, ...], dtype: str, low: float = 1.0) -> np.ndarray:
    """Singular values from ``low`` up, at least 0.5 apart: every decomposition of it is well determined."""
    *stack, m, n = shape
    k = min(m, n)
    left, right = (np.linalg.qr(rng.normal(size=(*stack, s, k)))[0] for s in (m, n))
    s = low + np.cumsum(rng.uniform(0.8, 1, (*stack, 1, k)), -1)
    return (left * s @ np.swapaxes(right, -1, -2)).astype(dtype)


def definite(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    x = array(rng, shape, "float64", -1, 1)
    x = x @ np.swapaxes(x, -1, -2) / 2 + np.eye(shape[-1])
    return ((x + np.swapaxes(x, -1, -2)) / 2).astype(dtype)


def symmetric(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Eigenvalues of both signs, at least 0.5 apart."""
    *stack, n = shape[:-1]
    q = np.linalg.qr(rng.normal(size=shape))[0]
    w = np.cumsum(rng.uniform(0.5, 1, (*stack, 1, n)), -1) - n / 3
    x = q * w @ np.swapaxes(q, -1, -2)
    return ((x + np.swapaxes(x, -1, -2)) / 2).astype(dtype)


def regular(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Well conditioned, its rows in any order."""
    n = shape[-1]
    x = array(rng, shape, "float64", -1, 1) + (n**0.5 + 1) * np.eye(n)
    return np.ascontiguousarray(x[..., rng.permutation(n), :]).astype(dtype)


def triangular(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Its triangles are well conditioned systems, also with a unit diagonal."""
    n = shape[-1]
    x = array(rng, shape, "float64", -1, 1) / max(n**0.5, 1)
    return (x + np.eye(n) * rng.choice([-1.5, 1.5], n)).astype(dtype)


def batch_of(rng: Rng) -> tuple[int, ...]:
    return ((), (), (2,), (3, 2))[rng.integers(4)]


def draw_square(make: Callable, most: int = 40) -> Callable[[Rng, str], Sample]:
    def draw(rng: Rng, dtype: str) -> Sample:
        n = int(rng.integers(0, rng.choice([6, most + 1])))
        return Sample((make(rng, (*batch_of(rng), n, n), dtype),))

    return draw


def draw_rectangle(rng: Rng, dtype: str) -> Sample:
    """Up to 40 on one side and 16 on the other: float32 vectors of more values differ in the fifth digit."""
    sides = [int(rng.integers(0, most)) for most in (rng.choice([6, 41]), 17)]
    rng.shuffle(sides)
    return Sample((ranked(rng, (*batch_of(rng), *sides), dtype),))


def squares(make: Callable) -> Callable[[Rng, str], list[Sample]]:
    return lambda rng, dtype: [Sample((make(rng, shape, dtype),)) for shape in SQUARES]


def more_squares(make: Callable, sizes: tuple[int, ...] = SIZES) -> Callable[[Rng, str], list[Sample]]:
    return lambda rng, dtype: [Sample((make(rng, (n, n), dtype),)) for n in sizes]


def square_errors(name: str = "a", out: bool = True, matrix: bool = True) -> Callable[[Rng], list[Bad]]:
    def errors(rng: Rng) -> list[Bad]:
        a = definite(rng, (3, 3), "float32")
        wrong = [
            *bad_array((a,), 0, name),
            bad(ValueError, name, a[0]),
            bad(ValueError, name, np.float32(1)),
            bad(ValueError, name, a[:2]),
            bad(ValueError, name, np.ones((2, 3, 2), np.float32)),
        ]
        return wrong + (list(bad_out((a,), a if matrix else np.float32(1) + np.zeros(()))) if out else [])

    return errors


# -- Cholesky, LU ------------------------------------------------------------------------------------------------------


def _cholesky_errors(rng: Rng) -> list[Bad]:
    a = definite(rng, (2, 12, 12), "float64")
    broken = a.copy()
    broken[1, 10, 10] = -1
    holes = a.copy()
    holes[0, 3, 2] = np.nan
    return [
        *square_errors()(rng),
        *(bad(LinAlgError, "a", x) for x in (broken, holes, -a, np.zeros((3, 3)), np.full((2, 2), np.nan))),
        bad(TypeError, "upper", a, upper="yes"),
    ]


def _solve_pairs(rng: Rng, make: Callable, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    shapes = (
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((1, 1), (1, 1)),
        ((5, 5), (5, 1)),
        ((2, 3, 3), (2, 3, 4)),
        ((3, 3), (2, 3, 2)),
        ((2, 3, 3), (3, 2)),
        ((2, 1, 3, 3), (3, 3, 2)),
        ((2, 3, 3), (3,)),
        ((0, 0), (0, 2)),
        ((3, 3), (3, 0)),
        ((0, 3, 3), (0, 3, 2)),
    )
    return [(make(rng, a, dtype), array(rng, b, dtype, -1, 1)) for a, b in shapes]


def _solve_more(rng: Rng, make: Callable, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(make(rng, (n, n), dtype), array(rng, (n, k), dtype, -1, 1)) for n in SIZES for k in (1, 3, 33)]


def _solve_errors(rng: Rng, name: str = "a") -> list[Bad]:
    a, b = regular(rng, (3, 3), "float32"), array(rng, (3, 2), "float32")
    return [
        *bad_array((a, b), 0, "a"),
        *bad_array((a, b), 1, "b"),
        *bad_out((a, b), b),
        bad(ValueError, "a", a[:2], b),
        bad(ValueError, "a", a[0], b),
        bad(ValueError, "b", a, b[:2]),
        bad(ValueError, "b", a, b[:2, 0]),
        bad(ValueError, "b", a, np.float32(1)),
        bad(ValueError, ("broadcast", "b"), np.stack([a, a]), np.ones((3, 3, 2), np.float32)),
    ]


def _singular() -> list[np.ndarray]:
    rows = np.arange(9.0).reshape(3, 3)
    rows[2] = rows[0]
    rows[1] = 2 * rows[0]
    return [np.zeros((3, 3)), np.stack([np.eye(3), rows]), np.diag([1.0, 0, 2])]


def _triangular_samples(rng: Rng, dtype: str) -> list[Sample]:
    calls = []
    for i, (a, b) in enumerate(_solve_pairs(rng, triangular, dtype)):
        options = {"lower": i % 2 == 0, "trans": i % 4 > 1, "unit_diagonal": i % 3 == 0}
        calls += [Sample((a, b), options), Sample((a, b), {"lower": i % 2 == 1})]
    return calls


def _triangular_more(rng: Rng, dtype: str) -> list[Sample]:
    return [
        Sample((a, b), {"lower": lower, "trans": trans, "unit_diagonal": trans})
        for a, b in _solve_more(rng, triangular, dtype)
        for lower in (True, False)
        for trans in (True, False)
    ]


def _draw_solve(make: Callable, options: bool = False) -> Callable[[Rng, str], Sample]:
    def draw(rng: Rng, dtype: str) -> Sample:
        n, k = int(rng.integers(0, 41)), int(rng.choice([0, 1, 2, 5, 17, 40]))
        stack = batch_of(rng)
        a = make(rng, (*((), stack)[rng.integers(2)], n, n), dtype)
        b = array(rng, (n,) if rng.random() < 0.2 else (*stack, n, k), dtype, -1, 1)
        names = ("lower", "trans", "unit_diagonal") if options else ()
        return Sample((a, b), {name: bool(rng.integers(2)) for name in names})

    return draw


def _torch_triangular(t, a, b, lower=True, trans=False, unit_diagonal=False):
    a, right = a.tril() if lower else a.triu(), b[..., None] if b.ndim == 1 else b
    lower, a = lower != trans, a.mT if trans else a
    x = t.linalg.solve_triangular(a, right, upper=not lower, unitriangular=unit_diagonal)
    return x[..., 0] if b.ndim == 1 else x


def _torch_solve(t, a, b):
    return t.linalg.solve(a, b[..., None])[..., 0] if b.ndim == 1 else t.linalg.solve(a, b)


def _mirror(a):
    return (a + a.mT) / 2


# -- QR, eigenvalues, singular values ----------------------------------------------------------------------------------


def _rectangles(rng: Rng, dtype: str) -> list[Sample]:
    return [Sample((ranked(rng, shape, dtype),)) for shape in RECTANGLES]


def _rectangles_more(rng: Rng, dtype: str) -> list[Sample]:
    shapes = [(n, n) for n in SIZES if n <= 33]
    shapes += [(40, 3), (3, 40), (33, 17), (17, 33), (70, 34), (200, 5), (65, 33)]
    return [Sample((ranked(rng, shape, dtype),)) for shape in shapes]


def _qr_samples(rng: Rng, dtype: str) -> list[Sample]:
    tall = Sample((ranked(rng, (4, 2), dtype),), {"mode": "complete"}, smooth=False)
    wide = Sample((ranked(rng, (2, 4), dtype),), {"mode": "complete"})
    return [*_rectangles(rng, dtype), tall, wide]


def _svd_samples(rng: Rng, dtype: str) -> list[Sample]:
    square = Sample((ranked(rng, (3, 3), dtype),), {"full_matrices": True})
    return [*_rectangles(rng, dtype), square]


def _rectangle_errors(more: Callable[[np.ndarray], list[Bad]]) -> Callable[[Rng], list[Bad]]:
    def errors(rng: Rng) -> list[Bad]:
        a = array(rng, (4, 3), "float32")
        return [
            *bad_array((a,), 0, "a"),
            bad(ValueError, "a", a[0]),
            bad(ValueError, "a", np.float32(1)),
            *more(a),
        ]

    return errors


def _holes(a: np.ndarray) -> list[np.ndarray]:
    """With a NaN, and with an infinity, in places that every algorithm reads."""
    found = []
    for value in (np.nan, np.inf):
        b = a.copy()
        b[-1, 0] = value
        found.append(b)
    return found


def _bad_rcond(*args: np.ndarray) -> list[Bad]:
    wrong = [bad(ValueError, "rcond", *args, rcond=v) for v in (-1.0, float("nan"))]
    return [*wrong, bad(TypeError, "rcond", *args, rcond="small")]


def _signed(t, vectors):
    """pylearn's sign of each column."""
    if vectors.numel() == 0:
        return t.ones(*vectors.shape[:-2], 1, vectors.shape[-1], dtype=vectors.dtype)
    size = vectors.detach().abs()
    first = (size >= 0.99 * size.amax(-2, keepdim=True)).to(t.int8).argmax(-2, keepdim=True)
    return t.where(vectors.detach().gather(-2, first) < 0, -1.0, 1.0).to(vectors.dtype)


def _torch_eigh(t, a):
    w, v = t.linalg.eigh(_mirror(a))
    return w, v * _signed(t, v)


def _torch_svd(t, a, full_matrices=False):
    u, s, vh = t.linalg.svd(a, full_matrices=full_matrices)
    sign = _signed(t, u)
    return u * sign, s, vh * sign.mT


def _torch_lstsq(t, a, b, rcond=None):
    right = b[..., None] if b.ndim == 1 else b
    x = t.linalg.pinv(a) @ right
    residuals = ((right - a @ x) ** 2).sum(-2)
    s = t.linalg.svdvals(a)
    rank = t.linalg.matrix_rank(a) if a.numel() else t.zeros(a.shape[:-2], dtype=t.int64)
    return (x[..., 0], residuals[..., 0], rank, s) if b.ndim == 1 else (x, residuals, rank, s)


def _lstsq_samples(rng: Rng, dtype: str) -> list[Sample]:
    pairs = (
        ((4, 3), (4,)), ((4, 3), (4, 2)), ((3, 3), (3, 1)), ((2, 4), (2, 2)), ((2, 4, 2), (2, 4, 3)),
        ((4, 2), (3, 4, 1)), ((0, 2), (0, 1)), ((3, 0), (3, 2)), ((0, 2, 2), (0, 2, 1)),
    )  # fmt: skip
    return [Sample((ranked(rng, a, dtype), array(rng, b, dtype, -1, 1))) for a, b in pairs]


def _deficient(rng: Rng, shape: tuple[int, int], rank: int, dtype: str) -> np.ndarray:
    """The rest of its singular values is rounding."""
    return (ranked(rng, (shape[0], rank), "float64") @ ranked(rng, (rank, shape[1]), "float64")).astype(dtype)


def _lstsq_errors(rng: Rng) -> list[Bad]:
    a, b = array(rng, (4, 3), "float32"), array(rng, (4, 2), "float32")
    return [
        *bad_array((a, b), 0, "a"),
        *bad_array((a, b), 1, "b"),
        bad(ValueError, "a", a[0], b),
        bad(ValueError, "b", a, b[:3]),
        bad(ValueError, "b", a, np.float32(1)),
        bad(ValueError, ("broadcast", "b"), np.stack([a, a]), np.ones((3, 4, 2), np.float32)),
        *(bad(LinAlgError, "a", x, b) for x in _holes(a)),
        *_bad_rcond(a, b),
    ]


def _draw_lstsq(rng: Rng, dtype: str) -> Sample:
    a = draw_rectangle(rng, dtype).args[0]
    b = array(rng, (*a.shape[:-1], int(rng.integers(1, 5))), dtype, -1, 1)
    return Sample((a, b))


def op(name: str, params: tuple[str, ...], samples: Callable, errors: Callable, **rest) -> Op:
    given = {"arrays": ("a",), "grad": (0,), "tolerance": "decomposition", "matrices": True, **rest}
    arrays = given.pop("arrays")
    return Op(name, params, arrays, samples, errors, getattr(ref, name), **given)


def pair(name: str, params: tuple[str, ...], samples: Callable, errors: Callable, **rest) -> Op:
    return op(name, params, samples, errors, arrays=("a", "b"), grad=(0, 1), phrases=("broadcast",), **rest)


OPS = [
    op(
        "cholesky",
        ("a", "upper"),
        lambda rng, dtype: [
            *squares(definite)(rng, dtype),
            Sample((definite(rng, (4, 4), dtype),), {"upper": True}),
            Sample((definite(rng, (2, 3, 3), dtype), True)),
        ],
        _cholesky_errors,
        more=lambda rng, dtype: [
            Sample((definite(rng, (n, n), dtype),), {"upper": upper})
            for n in SIZES
            for upper in (False, True)
        ],
        big=lambda rng, dtype: [
            Sample((definite(rng, (300, 300), dtype),)),
            Sample((definite(rng, (40, 20, 20), dtype),)),
        ],
        draw=draw_square(definite),
        symmetric=(0,),
        torch=lambda t, a, upper=False: t.linalg.cholesky(_mirror(a), upper=upper),
    ),
    op(
        "logdet",
        ("a",),
        squares(definite),
        lambda rng: [*square_errors(matrix=False)(rng), bad(LinAlgError, "a", -np.eye(3))],
        more=more_squares(definite),
        big=lambda rng, dtype: [Sample((definite(rng, (200, 200), dtype),))],
        draw=draw_square(definite),
        symmetric=(0,),
        torch=lambda t, a: t.logdet(_mirror(a)),
    ),
    pair(
        "solve_triangular",
        ("a", "b", "lower", "trans", "unit_diagonal"),
        _triangular_samples,
        lambda rng: [
            *_solve_errors(rng),
            *(bad(LinAlgError, "a", np.diag([1.0, 0, 2]), np.ones(3), lower=v) for v in (True, False)),
            *(
                bad(TypeError, v, np.eye(3), np.ones(3), **{v: 0.5})
                for v in ("lower", "trans", "unit_diagonal")
            ),
        ],
        more=_triangular_more,
        big=lambda rng, dtype: [
            Sample(
                (triangular(rng, (300, 300), dtype), array(rng, (300, 200), dtype, -1, 1)), {"trans": trans}
            )
            for trans in (False, True)
        ],
        draw=_draw_solve(triangular, options=True),
        torch=_torch_triangular,
    ),
    pair(
        "solve",
        ("a", "b"),
        lambda rng, dtype: [Sample(p) for p in _solve_pairs(rng, regular, dtype)],
        lambda rng: [*_solve_errors(rng), *(bad(LinAlgError, "a", a, np.ones(3)) for a in _singular())],
        more=lambda rng, dtype: [Sample(p) for p in _solve_more(rng, regular, dtype)],
        big=lambda rng, dtype: [
            Sample((regular(rng, (260, 260), dtype), array(rng, (260, 100), dtype, -1, 1))),
            Sample((regular(rng, (60, 12, 12), dtype), array(rng, (60, 12, 3), dtype, -1, 1))),
        ],
        draw=_draw_solve(regular),
        torch=_torch_solve,
    ),
    op(
        "inv",
        ("a",),
        squares(regular),
        lambda rng: [*square_errors()(rng), *(bad(LinAlgError, "a", a) for a in _singular())],
        more=more_squares(regular),
        big=lambda rng, dtype: [Sample((regular(rng, (200, 200), dtype),))],
        draw=draw_square(regular),
        torch=lambda t, a: t.linalg.inv(a),
    ),
    op(
        "det",
        ("a",),
        squares(ranked),
        square_errors(matrix=False),
        more=lambda rng, dtype: [
            *(Sample((regular(rng, (n, n), dtype) / np.asarray(n**0.5 + 1, dtype),)) for n in (2, 7, 17, 40)),
            *(Sample((a.astype(dtype),)) for a in _singular()),
            Sample((np.diag(np.array([1e-30, 1e-30, 1e30, 1e30])).astype(dtype),)),
            Sample((np.array([[1, np.nan], [2, 3]], dtype),)),
        ],
        big=lambda rng, dtype: [Sample((regular(rng, (600, 14, 14), dtype),))],
        draw=lambda rng, dtype: Sample(
            (ranked(rng, (*batch_of(rng), *[int(rng.integers(0, 5))] * 2), dtype),)
        ),
        torch=lambda t, a: t.linalg.det(a),
    ),
    op(
        "slogdet",
        ("a",),
        squares(regular),
        square_errors(out=False),
        more=lambda rng, dtype: [
            *more_squares(regular)(rng, dtype),
            *(Sample((a.astype(dtype),)) for a in _singular()),
        ],
        big=lambda rng, dtype: [Sample((regular(rng, (600, 14, 14), dtype),))],
        draw=draw_square(regular),
        out=False,
        torch=lambda t, a: tuple(t.linalg.slogdet(a)),
    ),
    op(
        "qr",
        ("a", "mode"),
        _qr_samples,
        _rectangle_errors(
            lambda a: [
                *(bad(ValueError, "mode", a, m) for m in ("full", "r", "raw")),
                bad(TypeError, "mode", a, 3),
            ]
        ),
        more=lambda rng, dtype: [
            *_rectangles_more(rng, dtype),
            Sample((ranked(rng, (40, 7), dtype),), {"mode": "complete"}),
            Sample((np.full((3, 2), np.nan, dtype),)),
        ],
        big=lambda rng, dtype: [Sample((ranked(rng, shape, dtype),)) for shape in ((250, 200), (100, 300))],
        draw=draw_rectangle,
        out=False,
        torch=lambda t, a, mode="reduced": tuple(t.linalg.qr(a, mode=mode)),
    ),
    op(
        "eigh",
        ("a",),
        squares(symmetric),
        lambda rng: [*square_errors(out=False)(rng), *(bad(LinAlgError, "a", x) for x in _holes(np.eye(3)))],
        more=more_squares(symmetric, SIZES[:9]),
        big=lambda rng, dtype: [
            Sample((symmetric(rng, shape, dtype),)) for shape in ((200, 200), (30, 20, 20))
        ],
        draw=draw_square(symmetric, 24),
        symmetric=(0,),
        out=False,
        torch=_torch_eigh,
    ),
    op(
        "svd",
        ("a", "full_matrices"),
        _svd_samples,
        _rectangle_errors(
            lambda a: [
                *(bad(LinAlgError, "a", x) for x in _holes(a)),
                bad(TypeError, "full_matrices", a, 0.5),
            ]
        ),
        more=_rectangles_more,
        big=lambda rng, dtype: [Sample((ranked(rng, shape, dtype),)) for shape in ((200, 150), (30, 20, 20))],
        draw=draw_rectangle,
        out=False,
        torch=_torch_svd,
    ),
    op(
        "pinv",
        ("a", "rcond"),
        _rectangles,
        _rectangle_errors(lambda a: [*(bad(LinAlgError, "a", x) for x in _holes(a)), *_bad_rcond(a)]),
        more=lambda rng, dtype: [
            *_rectangles_more(rng, dtype),
            *(Sample((_deficient(rng, s, r, dtype),)) for s, r in (((6, 4), 2), ((5, 9), 3), ((7, 7), 6))),
            Sample((np.zeros((3, 2), dtype),)),
            Sample((ranked(rng, (6, 4), dtype), 0.5)),
        ],
        big=lambda rng, dtype: [Sample((ranked(rng, (150, 100), dtype),))],
        draw=draw_rectangle,
        torch=lambda t, a, rcond=None: t.linalg.pinv(a),
    ),
    pair(
        "lstsq",
        ("a", "b", "rcond"),
        _lstsq_samples,
        _lstsq_errors,
        more=lambda rng, dtype: [
            *(
                Sample((_deficient(rng, s, r, dtype), array(rng, s[:1], dtype)))
                for s, r in (((6, 4), 2), ((5, 9), 3))
            ),
            Sample((ranked(rng, (200, 9), dtype), array(rng, (200,), dtype))),
            Sample((ranked(rng, (6, 4), dtype), array(rng, (6, 2), dtype), 0.5)),
        ],
        big=lambda rng, dtype: [Sample((ranked(rng, (300, 60), dtype), array(rng, (300, 20), dtype)))],
        draw=_draw_lstsq,
        result=("same", "same", "int64", "same"),
        same_bits=False,
        out=False,
        torch=_torch_lstsq,
    ),
]
