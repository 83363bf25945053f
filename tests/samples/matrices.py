"""Matrices for the records of the decompositions: definite, symmetric, regular, triangular ones, and wrong ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .record import Bad, Rng, Sample, array, bad, bad_array, bad_out

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
