"""The cases under pytest-benchmark: ``python -m pytest bench --benchmark-only``. Verified before they are timed."""

import functools

import pytest

from bench import kernels, peers, timing, train
from bench.cases import Side, verified

CASES = {f"{case.name} {case.label}": case for case in (*kernels.CASES, *train.CASES)}


@functools.lru_cache(maxsize=1)
def sides(name: str) -> dict[str, Side]:
    return {side.name: side for side in verified(CASES[name])[0]}


@pytest.mark.parametrize(
    "library", ("pylearn", "numpy", "torch", "jax")
)  # the fastest to change: one case at a time
@pytest.mark.parametrize("name", CASES)
def test_case(benchmark, name, library):
    if library in peers.absent():
        pytest.skip(f"{library} is not installed")
    side, units = sides(name)[library], sides(name)["pylearn"].per_call

    def run() -> None:
        for _ in range(units // side.per_call):  # every side of a group does the same number of steps
            side.run()

    benchmark.group = f"{name}, {units} steps" if units > 1 else name
    benchmark.pedantic(run, rounds=5, iterations=timing.calls_of(run, 0.002))
