"""Evaluating and predicting: the loops without updates, and single batches."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import registry
from pylearn.training import data
from pylearn.training.feed import (
    Feed,
    StreamFeed,
    ahead_of,
    feed_of,
    form_of,
    prepare,
    source,
    step_for,
    whole,
)
from pylearn.training.hooks import CallbackList, Logs
from pylearn.training.nonfinite import bad_row
from pylearn.training.progress import ProgressBar
from pylearn.training.step import Step

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

PREDICT_BATCH = 256  # rows at a time in predict, when batch_size is not given


def evaluate(
    model: Trainer, x: Any, y: Any, batch_size: int | None, verbose: Any, sample_weight: Any, steps: int | None,
    hooks: CallbackList, ahead: int,
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
            return evaluate_feed(model, StreamFeed(model, data.Stream(x, steps), None, ahead), hooks, bar)
        arrays = prepare(model, x, y, sample_weight, None)
        return evaluate_feed(model, feed_of(model, arrays, batch_size, steps, ahead), hooks, bar)
    finally:
        if bar is not None:
            bar.close()


def evaluate_feed(model: Trainer, feed: Any, hooks: CallbackList, bar: ProgressBar | None = None) -> Logs:
    """Loss and metrics over the batches of any feed."""
    compiled = model.compiled("evaluate")
    compiled.reset()
    hooks.on_test_begin({})
    begin_hooks, end_hooks = hooks.batch_hooks("test", "begin"), hooks.batch_hooks("test", "end")
    if bar is not None:
        bar.begin("Evaluate", feed.steps)
    due = time.perf_counter()
    done = 0
    with contextlib.closing(_test_batches(model, feed)) as batches:
        for step, sources, begin, end in batches:
            if not done:
                compiled.reset()  # the first batch of a generator makes the metrics
            for hook in begin_hooks:
                hook(done, {})
            outputs = step(sources, None, begin, end)
            if step.after is not None:
                step.after(outputs)
            if end_hooks:
                logs = compiled.logs("test", running=True)
                for hook in end_hooks:
                    hook(done, logs)
            done += 1
            if bar is not None and time.perf_counter() >= due:
                bar.tick(done, {})
                due = time.perf_counter() + bar.interval
    if not done:
        raise ValueError("x is empty: the generator yielded no batch")
    logs = compiled.logs("test")
    if not math.isfinite(logs.get("loss", 0.0)) and model.hint("not finite"):
        registry.warn(f"the loss of this evaluation is {logs['loss']:g}{_first_bad(feed)}")
    if bar is not None:
        bar.end("Evaluate", done, logs)
    hooks.on_test_end(logs)
    return logs


def _first_bad(feed: Any) -> str:
    """Which array has values that are not finite, and in which row; of arrays in memory."""
    for name, array in zip(feed.names, feed.sources if isinstance(feed, Feed) else [], strict=False):
        row = bad_row(array)
        if row is not None:
            return f": {name} is not finite in row {row}"
    return ""


def _test_batches(model: Trainer, feed: Any) -> Generator[tuple[Step, Sequence[Any], int, int]]:
    if isinstance(feed, Feed):
        for i in range(feed.steps):
            begin, end = i * feed.batch, min((i + 1) * feed.batch, feed.rows)
            yield feed.step(model, "test", end - begin), feed.sources, begin, end
        return
    with contextlib.closing(feed.batches()) as batches:
        for sources, counts in batches:
            yield feed.step(model, "test", sources, counts), sources, 0, sources[0].shape[0]


def predict(
    model: Trainer, x: Any, batch_size: int | None, verbose: Any, steps: int | None, hooks: CallbackList,
    ahead: int = 0,
) -> Any:  # fmt: skip
    if data.is_stream(x):
        parts = []
        with ahead_of(iter(data.Stream(x, steps)), ahead) as batches:
            for batch, _, _ in batches:
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
    mapped = any(data.on_disk(a) for a in arrays)
    sources = list(arrays) if mapped else [source(a) for a in arrays]
    sparse = any(data.is_sparse(s) for s in sources)
    form = () if mapped else form_of(sources)
    counts = (len(sources), 0, 0)
    batch = min(PREDICT_BATCH if batch_size is None else whole("batch_size", batch_size), max(rows, 1))
    hooks.on_predict_begin({})
    begin_hooks, end_hooks = hooks.batch_hooks("predict", "begin"), hooks.batch_hooks("predict", "end")
    total = max(1, math.ceil(rows / batch))
    if steps is not None:
        total = min(total, whole("steps", steps))
    if bar is not None:
        bar.begin("Predict", total)
    outputs: list[np.ndarray] = []
    for i in range(total):
        begin, end = i * batch, min((i + 1) * batch, rows)
        for hook in begin_hooks:
            hook(i, {})
        rows_of = sources
        if mapped:  # only these rows are read
            rows_of = [source(data.native(np.array(a[begin:end]))) for a in sources]
            begin, end, form = 0, end - begin, form_of(rows_of)
        step = step_for(model, "predict", counts, form, end - begin, sparse)
        if step.plan is not None:  # copies the results before another thread can run the same recording
            found = step.plan.run([s[begin:end] for s in rows_of])
        else:
            found = step(rows_of, None, begin, end)
        if step.reason and "eager" not in model._hinted:
            step.reason = ""
        if total == 1:
            outputs = [np.array(t.numpy()) for t in found]
            if (
                step.plan is not None
                and len(sources) == 1
                and not mapped
                and len(found) == 1
                and _is_fast(x, sources, model)
            ):
                model._fast[(x.shape, x.dtype.char, batch_size)] = step.plan
        else:
            if not outputs:
                outputs = [np.empty((min(total * batch, rows), *t.shape[1:]), t.dtype) for t in found]
            for out, t in zip(outputs, found, strict=True):
                out[i * batch : i * batch + end - begin] = t.numpy()
        if end_hooks:
            logs = {"outputs": model.pack_outputs([np.array(t.numpy()) for t in found])}
            for hook in end_hooks:
                hook(i, logs)
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
