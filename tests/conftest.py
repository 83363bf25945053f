"""Makes the tests use the installed pylearn."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _use_installed_package() -> None:
    """`python -m pytest` puts the repository first on sys.path, where pylearn has no compiled module."""
    if not any((ROOT / "pylearn").glob("_core.*.so")):
        sys.path[:] = [p for p in sys.path if Path(p).resolve() != ROOT]


_use_installed_package()
