"""Matrix decompositions, over the last two axes; NumPy's LAPACK in float64."""

import numpy as np

from .elementwise import numeric, quiet, real

__all__ = [
    "cholesky", "logdet", "solve_triangular", "solve", "inv", "det", "slogdet", "qr", "eigh", "svd", "pinv", "lstsq",
    "tril", "triu", "diagonal", "trace", "diag",
]  # fmt: skip


def turned(a):
    """The transpose of each matrix"""
    return np.swapaxes(a, -1, -2)


def positive(vectors):
    """+1 or -1 for each column: the sign of its first component of (within 1 %) the largest magnitude"""
    if vectors.size == 0:
        return np.ones((*vectors.shape[:-2], 1, vectors.shape[-1]))
    size = np.abs(vectors)
    first = np.argmax(size >= 0.99 * size.max(axis=-2, keepdims=True), axis=-2)
    chosen = np.take_along_axis(vectors, first[..., None, :], axis=-2)
    return np.where(chosen < 0, -1.0, 1.0)


def cholesky(a, upper=False):
    """L of A = L L', or U of A = U'U: A symmetric positive definite, of which that triangle is read"""
    return turned(np.linalg.cholesky(turned(real(a)))) if upper else np.linalg.cholesky(real(a))


def logdet(a):
    """log(det A) = 2 sum(log(diag L)) of a symmetric positive definite A"""
    return 2 * np.log(np.diagonal(cholesky(a), axis1=-2, axis2=-1)).sum(-1)


def solve_triangular(a, b, lower=True, trans=False, unit_diagonal=False):
    """X of A X = B, or A'X = B: only one triangle of A is read, and not its diagonal with unit_diagonal"""
    a, b = real(a), real(b)
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        n = np.arange(a.shape[-1])
        a = a.copy()
        a[..., n, n] = 1
    return np.linalg.solve(turned(a) if trans else a, b)


def solve(a, b):
    """X of A X = B: b one vector (N,), or (..., N, K)"""
    return np.linalg.solve(real(a), real(b))


def inv(a):
    """Inverse of each matrix"""
    return np.linalg.inv(real(a))


@quiet
def det(a):
    """Determinant of each matrix"""
    return np.linalg.det(real(a))


@quiet
def slogdet(a):
    """(sign, log|det A|); (0, -inf) of a singular matrix"""
    return tuple(np.linalg.slogdet(real(a)))


def qr(a, mode="reduced"):
    """A = Q R by Householder reflections: r_ii = -sign(x) |x| for the column x that it is made of"""
    return tuple(np.linalg.qr(real(a), mode))


def eigh(a):
    """(w, V): A V = V diag(w), A symmetric (its lower triangle is read), w ascending; signs as in positive()"""
    w, v = np.linalg.eigh(real(a))
    return w, v * positive(v)


def svd(a, full_matrices=False):
    """(U, s, V'): A = U diag(s) V', s descending; signs of U's columns as in positive()"""
    u, s, vh = np.linalg.svd(real(a), full_matrices=full_matrices)
    k = s.shape[-1]
    sign = positive(u[..., :k])
    u[..., :k] *= sign
    vh[..., :k, :] *= turned(sign)
    return u, s, vh


def pinv(a, rcond=None):
    """V diag(1/s) U', over the singular values above rcond * max(s); rcond: max(M, N) eps by default"""
    a, eps = real(a), np.finfo(np.asarray(a).dtype if np.asarray(a).dtype.kind == "f" else float).eps
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    cutoff = (max(a.shape[-2:]) * eps if rcond is None else rcond) * s.max(-1, keepdims=True, initial=0)
    inverse = np.divide(1, s, where=s > cutoff, out=np.zeros_like(s))
    return turned(vh) @ (inverse[..., None] * turned(u))


def lstsq(a, b, rcond=None):
    """(x, residuals, rank, s): x = pinv(A) b, residuals = sum((b - A x)^2) over the rows, rank by the cutoff of pinv"""
    eps = np.finfo(
        np.result_type(*(v.dtype if v.dtype.kind == "f" else float for v in map(np.asarray, (a, b))))
    ).eps
    a, b = real(a), real(b)
    rcond = max(a.shape[-2:]) * eps if rcond is None else rcond
    right = b[:, None] if b.ndim == 1 else b
    x = pinv(a, rcond) @ right
    residuals = ((right - a @ x) ** 2).sum(-2)
    s = np.linalg.svd(a, compute_uv=False)
    rank = (s > rcond * s.max(-1, keepdims=True, initial=0)).sum(-1)
    return (x[..., 0], residuals[..., 0], rank, s) if b.ndim == 1 else (x, residuals, rank, s)


def tril(x, k=0):
    """x_ij where j <= i + k, else 0"""
    return np.tril(numeric(x), k)


def triu(x, k=0):
    """x_ij where j >= i + k, else 0"""
    return np.triu(numeric(x), k)


def diagonal(x, offset=0):
    """x_i,i+offset of each matrix"""
    return np.diagonal(numeric(x), offset, -2, -1)


def trace(x, offset=0):
    """sum_i x_i,i+offset of each matrix"""
    return diagonal(x, offset).sum(-1)


def diag(x, k=0):
    """The matrix with the vector x on diagonal k; of a matrix, that diagonal"""
    return np.diag(numeric(x), k)
