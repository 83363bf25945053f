"""Elementwise functions, sums, what a small call costs, pooling and embedding."""

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
    torch_vjp_sides,
    vjp_side,
    wide,
)


def unary(name: str, n: int) -> Case:
    def build() -> Any:
        x, numpy_op = normal(n), getattr(np, name)

        def pylearn() -> Side:
            mine = op(name)
            return side("pylearn", lambda: mine(x))

        return [numpy_op(x.astype(np.float64))], [
            ours(pylearn),
            side("numpy", lambda: numpy_op(x)),
            *torch_sides(lambda x: getattr(peers.torch, name)(x), x, compiled=True),
            *jax_sides(lambda x: getattr(peers.jax.numpy, name)(x), x),
        ]

    writes = 0 if name == "sum" else n
    return Case("elementwise", name, f"{n:,}", build, nbytes=4.0 * (n + writes), cold=n < 5_000_000)


def small_add() -> Case:
    """What a call costs: 16 elements."""

    def build() -> Any:
        import pylearn

        x, y = normal(16), normal(17)[:16].copy()
        a, b, add = pylearn.asarray(x), pylearn.asarray(y), op("add")
        return [x.astype(np.float64) + y], [
            side("pylearn", lambda: add(a, b)),
            side("pylearn on NumPy arrays", lambda: add(x, y)),
            side("numpy", lambda: x + y),
            *torch_sides(lambda x, y: x + y, x, y),
            *jax_sides(lambda x, y: x + y, x, y),
        ]

    return Case("elementwise", "add", "16 elements", build)


def max_pool(batch: int, channels: int, size: int, both: bool) -> Case:
    """2 × 2; forward + backward sends dy to the largest of each window."""

    def build() -> Any:
        x, dy = normal(batch, size, size, channels), normal(batch, size // 2, size // 2, channels)
        torch, jax = peers.torch, peers.jax

        def pylearn() -> Side:
            pool = op("max_pool2d")
            return vjp_side(pool, dy, x) if both else side("pylearn", lambda: pool(x))

        def jax_pool(x: Any) -> Any:
            window = (1, 2, 2, 1)
            return jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, window, "VALID")

        want = [by_numpy.max_pool_2x2(x)]
        sides: Sides = [ours(pylearn)]
        if both:
            largest = want[0].repeat(2, axis=1).repeat(2, axis=2)
            want.append(np.where(x == largest, dy.repeat(2, axis=1).repeat(2, axis=2), np.float32(0)))
            sides += jax_vjp_sides(jax_pool, dy, x)
        else:
            sides += [*numpy_sides("max_pool_2x2", x)[:1], *jax_sides(jax_pool, x)]
        if torch is not None:
            images, seed = (torch.from_numpy(a.copy()).permute(0, 3, 1, 2) for a in (x, dy))

            def pool(x: Any) -> Any:
                return torch.nn.functional.max_pool2d(x, 2)

            if both:
                sides += torch_vjp_sides(pool, seed, images, back=lambda t: t.permute(0, 2, 3, 1))
            else:
                sides.append(
                    Side("torch", lambda: pool(images), lambda: [pool(images).permute(0, 2, 3, 1).numpy()])
                )
        return want, sides

    values = float(batch * channels * size * size)
    label = f"{batch}x{channels}x{size}x{size} 2x2 {'fwd+bwd' if both else 'fwd'}"
    return Case("pool", "max_pool2d", label, build, nbytes=(10 if both else 5) * values, cold=not both)


def embedding(rows: int, features: int, *ids_shape: int) -> Case:
    """Forward + backward: the rows of ids that repeat, and their gradients added up in the table's."""

    def build() -> Any:
        from pylearn import ops

        table, dy = normal(rows, features), normal(*ids_shape, features)
        ids = np.random.default_rng(5).integers(0, rows, ids_shape)

        def pylearn() -> Side:
            if hasattr(ops, "embedding"):
                return vjp_side(lambda t: ops.embedding(ids, t), dy, table)
            take = op("take")
            return vjp_side(lambda t: take(t, ids, axis=0), dy, table)

        return list(by_numpy.embedding_both(*wide(dy), ids, *wide(table))), [
            ours(pylearn),
            *numpy_sides("embedding_both", dy, ids, table)[:1],
            *torch_vjp_sides(lambda ids, t: peers.torch.nn.functional.embedding(ids, t), dy, ids, table),
            *jax_vjp_sides(lambda ids, t: t[ids], dy, ids, table, by=(1,)),
        ]

    label = f"{rows}x{features}, {'x'.join(map(str, ids_shape))} ids fwd+bwd"
    values = float(np.prod(ids_shape)) * features
    return Case("embedding", "embedding", label, build, nbytes=4 * (4 * values + rows * features))


CASES = (
    unary("exp", 1_000_000),
    unary("tanh", 1_000_000),
    unary("sum", 1_000_000),
    unary("exp", 20_000_000),
    unary("sum", 20_000_000),
    small_add(),
    *(max_pool(*row, both) for row in ((128, 32, 26), (128, 64, 10)) for both in (False, True)),
    embedding(20_000, 128, 32, 80),
    embedding(5_000, 50, 32, 400),
)
