"""The training cases: one step of each network, and small calls.

pylearn's step is ``fit`` over many batches, divided by their number: shuffling, gathering rows, metrics and callbacks
are in it. A fit begins by comparing a replayed step with an eager one, which an epoch of a real data set does not
notice; so steps of several milliseconds, of which an epoch here has only a few, are counted from the third on. The
peers repeat the step alone, on a batch they already hold.

Losses of the first steps are compared with those of torch in float64 (for networks of dense layers alone, of NumPy).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench import models, models_jax, models_torch, peers
from bench.cases import Absent, Case, Missing, Side
from bench.models_numpy import NumpyMLP
from bench.nets import NETS, SMALL, Net

CHECKED_STEPS = 4
LARGE = 5e-3  # seconds at 400 GFLOP/s from which steps of a fit are counted one by one
FIT_VALUES = 20_000_000  # in the rows of a fit
COUNTED = 8  # steps of such a fit, at most


def losses(step: Callable[[], Any]) -> list[np.ndarray]:
    return [np.array([float(step()) for _ in range(CHECKED_STEPS)])]


def oracle(net: Net) -> list[np.ndarray]:
    """The first losses, in float64.

    Raises:
        Missing: the network needs torch for it.
    """
    if NumpyMLP.can(net):
        return losses(NumpyMLP(net, np.float64, plain=True).step)
    if peers.torch is None:
        raise Missing("the oracle of this network needs torch")
    return losses(models_torch.Step(net, plain=True, dtype=peers.torch.float64).step)


class CountedFit:
    """``fit``, timed from its third step on."""

    def __init__(self, model: Any, x: np.ndarray, y: np.ndarray, batch: int) -> None:
        from pylearn.callbacks import Callback

        class Clock(Callback):
            def __init__(self) -> None:
                super().__init__()
                self.times: list[float] = []

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                self.times.append(time.perf_counter())

        self._clock = Clock()
        self._fit = lambda steps: model.fit(
            x, y, batch_size=batch, steps_per_epoch=steps, verbose=0, callbacks=[self._clock]
        )

    def block(self, calls: int) -> float:
        found = 0.0
        while calls:
            steps = min(calls, COUNTED - 2)
            self._clock.times.clear()
            self._fit(2 + steps)
            found += self._clock.times[-1] - self._clock.times[1]
            calls -= steps
        return found

    def cold(self) -> float:
        return self.block(1)


def pylearn_sides(net: Net) -> list[Side | Absent]:
    """``fit``, and ``train_on_batch``: each with a model of its own."""
    try:
        fitted, one_batch = models.build(net), models.build(net)
    except Missing as e:
        return [Absent("pylearn", str(e))]

    def fit_losses() -> list[Any]:
        model, (x, y) = models.build(net, plain=True), net.data()
        return [np.array(model.fit(x, y, net.batch, CHECKED_STEPS, verbose=0, shuffle=False).history["loss"])]

    def on_batch_losses() -> list[Any]:
        model, (x, y) = models.build(net, plain=True), net.data()
        return losses(lambda: model.train_on_batch(x, y))

    def profile() -> list[tuple[str, float]]:
        return profiled(fitted)

    bx, by = net.data()
    on_batch = Side("pylearn train_on_batch", lambda: one_batch.train_on_batch(bx, by), on_batch_losses)
    if net.flops / 400e9 > LARGE:
        x, y = net.data(COUNTED)
        counted = CountedFit(fitted, x, y, net.batch)
        fit = Side("pylearn", lambda: counted.block(1), fit_losses, elsewhere=counted, profile=profile)
    else:
        steps = max(16, min(500, FIT_VALUES // bx.size))
        x, y = net.data(steps)
        fit = Side(
            "pylearn", lambda: fitted.fit(x, y, batch_size=net.batch, verbose=0), fit_losses, per_call=steps,
            profile=profile,
        )  # fmt: skip
    return [fit, on_batch]


def step_case(net: Net) -> Case:
    def build() -> Any:
        sides = pylearn_sides(net)
        if NumpyMLP.can(net):
            made = NumpyMLP(net)
            sides.append(Side("numpy", made.step, lambda: losses(NumpyMLP(net, plain=True).step)))
        if peers.torch is not None:
            sides.append(_peer("torch", models_torch.Step, net))
        if peers.compiles:
            sides.append(_peer("compiled", models_torch.Step, net, compiled=True))
        if peers.jax is not None:
            sides.append(_peer("jax", models_jax.Step, net))
        return oracle(net), sides

    # The losses of later steps also hold what rounding did to the weights through Adam's division.
    heavy = net.flops > 5e8
    return Case("step", "step", net.name, build, net.flops, tolerance=5e-4, heavy=heavy)


def _peer(name: str, make: Any, net: Net, **options: Any) -> Side:
    made: list[Any] = []  # compiled when it is first run, after the comparison

    def run() -> Any:
        if not made:
            made.append(make(net, **options))
        return made[0].step()

    return Side(name, run, lambda: losses(make(net, plain=True, **options).step))


def profiled(model: Any) -> list[tuple[str, float]]:
    """(kernel, seconds) of the launches of the model's recorded step."""
    plans = [step.plan for _, step in model._steps if step.plan is not None]
    return plans[-1].profile() if plans else []


def predict_case(net: Net) -> Case:
    def build() -> Any:
        x = net.data()[0][:1].copy()
        model, twin = models.build(net), NumpyMLP(net)
        sides = [
            Side("pylearn", lambda: model.predict(x), lambda: [model.predict(x)]),
            Side("numpy", lambda: twin.predict(x), lambda: [twin.predict(x)]),
        ]
        if peers.torch is not None:
            torch_predict = models_torch.predictor(net, x)
            sides.append(Side("torch", torch_predict, lambda: [torch_predict().numpy()]))
        if peers.jax is not None:
            jax_predict = models_jax.predictor(net, x)
            sides.append(Side("jax", jax_predict, lambda: [np.asarray(jax_predict())]))
        return [NumpyMLP(net, np.float64).predict(x)], sides

    return Case("small", "predict", f"{net.name.rsplit(' ', 1)[0]}, one row", build)


CASES = (
    *(step_case(net) for net in NETS.values()),
    step_case(SMALL),
    *(predict_case(net) for net in (SMALL, NETS["mlp 784-100-10 b32"], NETS["mlp 784-512-512-10 dropout b128"])),
)  # fmt: skip
