"""What the loop calls while it runs: the hooks, the list that calls them, and the record of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from pylearn import plots

Logs = dict[str, Any]


class Callback:
    """Base class: write the hooks you need. ``self.model`` and ``self.params`` are set before training.

    ``logs`` holds the loss and the metrics so far. The batch hooks cost a reading of the metrics each batch; they
    are called only when a callback writes them.
    """

    model: Any = None
    params: dict[str, Any] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch; logs of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of ``on_train_batch_begin``."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of ``on_train_batch_end``."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation, validation included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a prediction; ``logs["outputs"]`` holds it."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def writes(callback: Any, hook: str) -> bool:
    """Does the callback do something in this hook?"""
    method = getattr(callback, hook, None)
    if method is None:
        return False
    return getattr(method, "__func__", method) is not getattr(Callback, hook)


class CallbackList:
    """Calls a hook of every callback in turn. Any object with some of the hooks will do as a callback."""

    def __init__(
        self, callbacks: Any = None, model: Any = None, params: dict[str, Any] | None = None
    ) -> None:
        if callbacks is None:
            items: list[Any] = []
        elif isinstance(callbacks, (CallbackList, Iterable)) and not isinstance(callbacks, (str, dict)):
            items = list(callbacks)
        else:
            items = [callbacks]
        for item in items:
            if isinstance(item, type):
                raise TypeError(
                    f"callbacks takes objects, got the class {item.__name__}: write {item.__name__}()"
                )
            if not isinstance(item, Callback) and not any(hasattr(item, hook) for hook in HOOKS):
                raise TypeError(
                    f"callbacks takes objects with hooks such as on_epoch_end, got {item!r}; a function goes into "
                    "LambdaCallback(on_epoch_end=…)"
                )
        self.callbacks = items
        if params is not None:
            self.set_params(params)
        if model is not None:
            self.set_model(model)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.callbacks)

    def __len__(self) -> int:
        return len(self.callbacks)

    def append(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self._call("set_params", params)

    def set_model(self, model: Any) -> None:
        self._call("set_model", model)

    def batch_hooks(self, kind: str, when: str) -> list[Any]:
        """The hooks that callbacks write for the ``when`` ("begin", "end") of each batch of ``kind``."""
        name = f"on_{kind}_batch_{when}"
        names = [name, f"on_batch_{when}"] if kind == "train" else [name]
        return [
            getattr(callback, name, None) or getattr(callback, names[-1])
            for callback in self.callbacks
            if any(writes(callback, n) for n in names)
        ]

    def _call(self, hook: str, *args: Any) -> None:
        for callback in self.callbacks:
            method = getattr(callback, hook, None)
            if method is not None:
                method(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_") and hasattr(Callback, name):
            return lambda *args: self._call(name, *args)
        raise AttributeError(name)


class History(Callback):
    """The record of a run: ``history`` maps each name to one value per epoch, ``epoch`` lists the epochs."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Curves of the run, written to ``path`` when given; returns matplotlib's Figure.

        Raises:
            ImportError: matplotlib is absent.
        """
        return plots.history(self, path)

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history)}>"
