"""The training cases: one step of a network, and the prediction of one row.

pylearn's step is ``fit`` over many batches, divided by their number: shuffling, gathering rows, metrics and
callbacks are in it. The peers repeat the step alone, on a batch they already hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from bench import peers
from bench.cases import Case, Side
from bench.twins import JaxTwin, Net, NumpyTwin, TorchTwin, pylearn_model

CHECKED_STEPS = 4

NETS = {
    "linreg 1-1 b32": Net((1, 1), 32),
    "softmax 784-10 b32": Net((784, 10), 32),
    "mlp 64-100-10 b32": Net((64, 100, 10), 32),
    "mlp 784-100-10 b32": Net((784, 100, 10), 32),
    "mlp 784-512-512-10 dropout b128": Net((784, 512, 512, 10), 128, dropout=0.2),
}
FIT_VALUES = 5_000_000  # in the rows of a fit: a number of steps that dwarfs what an epoch costs


def step_case(name: str, net: Net) -> Case:
    # Dropout draws differ from library to library, so losses are compared without it.
    plain = dataclasses.replace(net, dropout=0.0)
    steps = max(16, min(500, FIT_VALUES // (net.batch * net.sizes[0])))

    def losses(make: Callable[[Net], Any]) -> Callable[[], list[Any]]:
        def result() -> list[Any]:
            twin = make(plain)
            return [np.array([float(twin.step()) for _ in range(CHECKED_STEPS)])]

        return result

    def fit_losses() -> list[Any]:
        history = pylearn_model(plain).fit(
            *plain.data(), plain.batch, CHECKED_STEPS, verbose=0, shuffle=False
        )
        return [np.array(history.history["loss"])]

    def on_batch_losses() -> list[Any]:
        model, (x, y) = pylearn_model(plain), plain.data()
        return [np.array([model.train_on_batch(x, y) for _ in range(CHECKED_STEPS)])]

    def build() -> Any:
        oracle = NumpyTwin(plain, np.float64)
        want = [np.array([oracle.step() for _ in range(CHECKED_STEPS)])]
        fitted, one_batch = pylearn_model(net), pylearn_model(net)
        x, y = net.data(steps)
        bx, by = net.data()
        sides = [
            Side(
                "pylearn",
                lambda: fitted.fit(x, y, batch_size=net.batch, verbose=0),
                fit_losses,
                per_call=steps,
            ),
            Side("pylearn train_on_batch", lambda: one_batch.train_on_batch(bx, by), on_batch_losses),
            Side("numpy", NumpyTwin(net).step, losses(NumpyTwin)),
        ]
        if peers.torch is not None:
            sides.append(Side("torch", TorchTwin(net).step, losses(lambda net: TorchTwin(net, True))))
        if peers.jax is not None:
            sides.append(Side("jax", JaxTwin(net).step, losses(JaxTwin)))
        return want, sides

    # The losses of later steps also hold what rounding did to the weights through Adam's division.
    return Case("train", "step", name, build, net.flops, tolerance=1e-4, heavy=net.flops > 1e8)


def predict_case(name: str, net: Net) -> Case:
    def build() -> Any:
        x = net.data()[0][:1].copy()
        model, twin = pylearn_model(net), NumpyTwin(net)
        sides = [
            Side("pylearn", lambda: model.predict(x), lambda: [model.predict(x)]),
            Side("numpy", lambda: twin.predict(x), lambda: [twin.predict(x)]),
        ]
        if peers.torch is not None:
            torch_predict = TorchTwin(net).predictor(x)
            sides.append(Side("torch", torch_predict, lambda: [torch_predict().numpy()]))
        if peers.jax is not None:
            jax_predict = JaxTwin(net).predictor(x)
            sides.append(Side("jax", jax_predict, lambda: [np.asarray(jax_predict())]))
        return [NumpyTwin(net, np.float64).predict(x)], sides

    return Case("train", "predict", f"{name.rsplit(' ', 1)[0]}, one row", build)


CASES = (
    *(step_case(name, net) for name, net in NETS.items()),
    *(predict_case(name, net) for name, net in NETS.items() if len(net.sizes) > 2),
)
