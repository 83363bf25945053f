"""Reading ``.npz`` archives of plain arrays without trusting them.

No pickle. Each header is checked against the size of its member before anything is allocated, so a small
file cannot ask for a large array.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterable

import numpy as np
from numpy.lib import format as npy

DEFLATE_RATIO = 1032  # the most that deflate can expand a byte


def read(path: str | os.PathLike[str], keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Read the named arrays of an ``.npz`` file.

    Returns:
        name → array, writable and C-contiguous (Fortran-ordered members keep their order).

    Raises:
        ValueError: not a zip archive, an array missing, truncated, of Python objects, or with a header
            that disagrees with its size; the message names the file.
        FileNotFoundError: no such file.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return {key: _member(archive, key, size) for key in keys}
        except MemoryError:
            raise
        except Exception as error:  # zipfile, zlib and NumPy's header parser have no common error for damage
            raise ValueError(f"{os.fspath(path)}: damaged or not the expected .npz: {error}") from error


def _member(archive: zipfile.ZipFile, key: str, archive_size: int) -> np.ndarray:
    names = archive.namelist()
    if f"{key}.npy" not in names:
        raise ValueError(f"no array {key!r}, it has {sorted(names)[:8]}")
    info = archive.getinfo(f"{key}.npy")
    if info.file_size > DEFLATE_RATIO * archive_size:
        raise ValueError(f"array {key!r} claims {info.file_size:,} bytes, more than the file can hold")
    with archive.open(info) as member:
        data = io.BytesIO(member.read(info.file_size))
    version = npy.read_magic(data)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array {key!r} has .npy version {version}")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read_header(data)
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise ValueError(f"array {key!r} has dtype {dtype}, plain numbers are expected")
    if any(size < 0 for size in shape):
        raise ValueError(f"array {key!r} has the shape {shape}")
    rest = info.file_size - data.tell()
    if math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"array {key!r} of shape {shape} and dtype {dtype} does not fit its {rest:,} bytes")
    values = np.frombuffer(data.getbuffer(), dtype, offset=data.tell()).copy()
    return values.reshape(shape, order="F" if fortran else "C")
