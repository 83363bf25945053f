"""A model as the loop sees it: what it takes and gives, and the steps of training, testing and predicting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylearn import _core, optimizers, structure
from pylearn._core import Tensor
from pylearn.autograd import value_and_grad
from pylearn.layers import Layer
from pylearn.layers.naming import Changes, here
from pylearn.optimizers.base import Moves
from pylearn.replay import capture_enabled
from pylearn.training import data, own_steps
from pylearn.training.compiled import Compiled, pick
from pylearn.training.hooks import History
from pylearn.training.step import Step, Steps
from pylearn.utils import unpack_x_y_sample_weight

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


class Stepper(Layer):
    """What ``Trainer`` trains: a layer with a loss and an optimizer, and how it makes its steps."""

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

    def hint(self, about: str) -> bool:
        """Is it the first time that this is said of the model?"""
        new = about not in self._hinted
        self._hinted.add(about)
        return new

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

    # -- how it was compiled ----------------------------------------------------------------------

    def compiled(self, what: str) -> Compiled:
        if self._compiled is None:
            raise RuntimeError(f"compile the model before {what}: model.compile(optimizer='adam', loss=…)")
        return self._compiled

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The model's own optimizer; ``model.optimizer.learning_rate = 1e-4`` takes effect at the next step."""
        return self.compiled("asking for its optimizer").optimizer

    @property
    def run_eagerly(self) -> bool:
        return self._compiled is not None and self._compiled.run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self.compiled("setting run_eagerly").run_eagerly = bool(value)
        self._forget_steps()

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
        found = [*own_steps.own_optimizers(self), self.compiled("training").optimizer]
        for optimizer in found:
            optimizer.constraints = self.constrained_weights()
        return found

    def writes(self, kind: str) -> bool:
        """Does the class write its own ``train_step`` or ``test_step``?"""
        name = f"{kind}_step"
        return getattr(type(self), name) is not getattr(Stepper, name)

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

    def reset_metrics(self) -> None:
        """Sets all metrics, those among the model's attributes too, back to their beginning."""
        for metric in [*self.compiled("training").all_metrics(), *own_steps.own_metrics(self)]:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The result of each metric by name, for steps of your own to return."""
        metrics = [*self.compiled("training").all_metrics(), *own_steps.own_metrics(self)]
        return {metric.name: metric.result() for metric in metrics}

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
