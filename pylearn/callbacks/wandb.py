"""``WandbCallback`` with wandb's legacy signature: wandb in offline mode where it is installed, else a record in files.

Nothing is ever sent over the network unless the caller has started a wandb run of their own.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from pylearn import registry
from pylearn.callbacks.control import grows
from pylearn.training import Callback
from pylearn.training.hooks import Logs

FOLDER = "pylearn_runs"


class LocalRun:
    """A run as files: ``<folder>/<time>-<number>/log.jsonl``, one JSON object per line.

    ``callback.run = LocalRun(folder)`` keeps a ``WandbCallback``'s record in files where wandb is installed too.

    Args:
        folder: ``$PYLEARN_RUNS`` or ``./pylearn_runs`` by default.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        root = Path(folder or os.environ.get("PYLEARN_RUNS") or FOLDER)
        stamp, number = time.strftime("%Y%m%d-%H%M%S"), 0
        while True:
            self.path = root / f"{stamp}-{number}"
            try:
                self.path.mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
        self.summary: dict[str, Any] = {}

    @property
    def dir(self) -> str:
        return str(self.path)

    def log(self, values: dict[str, Any], commit: bool = True) -> None:
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(values, default=_plain) + "\n")
        self.summary.update({k: v for k, v in values.items() if isinstance(v, (int, float))})

    def finish(self) -> None:
        (self.path / "summary.json").write_text(json.dumps(self.summary, default=_plain), encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(value)


def _start() -> tuple[Any, Any, bool]:
    """(wandb or None, the run, whether it is ours to finish)."""
    try:
        import wandb
    except ImportError:
        return None, LocalRun(), True
    if getattr(wandb, "run", None) is not None:
        return wandb, wandb.run, False
    try:
        folder = os.environ.get("PYLEARN_RUNS") or FOLDER
        os.makedirs(folder, exist_ok=True)
        return wandb, wandb.init(mode="offline", dir=folder, project="pylearn"), True
    except Exception as error:
        registry.warn(f"wandb could not start offline ({error}); the run is recorded in {FOLDER}/")
        return None, LocalRun(), True


class WandbCallback(Callback):
    """Logs loss and metrics each epoch, labelled examples of images, and the best model.

    The arguments are wandb's. The run is the one that is active, else an offline one, else (without wandb) a
    folder in ``./pylearn_runs`` or ``$PYLEARN_RUNS`` holding ``log.jsonl``.

    Args:
        monitor, mode: what the best model is.
        data_type, input_type: "image" logs ``predictions`` validation rows with what the model says of them.
        labels: names of the classes.
        save_model: keep the best model in the run's folder, as ``model-best.pylearn``.
        save_weights_only: only its weights.
        log_weights: mean and standard deviation of each weight, each epoch.
        log_batch_frequency: also log every so many batches.
        training_data, validation_data, generator, validation_steps: where examples come from; by default from the
            validation data that ``fit`` was given.
    """

    def __init__(
        self, monitor: str = "val_loss", verbose: int = 0, mode: str = "auto", save_weights_only: bool = False,
        log_weights: bool = False, log_gradients: bool = False, save_model: bool = True, training_data: Any = None,
        validation_data: Any = None, labels: Any = None, predictions: int = 36, generator: Any = None,
        input_type: str | None = None, output_type: str | None = None, log_evaluation: bool = False,
        validation_steps: int | None = None, class_colors: Any = None, log_batch_frequency: int | None = None,
        log_best_prefix: str = "best_", save_graph: bool = True, validation_indexes: Any = None,
        validation_row_processor: Any = None, prediction_row_processor: Any = None,
        infer_missing_processors: bool = True, log_evaluation_frequency: int = 0, compute_flops: bool = False,
        data_type: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        registry.reject(self, kwargs)
        self.monitor, self.verbose = monitor, verbose
        self.save_model, self.save_weights_only = save_model, save_weights_only
        self.log_weights, self.log_gradients, self.log_evaluation = log_weights, log_gradients, log_evaluation
        self.training_data, self.validation_data, self.generator = training_data, validation_data, generator
        self.labels = None if labels is None else [str(label) for label in labels]
        self.predictions, self.input_type, self.output_type = (
            int(predictions),
            input_type or data_type,
            output_type,
        )
        self.validation_steps, self.class_colors = validation_steps, class_colors
        self.log_batch_frequency, self.log_best_prefix, self.save_graph = (
            log_batch_frequency,
            log_best_prefix,
            save_graph,
        )
        self.validation_indexes = validation_indexes
        self.validation_row_processor, self.prediction_row_processor = (
            validation_row_processor,
            prediction_row_processor,
        )
        self.infer_missing_processors = infer_missing_processors
        self.log_evaluation_frequency, self.compute_flops = log_evaluation_frequency, compute_flops
        self._grows = grows(monitor, mode, "WandbCallback")
        self.best = -np.inf if self._grows else np.inf
        self.run: Any = None
        self._wandb: Any = None
        self._ours = False
        self._examples: tuple[np.ndarray, np.ndarray | None] | None = None
        if log_gradients:
            registry.warn("WandbCallback: gradients are not kept between steps; log_gradients is left out")
        if log_batch_frequency is None:
            self.on_train_batch_end = super().on_train_batch_end  # type: ignore[method-assign]  # not wanted per batch

    # -- examples ---------------------------------------------------------------------------------

    def set_validation_data(self, x: Any, y: Any) -> None:
        """``fit`` hands its validation rows over here."""
        if self.validation_data is None and self.generator is None:
            self._keep(x, y)

    def _keep(self, x: Any, y: Any) -> None:
        if isinstance(x, (list, tuple, dict)) or not hasattr(x, "shape"):
            return
        rows = slice(0, self.predictions)
        self._examples = np.asarray(x[rows]), None if y is None else np.asarray(y[rows])

    def _name(self, row: np.ndarray) -> str:
        row = np.atleast_1d(row)
        if row.size > 1:
            index = int(row.argmax())
        else:
            value = float(row[0])
            index = int(value) if value == int(value) else int(value > 0.5)
        return self.labels[index] if self.labels is not None and 0 <= index < len(self.labels) else str(index)

    def _images(self) -> list[dict[str, Any]]:
        """What the examples are, and what the model says."""
        assert self._examples is not None
        x, y = self._examples
        guess = np.asarray(self.model.predict(x, verbose=0))
        rows = []
        for i in range(len(x)):
            row: dict[str, Any] = {
                "row": i,
                "prediction": self._name(guess[i]),
                "score": float(np.max(guess[i])),
            }
            if y is not None:
                row["label"] = self._name(y[i])
            rows.append(row)
        return rows

    # -- hooks ------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.run is None or self._ours:
            self._wandb, self.run, self._ours = _start()
        self.best = -np.inf if self._grows else np.inf
        for given in (self.validation_data, self.training_data):
            if given is not None and self._examples is None:
                self._keep(*tuple(given)[:2])
        if self.generator is not None and self._examples is None:
            batch = next(iter(self.generator))
            self._keep(*tuple(batch)[:2])

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            self.run.log({f"batch_{k}": v for k, v in (logs or {}).items()})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values: dict[str, Any] = {"epoch": epoch, **(logs or {})}
        if self.log_weights:
            for weight in self.model.weights:
                w = weight.numpy()
                values[f"parameters/{weight.name}/mean"] = float(w.mean())
                values[f"parameters/{weight.name}/std"] = float(w.std())
        current = (logs or {}).get(self.monitor)
        if current is not None and (current > self.best if self._grows else current < self.best):
            self.best = current
            values[f"{self.log_best_prefix}{self.monitor}"] = current
            values[f"{self.log_best_prefix}epoch"] = epoch
            if self.save_model:
                self._save()
        if self.input_type in ("image", "images") and self._examples is not None:
            values["examples"] = self._log_images()
        self.run.log(values)

    def _log_images(self) -> Any:
        rows = self._images()
        if self._wandb is None:
            return rows
        assert self._examples is not None
        pictures = []
        for row, x in zip(rows, self._examples[0], strict=True):
            caption = row["prediction"] + (f" (is {row['label']})" if "label" in row else "")
            pictures.append(self._wandb.Image(_picture(x), caption=caption))
        return pictures

    def _save(self) -> None:
        path = os.path.join(self.run.dir, "model-best.pylearn")
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"saved {path}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._ours and self.run is not None:
            self.run.finish()


def _picture(x: np.ndarray) -> np.ndarray:
    """Bytes from an image of any scale."""
    x = np.asarray(x, "float64")
    if x.ndim == 1:
        side = round(np.sqrt(x.size))
        x = x.reshape(side, side) if side * side == x.size else x[None]
    low, high = x.min(), x.max()
    return ((x - low) / (high - low if high > low else 1.0) * 255).astype("uint8")


__all__ = ["LocalRun", "WandbCallback"]
