"""Logistic regression, binary and multinomial, float64.

Minimises C Σᵢ wᵢ ℓᵢ + ½ ‖W‖², ℓ the log-loss: of two classes −ln σ(±(w·x + b)), of K classes −ln softmax(W x + b)ᵧ.
The intercept is not penalised.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from pylearn import validation
from pylearn.base import Classifier
from pylearn.linear_model.lbfgs import Loss, minimise
from pylearn.sparse import CSR

_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")


class LogisticRegression(Classifier):
    """Logistic regression with an L2 penalty, scikit-learn's signature. Sparse X stays sparse.

    Args:
        penalty: ``"l2"``, or None, the same as ``C=np.inf``; scikit-learn's newer versions leave it out.
        C: inverse of the penalty's strength.
        l1_ratio: share of the L1 penalty; only 0 is supported.
        dual: only False is supported.
        tol: fitting ends when no element of the gradient of the mean loss is larger than half of it. (At all of it,
            what is left to gain can exceed the differences between values of C in a search.)
        fit_intercept: estimate the constant terms.
        intercept_scaling: accepted for scikit-learn's signature; of use with liblinear only.
        class_weight: None, ``"balanced"`` (weights N / (K · count)), or a dict from label to weight.
        random_state: accepted for scikit-learn's signature; nothing is random.
        solver: one of scikit-learn's names for this problem: lbfgs, newton-cg, newton-cholesky, sag, saga. They
            have the same minimum, which L-BFGS finds here. Not liblinear, which penalises the intercept.
        max_iter: iterations at most.
        verbose: print how many iterations were needed.
        warm_start: begin with the coefficients of the last fit.
        n_jobs: accepted for scikit-learn's signature.

    Attributes:
        classes_: (K,) labels, sorted.
        coef_: (K, D), or (1, D) for two classes.
        intercept_: (K,) or (1,).
        n_iter_: (1,) iterations.
        n_features_in_: D.
        feature_names_in_: (D,) column names, when X was a DataFrame with string names.

    Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", section 4.4.

    Example:
        >>> import numpy as np
        >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["no", "no", "yes", "yes"]
        >>> model = LogisticRegression().fit(X, y)
        >>> model.predict([[0.5], [2.5]]).tolist()
        ['no', 'yes']
        >>> np.round(model.predict_proba([[1.5]]), 3).tolist()
        [[0.5, 0.5]]
    """

    _sparse = True

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to X (N, D), dense or sparse, and labels y (N,), each row counting ``sample_weight`` (N,) times.

        Warns:
            ConvergenceWarning: ``max_iter`` was reached before ``tol``.

        Raises:
            TypeError: values that are not numbers.
            ValueError: shapes that do not fit together, NaN or infinity, negative weights, fewer than two classes,
                a setting that is out of range or not supported.
        """
        strength = self._check_settings()
        X, codes = self._check_fit_labels(X, y)
        classes = self.classes_
        if len(classes) < 2:
            raise ValueError(
                f"[LogisticRegression] needs samples of at least 2 classes, but y has only one class: "
                f"{classes.tolist()[0]!r}"
            )
        weight = validation.check_sample_weight(sample_weight, len(codes), owner=self._name)
        weight = np.ones(len(codes)) if weight is None else weight
        by_class = validation.check_class_weight(self.class_weight, classes, codes, weight, owner=self._name)
        if by_class is not None:
            weight = weight * by_class[codes]
        rows = 1 if len(classes) == 2 else len(classes)
        total = weight.sum()
        if not total > 0:
            raise ValueError("[LogisticRegression] class_weight leaves no row a weight above zero")
        penalty = np.full(
            self.n_features_in_ + self.fit_intercept, 0.0 if strength == 0 else strength / total
        )
        if self.fit_intercept:
            penalty[-1] = 0.0
        loss = _binary(codes, weight / total) if rows == 1 else _multinomial(codes, weight / total, rows)
        design = (_Sparse if isinstance(X, CSR) else _Dense)(X, self.fit_intercept)
        start = self._start(rows, len(penalty))
        w, iterations, reached = minimise(
            design, loss, penalty, start, 0.5 * float(self.tol), int(self.max_iter)
        )
        if not reached:
            validation.warn_not_converged(
                f"LogisticRegression stopped after max_iter={self.max_iter} iterations before tol={self.tol} was "
                "reached: scale the columns of X, or raise max_iter"
            )
        if self.verbose:
            print(f"LogisticRegression: {iterations} iterations")
        self.coef_ = np.ascontiguousarray(w[:, : self.n_features_in_])
        self.intercept_ = w[:, -1].copy() if self.fit_intercept else np.zeros(rows)
        self.n_iter_ = np.array([iterations], np.int32)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """W x + b: (N, K), or (N,) for two classes, positive where the second is likelier."""
        X = self._check_predict(X)
        margins = (
            X @ np.ascontiguousarray(self.coef_.T) if isinstance(X, CSR) else X @ self.coef_.T
        ) + self.intercept_
        return margins[:, 0] if margins.shape[1] == 1 else margins

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each row, (N,)."""
        margins = self.decision_function(X)
        best = (margins > 0).astype(np.intp) if margins.ndim == 1 else margins.argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities, (N, K), exact where the probabilities round to 0."""
        margins = self.decision_function(X)
        if margins.ndim == 1:
            return np.stack([-np.logaddexp(0.0, margins), -np.logaddexp(0.0, -margins)], axis=1)
        margins = margins - margins.max(axis=1, keepdims=True)
        return margins - np.log(np.exp(margins).sum(axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes in the order of ``classes_``, (N, K)."""
        return np.exp(self.predict_log_proba(X))

    def _check_settings(self) -> float:
        """1 / C."""
        if self.penalty not in ("l2", "deprecated", None):
            raise ValueError(
                f"[LogisticRegression] penalty={self.penalty!r} is not supported yet; use 'l2', or None for none"
            )
        if self.l1_ratio not in (None, 0):
            raise ValueError(f"[LogisticRegression] l1_ratio={self.l1_ratio!r} is not supported yet; use 0")
        if self.dual:
            raise ValueError(
                "[LogisticRegression] dual=True is not supported; the primal problem has the same minimum"
            )
        if self.solver not in _SOLVERS:
            raise ValueError(
                f"[LogisticRegression] solver must be one of {', '.join(_SOLVERS)}, got {self.solver!r}"
            )
        for name, value, least in (("C", self.C, 0), ("tol", self.tol, 0), ("max_iter", self.max_iter, 0)):
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not value >= least or (name == "C" and value == 0):
                raise ValueError(f"[LogisticRegression] {name} must be a number above 0, got {value!r}")
        return 0.0 if self.penalty is None else 1.0 / float(self.C)

    def _start(self, rows: int, columns: int) -> np.ndarray:
        """Zeros, or the last fit's parameters."""
        start = np.zeros((rows, columns))
        old = getattr(self, "coef_", None)
        if self.warm_start and old is not None and old.shape == (rows, self.n_features_in_):
            start[:, : old.shape[1]] = old
            if self.fit_intercept:
                start[:, -1] = self.intercept_
        return start


class _Dense:
    """X (N, D), with a column of ones for the intercept that is not stored."""

    def __init__(self, X: np.ndarray, intercept: bool) -> None:
        self.X, self.intercept = X, intercept

    def forward(self, parameters: np.ndarray) -> np.ndarray:
        if not self.intercept:
            return parameters @ self.X.T
        out = parameters[:, :-1] @ self.X.T
        out += parameters[:, -1:]
        return out

    def back(self, slopes: np.ndarray) -> np.ndarray:
        gradient = slopes @ self.X
        return np.column_stack([gradient, slopes.sum(axis=1)]) if self.intercept else gradient


class _Sparse:
    """The same of a sparse matrix."""

    def __init__(self, X: CSR, intercept: bool) -> None:
        self.X, self.intercept = X, intercept

    def forward(self, parameters: np.ndarray) -> np.ndarray:
        weights = parameters[:, :-1] if self.intercept else parameters
        out = np.ascontiguousarray(self.X.matmul(np.ascontiguousarray(weights.T)).T)
        if self.intercept:
            out += parameters[:, -1:]
        return out

    def back(self, slopes: np.ndarray) -> np.ndarray:
        gradient = self.X.matmul(np.ascontiguousarray(slopes.T), transpose=True).T
        if self.intercept:
            return np.column_stack([gradient, slopes.sum(axis=1)])
        return np.ascontiguousarray(gradient)


def _binary(codes: np.ndarray, weight: np.ndarray) -> Loss:
    """Σ wᵢ ln(1 + exp(∓zᵢ)) of margins (1, N)."""
    sign = np.where(codes == 1, -1.0, 1.0)

    def loss(margins: np.ndarray) -> tuple[float, np.ndarray]:
        wrong = sign * margins[0]
        with np.errstate(over="ignore"):
            small = np.exp(-np.abs(wrong))
        value = weight @ (np.maximum(wrong, 0.0) + np.log1p(small))
        share = np.where(wrong >= 0, 1.0, small) / (1.0 + small)
        return float(value), (weight * sign * share)[None]

    return loss


def _multinomial(codes: np.ndarray, weight: np.ndarray, classes: int) -> Loss:
    """−Σ wᵢ ln softmax(zᵢ)ᵧ of margins (K, N)."""
    each = np.arange(len(codes))

    def loss(margins: np.ndarray) -> tuple[float, np.ndarray]:
        shifted = margins - margins.max(axis=0)
        truth = shifted[codes, each]
        np.exp(shifted, out=shifted)
        total = shifted.sum(axis=0)
        value = weight @ (np.log(total) - truth)
        shifted *= weight / total
        shifted[codes, each] -= weight
        return float(value), shifted

    return loss
