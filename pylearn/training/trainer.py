"""compile, fit, evaluate, predict: what every model can do. The loop itself is in ``loop.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import _core, optimizers
from pylearn._core import Tensor
from pylearn.layers import Layer
from pylearn.layers.naming import Changes, here
from pylearn.optimizers.base import Moves
from pylearn.replay import capture_enabled
from pylearn.training import data, inference, loop
from pylearn.training.compiled import Compiled
from pylearn.training.hooks import CallbackList, History
from pylearn.training.step import Step, Steps

_ARRAY = np.ndarray


class Trainer(Layer):
    """A layer that can be compiled and trained. Models say how inputs become outputs."""

    _untracked = ("stop_training", "history", "built")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._compiled: Compiled | None = None
        self._steps = Steps()
        self._fast: dict[Any, Any] = {}
        self._stamp = (-1, -1)
        self._pending_state: dict[str, Any] | None = None
        self._hinted: set[str] = set()
        self.stop_training = False
        self.history: History | None = None

    # -- what models provide ----------------------------------------------------------------------

    def input_places(self) -> list[data.Place] | None:
        """The inputs, or None while they are unknown."""
        raise TypeError(f"{type(self).__name__} does not say its inputs")

    def output_names(self) -> list[str]:
        raise TypeError(f"{type(self).__name__} does not say its outputs")

    def output_shapes(self) -> list[Any]:
        raise TypeError(f"{type(self).__name__} does not say its outputs")

    def pack_outputs(self, flat: list[Any]) -> Any:
        """Outputs in the structure that calling the model gives."""
        raise TypeError(f"{type(self).__name__} does not say its outputs")

    def build_for(self, x: Any, arrays: Sequence[Any]) -> None:
        """Builds what is not built yet, for data like this."""

    def forward(self, flat: Sequence[Any], training: bool) -> tuple[list[Tensor], list[Any]]:
        """Flat outputs, and their masks (None without)."""
        raise TypeError(f"{type(self).__name__} has no forward")

    # -- compile ----------------------------------------------------------------------------------

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, loss_weights: Any = None, metrics: Any = None,
        weighted_metrics: Any = None, run_eagerly: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Says how to train. Optimizer, losses and metrics are copied, so one object can serve several models.

        Args:
            optimizer: name or object.
            loss: name, Loss or function (y_true, y_pred); for several outputs a list or a dict by output.
            loss_weights: weight of each output's loss, a list or a dict.
            metrics: names, Metrics or functions; for several outputs a list per output or a dict.
            weighted_metrics: metrics that use the sample and class weights.
            run_eagerly: never record and replay steps; the numbers are the same, slower.

        Raises:
            ValueError: an unknown name; the message names the closest one.
            TypeError: an argument that is not supported.
        """
        kwargs = {k: v for k, v in kwargs.items() if not (k in ("jit_compile", "auto_scale_loss", "steps_per_execution")
                                                           and v in (None, "auto", True, False, 1))}  # fmt: skip
        if kwargs:
            loop.unknown_argument("compile", Trainer.compile, kwargs)
        self._compiled = Compiled(optimizer, loss, loss_weights, metrics, weighted_metrics, run_eagerly)
        self._pending_state = None
        self._forget_steps()

    def compiled(self, what: str) -> Compiled:
        if self._compiled is None:
            raise RuntimeError(f"compile the model before {what}: model.compile(optimizer='adam', loss=…)")
        return self._compiled

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The model's own optimizer; ``model.optimizer.learning_rate = 1e-4`` takes effect at the next step."""
        return self.compiled("asking for its optimizer").optimizer

    @property
    def loss(self) -> Any:
        return None if self._compiled is None else self._compiled.loss

    @property
    def metrics_names(self) -> list[str]:
        """Names in the logs, the loss first."""
        compiled = self.compiled("asking for its metrics")
        return [metric.name for metric in compiled.all_metrics()]

    @property
    def metrics(self) -> list[Any]:
        return [] if self._compiled is None else self._compiled.all_metrics()

    @property
    def run_eagerly(self) -> bool:
        return self._compiled is not None and self._compiled.run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self.compiled("setting run_eagerly").run_eagerly = bool(value)
        self._forget_steps()

    # -- fit, evaluate, predict -------------------------------------------------------------------

    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
        verbose: int | str = "auto", callbacks: Any = None, validation_split: float = 0.0,
        validation_data: Any = None, shuffle: bool = True, class_weight: dict[Any, float] | None = None,
        sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
        validation_steps: int | None = None, validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1, stratify: bool = False, on_nan: str = "raise", **kwargs: Any,
    ) -> History:  # fmt: skip
        """Trains the model.

        Args:
            x: array, tensor, DataFrame, list or dict of them (several inputs), or a generator of (x, y) or
                (x, y, sample_weight) batches. Whole numbers become floats batch by batch, so bytes stay bytes.
            y: targets, likewise; not with a generator.
            batch_size: rows per step, 32 by default.
            epochs: number of the last epoch.
            verbose: "auto" (a bar where one can be drawn, else a line per epoch), 0, 1 or 2.
            callbacks: objects with hooks, see ``pylearn.callbacks``.
            validation_split: fraction of rows kept for validation: the last ones, before shuffling, as in Keras.
            validation_data: (x, y) or (x, y, sample_weight), or a generator.
            shuffle: a new order of rows each epoch, from pylearn's default generator.
            class_weight: weight per class id.
            sample_weight: weight per row.
            initial_epoch: number of the first epoch, to go on with training.
            steps_per_epoch: batches per epoch.
            validation_steps: batches per validation.
            validation_batch_size: rows per validation step.
            validation_freq: validate every so many epochs, or in these epochs.
            stratify: draw the validation split evenly from each class.
            on_nan: when the loss or a gradient is not finite (that update is skipped): "raise" FloatingPointError
                naming epoch, batch, layer and first bad row; "stop" training quietly; or "ignore".

        Returns:
            a fresh History, also kept as ``model.history``.

        Raises:
            ValueError: data that do not fit each other or the model.
            FloatingPointError: see on_nan; ``model.history`` holds the epochs done.
        """
        ignored = {"workers": 1, "use_multiprocessing": False, "max_queue_size": 10}
        kwargs = {k: v for k, v in kwargs.items() if k not in ignored or v != ignored[k]}
        if kwargs:
            loop.unknown_argument("fit", Trainer.fit, kwargs)
        return loop.fit(
            self, x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
            validation_split=validation_split, validation_data=validation_data, shuffle=shuffle,
            class_weight=class_weight, sample_weight=sample_weight, initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
            validation_batch_size=validation_batch_size, validation_freq=validation_freq, stratify=stratify,
            on_nan=on_nan,
        )  # fmt: skip

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
        sample_weight: Any = None, steps: int | None = None, callbacks: Any = None, return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Loss and metrics on data, in inference mode.

        Returns:
            the loss, or [loss, metrics…] in the order of ``metrics_names``; a dict with ``return_dict``.

        Raises:
            ValueError: data that do not fit each other or the model.
        """
        if kwargs:
            loop.unknown_argument("evaluate", Trainer.evaluate, kwargs)
        logs = inference.evaluate(
            self, x, y, batch_size, verbose, sample_weight, steps, CallbackList(callbacks)
        )
        if return_dict:
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = 0, steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """Outputs for x in inference mode, as NumPy arrays in the structure of the outputs.

        Args:
            x: as in ``fit``.
            batch_size: rows at a time; 256 by default.

        Raises:
            ValueError: x does not fit the model.
        """
        if type(x) is _ARRAY and callbacks is None:
            plan = self._fast.get((x.shape, x.dtype.char, batch_size))
            if plan is not None and self._stamp == (Moves.count, Changes.count):
                return plan.run((x,))[0].numpy()
        return inference.predict(self, x, batch_size, verbose, steps, CallbackList(callbacks))

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: dict[Any, float] | None = None,
        return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One update on these rows; returns the loss (and metrics) of this batch before it.

        Raises:
            FloatingPointError: the loss or a gradient is not finite; the weights are left as they were.
        """
        return loop.on_batch(self, "train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss (and metrics) of these rows in inference mode."""
        return loop.on_batch(self, "test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for all rows of x in one step."""
        return inference.predict(self, x, 1 << 62, 0, None, CallbackList(None))

    # -- steps ------------------------------------------------------------------------------------

    def fresh_steps(self) -> Steps:
        """The recorded steps; none if what they hold fixed has changed: settings, or where weights are."""
        stamp = (Moves.count, Changes.count)
        if self._stamp != stamp:
            self._forget_steps()
            self._stamp = stamp
        return self._steps

    def _forget_steps(self) -> None:
        self._steps.clear()
        self._fast.clear()
        self._stamp = (-1, -1)

    def ready_optimizer(self) -> optimizers.Optimizer | None:
        """The optimizer, built for the weights that train now; None when there are none."""
        optimizer = self.compiled("training").optimizer
        weights = self.trainable_weights
        if not weights:
            return None
        if not optimizer.holds(weights):
            optimizer.build(weights)
            if self._pending_state is not None:
                optimizer.load_state(self._pending_state)
        self._pending_state = None
        optimizer.constraints = self.constrained_weights()
        return optimizer

    def train_step(self, counts: tuple[int, int, int], rows: int) -> Step:
        """Forward, backward, update, metrics."""
        compiled, optimizer = self.compiled("training"), self.ready_optimizer()
        weights, grads = (optimizer.weights, optimizer.grads) if optimizer is not None else ([], [])
        nx, ny, _ = counts

        def step(batch: list[Any]) -> list[Tensor]:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            with _core.grad_scope():
                predicted, masks, penalties = self.run_collecting(x, True)
                total, each = compiled.loss_of(y, predicted, w, masks, penalties)
            if optimizer is not None:
                _core.gradients(total, weights, out=grads)
                optimizer.update(total)
            compiled.update(y, predicted, w, masks, total, each, rows)
            return [total]

        def loss(batch: list[Any]) -> Tensor:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            predicted, masks, penalties = self.run_collecting(x, True)
            return compiled.loss_of(y, predicted, w, masks, penalties)[0]

        return Step(step, self._dtypes(counts), self.eager, loss)

    def test_step(self, counts: tuple[int, int, int], rows: int) -> Step:
        """Forward and metrics."""
        compiled = self.compiled("evaluating")
        nx, ny, _ = counts

        def step(batch: list[Any]) -> list[Tensor]:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            predicted, masks, penalties = self.run_collecting(x, False)
            total, each = compiled.loss_of(y, predicted, w, masks, penalties)
            compiled.update(y, predicted, w, masks, total, each, rows)
            return []

        return Step(step, self._dtypes(counts), self.eager)

    def predict_step(self, n: int) -> Step:
        return Step(lambda batch: self.forward(batch, False)[0], self._dtypes((n, 0, 0)), self.eager)

    @property
    def eager(self) -> bool:
        return self.run_eagerly or not capture_enabled()

    def run_collecting(
        self, x: Sequence[Any], training: bool
    ) -> tuple[list[Tensor], list[Any], list[Tensor]]:
        """Outputs, masks, and the penalties of layers and weights."""
        outer, here.penalties = here.penalties, []
        try:
            predicted, masks = self.forward(x, training)
            return predicted, masks, [*here.penalties, *self.weight_losses()]
        finally:
            here.penalties = outer

    def _dtypes(self, counts: tuple[int, int, int]) -> list[str]:
        nx, ny, nw = counts
        places = self.input_places() or []
        x = [place.dtype for place in places] if places else ["float32"] * nx
        if not ny:
            return x
        assert self._compiled is not None
        y = [place.dtype for place in self._compiled.places(self.output_names(), [None] * ny)]
        return [*x, *("int64" if d == "labels" else d for d in y), *["float32"] * nw]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Trainer._untracked:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)
