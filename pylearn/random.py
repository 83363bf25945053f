"""Random numbers by counter (Philox 4x32-10): draw d, element i of a seed is always the same number.

Sizes never shift later draws, threads never matter, and a captured step draws anew at every replay.

>>> g = Generator(0)
>>> g.uniform((2,)).shape
(2,)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from pylearn import _core
from pylearn._core import Tensor

__all__ = [
    "Generator", "default_generator", "integers", "normal", "permutation", "seed", "truncated_normal", "uniform",
]  # fmt: skip

_UNIFORM, _NORMAL, _TRUNCATED_NORMAL = 0, 1, 2
Shape = int | Sequence[int]


class Generator:
    """A stream of random numbers; its whole state is ``(seed, number of draws)``.

    Args:
        seed: any 64-bit integer.
    """

    def __init__(self, seed: int = 0) -> None:
        self._state: Tensor = _core.make_generator(seed)

    def uniform(
        self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: DTypeLike = "float32"
    ) -> Tensor:
        """Uniform on [low, high)."""
        return _core.random_draw(shape, _UNIFORM, low, high, dtype, self._state)

    def normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: DTypeLike = "float32"
    ) -> Tensor:
        """Normal, by Box-Muller."""
        return _core.random_draw(shape, _NORMAL, mean, std, dtype, self._state)

    def truncated_normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: DTypeLike = "float32"
    ) -> Tensor:
        """Normal within two standard deviations of the mean."""
        return _core.random_draw(shape, _TRUNCATED_NORMAL, mean, std, dtype, self._state)

    def integers(self, low: int, high: int, shape: Shape = ()) -> Tensor:
        """Integers in [low, high), int64."""
        return _core.random_integers(shape, low, high, self._state)

    def permutation(self, n: int) -> Tensor:
        """0 to n - 1 in random order, int64: the order of n random 63-bit keys."""
        keys = self.integers(0, 2**63 - 1, (n,)).numpy()
        return _core.asarray(np.argsort(keys, kind="stable").astype(np.int64))

    def state(self) -> tuple[int, int]:
        """``(seed, draws so far)``: what `set_state` needs to continue from here."""
        seed, draw = self._state.tolist()
        return seed, draw

    def set_state(self, state: tuple[int, int]) -> None:
        self._state[...] = np.asarray(state, dtype=np.int64)

    def __repr__(self) -> str:
        return "Generator(seed={}, draws={})".format(*self.state())


_DEFAULT = Generator.__new__(Generator)
_DEFAULT._state = _core.default_generator()


def default_generator() -> Generator:
    """The generator that dropout, shuffling and initializers use."""
    return _DEFAULT


def seed(n: int) -> None:
    """Restart the default generator from seed n."""
    _core.random_seed(n)


uniform = _DEFAULT.uniform
normal = _DEFAULT.normal
truncated_normal = _DEFAULT.truncated_normal
integers = _DEFAULT.integers
permutation = _DEFAULT.permutation
