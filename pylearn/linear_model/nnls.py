"""Non-negative least squares by the active-set method.

Source: C. L. Lawson, R. J. Hanson (1974), "Solving Least Squares Problems", chapter 23.
"""

from __future__ import annotations

import numpy as np


def nnls(A: np.ndarray, b: np.ndarray, max_iter: int | None = None) -> np.ndarray:
    """min ‖Ax − b‖² subject to x ≥ 0.

    Args:
        A: (N, D) float64.
        b: (N,) float64.
        max_iter: bound on the inner steps, 10·D by default (3·D is usual).

    Returns:
        x (D,) float64.

    Raises:
        RuntimeError: the bound was reached, which only badly conditioned problems do.
    """
    n = A.shape[1]
    x, passive = np.zeros(n), np.zeros(n, bool)
    tolerance = 10 * np.finfo(np.float64).eps * max(A.shape) * np.abs(A.T @ b).max(initial=0.0)
    rejected = np.zeros(n, bool)  # columns that could not enter from the present point: rounding only
    steps = 10 * n if max_iter is None else max_iter
    while not passive.all():
        gradient = A.T @ (b - A @ x)
        gradient[passive | rejected] = -np.inf
        entering = int(np.argmax(gradient))
        if gradient[entering] <= tolerance:
            return x
        passive[entering] = True
        trial = _solve(A, b, passive)
        if trial[entering] <= 0:
            passive[entering], rejected[entering] = False, True
            continue
        while trial[passive].min() <= 0:
            steps -= 1
            if steps < 0:
                raise RuntimeError(f"nnls did not settle for a matrix of shape {A.shape}; scale its columns")
            shrinking = passive & (trial <= 0)
            x += (x[shrinking] / (x[shrinking] - trial[shrinking])).min() * (trial - x)
            passive &= x > tolerance_of(x)
            x[~passive] = 0
            if not passive.any():
                trial = np.zeros(n)
                break
            trial = _solve(A, b, passive)
        x, rejected = trial, np.zeros(n, bool)
        steps -= 1
        if steps < 0:
            raise RuntimeError(f"nnls did not settle for a matrix of shape {A.shape}; scale its columns")
    return x


def tolerance_of(x: np.ndarray) -> float:
    """What counts as zero beside the entries of ``x``."""
    return float(np.finfo(np.float64).eps * np.abs(x).max(initial=0.0))


def _solve(A: np.ndarray, b: np.ndarray, passive: np.ndarray) -> np.ndarray:
    """Least squares over the passive columns, zero elsewhere."""
    x = np.zeros(A.shape[1])
    x[passive] = np.linalg.lstsq(A[:, passive], b, rcond=None)[0]
    return x
