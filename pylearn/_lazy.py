"""Lazy imports: subpackages load on first use, optional libraries where they are used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

_DISTRIBUTIONS = {"yaml": "pyyaml"}  # where the name to install is not the name to import


def optional(module: str, extra: str | None = None, purpose: str = "") -> ModuleType:
    """Import an optional library, or raise an ImportError that says what to install.

    Args:
        module: dotted name, e.g. ``"matplotlib.figure"``.
        extra: pylearn's extra that brings it, e.g. ``"plot"``; None for a library without one.
        purpose: what needs it, for the message, e.g. ``"pylearn.plots"``.

    Raises:
        ImportError: the library is not installed. An installed library that fails to import for
            a reason of its own raises its own error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        target = f"'pylearn[{extra}]'" if extra else _DISTRIBUTIONS.get(root, root)
        message = f"{purpose or 'this feature'} needs {root}: pip install {target}"
        raise ImportError(message, name=root) from error


def attach(
    package: str, submodules: Iterable[str] = (), names: dict[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose contents load on first use.

    Args:
        package: the package's ``__name__``.
        submodules: modules and subpackages reachable as attributes.
        names: public name → submodule that defines it, for names re-exported by the package.

    Use: ``__getattr__, __dir__ = attach(__name__, ("digits", "mnist"))``.
    """
    modules, origins = tuple(submodules), dict(names or {})

    def __getattr__(name: str) -> Any:
        if name in origins:
            value = getattr(importlib.import_module(f"{package}.{origins[name]}"), name)
        elif name in modules:
            value = importlib.import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(importlib.import_module(package), name, value)  # the next access skips this function
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(importlib.import_module(package)), *modules, *origins})

    return __getattr__, __dir__
