"""What ``compile`` was given, resolved against a model's outputs: losses and metrics per output."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import losses, metrics, ops, optimizers, registry, structure
from pylearn._core import Tensor
from pylearn.align import weighted
from pylearn.training.data import Place
from pylearn.training.own_steps import Report, add_mean

Shape = tuple[int | None, ...]


class Compiled:
    """Optimizer, losses and metrics of a model. Everything given is copied.

    Raises:
        ValueError: an unknown name; the message names the closest one.
    """

    def __init__(
        self,
        optimizer: Any,
        loss: Any,
        loss_weights: Any,
        metrics_: Any,
        weighted_metrics: Any,
        run_eagerly: bool,
    ) -> None:
        given = optimizers.get(optimizer)
        self.optimizer = given.copy() if given is optimizer else given
        self.loss = _map(lambda item: None if item is None else copy.deepcopy(losses.get(item)), loss)
        self.loss_weights = copy.deepcopy(loss_weights)
        for weight in structure.leaves(loss_weights):
            if weight is not None and not isinstance(weight, (int, float)):
                raise TypeError(
                    f"loss_weights must be numbers, got {weight!r}; metrics are given as metrics=[…]"
                )
        self.metrics = _map(_own, metrics_)
        self.weighted_metrics = _map(_own, weighted_metrics)
        self.run_eagerly = bool(run_eagerly)
        self.outputs: list[OutputObjective] | None = None
        self.tracker = metrics.Mean("loss")
        self._all: list[metrics.Metric] = []
        self.reports: dict[str, Report] = {}  # of steps the model writes itself, by kind

    @property
    def resolved(self) -> bool:
        return self.outputs is not None

    def places(self, names: Sequence[str], shapes: Sequence[Shape | None]) -> list[Place]:
        """What the targets are cast to, per output: labels stay whole numbers, as all do where no loss is given."""
        per_output = _per_output(self.loss, names, "loss")
        return [Place(n, s, "labels" if loss is not None and loss.labels else "float32")
                for n, s, loss in zip(names, shapes, per_output, strict=True)]  # fmt: skip

    def resolve(self, names: Sequence[str], shapes: Sequence[Shape], y: Sequence[Any]) -> None:
        """Chooses the accuracies, now that outputs and targets are known. Done once.

        Args:
            names, shapes: of the outputs.
            y: target arrays (of a batch or of all), one per output.
        """
        per_loss = _per_output(self.loss, names, "loss")
        per_weight = _per_output(self.loss_weights, names, "loss_weights", default=1.0)
        several = len(names) > 1
        self.outputs = []
        for i, name in enumerate(names):
            made = [
                [_metric(m, per_loss[i], y[i], shapes[i], f"{name}_" if several else "")
                 for m in _metrics_of(given, names, i)]
                for given in (self.metrics, self.weighted_metrics)
            ]  # fmt: skip
            tracker = metrics.Mean(f"{name}_loss") if several and per_loss[i] is not None else None
            self.outputs.append(
                OutputObjective(name, per_loss[i], float(per_weight[i]), made[0], made[1], tracker)
            )
        for objective, name in zip(self.outputs, names, strict=True):
            plain = {metric.name for metric in objective.metrics}
            for metric in objective.weighted_metrics:
                if metric.name in plain:  # as in Keras
                    prefix = f"{name}_" if several else ""
                    metric.name = f"{prefix}weighted_{metric.name.removeprefix(prefix)}"
        self._all = []
        taken: set[str] = set()
        for metric in self.all_metrics():
            if metric.name in taken:
                raise ValueError(f"two metrics are called {metric.name!r}; give one another name")
            taken.add(metric.name)

    def check(self, y: Sequence[Any], shapes: Sequence[Shape | None], what: str = "y") -> None:
        """Looks at whole target arrays before training.

        Raises:
            ValueError: targets that do not fit a loss; the message says the fix.
        """
        assert self.outputs is not None
        for i, objective in enumerate(self.outputs):
            shape = shapes[i]
            if objective.loss is not None and shape is not None:
                name = what if len(self.outputs) == 1 else f"{what}[{objective.name!r}]"
                objective.loss.check(np.asarray(y[i]), tuple(shape), name)

    def all_metrics(self) -> list[metrics.Metric]:
        """Everything that is reported, the loss first."""
        if self._all:
            return self._all
        found: list[metrics.Metric] = [self.tracker]
        for objective in self.outputs or []:
            found += [objective.tracker] if objective.tracker is not None else []
        for objective in self.outputs or []:
            found += [*objective.metrics, *objective.weighted_metrics]
        if self.outputs is not None:
            self._all = found
        return found

    def reset(self) -> None:
        for metric in self.all_metrics():
            metric.reset_state()
        for report in self.reports.values():
            for metric in report.metrics.values():
                metric.reset_state()

    def logs(self, kind: str = "train", running: bool = False) -> dict[str, float]:
        """Name → value so far.

        Args:
            kind: of the steps: "train" or "test".
            running: in the middle of an epoch; without the metrics that need the whole of it.
        """
        out: dict[str, float] = {}
        report = self.reports.get(kind)
        named = [(m.name, m) for m in self.all_metrics()] if report is None else report.metrics.items()
        for name, metric in named:
            if running and metric.on_host:
                continue
            value = metric.result()
            if type(value) is float:
                out[name] = value
            elif isinstance(value, dict):
                out.update({k: float(v) for k, v in value.items()})
            elif np.size(value) == 1:
                out[name] = float(np.asarray(value).reshape(()))
            else:
                out.update({f"{name}_{i}": float(v) for i, v in enumerate(np.ravel(value))})
        return out

    def state(self) -> list[Tensor]:
        return [variable for metric in self.all_metrics() for variable in metric.variables]

    # -- inside a step ----------------------------------------------------------------------------

    def loss_of(
        self, y: Sequence[Tensor], predicted: Sequence[Tensor], weights: Sequence[Tensor], masks: Sequence[Any],
        penalties: Sequence[Tensor],
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """The scalar to minimise, and the loss of each output that has one."""
        assert self.outputs is not None
        total: Any = None
        each: list[Tensor] = []
        for i, objective in enumerate(self.outputs):
            if objective.loss is None:
                continue
            value = objective.loss_of(y[i], predicted[i], pick(weights, i), masks[i])
            each.append(value)
            part = value if objective.weight == 1.0 else value * objective.weight
            total = part if total is None else total + part
        for penalty in penalties:
            total = penalty if total is None else total + (
                penalty if penalty.dtype == total.dtype else ops.cast(penalty, total.dtype))  # fmt: skip
        if total is None:
            raise ValueError(
                "there is nothing to minimise: compile the model with a loss, or add_loss in a layer"
            )
        return total, each

    def update(
        self, y: Sequence[Tensor], predicted: Sequence[Tensor], weights: Sequence[Tensor], masks: Sequence[Any],
        total: Tensor, each: Sequence[Tensor], rows: int,
    ) -> None:  # fmt: skip
        """Takes a batch into the metrics."""
        assert self.outputs is not None
        count = float(rows)
        add_mean(self.tracker, total, count)
        place = 0
        for i, objective in enumerate(self.outputs):
            if objective.loss is not None:
                if objective.tracker is not None:
                    add_mean(objective.tracker, each[place], count)
                place += 1
            for metric, weight in objective.with_weights(pick(weights, i), masks[i]):
                if not metric.on_host:
                    metric.update_state(y[i], predicted[i], weight)

    def for_host(
        self,
        y: Sequence[Tensor],
        predicted: Sequence[Tensor],
        weights: Sequence[Tensor],
        masks: Sequence[Any],
    ) -> tuple[list[Tensor], list[tuple[metrics.Metric, int]]]:
        """What metrics on the host need of a step: Tensors, and for each metric how many of them in turn."""
        assert self.outputs is not None
        needed: list[Tensor] = []
        users: list[tuple[metrics.Metric, int]] = []
        for i, objective in enumerate(self.outputs):
            for metric, weight in objective.with_weights(pick(weights, i), masks[i]):
                if metric.on_host:
                    arguments = [y[i], predicted[i], *([] if weight is None else [weight])]
                    needed += arguments
                    users.append((metric, len(arguments)))
        return needed, users

    @property
    def host_metrics(self) -> bool:
        return any(metric.on_host for metric in self.all_metrics())

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer": self.optimizer,
            "loss": _map(lambda item: None if item is None else losses.serialize(item), self.loss),
            "loss_weights": self.loss_weights,
            "metrics": _map(_name, self.metrics), "weighted_metrics": _map(_name, self.weighted_metrics),
            "run_eagerly": self.run_eagerly,
        }  # fmt: skip


class OutputObjective:
    """One output's loss, its weight in the total, and its metrics."""

    def __init__(
        self, name: str, loss: losses.Loss | None, weight: float, metrics_: list[metrics.Metric],
        weighted_metrics: list[metrics.Metric], tracker: metrics.Mean | None,
    ) -> None:  # fmt: skip
        self.name, self.loss, self.weight = name, loss, weight
        self.metrics, self.weighted_metrics, self.tracker = metrics_, weighted_metrics, tracker

    def with_weights(self, weight: Tensor | None, mask: Any) -> list[tuple[metrics.Metric, Any]]:
        """Each metric, and what its places count."""
        found: list[tuple[metrics.Metric, Any]] = [(metric, mask) for metric in self.metrics]
        if self.weighted_metrics:
            weight = _times_mask(weight, mask)
            found += [(metric, weight) for metric in self.weighted_metrics]
        return found

    def loss_of(self, y: Tensor, predicted: Tensor, weight: Tensor | None, mask: Any) -> Tensor:
        assert self.loss is not None
        if mask is None:
            return self.loss(y, predicted, weight)
        values = self.loss.call(y, predicted)
        keep = ops.cast(mask, values.dtype)
        keep = ops.broadcast_to(keep, values.shape) if keep.shape != values.shape else keep
        kept = ops.maximum(ops.mean(keep), 1e-7)  # masked places count neither above nor below the line
        combined = keep / kept
        if weight is not None:
            combined = combined * weighted(values, weight, self.loss.name)[1]
        return self.loss.reduce(values, combined)


def pick(weights: Sequence[Tensor], i: int) -> Tensor | None:
    if not weights:
        return None
    return weights[i] if len(weights) > 1 else weights[0]


def _times_mask(weight: Tensor | None, mask: Any) -> Tensor | None:
    if mask is None:
        return weight
    keep = ops.cast(mask, "float32")
    if weight is None:
        return keep
    if weight.ndim < keep.ndim:
        weight = ops.reshape(weight, weight.shape + (1,) * (keep.ndim - weight.ndim))
    return keep * weight


def _own(metric: Any) -> Any:
    if metric is None or isinstance(metric, str):
        if metric is not None and metric not in metrics.lookup.BY_SHAPE:
            metrics.get(metric)  # unknown names are found at compile
        return metric
    if registry.is_config(metric):
        return metrics.get(metric)
    return copy.deepcopy(metric) if isinstance(metric, metrics.Metric) else metric


def _name(metric: Any) -> Any:
    return metric if metric is None or isinstance(metric, str) else metrics.serialize(metric)


def _map(function: Any, given: Any) -> Any:
    if isinstance(given, dict) and not registry.is_config(given):
        return {key: _map(function, value) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [_map(function, value) for value in given]
    return None if given is None else function(given)


def _per_output(given: Any, names: Sequence[str], what: str, default: Any = None) -> list[Any]:
    """One item per output from one for all, a list in order, or a dict by name."""
    if given is None:
        return [default] * len(names)
    if isinstance(given, dict):
        for key in given:
            if key not in names:
                raise ValueError(f"{what} names the output {key!r}, which the model does not have"
                                 f"{registry.suggest(key, names)}; it has {', '.join(names)}")  # fmt: skip
        return [given.get(name, default) for name in names]
    if isinstance(given, list):
        if len(given) != len(names):
            raise ValueError(f"{what} has {len(given)} items for {len(names)} outputs ({', '.join(names)})")
        return list(given)
    return [given] * len(names)


def _metrics_of(given: Any, names: Sequence[str], i: int) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, dict):
        _per_output(given, names, "metrics")
        chosen = given.get(names[i])
    elif (
        isinstance(given, list)
        and len(names) > 1
        and (len(given) == len(names) or any(isinstance(item, (list, type(None))) for item in given))
    ):
        chosen = _per_output(given, names, "metrics")[i]
    else:
        chosen = given
    if chosen is None:
        return []
    return list(chosen) if isinstance(chosen, list) else [chosen]


def _metric(given: Any, loss: losses.Loss | None, y: Any, shape: Shape, prefix: str) -> metrics.Metric:
    if isinstance(given, str) and given in metrics.lookup.BY_SHAPE:
        if given in metrics.lookup.ACCURACY and loss is not None and loss.regression and not _classes(y):
            registry.warn("accuracy is for classification; showing it as asked, consider 'r2'")
        made = metrics.resolve(given, tuple(y.shape), tuple(shape))
    else:
        made = metrics.get(given)
        if made is given and isinstance(given, metrics.Metric):
            made = copy.deepcopy(given)
    if prefix:
        made.name = prefix + made.name
    return made


def _classes(y: Any) -> bool:
    """Are these targets 0 and 1, as of classes?"""
    sample = np.asarray(y[:10_000])
    return bool(np.isin(sample, (0, 1)).all())
