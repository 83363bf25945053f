"""One seed for every generator a script may use."""

from __future__ import annotations

import operator
import random

import numpy as np

from pylearn import _core


def set_random_seed(seed: int) -> None:
    """Seed Python's ``random``, NumPy's global generator and pylearn's.

    Args:
        seed: integer from 0 to 2**32 − 1.

    Raises:
        ValueError: anything else.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, got {seed!r}") from None
    if not 0 <= value < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, got {value}")
    random.seed(value)
    np.random.seed(value)
    _core.random_seed(value)
