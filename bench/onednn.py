"""oneDNN's matrix product through its C interface, for a worker: ``BENCH_ONEDNN`` names the shared library.

PyPI has it as a bare library, without a Python module; of its builds ``onednn-cpu-gomp`` needs nothing else. torch's
convolution and LSTM are oneDNN's already, so only the product is measured here.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

_CPU, _IN_ORDER, _BF16, _F32 = 1, 1, 2, 3
_SRC, _DST, _WEIGHTS = 1, 17, 33


def library() -> Path | None:
    """The shared library: of the variable, else of this Python's environment."""
    if "BENCH_ONEDNN" in os.environ:
        return Path(os.environ["BENCH_ONEDNN"])
    found = sorted(Path(sys.prefix, "lib").glob("libdnnl.so*"))
    return found[-1] if found else None


class _Version(ctypes.Structure):
    _fields_ = (("numbers", ctypes.c_int * 3), ("hash", ctypes.c_char_p), ("runtimes", ctypes.c_uint * 2))


class _Argument(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("memory", ctypes.c_void_p))


def version() -> list[int]:
    dnnl = ctypes.CDLL(str(library()))
    dnnl.dnnl_version.restype = ctypes.POINTER(_Version)
    return list(dnnl.dnnl_version().contents.numbers)


class Matmul:
    """``a @ b`` in float32, of any strides; uint16 arrays hold bfloat16. Made once, called often."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        self._dnnl = ctypes.CDLL(str(library()))
        self._engine = self._new("engine", _CPU, ctypes.c_size_t(0))
        self._stream = self._new("stream", self._engine, _IN_ORDER)
        self._arrays = (a, b, np.empty((a.shape[0], b.shape[1]), np.float32))
        forms = [self._form(x) for x in self._arrays]
        description = self._new(
            "matmul_primitive_desc", self._engine, forms[0], forms[1], None, forms[2], None
        )
        self._primitive = self._new("primitive", description)
        memories = [
            self._new("memory", form, self._engine, ctypes.c_void_p(x.ctypes.data))
            for form, x in zip(forms, self._arrays, strict=True)
        ]
        self._arguments = (_Argument * 3)(*zip((_SRC, _WEIGHTS, _DST), memories, strict=True))

    def __call__(self) -> np.ndarray:
        self._check(self._dnnl.dnnl_primitive_execute(self._primitive, self._stream, 3, self._arguments))
        self._check(self._dnnl.dnnl_stream_wait(self._stream))
        return self._arrays[2]

    def _new(self, what: str, *args: Any, function: str = "") -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._check(getattr(self._dnnl, f"dnnl_{function or what + '_create'}")(ctypes.byref(made), *args))
        return made

    def _form(self, x: np.ndarray) -> ctypes.c_void_p:
        pair = ctypes.c_int64 * 2
        dtype = {"float32": _F32, "uint16": _BF16}[x.dtype.name]
        strides = pair(*(stride // x.itemsize for stride in x.strides))
        return self._new("", 2, pair(*x.shape), dtype, strides, function="memory_desc_create_with_strides")

    @staticmethod
    def _check(status: int) -> None:
        if status:
            raise RuntimeError(f"oneDNN status {status}")


def rounded(x: np.ndarray) -> np.ndarray:
    """float32 as bfloat16, to the nearest even, in uint16; the strides' order is kept."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16, order="K")
