"""Metrics that stream over batches, with Keras' names.

State is float64 and is updated in place, so a metric is part of a captured step and costs nothing to read seldom.
"""

from pylearn.metrics.base import FunctionMetric, Later, Mean, Metric, Sum, deferring
from pylearn.metrics.classification import (
    BinaryAccuracy,
    CategoricalAccuracy,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from pylearn.metrics.confusion import (
    BalancedAccuracy,
    CohenKappa,
    ConfusionMatrix,
    Dice,
    F1Score,
    FBetaScore,
    MacroPrecision,
    MacroRecall,
    MatthewsCorrcoef,
    MeanIoU,
)
from pylearn.metrics.curves import AUC
from pylearn.metrics.images import PSNR, SSIM
from pylearn.metrics.lookup import ALL, get, resolve, serialize
from pylearn.metrics.of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMetric,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from pylearn.metrics.probabilistic import ExpectedCalibrationError, Perplexity
from pylearn.metrics.regression import (
    R2,
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)

__all__ = [
    "ALL", "AUC", "PSNR", "R2", "SSIM", "BalancedAccuracy", "BinaryAccuracy", "BinaryCrossentropy",
    "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "CohenKappa", "ConfusionMatrix",
    "CosineSimilarity", "Dice", "ExpectedCalibrationError", "F1Score", "FBetaScore", "FalseNegatives",
    "FalsePositives", "FunctionMetric", "Hinge", "KLDivergence", "Later", "LogCoshError", "LossMetric",
    "MacroPrecision", "MacroRecall", "MatthewsCorrcoef", "Mean", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError", "Metric", "Perplexity", "Poisson", "Precision",
    "R2Score", "Recall", "RootMeanSquaredError", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives",
    "TruePositives", "binary_accuracy", "categorical_accuracy", "deferring", "get", "resolve", "serialize",
    "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip
