"""One update of n parameters in one array; the state goes on from call to call, the comparison is of the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import by_numpy, peers
from bench.cases import Case
from bench.kernels.sides import Side, Sides, jax_sides, normal, op, ours, torch_sides

SIZES = (8_000, 670_000, 10_000_000)


def _after(step: Callable[[], Any], state: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    def result() -> list[Any]:
        step()
        return [np.array(a) for a in state()]

    return result


def adam(n: int) -> Case:
    def build() -> Any:
        p, g = normal(n), normal(n)[::-1].copy()
        g += np.copysign(np.float32(0.1), g)  # torch's epsilon has another place, which shows where g is tiny
        want = [a.astype(np.float64) for a in (p, np.zeros(n), np.zeros(n))]
        wide = g.astype(np.float64)
        m, v = 0.1 * wide, 0.001 * wide**2
        want = [want[0] - 1e-3 * np.sqrt(0.001) / 0.1 * m / (np.sqrt(v) + 1e-7), m, v]

        def pylearn() -> Side:
            return _counted("pylearn", op("adam_update"), p, g)

        sides: Sides = [ours(pylearn)]
        spare = [np.empty(n, np.float32) for _ in range(2)]
        sides.append(_counted("numpy", lambda p, g, m, v, t: by_numpy.adam(p, g, m, v, *spare, t), p, g))
        return want, [*sides, *_torch_adam(p, g), *_jax_adam(p, g)]

    # p, m, v read and written, g read
    return Case("optim", "adam_update", f"{n:,}", build, nbytes=28.0 * n, heavy=n > 1e6)


def _counted(name: str, update: Callable[..., Any], p: np.ndarray, g: np.ndarray) -> Side:
    """A side of an update in place that takes the number of the step."""
    state = [p.copy(), g.copy(), np.zeros_like(p), np.zeros_like(p)]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        update(*state, t)

    return Side(name, step, _after(step, lambda: [state[0], state[2], state[3]]))


def _torch_adam(p: np.ndarray, g: np.ndarray) -> Sides:
    torch = peers.torch
    if torch is None:
        return []
    parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
    parameter.grad = torch.from_numpy(g.copy())
    optimizer = torch.optim.Adam([parameter], lr=1e-3, eps=1e-7, fused=True)

    def state() -> list[Any]:
        found = optimizer.state[parameter]
        return [t.detach().numpy() for t in (parameter, found["exp_avg"], found["exp_avg_sq"])]

    return [Side("torch", optimizer.step, _after(optimizer.step, state))]


def _jax_adam(p: np.ndarray, g: np.ndarray) -> Sides:
    if peers.jax is None:
        return []
    jax, jnp = peers.jax, peers.jax.numpy

    def update(p: Any, m: Any, v: Any, t: Any, g: Any) -> Any:
        t = t + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return p - rate * m / (jnp.sqrt(v) + 1e-7), m, v, t

    compiled = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    # Copies: JAX may share an array's memory, and these are given away.
    state = [jnp.array(p, copy=True), jnp.zeros(p.size), jnp.zeros(p.size), jnp.float32(0)]
    gradient = jnp.asarray(g)

    def step() -> None:
        state[:] = jax.block_until_ready(compiled(*state, gradient))

    return [Side("jax", step, _after(step, lambda: state[:3]))]


def sgd(n: int) -> Case:
    def build() -> Any:
        p, g = normal(n), normal(n)[::-1].copy()
        mine, theirs, spare = p.copy(), p.copy(), np.empty(n, np.float32)

        def pylearn() -> Side:
            update = op("sgd_update")

            def step() -> None:
                update(mine, g, lr=0.01)

            return Side("pylearn", step, _after(step, lambda: [mine]))

        def numpy_step() -> None:
            by_numpy.sgd(theirs, g, spare)

        return [p.astype(np.float64) - 0.01 * g], [
            ours(pylearn),
            Side("numpy", numpy_step, _after(numpy_step, lambda: [theirs])),
            *torch_sides(lambda p, g: p.sub_(g, alpha=0.01), p, g),
            *jax_sides(lambda p, g: p - 0.01 * g, p, g),
        ]

    return Case("optim", "sgd_update", f"{n:,}", build, nbytes=12.0 * n, heavy=n > 1e6)


CASES = (*(adam(n) for n in SIZES), *(sgd(n) for n in SIZES))
