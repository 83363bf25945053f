"""The cases under pytest-benchmark: ``python -m pytest bench --benchmark-only``. Verified before they are timed."""

import functools
import time

import pytest

from bench import kernels, peers, timing, train
from bench.cases import Missing, Verified, verified

CASES = {case.title: case for case in (*kernels.CASES, *train.CASES)}


@functools.lru_cache(maxsize=1)
def ready(name: str) -> Verified:
    return verified(CASES[name])


@pytest.mark.parametrize("library", ("pylearn", *peers.ALL))  # the fastest to change: one case at a time
@pytest.mark.parametrize("name", CASES)
def test_case(benchmark, name, library):
    try:
        sides = {side.name: side for side in ready(name).sides}
    except Missing as e:
        pytest.skip(str(e))
    if library not in sides:
        pytest.skip(ready(name).absent.get(library) or peers.absent().get(library, "has no such side"))
    side, units = sides[library], sides["pylearn"].per_call
    timed, runs = side.timed(), units // side.per_call  # every side of a group does the same number of steps
    calls = runs * timing.calls_of(timed, 0.002 / runs)

    # A block times itself, also in another process: the benchmark's clock is advanced by what it says.
    benchmark._timer, clock = lambda: clock.now, Clock()
    benchmark.group = f"{name}, {units} steps" if units > 1 else name
    benchmark.pedantic(lambda: clock.advance(timed.block(runs)), rounds=5, iterations=max(1, calls // runs))


class Clock:
    def __init__(self) -> None:
        self.now = time.perf_counter()

    def advance(self, seconds: float) -> None:
        self.now += seconds
