"""Tensors from Python: construction, and NumPy's functions applied to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import _core
from pylearn._core import Tensor, asarray, from_dlpack

__all__ = ["Tensor", "asarray", "from_dlpack"]

# NumPy's ufuncs whose op has another name. The rest go by their own.
_UFUNC_NAMES = {
    "absolute": "abs",
    "true_divide": "divide",
    "rint": "round",
    "mod": "remainder",
    "conjugate": "copy",
    "positive": "copy",
    "invert": "logical_not",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "float_power": "power",
    "fmax": "maximum",
    "fmin": "minimum",
}
# Names for which that would change the meaning.
_ONLY_BOOL = {"invert", "bitwise_and", "bitwise_or", "bitwise_xor"}
_DIFFERENT = {"fmax", "fmin", "float_power"}


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``np.exp(tensor)``, ``ndarray @ tensor``: the op of that name, so that gradients are kept."""
    name = ufunc.__name__
    if method != "__call__":
        raise TypeError(
            f"np.{name}.{method} is not available for Tensors: use pylearn.ops, or .numpy() first"
        )
    if name in _ONLY_BOOL and any(getattr(x, "dtype", None) != np.bool_ for x in inputs):
        raise TypeError(f"np.{name} of Tensors needs bool Tensors")
    op = None if name in _DIFFERENT else getattr(_core, _UFUNC_NAMES.get(name, name), None)
    if op is None or _UFUNC_NAMES.get(name, name) not in _OPS:
        raise TypeError(
            f"np.{name} has no op in pylearn.ops: use .numpy() first (no gradient flows through that)"
        )
    extras = sorted(k for k, v in kwargs.items() if k != "out" and v not in (None, True, "same_kind"))
    if extras:
        raise TypeError(f"np.{name} of Tensors does not take {', '.join(extras)}")
    if kwargs.get("out") is not None:
        (out,) = kwargs["out"]
        return op(*inputs, out=out)
    return op(*inputs)


_OPS = frozenset(_core.op_names())
Tensor.__array_ufunc__ = _array_ufunc  # type: ignore[method-assign]
