"""The sides of a kernel case.

pylearn is timed through ``pylearn.ops`` on NumPy arrays; forward + backward on Tensors, where the tape gives the
gradients of all arguments for a given dy, exactly what torch's ``y.backward(dy)`` and JAX's ``vjp`` are asked for.
torch and JAX hold their own arrays before the clock starts, in the layout they like best; a JAX call ends when its
result is there. torch.compile is measured where there is something to fuse: a product, a convolution or an LSTM
alone goes to the same library with or without it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench import by_numpy, peers
from bench.by_numpy import as_arrays
from bench.cases import Absent, Missing, Side

Sides = list[Side | Absent]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(sum(shape) + seed).standard_normal(shape, np.float32)


def op(name: str) -> Callable[..., Any]:
    """The op of ``pylearn.ops``.

    Raises:
        Missing: there is none.
    """
    from pylearn import ops

    if not hasattr(ops, name):
        raise Missing(f"pylearn.ops has no {name}")
    return getattr(ops, name)


def ours(make: Callable[[], Side]) -> Side | Absent:
    """pylearn's side, or that its op does not exist."""
    try:
        return make()
    except Missing as e:
        return Absent("pylearn", str(e))


def wide(*arrays: np.ndarray) -> list[np.ndarray]:
    return [a.astype(np.float64) for a in arrays]


def side(name: str, function: Callable[[], Any]) -> Side:
    """A side whose result is what its function returns."""
    return Side(name, function, lambda: as_arrays(function()))


def vjp_side(function: Callable[..., Any], dy: np.ndarray, *arrays: np.ndarray) -> Side:
    """pylearn's y, and the gradients for dy of all arguments."""
    from pylearn import _core

    seed, tensors = _core.asarray(dy), [_core.asarray(a.copy()) for a in arrays]
    for t in tensors:
        _core.watch_parameter(t)

    def run() -> Any:
        with _core.grad_scope():
            y = function(*tensors)
        return _core.detach(y), *_core.gradients(y, tensors, seed=seed)

    return side("pylearn", run)


def numpy_sides(name: str, *args: Any) -> Sides:
    """A function of bench/by_numpy.py here, and in the process of the best OpenBLAS core."""
    here = side("numpy", functools.partial(getattr(by_numpy, name), *args))
    return [here, *remote_side("openblas", peers.openblas_worker(), f"bench.by_numpy:{name}", *args)]


def remote_side(name: str, worker: Any, target: str, *args: Any) -> Sides:
    """[the target in a worker], or [] without the worker."""
    if worker is None:
        return []
    try:
        remote = worker.open(target, *args)
    except RuntimeError as e:
        return [Absent(name, str(e))]
    return [Side(name, remote, remote.result, elsewhere=remote)]


def torch_tensor(a: Any, transposed: bool = False) -> Any:
    if not isinstance(a, np.ndarray):
        return a
    return peers.torch.from_numpy(np.array(a, order="K" if transposed else "C"))


def torch_sides(function: Callable[..., Any], *args: Any, compiled: bool = False) -> Sides:
    """[the function of torch tensors, and compiled], or [] without torch. A matrix keeps its strides."""
    if peers.torch is None:
        return []
    tensors = [torch_tensor(a, isinstance(a, np.ndarray) and a.ndim == 2) for a in args]
    found: Sides = [side("torch", functools.partial(function, *tensors))]
    if compiled and peers.compiles:
        found.append(side("compiled", functools.partial(peers.compiled(function), *tensors)))
    return found


def torch_vjp_sides(
    function: Callable[..., Any], dy: Any, *args: Any, back: Callable[[Any], Any] | None = None, compiled: bool = False
) -> Sides:  # fmt: skip
    """torch's y and gradients of all floating arguments. ``args`` and ``dy`` in torch's layout; ``back`` turns a
    result of four axes into pylearn's."""
    if peers.torch is None:
        return []
    seed = torch_tensor(dy) if isinstance(dy, np.ndarray) else dy
    tensors = [torch_tensor(a) for a in args]
    leaves = [t.requires_grad_() for t in tensors if t.is_floating_point()]

    def sides(name: str, function: Callable[..., Any]) -> Side:
        def run() -> list[Any]:
            for t in leaves:
                t.grad = None
            y = function(*tensors)
            y.backward(seed)
            return [y.detach(), *(t.grad for t in leaves)]

        def result() -> list[np.ndarray]:
            return [np.asarray(back(t) if back and t.ndim == 4 else t) for t in run()]

        return Side(name, run, result)

    found: Sides = [sides("torch", function)]
    if compiled and peers.compiles:
        found.append(sides("compiled", peers.compiled(function)))
    return found


def jax_sides(function: Callable[..., Any], *args: Any) -> Sides:
    """[the function of JAX arrays, compiled], or [] without JAX."""
    if peers.jax is None:
        return []
    arrays = [peers.jax.numpy.asarray(a) for a in args]
    compiled = peers.jax.jit(function)
    return [side("jax", lambda: peers.jax.block_until_ready(compiled(*arrays)))]


def jax_vjp_sides(
    function: Callable[..., Any], dy: np.ndarray, *args: Any, by: Sequence[int] | None = None
) -> Sides:
    """JAX's y and gradients of the arguments ``by`` (all by default), in one jit."""
    if peers.jax is None:
        return []
    wanted = range(len(args)) if by is None else by

    def both(dy: Any, *args: Any) -> Any:
        def of_wanted(*some: Any) -> Any:
            full = list(args)
            for i, a in zip(wanted, some, strict=True):
                full[i] = a
            return function(*full)

        y, pull = peers.jax.vjp(of_wanted, *(args[i] for i in wanted))
        return y, *pull(dy)

    return jax_sides(both, dy, *args)
