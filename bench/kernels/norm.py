"""Layer and batch normalisation and attention, forward + backward: y and the gradients of all arguments for a dy."""

from __future__ import annotations

from typing import Any

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

EPSILON = 1e-5


def layer_norm(rows: int, features: int) -> Case:
    def build() -> Any:
        x, gamma, beta = normal(rows, features), normal(features), normal(features, seed=1)
        dy = normal(rows, features, seed=1)

        def pylearn() -> Side:
            norm = op("layer_norm")
            return vjp_side(lambda x, g, b: norm(x, g, b, epsilon=EPSILON), dy, x, gamma, beta)

        def torch_norm(x: Any, gamma: Any, beta: Any) -> Any:
            return peers.torch.nn.functional.layer_norm(x, (features,), gamma, beta, EPSILON)

        return list(by_numpy.layer_norm_both(*wide(dy, x, gamma, beta), EPSILON)), [
            ours(pylearn),
            *numpy_sides("layer_norm_both", dy, x, gamma, beta, EPSILON)[:1],
            *torch_vjp_sides(torch_norm, dy, x, gamma, beta, compiled=True),
            *jax_vjp_sides(_jax_norm((-1,)), dy, x, gamma, beta),
        ]

    nbytes = 20.0 * rows * features  # x read, y written; x, dy read, dx written
    label = f"{rows}x{features} fwd+bwd"
    return Case("norm", "layer_norm", label, build, nbytes=nbytes, heavy=nbytes > 1e8)


def _jax_norm(axes: tuple[int, ...]) -> Any:
    def norm(x: Any, gamma: Any, beta: Any) -> Any:
        centred = x - x.mean(axes, keepdims=True)
        scale = peers.jax.lax.rsqrt((centred**2).mean(axes, keepdims=True) + EPSILON)
        return centred * scale * gamma + beta

    return norm


def batch_norm(batch: int, channels: int, size: int) -> Case:
    """Channels last for pylearn, NumPy and JAX; torch has channels_last memory."""

    def build() -> Any:
        x, dy = normal(batch, size, size, channels), normal(batch, size, size, channels, seed=1)
        gamma, beta = normal(channels), normal(channels, seed=1)

        def pylearn() -> Side:
            norm = op("batch_norm")
            return vjp_side(lambda x, g, b: norm(x, g, b, epsilon=EPSILON)[0], dy, x, gamma, beta)

        sides: Sides = [ours(pylearn), *numpy_sides("batch_norm_both", dy, x, gamma, beta, EPSILON)[:1]]
        sides += jax_vjp_sides(_jax_norm((0, 1, 2)), dy, x, gamma, beta)
        torch = peers.torch
        if torch is not None:

            def run(x: Any, gamma: Any, beta: Any) -> Any:
                return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPSILON)

            images, seed = (torch.from_numpy(a.copy()).permute(0, 3, 1, 2) for a in (x, dy))
            sides += torch_vjp_sides(
                run, seed, images, gamma, beta, back=lambda t: t.permute(0, 2, 3, 1), compiled=True
            )
        return list(by_numpy.batch_norm_both(*wide(dy, x, gamma, beta), EPSILON)), sides

    # x read for the statistics and for y, which is written; x and dy read for the sums and for dx, which is written
    nbytes = 32.0 * batch * size * size * channels
    label = f"{batch}x{channels}x{size}x{size} fwd+bwd"
    return Case("norm", "batch_norm", label, build, nbytes=nbytes, tolerance=1e-4, heavy=nbytes > 1e8)


def attention(batch: int, steps: int, heads: int, size: int, causal: bool, both: bool) -> Case:
    """Scaled dot-product attention on (B, T, H, D)."""

    def build() -> Any:
        q, k, v, dy = (normal(batch, steps, heads, size, seed=i) for i in range(4))

        def pylearn() -> Side:
            attend = op("scaled_dot_product_attention")
            if both:
                return vjp_side(lambda q, k, v: attend(q, k, v, is_causal=causal), dy, q, k, v)
            return side("pylearn", lambda: attend(q, k, v, is_causal=causal))

        def torch_attend(q: Any, k: Any, v: Any) -> Any:
            q, k, v = (a.transpose(1, 2) for a in (q, k, v))
            return peers.torch.nn.functional.scaled_dot_product_attention(
                q, k, v, is_causal=causal
            ).transpose(1, 2)

        def jax_attend(q: Any, k: Any, v: Any) -> Any:
            return peers.jax.nn.dot_product_attention(q, k, v, is_causal=causal)

        if both:
            return list(by_numpy.attention_both(*wide(dy, q, k, v), causal)), [
                ours(pylearn),
                *numpy_sides("attention_both", dy, q, k, v, causal),
                *torch_vjp_sides(torch_attend, dy, q, k, v, compiled=True),
                *jax_vjp_sides(jax_attend, dy, q, k, v),
            ]
        return [by_numpy.attention(*wide(q, k, v), causal)], [
            ours(pylearn),
            *numpy_sides("attention", q, k, v, causal),
            *torch_sides(torch_attend, q, k, v, compiled=True),
            *jax_sides(jax_attend, q, k, v),
        ]

    label = f"B{batch} T{steps} {heads}x{size}{' causal' if causal else ''} {'fwd+bwd' if both else 'fwd'}"
    pairs = steps * (steps + 1) / 2 if causal else float(steps * steps)
    flops = (
        (14 if both else 4) * batch * heads * size * pairs
    )  # 2 products, and 5 more of which 1 is repeated
    return Case("attention", "attention", label, build, flops, heavy=flops > 1e9, cold=not both)


CASES = (
    layer_norm(2048, 128),
    layer_norm(16384, 1024),
    batch_norm(64, 16, 32),
    batch_norm(64, 64, 64),
    *(
        attention(*row, both)
        for row in ((16, 128, 4, 32, True), (4, 512, 8, 64, False), (4, 512, 8, 64, True), (1, 2048, 8, 64, True))
        for both in (False, True)
    ),
)  # fmt: skip
