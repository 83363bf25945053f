"""Benchmarks: every case is verified first, then timed against its peers, alternating, in one run.

    python -m bench kernels [NAME…] [--quick] [--threads 1,2] [--check] [--json FILE] [--record]
    python -m bench train   [NAME…] …the same options
    python -m bench report                       writes bench/RESULTS.md from bench/results/
    python -m pytest bench --benchmark-only      the same cases under pytest-benchmark

Peers are NumPy, always, and torch (eager) and JAX (jit) where they are installed. A figure is only worth comparing
with another of its own run: ratios, and fractions of the ceilings that the run measured.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A clone's root is first on the path of `python -m`, and its pylearn/ has no compiled module unless built in place.
if not any((ROOT / "pylearn").glob("_core.*.so")):
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != ROOT]
