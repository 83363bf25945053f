"""Training on trial: afterwards the model is as it was, bit for bit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import ops, random
from pylearn._core import Tensor, asarray
from pylearn.training.nonfinite import all_layers
from pylearn.training.own_steps import own_optimizers
from pylearn.training.run import Pace

if TYPE_CHECKING:
    from pylearn.optimizers import Optimizer
    from pylearn.training.feed import Feed
    from pylearn.training.trainer import Trainer


@contextlib.contextmanager
def undone(model: Trainer) -> Iterator[None]:
    """Inside, the model trains with fresh optimizers of the same settings; then weights, optimizers, metrics and random
    numbers are put back."""
    compiled = model.compiled("a trial")
    held = Held(model)
    metrics = [(variable, np.array(variable.numpy())) for variable in compiled.state()]
    generators = [(g, g.state()) for g in _generators(model)]
    flags = {
        name: getattr(model, name) for name in ("history", "stop_training", "_random_state", "_pending_state")
    }
    hinted = set(model._hinted)
    given = compiled.optimizer
    own = {
        name: value for name, value in vars(model).items() if any(value is o for o in own_optimizers(model))
    }
    states = [_state(optimizer) for optimizer in [given, *own.values()]]
    try:
        compiled.optimizer = given.copy()
        for name, optimizer in own.items():
            object.__setattr__(model, name, optimizer.copy())
        yield
    finally:
        compiled.optimizer = given
        for name, optimizer in own.items():
            object.__setattr__(model, name, optimizer)
        for optimizer, weights, state, skipped in states:
            if weights:
                optimizer.build(weights)  # its places again
                optimizer.load_state(state)
                for update, count in zip(optimizer._updates, skipped, strict=True):
                    update.skipped = count
        held.put_back()
        for variable, value in metrics:
            ops.assign(variable, value)
        for generator, generated in generators:
            generator.set_state(generated)
        for name, flag in flags.items():
            object.__setattr__(model, name, flag)
        model._hinted = hinted
        model._forget_steps()


class Held:
    """The values of a model's weights at one time."""

    def __init__(self, model: Trainer) -> None:
        self._values = [(weight, np.array(weight.numpy())) for weight in model.weights]

    def put_back(self) -> None:
        for weight, value in self._values:
            ops.assign(weight, value)


def _state(optimizer: Optimizer) -> tuple[Optimizer, list[Tensor], dict[str, Any], list[int]]:
    return optimizer, optimizer.weights, optimizer.state(), [u.skipped for u in optimizer._updates]


def _generators(model: Trainer) -> list[random.Generator]:
    found = [random.default_generator()]
    for layer in all_layers(model):
        found += [value for value in vars(layer).values() if isinstance(value, random.Generator)]
    return found


class Steps:
    """Training steps one by one, of whole batches, each giving the loss before its update."""

    def __init__(self, model: Trainer, feed: Feed, order: Sequence[int] | np.ndarray | None = None) -> None:
        self.model, self.feed = model, feed
        self._order = None if order is None else asarray(np.ascontiguousarray(order, "int64"))
        self._step = feed.step(model, "train", feed.batch)
        self._at = 0
        self.pace = Pace(model)

    def __call__(self, rate: float | None = None) -> float:
        """One step; NaN when the loss or a gradient is not finite (the weights are then as before)."""
        model, feed, pace = self.model, self.feed, self.pace
        if pace.moved:
            self._step = feed.step(model, "train", feed.batch)
            pace.refresh()
        if rate is not None:
            for optimizer in pace.optimizers:
                optimizer.learning_rate = rate
        if self._at + feed.batch > feed.rows:
            self._at = 0
        begin, end = self._at, self._at + feed.batch
        self._at = end
        pace.set_rates()
        own = self._step.own
        if own:
            model.compiled("a trial").reset()
        with pace.setting():
            outputs = self._step(feed.sources, self._order, begin, end)
        if pace.moved:
            pace.refresh()
        if not pace.finite:
            return float("nan")
        if own:
            logs = model.compiled("a trial").logs()
            return logs.get("loss", sum(logs.values()))
        return float(outputs[0].item())
