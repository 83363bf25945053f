"""Diabetes progression, bundled: 442 patients, ten measurements, one regression target.

Source: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani (2004), "Least Angle Regression", Annals of
Statistics 32, 407-499, as distributed with scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pylearn.datasets import npz
from pylearn.datasets.digits import Split

FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
_FILE = Path(__file__).parent / "data" / "diabetes.npz"


def load_data(scaled: bool = True, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """Load and split, as scikit-learn's ``train_test_split(X, y, test_size=…, random_state=seed)``.

    Args:
        scaled: centre each column and divide by its standard deviation times √442, as
            ``sklearn.datasets.load_diabetes`` does (the whole set's statistics); False gives years,
            kg/m², mmHg and the serum values as measured.
        test_fraction: part of the rows in the test set, between 0 and 1, rounded up.
        seed: of the split.

    Returns:
        ``(X_train, y_train), (X_test, y_test)``: float64 of shapes (353, 10), (353,), (89, 10), (89,) by
        default; columns in the order of ``FEATURES``, the target a score of progression after one year.

    Raises:
        ValueError: ``test_fraction`` leaves one of the two parts empty.
    """
    X, y = load_all(scaled)
    if not 0 < test_fraction < 1 or np.ceil(test_fraction * len(y)) >= len(y):
        raise ValueError(f"test_fraction must leave rows for both parts, got {test_fraction!r}")
    n_test = int(np.ceil(test_fraction * len(y)))
    order = np.random.RandomState(seed).permutation(len(y))  # frozen by NumPy: the same in every version
    test, train = order[:n_test], order[n_test:]
    return (X[train], y[train]), (X[test], y[test])


def load_all(scaled: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """All 442 rows in the source's order: X (442, 10), y (442,), float64."""
    data = npz.read(_FILE, ("X", "y"))
    X, y = data["X"], data["y"]
    if scaled:
        X = (X - X.mean(axis=0)) / X.std(axis=0) / len(X) ** 0.5
    return X, y
