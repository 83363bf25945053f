"""Checks of the arrays an estimator is given, with errors in the caller's terms.

Each check names the estimator, the argument and the first offending place, and says what to do. Where
scikit-learn is the caller, its exception and warning classes are used, so that its tools recognise them.
"""

from __future__ import annotations

import functools
import sys
import warnings
from typing import Any

import numpy as np


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before ``fit``."""


def check_X(X: Any, owner: str, *, min_rows: int = 1) -> np.ndarray:
    """Check a feature matrix.

    Args:
        X: (N, D) numbers: array, nested lists, DataFrame, tensor. Booleans and integers are converted.
        owner: name of the estimator, for messages.
        min_rows: fewest rows accepted.

    Returns:
        float64 (N, D); ``X`` itself when it is one already.

    Raises:
        TypeError: sparse matrices, values that are not numbers.
        ValueError: not two axes, no rows or columns, complex values, NaN or infinity.
    """
    if hasattr(X, "tocsr") or hasattr(X, "toarray"):
        raise TypeError(
            f"[{owner}] X is a sparse matrix ({type(X).__name__}), but dense data is required. "
            "Use X.toarray() to convert it, memory permitting."
        )
    array = _numeric(X, owner, "X")
    if array.ndim != 2:
        fix = {
            0: "Reshape your data with X.reshape(1, -1) or pass a list of rows.",
            1: "Reshape your data either using X.reshape(-1, 1) if it has a single feature "
            "or X.reshape(1, -1) if it is a single sample.",
        }.get(array.ndim, "Flatten each sample with X.reshape(len(X), -1).")
        raise ValueError(
            f"[{owner}] Expected 2D array of samples by features, got {array.ndim}D array of shape "
            f"{array.shape} instead. {fix}"
        )
    if array.shape[0] < min_rows:
        raise ValueError(
            f"[{owner}] X has {array.shape[0]} sample(s) (shape={array.shape}) while a minimum of "
            f"{min_rows} is required."
        )
    if array.shape[1] < 1:
        raise ValueError(
            f"[{owner}] X has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    _check_finite(array, owner, "X", getattr(X, "columns", None))
    return array


def check_y(y: Any, owner: str, *, multi_output: bool = False, name: str = "y") -> np.ndarray:
    """Check numeric targets.

    Returns:
        float64 (N,), or (N, K) when ``multi_output`` and given so. A column vector given to a
        single-output estimator is flattened with a warning.

    Raises:
        TypeError, ValueError: as :func:`check_X`; a missing ``y``; more axes than allowed.
    """
    if y is None:
        raise ValueError(f"[{owner}] requires y to be passed, but the target {name} is None.")
    if hasattr(y, "tocsr"):
        raise TypeError(f"[{owner}] {name} is a sparse matrix; pass {name}.toarray().")
    array = _numeric(y, owner, name)
    if array.ndim == 2 and not multi_output and array.shape[1] == 1:
        warnings.warn(
            f"[{owner}] A column-vector {name} was passed when a 1d array was expected. "
            f"Please change the shape of {name} to (n_samples,), for example using ravel().",
            _sklearn_class("DataConversionWarning", UserWarning),
            stacklevel=4,
        )
        array = array[:, 0]
    if array.ndim not in ((1, 2) if multi_output else (1,)):
        allowed = "(n_samples,) or (n_samples, n_outputs)" if multi_output else "(n_samples,)"
        raise ValueError(f"[{owner}] bad input shape {array.shape}: {name} should be {allowed}.")
    if array.ndim == 2 and array.shape[1] == 0:
        raise ValueError(f"[{owner}] {name} has shape {array.shape}: no outputs.")
    _check_finite(array, owner, name, None)
    return array


def check_X_y(
    X: Any, y: Any, owner: str, *, multi_output: bool = False, min_rows: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`check_X` and :func:`check_y`, and as many rows in both."""
    if y is None:
        raise ValueError(f"[{owner}] requires y to be passed, but the target y is None.")
    X = check_X(X, owner, min_rows=min_rows)
    y = check_y(y, owner, multi_output=multi_output)
    if len(X) != len(y):
        raise ValueError(
            f"[{owner}] inconsistent numbers of samples: X has {len(X)} rows, y has {len(y)}; "
            "each row of X needs one target."
        )
    return X, y


def check_sample_weight(sample_weight: Any, n_rows: int, owner: str) -> np.ndarray | None:
    """Check weights of samples: None, one number for all, or (N,) of non-negative numbers.

    Returns:
        float64 (N,), or None.

    Raises:
        ValueError: another length or number of axes, NaN, a negative weight, or nothing but zeros.
    """
    if sample_weight is None:
        return None
    weight = _numeric(sample_weight, owner, "sample_weight")
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.ndim != 1:
        raise ValueError(f"[{owner}] Sample weights must be 1D array or scalar, got shape {weight.shape}.")
    if len(weight) != n_rows:
        raise ValueError(
            f"[{owner}] sample_weight.shape == {weight.shape}, expected {(n_rows,)}: one weight per row."
        )
    _check_finite(weight, owner, "sample_weight", None)
    if (weight < 0).any():
        first = int(np.argmax(weight < 0))
        raise ValueError(
            f"[{owner}] Negative values in data passed to `sample_weight`: {weight[first]:g} at row {first}."
        )
    if not (weight > 0).any():
        raise ValueError(f"[{owner}] Sample weights must contain at least one non-zero number.")
    return weight


def check_ids(ids: np.ndarray, count: int, what: str) -> None:
    """Raises IndexError for the first id that is not a row of a table of ``count`` rows; says where it stands."""
    if ids.size == 0 or (ids.min() >= 0 and ids.max() < count):  # not so for NaN
        return
    bad = np.argwhere(~((ids > -1) & (ids < count)))
    if len(bad) == 0:
        return
    place = [int(i) for i in bad[0]]
    where = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), place, strict=False))
    where = f"place {tuple(place)}" if len(place) not in (1, 2) else where
    raise IndexError(
        f"{what}: the id {ids[tuple(place)]} at {where} is out of range: there are {count} (input_dim), 0 to "
        f"{count - 1}; {len(bad)} of {ids.size} are out of range"
    )


def feature_names(X: Any) -> np.ndarray | None:
    """Column names of a DataFrame as an object array; None without names or with none that is a string.

    Raises:
        TypeError: some names are strings and some are not.
    """
    columns = getattr(X, "columns", None)
    if columns is None or callable(columns):
        return None
    names = np.array(list(columns), dtype=object)
    strings = [isinstance(name, str) for name in names]
    if any(strings) and not all(strings):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your input has "
            f"{kinds} as feature name / column name types. If you want feature names to be stored and "
            "validated, you must convert them all to strings, by using X.columns = X.columns.astype(str)."
        )
    return names if len(names) and all(strings) else None


def record_features(estimator: Any, X: Any) -> None:
    """Set ``feature_names_in_`` from a DataFrame, or drop one left by an earlier fit."""
    names = feature_names(X)
    if names is not None:
        estimator.feature_names_in_ = names
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def match_features(estimator: Any, X: Any) -> None:
    """Compare a DataFrame's columns with those seen in ``fit``.

    Raises:
        ValueError: other names, or another order. Only one side having names is a warning.
    """
    seen, given = getattr(estimator, "feature_names_in_", None), feature_names(X)
    owner = type(estimator).__name__
    if seen is None and given is None:
        return
    if seen is None:
        warnings.warn(f"X has feature names, but {owner} was fitted without feature names", stacklevel=4)
    elif given is None:
        warnings.warn(
            f"X does not have valid feature names, but {owner} was fitted with feature names", stacklevel=4
        )
    elif len(seen) != len(given) or (seen != given).any():
        unexpected, missing = sorted(set(given) - set(seen)), sorted(set(seen) - set(given))
        lines = ["The feature names should match those that were passed during fit."]
        if unexpected:
            lines += ["Feature names unseen at fit time:", *_listed(unexpected)]
        if missing:
            lines += ["Feature names seen at fit time, yet now missing:", *_listed(missing)]
        if not unexpected and not missing:
            lines.append("Feature names must be in the same order as they were in fit.")
        raise ValueError("\n".join(lines) + "\n")


def warn_undefined(message: str) -> None:
    """Warn that a score is not defined, in scikit-learn's class where it is loaded."""
    warnings.warn(message, _sklearn_class("UndefinedMetricWarning", UserWarning), stacklevel=3)


@functools.cache
def _fitted_error(base: type) -> type[NotFittedError]:
    return type("NotFittedError", (NotFittedError, base), {"__module__": __name__})


def not_fitted_class() -> type[NotFittedError]:
    """``NotFittedError``, also scikit-learn's where it is loaded."""
    base = _sklearn_class("NotFittedError", NotFittedError)
    return NotFittedError if base is NotFittedError else _fitted_error(base)


def _sklearn_class(name: str, default: type) -> type:
    module = sys.modules.get("sklearn.exceptions")
    return getattr(module, name, default) if module else default


def _numeric(values: Any, owner: str, name: str) -> np.ndarray:
    """Anything array-like → float64 array, refusing text, complex and ragged values."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"[{owner}] {name} is not a rectangular array: {error}") from None
    if array.dtype.kind == "c":
        raise ValueError(f"[{owner}] Complex data not supported: {name} is {array.dtype}.")
    if array.dtype.kind in "USV":
        raise ValueError(
            f"[{owner}] dtype='numeric' is not compatible with arrays of bytes/strings: {name} is "
            f"{array.dtype}. Convert your data to numeric values explicitly instead."
        )
    if array.dtype.kind in "mM":
        raise TypeError(f"[{owner}] {name} holds dates or durations ({array.dtype}); make them numbers.")
    if array.dtype == object:
        return _from_objects(values, array, owner, name)
    return array.astype(np.float64, copy=False)


def _from_objects(values: Any, array: np.ndarray, owner: str, name: str) -> np.ndarray:
    if any(isinstance(item, complex | np.complexfloating) for item in array.flat):
        raise ValueError(f"[{owner}] Complex data not supported: {name} holds complex values.")
    try:
        if hasattr(values, "to_numpy"):  # DataFrames with nullable columns hold NA, which is no float
            return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"[{owner}] {name} holds values that are not numbers: {error}") from None


def _check_finite(array: np.ndarray, owner: str, name: str, columns: Any) -> None:
    if np.isfinite(array.sum()) or np.isfinite(array).all():  # the sum is a fast check that rarely fails
        return
    bad = ~np.isfinite(array)
    where = np.unravel_index(int(np.argmax(bad)), array.shape)
    value = "NaN" if np.isnan(array[where]) else "infinity"
    place = ""
    if array.ndim > 0:
        place = f", first at row {where[0]}"
    if array.ndim > 1:
        label = repr(list(columns)[where[1]]) if columns is not None else str(where[1])
        place += f", column {label}"
    raise ValueError(
        f"[{owner}] Input {name} contains {value} ({int(bad.sum())} value(s) not finite{place}). "
        "Drop or fill those rows first."
    )


def _listed(names: list[str], most: int = 5) -> list[str]:
    shown = [f"- {name}" for name in names[:most]]
    return [*shown, "- ..."] if len(names) > most else shown
