"""Unique names, a counter of changes that recorded steps compare, and a limit on what a file may ask for."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pylearn import registry
from pylearn._core import Tensor

_counts: dict[str, int] = defaultdict(int)


def unique(class_name: str) -> str:
    """``dense``, ``dense_1``, ``dense_2``, …, as Keras counts."""
    stem = registry.snake(class_name)
    count = _counts[stem]
    _counts[stem] += 1
    return f"{stem}_{count}" if count else stem


def reset() -> None:
    """Starts counting anew."""
    _counts.clear()


class Here(threading.local):
    """What this thread is in the middle of."""

    inside = 0  # depth of layer calls
    penalties: list[Tensor] | None = None  # collected while a model runs
    budget: list[int] | None = None  # numbers that new weights may still have


here = Here()


class Changes:
    """How often a layer's settings were changed. A recorded step holds the count it was made under."""

    count = 0


def name_the_layer(name: str, error: Exception) -> None:
    """Puts the innermost layer's name before the message of an error that does not say it."""
    if len(error.args) == 1 and isinstance(error.args[0], str) and not getattr(error, "in_layer", False):
        if name not in error.args[0]:
            error.args = (f"{name}: {error.args[0]}",)
        error.in_layer = True  # type: ignore[attr-defined]


@contextlib.contextmanager
def budget(numbers: int, source: str) -> Iterator[None]:
    """Weights made inside have at most this many numbers: those the file holds that the structure came from."""
    outer, here.budget = here.budget, [numbers]
    try:
        yield
    except BudgetError as error:
        raise ValueError(f"{source} is damaged: {error}") from None
    finally:
        here.budget = outer


class BudgetError(ValueError):
    """The structure asks for more weights than the file has."""


def spend(name: str, shape: Sequence[int]) -> None:
    """Notes a new weight, before memory is taken for it."""
    if here.budget is not None:
        here.budget[0] -= math.prod(shape)
        if here.budget[0] < 0:
            raise BudgetError(f"{name} of shape {tuple(shape)} is more than the weights it holds")
