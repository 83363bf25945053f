"""Where arrays lie and ops run: the CPU, or an NVIDIA GPU.

>>> import pylearn
>>> pylearn.asarray([1.0]).device
'cpu'
>>> with pylearn.device("auto"):  # the GPU where there is one
...     x = pylearn.asarray([1.0, 2.0])
>>> float((x * x).sum())
5.0

Ops run where their Tensors are. Arrays of NumPy, lists and numbers go to the device of the Tensors beside them;
Tensors are moved by ``.to`` only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pylearn import _core

__all__ = ["current_device", "device", "device_report", "is_available", "synchronize"]


@contextlib.contextmanager
def device(name: str) -> Iterator[str]:
    """Inside, new arrays of this thread are made on this device.

    Args:
        name: ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU where there is one, else the CPU.

    Raises:
        RuntimeError: there is no such device; the message says why.
        ValueError: another name.
    """
    before = _core.set_device(name)
    try:
        yield _core.current_device()
    finally:
        _core.set_device(before)


def current_device() -> str:
    """The device on which this thread makes new arrays: ``"cpu"`` or ``"cuda"``."""
    return _core.current_device()


def is_available(name: str = "cuda") -> bool:
    """Is there such a device?"""
    return name == "cpu" or (name == "cuda" and bool(_core.cuda_info()["usable"]))


def synchronize() -> None:
    """Waits until the GPU has done all that was asked of it; without a GPU, nothing.

    Kernels of a GPU run on while Python goes ahead: wait before reading a clock.
    """
    _core.synchronize()


def device_report() -> dict[str, Any]:
    """What was found: ``usable``, ``library``, ``why`` it is not usable, and of a GPU its name and size.

    ``missing`` lists the kernels that exist for the CPU only.
    """
    return dict(_core.cuda_info())
