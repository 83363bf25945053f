"""Benchmarks: every case is verified first, then timed against its peers, alternating, in one run.

    python -m bench kernels [NAME…] [--only gemm,conv] [--quick] [--threads 1,2] [--check] [--json FILE] [--record]
    python -m bench train   [NAME…] …the same options       training steps and small calls
    python -m bench memory  [NAME…]                         peak memory of training steps
    python -m bench all                                     the three
    python -m bench report                                  writes bench/RESULTS.md from bench/results/
    python -m pytest bench --benchmark-only                 the same cases under pytest-benchmark

Peers are NumPy (as installed, and with OpenBLAS' fastest kernels for this processor), and where they are installed
torch (eager and compiled), JAX (jit) and oneDNN (``BENCH_ONEDNN=…/libdnnl.so``). A figure is only worth comparing with
another of its own run: ratios, and fractions of the ceilings that the run measured. ``--record`` keeps a run, whole or
in part; the report takes of each case the latest.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A clone's root is first on the path of `python -m`, and its pylearn/ has no compiled module unless built in place.
if not any((ROOT / "pylearn").glob("_core.*.so")):
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != ROOT]
