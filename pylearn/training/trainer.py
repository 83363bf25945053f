"""compile, fit, evaluate, predict: what every model can do. The loop itself is in ``loop.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pylearn import _core, devices
from pylearn.layers.naming import Changes
from pylearn.optimizers.base import Moves
from pylearn.training import adversaries, inference, loop, own_steps
from pylearn.training.adversaries import Attack
from pylearn.training.compiled import Compiled
from pylearn.training.diagnosis import Diagnosis, diagnose
from pylearn.training.hooks import CallbackList, History
from pylearn.training.overfit import OverfitCheck, overfit_check
from pylearn.training.rate_range import RateRange, lr_find
from pylearn.training.stepper import Stepper

_ARRAY = np.ndarray


class Trainer(Stepper):
    """A layer that can be compiled and trained. Models say how inputs become outputs."""

    _untracked = ("stop_training", "history", "built")

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
            metrics: names, Metrics or functions; for several outputs a list with an item (or a list) per output, or a
                dict by output. A list of another length holds for every output.
            weighted_metrics: metrics that use the sample and class weights; ``weighted_…`` where a metric of that
                name is there without them.
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
        self._hinted -= {"head", "not finite"}
        self._forget_steps()

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
        """The loss's mean, the compiled metrics, and those among the model's attributes."""
        return [
            *([] if self._compiled is None else self._compiled.all_metrics()),
            *own_steps.own_metrics(self),
        ]

    # -- where ------------------------------------------------------------------------------------

    def to(self, device: str) -> Any:
        """Moves the model to a device: weights, metrics, and what the optimizer has learned.

        >>> from pylearn import Sequential
        >>> from pylearn.layers import Dense
        >>> Sequential([Dense(1, input_shape=(2,))]).to("auto").device in ("cpu", "cuda")
        True
        """
        super().to(device)
        if self._compiled is not None:
            for optimizer in self._optimizers_built():
                optimizer.rebuild()
            self._place_metrics()
        self._forget_steps()
        return self

    def _optimizers_built(self) -> list[Any]:
        found = [self.compiled("moving it").optimizer, *own_steps.own_optimizers(self)]
        return [optimizer for optimizer in found if optimizer.built]

    def _place_metrics(self) -> None:
        for metric in self.metrics:
            for variable in metric.variables:
                if variable.device != self.device:
                    _core.move_to_device(variable, self.device)

    @contextlib.contextmanager
    def on_device(self) -> Iterator[None]:
        """Inside, data go where the model is."""
        with devices.device(self.device):
            if self._device is None:
                self._device = devices.current_device()  # what is built now and later stays together
            if self._compiled is not None:
                self._place_metrics()
            yield

    # -- fit, evaluate, predict -------------------------------------------------------------------

    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
        verbose: int | str = "auto", callbacks: Any = None, validation_split: float = 0.0,
        validation_data: Any = None, shuffle: bool = True, class_weight: dict[Any, float] | None = None,
        sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
        validation_steps: int | None = None, validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1, stratify: bool = False, on_nan: str = "raise",
        max_queue_size: int = 10, adversarial: Attack | None = None, **kwargs: Any,
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
            max_queue_size: batches that a thread makes ahead of the training, of a generator or of arrays mapped from
                files; 0 to make them in the caller's thread, as a generator needs that uses the model itself or
                pylearn's default random numbers.
            on_nan: when the loss or a gradient is not finite (that update is skipped): "raise" FloatingPointError
                naming epoch, batch, layer and first bad row; "stop" training quietly; or "ignore".
            adversarial: trains on examples made worse by this attack, such as ``adversarial.FGSM(0.1)``, instead of on
                the batches; see ``adversarial.training``.

        Returns:
            a fresh History, also kept as ``model.history``.

        Raises:
            ValueError: data that do not fit each other or the model.
            TypeError: an argument that is not supported; adversarial is no attack.
            FloatingPointError: see on_nan; ``model.history`` holds the epochs done.
        """
        ignored = {"workers": 1, "use_multiprocessing": False}
        kwargs = {k: v for k, v in kwargs.items() if k not in ignored or v != ignored[k]}
        if kwargs:
            loop.unknown_argument("fit", Trainer.fit, kwargs)
        attacked = (
            contextlib.nullcontext() if adversarial is None else adversaries.training(self, adversarial)
        )
        with self.on_device(), attacked:
            return loop.fit(
                self, x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
                validation_split=validation_split, validation_data=validation_data, shuffle=shuffle,
                class_weight=class_weight, sample_weight=sample_weight, initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
                validation_batch_size=validation_batch_size, validation_freq=validation_freq, stratify=stratify,
                on_nan=on_nan, max_queue_size=max_queue_size,
            )  # fmt: skip

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
        sample_weight: Any = None, steps: int | None = None, callbacks: Any = None, return_dict: bool = False,
        max_queue_size: int = 10, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Loss and metrics on data, in inference mode.

        Returns:
            the loss, or [loss, metrics…] in the order of ``metrics_names``; a dict with ``return_dict``.

        Raises:
            ValueError: data that do not fit each other or the model.
        """
        if kwargs:
            loop.unknown_argument("evaluate", Trainer.evaluate, kwargs)
        with self.on_device():
            logs = inference.evaluate(
                self, x, y, batch_size, verbose, sample_weight, steps, CallbackList(callbacks), max_queue_size
            )
        if return_dict:
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = 0, steps: int | None = None,
        callbacks: Any = None, max_queue_size: int = 10,
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
        with self.on_device():
            return inference.predict(
                self, x, batch_size, verbose, steps, CallbackList(callbacks), max_queue_size
            )

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: dict[Any, float] | None = None,
        return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One update on these rows; returns the loss (and metrics) of this batch before it.

        Raises:
            FloatingPointError: the loss or a gradient is not finite; the weights are left as they were.
        """
        with self.on_device():
            return loop.on_batch(self, "train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss (and metrics) of these rows in inference mode."""
        with self.on_device():
            return loop.on_batch(self, "test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for all rows of x in one step."""
        with self.on_device():
            return inference.predict(self, x, 1 << 62, 0, None, CallbackList(None))

    # -- before training --------------------------------------------------------------------------

    def overfit_check(self, x: Any, y: Any = None, n: int = 32, steps: int = 1000, seconds: float = 10.0
                      ) -> OverfitCheck:  # fmt: skip
        """Can the model learn a few rows by heart? The first thing to try on a new model.

        Trains on n rows, all in each step, with a fresh optimizer of the compiled settings; weights, optimizer,
        metrics and random numbers are put back afterwards, bit for bit.

        Args:
            x, y: data as for ``fit``; n rows are taken evenly from them.
            n: number of rows.
            steps: at most so many.
            seconds: at most so long.

        Returns:
            the curve of the loss, a verdict and a sentence: learning rate too high, dead units, rows mixed up in a
            layer, x and y shuffled apart, no gradient, or simply slow.

        >>> import numpy as np
        >>> from pylearn import Sequential
        >>> from pylearn.layers import Dense
        >>> model = Sequential([Dense(32, activation="relu", input_shape=(4,)), Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x = np.random.default_rng(0).normal(size=(200, 4))
        >>> model.overfit_check(x, x.sum(1)).verdict
        'overfits'
        """
        with self.on_device():
            return overfit_check(self, x, y, n, steps, seconds)

    def diagnose(
        self, x: Any, y: Any = None, validation_data: Any = None, validation_split: float = 0.0
    ) -> Diagnosis:
        """Looks for what usually keeps a network from learning; trains nothing and changes nothing.

        Dead units, gradients that vanish or explode (by layer), inputs and targets that are not scaled, heads and
        losses that do not belong together, layers that mix rows, rows that are not finite, and rows of the validation
        that are in the training too.

        Args:
            x, y: data as for ``fit``.
            validation_data, validation_split: as for ``fit``; to look for leaks.

        Returns:
            the findings, a sentence of advice each; print it.
        """
        with self.on_device():
            return diagnose(self, x, y, validation_data, validation_split)

    def lr_find(
        self, x: Any, y: Any = None, start_lr: float = 1e-6, stop_lr: float = 10.0, steps: int = 300,
        batch_size: int | None = None,
    ) -> RateRange:  # fmt: skip
        """The learning rate range test (Smith 2017): trains with a rate that grows each step until the loss rises.

        Weights, optimizer, metrics and random numbers are put back afterwards, bit for bit.

        Args:
            x, y: data as for ``fit``.
            start_lr, stop_lr: first and last rate.
            steps: from one to the other. Momentum and running means of gradients look back over ten and more steps; of
                few steps, each a large step in the rate, such an optimizer still shows the effect of lower rates, and
                the suggestion is too high. Over many epochs of steps the network has learnt before the rate is high,
                and the suggestion is a low one.
            batch_size: 32 by default.

        Returns:
            an object with ``.suggestion``, ``.history`` and ``.plot()``.
        """
        with self.on_device():
            return lr_find(self, x, y, start_lr, stop_lr, steps, batch_size)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Trainer._untracked:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)
