"""The batches of a ``fit``: per step a batch is fed and the recorded step replayed.

Everything that needs Python (drawing, reading metrics) happens at epoch ends, at most ten times a second, or when a
callback asks for every batch.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import _core, random, registry
from pylearn._core import Tensor
from pylearn.layers.naming import Changes
from pylearn.optimizers.base import Moves
from pylearn.training import nonfinite
from pylearn.training.feed import Feed
from pylearn.training.hooks import CallbackList
from pylearn.training.step import Step, verify

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer


LOOK_EVERY = (
    32  # steps on a GPU from one look at whether all was finite to the next: looking waits for the steps
)


class Pace:
    """The optimizers of a model while it trains: their rates between the steps, and whether an update was skipped."""

    def __init__(self, model: Trainer) -> None:
        self.model = model
        self.refresh()

    def refresh(self) -> None:
        self.optimizers = self.model.active_optimizers()
        self.updates = [update for optimizer in self.optimizers for update in optimizer._updates]
        self.stamp = (Moves.count, Changes.count)
        self.schedules()

    def schedules(self) -> None:
        """Looks again at which optimizers follow a schedule."""
        self.scheduled = [optimizer for optimizer in self.optimizers if optimizer.schedule is not None]

    @property
    def moved(self) -> bool:
        """Has something that steps hold fixed changed since: what trains, where weights are?"""
        return self.stamp != (Moves.count, Changes.count)

    def set_rates(self) -> None:
        for optimizer in self.scheduled:
            optimizer.set_rate()

    @property
    def finite(self) -> bool:
        return all(update.finite for update in self.updates)

    @property
    def skipped(self) -> int:
        """Updates skipped so far."""
        return sum(update.skipped for update in self.updates)

    @contextlib.contextmanager
    def setting(self) -> Iterator[None]:
        """While it lasts, ``optimizer.apply`` inside a step leaves the schedules' rates to this object."""
        paced = list(self.optimizers)
        for optimizer in paced:
            optimizer.paced = True
        try:
            yield
        finally:
            for optimizer in paced:
                optimizer.paced = False


class Run:
    """The batches of a ``fit``, epoch by epoch."""

    def __init__(
        self, model: Trainer, feed: Any, hooks: CallbackList, tickers: list[Any], shuffle: bool, on_nan: str
    ) -> None:
        self.model, self.feed, self.tickers = model, feed, tickers
        self.shuffle, self.on_nan = shuffle, on_nan
        self.compiled = model.compiled("fit")
        self.begin_hooks = hooks.batch_hooks("train", "begin")
        self.end_hooks = hooks.batch_hooks("train", "end")
        # a step of the user's own builds its optimizers when it first runs
        self.watchful = bool(self.begin_hooks or self.end_hooks) or model.writes("train")
        self.pace = Pace(model)
        self.exhausted = False
        self.epoch_number = 0
        self.warned = False
        self.interval = min((t.interval for t in tickers), default=0.0)

    def epoch(self, epoch: int) -> None:
        self.epoch_number = epoch
        self.pace.refresh()
        with self.pace.setting():
            if isinstance(self.feed, Feed):
                self.array_epoch()
            else:
                self.stream_epoch()

    def array_epoch(self) -> None:
        model, feed, pace = self.model, self.feed, self.pace
        index = random.permutation(feed.rows) if self.shuffle else None
        sources, batch, rows = feed.sources, feed.batch, feed.rows
        watchful, tickers, clock = self.watchful, self.tickers, time.perf_counter
        look = 1 if model.device == "cpu" else LOOK_EVERY
        if look > 1 and index is None:
            index = _core.asarray(np.arange(rows))
        due = clock() + self.interval
        full = feed.step(model, "train", batch)
        pace.refresh()
        updates, verified, begin = pace.updates, False, 0
        skipped = pace.skipped if look > 1 else 0
        i = -1
        while i + 1 < feed.steps:
            i += 1
            end = begin + batch
            if look > 1 and verified and i % look == 0 and self._may_run_ahead(full, i + look):
                full.plan.run_steps(sources, index, begin, look)
                i, begin = i + look - 1, begin + look * batch
                if self._skipped_since(skipped, i, sources, index):
                    return
                skipped = pace.skipped
                if tickers and clock() >= due:
                    self._tick(i)
                    due = clock() + self.interval
                continue
            if watchful:
                self._begin(i)
                if pace.moved:
                    full = feed.step(model, "train", batch)
                    pace.refresh()
                    updates = pace.updates
            step = full
            if end > rows:
                end = rows
                step = feed.step(model, "train", end - begin)
            if pace.scheduled:
                pace.set_rates()
            plan = step.plan
            if plan is None:
                outputs = step(sources, index, begin, end)
                if step.reason:
                    self._stays_eager(step)
                if watchful and pace.moved:
                    pace.refresh()
                    updates = pace.updates
            elif verified:
                outputs = plan.run_rows(sources, index, begin, end)
            else:
                verified, outputs = self._verified(step, sources, index, begin, end)
            if step.after is not None:
                step.after(outputs)
            if look == 1:
                for update in updates:
                    if not update.finite:
                        if self._not_finite(i, sources, index, begin, end):
                            return
                        break
            elif (i + 1) % look == 0 or i + 1 == feed.steps:
                if self._skipped_since(skipped, i, sources, index):
                    return
                skipped = pace.skipped
            if watchful and self._end(i):
                return
            if tickers and clock() >= due:
                self._tick(i)
                due = clock() + self.interval
            begin = end
        if not updates:
            self._check_loss()

    def stream_epoch(self) -> None:
        model, feed, pace = self.model, self.feed, self.pace
        done, verified = 0, False
        due = time.perf_counter() + self.interval
        with contextlib.closing(feed.batches(self.shuffle)) as batches:
            for i, (sources, counts) in enumerate(batches):
                rows = sources[0].shape[0]
                self._begin(i)
                step = feed.step(model, "train", sources, counts)
                if pace.moved or not done:
                    pace.refresh()
                pace.set_rates()
                if step.plan is None or verified:
                    outputs = step(sources, None, 0, rows)
                else:
                    verified, outputs = self._verified(step, sources, None, 0, rows)
                if step.reason:
                    self._stays_eager(step)
                if step.after is not None:
                    step.after(outputs)
                done += 1
                if pace.moved:
                    pace.refresh()
                if not pace.finite and self._not_finite(i, sources, None, 0, rows):
                    return
                if self._end(i):
                    return
                if self.tickers and time.perf_counter() >= due:
                    self._tick(i)
                    due = time.perf_counter() + self.interval
        self.exhausted = feed.ended(done)

    # -- between the steps ------------------------------------------------------------------------

    def _begin(self, batch: int) -> None:
        for hook in self.begin_hooks:
            hook(batch, {})
        if self.begin_hooks or self.end_hooks:
            self.pace.schedules()

    def _end(self, batch: int) -> bool:
        """Calls the hooks; is training over?"""
        if self.end_hooks:
            logs = self.compiled.logs(running=True)
            for hook in self.end_hooks:
                hook(batch, logs)
        return self.model.stop_training

    def _tick(self, batch: int) -> None:
        logs = self.compiled.logs(running=True)
        for ticker in self.tickers:
            ticker.tick(batch + 1, logs)

    def _verified(
        self, step: Step, sources: Sequence[Any], index: Any, begin: int, end: int
    ) -> tuple[bool, list[Tensor]]:
        """A replay beside an eager run: were they the same, and what was returned."""
        same, outputs = verify(step, sources, index, begin, end)
        if not same:
            self._mismatch(step)
        return same, outputs

    def _mismatch(self, step: Step) -> None:
        if self.warned:
            return
        self.warned = True
        if step.own:
            registry.warn(f"{type(self.model).__name__}.train_step runs eagerly from now on: a replay of it differed "
                          "from running it, so a Python number or NumPy array that it uses changes from step to step. "
                          "Keep what changes in Tensors, and draw from pylearn.random")  # fmt: skip
        else:
            registry.warn("a recorded step no longer does what the model does: a Python number or NumPy array that it "
                          "uses has changed. It is recorded again, and runs eagerly if that goes on; keep what changes "
                          "in Tensors, and draw from pylearn.random")  # fmt: skip

    def _stays_eager(self, step: Step) -> None:
        reason, step.reason = step.reason, ""
        if self.model.hint("eager"):
            registry.warn(f"the training step runs eagerly, slower but the same: {reason}")

    def _check_loss(self) -> None:
        value = self.compiled.logs(running=True).get("loss", 0.0)
        if self.on_nan == "raise" and not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} in epoch {self.epoch_number + 1}")

    def _may_run_ahead(self, step: Step, last: int) -> bool:
        """May all steps up to the ``last`` run at once: does nobody look at them in between?"""
        return (
            step.plan is not None
            and step.after is None
            and not self.watchful
            and not self.pace.scheduled
            and last * self.feed.batch <= self.feed.rows
            and last <= self.feed.steps
        )

    def _skipped_since(self, before: int, last: int, sources: Sequence[Any], index: Any) -> bool:
        """On a GPU: was an update skipped in the steps since the last look, up to this one, and is training over?

        The step is found by its loss; the last one if none stands out.
        """
        for _, step in self.model.fresh_steps():
            if step.plan is not None:
                step.plan.check()
        if self.pace.skipped == before:
            return False
        size, rows = self.feed.batch, self.feed.rows
        for batch in range(last // LOOK_EVERY * LOOK_EVERY, last + 1):
            begin, end = batch * size, min((batch + 1) * size, rows)
            step = self.feed.step(self.model, "train", end - begin)
            found = step.loss is not None and not math.isfinite(
                float(step.loss(step.gather(sources, index, begin, end)))
            )
            if found or batch == last:
                return self._not_finite(batch, sources, index, begin, end)
        return False

    def _not_finite(self, batch: int, sources: Sequence[Any], index: Any, begin: int, end: int) -> bool:
        """Is training over?"""
        if self.on_nan == "ignore":
            return False
        if self.on_nan == "stop":
            self.model.stop_training = True
            return True
        raise not_finite(self.model, self.feed, sources, index, begin, end,
                         f"epoch {self.epoch_number + 1}, batch {batch + 1}")  # fmt: skip


def not_finite(
    model: Trainer, feed: Any, sources: Sequence[Any], index: Any, begin: int, end: int, place: str
) -> FloatingPointError:
    """Runs the batch again to say where it went wrong. The update was skipped, so the weights are those before it."""
    step = feed.step(model, "train", end - begin) if isinstance(feed, Feed) else feed.step(
        model, "train", sources, feed.counts)  # fmt: skip
    batch = step.gather(sources, index, begin, end)
    run: Callable[[], Any] = (
        _own(step, batch) if step.own else _forward_and_backward(model, feed.counts, batch)
    )
    rows = feed.rows_of(index, begin, end)
    with np.errstate(all="ignore"):
        reason = nonfinite.explain(model, batch, rows, feed.names, run)
    return FloatingPointError(
        f"training is no longer finite in {place}: {reason}. This update was skipped; model.history has the epochs "
        "before. fit(on_nan='stop') ends training quietly instead"
    )


def _own(step: Step, batch: list[Any]) -> Callable[[], Any]:
    def run() -> Any:
        step.function(batch)  # what is not finite is skipped again
        return [], []

    return run


def _forward_and_backward(
    model: Trainer, counts: tuple[int, int, int], batch: list[Any]
) -> Callable[[], Any]:
    compiled, optimizer = model.compiled("fit"), model.ready_optimizer()
    nx, ny, _ = counts

    def run() -> Any:
        x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
        with _core.grad_scope():
            predicted, masks, penalties = model.run_collecting(x, True)
            total, _ = compiled.loss_of(y, predicted, w, masks, penalties)
        weights = optimizer.weights if optimizer is not None else []
        grads = _core.gradients(total, weights) if weights else []
        values = []
        for i, objective in enumerate(compiled.outputs or []):
            if objective.loss is not None:
                values.append(objective.loss.call(y[i], predicted[i]))
        return values, [(w.name or "weight", g) for w, g in zip(weights, grads, strict=True)]

    return run
