"""Recurrent layers over (N, T, F), and their two directions."""

from __future__ import annotations

from typing import Any

from pylearn import activations, initializers, ops, registry, regularizers
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import sizes_of


class _Recurrent(Layer):
    """Weights, states and outputs; subclasses say the gates and run the op."""

    gates: int
    states: int
    none_only = ("kernel_constraint", "recurrent_constraint", "bias_constraint")

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = sizes_of(type(self).__name__, "units", units, 1)[0]
        self.activation = self._known(activation, "activation")
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.kernel: Any = None
        self.recurrent_kernel: Any = None
        self.bias: Any = None

    def _known(self, activation: Any, argument: str) -> str | None:
        """The activation's name, which the sequence ops take."""
        name = activations.serialize(activations.get(activation))
        if name not in activations.RECURRENT:
            raise ValueError(
                f"{type(self).__name__}: {argument} must be one of {', '.join(activations.RECURRENT)}, "
                f"got {activation!r}"
            )
        return None if name == "linear" else name

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            hint = "; add the axis of features: X[..., None]" if len(input_shape) == 2 else ""
            raise ValueError(
                f"{self.name}: {type(self).__name__} needs (batch, steps, features), "
                f"got shape {tuple(input_shape)}{hint}"
            )
        wide = self.gates * self.units
        self.kernel = self.add_weight(
            "kernel", (input_shape[-1], wide), self.kernel_initializer, self.kernel_regularizer
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, wide), self.recurrent_initializer, self.recurrent_regularizer
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", self._bias_shape(), self._bias_initializer(), self.bias_regularizer
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def _sequence(self, x: Any, states: list[Any], mask: Any, reverse: bool) -> list[Any]:
        """Outputs at all steps and the last states."""
        raise TypeError(f"{type(self).__name__} has no _sequence: write one")

    def call(self, x: Any, mask: Any = None, initial_state: Any = None) -> Any:
        if x.ndim != 3 or x.shape[-1] != self.kernel.shape[0]:
            raise ValueError(
                f"{self.name}: expected (batch, steps, {self.kernel.shape[0]}), got shape {tuple(x.shape)}"
            )
        if x.dtype != self.kernel.dtype:
            x = ops.cast(x, self.kernel.dtype)
        states = [None] * self.states if initial_state is None else list(initial_state)
        if len(states) != self.states:
            raise ValueError(f"{self.name}: expected {self.states} initial states, got {len(states)}")
        y, *last = self._sequence(x, states, mask, self.go_backwards)
        if not self.return_sequences:
            y = last[0]
        elif self.go_backwards:
            y = ops.flip(y, axis=1)  # in the order in which they were computed, as in Keras
        return [y, *last] if self.return_state else y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        out = mask if self.return_sequences else None
        return [out, *[None] * self.states] if self.return_state else out

    def compute_output_shape(self, input_shape: Shape) -> Any:
        rows = input_shape[0]
        y = (rows, input_shape[1], self.units) if self.return_sequences else (rows, self.units)
        return [y, *[(rows, self.units)] * self.states] if self.return_state else y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": self.activation, "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer, "recurrent_initializer": self.recurrent_initializer,
            "bias_initializer": self.bias_initializer, "kernel_regularizer": self.kernel_regularizer,
            "recurrent_regularizer": self.recurrent_regularizer, "bias_regularizer": self.bias_regularizer,
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards,
        }  # fmt: skip


class SimpleRNN(_Recurrent):
    """h = activation(x · kernel + h · recurrent_kernel + bias), step by step (Elman 1990).

    Args:
        units: size of the state, > 0.
        activation: ``"tanh"``; any of ``activations.RECURRENT``.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last state.
        go_backwards: from the last step to the first; outputs in that order.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, F) → (N, units) or (N, T, units). A masked step leaves the state as it was.
    """

    gates, states = 1, 1

    def _sequence(self, x: Any, states: list[Any], mask: Any, reverse: bool) -> list[Any]:
        return list(ops.simple_rnn(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], activation=self.activation, mask=mask,
            reverse=reverse,
        ))  # fmt: skip


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with Keras' gates i, f, c, o.

    Args:
        units: size of the states, > 0.
        activation, recurrent_activation: ``"tanh"`` and ``"sigmoid"``; any of ``activations.RECURRENT``.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        unit_forget_bias: the forget gate's bias starts at 1 (Jozefowicz et al. 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last states h and c.
        go_backwards: from the last step to the first; outputs in that order.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, F) → (N, units) or (N, T, units); kernel (F, 4 units), recurrent_kernel (units, 4 units). A masked step
        leaves the states as they were.

    >>> import numpy as np
    >>> LSTM(4, return_sequences=True)(np.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    gates, states = 4, 2

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer, return_sequences,
            return_state, go_backwards, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = self._known(recurrent_activation, "recurrent_activation")
        self.unit_forget_bias = bool(unit_forget_bias)

    def _bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def bias(shape: Any, dtype: Any = "float32") -> Any:
            value = self.bias_initializer(shape, dtype).numpy().copy()
            value[self.units : 2 * self.units] = 1
            return value

        return bias

    def _sequence(self, x: Any, states: list[Any], mask: Any, reverse: bool) -> list[Any]:
        return list(ops.lstm(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], states[1], activation=self.activation,
            recurrent_activation=self.recurrent_activation, mask=mask, reverse=reverse,
        ))  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "recurrent_activation": self.recurrent_activation,
            "unit_forget_bias": self.unit_forget_bias,
        }  # fmt: skip


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al. 2014), with Keras' gates z, r, h.

    Args:
        units: size of the state, > 0.
        activation, recurrent_activation: ``"tanh"`` and ``"sigmoid"``; any of ``activations.RECURRENT``.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        reset_after: the reset gate acts after the product with the recurrent kernel, which then has a bias of its own.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last state.
        go_backwards: from the last step to the first; outputs in that order.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        x (N, T, F) → (N, units) or (N, T, units); kernel (F, 3 units), recurrent_kernel (units, 3 units). A masked step
        leaves the state as it was.
    """

    gates, states = 3, 1

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        reset_after: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer, return_sequences,
            return_state, go_backwards, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = self._known(recurrent_activation, "recurrent_activation")
        self.reset_after = bool(reset_after)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _sequence(self, x: Any, states: list[Any], mask: Any, reverse: bool) -> list[Any]:
        return list(ops.gru(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], activation=self.activation,
            recurrent_activation=self.recurrent_activation, reset_after=self.reset_after, mask=mask, reverse=reverse,
        ))  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "recurrent_activation": self.recurrent_activation,
            "reset_after": self.reset_after,
        }  # fmt: skip


class Bidirectional(Layer):
    """A recurrent layer from both ends of the sequence (Schuster and Paliwal 1997).

    Args:
        layer: the forward layer, ``SimpleRNN``, ``LSTM`` or ``GRU``.
        merge_mode: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"``, or None for a list of both.
        backward_layer: another layer for the other direction, with ``go_backwards=True``; a copy by default.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    >>> import numpy as np
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", backward_layer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        layer = _layer(layer)
        if not isinstance(layer, _Recurrent):
            raise TypeError(
                f"Bidirectional: layer must be SimpleRNN, LSTM or GRU, got {type(layer).__name__}"
            )
        if layer.return_state:
            raise ValueError("Bidirectional: a layer with return_state=True is not supported")
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
            back = _layer(backward_layer)
            if not isinstance(back, _Recurrent) or back.go_backwards == layer.go_backwards:
                raise ValueError("Bidirectional: backward_layer must be recurrent and run the other way")
            if back.return_sequences != layer.return_sequences:
                raise ValueError("Bidirectional: both layers must agree on return_sequences")
        self.merge_mode = merge_mode
        self.forward_layer, self.backward_layer = layer, back

    def build(self, input_shape: Shape) -> None:
        self.forward_layer.ensure_built(input_shape)
        self.backward_layer.ensure_built(input_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        outs = []
        for layer in (self.forward_layer, self.backward_layer):
            y = layer.run(x, mask=mask)
            if layer.go_backwards and layer.return_sequences:
                y = ops.flip(y, axis=1)  # both in the order of the steps
            outs.append(y)
        a, b = outs
        match self.merge_mode:
            case "concat":
                return ops.concatenate(outs, axis=-1)
            case "sum":
                return a + b
            case "mul":
                return a * b
            case "ave":
                return (a + b) * 0.5
        return outs

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        out = mask if self.forward_layer.return_sequences else None
        return [out, out] if self.merge_mode is None else out

    def compute_output_shape(self, input_shape: Shape) -> Any:
        a = self.forward_layer.compute_output_shape(input_shape)
        b = self.backward_layer.compute_output_shape(input_shape)
        if self.merge_mode is None:
            return [a, b]
        return (*a[:-1], a[-1] + b[-1]) if self.merge_mode == "concat" else a

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "layer": self.forward_layer, "merge_mode": self.merge_mode,
            "backward_layer": self.backward_layer,
        }  # fmt: skip


def _layer(given: Any) -> Any:
    """A layer, also from its configuration."""
    if registry.is_config(given):
        return registry.deserialize(
            given, {cls.__name__: cls for cls in (SimpleRNN, LSTM, GRU)}, "layer class"
        )
    return given
