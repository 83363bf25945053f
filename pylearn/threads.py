"""How many threads kernels use. Results are the same bits for any number."""

from __future__ import annotations

from pylearn import _core


def num_threads() -> int:
    """Threads that kernels may use: at first ``PYLEARN_NUM_THREADS``, or the processors of this process."""
    return _core.num_threads()


def set_num_threads(n: int) -> None:
    """Use ``n`` threads from now on.

    Raises:
        ValueError: n is not in 1 to 256.
    """
    _core.set_num_threads(n)
