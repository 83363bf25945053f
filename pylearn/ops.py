"""The ops: pylearn's kernels as functions. NumPy in, NumPy out; a Tensor in, Tensors out.

Every function checks shapes and dtypes, follows NumPy's broadcasting (losses do not broadcast) and type
promotion, and has a NumPy twin in `pylearn.reference` that says what it computes. Functions with one output take
``out=``. Inside `pylearn.grad` they are recorded, inside `pylearn.capture` they are replayed.

>>> import numpy as np
>>> matmul(np.ones((2, 3)), np.ones((3, 2)))
array([[3., 3.],
       [3., 3.]])
"""

from __future__ import annotations

from pylearn import _core

OPS: tuple[str, ...] = tuple(_core.op_names())
__all__ = list(OPS)

globals().update({name: getattr(_core, name) for name in OPS})


def __getattr__(name: str) -> object:
    import difflib

    close = difflib.get_close_matches(name, OPS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise AttributeError(f"pylearn.ops has no op {name!r}{hint}")
