"""Decompositions of matrices that no tolerance of elements fits: ill conditioned, repeated values, extreme scales.

What holds for them is backward stability: ||A - Q R|| / ||A||, the distance from orthogonality and the error of the
eigenvalues over ||A|| are within 10 n eps, as LAPACK's are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from samples.decomp import definite, ranked, regular, symmetric

import pylearn
from pylearn import ops

DTYPES = ("float32", "float64")
SIZES = (1, 2, 5, 8, 17, 40, 65, 130)


def spectrum(kind: str, n: int) -> np.ndarray:
    i = np.arange(n)
    return {
        "geometric": 10.0 ** (-12 * i / max(n - 1, 1)),
        "repeated": np.where(i % 2, 1.0, 2.0),
        "deficient": np.where(i < n // 2 + 1, 1.0 + i, 0.0),
        "one": np.ones(n),
        "zero": np.zeros(n),
        "clustered": 1 + 1e-9 * i,
        "large": 1e30 * (1.0 + i),
        "small": 1e-30 * (1.0 + i),
    }[kind]


KINDS = ("geometric", "repeated", "deficient", "one", "zero", "clustered", "large", "small")


def made(kind: str, m: int, n: int, dtype: str, turned: bool = False) -> np.ndarray:
    """A matrix with these singular values, or, where it is square, these eigenvalues; ``turned``: ascending."""
    rng = np.random.default_rng(m * 1000 + n)
    k = min(m, n)
    u, v = (np.linalg.qr(rng.normal(size=(s, k)))[0] for s in (m, n))
    s = spectrum(kind, k)[:: -1 if turned else 1]
    return (u * s @ v.T).astype(dtype) if m != n else (u * s @ u.T).astype(dtype)


def norm(x: np.ndarray) -> float:
    return float(np.linalg.norm(x.astype(np.float64)))


def stable(error: np.ndarray, scale: np.ndarray | float, n: int, dtype: str, where: str) -> None:
    bound = 10 * n * np.finfo(dtype).eps
    scale = norm(scale) if isinstance(scale, np.ndarray) else scale
    assert norm(error) <= bound * scale, f"{where}: {norm(error) / scale / np.finfo(dtype).eps / n:.3g} n eps"


def orthogonal(q: np.ndarray, where: str) -> None:
    """Its columns."""
    wide = q.astype(np.float64)
    stable(wide.T @ wide - np.eye(q.shape[1]), 1.0, max(q.shape), str(q.dtype), where)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_are_backward_stable(dtype: str, kind: str) -> None:
    for n in SIZES:
        for m in (n, 3 * n, n // 2 + 1):
            for turned in (False, True):
                where = f"{kind} {m}x{n} {dtype}{' turned' if turned else ''}"
                a = made(kind, m, n, dtype, turned)
                wide = a.astype(np.float64)
                q, r = ops.qr(a)
                stable(wide - q.astype(np.float64) @ r, a, max(m, n), dtype, f"qr {where}")
                orthogonal(q, f"qr {where}")
                assert np.array_equal(r, np.triu(r))
                u, s, vh = ops.svd(a)
                stable(wide - u.astype(np.float64) * s @ vh, a, max(m, n), dtype, f"svd {where}")
                orthogonal(u, f"svd {where}")
                orthogonal(vh.T, f"svd {where}")
                assert (np.diff(s) <= 0).all() and (s >= 0).all()
                stable(s - np.linalg.svd(wide, compute_uv=False), a, max(m, n), dtype, f"svd {where}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh_is_backward_stable(dtype: str, kind: str) -> None:
    for n in SIZES:
        for turned in (False, True):
            where = f"eigh {kind} {n} {dtype}"
            a = made(kind, n, n, dtype, turned)
            a = np.tril(a) + np.tril(a, -1).T
            w, v = ops.eigh(a)
            wide = a.astype(np.float64)
            stable(wide @ v - v.astype(np.float64) * w, a, n, dtype, where)
            orthogonal(v, where)
            assert (np.diff(w) >= 0).all()
            stable(w - np.linalg.eigvalsh(wide), a, n, dtype, where)


@pytest.mark.parametrize("dtype", DTYPES)
def test_systems_are_backward_stable(dtype: str) -> None:
    for n in SIZES:
        rng = np.random.default_rng(n)
        for kind in ("geometric", "one", "large", "small"):
            a = made(kind, n, n, dtype) if n > 1 else np.full((1, 1), 3, dtype)
            if dtype == "float32" and kind == "geometric":
                a = a + np.eye(n, dtype=dtype) * np.float32(1e-4)
            b = rng.normal(size=(n, 3)).astype(dtype)
            x = ops.solve(a, b).astype(np.float64)
            stable(a.astype(np.float64) @ x - b, norm(a) * norm(x) + norm(b), n, dtype, f"solve {kind} {n}")
        for a in (definite(rng, (n, n), dtype), np.array(1e30, dtype) * definite(rng, (n, n), dtype)):
            factor = ops.cholesky(a).astype(np.float64)
            stable(a - factor @ factor.T, a, n, dtype, f"cholesky {n}")


def test_hilbert() -> None:
    """Condition 1e13: positive definite by a hair, and solved to a small residual."""
    i = np.arange(10)
    a = 1.0 / (i[:, None] + i + 1)
    assert np.allclose(ops.cholesky(a) @ ops.cholesky(a).T, a, rtol=0, atol=1e-16)
    b = a @ np.ones(10)
    assert np.abs(a @ ops.solve(a, b) - b).max() < 1e-14
    assert ops.logdet(a) == pytest.approx(np.linalg.slogdet(a)[1], rel=1e-5)


def test_columns_of_any_scale() -> None:
    """Householder reflections are stable column by column, also where squares leave the range of the type."""
    for dtype, far in (("float32", 1e-25), ("float64", 1e-200)):
        a = np.random.default_rng(1).normal(size=(7, 3)).astype(dtype)
        a *= np.array([1, far, 1 / far], dtype)
        q, r = ops.qr(a)
        orthogonal(q, "qr")
        for j in range(3):
            back = q.astype(np.float64) @ r[:, j].astype(np.float64)
            assert np.abs(back - a[:, j]).max() <= 50 * np.finfo(dtype).eps * np.abs(a[:, j]).max()


@pytest.mark.parametrize("value", [0.0, 1e-44, 1e-40])
def test_denormals(value: float) -> None:
    a = np.full((5, 4), value, np.float32)
    assert np.isfinite(ops.qr(a)[1]).all()
    u, s, vh = ops.svd(a)
    assert np.abs(u * s @ vh - a).max() <= 1e-43
    assert np.isfinite(ops.eigh(a[:4])[1]).all()


# -- conventions -------------------------------------------------------------------------------------------------------


def test_one_triangle_is_read() -> None:
    rng = np.random.default_rng(0)
    a = definite(rng, (20, 20), "float64")
    noise = np.triu(rng.normal(size=(20, 20)), 1)
    assert np.array_equal(ops.cholesky(a + noise), ops.cholesky(a))
    assert np.array_equal(ops.cholesky(a + noise.T, upper=True), ops.cholesky(a, upper=True))
    assert np.array_equal(ops.eigh(a + noise)[1], ops.eigh(a)[1])
    b = rng.normal(size=(20, 3))
    noise[np.arange(20), np.arange(20)] = 7
    upper = np.triu(a)
    assert np.array_equal(
        ops.solve_triangular(np.tril(a) + np.triu(noise, 1), b), ops.solve_triangular(np.tril(a), b)
    )
    assert np.array_equal(
        ops.solve_triangular(upper + np.diag(np.ones(20)), b, lower=False, unit_diagonal=True),
        ops.solve_triangular(upper, b, lower=False, unit_diagonal=True),
    )


def test_signs_do_not_hang_on_rounding() -> None:
    """Where components tie, the first of them is positive."""
    v = ops.eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))[1]
    assert np.allclose(v, np.sqrt(0.5) * np.array([[1, 1], [-1, 1]]))
    u, s, vh = ops.svd(np.array([[0.0, -3.0], [2.0, 0.0]]))
    assert np.allclose(u, np.eye(2)) and np.allclose(s, [3, 2]) and np.allclose(vh, [[0, -1], [1, 0]])


def test_full_matrices() -> None:
    rng = np.random.default_rng(3)
    for m, n in ((5, 3), (3, 5), (9, 2), (2, 9), (4, 4), (3, 0), (0, 3), (0, 0)):
        a = rng.normal(size=(m, n))
        u, s, vh = ops.svd(a, full_matrices=True)
        assert u.shape == (m, m) and vh.shape == (n, n) and s.shape == (min(m, n),)
        assert np.allclose(u.T @ u, np.eye(m)) and np.allclose(vh @ vh.T, np.eye(n))
        assert np.allclose(u[:, : min(m, n)] * s @ vh[: min(m, n)], a)


def test_least_norm_solutions() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=(8, 3)) @ rng.normal(size=(3, 6))
    b = rng.normal(size=8)
    x, residuals, rank, s = ops.lstsq(a, b)
    want = np.linalg.lstsq(a, b, rcond=None)
    assert np.allclose(x, want[0]) and rank == want[2] == 3 and np.allclose(s, want[3])
    assert residuals == pytest.approx(((b - a @ x) ** 2).sum())


# -- failures ----------------------------------------------------------------------------------------------------------


def failing() -> list[tuple[Callable, np.ndarray, str]]:
    minor = np.eye(100)
    minor[70, 70] = -1
    batch = np.stack([np.eye(3)] * 9)
    batch[5] = 1
    holes = np.eye(4)
    holes[2, 1] = np.nan
    return [
        (ops.cholesky, minor, r"\[cholesky\] argument 'a' is not positive definite: leading minor 71$"),
        (ops.cholesky, batch, r"leading minor 2 \(matrix 5 of the batch\)"),
        (ops.logdet, minor, r"\[logdet\] argument 'a' is not positive definite: leading minor 71"),
        (ops.inv, batch, r"\[inv\] argument 'a' is singular: no pivot in row 2 \(matrix 5"),
        (lambda a: ops.solve(a, np.ones((3, 1))), batch, r"\[solve\] argument 'a' is singular"),
        (ops.eigh, holes, r"\[eigh\] argument 'a' holds NaN or infinity"),
        (ops.svd, holes, r"\[svd\] argument 'a' holds NaN or infinity"),
    ]


@pytest.mark.parametrize("number", range(7))
def test_failures_name_the_matrix(number: int) -> None:
    op, a, message = failing()[number]
    for threads in (1, 3):
        before = pylearn.num_threads()
        pylearn.set_num_threads(threads)
        try:
            with pytest.raises(np.linalg.LinAlgError, match=message):
                op(a)
        finally:
            pylearn.set_num_threads(before)


def test_replays_fail_too() -> None:
    step = pylearn.capture(lambda a: ops.cholesky(a))
    good = pylearn.asarray(4 * np.eye(3))
    for _ in range(4):
        assert np.array_equal(np.asarray(step(good)), 2 * np.eye(3))
    with pytest.raises(np.linalg.LinAlgError, match=r"cholesky.*leading minor 1"):
        step(pylearn.asarray(-np.eye(3)))
    assert np.array_equal(np.asarray(step(good)), 2 * np.eye(3))


def test_singular_matrices_have_no_gradient_of_det() -> None:
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    assert ops.det(singular) == 0
    with pytest.raises(np.linalg.LinAlgError, match=r"\[det\] argument 'a' is singular"):
        pylearn.grad(ops.det)(singular)


def test_gradients_that_do_not_exist_say_so() -> None:
    a = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.raises(ValueError, match=r"\[qr\].*'mode'"):
        pylearn.grad(lambda x: ops.sum(ops.qr(x, "complete")[0]))(a)
    with pytest.raises(ValueError, match=r"\[svd\].*'full_matrices'"):
        pylearn.grad(lambda x: ops.sum(ops.svd(x, full_matrices=True)[0]))(a)


# -- gradients ----------------------------------------------------------------------------


def test_gradients_of_repeated_values() -> None:
    """Functions of the values alone have a gradient, whatever vectors stand for a repeated value."""
    a = np.diag([2.0, 2.0, 3.0])
    assert np.allclose(pylearn.grad(lambda x: ops.sum(ops.square(ops.eigh(x)[0])))(a), 2 * a)
    assert np.allclose(pylearn.grad(lambda x: ops.sum(ops.svd(x)[1]))(np.eye(3)), np.eye(3))


def test_logdet_gradient_is_the_inverse() -> None:
    a = definite(np.random.default_rng(2), (6, 6), "float64")
    assert np.allclose(pylearn.grad(ops.logdet)(a), np.linalg.inv(a))


def test_gradient_of_a_deficient_pinv() -> None:
    """Golub and Pereyra's formula, along changes that keep the rank."""
    rng = np.random.default_rng(5)
    left, right, c = rng.normal(size=(5, 2)), rng.normal(size=(2, 4)), rng.normal(size=(4, 5))
    f = lambda x: float(np.sum(np.linalg.pinv(x @ right, rcond=1e-10) * c))
    grad = pylearn.grad(lambda x: ops.sum(ops.multiply(ops.pinv(ops.matmul(x, right)), c)))(left)
    for i in np.ndindex(*left.shape):
        step = np.zeros_like(left)
        step[i] = 1e-6
        assert grad[i] == pytest.approx((f(left + step) - f(left - step)) / 2e-6, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("shape", [(3, 0, 0), (0, 4, 4), (0, 0)])
def test_empty(shape: tuple[int, ...]) -> None:
    a = np.zeros(shape)
    assert ops.cholesky(a).shape == ops.inv(a).shape == shape
    assert np.array_equal(ops.det(a), np.linalg.det(a)) and np.array_equal(
        ops.logdet(a), np.zeros(shape[:-2])
    )
    assert ops.eigh(a)[0].shape == shape[:-1]


def test_integers_become_float64() -> None:
    a = np.array([[4, 2], [2, 3]])
    assert ops.cholesky(a).dtype == ops.solve(a, np.array([1, 2])).dtype == np.float64
    assert np.allclose(ops.inv(a) @ a, np.eye(2))
    assert ops.solve(a.astype(np.float32), np.ones(2)).dtype == np.float64


@pytest.mark.parametrize("make", [ranked, regular, symmetric], ids=lambda f: f.__name__)
def test_large_matrices(make: Callable) -> None:
    """Several blocks of every kind, and the same bits for any number of threads."""
    a = make(np.random.default_rng(6), (333, 333), "float64")
    before, results = pylearn.num_threads(), []
    try:
        for threads in (1, 2, 3):
            pylearn.set_num_threads(threads)
            results.append([*ops.qr(a), *ops.eigh(a), *ops.svd(a), ops.inv(a)])
    finally:
        pylearn.set_num_threads(before)
    for other in results[1:]:
        assert all(x.tobytes() == y.tobytes() for x, y in zip(results[0], other, strict=True))
    q, r, w, v, u, s, vh, inverse = results[0]
    scale = 1e-12 * norm(a)
    lower = np.tril(a) + np.tril(a, -1).T
    assert norm(q @ r - a) < scale and norm(u * s @ vh - a) < scale and norm(lower @ v - v * w) < scale
    assert norm(inverse @ a - np.eye(333)) < 1e-9
