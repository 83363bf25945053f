"""Reading IDX files, the format MNIST is published in.

A file is two zero bytes, a type byte, the number of axes, one big-endian 32-bit size per axis, and the
values in big-endian row order. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database".
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import Protocol

import numpy as np

from pylearn.datasets.npz import DEFLATE_RATIO

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_AXES = 8


class Reader(Protocol):
    """A plain or a decompressing file."""

    def read(self, size: int, /) -> bytes: ...


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, gzip-compressed or not.

    Returns:
        array in the machine's byte order, of the shape in the header.

    Raises:
        ValueError: a header that is not IDX, sizes that disagree with the file's length (checked before
            anything is allocated), or damaged compression; the message names the file.
        FileNotFoundError: no such file.
    """
    name, size = os.fspath(path), os.path.getsize(path)
    try:
        with open(path, "rb") as raw:
            if raw.read(2) == b"\x1f\x8b":
                raw.seek(0)
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    return _parse(unpacked, DEFLATE_RATIO * size, exact=False)
            raw.seek(0)
            return _parse(raw, size, exact=True)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name}: damaged or not an IDX file: {error}") from error


def _parse(file: Reader, limit: int, exact: bool) -> np.ndarray:
    """Header, then exactly the values it announces; ``limit`` bounds the bytes the file can hold."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise ValueError(f"it starts with {head.hex(' ') or 'nothing'}, not 00 00")
    code, axes = head[2], head[3]
    if code not in TYPES:
        raise ValueError(f"unknown value type 0x{code:02x}")
    if not 1 <= axes <= MAX_AXES:
        raise ValueError(f"{axes} axes, from 1 to {MAX_AXES} are expected")
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise ValueError("the header is cut short")
    shape = struct.unpack(f">{axes}I", sizes)
    dtype = np.dtype(TYPES[code])
    need, start = math.prod(shape) * dtype.itemsize, 4 + 4 * axes
    if need > limit - start or (exact and need < limit - start):
        held = f"{max(limit - start, 0):,}" + ("" if exact else " at most")
        raise ValueError(f"shape {shape} needs {need:,} bytes of values, the file has {held}")
    data = file.read(need + 1)
    if len(data) != need:
        held = f"{len(data):,}" if len(data) < need else "more"
        raise ValueError(f"shape {shape} needs {need:,} bytes of values, the file has {held}")
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(shape)
