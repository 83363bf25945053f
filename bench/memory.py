"""Peak memory of training: the resident memory that a fresh process reaches in a few steps. Linux only.

It is given over two levels: what the process held after its imports, and after a step of the smallest network, when
whatever a library loads at first use is there too.

    python -m bench.memory pylearn "cnn mnist b128"      in the child: prints both, in bytes
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import ROOT, environment
from bench.nets import NETS, Net

SIDES = ("pylearn", "pylearn train_on_batch", "torch", "compiled", "jax")
STEPS = 5


@dataclass(frozen=True)
class Peak:
    """Bytes by side, of one network, over those after the imports and after a first small step; ``absent`` says why
    sides are missing."""

    name: str
    threads: int
    over_imports: dict[str, float]
    over_small_step: dict[str, float]
    absent: dict[str, str]

    def ratio(self, peer: str) -> float:
        """How many times the peer's step is pylearn's."""
        return self.over_small_step[peer] / max(1.0, self.over_small_step["pylearn"])


def measure(name: str, threads: int, sides: Sequence[str]) -> Peak:
    """A process for each side."""
    found = Peak(name, threads, {}, {}, {})
    for side in sides:
        library = {"compiled": "torch", "jax": "jax", "torch": "torch"}.get(side, "none")
        done = subprocess.run(
            [sys.executable, "-m", "bench.memory", side, name], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**environment.thread_environment(threads), "BENCH_PEERS": library},
        )  # fmt: skip
        if done.returncode:
            found.absent[side] = (done.stderr.strip().splitlines() or ["failed"])[-1][:200]
        else:
            found.over_imports[side], found.over_small_step[side] = map(float, done.stdout.split()[-2:])
    return found


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status")


def _reset_peak() -> None:
    with open("/proc/self/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def _trainer(side: str) -> Callable[[Net], None]:
    """Trains a network for a few steps; the imports are done."""
    if side.startswith("pylearn"):
        import pylearn.callbacks
        import pylearn.layers
        import pylearn.models  # noqa: F401
        from bench import models

        def train(net: Net) -> None:
            model, (x, y) = models.build(net), net.data()
            if side == "pylearn":
                model.fit(x, y, batch_size=net.batch, epochs=STEPS, verbose=0)
            else:
                for _ in range(STEPS):
                    model.train_on_batch(x, y)

        return train
    from bench import models_jax, models_torch

    def peer(net: Net) -> None:
        if side == "jax":
            step = models_jax.Step(net).step
        else:
            step = models_torch.Step(net, compiled=side == "compiled").step
        for _ in range(STEPS):
            float(step())

    return peer


def main(side: str, name: str) -> None:
    train = _trainer(side)
    imported = _status("VmRSS")
    train(next(iter(NETS.values())))
    gc.collect()
    _reset_peak()
    before = _status("VmRSS")
    train(NETS[name])
    peak = _status("VmHWM")
    print(peak - imported, peak - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
