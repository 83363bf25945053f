"""What one file gives to one model: pairs of weight and value, all checked before the first weight is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import ops, registry
from pylearn._core import Tensor
from pylearn.layers import Layer


class Loading:
    """Pairs found so far, and layers left out.

    Args:
        model: that is given the weights.
        source: name of the file, for messages.
        by_name: only layers of equal name take part.
        skip_mismatch: a layer that does not fit is left out with a warning instead of an error.
    """

    def __init__(self, model: Layer, source: str, by_name: bool = False, skip_mismatch: bool = False) -> None:
        self.model, self.source = model, source
        self.by_name, self.skip_mismatch = by_name, skip_mismatch
        self.pairs: list[tuple[Tensor, Any]] = []
        self.skipped: list[str] = []

    def misfit(self, layer: str, why: str) -> None:
        """Raises, or notes that the layer is left out."""
        if not self.skip_mismatch:
            raise ValueError(f"{self.source} does not fit {self.model.name}: {why}")
        self.skipped.append(layer)

    def give(self, layer: str, weights: Sequence[Tensor], values: Sequence[Any]) -> None:
        """Pairs the weights of a layer with values: arrays, or what has ``shape``, ``dtype`` and ``[()]``."""
        if len(weights) != len(values):
            self.misfit(layer, f"{layer} has {len(weights)} weights, the file {len(values)} for it")
            return
        for weight, value in zip(weights, values, strict=True):
            if tuple(weight.shape) != tuple(value.shape):
                shapes = f"has shape {tuple(value.shape)}, the model {tuple(weight.shape)}"
                self.misfit(layer, f"weight {weight.name!r} {shapes}")
                return
            if np.dtype(value.dtype).kind not in "fiu":
                self.misfit(layer, f"weight {weight.name!r} is {value.dtype}, not numbers")
                return
        self.pairs += zip(weights, values, strict=True)

    def finish(self) -> None:
        """Reads what is not read yet and assigns everything; warns of layers left out."""
        if self.skipped:
            names = ", ".join(dict.fromkeys(self.skipped))
            registry.warn(f"{self.source}: left out what does not fit: {names}")
        if not self.pairs and self.model.weights:
            hint = ", for none has the name of a layer" if self.by_name else ""
            raise ValueError(f"{self.source} gives {self.model.name} no weights{hint}")
        arrays = [np.asarray(value[()], weight.dtype, order="C") for weight, value in self.pairs]
        for (weight, _), array in zip(self.pairs, arrays, strict=True):
            ops.assign(weight, array)
