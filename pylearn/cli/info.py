"""``pylearn info``: version, instruction set, threads, devices and why not CUDA."""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser("info", help="version, instruction set, threads, devices")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def collect() -> dict[str, Any]:
    """What this installation is and runs on: the core's own report, and Python's and NumPy's versions."""
    import numpy

    import pylearn
    from pylearn import _core

    core, cuda = dict(_core.info()), dict(_core.cuda_info())
    return {
        "version": pylearn.__version__,
        **core,
        "cuda_library": cuda["library"] or "none",
        "cuda_missing": cuda.get("missing", []),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "cpu_count": _cpu_count(),
    }


def execute(args: argparse.Namespace) -> int:
    facts = collect()
    if args.json:
        print(json.dumps(facts, indent=2, default=str))
        return 0
    shown = dict(facts)
    cpus = shown.pop("cpu_count")
    lines = {
        "pylearn": shown.pop("version"),
        "instruction set": f"{shown.pop('isa')}  (of {', '.join(shown.pop('isas'))}; PYLEARN_ISA overrides)",
        "threads": f"{shown.pop('threads')}  (of {cpus} CPUs; PYLEARN_NUM_THREADS overrides)",
        "CUDA": shown.pop("cuda"),
        "CUDA library": shown.pop("cuda_library"),
    }
    missing = shown.pop("cuda_missing")
    if missing:
        lines["kernels without CUDA"] = ", ".join(missing)
    lines.update({key.replace("_", " "): value for key, value in shown.items()})
    width = max(map(len, lines)) + 2
    for key, value in lines.items():
        print(f"{key:<{width}}{value}")
    return 0


def _cpu_count() -> int:
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
