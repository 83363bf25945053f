"""The estimator protocol: scikit-learn's rules without scikit-learn.

``__init__`` only stores its arguments, ``fit`` returns self, learned names end in ``_``. scikit-learn is
imported only inside the methods that it alone calls, so clone, pipelines, grid searches and
``check_estimator`` work where it is installed, and nothing needs it where it is not.
"""

from __future__ import annotations

import abc
import copy
import inspect
from typing import Any, Self

import numpy as np

from pylearn import validation
from pylearn.validation import NotFittedError

__all__ = ["Classifier", "Estimator", "NotFittedError", "Regressor", "accuracy_score", "clone", "r2_score"]


class Estimator:
    """Parameters, cloning, fitted state and scikit-learn's tags, from the signature of ``__init__``.

    A subclass stores each constructor argument, unchanged, under its own name; checks them in ``fit``; and
    calls ``self._check_fit`` and ``self._check_predict`` on the data it is given.
    """

    _kind: str | None = None  # scikit-learn's word: "regressor", "classifier", "transformer", "clusterer" …
    _multi_output = False
    _requires_y = False
    _sparse = False
    _nd = False  # rows of several axes

    def _defaults(self) -> dict[str, Any]:
        """Parameters by name, sorted, and their defaults."""
        cls = type(self)
        if cls.__init__ is object.__init__:
            return {}
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        loose = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if loose:
            raise TypeError(f"{cls.__name__}.__init__ must name each parameter, it has *{', *'.join(loose)}")
        return {p.name: p.default for p in sorted(parameters, key=lambda p: p.name)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor parameters by name; with ``deep``, also ``name__inner`` of nested estimators."""
        params: dict[str, Any] = {}
        for name, default in self._defaults().items():
            value = getattr(self, name, default)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params.update({f"{name}__{inner}": v for inner, v in value.get_params().items()})
            params[name] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters, ``name__inner`` reaching into nested estimators.

        Raises:
            ValueError: a name that is not a parameter; the message lists those there are.
        """
        names = list(self._defaults())
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, is_nested, inner = key.partition("__")
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {names!r}."
                )
            if is_nested:
                nested.setdefault(name, {})[inner] = value
            else:
                setattr(self, name, value)
        for name, inner_params in nested.items():
            getattr(self, name).set_params(**inner_params)
        return self

    def __repr__(self) -> str:
        defaults = self._defaults()
        shown = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if not _same(value, defaults[name])
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("__") for name in vars(self))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, TransformerTags

        kind = self._kind
        return Tags(
            estimator_type=kind if kind != "transformer" else None,
            target_tags=TargetTags(required=self._requires_y, multi_output=self._multi_output),
            transformer_tags=TransformerTags() if kind == "transformer" else None,
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(sparse=self._sparse),
        )

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise validation.not_fitted_class()(
                f"This {type(self).__name__} instance is not fitted yet: call fit(X, y) first."
            )

    def _check_fit_labels(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        """Check training data of a classifier and record ``classes_``, too.

        Returns:
            X (N, D) float64, or CSR where the estimator takes sparse data and got it; (N,) positions in ``classes_``.
        """
        if y is None:
            raise ValueError(f"[{self._name}] requires y to be passed, but the target y is None.")
        validation.record_features(self, X)
        X = validation.check_X(X, owner=self._name, sparse=self._sparse, nd=self._nd)
        self.classes_, codes = validation.check_labels(y, X.shape[0], owner=self._name)
        self.n_features_in_ = X.shape[1]
        return X, codes

    def _check_fit(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        """Check training data and record ``n_features_in_`` and ``feature_names_in_``.

        Returns:
            X (N, D) float64, y (N,) or, for multi-output estimators, (N, K) float64.
        """
        validation.record_features(self, X)
        X, y = validation.check_X_y(
            X, y, owner=self._name, multi_output=self._multi_output, sparse=self._sparse, nd=self._nd
        )
        self.n_features_in_ = X.shape[1]
        return X, y

    def _check_predict(self, X: Any) -> Any:
        """Check data for a fitted estimator: X (N, D) float64 with the features seen in ``fit``.

        Where the estimator takes sparse data, sparse X comes back as CSR.
        """
        self._check_fitted()
        validation.match_features(self, X)
        X = validation.check_X(X, owner=self._name, sparse=self._sparse, nd=self._nd)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {self._name} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return X

    @property
    def _name(self) -> str:
        return type(self).__name__


class Regressor(Estimator, abc.ABC):
    """An estimator of numbers; ``score`` is R²."""

    _kind = "regressor"
    _requires_y = True

    @abc.abstractmethod
    def predict(self, X: Any) -> np.ndarray:
        """X (N, D) → (N,) or (N, K)."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² of ``predict(X)`` against ``y``, the mean over outputs; see :func:`r2_score`."""
        return r2_score(y, self.predict(X), sample_weight)


class Classifier(Estimator, abc.ABC):
    """An estimator of labels, sorted in ``classes_``; ``score`` is the accuracy."""

    _kind = "classifier"
    _requires_y = True

    @abc.abstractmethod
    def predict(self, X: Any) -> np.ndarray:
        """X (N, D) → labels (N,)."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose label ``predict(X)`` gives; see :func:`accuracy_score`."""
        return accuracy_score(y, self.predict(X), sample_weight)


def accuracy_score(y: Any, predicted: Any, sample_weight: Any = None) -> float:
    """Σw [y = ŷ] / Σw for labels of any kind, (N,) both.

    Raises:
        ValueError: shapes differ, no rows.
    """
    truth, guess = (np.asarray(labels) for labels in (y, predicted))
    truth = truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth
    if truth.shape != guess.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(f"[accuracy_score] y has shape {truth.shape}, the prediction {guess.shape}")
    weight = validation.check_sample_weight(sample_weight, len(truth), owner="accuracy_score")
    return float(np.average(truth == guess, weights=weight))


def r2_score(y: Any, predicted: Any, sample_weight: Any = None) -> float:
    """R² = 1 − Σw(y − ŷ)² / Σw(y − ȳ)², averaged over outputs.

    Args:
        y, predicted: (N,) or (N, K) of the same shape, up to a trailing axis of 1.
        sample_weight: (N,) or None.

    Returns:
        1 for a perfect prediction, 0 for the mean's. An output that is constant scores 1 when predicted
        exactly and 0 otherwise. NaN, with a warning, for fewer than two rows.

    Raises:
        ValueError: shapes differ, or values are not finite numbers.
    """
    truth = validation.check_y(y, owner="r2_score", multi_output=True)
    guess = validation.check_y(predicted, owner="r2_score", multi_output=True, name="predicted")
    truth, guess = (a[:, None] if a.ndim == 1 else a for a in (truth, guess))
    if truth.shape != guess.shape:
        raise ValueError(f"[r2_score] y has shape {truth.shape}, the prediction {guess.shape}")
    if len(truth) < 2:
        validation.warn_undefined("R² is not defined for fewer than two samples")
        return float("nan")
    weight = validation.check_sample_weight(sample_weight, len(truth), owner="r2_score")
    w = np.ones((len(truth), 1)) if weight is None else weight[:, None]
    residual = (w * (truth - guess) ** 2).sum(axis=0)
    total = (w * (truth - np.average(truth, axis=0, weights=w[:, 0])) ** 2).sum(axis=0)
    constant = total == 0
    scores = np.where(constant, residual == 0, 1 - residual / np.where(constant, 1, total))
    return float(scores.mean())


def clone(estimator: Any) -> Any:
    """A new, unfitted estimator with the same parameters, nested estimators cloned, other values copied.

    Raises:
        TypeError: the object has no ``get_params``.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"clone needs an estimator object, got {estimator!r}")
    values = estimator.get_params(deep=False)
    return type(estimator)(**{name: _clone_value(value) for name, value in values.items()})


def _clone_value(value: Any) -> Any:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return clone(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_clone_value(item) for item in value)
    return copy.deepcopy(value)


def _same(value: Any, default: Any) -> bool:
    """Equality for ``repr``, which must not fail on arrays or odd objects."""
    if value is default or (isinstance(value, float) and isinstance(default, float) and value != value):
        return True
    if type(value) is not type(default) or isinstance(value, np.ndarray):
        return False
    try:
        return bool(value == default)
    except Exception:
        return False
