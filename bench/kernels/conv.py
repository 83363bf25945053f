"""Two-dimensional convolutions, NHWC for NumPy, JAX and pylearn; torch has its images in channels_last memory, which
is faster for it here than its default. Forward + backward gives y, dx, dw and db for a given dy."""

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
    torch_vjp_sides,
    vjp_side,
    wide,
)

ROWS = (  # batch, channels, size, filters, kernel, padding
    (128, 1, 28, 32, 3, "valid"),
    (128, 32, 13, 64, 3, "valid"),
    (64, 3, 32, 16, 3, "same"),
    (64, 16, 32, 16, 3, "same"),
    (64, 32, 16, 32, 3, "same"),
    (64, 64, 8, 64, 3, "same"),
    (64, 64, 8, 64, 1, "valid"),
)


def conv2d(batch: int, channels: int, size: int, filters: int, kernel: int, padding: str, both: bool) -> Case:
    pad = kernel // 2 if padding == "same" else 0
    out = size + 2 * pad - kernel + 1

    def build() -> Any:
        x, w, b = (
            normal(batch, size, size, channels),
            normal(kernel, kernel, channels, filters),
            normal(filters),
        )
        dy = normal(batch, out, out, filters)
        return (_both if both else _forward)(x, w, b, dy, pad, padding)

    label = f"{batch}x{channels}x{size}x{size}->{filters} {kernel}x{kernel} {padding}"
    label += " fwd+bwd" if both else " fwd"
    flops = (6.0 if both else 2.0) * batch * out * out * filters * kernel * kernel * channels
    return Case("conv", "conv2d", label, build, flops, heavy=flops > 1e8, cold=not both)


def _jax_conv(padding: str) -> Any:
    return lambda x, w, b: (
        peers.jax.lax.conv_general_dilated(
            x, w, (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        + b
    )


def _forward(x: Any, w: Any, b: Any, dy: Any, pad: int, padding: str) -> Any:
    def pylearn() -> Side:
        conv = op("conv2d")
        return side("pylearn", lambda: conv(x, w, b, padding=padding))

    sides: Sides = [ours(pylearn), *numpy_sides("conv2d", x, w, b, pad)]
    sides += jax_sides(_jax_conv(padding), x, w, b)
    if peers.torch is not None:
        images, weights, bias = _torch_layout(x), _torch_kernel(w), peers.torch.from_numpy(b)

        def run() -> Any:
            return peers.torch.nn.functional.conv2d(images, weights, bias, padding=pad)

        sides.append(Side("torch", run, lambda: [run().permute(0, 2, 3, 1).numpy()]))
    return [by_numpy.conv2d(*wide(x, w, b), pad)], sides


def _both(x: Any, w: Any, b: Any, dy: Any, pad: int, padding: str) -> Any:
    def pylearn() -> Side:
        conv = op("conv2d")
        return vjp_side(lambda x, w, b: conv(x, w, b, padding=padding), dy, x, w, b)

    sides: Sides = [ours(pylearn), *numpy_sides("conv2d_both", dy, x, w, b, pad)]
    sides += jax_vjp_sides(_jax_conv(padding), dy, x, w, b)
    if peers.torch is not None:
        [made] = torch_vjp_sides(
            lambda x, w, b: peers.torch.nn.functional.conv2d(x, w, b, padding=pad),
            _torch_layout(dy), _torch_layout(x), _torch_kernel(w), b,
        )  # fmt: skip

        def result() -> list[np.ndarray]:
            y, dx, dw, db = made.run()
            return [
                y.permute(0, 2, 3, 1).numpy(), dx.permute(0, 2, 3, 1).numpy(), dw.permute(2, 3, 1, 0).numpy(),
                db.numpy(),
            ]  # fmt: skip

        sides.append(Side("torch", made.run, result))
    return list(by_numpy.conv2d_both(*wide(dy, x, w, b), pad)), sides


def _torch_layout(x: np.ndarray) -> Any:
    """(N, H, W, C) → (N, C, H, W) in channels_last memory."""
    return peers.torch.from_numpy(x.copy()).permute(0, 3, 1, 2)


def _torch_kernel(w: np.ndarray) -> Any:
    """(KH, KW, C, F) → (F, C, KH, KW) in channels_last memory."""
    found = peers.torch.from_numpy(np.ascontiguousarray(w.transpose(3, 2, 0, 1)))
    return found.to(memory_format=peers.torch.channels_last)


CASES = tuple(conv2d(*row, both) for row in ROWS for both in (False, True))
