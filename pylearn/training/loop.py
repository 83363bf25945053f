"""The loop over epochs and batches.

Per step it feeds a batch and replays; everything that needs Python (hooks, drawing, reading metrics) happens at
epoch ends, at most ten times a second, or when a callback asks for every batch.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import _core, random, registry
from pylearn.training import data, diagnose
from pylearn.training.feed import Feed, StreamFeed, prepare
from pylearn.training.hooks import CallbackList, History, Logs
from pylearn.training.inference import evaluate_feed, evaluate_stream
from pylearn.training.progress import ProgressBar
from pylearn.training.step import Step, verify

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

ON_NAN = ("raise", "stop", "ignore")


def unknown_argument(name: str, function: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Raises TypeError naming the closest argument."""
    known = [p for p in inspect.signature(function).parameters if p not in ("self", "kwargs")]
    registry.reject_names(f"{name}()", kwargs, known)


def fit(
    model: Trainer, x: Any, y: Any, *, batch_size: int | None, epochs: int, verbose: Any, callbacks: Any,
    validation_split: float, validation_data: Any, shuffle: bool, class_weight: Any, sample_weight: Any,
    initial_epoch: int, steps_per_epoch: int | None, validation_steps: int | None,
    validation_batch_size: int | None, validation_freq: Any, stratify: bool, on_nan: str,
) -> History:  # fmt: skip
    compiled = model.compiled("fit")
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 0:
        raise ValueError(f"epochs must be a whole number ≥ 0, got {epochs!r}")
    if on_nan not in ON_NAN:
        raise ValueError(f"on_nan must be one of {ON_NAN}, got {on_nan!r}")
    if stratify and not validation_split:
        raise ValueError("stratify=True needs validation_split")
    streaming = data.is_stream(x)
    validation: Callable[[CallbackList], Logs] | None = None
    if streaming:
        for name, value in (
            ("y", y),
            ("sample_weight", sample_weight),
            ("validation_split", validation_split),
        ):
            if value is not None and not (name == "validation_split" and not value):
                raise ValueError(
                    f"{name} cannot be given with a generator: it yields (x, y) or (x, y, sample_weight)"
                )
        feed: Any = StreamFeed(model, data.Stream(x, steps_per_epoch), class_weight)
        if feed.stream.once and steps_per_epoch is None and epochs - initial_epoch > 1:
            registry.warn("x is an iterator without steps_per_epoch: the first epoch uses it up")
    else:
        arrays = prepare(model, x, y, sample_weight, class_weight)
        if validation_split and validation_data is None:
            arrays, held_out = data.split(arrays, validation_split, stratify)
            validation = _validator(model, held_out, validation_batch_size or batch_size, validation_steps)
        feed = Feed(model, arrays, batch_size, steps_per_epoch)
    if validation_data is not None:
        validation = _validation(
            model, validation_data, validation_batch_size or batch_size, validation_steps
        )

    for callback in CallbackList(callbacks):
        if hasattr(callback, "set_validation_data"):
            if validation_data is not None and not data.is_stream(validation_data):
                callback.set_validation_data(*tuple(validation_data)[:2])
            elif validation is not None:
                callback.set_validation_data(held_out.x[0], held_out.y[0])

    history = History()
    bar = ProgressBar(verbose)
    hooks = CallbackList(callbacks)
    hooks.callbacks = [*hooks.callbacks, history, *([bar] if verbose != 0 else [])]
    if any(getattr(callback, "stops_on_nan", False) for callback in hooks):
        on_nan = "stop" if on_nan == "raise" else on_nan
    hooks.set_params({"epochs": int(epochs), "steps": feed.steps, "verbose": verbose})
    hooks.set_model(model)
    model.history, model.stop_training = history, False
    _restore_random_state(model)
    run = Run(model, feed, hooks, [c for c in hooks if hasattr(c, "tick")], shuffle, on_nan)
    logs: Logs = {}
    try:
        hooks.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            compiled.reset()
            hooks.on_epoch_begin(epoch, {})
            run.epoch(epoch)
            logs = compiled.logs()
            if validation is not None and _due(validation_freq, epoch):
                logs = {**logs, **{f"val_{key}": value for key, value in validation(hooks).items()}}
            hooks.on_epoch_end(epoch, logs)
            if model.stop_training or run.exhausted:
                break
        if compiled.optimizer.use_ema:
            compiled.optimizer.finalize_variable_values()
        hooks.on_train_end(logs)
    finally:
        bar.close()
    return history


def _due(frequency: Any, epoch: int) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else (epoch + 1) in frequency


def _restore_random_state(model: Trainer) -> None:
    """A loaded model goes on with the random numbers where it was saved, unless the caller has seeded since."""
    saved = getattr(model, "_random_state", None)
    if saved is None:
        return
    model._random_state = None
    state, at_load = saved
    now = random.default_generator().state()
    if now[0] == at_load[0] and now[1] >= at_load[1]:
        random.default_generator().set_state(tuple(state))


def _validation(
    model: Trainer, given: Any, batch_size: int | None, steps: int | None
) -> Callable[[CallbackList], Logs]:
    if data.is_stream(given):
        stream = data.Stream(given, steps)
        return lambda hooks: evaluate_stream(model, StreamFeed(model, stream, None), hooks)
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation_data must be (x, y), (x, y, sample_weight) or a generator")
    x, y, weight = (*given, None)[:3]
    return _validator(model, prepare(model, x, y, weight, None, "validation "), batch_size, steps)


def _validator(
    model: Trainer, arrays: data.Arrays, batch_size: int | None, steps: int | None
) -> Callable[[CallbackList], Logs]:
    feed = Feed(model, arrays, batch_size, steps)
    return lambda hooks: evaluate_feed(model, feed, hooks)


class Run:
    """The batches of a ``fit``."""

    def __init__(
        self, model: Trainer, feed: Any, hooks: CallbackList, tickers: list[Any], shuffle: bool, on_nan: str
    ) -> None:
        self.model, self.feed, self.hooks, self.tickers = model, feed, hooks, tickers
        self.shuffle, self.on_nan = shuffle, on_nan
        self.compiled = model.compiled("fit")
        self.every_batch = hooks.batch_hooks("train")
        self.exhausted = False
        self.epoch_number = 0
        self.warned = False

    def epoch(self, epoch: int) -> None:
        self.epoch_number = epoch
        if isinstance(self.feed, StreamFeed):
            self.stream_epoch()
        else:
            self.array_epoch()

    def array_epoch(self) -> None:
        model, feed = self.model, self.feed
        optimizer = model.ready_optimizer()
        updates = list(optimizer._updates) if optimizer is not None else []
        schedule = optimizer is not None and optimizer.schedule is not None
        index = random.permutation(feed.rows) if self.shuffle else None
        sources, batch, rows = feed.sources, feed.batch, feed.rows
        every_batch, tickers, clock = self.every_batch, self.tickers, time.perf_counter
        interval = min((t.interval for t in tickers), default=0.0)
        due = clock() + interval
        full = feed.step(model, "train", batch)
        verified = False
        begin = 0
        for i in range(feed.steps):
            end = begin + batch
            step = full
            if end > rows:
                end = rows
                step = feed.step(model, "train", end - begin)
            if every_batch:
                self.hooks.on_train_batch_begin(i, {})
                optimizer, changed = self._current(optimizer)
                if changed:
                    updates = list(optimizer._updates) if optimizer is not None else []
                    full = feed.step(model, "train", batch)
                    step = full if end - begin == batch else feed.step(model, "train", end - begin)
                schedule = optimizer is not None and optimizer.schedule is not None
            if schedule and optimizer is not None:
                optimizer.set_rate()
            plan = step.plan
            if plan is None:
                step(sources, index, begin, end)
                if step.reason:
                    self._stays_eager(step)
            elif verified:
                plan.run_rows(sources, index, begin, end)
            else:
                verified = True
                if not verify(step, sources, index, begin, end):
                    self._mismatch()
            for update in updates:
                if not update.finite:
                    if self._not_finite(i, sources, index, begin, end):
                        return
                    break
            if every_batch:
                self.hooks.on_train_batch_end(i, self.compiled.logs())
                if model.stop_training:
                    return
            if tickers and clock() >= due:
                logs = self.compiled.logs()
                for ticker in tickers:
                    ticker.tick(i + 1, logs)
                due = clock() + interval
            begin = end
        if not updates:
            self._check_loss(feed.steps - 1)

    def _current(self, optimizer: Any) -> tuple[Any, bool]:
        """The optimizer, built anew when a hook has changed what trains."""
        model = self.model
        before = model._stamp
        optimizer = model.ready_optimizer()
        model.fresh_steps()
        return optimizer, model._stamp != before

    def stream_epoch(self) -> None:
        model, feed = self.model, self.feed
        done = 0
        interval = min((t.interval for t in self.tickers), default=0.0)
        due = time.perf_counter() + interval
        for i, (sources, counts) in enumerate(feed):
            rows = sources[0].shape[0]
            optimizer = model.ready_optimizer()
            if self.every_batch:
                self.hooks.on_train_batch_begin(i, {})
            if optimizer is not None:
                optimizer.set_rate()
            step = feed.step(model, "train", sources, counts)
            step(sources, None, 0, rows)
            if step.reason:
                self._stays_eager(step)
            done += 1
            finite = optimizer is None or all(u.finite for u in optimizer._updates)
            if not finite and self._not_finite(i, sources, None, 0, rows):
                return
            if self.every_batch:
                self.hooks.on_train_batch_end(i, self.compiled.logs())
            if model.stop_training:
                return
            if self.tickers and time.perf_counter() >= due:
                logs = self.compiled.logs()
                for ticker in self.tickers:
                    ticker.tick(i + 1, logs)
                due = time.perf_counter() + interval
        if done == 0:
            if self.compiled.outputs is None or not self.feed.seen:
                raise ValueError("x is empty: the generator yielded no batch")
            self.exhausted = True
        elif feed.stream.once and feed.stream.steps is not None and done < feed.stream.steps:
            self.exhausted = True
            registry.warn(f"the generator ended after {done} of {feed.stream.steps} batches; training stops")
        elif feed.stream.once and feed.stream.steps is None:
            self.exhausted = True

    def _mismatch(self) -> None:
        if not self.warned:
            self.warned = True
            registry.warn("a recorded step no longer does what the model does (a Python number it uses has changed); "
                          "it is recorded again each time this is found. Use compile(run_eagerly=True) if numbers "
                          "change within an epoch")  # fmt: skip

    def _stays_eager(self, step: Step) -> None:
        reason, step.reason = step.reason, ""
        if "eager" not in self.model._hinted:
            self.model._hinted.add("eager")
            registry.warn(f"the training step runs eagerly, slower but the same: {reason}")

    def _check_loss(self, batch: int) -> None:
        value = self.compiled.tracker.result()
        if self.on_nan == "raise" and not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} in epoch {self.epoch_number + 1}")

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
    compiled, optimizer = model.compiled("fit"), model.ready_optimizer()
    step = model.train_step(feed.counts, end - begin)
    batch = step.gather(sources, index, begin, end)
    nx, ny, _ = feed.counts

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

    rows: Any = None
    if not isinstance(feed, StreamFeed):
        rows = np.arange(begin, end) if index is None else index.numpy()[begin:end]
    with np.errstate(all="ignore"):
        reason = diagnose.explain(model, batch, rows, feed.names, run)
    return FloatingPointError(
        f"training is no longer finite in {place}: {reason}. This update was skipped; model.history has the epochs "
        "before. fit(on_nan='stop') ends training quietly instead"
    )


def on_batch(
    model: Trainer, kind: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
) -> Any:
    compiled = model.compiled(f"{kind}_on_batch")
    feed = Feed(model, prepare(model, x, y, sample_weight, class_weight), 1 << 62, None)
    _restore_random_state(model)
    compiled.reset()
    optimizer = model.ready_optimizer() if kind == "train" else None
    if optimizer is not None:
        optimizer.set_rate()
    step = feed.step(model, kind, feed.rows)
    step(feed.sources, None, 0, feed.rows)
    if optimizer is not None and not all(u.finite for u in optimizer._updates):
        raise not_finite(model, feed, feed.sources, None, 0, feed.rows, "this batch")
    logs = compiled.logs()
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
