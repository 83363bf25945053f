"""The kernel cases: pylearn.ops on NumPy arrays, beside NumPy, torch and JAX on theirs.

torch and JAX hold their own arrays before the clock starts, in the layout they like best; a JAX call ends when
its result is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench import peers
from bench.cases import Case, Side

MATMUL_SHAPES = (  # m, k, n
    (64, 64, 64),
    (32, 784, 100),
    (128, 784, 512),
    (256, 256, 256),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (4096, 1024, 64),
    (64, 4096, 1024),
)


def side(name: str, function: Callable[[], Any]) -> Side:
    """A side whose result is what its function returns."""

    def result() -> Sequence[Any]:
        found = function()
        return [np.asarray(a) for a in (found if isinstance(found, tuple | list) else (found,))]

    return Side(name, function, result)


def torch_side(function: Callable[..., Any], *args: Any) -> list[Side]:
    """[the function of torch tensors], or [] without torch."""
    if peers.torch is None:
        return []
    tensors = [peers.torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in args]
    return [side("torch", lambda: function(*tensors))]


def jax_side(function: Callable[..., Any], *args: Any) -> list[Side]:
    """[the function of JAX arrays, compiled], or [] without JAX."""
    if peers.jax is None:
        return []
    arrays = [peers.jax.numpy.asarray(a) for a in args]
    compiled = peers.jax.jit(function)
    return [side("jax", lambda: peers.jax.block_until_ready(compiled(*arrays)))]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def matmul(m: int, k: int, n: int) -> Case:
    def build() -> Any:
        from pylearn import ops, reference

        a, b = normal(m, k), normal(k, n)
        want = [reference.matmul(a.astype(np.float64), b.astype(np.float64))]
        return want, [
            side("pylearn", lambda: ops.matmul(a, b)),
            side("numpy", lambda: a @ b),
            *torch_side(lambda x, y: x @ y, a, b),
            *jax_side(lambda x, y: x @ y, a, b),
        ]

    flops = 2.0 * m * k * n
    return Case("kernel", "matmul", f"{m}x{k}x{n}", build, flops, heavy=flops > 1e9)


def dense(m: int, k: int, n: int) -> Case:
    def build() -> Any:
        from pylearn import ops, reference

        x, w, b = normal(m, k), normal(k, n), normal(n)
        want = [reference.linear(*(a.astype(np.float64) for a in (x, w, b)), "relu")]
        torch, jax = peers.torch, peers.jax
        return want, [
            side("pylearn", lambda: ops.linear(x, w, b, "relu")),
            side("numpy", lambda: np.maximum(x @ w + b, 0)),
            *torch_side(lambda x, w, b: torch.relu(torch.addmm(b, x, w)), x, w, b),
            *jax_side(lambda x, w, b: jax.nn.relu(x @ w + b), x, w, b),
        ]

    return Case("kernel", "linear", f"relu {m}x{k}x{n}", build, 2.0 * m * k * n)


def cross_entropy(rows: int, classes: int) -> Case:
    """Forward and backward of the mean loss from logits and class ids."""

    def numpy_step(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = x - x.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        row = np.arange(len(y))
        losses = np.log(total[:, 0]) - z[row, y]
        e /= total * np.float32(len(y))
        e[row, y] -= np.float32(1 / len(y))
        return losses, e

    def build() -> Any:
        from pylearn import ops, reference

        x, y = normal(rows, classes), np.random.default_rng(1).integers(0, classes, rows)
        dy = np.full(rows, 1 / rows, np.float32)
        wide = x.astype(np.float64)
        want = [
            reference.softmax_cross_entropy(wide, y),
            reference.softmax_cross_entropy_backward(dy.astype(np.float64), wide, y),
        ]
        torch, jax = peers.torch, peers.jax

        def ours() -> Any:
            return ops.softmax_cross_entropy(x, y), ops.softmax_cross_entropy_backward(dy, x, y)

        def torch_step(x: Any, y: Any) -> Any:
            x.grad = None
            losses = torch.nn.functional.cross_entropy(x.requires_grad_(), y, reduction="none")
            losses.mean().backward()
            return losses.detach(), x.grad

        def jax_step(x: Any, y: Any) -> Any:
            def loss(x: Any) -> Any:
                losses = -jax.numpy.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)[:, 0]
                return losses.mean(), losses

            (_, losses), dx = jax.value_and_grad(loss, has_aux=True)(x)
            return losses, dx

        return want, [
            side("pylearn", ours),
            side("numpy", lambda: numpy_step(x, y)),
            *torch_side(torch_step, x, y),
            *jax_side(jax_step, x, y),
        ]

    return Case(
        "kernel", "softmax_cross_entropy", f"{rows}x{classes} fwd+bwd", build, nbytes=8.0 * rows * classes
    )


def adam(n: int) -> Case:
    def numpy_step(p: Any, g: Any, m: Any, v: Any, a: Any, b: Any, t: int) -> None:
        m *= np.float32(0.9)
        np.multiply(g, np.float32(0.1), out=a)
        m += a
        v *= np.float32(0.999)
        np.multiply(g, g, out=a)
        a *= np.float32(0.001)
        v += a
        np.sqrt(v, out=a)
        a += np.float32(1e-7)
        np.divide(m, a, out=b)
        b *= np.float32(1e-3 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t))
        p -= b

    def build() -> Any:
        from pylearn import ops, reference

        p, g = normal(n), normal(n)[::-1].copy()
        g += np.copysign(np.float32(0.1), g)  # torch's epsilon has another place, which shows where g is tiny
        zeros = np.zeros(n)
        want_p, want_m, want_v = p.astype(np.float64), zeros.copy(), zeros.copy()
        reference.adam_update(want_p, g.astype(np.float64), want_m, want_v, 1)

        def slots() -> list[np.ndarray]:
            return [p.copy(), g.copy(), np.zeros(n, np.float32), np.zeros(n, np.float32)]

        ours, theirs, spare = slots(), slots(), [np.empty(n, np.float32) for _ in range(2)]
        steps = [0, 0]

        def our_step() -> None:
            steps[0] += 1
            ops.adam_update(*ours, steps[0])

        def their_step() -> None:
            steps[1] += 1
            numpy_step(*theirs, *spare, steps[1])

        def after(step: Callable[[], Any], state: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
            return lambda: (step(), state())[1]

        sides = [
            Side("pylearn", our_step, after(our_step, lambda: [ours[i].copy() for i in (0, 2, 3)])),
            Side("numpy", their_step, after(their_step, lambda: [theirs[i].copy() for i in (0, 2, 3)])),
        ]
        if peers.torch is not None:
            torch = peers.torch
            parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
            parameter.grad = torch.from_numpy(g.copy())
            optimizer = torch.optim.Adam([parameter], lr=1e-3, eps=1e-7, fused=True)

            def torch_state() -> list[Any]:
                found = optimizer.state[parameter]
                return [t.detach().numpy().copy() for t in (parameter, found["exp_avg"], found["exp_avg_sq"])]

            sides.append(Side("torch", optimizer.step, after(optimizer.step, torch_state)))
        if peers.jax is not None:
            sides.append(_jax_adam(p, g))
        return [want_p, want_m, want_v], sides

    # p, m, v read and written, g read
    return Case("kernel", "adam_update", f"{n:,}", build, nbytes=28.0 * n, heavy=n > 1e6)


def _jax_adam(p: np.ndarray, g: np.ndarray) -> Side:
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

    def result() -> list[Any]:
        step()
        return [np.array(a) for a in state[:3]]

    return Side("jax", step, result)


def sgd(n: int) -> Case:
    def build() -> Any:
        from pylearn import ops, reference

        p, g = normal(n), normal(n)[::-1].copy()
        want = [reference.sgd_update(p.astype(np.float64), g.astype(np.float64), lr=0.01)]
        ours, theirs, rate = p.copy(), p.copy(), np.float32(0.01)
        spare = np.empty(n, np.float32)

        def numpy_step() -> np.ndarray:
            np.multiply(g, rate, out=spare)
            np.subtract(theirs, spare, out=theirs)
            return theirs

        def our_step() -> np.ndarray:
            ops.sgd_update(ours, g, lr=0.01)
            return ours

        return want, [
            side("pylearn", our_step),
            side("numpy", numpy_step),
            *torch_side(lambda p, g: p.sub_(g, alpha=0.01), p, g),
            *jax_side(lambda p, g: p - 0.01 * g, p, g),
        ]

    return Case("kernel", "sgd_update", f"{n:,}", build, nbytes=12.0 * n)


def unary(name: str, n: int) -> Case:
    def build() -> Any:
        from pylearn import ops, reference

        x, op, numpy_op = normal(n), getattr(ops, name), getattr(np, name)
        return [getattr(reference, name)(x.astype(np.float64))], [
            side("pylearn", lambda: op(x)),
            side("numpy", lambda: numpy_op(x)),
            *torch_side(lambda x: getattr(peers.torch, name)(x), x),
            *jax_side(lambda x: getattr(peers.jax.numpy, name)(x), x),
        ]

    writes = 0 if name == "sum" else n
    return Case("kernel", name, f"{n:,}", build, nbytes=4.0 * (n + writes))


def small_add() -> Case:
    """What a call costs: 16 elements."""

    def build() -> Any:
        import pylearn

        x, y = normal(16), normal(17)[:16].copy()
        a, b, add = pylearn.asarray(x), pylearn.asarray(y), pylearn.ops.add
        return [x.astype(np.float64) + y], [
            side("pylearn", lambda: add(a, b)),
            side("pylearn on NumPy arrays", lambda: add(x, y)),
            side("numpy", lambda: x + y),
            *torch_side(lambda x, y: x + y, x, y),
            *jax_side(lambda x, y: x + y, x, y),
        ]

    return Case("kernel", "add", "16 elements", build)


def conv2d(batch: int, channels: int, size: int, filters: int, kernel: int, padding: str) -> Case:
    out = size if padding == "same" else size - kernel + 1

    def numpy_conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        margin = (size + kernel - 1 - size) // 2 if padding == "same" else 0
        x = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))  # N H W C kh kw
        rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel * kernel * channels)
        return (rows @ w.reshape(-1, filters)).reshape(batch, out, out, filters)

    def build() -> Any:
        from pylearn import ops, reference

        x, w = normal(batch, size, size, channels), normal(kernel, kernel, channels, filters)
        want = [reference.conv2d(x.astype(np.float64), w.astype(np.float64), padding=padding)]
        torch, jax = peers.torch, peers.jax
        sides = [
            side("pylearn", lambda: ops.conv2d(x, w, padding=padding)),
            side("numpy", lambda: numpy_conv(x, w)),
            *jax_side(
                lambda x, w: jax.lax.conv_general_dilated(
                    x, w, (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
                ),
                x, w,
            ),
        ]  # fmt: skip
        if torch is not None:
            images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
            weights = torch.from_numpy(np.ascontiguousarray(w.transpose(3, 2, 0, 1)))

            def run() -> Any:
                return torch.nn.functional.conv2d(images, weights, padding=padding)

            sides.append(Side("torch", run, lambda: [run().permute(0, 2, 3, 1).numpy()]))
        return want, sides

    label = f"{batch}x{channels}x{size}x{size}->{filters} {kernel}x{kernel} {padding}"
    flops = 2.0 * batch * out * out * filters * kernel * kernel * channels
    return Case("kernel", "conv2d", label, build, flops, heavy=flops > 1e8)


def lstm_cell(batch: int, features: int, units: int) -> Case:
    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def numpy_cell(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
        i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def build() -> Any:
        from pylearn import ops, reference

        scale = np.float32(0.1)
        x, h, c = normal(batch, features), normal(batch, units), normal(batch + 1, units)[1:].copy()
        w, u, b = (
            normal(features, 4 * units) * scale,
            normal(units, 4 * units) * scale,
            normal(4 * units) * scale,
        )
        args = (x, h, c, w, u, b)
        torch, jax = peers.torch, peers.jax

        def jax_cell(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
            i, f, g, o = jax.numpy.split(x @ w + h @ u + b, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
            return jax.nn.sigmoid(o) * jax.numpy.tanh(c), c

        sides = [
            side("pylearn", lambda: ops.lstm_cell(*args)),
            side("numpy", lambda: numpy_cell(*args)),
            *jax_side(jax_cell, *args),
        ]
        if torch is not None:
            cell = torch.nn.LSTMCell(features, units)
            values = (w.T, u.T, b, np.zeros_like(b))  # torch has two biases and transposed weights
            with torch.no_grad():
                for parameter, value in zip(cell.parameters(), values, strict=True):
                    parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))

            @torch.no_grad()
            def run(x: Any, h: Any, c: Any) -> Any:
                return cell(x, (h, c))

            sides += torch_side(run, x, h, c)
        return list(reference.lstm_cell(*(a.astype(np.float64) for a in args))), sides

    return Case(
        "kernel",
        "lstm_cell",
        f"{batch}x{features}, {units} units",
        build,
        8.0 * batch * units * (features + units),
    )


CASES = (
    *(matmul(*shape) for shape in MATMUL_SHAPES),
    dense(128, 784, 512),
    cross_entropy(128, 10),
    cross_entropy(2048, 96),
    cross_entropy(4096, 1000),
    adam(8_000),
    adam(670_000),
    adam(10_000_000),
    sgd(670_000),
    unary("exp", 1_000_000),
    unary("tanh", 1_000_000),
    unary("sum", 1_000_000),
    small_add(),
    conv2d(128, 1, 28, 32, 3, "valid"),
    conv2d(128, 32, 13, 64, 3, "valid"),
    conv2d(64, 16, 32, 16, 3, "same"),
    lstm_cell(32, 128, 128),
    lstm_cell(1, 128, 128),
)
