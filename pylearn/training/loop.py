"""The loop over epochs: data in, validation, callbacks. The batches are in ``run.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import random, registry
from pylearn.training import data, findings
from pylearn.training.feed import Feed, StreamFeed, feed_of, prepare, whole
from pylearn.training.hooks import CallbackList, History, Logs
from pylearn.training.inference import evaluate_feed
from pylearn.training.progress import ProgressBar
from pylearn.training.run import Pace, Run, not_finite

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
    validation_batch_size: int | None, validation_freq: Any, stratify: bool, on_nan: str, max_queue_size: int,
) -> History:  # fmt: skip
    compiled = model.compiled("fit")
    for name, number in (
        ("epochs", epochs),
        ("initial_epoch", initial_epoch),
        ("max_queue_size", max_queue_size),
    ):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 0:
            raise ValueError(f"{name} must be a whole number ≥ 0, got {number!r}")
    if isinstance(validation_freq, (int, float, str)):
        whole("validation_freq", validation_freq)
    if not isinstance(shuffle, (bool, np.bool_)) and shuffle not in (0, 1, None):
        raise ValueError(f"shuffle must be True or False, got {shuffle!r}")
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
        feed: Any = StreamFeed(model, data.Stream(x, steps_per_epoch), class_weight, max_queue_size)
        if feed.stream.once and steps_per_epoch is None and epochs - initial_epoch > 1:
            registry.warn("x is an iterator without steps_per_epoch: the first epoch uses it up")
    else:
        arrays = prepare(model, x, y, sample_weight, class_weight)
        _warn_of_heads(model, arrays)
        if validation_split and validation_data is None:
            arrays, held_out = data.split(arrays, validation_split, stratify)
            validation = _validator(model, held_out, validation_batch_size or batch_size, validation_steps,
                                    max_queue_size)  # fmt: skip
        feed = feed_of(model, arrays, batch_size, steps_per_epoch, max_queue_size)
    if validation_data is not None:
        validation = _validation(
            model, validation_data, validation_batch_size or batch_size, validation_steps, max_queue_size
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
    model.history, model.stop_training, model._resume_at = history, False, 0
    _restore_random_state(model)
    run = Run(model, feed, hooks, [c for c in hooks if hasattr(c, "tick")], shuffle, on_nan)
    logs: Logs = {}
    try:
        hooks.on_train_begin()
        for epoch in range(max(initial_epoch, model._resume_at), epochs):
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


def _warn_of_heads(model: Trainer, arrays: data.Arrays) -> None:
    """Once for each ``compile``: a cross-entropy that is not given what it takes."""
    if model.hint("head"):
        for finding in findings.heads(model, arrays, probabilities=True):
            registry.warn(finding.sentence)


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
    model: Trainer, given: Any, batch_size: int | None, steps: int | None, ahead: int
) -> Callable[[CallbackList], Logs]:
    if data.is_stream(given):
        stream = data.Stream(given, steps)
        return lambda hooks: evaluate_feed(model, StreamFeed(model, stream, None, ahead), hooks)
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation_data must be (x, y), (x, y, sample_weight) or a generator")
    x, y, weight = (*given, None)[:3]
    return _validator(model, prepare(model, x, y, weight, None, "validation "), batch_size, steps, ahead)


def _validator(
    model: Trainer, arrays: data.Arrays, batch_size: int | None, steps: int | None, ahead: int
) -> Callable[[CallbackList], Logs]:
    feed = feed_of(model, arrays, batch_size, steps, ahead)
    return lambda hooks: evaluate_feed(model, feed, hooks)


def on_batch(
    model: Trainer, kind: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
) -> Any:
    compiled = model.compiled(f"{kind}_on_batch")
    feed = Feed(model, prepare(model, x, y, sample_weight, class_weight), 1 << 62, None)
    _restore_random_state(model)
    compiled.reset()
    step = feed.step(model, kind, feed.rows)
    if kind == "test":
        outputs = step(feed.sources, None, 0, feed.rows)
    else:
        pace = Pace(model)
        pace.set_rates()
        with pace.setting():
            outputs = step(feed.sources, None, 0, feed.rows)
        pace.refresh()  # a step of the user's own builds its optimizers when it first runs
        if not pace.finite:
            raise not_finite(model, feed, feed.sources, None, 0, feed.rows, "this batch")
    if step.after is not None:
        step.after(outputs)
    logs = compiled.logs(kind)
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
