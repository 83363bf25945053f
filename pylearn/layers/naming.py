"""Unique names, and a counter of changes that recorded steps compare."""

from __future__ import annotations

import threading
from collections import defaultdict

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


here = Here()


class Changes:
    """How often a layer's settings were changed. A recorded step holds the count it was made under."""

    count = 0
