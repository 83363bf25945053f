"""Steps that a model writes itself: ``train_step(self, data)`` and ``test_step(self, data)`` of a subclass.

Their Python runs twice for each form of batch, once eagerly and once recorded; after that they are replayed like any
other step. What they return is a dict of scalar Tensors, averaged over the rows of an epoch, and of results of
metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import metrics, ops
from pylearn._core import Tensor
from pylearn.metrics import Later, Metric, deferring
from pylearn.optimizers import Optimizer
from pylearn.utils import pack_x_y_sample_weight

if TYPE_CHECKING:
    from pylearn.training.stepper import Stepper

Counts = tuple[int, int, int]


class Report:
    """What a model's own step says of itself: a metric for each name."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}

    def take(self, returned: Any, rows: int, what: str) -> None:
        """Notes the metrics of a step's result and adds its Tensors to their means.

        Raises:
            TypeError, ValueError: something else than a dict of numbers.
        """
        if returned is None:
            return
        if isinstance(returned, Tensor):
            returned = {"loss": returned}
        if not isinstance(returned, dict):
            raise TypeError(
                f"{what} must return a dict of names and scalar Tensors, such as {{'loss': loss}}, got "
                f"{type(returned).__name__}"
            )
        for name, value in returned.items():
            if isinstance(value, Metric):
                self.metrics[name] = value
            elif isinstance(value, Later):
                self.metrics[name] = value.metric
            else:
                self._average(name, value, rows, what)

    def _average(self, name: str, value: Any, rows: int, what: str) -> None:
        if not isinstance(value, (Tensor, int, float, np.generic, np.ndarray)) or np.size(value) != 1:
            raise ValueError(
                f"{what} returned {name!r} of shape {np.shape(value)}: a log is one number, so take its mean"
                if isinstance(value, (Tensor, np.ndarray))
                else f"{what} returned {name!r} as {type(value).__name__}; a log is a number"
            )
        tracker = self.metrics.get(name)
        if type(tracker) is not metrics.Mean:
            tracker = self.metrics[name] = metrics.Mean(name)
        add_mean(tracker, ops.reshape(value, ()) if isinstance(value, Tensor) else float(value), float(rows))


def add_mean(tracker: metrics.Mean, value: Any, count: float) -> None:
    """Adds the mean of ``count`` rows."""
    if isinstance(value, Tensor):
        value = ops.cast(value, "float64")
    ops.assign_add(tracker.total, value if count == 1.0 else value * count)
    ops.assign_add(tracker.count, count)


def function(model: Stepper, kind: str, counts: Counts, rows: int, report: Report) -> Callable[..., Any]:
    """The model's method as a function of a flat batch."""
    nx, ny, _ = counts
    method = getattr(model, f"{kind}_step")
    what = f"{type(model).__name__}.{kind}_step"

    def step(batch: list[Any]) -> list[Tensor]:
        x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
        data = pack_x_y_sample_weight(
            model.pack_inputs(x), model.pack_targets(y) if y else None, _one(w) if w else None
        )
        with deferring():
            returned = method(data)
        report.take(returned, rows, what)
        return []

    return step


def _one(items: Sequence[Any]) -> Any:
    return items[0] if len(items) == 1 else list(items)


def held(model: Any, kind: type) -> list[Any]:
    """The objects of a kind (optimizers, metrics) among a model's attributes."""
    found: list[Any] = []
    for value in vars(model).values():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, kind) and all(item is not f for f in found):
                found.append(item)
    return found


def own_optimizers(model: Any) -> list[Optimizer]:
    return held(model, Optimizer)


def own_metrics(model: Any) -> list[Metric]:
    return held(model, Metric)
