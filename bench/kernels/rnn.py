"""The LSTM over a sequence, and one cell. Forward + backward gives y, dx, dw, du and db for a given dy.

torch's LSTM has a second bias, which stays zero, and transposed weights; its gradients are given back in Keras' form
for the comparison only. NumPy multiplies with x once for all steps and with h at each: as few products as can be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import by_numpy, peers
from bench.cases import Case
from bench.kernels.sides import (
    Side,
    Sides,
    jax_sides,
    jax_vjp_sides,
    normal,
    numpy_sides,
    op,
    ours,
    side,
    torch_sides,
    vjp_side,
    wide,
)

ROWS = ((32, 80, 128, 128), (1, 80, 128, 128), (64, 100, 256, 256), (32, 60, 100, 32))  # B, T, F, H
ACTIVATIONS = ((32, 80, 128, 128, "sigmoid"), (32, 80, 128, 128, "relu"))


def _weights(features: int, units: int) -> list[np.ndarray]:
    scale = np.float32(0.1)
    return [normal(features, 4 * units) * scale, normal(units, 4 * units) * scale, normal(4 * units) * scale]


def lstm(batch: int, steps: int, features: int, units: int, both: bool) -> Case:
    def build() -> Any:
        x, weights = normal(batch, steps, features), _weights(features, units)
        dy = normal(batch, steps, units)
        if both:
            want = list(by_numpy.lstm_both(*wide(dy, x, *weights)))

            def pylearn() -> Side:
                lstm = op("lstm")
                return vjp_side(lambda x, w, u, b: lstm(x, w, u, b)[0], dy, x, *weights)

            sides: Sides = [ours(pylearn), *numpy_sides("lstm_both", dy, x, *weights)]
            sides += jax_vjp_sides(_jax_lstm, dy, x, *weights)
        else:
            want = [by_numpy.lstm(*wide(x, *weights))]

            def pylearn() -> Side:
                lstm = op("lstm")
                return Side("pylearn", lambda: lstm(x, *weights), lambda: [lstm(x, *weights)[0]])

            sides = [ours(pylearn), *numpy_sides("lstm", x, *weights)]
            sides += jax_sides(_jax_lstm, x, *weights)
        return want, [*sides, *_torch_lstm(x, weights, dy if both else None)]

    label = f"B{batch} T{steps} {features}->{units}" + (" fwd+bwd" if both else " fwd")
    flops = (3 if both else 1) * 8.0 * batch * steps * units * (features + units)
    return Case("rnn", "lstm", label, build, flops, heavy=flops > 1e9, cold=not both)


def _jax_lstm(x: Any, w: Any, u: Any, b: Any) -> Any:
    jax, jnp = peers.jax, peers.jax.numpy
    z = (x @ w + b).transpose(1, 0, 2)

    def cell(state: Any, z: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(z + h @ u, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((x.shape[0], u.shape[0]), x.dtype)
    return jax.lax.scan(cell, (zero, zero), z)[1].transpose(1, 0, 2)


def _torch_lstm(x: np.ndarray, weights: list[np.ndarray], dy: np.ndarray | None) -> Sides:
    torch = peers.torch
    if torch is None:
        return []
    w, u, b = weights
    net = torch.nn.LSTM(len(w), len(u), batch_first=True)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), (w.T, u.T, b, np.zeros_like(b)), strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    rows = torch.from_numpy(x.copy())
    if dy is None:

        @torch.no_grad()
        def forward() -> Any:
            return net(rows)[0]

        return [side("torch", forward)]
    seed = torch.from_numpy(dy)
    rows.requires_grad_()

    def run() -> Any:
        rows.grad = None
        net.zero_grad(set_to_none=True)
        y = net(rows)[0]
        y.backward(seed)
        return y

    def result() -> list[np.ndarray]:
        y = run().detach().numpy()
        dw, du, db, _ = (p.grad.numpy() for p in net.parameters())
        return [y, rows.grad.numpy(), dw.T, du.T, db]

    return [Side("torch", run, result)]


def activation(batch: int, steps: int, features: int, units: int, name: str) -> Case:
    """Another activation than tanh, beside tanh itself: torch has no such LSTM. The forward pass is compared."""

    def build() -> Any:
        x, weights, dy = (
            normal(batch, steps, features),
            _weights(features, units),
            normal(batch, steps, units),
        )
        want = [by_numpy.lstm(*wide(x, *weights), getattr(by_numpy, name))]

        def of(activation: str) -> Side:
            lstm = op("lstm")
            return vjp_side(lambda x, w, u, b: lstm(x, w, u, b, activation=activation)[0], dy, x, *weights)

        def pylearn() -> Side:
            made = of(name)
            return Side("pylearn", made.run, lambda: made.result()[:1])

        tanh = ours(lambda: Side("pylearn tanh", of("tanh").run, lambda: want))  # has a case of its own
        return want, [ours(pylearn), tanh]

    flops = 24.0 * batch * steps * units * (features + units)
    label = f"{name} B{batch} T{steps} {features}->{units} fwd+bwd"
    return Case("rnn", "lstm", label, build, flops, heavy=True)


def lstm_cell(batch: int, features: int, units: int) -> Case:
    def build() -> Any:
        x, h, c = normal(batch, features), normal(batch, units), normal(batch, units, seed=1)
        w, u, b = _weights(features, units)
        args = (x, h, c, w, u, b)
        torch, jax = peers.torch, peers.jax

        def pylearn() -> Side:
            cell = op("lstm_cell")
            return side("pylearn", lambda: cell(*args))

        def jax_cell(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
            i, f, g, o = jax.numpy.split(x @ w + h @ u + b, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
            return jax.nn.sigmoid(o) * jax.numpy.tanh(c), c

        sides = [ours(pylearn), *numpy_sides("lstm_cell", *args), *jax_sides(jax_cell, *args)]
        if torch is not None:
            cell = torch.nn.LSTMCell(features, units)
            with torch.no_grad():
                for parameter, value in zip(cell.parameters(), (w.T, u.T, b, np.zeros_like(b)), strict=True):
                    parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))

            @torch.no_grad()
            def run(x: Any, h: Any, c: Any) -> Any:
                return cell(x, (h, c))

            sides += torch_sides(run, x, h, c)
        return list(by_numpy.lstm_cell(*wide(*args))), sides

    flops = 8.0 * batch * units * (features + units)
    return Case("rnn", "lstm_cell", f"{batch}x{features}, {units} units", build, flops)


CASES = (
    *(lstm(*row, both) for row in ROWS for both in (False, True)),
    *(activation(*row) for row in ACTIVATIONS),
    lstm_cell(32, 128, 128),
    lstm_cell(1, 128, 128),
)
