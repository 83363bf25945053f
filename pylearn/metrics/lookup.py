"""The list of metrics, and names to metrics."""

from __future__ import annotations

from functools import partial
from typing import Any

from pylearn import losses, registry
from pylearn.metrics import classification, confusion, curves, images, of_losses, probabilistic, regression
from pylearn.metrics.base import FunctionMetric, Mean, Metric, Sum

ALL: list[type[Metric]] = [
    Mean, Sum, classification.BinaryAccuracy, classification.CategoricalAccuracy,
    classification.SparseCategoricalAccuracy, classification.TopKCategoricalAccuracy,
    classification.SparseTopKCategoricalAccuracy, classification.Precision, classification.Recall,
    classification.TruePositives, classification.TrueNegatives, classification.FalsePositives,
    classification.FalseNegatives, confusion.ConfusionMatrix, confusion.BalancedAccuracy, confusion.MatthewsCorrcoef,
    confusion.CohenKappa, confusion.MacroPrecision, confusion.MacroRecall,
    confusion.FBetaScore, confusion.F1Score, confusion.MeanIoU, confusion.Dice, curves.AUC,
    probabilistic.ExpectedCalibrationError, probabilistic.Perplexity, images.PSNR, images.SSIM,
    regression.MeanSquaredError, regression.RootMeanSquaredError, regression.MeanAbsoluteError, regression.R2,
    of_losses.LossMetric, of_losses.MeanAbsolutePercentageError, of_losses.MeanSquaredLogarithmicError,
    of_losses.LogCoshError, of_losses.Poisson, of_losses.KLDivergence, of_losses.Hinge, of_losses.SquaredHinge,
    of_losses.CategoricalHinge, of_losses.BinaryCrossentropy, of_losses.CategoricalCrossentropy,
    of_losses.SparseCategoricalCrossentropy, of_losses.CosineSimilarity,
]  # fmt: skip

# By name, what needs no settings; an F score is one number: the mean over classes, or that of class 1.
_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in ALL}, **{registry.snake(c.__name__): c for c in ALL},
    "mse": regression.MeanSquaredError, "MSE": regression.MeanSquaredError,
    "mae": regression.MeanAbsoluteError, "MAE": regression.MeanAbsoluteError,
    "rmse": regression.RootMeanSquaredError, "RMSE": regression.RootMeanSquaredError,
    "r2": regression.R2, "r2_score": regression.R2, "R2Score": regression.R2,
    "top_k_categorical_accuracy": classification.TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": classification.SparseTopKCategoricalAccuracy,
    "auc": curves.AUC, "roc_auc": curves.AUC, "pr_auc": partial(curves.AUC, curve="PR"),
    "average_precision": partial(curves.AUC, curve="PR"), "f1": partial(confusion.F1Score, "macro"),
    "f1_score": partial(confusion.F1Score, "macro"), "fbeta_score": partial(confusion.FBetaScore, "macro"),
    "mcc": confusion.MatthewsCorrcoef, "mean_iou": confusion.MeanIoU, "iou": confusion.MeanIoU,
    "ece": probabilistic.ExpectedCalibrationError, "psnr": images.PSNR, "ssim": images.SSIM,
    "balanced_accuracy": confusion.BalancedAccuracy,
}  # fmt: skip
_FUNCTIONS: dict[Any, type[Metric]] = {
    classification.binary_accuracy: classification.BinaryAccuracy,
    classification.categorical_accuracy: classification.CategoricalAccuracy,
    classification.sparse_categorical_accuracy: classification.SparseCategoricalAccuracy,
    classification.top_k_categorical_accuracy: classification.TopKCategoricalAccuracy,
    classification.sparse_top_k_categorical_accuracy: classification.SparseTopKCategoricalAccuracy,
}
_ACCURACY = (
    classification.BinaryAccuracy, classification.SparseCategoricalAccuracy, classification.CategoricalAccuracy,
)  # fmt: skip
_CROSSENTROPY = (
    partial(of_losses.LossMetric, "binary_crossentropy"),
    partial(of_losses.LossMetric, "sparse_categorical_crossentropy"),
    partial(of_losses.LossMetric, "categorical_crossentropy"),
)
_TOP_K = tuple(
    partial(cls, 5)
    for cls in (
        classification.TopKCategoricalAccuracy,
        classification.SparseTopKCategoricalAccuracy,
        classification.TopKCategoricalAccuracy,
    )
)
_PRECISION, _RECALL = (
    (partial(counts, None), macro, partial(counts, None))
    for counts, macro in (
        (classification.Precision, confusion.MacroPrecision),
        (classification.Recall, confusion.MacroRecall),
    )
)
# Names that mean one metric for one output, another for class ids beside several, and another for one-hot rows.
BY_SHAPE: dict[str, tuple[Any, ...]] = {
    "accuracy": _ACCURACY, "acc": _ACCURACY, "Accuracy": _ACCURACY,
    "crossentropy": _CROSSENTROPY, "ce": _CROSSENTROPY, "top_k": _TOP_K, "top_k_accuracy": _TOP_K,
    "precision": _PRECISION, "recall": _RECALL,
}  # fmt: skip
ACCURACY = ("accuracy", "acc", "Accuracy")


def get(identifier: Any, name: str | None = None) -> Metric:
    """A metric from its name, a Metric, a loss's name, a function (y_true, y_pred), or a configuration.

    Some names depend on the output, such as ``"accuracy"``: see ``resolve``.

    Raises:
        ValueError: unknown name; the message names the closest one.
        TypeError: something else.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        if identifier not in _TABLE:
            try:
                return of_losses.LossMetric(losses.get(identifier), name=name or identifier)
            except ValueError:
                registry.lookup(identifier, {**_TABLE, **BY_SHAPE}, "metric")
        found = registry.lookup(identifier, _TABLE, "metric")
        if isinstance(found, (type, partial)):
            made: Metric = found(name=name or identifier)
            return made
        return FunctionMetric(found, name)
    if registry.is_config(identifier):
        found = registry.deserialize(identifier, _TABLE, "metric")
        return found if isinstance(found, Metric) else FunctionMetric(found, name)
    if isinstance(identifier, type):
        return identifier()
    if isinstance(identifier, losses.Loss):
        return of_losses.LossMetric(identifier, name)
    if callable(identifier):
        known = _FUNCTIONS.get(identifier)
        return known() if known is not None else FunctionMetric(identifier, name)
    raise TypeError(f"a metric must be a name, a Metric or a function (y_true, y_pred), got {identifier!r}")


def resolve(name: str, target_shape: tuple[int | None, ...], output_shape: tuple[int | None, ...]) -> Metric:
    """The metric that a name of ``BY_SHAPE`` means: for one output, for class ids, or for one-hot rows, as in Keras."""
    if len(output_shape) < 2 or output_shape[-1] == 1:
        which = 0
    elif len(target_shape) < len(output_shape) or target_shape[-1] == 1:
        which = 1
    else:
        which = 2
    made: Metric = BY_SHAPE[name][which](name=name)
    return made


def serialize(metric: Any) -> Any:
    """JSON form of a metric or of the name it was asked by."""
    return registry.serialize(metric.function if isinstance(metric, FunctionMetric) else metric)
