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

from pylearn.sparse import CSR


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before ``fit``."""


def check_X(X: Any, owner: str, *, sparse: bool = False, nd: bool = False) -> Any:
    """Check a feature matrix.

    Args:
        X: (N, D) numbers: array, nested lists, DataFrame, tensor. Booleans and integers are converted.
        owner: name of the estimator, for messages.
        sparse: also take sparse matrices, SciPy's or CSR.
        nd: also take rows of several axes, such as images.

    Returns:
        float64 (N, D), ``X`` itself when it is one already; a CSR of float64 for a sparse matrix.

    Raises:
        TypeError: sparse matrices without ``sparse``, values that are not numbers.
        ValueError: not two axes, no rows or columns, complex values, NaN or infinity.
    """
    if sparse and (isinstance(X, CSR) or hasattr(X, "tocsr")):
        matrix = _sparse(X, owner)
        _check_extent(matrix.shape, owner)
        return matrix
    if hasattr(X, "tocsr") or hasattr(X, "toarray"):
        raise TypeError(
            f"[{owner}] X is a sparse matrix ({type(X).__name__}), but dense data is required. "
            "Use X.toarray() to convert it, memory permitting."
        )
    array = _numeric(X, owner, "X")
    if array.ndim != 2 and not (nd and array.ndim > 2):
        fix = {
            0: "Reshape your data with X.reshape(1, -1) or pass a list of rows.",
            1: "Reshape your data either using X.reshape(-1, 1) if it has a single feature "
            "or X.reshape(1, -1) if it is a single sample.",
        }.get(array.ndim, "Flatten each sample with X.reshape(len(X), -1).")
        raise ValueError(
            f"[{owner}] Expected 2D array of samples by features, got {array.ndim}D array of shape "
            f"{array.shape} instead. {fix}"
        )
    _check_extent(array.shape, owner)
    _check_finite(array, owner, "X", getattr(X, "columns", None))
    return array


def _check_extent(shape: tuple[int, ...], owner: str) -> None:
    if shape[0] < 1:
        raise ValueError(f"[{owner}] X has 0 sample(s) (shape={shape}) while a minimum of 1 is required.")
    if 0 in shape[1:]:
        raise ValueError(f"[{owner}] X has 0 feature(s) (shape={shape}) while a minimum of 1 is required.")


def _sparse(X: Any, owner: str) -> CSR:
    """A sparse matrix as CSR of finite float64 values."""
    if not isinstance(X, CSR):
        if len(X.shape) != 2:
            raise ValueError(f"[{owner}] Expected 2D array, got {len(X.shape)}D sparse array instead.")
        X = X.tocsr()
        if X.dtype.kind == "c":
            raise ValueError(f"[{owner}] Complex data not supported: X is {X.dtype}.")
        X = CSR(X.indptr, X.indices, X.data.astype(np.float64, copy=False), X.shape)
    elif X.dtype != np.float64:
        X = CSR(X.indptr, X.indices, X.values.numpy().astype(np.float64), X.shape)
    values = X.values.numpy()
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        row = int(np.searchsorted(X.indptr.numpy(), first, side="right")) - 1
        value = "NaN" if np.isnan(values[first]) else "infinity"
        place = f"row {row}, column {int(X.indices.numpy()[first])}"
        raise ValueError(
            f"[{owner}] Input X contains {value}, first at {place}. Drop or fill those rows first."
        )
    return X


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
    if not multi_output:
        array = _flat(array, owner, name)
    if array.ndim not in (1, 2):
        raise ValueError(
            f"[{owner}] bad input shape {array.shape}: {name} should be (n_samples,) or (n_samples, n_outputs)."
        )
    if array.ndim == 2 and array.shape[1] == 0:
        raise ValueError(f"[{owner}] {name} has shape {array.shape}: no outputs.")
    _check_finite(array, owner, name, None)
    return array


def check_X_y(
    X: Any, y: Any, owner: str, *, multi_output: bool = False, sparse: bool = False, nd: bool = False
) -> tuple[Any, np.ndarray]:
    """:func:`check_X` and :func:`check_y`, and as many rows in both."""
    if y is None:
        raise ValueError(f"[{owner}] requires y to be passed, but the target y is None.")
    X = check_X(X, owner, sparse=sparse, nd=nd)
    y = check_y(y, owner, multi_output=multi_output)
    if X.shape[0] != len(y):
        raise ValueError(
            f"[{owner}] inconsistent numbers of samples: X has {X.shape[0]} rows, y has {len(y)}; "
            "each row of X needs one target."
        )
    return X, y


def check_labels(y: Any, n_rows: int, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Check the labels of a classifier: numbers, strings or booleans, (N,); a column vector with a warning.

    Returns:
        the labels that occur, sorted, and (N,) positions in them.

    Raises:
        TypeError, ValueError: numbers that are not whole, NaN or infinity, labels that cannot be ordered, another
            shape or length.
    """
    if hasattr(y, "tocsr"):
        raise TypeError(f"[{owner}] y is a sparse matrix; pass y.toarray().")
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"[{owner}] y is not a rectangular array: {error}") from None
    array = _flat(array, owner, "y")
    if len(array) != n_rows:
        raise ValueError(
            f"[{owner}] inconsistent numbers of samples: X has {n_rows} rows, y has {len(array)}; "
            "each row of X needs one target."
        )
    if array.dtype.kind == "c":
        raise ValueError(f"[{owner}] Complex data not supported: y is {array.dtype}.")
    if array.dtype == object and not any(isinstance(label, str) for label in array):
        array = _from_objects(y, array, owner, "y")
        array = array.astype(np.int64) if (array == np.rint(array)).all() else array
    if array.dtype.kind == "f":
        _check_finite(array, owner, "y", None)
        if (array != np.rint(array)).any():
            first = int(np.argmax(array != np.rint(array)))
            raise ValueError(
                f"[{owner}] Unknown label type: continuous (y[{first}] is {array[first]:g}). A classifier expects "
                "discrete classes; use a regressor for numbers."
            )
    try:
        classes, codes = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"[{owner}] Unknown label type: labels of y cannot be ordered ({error})") from None
    return classes, codes


def _flat(array: np.ndarray, owner: str, name: str) -> np.ndarray:
    """(N,) of (N,) or, with a warning, (N, 1)."""
    if array.ndim == 2 and array.shape[1] == 1:
        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected by {owner}. "
            f"Please change the shape of {name} to (n_samples,), for example using ravel().",
            _sklearn_class("DataConversionWarning", UserWarning),
            stacklevel=5,
        )
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"[{owner}] bad input shape {array.shape}: {name} should be a 1d array (n_samples,)."
        )
    return array


def check_class_weight(
    class_weight: Any, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray, owner: str
) -> np.ndarray | None:
    """The weight of each class, (K,), or None.

    Args:
        class_weight: None, ``"balanced"`` or a dict from label to weight; labels without one count 1.
        classes: (K,) labels.
        codes: (N,) positions in them.
        weight: (N,) weights of the rows.

    Raises:
        ValueError: something else, a label that does not occur while another has no weight, a negative weight.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(codes, weight, minlength=len(classes))
        return np.where(counts > 0, counts.sum() / (len(classes) * np.where(counts > 0, counts, 1)), 1.0)
    if not isinstance(class_weight, dict):
        raise ValueError(f"[{owner}] class_weight must be None, 'balanced' or a dict, got {class_weight!r}")
    given = dict(class_weight)
    found = np.array([float(given.pop(label, np.nan)) for label in classes.tolist()])
    if given and np.isnan(found).any():
        raise ValueError(
            f"[{owner}] class_weight has the label {next(iter(given))!r}, which y does not have, and none for "
            f"{classes[np.isnan(found)].tolist()[0]!r}"
        )
    if (found < 0).any():
        raise ValueError(f"[{owner}] class_weight must not be negative, got {class_weight!r}")
    return np.where(np.isnan(found), 1.0, found)


def warn_not_converged(message: str) -> None:
    """Warn that a fit ended early, in scikit-learn's class where it is loaded."""
    warnings.warn(message, _sklearn_class("ConvergenceWarning", UserWarning), stacklevel=3)


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
    """Raises IndexError for the first id that is not a row of a table of ``count`` rows, ValueError for one that is no
    whole number; says where it stands."""
    if ids.size == 0:
        return
    if ids.dtype.kind == "f" and (ids != np.floor(ids)).any():  # NaN too
        bad = np.argwhere(ids != np.floor(ids))
        raise ValueError(f"{what}: the id {ids[tuple(bad[0])]} at {_where(bad[0])} is not a whole number")
    if ids.min() >= 0 and ids.max() < count:
        return
    bad = np.argwhere((ids < 0) | (ids >= count))
    raise IndexError(
        f"{what}: the id {int(ids[tuple(bad[0])])} at {_where(bad[0])} is out of range: there are {count} "
        f"(input_dim), 0 to {count - 1}; {len(bad)} of {ids.size} are out of range"
    )


def _where(place: np.ndarray) -> str:
    if len(place) not in (1, 2):
        return f"place {tuple(int(i) for i in place)}"
    return ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), place, strict=False))


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
