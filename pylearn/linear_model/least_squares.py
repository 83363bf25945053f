"""Ordinary least squares in closed form, float64.

Minimises Σᵢ wᵢ ‖yᵢ − b − W xᵢ‖². Centring X and y on their weighted means removes the intercept, scaling
rows by √w removes the weights; what is left is min ‖XW − Y‖, solved by NumPy's LAPACK.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from pylearn import validation
from pylearn.base import Regressor
from pylearn.linear_model.nnls import nnls

# The Gram matrix squares the condition number: below this bound, with one step of refinement, its
# coefficients agree with those of the SVD to some 1e-12 relative.
_GRAM_CONDITION = 1e6
_GRAM_ROWS = 16  # rows per column from which forming the Gram matrix is several times cheaper than the SVD


class LinearRegression(Regressor):
    """Ordinary least squares, scikit-learn's signature.

    Columns that depend on others are allowed: of the many solutions, that of the smallest norm is taken
    (after centring), as scikit-learn does.

    Args:
        fit_intercept: estimate the constant term; False for data that is centred already.
        copy_X: False allows the fit to overwrite a float64 array ``X``.
        tol: singular values below ``tol`` times the largest count as zero.
        n_jobs: accepted for scikit-learn's signature; the linear algebra's own threads are used.
        positive: constrain the coefficients to be ≥ 0 (non-negative least squares).

    Attributes:
        coef_: (D,), or (K, D) when y was (N, K).
        intercept_: float, or (K,); 0.0 without intercept.
        rank_: effective rank of the centred X. Not with ``positive``.
        singular_: (min(N, D),) its singular values, descending. Not with ``positive``.
        n_features_in_: D.
        feature_names_in_: (D,) column names, when X was a DataFrame with string names.

    Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", section 3.2.

    Example:
        >>> import numpy as np
        >>> X = np.array([[1, 1], [1, 2], [2, 2], [2, 3]])
        >>> model = LinearRegression().fit(X, X @ [1, 2] + 3)
        >>> np.round(model.coef_, 6).tolist(), round(float(model.intercept_), 6)
        ([1.0, 2.0], 3.0)
    """

    _multi_output = True

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to X (N, D) and y (N,) or (N, K), each row counting ``sample_weight`` (N,) times.

        Raises:
            TypeError: sparse X, values that are not numbers.
            ValueError: shapes that do not fit together, NaN or infinity, negative weights, ``tol`` < 0.
        """
        if not (isinstance(self.tol, int | float | np.number) and 0 <= self.tol < np.inf):
            raise ValueError(f"[LinearRegression] tol must be a number of at least 0, got {self.tol!r}")
        given = X
        X, y = self._check_fit(X, y)
        weight = validation.check_sample_weight(sample_weight, len(X), owner=self._name)
        in_place = not self.copy_X or _is_fresh(X, given)
        X, Y, x_mean, y_mean = self._centre(X, y[:, None] if y.ndim == 1 else y, weight, in_place)
        if self.positive:
            W = np.stack([nnls(X, column) for column in Y.T])
            for name in ("rank_", "singular_"):
                self.__dict__.pop(name, None)
        else:
            solution, self.rank_, self.singular_ = least_squares(X, Y, float(self.tol))
            W = solution.T
        intercept = y_mean - W @ x_mean
        self.coef_ = W[0] if y.ndim == 1 else W
        if not self.fit_intercept:
            self.intercept_: Any = 0.0
        else:
            self.intercept_ = intercept[0] if y.ndim == 1 else intercept
        return self

    def predict(self, X: Any) -> np.ndarray:
        """X (N, D) → float64 (N,), or (N, K) when y was (N, K)."""
        X = self._check_predict(X)
        return X @ self.coef_.T + self.intercept_

    def _centre(
        self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None, in_place: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Subtract weighted means, scale rows by √w. X (N, D), Y (N, K) → X, Y, means (D,), (K,)."""
        x_mean, y_mean = np.zeros(X.shape[1]), np.zeros(Y.shape[1])
        into = X if in_place and X.flags.writeable else None
        if self.fit_intercept:
            x_mean = np.average(X, axis=0, weights=weight)
            y_mean = np.average(Y, axis=0, weights=weight)
            X = into = np.subtract(X, x_mean, out=into)
            Y = Y - y_mean
        if weight is not None:
            root = np.sqrt(weight)[:, None]
            X, Y = np.multiply(X, root, out=into), Y * root
        return X, Y, x_mean, y_mean


def _is_fresh(X: np.ndarray, given: Any) -> bool:
    """True when X is certainly not the caller's memory (frames and tensors may lend theirs)."""
    if isinstance(given, np.ndarray):
        return not np.may_share_memory(X, given)
    return isinstance(given, list | tuple)


def least_squares(X: np.ndarray, Y: np.ndarray, tol: float) -> tuple[np.ndarray, int, np.ndarray]:
    """Minimum-norm W of min ‖XW − Y‖.

    Tall, well-conditioned X: the normal equations and one step of refinement, several times faster.
    Otherwise the SVD.

    Args:
        X: (N, D) float64.
        Y: (N, K) float64.
        tol: singular values below ``tol`` times the largest count as zero.

    Returns:
        W (D, K), the rank, and the singular values (min(N, D),), descending.
    """
    n, d = X.shape
    if n >= _GRAM_ROWS * d:
        with np.errstate(over="ignore", invalid="ignore"):
            gram, target = X.T @ X, X.T @ Y
        if np.isfinite(gram).all() and np.isfinite(target).all():  # huge values overflow; the SVD scales
            values = np.linalg.eigvalsh(gram)[::-1]
            if values[-1] > values[0] * max(1 / _GRAM_CONDITION, (2 * tol) ** 2):
                W = np.linalg.solve(gram, target)
                W += np.linalg.solve(gram, X.T @ (Y - X @ W))
                return W, d, np.sqrt(values)
    W, _, rank, singular = np.linalg.lstsq(X, Y, rcond=tol)
    return W, int(rank), singular
