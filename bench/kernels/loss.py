"""Softmax cross-entropy, forward and backward of the mean loss from logits and class ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import by_numpy, peers
from bench.by_numpy import as_arrays
from bench.cases import Case
from bench.kernels.sides import Side, Sides, jax_sides, normal, numpy_sides, op, ours, torch_tensor, vjp_side


def cross_entropy(rows: int, classes: int) -> Case:
    def build() -> Any:
        x, y = normal(rows, classes), np.random.default_rng(1).integers(0, classes, rows)
        dy = np.full(rows, 1 / rows, np.float32)
        torch, jax = peers.torch, peers.jax

        def pylearn() -> Side:
            loss, labels = op("softmax_cross_entropy"), y.copy()
            return vjp_side(lambda x: loss(x, labels), dy, x)

        def jax_step(x: Any, y: Any) -> Any:
            def loss(x: Any) -> Any:
                losses = -jax.numpy.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)[:, 0]
                return losses.mean(), losses

            (_, losses), dx = jax.value_and_grad(loss, has_aux=True)(x)
            return losses, dx

        sides: Sides = [
            ours(pylearn),
            *numpy_sides("cross_entropy_both", x, y)[:1],
            *jax_sides(jax_step, x, y),
        ]
        if torch is not None:
            tx, ty = torch_tensor(x).requires_grad_(), torch_tensor(y)

            def torch_loss(x: Any, y: Any) -> Any:
                losses = torch.nn.functional.cross_entropy(x, y, reduction="none")
                return losses.mean(), losses

            timed = {"torch": torch_loss} | (
                {"compiled": peers.compiled(torch_loss)} if peers.compiles else {}
            )
            for name, loss in timed.items():

                def run(loss: Any = loss) -> Any:
                    tx.grad = None
                    mean, losses = loss(tx, ty)
                    mean.backward()
                    return losses.detach(), tx.grad

                sides.append(Side(name, run, lambda run=run: as_arrays(run())))
        return list(by_numpy.cross_entropy_both(x.astype(np.float64), y)), sides

    label = f"{rows}x{classes} fwd+bwd"
    # logits read forward, and again backward, where their gradient is written
    return Case("loss", "softmax_cross_entropy", label, build, nbytes=12.0 * rows * classes, cold=True)


CASES = (
    cross_entropy(128, 10),
    cross_entropy(2048, 96),
    cross_entropy(4096, 1000),
    cross_entropy(16384, 1000),
)
