"""Networks as scikit-learn's estimators: cloned, searched, pipelined and bagged like any other."""

from pylearn._lazy import attach

ALL = {"NetClassifier": "classifier", "NetRegressor": "regressor"}  # public name: module

__all__ = list(ALL)
__getattr__, __dir__ = attach(__name__, sorted({*ALL.values(), "mlp", "network"}), ALL)
