"""Evaluating and predicting: the loops without updates, and single batches."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn.training import data
from pylearn.training.feed import Feed, StreamFeed, prepare, source, step_for, whole
from pylearn.training.hooks import CallbackList, Logs
from pylearn.training.progress import ProgressBar

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

PREDICT_BATCH = 256  # rows at a time in predict, when batch_size is not given


def evaluate(
    model: Trainer, x: Any, y: Any, batch_size: int | None, verbose: Any, sample_weight: Any, steps: int | None,
    hooks: CallbackList,
) -> Logs:  # fmt: skip
    model.compiled("evaluate")
    hooks.set_model(model)
    bar = ProgressBar(verbose) if verbose != 0 else None
    try:
        if data.is_stream(x):
            if y is not None:
                raise ValueError(
                    "y cannot be given with a generator: it yields (x, y) or (x, y, sample_weight)"
                )
            return evaluate_stream(model, StreamFeed(model, data.Stream(x, steps), None), hooks, bar)
        feed = Feed(model, prepare(model, x, y, sample_weight, None), batch_size, steps)
        return evaluate_feed(model, feed, hooks, bar)
    finally:
        if bar is not None:
            bar.close()


def evaluate_feed(model: Trainer, feed: Feed, hooks: CallbackList, bar: ProgressBar | None = None) -> Logs:
    compiled = model.compiled("evaluate")
    compiled.reset()
    hooks.on_test_begin({})
    every_batch = hooks.batch_hooks("test")
    if bar is not None:
        bar.begin("Evaluate", feed.steps)
    due = time.perf_counter()
    begin = 0
    for i in range(feed.steps):
        end = min(begin + feed.batch, feed.rows)
        if every_batch:
            hooks.on_test_batch_begin(i, {})
        feed.step(model, "test", end - begin)(feed.sources, None, begin, end)
        if every_batch:
            hooks.on_test_batch_end(i, compiled.logs())
        if bar is not None and time.perf_counter() >= due:
            bar.tick(i + 1, {})
            due = time.perf_counter() + bar.interval
        begin = end
    logs = compiled.logs()
    if bar is not None:
        bar.end("Evaluate", feed.steps, logs)
    hooks.on_test_end(logs)
    return logs


def evaluate_stream(
    model: Trainer, feed: StreamFeed, hooks: CallbackList, bar: ProgressBar | None = None
) -> Logs:
    compiled = model.compiled("evaluate")
    hooks.on_test_begin({})
    every_batch = hooks.batch_hooks("test")
    if bar is not None:
        bar.begin("Evaluate", feed.stream.steps)
    done = 0
    for i, (sources, counts) in enumerate(feed):
        if i == 0:
            compiled.reset()
        if every_batch:
            hooks.on_test_batch_begin(i, {})
        feed.step(model, "test", sources, counts)(sources, None, 0, sources[0].shape[0])
        done += 1
        if every_batch:
            hooks.on_test_batch_end(i, compiled.logs())
    if not done:
        raise ValueError("x is empty: the generator yielded no batch")
    logs = compiled.logs()
    if bar is not None:
        bar.end("Evaluate", done, logs)
    hooks.on_test_end(logs)
    return logs


def predict(
    model: Trainer, x: Any, batch_size: int | None, verbose: Any, steps: int | None, hooks: CallbackList
) -> Any:
    if data.is_stream(x):
        parts = []
        for batch, _, _ in data.Stream(x, steps):
            parts.append(_predict_arrays(model, batch, None, hooks))
        if not parts:
            raise ValueError("x is empty: the generator yielded no batch")
        return model.pack_outputs([np.concatenate(columns) for columns in zip(*parts, strict=True)])
    hooks.set_model(model)
    bar = ProgressBar(verbose) if verbose not in (0, "auto") else None
    flat = _predict_arrays(model, x, batch_size, hooks, steps, bar)
    return model.pack_outputs(flat)


def _predict_arrays(
    model: Trainer, x: Any, batch_size: int | None, hooks: CallbackList, steps: int | None = None,
    bar: ProgressBar | None = None,
) -> list[np.ndarray]:  # fmt: skip
    arrays = data.inputs(x, model.input_places())
    model.build_for(x, arrays)
    arrays = data.inputs(x, model.input_places())
    rows = int(arrays[0].shape[0])
    for i, item in enumerate(arrays):
        if item.shape[0] != rows:
            places = model.input_places() or [data.Place(str(k)) for k in range(len(arrays))]
            raise ValueError(
                f"{data.label('x', places, 0)} has {rows} rows, {data.label('x', places, i)} {item.shape[0]}"
            )
    sources = [source(a) for a in arrays]
    sparse = any(data.is_sparse(s) for s in sources)
    form = tuple((*s.shape[1:], s.dtype.char) if not data.is_sparse(s) else "csr" for s in sources)
    counts = (len(sources), 0, 0)
    batch = min(PREDICT_BATCH if batch_size is None else whole("batch_size", batch_size), max(rows, 1))
    hooks.on_predict_begin({})
    every_batch = hooks.batch_hooks("predict")
    total = max(1, math.ceil(rows / batch))
    if steps is not None:
        total = min(total, whole("steps", steps))
    if bar is not None:
        bar.begin("Predict", total)
    outputs: list[np.ndarray] = []
    for i in range(total):
        begin, end = i * batch, min((i + 1) * batch, rows)
        if every_batch:
            hooks.on_predict_batch_begin(i, {})
        step = step_for(model, "predict", counts, form, end - begin, sparse)
        if step.plan is not None:  # copies the results before another thread can run the same recording
            found = step.plan.run([s[begin:end] for s in sources])
        else:
            found = step(sources, None, begin, end)
        if step.reason and "eager" not in model._hinted:
            step.reason = ""
        if total == 1:
            outputs = [np.array(t.numpy()) for t in found]
            if (
                step.plan is not None
                and len(sources) == 1
                and len(found) == 1
                and _is_fast(x, sources, model)
            ):
                model._fast[(x.shape, x.dtype.char, batch_size)] = step.plan
        else:
            if not outputs:
                outputs = [np.empty((min(total * batch, rows), *t.shape[1:]), t.dtype) for t in found]
            for out, t in zip(outputs, found, strict=True):
                out[begin:end] = t.numpy()
        if every_batch:
            hooks.on_predict_batch_end(
                i, {"outputs": model.pack_outputs([np.array(t.numpy()) for t in found])}
            )
        if bar is not None:
            bar.tick(i + 1, {})
    if bar is not None:
        bar.end("Predict", total, {})
    hooks.on_predict_end({})
    return outputs


def _is_fast(x: Any, sources: Sequence[Any], model: Trainer) -> bool:
    """Can this very array go straight into the recorded step next time?"""
    with contextlib.suppress(AttributeError):
        return type(x) is np.ndarray and x.shape == tuple(sources[0].shape) and x.dtype == sources[0].dtype and (
            not isinstance(model.pack_outputs([None]), (list, tuple, dict)))  # fmt: skip
    return False
