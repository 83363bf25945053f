"""The list of losses, and names to losses."""

from __future__ import annotations

from typing import Any

from pylearn import registry
from pylearn.losses import classes
from pylearn.losses.classes import FunctionLoss, Loss

ALL: list[type[Loss]] = [
    classes.MeanSquaredError, classes.MeanAbsoluteError, classes.MeanAbsolutePercentageError,
    classes.MeanSquaredLogarithmicError, classes.LogCosh, classes.Poisson, classes.CosineSimilarity, classes.Huber,
    classes.Hinge, classes.SquaredHinge, classes.CategoricalHinge, classes.KLDivergence,
    classes.CategoricalCrossentropy, classes.SparseCategoricalCrossentropy, classes.BinaryCrossentropy,
    classes.BinaryFocalCrossentropy, classes.CategoricalFocalCrossentropy, classes.Dice, classes.Tversky,
]  # fmt: skip

ALIASES: dict[str, type[Loss]] = {
    "mse": classes.MeanSquaredError, "MSE": classes.MeanSquaredError,
    "mae": classes.MeanAbsoluteError, "MAE": classes.MeanAbsoluteError,
    "mape": classes.MeanAbsolutePercentageError, "MAPE": classes.MeanAbsolutePercentageError,
    "msle": classes.MeanSquaredLogarithmicError, "MSLE": classes.MeanSquaredLogarithmicError,
    "kld": classes.KLDivergence, "kl_divergence": classes.KLDivergence, "logcosh": classes.LogCosh,
    "bce": classes.BinaryCrossentropy, "huber_loss": classes.Huber,
}  # fmt: skip

_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in ALL}, **{registry.snake(c.__name__): c for c in ALL}, **ALIASES,
}  # fmt: skip
_FUNCTIONS: dict[Any, type[Loss]] = {vars(c)["function"].__func__: c for c in ALL}


def get(identifier: Any) -> Loss:
    """A loss from its name, a Loss, one of this package's functions, any function (y_true, y_pred), or a configuration.

    Raises:
        ValueError: unknown name; the message names the closest one.
        TypeError: something else.
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str):
        identifier = registry.lookup(identifier, _TABLE, "loss")
    elif registry.is_config(identifier):
        identifier = registry.deserialize(identifier, _TABLE, "loss")
        if isinstance(identifier, Loss):
            return identifier
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier):
        known = _FUNCTIONS.get(identifier)
        return known() if known is not None else FunctionLoss(identifier)
    raise TypeError(f"a loss must be a name, a Loss or a function (y_true, y_pred), got {identifier!r}")


def serialize(loss: Loss) -> Any:
    """JSON form of a loss; a user's function by its name."""
    return registry.serialize(loss.function if isinstance(loss, FunctionLoss) else loss)
