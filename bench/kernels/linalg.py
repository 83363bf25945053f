"""Matrix products: float32 in four forms of transposed operands, bfloat16, and with bias and activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import by_numpy, peers
from bench.cases import Case
from bench.kernels.sides import (
    jax_sides,
    normal,
    numpy_sides,
    op,
    ours,
    remote_side,
    side,
    torch_sides,
    torch_tensor,
    wide,
)
from bench.onednn import rounded

SHAPES = (  # m, k, n
    (64, 64, 64),
    (32, 784, 100),
    (128, 784, 512),
    (256, 256, 256),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (4096, 1024, 64),
    (64, 4096, 1024),
)
FORMS = ("nn", "nt", "tn", "tt")  # t: the operand is a transposed view


def _operands(m: int, k: int, n: int, form: str) -> tuple[np.ndarray, np.ndarray]:
    a = normal(k, m).T if form[0] == "t" else normal(m, k)
    b = normal(n, k, seed=1).T if form[1] == "t" else normal(k, n, seed=1)
    return a, b


def matmul(m: int, k: int, n: int, form: str = "nn") -> Case:
    def build() -> Any:
        a, b = _operands(m, k, n, form)
        return [by_numpy.matmul(*wide(a, b))], [
            ours(lambda: _ours(op("matmul"), a, b)),
            *numpy_sides("matmul", a, b),
            *torch_sides(lambda x, y: x @ y, a, b),
            *_jax(a, b),
            *remote_side("onednn", peers.onednn_worker(), "bench.onednn:Matmul", a, b),
        ]

    flops = 2.0 * m * k * n
    label = f"{m}x{k}x{n}" + ("" if form == "nn" else f" {form}")
    nbytes = 4.0 * (m * k + k * n + m * n)
    cold = form == "nn" and flops < 1e9
    heavy = flops > 1e9 or (form != "nn" and m != 256)
    return Case("gemm", "matmul", label, build, flops, nbytes, heavy=heavy, cold=cold)


def _ours(matmul: Any, a: Any, b: Any) -> Any:
    return side("pylearn", lambda: matmul(a, b))


def _jax(a: np.ndarray, b: np.ndarray) -> Any:
    """JAX has no strides: a transposed view is an array that is transposed inside the jit."""
    flip = [not x.flags.c_contiguous for x in (a, b)]
    stored = [x.T if t else x for x, t in zip((a, b), flip, strict=True)]
    return jax_sides(lambda x, y: (x.T if flip[0] else x) @ (y.T if flip[1] else y), *stored)


def matmul_bf16(m: int, k: int, n: int) -> Case:
    """bfloat16 operands, float32 sums and results; the operands are exactly representable, so the oracle is exact."""

    def build() -> Any:
        a, b = (_exact(x) for x in _operands(m, k, n, "nn"))

        def run(x: Any, y: Any) -> Any:
            return peers.torch.mm(x, y)

        def pair(x: np.ndarray) -> Any:
            return torch_tensor(x).bfloat16()

        sides = [
            ours(lambda: _ours(op("matmul_bf16"), a, b)),
            *remote_side(
                "onednn", peers.onednn_worker(), "bench.onednn:Matmul", *(rounded(x) for x in (a, b))
            ),
        ]
        if peers.torch is not None:  # torch rounds its result to bfloat16 too
            sides += [_widened(s) for s in torch_sides(run, pair(a), pair(b))]
        if peers.jax is not None:
            jnp = peers.jax.numpy
            sides += jax_sides(
                lambda x, y: jnp.matmul(x, y, preferred_element_type=jnp.float32),
                jnp.asarray(a, jnp.bfloat16), jnp.asarray(b, jnp.bfloat16),
            )  # fmt: skip
        return [by_numpy.matmul(*wide(a, b))], sides

    flops = 2.0 * m * k * n
    return Case(
        "gemm", "matmul_bf16", f"{m}x{k}x{n}", build, flops, tolerance=4e-3, heavy=flops > 1e9, peak="bf16"
    )


def _exact(x: np.ndarray) -> np.ndarray:
    return (rounded(x).astype(np.uint32) << 16).view(np.float32)


def _widened(made: Any) -> Any:
    from bench.cases import Side

    return Side(made.name, made.run, lambda: [made.run().float().numpy()])


def dense(m: int, k: int, n: int) -> Case:
    def build() -> Any:
        x, w, b = normal(m, k), normal(k, n), normal(n)
        torch, jax = peers.torch, peers.jax

        def pylearn() -> Any:
            linear = op("linear")
            return side("pylearn", lambda: linear(x, w, b, "relu"))

        return [by_numpy.linear_relu(*wide(x, w, b))], [
            ours(pylearn),
            *numpy_sides("linear_relu", x, w, b),
            *torch_sides(lambda x, w, b: torch.relu(torch.addmm(b, x, w)), x, w, b, compiled=True),
            *jax_sides(lambda x, w, b: jax.nn.relu(x @ w + b), x, w, b),
        ]

    return Case("gemm", "linear", f"relu {m}x{k}x{n}", build, 2.0 * m * k * n, cold=True)


CASES = (
    *(matmul(*shape, form) for shape in SHAPES for form in FORMS),
    dense(128, 784, 512),
    dense(32, 784, 100),
    *(matmul_bf16(*shape) for shape in ((256, 256, 256), (128, 784, 512), (1024, 1024, 1024))),
)
