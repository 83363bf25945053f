"""Where a model begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import registry
from pylearn.layers import symbolic
from pylearn.layers.base import Layer, Shape
from pylearn.layers.naming import unique

_DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


def _dtype(given: Any) -> str:
    try:
        name = np.dtype(given).name
    except TypeError:
        name = ""
    if name not in _DTYPES:
        raise ValueError(f"Input: dtype must be one of {', '.join(_DTYPES)}, got {given!r}")
    return name


class InputLayer(Layer):
    """An input of a model.

    Args:
        shape: of one row, without the batch axis; None for an axis of any size.
        batch_size: fixed number of rows, else any.
        dtype: data is cast to it; ``"float32"`` unless the global policy is float64.
        name: key for dicts of arrays.
    """

    supports_masking = True
    accepts_integers = True

    def __init__(
        self, shape: Any = None, batch_size: int | None = None, dtype: Any = None, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        if shape is None and "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if shape is None:
            raise TypeError("Input needs shape=, the shape of one row, such as Input(shape=(28, 28))")
        kwargs.pop("trainable", None)
        super().__init__(name=name or unique("InputLayer"), **kwargs)
        self.shape = symbolic.row_shape(shape, "Input", "shape")
        self.batch_size = batch_size
        self.input_dtype = _dtype(dtype or self.dtype)
        self.built = True
        place = symbolic.SymbolicTensor((batch_size, *self.shape), self.input_dtype, name=self.name)
        symbolic.Node(self, [], place, (), {})

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (self.batch_size, *self.shape)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "shape": list(self.shape), "batch_size": self.batch_size,
                "dtype": self.input_dtype}  # fmt: skip


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> Any:
    """A symbolic tensor to call layers on: ``Input(shape=(28, 28))``.

    Args:
        shape: of one row, without the batch axis.
        batch_size: fixed number of rows, else any.
        dtype: data is cast to it; ``"float32"`` unless the global policy is float64.
        name: key for dicts of arrays.
        batch_shape: batch_size and shape in one, such as ``(None, 28, 28)``.

    Raises:
        TypeError: an argument that is not supported.

    >>> Input(shape=(28, 28)).shape
    (None, 28, 28)
    """
    batch_shape = kwargs.pop("batch_shape", None)
    if batch_shape is not None:
        if shape is not None or batch_size is not None:
            raise ValueError("Input: give shape and batch_size, or batch_shape")
        batch_size, *shape = symbolic.row_shape(batch_shape, "Input", "batch_shape")
    if kwargs:
        registry.reject_names("Input", kwargs, ("shape", "batch_size", "dtype", "name", "batch_shape"))
    return InputLayer(shape, batch_size, dtype, name).output
