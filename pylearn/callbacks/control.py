"""Callbacks that steer training: stop, save, change the learning rate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import registry
from pylearn.training import Callback
from pylearn.training.hooks import Logs

_MODES = ("auto", "min", "max")
_GROWING = ("acc", "accuracy", "auc", "precision", "recall", "r2", "f1", "fmeasure", "iou", "dice")


def grows(monitor: str, mode: str, owner: str) -> bool:
    """Is more better? ``"auto"`` goes by the name.

    Raises:
        ValueError: another mode.
    """
    if mode not in _MODES:
        raise ValueError(f"{owner}: mode must be one of {_MODES}, got {mode!r}")
    if mode != "auto":
        return mode == "max"
    name = monitor.removeprefix("val_").lower()
    return any(name == word or name.endswith("_" + word) or word in name for word in _GROWING)


def epochs(owner: str, patience: Any) -> int:
    """``patience`` as a number of epochs.

    Raises:
        ValueError: not a whole number ≥ 0.
    """
    if isinstance(patience, bool) or not isinstance(patience, (int, np.integer)) or patience < 0:
        raise ValueError(f"{owner}: patience must be a whole number ≥ 0, got {patience!r}")
    return int(patience)


class _Monitor(Callback):
    """What callbacks that watch one value share."""

    def __init__(self, monitor: str, mode: str, **kwargs: Any) -> None:
        registry.reject(self, kwargs)
        self.monitor = monitor
        self.mode = mode
        self._grows = grows(monitor, mode, type(self).__name__)
        self._warned = False

    def _value(self, logs: Logs | None) -> float | None:
        value = (logs or {}).get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            registry.warn(f"{type(self).__name__} watches {self.monitor!r}, which is not among "
                          f"{', '.join(logs or {}) or 'the logs'}")  # fmt: skip
        return None if value is None else float(value)

    def _better(self, value: float, than: float, delta: float = 0.0) -> bool:
        return value - delta > than if self._grows else value + delta < than

    @property
    def _worst(self) -> float:
        return -math.inf if self._grows else math.inf


class EarlyStopping(_Monitor):
    """Stops when a value has not improved for ``patience`` epochs.

    Args:
        monitor: name in the logs.
        min_delta: a smaller change is no improvement.
        patience: epochs without improvement before stopping.
        verbose: 1 says when it stops.
        mode: "min", "max", or "auto" by the name.
        baseline: value to improve on first.
        restore_best_weights: put the weights of the best epoch back at the end, bit for bit.
        start_from_epoch: epochs before watching begins.

    >>> EarlyStopping("val_loss", patience=3, restore_best_weights=True).patience
    3
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0, verbose: int = 0,
        mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
        start_from_epoch: int = 0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode, **kwargs)
        self.min_delta, self.verbose = abs(float(min_delta)), verbose
        self.patience = epochs("EarlyStopping", patience)
        self.baseline, self.restore_best_weights = baseline, restore_best_weights
        self.start_from_epoch = int(start_from_epoch)
        self.best, self.best_epoch, self.stopped_epoch, self.wait = self._worst, 0, 0, 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best, self.best_weights = self._worst, None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._better(value, self.best, self.min_delta):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(value, self.baseline, self.min_delta):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of epoch {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model while it trains; the file is always whole, whenever the process is killed.

    Args:
        filepath: may hold ``{epoch:02d}`` and names from the logs, such as ``{val_loss:.3f}``.
        monitor, mode: what "best" means.
        verbose: 1 says when it saves.
        save_best_only: only when the value improves.
        save_weights_only: ``save_weights`` instead of ``save``.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: best value to begin with.
    """

    def __init__(
        self, filepath: str | os.PathLike[str], monitor: str = "val_loss", verbose: int = 0,
        save_best_only: bool = False, save_weights_only: bool = False, mode: str = "auto",
        save_freq: str | int = "epoch", initial_value_threshold: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode, **kwargs)
        if save_freq != "epoch" and (isinstance(save_freq, (bool, str)) or int(save_freq) < 1):
            raise ValueError(f"save_freq must be 'epoch' or a number of batches, got {save_freq!r}")
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only, self.save_freq = (
            save_best_only,
            save_weights_only,
            save_freq,
        )
        self.best = self._worst if initial_value_threshold is None else float(initial_value_threshold)
        self._batches, self._epoch = 0, 0
        if save_freq == "epoch":
            self.on_train_batch_end = super().on_train_batch_end  # type: ignore[method-assign]  # not wanted per batch

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save(self._epoch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if value is None or not self._better(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as error:
            raise ValueError(f"ModelCheckpoint: filepath {self.filepath!r} uses {error}, which is not among "
                             f"epoch, {', '.join(logs)}") from None  # fmt: skip
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")


class LambdaCallback(Callback):
    """Functions as hooks: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))``."""

    HOOKS = tuple(name for name in dir(Callback) if name.startswith("on_"))

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        unknown = [name for name in hooks if name not in self.HOOKS]
        if unknown:
            registry.reject_names("LambdaCallback", unknown, self.HOOKS)
        for name, function in hooks.items():
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends training quietly when the loss is not finite. (By default ``fit`` raises, saying where.)"""

    stops_on_nan = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Epoch {epoch + 1}: the loss is {loss}, training ends")
            self.model.stop_training = True


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of each epoch.

    Args:
        schedule: function (epoch, rate) → rate, or (epoch) → rate.
        verbose: 1 prints it.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(
                f"LearningRateScheduler: schedule must be a function (epoch, rate), got {schedule!r}"
            )
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError:
            rate = self.schedule(epoch)
        if not isinstance(rate, (int, float, np.floating)):
            raise ValueError(f"LearningRateScheduler: schedule must return a number, got {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by ``factor`` when a value has not improved for ``patience`` epochs.

    Args:
        monitor, mode, min_delta: what an improvement is.
        factor: < 1.
        patience: epochs to wait.
        verbose: 1 says when.
        cooldown: epochs after a reduction before counting again.
        min_lr: lower bound.
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
        mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode, **kwargs)
        if not 0.0 < factor < 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be in (0, 1), got {factor}")
        self.factor, self.verbose = float(factor), verbose
        self.patience = epochs("ReduceLROnPlateau", patience)
        self.min_delta, self.cooldown, self.min_lr = float(min_delta), int(cooldown), float(min_lr)
        self.best, self.wait, self.cooldown_counter = self._worst, 0, 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooldown_counter = self._worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        value = self._value(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(value, self.best, self.min_delta):
            self.best, self.wait = value, 0
            return
        if self.cooldown_counter > 0:
            return
        self.wait += 1
        if self.wait >= self.patience:
            old = float(optimizer.learning_rate)
            if old > self.min_lr:
                optimizer.learning_rate = max(old * self.factor, self.min_lr)
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {optimizer.learning_rate:g}")
                self.cooldown_counter, self.wait = self.cooldown, 0


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages of the weights, which an optimizer with ``use_ema=True`` keeps.

    Args:
        swap_on_epoch: at the end of each epoch too, for callbacks after this one in the list, such as
            ``ModelCheckpoint``; the weights come back before the next.

    >>> import numpy as np
    >>> from pylearn.layers import Dense
    >>> from pylearn.models import Sequential
    >>> from pylearn.optimizers import SGD
    >>> model = Sequential([Dense(1, input_shape=(2,))])
    >>> model.compile(SGD(0.1, use_ema=True), "mse")
    >>> x, y = np.ones((8, 2)), np.ones(8)
    >>> history = model.fit(x, y, validation_data=(x, y), callbacks=[SwapEMAWeights()], verbose=0)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = bool(swap_on_epoch)

    def _show(self, averaged: bool) -> None:
        optimizer = self.model.optimizer
        if not optimizer.use_ema:
            raise ValueError("SwapEMAWeights needs an optimizer with moving averages: compile with use_ema=True, "
                             f"such as {type(optimizer).__name__}(use_ema=True)")  # fmt: skip
        if averaged != optimizer.swapped:
            optimizer.swap_averages()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._show(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._show(self.swap_on_epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._show(False)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._show(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._show(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._show(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._show(False)
