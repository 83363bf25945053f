"""What the figures of a run depend on, and how the threads of every library are set."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import re
import subprocess
from typing import Any

import numpy as np

from bench import ROOT, peers

# Read by the libraries when they are loaded, so they are set for a process that is about to start.
THREAD_VARIABLES = (
    "PYLEARN_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process that is to use this many threads in every library."""
    env = {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}
    if threads == 1:  # XLA has no number of threads, only all or one
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        env["XLA_FLAGS"] = f"{env.get('XLA_FLAGS', '')} {flags}".strip()
    return env


@contextlib.contextmanager
def threads_set(threads: int | None) -> Any:
    """Sets the threads of the libraries of this process, as far as they let themselves be told."""
    import pylearn

    if threads is None:
        yield
        return
    before = pylearn.num_threads()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):
            import threadpoolctl

            stack.enter_context(threadpoolctl.threadpool_limits(threads))
        pylearn.set_num_threads(threads)
        if peers.torch is not None:
            peers.torch.set_num_threads(threads)
        try:
            yield
        finally:
            pylearn.set_num_threads(before)


def processors() -> int:
    """Processors this process might run on when it began."""
    return _PROCESSORS


_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to(threads: int) -> None:
    """Only so many processors for this process and its children: XLA's threads are then as many (it has no number of
    its own, only one or all)."""
    if hasattr(os, "sched_setaffinity") and threads < _PROCESSORS:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def cpu_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> str:
    """Short name of a kind of machine, fit for a file name: processor and number of them."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|processor|@.*|\d+-core", " ", cpu_name().lower())
    return "-".join([*re.findall(r"[a-z0-9]+", name), f"{processors()}c"])


def commit() -> str:
    """The commit measured, with +dirty for changes that are not committed; 'unknown' outside a clone."""

    def git(*args: str) -> str:
        command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", ".", ":!bench/results", ":!bench/RESULTS.md")
        return git("rev-parse", "HEAD") + ("+dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe() -> dict[str, Any]:
    """ISA, device, versions, machine and commit of this run."""
    import pylearn
    from pylearn import _core

    return {
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit(),
        "machine": machine(),
        "cpu": cpu_name(),
        "processors": processors(),
        "device": "cpu",
        "isa": _core.info()["isa"],
        "python": platform.python_version(),
        "versions": {"pylearn": pylearn.__version__, "numpy": np.__version__, **peers.versions()},
        "blas": _blas(),
    }


def _blas() -> str:
    """What NumPy multiplies matrices with, and the kernels that this chose."""
    with contextlib.suppress(ImportError):
        import threadpoolctl

        found = [
            f"{lib['internal_api']} {lib.get('version')} ({lib.get('architecture', '?')})"
            for lib in threadpoolctl.threadpool_info()
            if lib["user_api"] == "blas" and "numpy" in lib["filepath"]
        ]
        if found:
            return ", ".join(found)
    return "not known"
