"""MNIST: 60,000 + 10,000 handwritten digits of 28×28 grey values.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", CC BY-SA 3.0; the
``.npz`` is the one Keras distributes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pylearn.datasets import idx, npz
from pylearn.datasets.digits import Split

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
IDX_FILES = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> Split:
    """Load MNIST from the first place that has it, or download it once.

    Looks in the folder ``$PYLEARN_DATA``, the cache ``~/.pylearn``, then ``~/.keras/datasets``; in each,
    for ``path`` and for the four IDX files (``train-images-idx3-ubyte`` …, also ``.gz``, also in
    ``MNIST/raw`` or ``mnist`` below it). Otherwise downloads 11 MB into the cache and checks the SHA-256.

    Args:
        path: name of the ``.npz`` file in those folders, or the path of one.

    Returns:
        ``(X_train, y_train), (X_test, y_test)``: uint8 images (60000, 28, 28) and (10000, 28, 28), uint8
        labels 0 to 9.

    Raises:
        ConnectionError: not found and not downloadable; the message names the bundled stand-in.
        ValueError: a file that was found is damaged or of another shape; the message names it.
    """
    if os.path.dirname(path):
        return _read_npz(Path(path).expanduser())
    for folder in _folders():
        if (folder / path).is_file():
            return _read_npz(folder / path)
        for place in (folder, folder / "MNIST" / "raw", folder / "mnist"):
            if _idx_path(place, IDX_FILES[0][0]):
                return _read_idx(place)
    return _read_npz(_download(os.fspath(path)))


def cache_folder() -> Path:
    """Where downloads are kept: ``~/.pylearn``."""
    return Path.home() / ".pylearn"


def _folders() -> Iterator[Path]:
    if os.environ.get("PYLEARN_DATA"):
        yield Path(os.environ["PYLEARN_DATA"]).expanduser()
    yield cache_folder()
    yield Path.home() / ".keras" / "datasets"


def _read_npz(path: Path) -> Split:
    data = npz.read(path, ("x_train", "y_train", "x_test", "y_test"))
    train, test = (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
    return _checked(*train, path), _checked(*test, path)


def _read_idx(folder: Path) -> Split:
    parts = []
    for names in IDX_FILES:
        paths = [_idx_path(folder, name) for name in names]
        for name, path in zip(names, paths):
            if path is None:
                raise ValueError(f"{folder}: has some of MNIST's IDX files, {name} (or {name}.gz) is missing")
        images, labels = (idx.read(path) for path in paths if path)
        parts.append(_checked(images, labels, paths[0]))
    return parts[0], parts[1]


def _idx_path(folder: Path, name: str) -> Path | None:
    """The file under its published name, gzip-compressed, or with the dot some copies have."""
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _checked(images: np.ndarray, labels: np.ndarray, path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"{path}: images are {images.dtype} {images.shape}, not uint8 (N, 28, 28)")
    if labels.dtype.kind not in "ui" or labels.shape != images.shape[:1]:
        raise ValueError(f"{path}: labels are {labels.dtype} {labels.shape}, not {len(images)} integers")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= 9:
        raise ValueError(f"{path}: labels run from {labels.min()} to {labels.max()}, not 0 to 9")
    return images, labels.astype(np.uint8, copy=False)


def _download(name: str) -> Path:
    import pooch

    try:
        return Path(pooch.retrieve(URL, known_hash=f"sha256:{SHA256}", fname=name, path=cache_folder()))
    except Exception as error:  # whatever went wrong (network, disk, checksum), the way out is the same
        raise ConnectionError(
            f"MNIST is not on this machine and could not be downloaded ({type(error).__name__}: {error}). "
            f"Put mnist.npz or the four IDX files into $PYLEARN_DATA or {cache_folder()}; or use the bundled "
            "stand-in with the same return type: from pylearn.datasets import digits as mnist"
        ) from error
