"""The libraries measured beside NumPy: None where they are not installed."""

from __future__ import annotations

import importlib
from typing import Any


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = _load("torch")
jax = _load("jax")


def versions() -> dict[str, str]:
    return {m.__name__: m.__version__ for m in (torch, jax) if m is not None}


def absent() -> list[str]:
    """Names of the peers that are not installed."""
    return [name for name, module in (("torch", torch), ("jax", jax)) if module is None]
