"""Gradients of Python functions.

>>> import pylearn
>>> pylearn.grad(lambda x: x * x)(3.0)
6.0
>>> pylearn.grad(pylearn.grad(lambda x: x * x * x))(2.0)
12.0
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pylearn import _core
from pylearn._core import Tensor, no_grad

__all__ = ["grad", "no_grad", "value_and_grad"]

_LEAVES = (Tensor, np.ndarray, np.generic, float)


def _map(fn: Callable[[Any], Any], tree: Any, where: str) -> Any:
    """fn over the arrays of nested lists, tuples and dicts."""
    if isinstance(tree, dict):
        return {k: _map(fn, v, f"{where}[{k!r}]") for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [_map(fn, v, f"{where}[{i}]") for i, v in enumerate(tree)]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, bool) or not isinstance(tree, _LEAVES):
        raise TypeError(
            f"[grad] {where} must be a float array, a Tensor, a float, or lists, tuples or dicts of them, "
            f"not {type(tree).__name__}"
        )
    return fn(tree)


def _unwatched(tree: Any, was_tensor: bool) -> Any:
    """The auxiliary output outside the scope: no graph, and NumPy again for a caller who passed NumPy."""
    if isinstance(tree, Tensor):
        tree = tree if _core.grad_enabled() else _core.detach(tree)
        return tree if was_tensor else _like_numpy(tree)
    if isinstance(tree, dict):
        return {k: _unwatched(v, was_tensor) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return type(tree)(_unwatched(v, was_tensor) for v in tree)
    return tree


def _like_numpy(t: Tensor) -> Any:
    a = t.numpy()
    return a[()] if a.ndim == 0 else a


def _restore(original: Any, gradient: Tensor) -> Any:
    """The gradient as what it is the gradient of: Tensor, array or float."""
    if isinstance(original, Tensor):
        return gradient
    if _core.grad_enabled():  # inside an outer grad the result must stay on the tape
        return gradient
    return (
        gradient.item() if isinstance(original, float) and type(original) is float else _like_numpy(gradient)
    )


def value_and_grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    wrt: Sequence[Tensor] | None = None,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """A function that returns ``fn``'s value and its gradient.

    Args:
        fn: returns one number (a Tensor of size 1), or ``(number, anything)`` with ``has_aux``.
        argnums: the positional argument or arguments to differentiate by: arrays, Tensors, floats, or nested lists,
            tuples and dicts of them. The gradient has the same structure and kind (NumPy for NumPy).
        wrt: Tensors to differentiate by instead, e.g. ``model.trainable_weights``; the gradients come as a list and
            all of fn's arguments are passed through as they are.
        has_aux: fn returns an auxiliary output too; the result is then ``((value, aux), gradient)``.

    Raises:
        TypeError: an argument is not floating, or fn returns no Tensor.
        ValueError: fn returns more than one number.

    >>> import numpy as np
    >>> value_and_grad(lambda w: (w**2).sum())(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    single = isinstance(argnums, int)
    numbers: tuple[int, ...] = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    parameters = None if wrt is None else list(wrt)
    if parameters is not None:
        for i, p in enumerate(parameters):
            if not isinstance(p, Tensor):
                raise TypeError(f"[grad] argument 'wrt' must hold Tensors; number {i} is {type(p).__name__}")
            _core.watch_parameter(p)

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        watched: list[Tensor] = []
        originals: list[Any] = []
        call = list(args)

        def watch(x: Any) -> Tensor:
            t = _core.watch(_core.asarray(x))
            watched.append(t)
            originals.append(x)
            return t

        if parameters is None:
            for n in numbers:
                if not -len(args) <= n < len(args):
                    raise ValueError(
                        f"[grad] argnums {n} is out of range for {len(args)} positional arguments"
                    )
                call[n] = _map(watch, args[n], f"argument {n}")
        _core.enter_grad()
        try:
            result = fn(*call, **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise TypeError("[grad] with has_aux the function must return (value, aux)")
                result, aux = result
            if not isinstance(result, Tensor):
                raise TypeError(
                    f"[grad] the function must return one number computed from its arguments with pylearn ops or "
                    f"operators, not {type(result).__name__}"
                )
        finally:
            _core.exit_grad()
        found = iter(_core.gradients(result, watched if parameters is None else parameters))
        tensors = parameters is not None or any(isinstance(o, Tensor) for o in originals)
        value = _unwatched(result, tensors)
        output = (value, _unwatched(aux, tensors)) if has_aux else value
        if parameters is not None:
            return output, list(found)
        gradients = tuple(_map(lambda x: _restore(x, next(found)), args[n], f"argument {n}") for n in numbers)
        return output, gradients[0] if single else gradients

    return wrapped


def grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    wrt: Sequence[Tensor] | None = None,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """As `value_and_grad`, returning the gradient alone, or ``(gradient, aux)`` with ``has_aux``."""
    both = value_and_grad(fn, argnums, wrt=wrt, has_aux=has_aux)

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        output, gradient = both(*args, **kwargs)
        return (gradient, output[1]) if has_aux else gradient

    return wrapped
