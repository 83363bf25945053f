"""compile, fit, evaluate, predict: what every model can do. The loop itself is in ``loop.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import _core, optimizers, structure
from pylearn._core import Tensor
from pylearn.autograd import value_and_grad
from pylearn.layers import Layer
from pylearn.layers.naming import Changes, here
from pylearn.optimizers.base import Moves
from pylearn.replay import capture_enabled
from pylearn.training import data, inference, loop, own_steps
from pylearn.training.compiled import Compiled, pick
from pylearn.training.diagnosis import Diagnosis, diagnose
from pylearn.training.hooks import CallbackList, History
from pylearn.training.overfit import OverfitCheck, overfit_check
from pylearn.training.rate_range import RateRange, lr_find
from pylearn.training.step import Step, Steps
from pylearn.utils import unpack_x_y_sample_weight

_ARRAY = np.ndarray


Counts = tuple[int, int, int]


def _after(compiled: Compiled, users: list[Any], begin: int) -> Any:
    """Gives metrics on the host what a step returned for them, from place ``begin`` on."""
    if not compiled.host_metrics:
        return None

    def after(outputs: Sequence[Tensor]) -> None:
        place = begin
        for metric, count in users:
            metric.update_state(*(t.numpy() for t in outputs[place : place + count]))
            place += count

    return after


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
        self._masks: list[Any] | None = None  # of the outputs of the last call
        self._resume_at = 0  # the epoch at which a callback wants this fit to go on
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

    def pack_inputs(self, flat: list[Any]) -> Any:
        """Inputs in the structure that calling the model takes."""
        return flat[0] if len(flat) == 1 else flat

    def pack_targets(self, flat: list[Any]) -> Any:
        """Targets in the structure of the outputs."""
        if len(flat) == 1:
            return flat[0]
        return self.pack_outputs(flat) if len(flat) == len(self.output_names()) else flat

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
        """The loss's mean, the compiled metrics, and those among the model's attributes."""
        return [
            *([] if self._compiled is None else self._compiled.all_metrics()),
            *own_steps.own_metrics(self),
        ]

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
        validation_freq: int | Sequence[int] = 1, stratify: bool = False, on_nan: str = "raise",
        max_queue_size: int = 10, **kwargs: Any,
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
                files; 0 to make them in the caller's thread.
            on_nan: when the loss or a gradient is not finite (that update is skipped): "raise" FloatingPointError
                naming epoch, batch, layer and first bad row; "stop" training quietly; or "ignore".

        Returns:
            a fresh History, also kept as ``model.history``.

        Raises:
            ValueError: data that do not fit each other or the model.
            FloatingPointError: see on_nan; ``model.history`` holds the epochs done.
        """
        ignored = {"workers": 1, "use_multiprocessing": False}
        kwargs = {k: v for k, v in kwargs.items() if k not in ignored or v != ignored[k]}
        if kwargs:
            loop.unknown_argument("fit", Trainer.fit, kwargs)
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
        return inference.predict(self, x, batch_size, verbose, steps, CallbackList(callbacks), max_queue_size)

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
        return diagnose(self, x, y, validation_data, validation_split)

    def lr_find(
        self, x: Any, y: Any = None, start_lr: float = 1e-6, stop_lr: float = 10.0, steps: int = 100,
        batch_size: int | None = None,
    ) -> RateRange:  # fmt: skip
        """The learning rate range test (Smith 2017): trains with a rate that grows each step until the loss rises.

        Weights, optimizer, metrics and random numbers are put back afterwards, bit for bit.

        Args:
            x, y: data as for ``fit``.
            start_lr, stop_lr: first and last rate.
            steps: from one to the other.
            batch_size: 32 by default.

        Returns:
            an object with ``.suggestion``, ``.history`` and ``.plot()``.
        """
        return lr_find(self, x, y, start_lr, stop_lr, steps, batch_size)

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

    def active_optimizers(self) -> list[optimizers.Optimizer]:
        """Those that a training step uses."""
        if not self.writes("train"):
            optimizer = self.ready_optimizer()
            return [] if optimizer is None else [optimizer]
        if self._pending_state is not None:
            self.ready_optimizer()
        return [*own_steps.own_optimizers(self), self.compiled("training").optimizer]

    def writes(self, kind: str) -> bool:
        """Does the class write its own ``train_step`` or ``test_step``?"""
        name = f"{kind}_step"
        return getattr(type(self), name) is not getattr(Trainer, name)

    def train_step(self, data: Any) -> Any:
        """One step of training; override it to train in another way, with the rest of ``fit`` as it is.

        It is run eagerly once and recorded once for each form of batch, then replayed: make it of pylearn's ops on
        Tensors, and keep what changes from step to step in Tensors. What cannot be recorded (reading a value, such as
        ``float(loss)``) runs eagerly each time, with one warning that says why.

        Args:
            data: x, (x, y) or (x, y, sample_weight), Tensors in the structure of the model's inputs and outputs; see
                ``pylearn.utils.unpack_x_y_sample_weight``.

        Returns:
            a dict for the logs: scalar Tensors, averaged over the rows of an epoch, and results of metrics.

        A generative adversarial network (Goodfellow et al. 2014), with an optimizer for each of its players:

        >>> import numpy as np, pylearn
        >>> from pylearn import Sequential, losses, optimizers
        >>> from pylearn.layers import Dense
        >>> class GAN(pylearn.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.make = Sequential([Dense(8, "relu", input_shape=(2,)), Dense(1)])
        ...         self.judge = Sequential([Dense(8, "relu", input_shape=(1,)), Dense(1)])
        ...         self.loss_fn = losses.BinaryCrossentropy(from_logits=True)
        ...         self.make_optimizer, self.judge_optimizer = optimizers.Adam(0.01), optimizers.Adam(0.01)
        ...     def train_step(self, real):
        ...         n = real.shape[0]
        ...         ones, zeros = np.ones((n, 1)), np.zeros((n, 1))
        ...         def judge_loss(fake):
        ...             return self.loss_fn(ones, self.judge(real)) + self.loss_fn(zeros, self.judge(fake))
        ...         def make_loss(noise):
        ...             return self.loss_fn(ones, self.judge(self.make(noise)))
        ...         fake = self.make(pylearn.random.normal((n, 2)))
        ...         j, grads = pylearn.value_and_grad(judge_loss, wrt=self.judge.trainable_weights)(fake)
        ...         self.judge_optimizer.apply(grads, self.judge.trainable_weights)
        ...         noise = pylearn.random.normal((n, 2))
        ...         m, grads = pylearn.value_and_grad(make_loss, wrt=self.make.trainable_weights)(noise)
        ...         self.make_optimizer.apply(grads, self.make.trainable_weights)
        ...         return {"judge": j, "make": m}
        >>> gan = GAN()
        >>> gan.compile()
        >>> history = gan.fit(np.random.randn(64, 1) + 3, epochs=2, verbose=0)
        >>> list(history.history)
        ['judge', 'make']
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def forward() -> tuple[Tensor, Any]:
            predicted = self(x, training=True)
            return self.compute_loss(x, y, predicted, sample_weight), predicted

        weights = self.trainable_weights
        (loss, predicted), grads = value_and_grad(forward, wrt=weights, has_aux=True)()
        if weights:
            self.optimizer.apply(grads, weights, loss)
        return {"loss": loss, **self.compute_metrics(x, y, predicted, sample_weight)}

    def test_step(self, data: Any) -> Any:
        """One step of evaluating; override it as ``train_step``."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        predicted = self(x, training=False)
        loss = self.compute_loss(x, y, predicted, sample_weight)
        return {"loss": loss, **self.compute_metrics(x, y, predicted, sample_weight)}

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
                     training: bool = True) -> Tensor:  # fmt: skip
        """The compiled loss of one batch, penalties of layers and weights included; for steps of your own."""
        predicted = structure.flatten(y_pred)
        targets = [] if y is None else structure.flatten(y)
        weights = [] if sample_weight is None else structure.flatten(sample_weight)
        masks = self._masks or [None] * len(predicted)
        return self.compiled("training").loss_of(targets, predicted, weights, masks, self.losses)[0]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Takes one batch into the compiled metrics; their results, for steps of your own to return."""
        compiled, predicted = self.compiled("training"), structure.flatten(y_pred)
        masks = self._masks or [None] * len(predicted)
        weights = [] if sample_weight is None else structure.flatten(sample_weight)
        targets = [] if y is None else structure.flatten(y)
        results: dict[str, Any] = {}
        for i, objective in enumerate(compiled.outputs or []):
            for metric, weight in objective.with_weights(pick(weights, i), masks[i]):
                metric.update_state(targets[i], predicted[i], weight)
                results[metric.name] = metric.result()
        return results

    def make_train_step(self, counts: Counts, rows: int, form: Any = ()) -> Step:
        """Forward, backward, update, metrics."""
        if self.writes("train"):
            return self._own_step("train", counts, rows, form)
        compiled, optimizer = self.compiled("training"), self.ready_optimizer()
        weights, grads = (optimizer.weights, optimizer.grads) if optimizer is not None else ([], [])
        nx, ny, _ = counts
        users: list[Any] = []

        def step(batch: list[Any]) -> list[Tensor]:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            with _core.grad_scope():
                predicted, masks, penalties = self.run_collecting(x, True)
                total, each = compiled.loss_of(y, predicted, w, masks, penalties)
            if optimizer is not None:
                _core.gradients(total, weights, out=grads)
                optimizer.update(total)
            compiled.update(y, predicted, w, masks, total, each, rows)
            needed, users[:] = compiled.for_host(y, predicted, w, masks)
            return [total, *needed]

        def loss(batch: list[Any]) -> Tensor:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            predicted, masks, penalties = self.run_collecting(x, True)
            return compiled.loss_of(y, predicted, w, masks, penalties)[0]

        return Step(step, self._dtypes(counts, form), self.eager, loss, _after(compiled, users, 1))

    def make_test_step(self, counts: Counts, rows: int, form: Any = ()) -> Step:
        """Forward and metrics."""
        if self.writes("test"):
            return self._own_step("test", counts, rows, form)
        compiled = self.compiled("evaluating")
        nx, ny, _ = counts
        users: list[Any] = []

        def step(batch: list[Any]) -> list[Tensor]:
            x, y, w = batch[:nx], batch[nx : nx + ny], batch[nx + ny :]
            predicted, masks, penalties = self.run_collecting(x, False)
            total, each = compiled.loss_of(y, predicted, w, masks, penalties)
            compiled.update(y, predicted, w, masks, total, each, rows)
            needed, users[:] = compiled.for_host(y, predicted, w, masks)
            return needed

        return Step(step, self._dtypes(counts, form), self.eager, after=_after(compiled, users, 0))

    def _own_step(self, kind: str, counts: Counts, rows: int, form: Any) -> Step:
        report = self.compiled("training").reports.setdefault(kind, own_steps.Report())
        function = own_steps.function(self, kind, counts, rows, report)
        return Step(function, self._dtypes(counts, form), self.eager, own=True)

    def make_predict_step(self, n: int) -> Step:
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

    def _dtypes(self, counts: Counts, form: Any = ()) -> list[str]:
        nx, ny, nw = counts
        places = self.input_places() or []
        x = [place.dtype for place in places] if places else ["float32"] * nx
        if not ny:
            return x
        assert self._compiled is not None
        if (
            self._compiled.loss is None and len(form) >= nx + ny
        ):  # a step of the user's own: whole numbers stay whole
            y = ["labels" if f[-1] in "bBilq?" else "float32" for f in form[nx : nx + ny]]
        else:
            y = [place.dtype for place in self._compiled.places(self.output_names(), [None] * ny)]
        return [*x, *("int64" if d == "labels" else d for d in y), *["float32"] * nw]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Trainer._untracked:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)
