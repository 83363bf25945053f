"""Recurrent layers in both directions."""

from __future__ import annotations

from typing import Any

from pylearn import ops
from pylearn.layers.base import Layer
from pylearn.layers.nested import layer_from
from pylearn.layers.recurrent import Recurrent


class Bidirectional(Layer):
    """A recurrent layer from both ends of the sequence (Schuster and Paliwal 1997).

    Args:
        layer: the forward layer, ``SimpleRNN``, ``LSTM`` or ``GRU``.
        merge_mode: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"``, or None for a list of both.
        backward_layer: another layer for the other direction, with ``go_backwards=True``; a copy by default.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Masked steps of ``return_sequences`` are zeros. With ``return_state`` the output is ``[y, *states of the forward
    layer, *states of the other]``; ``initial_state`` takes states in that order.

    >>> import numpy as np
    >>> from pylearn.layers import LSTM
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", backward_layer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        layer = layer_from(layer)
        if not isinstance(layer, Recurrent):
            raise TypeError(
                f"Bidirectional: layer must be SimpleRNN, LSTM or GRU, got {type(layer).__name__}"
            )
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ValueError(
                f"Bidirectional: merge_mode must be concat, sum, mul, ave or None, got {merge_mode!r}"
            )
        config = {k: v for k, v in layer.get_config().items() if k != "input_shape"}
        if backward_layer is None:
            back = type(layer).from_config(
                {**config, "name": f"backward_{layer.name}", "go_backwards": not layer.go_backwards}
            )
        else:
            back = layer_from(backward_layer)
            if not isinstance(back, Recurrent) or back.go_backwards == layer.go_backwards:
                raise ValueError("Bidirectional: backward_layer must be recurrent and run the other way")
            for argument in ("return_sequences", "return_state", "stateful"):
                if getattr(back, argument) != getattr(layer, argument):
                    raise ValueError(f"Bidirectional: both layers must agree on {argument}")
        self.merge_mode = merge_mode
        self.forward_layer, self.backward_layer = layer, back

    def __call__(self, x: Any, *args: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        """The layer on a sequence, or on ``[sequence, *initial states]``: the forward layer's, then the other's."""
        return super().__call__(x if initial_state is None else [x, *initial_state], *args, **kwargs)

    def _split(self, x: Any) -> tuple[Any, Any]:
        """What each of the two layers is given, of tensors or shapes."""
        if not isinstance(x, list):
            return x, x
        states = self.forward_layer.states
        if len(x) != 2 * states + 1:
            raise ValueError(f"{self.name}: expected {2 * states} initial states, got {len(x) - 1}")
        return [x[0], *x[1 : states + 1]], [x[0], *x[states + 1 :]]

    def build(self, input_shape: Any) -> None:
        forward, backward = self._split(input_shape)
        self.forward_layer.ensure_built(forward)
        self.backward_layer.ensure_built(backward)

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        outs: list[Any] = []
        states: list[Any] = []
        mask = mask[0] if isinstance(mask, list) else mask
        for layer, given in zip((self.forward_layer, self.backward_layer), self._split(x), strict=True):
            y = layer.run(given, training=training, mask=mask)
            if layer.return_state:
                y, *last = y
                states += last
            if layer.go_backwards and layer.return_sequences:
                y = ops.flip(y, axis=1)  # both in the order of the steps
            if mask is not None and layer.return_sequences:
                y = ops.where(
                    ops.expand_dims(mask, -1), y, 0.0
                )  # each repeats its state there, at another end
            outs.append(y)
        merged = self._merge(*outs)
        if not states:
            return merged
        return [*merged, *states] if self.merge_mode is None else [merged, *states]

    def _merge(self, a: Any, b: Any) -> Any:
        match self.merge_mode:
            case "concat":
                return ops.concatenate([a, b], axis=-1)
            case "sum":
                return a + b
            case "mul":
                return a * b
            case "ave":
                return (a + b) * 0.5
        return [a, b]

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list) else mask
        out = mask if self.forward_layer.return_sequences else None
        outs = [out, out] if self.merge_mode is None else [out]
        if self.forward_layer.return_state:
            outs += [None] * (2 * self.forward_layer.states)
        return outs if len(outs) > 1 else out

    def compute_output_shape(self, input_shape: Any) -> Any:
        outs, states = [], []
        for layer, given in zip(
            (self.forward_layer, self.backward_layer), self._split(input_shape), strict=True
        ):
            shape = layer.compute_output_shape(given)
            if layer.return_state:
                shape, *last = shape
                states += last
            outs.append(shape)
        a, b = outs
        if self.merge_mode is None:
            return [a, b, *states]
        merged = (*a[:-1], a[-1] + b[-1]) if self.merge_mode == "concat" else a
        return [merged, *states] if states else merged

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "layer": self.forward_layer, "merge_mode": self.merge_mode,
            "backward_layer": self.backward_layer,
        }  # fmt: skip
