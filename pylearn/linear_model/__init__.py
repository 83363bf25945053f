"""Linear models with scikit-learn's names and signatures."""

from pylearn._lazy import attach

ALL = {"LinearRegression": "least_squares", "LogisticRegression": "logistic"}  # public name: module

__all__ = list(ALL)
__getattr__, __dir__ = attach(__name__, sorted({*ALL.values(), "lbfgs", "nnls"}), ALL)
