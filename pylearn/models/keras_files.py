"""Keras' files as sources: the archive ``.keras``, ``.weights.h5``, and the older ``.h5``."""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from pylearn.layers.naming import budget
from pylearn.models import keras_compile, keras_config, keras_weights
from pylearn.models.loading import Loading

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_LARGEST_CONFIG = 64 << 20
_RATIO = 1100  # bytes that one compressed byte can become, at most


def load_weights(load: Loading, path: str | os.PathLike[str], archive: bool) -> None:
    """Pairs the model's weights with those of a Keras file."""
    with open(path, "rb") as file, _weights(file, load.source, archive) as opened:
        keras_weights.read(load, opened)
        load.finish()


def load_model(path: str | os.PathLike[str], archive: bool, compiled: bool) -> Any:
    """The model of a ``.keras`` file or of a whole-model ``.h5``; compiled where asked and possible."""
    source = os.fspath(path)
    with open(path, "rb") as file, _weights(file, source, archive) as opened:
        text = _member(file, source, _CONFIG) if archive else opened.attrs.get("model_config")
        if text is None:
            raise ValueError(f"{source} holds weights only; make the model, then load_weights")
        with budget(keras_weights.held(opened), source):
            config = _json(text, source)
            model = keras_config.model_from(config, source)
        load = Loading(model, source)
        keras_weights.read(load, opened)
        load.finish()
        if compiled and archive:
            keras_compile.compile_as(model, config.get("compile_config"), source)
        elif compiled and "training_config" in opened.attrs:
            keras_compile.compile_as(model, _json(opened.attrs["training_config"], source), source)
    return model


@contextlib.contextmanager
def _weights(file: Any, source: str, archive: bool) -> Iterator[Any]:
    """The HDF5 file: the archive's, or the file itself."""
    if archive:
        content = _member(file, source, _WEIGHTS)
        keras_weights.check_heaps(content, source)
    else:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            keras_weights.check_heaps(mapped, source)
    with keras_weights.opened(io.BytesIO(content) if archive else file, source) as opened:
        yield opened


def _json(text: Any, source: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"{source} is damaged: its structure is no JSON ({error})") from None


def _member(file: Any, source: str, name: str) -> bytes:
    """One file of the archive, in memory; nothing is ever unpacked to a path.

    Raises:
        ValueError: damaged, too large, or an archive of something else.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if any(n.endswith("data.pkl") for n in names):
                raise ValueError(
                    f"{source} was written by torch.save, which is a pickle and could run code; write it with "
                    "safetensors.torch.save_file(model.state_dict(), …)"
                )
            if names.count(name) != 1:
                raise ValueError(f"{source} is not a Keras file: it holds {names.count(name)} files {name!r}")
            strange = [
                n for n in names if n.startswith(("/", "\\")) or ".." in n.replace("\\", "/").split("/")
            ]
            if strange:
                raise ValueError(
                    f"{source} is not a Keras file: it holds a path that leaves it, {strange[0]!r}"
                )
            entry = archive.getinfo(name)
            limit = _LARGEST_CONFIG if name == _CONFIG else entry.compress_size * _RATIO
            if entry.file_size > limit:
                raise ValueError(
                    f"{source}: {name} declares {entry.file_size:,} bytes, more than it can have"
                )
            return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{source} is damaged: {error}") from error
