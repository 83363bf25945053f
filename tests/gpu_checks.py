"""How the batteries run on a GPU, real or emulated.

The emulated device is the same kernels compiled for the host: ``PYLEARN_CUDA_LIBRARY=.../libpylearn_cuda_emulated.so
python -m pytest -m gpu``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_checks import written_names
from op_samples import Op

import pylearn
from pylearn import ops

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not pylearn.device_report()["usable"], reason=f"no GPU: {pylearn.device_report()['why']}"
    ),
]


def skip_if_missing(error: RuntimeError) -> None:
    """A kernel that the table lists as missing must be named by the error, and is no failure."""
    message = str(error)
    if "has no cuda version" not in message:
        raise error
    assert pylearn.device_report()["missing"], message
    pytest.skip(message)


def moved(value: Any) -> Any:
    """Arrays as Tensors on the GPU, those in lists too."""
    if isinstance(value, list):
        return [moved(v) for v in value]
    return pylearn.asarray(value).to("cuda") if isinstance(value, np.ndarray) else value


def on_gpu(op: Op) -> Callable:
    """The op as a function of NumPy arrays that computes on the GPU; what it writes in place is copied back."""

    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(op.params, args, strict=False)) | kwargs
        there = {name: moved(value) for name, value in given.items()}
        positional = [there[name] for name, _ in zip(op.params, args, strict=False)]
        try:
            result = getattr(ops, op.name)(*positional, **{name: there[name] for name in kwargs})
        except RuntimeError as error:
            skip_if_missing(error)
        for name in written_names(op):
            if isinstance(given.get(name), np.ndarray):
                given[name][...] = there[name].numpy()
        for out in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(out, pylearn.Tensor) and any(isinstance(a, np.ndarray) for a in given.values()):
                assert out.device == "cuda", f"{op.name} gave a Tensor on {out.device}"
        return result

    return call
