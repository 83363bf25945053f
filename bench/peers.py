"""The libraries measured beside NumPy, and why one is missing."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

import numpy as np

from bench import onednn
from bench.worker import Worker

CORES = ("Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids")
ALL = ("numpy", "openblas", "torch", "compiled", "jax", "onednn")
TITLES = {
    "numpy": "NumPy",
    "openblas": "NumPy, best core",
    "torch": "torch",
    "compiled": "torch.compile",
    "jax": "JAX",
    "onednn": "oneDNN",
}


def _load(name: str) -> Any:
    if os.environ.get("BENCH_PEERS", name) != name:  # a process that is to hold one library alone
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = _load("torch")
jax = _load("jax")
compiles = torch is not None  # is torch.compile measured? A quick run does not wait for its compiler.


def absent() -> dict[str, str]:
    """Peers that cannot be measured here, and why."""
    found = {name: "not installed" for name, module in (("torch", torch), ("jax", jax)) if module is None}
    if torch is None:
        found["compiled"] = "torch is not installed"
    if torch is not None and not compiles:
        found["compiled"] = "left out of a quick run"
    if onednn_worker() is None:
        why = _onednn()[1] or "not installed"
        found["onednn"] = f"{why} (pip install onednn-cpu-gomp, or BENCH_ONEDNN=…/libdnnl.so)"
    if best_core() == "":
        found["openblas"] = "no other OpenBLAS core is faster than the one NumPy chose"
    return found


def versions() -> dict[str, str]:
    found = {m.__name__: m.__version__ for m in (torch, jax) if m is not None}
    if worker := onednn_worker():
        found["onednn"] = ".".join(map(str, worker.open("bench.onednn:version").result()))
    if best_core():
        found["OPENBLAS_CORETYPE"] = best_core()
    return found


@functools.cache
def _openblas() -> tuple[str, Worker | None]:
    """The core whose kernels multiply fastest, with its process; '' when none gains anything."""
    x = np.random.default_rng(0).standard_normal((768, 768), np.float32)
    chosen: tuple[str, Worker | None] = ("", None)
    best = 0.0
    for core in ("", *CORES):
        worker = Worker({"OPENBLAS_CORETYPE": core} if core else {})
        try:
            remote = worker.open("bench.by_numpy:matmul", x, x)
            remote.block(2)
            seconds = min(remote.block(1) for _ in range(5))
        except RuntimeError:  # a core whose instructions this processor lacks
            continue
        if not core or seconds < 0.97 * best:
            if chosen[1] is not None:
                chosen[1].close()
            chosen, best = (core, worker), seconds
        else:
            worker.close()
    if not chosen[0] and chosen[1] is not None:
        chosen[1].close()
    return chosen if chosen[0] else ("", None)


def best_core() -> str:
    return _openblas()[0]


def openblas_worker() -> Worker | None:
    return _openblas()[1]


@functools.cache
def _onednn() -> tuple[Worker | None, str]:
    """A process with the library, or why there is none: builds for other runtimes miss their shared libraries."""
    if onednn.library() is None:
        return None, ""
    worker = Worker({})
    try:
        worker.open("bench.onednn:version").result()
    except RuntimeError as e:
        worker.close()
        return None, str(e)
    return worker, ""


def onednn_worker() -> Worker | None:
    return _onednn()[0]


def compiled(function: Any) -> Any:
    """torch.compile of it. A function compiled for other arguments before must not make this one's shapes dynamic."""
    torch._dynamo.reset()
    return torch.compile(function, dynamic=False)
