"""Metrics that stream over batches, with Keras' names.

State is float64 and is updated in place, so a metric is part of a captured step and costs nothing to read seldom.
"""

from pylearn.metrics.base import FunctionMetric, Later, Mean, Metric, Sum, deferring
from pylearn.metrics.classification import (
    BinaryAccuracy,
    CategoricalAccuracy,
    Precision,
    Recall,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from pylearn.metrics.lookup import ALL, get, resolve_accuracy, serialize
from pylearn.metrics.regression import (
    R2,
    LossMetric,
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)

__all__ = [
    "ALL", "BinaryAccuracy", "CategoricalAccuracy", "FunctionMetric", "Later", "LossMetric", "Mean",
    "MeanAbsoluteError", "MeanSquaredError", "Metric", "Precision", "R2", "R2Score", "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "Sum", "TopKCategoricalAccuracy", "binary_accuracy",
    "categorical_accuracy", "deferring", "get", "resolve_accuracy", "serialize", "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip
