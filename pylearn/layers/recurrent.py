"""Recurrent layers over (N, T, F)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import activations, ops
from pylearn._core import Tensor, asarray
from pylearn.autograd import no_grad
from pylearn.layers.convolutional import sizes_of
from pylearn.layers.dropout import Noisy


class Recurrent(Noisy):
    """Weights, states and outputs; subclasses say the gates and run the op."""

    gates: int
    states: int
    bias_initializer: Any
    none_only = ("use_cudnn",)

    def __init__(
        self, units: int, activation: Any, use_bias: bool, activity_regularizer: Any, dropout: float,
        recurrent_dropout: float, seed: int | None, return_sequences: bool, return_state: bool, go_backwards: bool,
        stateful: bool, unroll: bool, settings: dict[str, Any], **kwargs: Any,
    ) -> None:  # fmt: skip
        for said, ways in (("use_cudnn", ("auto", False)), ("implementation", (1, 2))):
            if kwargs.get(said) in ways:  # there is one way here
                kwargs.pop(said)
        super().__init__(seed, activity_regularizer=activity_regularizer, **kwargs)
        self.units = sizes_of(type(self).__name__, "units", units, 1)[0]
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.set_up(**settings)
        self.dropout = self.fraction("dropout", dropout)
        self.recurrent_dropout = self.fraction("recurrent_dropout", recurrent_dropout)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.kernel: Any = None
        self.recurrent_kernel: Any = None
        self.bias: Any = None
        self._states: dict[int, list[Tensor]] = {}  # of a stateful layer, by rows: where the last batch ended
        self._rows: int | None = None  # of the batches that are going on

    # -- called, also with states ------------------------------------------------------------------

    def __call__(self, x: Any, *args: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        """The layer on a sequence, or on ``[sequence, *initial states]``, which ``initial_state`` is short for."""
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            x = [x, *states]
        return super().__call__(x, *args, **kwargs)

    def _split(self, x: Any) -> tuple[Any, list[Any] | None]:
        """The sequence and its initial states, of tensors, shapes or masks alike."""
        if not isinstance(x, list):
            return x, None
        if len(x) != self.states + 1:
            raise ValueError(f"{self.name}: expected {self.states} initial states, got {len(x) - 1}")
        return x[0], x[1:]

    def build(self, input_shape: Any) -> None:
        input_shape, _ = self._split(input_shape)
        if len(input_shape) != 3 or input_shape[-1] is None:
            hint = "; add the axis of features: X[..., None]" if len(input_shape) == 2 else ""
            raise ValueError(
                f"{self.name}: {type(self).__name__} needs (batch, steps, features), "
                f"got shape {tuple(input_shape)}{hint}"
            )
        wide = self.gates * self.units
        self.kernel = self.weight_for("kernel", (input_shape[-1], wide))
        self.recurrent_kernel = self.weight_for("recurrent", (self.units, wide), "recurrent_kernel")
        if self.use_bias:
            self.bias = self.weight_for("bias", self._bias_shape(), initializer=self._bias_initializer())

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return None

    def call(self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None) -> Any:
        x, given = self._split(x)
        if isinstance(mask, list):
            mask = mask[0]
        if initial_state is not None:
            x, given = self._split([x, *initial_state])
        if x.ndim != 3 or x.shape[-1] != self.kernel.shape[0]:
            raise ValueError(
                f"{self.name}: expected (batch, steps, {self.kernel.shape[0]}), got shape {tuple(x.shape)}"
            )
        if x.dtype != self.kernel.dtype:
            x = ops.cast(x, self.kernel.dtype)
        states = self._begin(x, given)
        y, *last = self._run(x, states, mask, training)
        if self.stateful:
            with no_grad():
                for kept, new in zip(self._states[x.shape[0]], last, strict=True):
                    ops.assign(kept, new)
        if not self.return_sequences:
            y = last[0]
        elif self.go_backwards:
            y = ops.flip(y, axis=1)  # in the order in which they were computed, as in Keras
        return [y, *last] if self.return_state else y

    def _begin(self, x: Any, given: list[Any] | None) -> list[Any]:
        """The states before the first step."""
        shape = (x.shape[0], self.units)
        for state in given or ():
            if tuple(state.shape) != shape:
                raise ValueError(
                    f"{self.name}: an initial state must have shape {shape}, got {tuple(state.shape)}"
                )
        if given is not None:
            given = [ops.cast(s, self.dtype) if s.dtype != self.dtype else s for s in given]
        if not self.stateful:
            return given or [None] * self.states
        if self._rows not in (None, shape[0]):
            raise ValueError(
                f"{self.name}: a stateful layer goes on where the batch before ended, and that had {self._rows} rows, "
                f"this one {shape[0]}: use batches of one size that divides the number of rows, or reset_states() "
                "before batches of another"
            )
        self._rows = shape[0]
        if shape[0] not in self._states:
            self._states[shape[0]] = [asarray(np.zeros(shape, self.dtype)) for _ in range(self.states)]
        return given or [
            ops.copy(state) for state in self._states[shape[0]]
        ]  # these are overwritten in the same step

    def reset_states(self, states: Any = None) -> None:
        """Sets the states of a stateful layer.

        Args:
            states: one array (rows, units) for each; zeros, and batches of any size next, by default.

        Raises:
            ValueError: the layer is not stateful; states of other shapes.
        """
        if not self.stateful:
            if states is None:
                return
            raise ValueError(f"{self.name}: only a layer with stateful=True has states to set")
        self._rows = None
        for kept in self._states.values():
            for state in kept:
                ops.assign(state, np.zeros(state.shape, self.dtype))
        if states is None:
            return
        given = states if isinstance(states, (list, tuple)) else [states]
        arrays = [np.ascontiguousarray(s, self.dtype) for s in given]
        if len(arrays) != self.states or any(a.ndim != 2 or a.shape[1] != self.units for a in arrays):
            raise ValueError(f"{self.name}: expected {self.states} states of shape (rows, {self.units})")
        rows = arrays[0].shape[0]
        kept = self._states.setdefault(rows, [asarray(np.zeros_like(a)) for a in arrays])
        for state, array in zip(kept, arrays, strict=True):
            ops.assign(state, array)

    reset_state = reset_states

    # -- the recurrence ---------------------------------------------------------------------------

    def _run(self, x: Any, states: list[Any], mask: Any, training: bool) -> list[Any]:
        """Outputs at all steps and the last states: by one op where there is one, else step by step."""
        drops = training and self.recurrent_dropout > 0
        names = {key: _fused(function) for key, function in self._activations().items()}
        if not drops and None not in names.values():
            if training and self.dropout:
                x = self.dropped(x, self.dropout, (x.shape[0], 1, x.shape[2]))
            return self._sequence(x, states, mask, names)
        return self._steps(x, states, mask, training)

    def _activations(self) -> dict[str, Any]:
        return {"activation": self.activation}

    def _sequence(self, x: Any, states: list[Any], mask: Any, names: dict[str, Any]) -> list[Any]:
        """The op over the whole sequence."""
        raise TypeError(f"{type(self).__name__} has no _sequence: write one")

    def _step(self, parts: list[Any], states: list[Any], drops: list[Any]) -> list[Any]:
        """The next states, from the input's parts of the gates (with biases) and masks of h for each gate."""
        raise TypeError(f"{type(self).__name__} has no _step: write one")

    def _steps(self, x: Any, states: list[Any], mask: Any, training: bool) -> list[Any]:
        """As ``_sequence``, step by step, with masks of dropout that stay through a sequence, one for each gate."""
        rows, steps, features = x.shape
        kernels = ops.split(self.kernel, self.gates, 1)
        biases = self._input_biases()
        parts = []
        for kernel, bias in zip(kernels, biases, strict=True):
            fed = self.dropped(x, self.dropout, (rows, 1, features)) if training else x
            parts.append(ops.linear(fed, kernel, bias))
        drops: list[Any] = [None] * self.gates
        if training and self.recurrent_dropout:
            drops = [
                self.kept((rows, self.units), self.recurrent_dropout, x.dtype) for _ in range(self.gates)
            ]
        now = [asarray(np.zeros((rows, self.units), self.dtype)) if s is None else s for s in states]
        outputs: list[Any] = [None] * steps
        for t in reversed(range(steps)) if self.go_backwards else range(steps):
            new = self._step([p[:, t] for p in parts], now, drops)
            if mask is not None:
                live = ops.expand_dims(mask[:, t], -1)
                new = [ops.where(live, a, b) for a, b in zip(new, now, strict=True)]
            now = new
            outputs[t] = now[0]
        y = ops.stack(outputs, axis=1) if steps else asarray(np.zeros((rows, 0, self.units), self.dtype))
        return [y, *now]

    def _input_biases(self) -> list[Any]:
        return ops.split(self.bias, self.gates, 0) if self.use_bias else [None] * self.gates

    # -- shapes -----------------------------------------------------------------------------------

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list) else mask
        out = mask if self.return_sequences else None
        return [out, *[None] * self.states] if self.return_state else out

    def compute_output_shape(self, input_shape: Any) -> Any:
        input_shape, _ = self._split(input_shape)
        rows = input_shape[0]
        y = (rows, input_shape[1], self.units) if self.return_sequences else (rows, self.units)
        return [y, *[(rows, self.units)] * self.states] if self.return_state else y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "use_bias": self.use_bias,
            **{key: activations.serialize(function) for key, function in self._activations().items()},
            "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout,
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful, "unroll": self.unroll,
        }  # fmt: skip


def _fused(activation: Any) -> str | None:
    """Its name for the ops over sequences, if they know it."""
    name = activations.serialize(activation) if activation in activations.ALL.values() else None
    return name if name in activations.RECURRENT else None


def _product(h: Any, kernel: Any, drop: Any = None) -> Any:
    return ops.matmul(h if drop is None else h * drop, kernel)


class SimpleRNN(Recurrent):
    """h = activation(x · kernel + h · recurrent_kernel + bias), step by step (Elman 1990).

    Args:
        units: size of the state, > 0.
        activation: ``"tanh"``; name or function. Those in ``activations.RECURRENT`` run in one op.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: put in force after every update.
        dropout, recurrent_dropout: fractions of the inputs and of h dropped in training, the same ones at every step of
            a sequence (Gal and Ghahramani 2016). With recurrent_dropout the steps are composed of ops, and slower.
        seed: of a generator of its own for the two.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last state.
        go_backwards: from the last step to the first; outputs in that order.
        stateful: a batch goes on where the one before ended, row by row, until ``reset_states()``.
        unroll: accepted as in Keras; steps are unrolled where they are recorded.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Call arguments:
        initial_state: the state before the first step (a list of both, of an LSTM), Tensors or symbolic tensors; zeros
            by default.

    Shapes:
        x (N, T, F) → (N, units) or (N, T, units). A masked step leaves the state as it was.
    """

    gates, states = 1, 1

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None, bias_constraint: Any = None,
        dropout: float = 0.0, recurrent_dropout: float = 0.0,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "kernel_initializer": kernel_initializer, "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer, "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            units, activation, use_bias, activity_regularizer, dropout, recurrent_dropout, seed, return_sequences,
            return_state, go_backwards, stateful, unroll, settings, **kwargs,
        )  # fmt: skip

    def _sequence(self, x: Any, states: list[Any], mask: Any, names: dict[str, Any]) -> list[Any]:
        return list(ops.simple_rnn(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], mask=mask, reverse=self.go_backwards, **names,
        ))  # fmt: skip

    def _step(self, parts: list[Any], states: list[Any], drops: list[Any]) -> list[Any]:
        return [self.activation(parts[0] + _product(states[0], self.recurrent_kernel, drops[0]))]


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with Keras' gates i, f, c, o.

    Args:
        units: size of the states, > 0.
        activation, recurrent_activation: ``"tanh"`` and ``"sigmoid"``; names or functions. Those in
            ``activations.RECURRENT`` run in one op.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        unit_forget_bias: the forget gate's bias starts at 1 (Jozefowicz et al. 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: put in force after every update.
        dropout, recurrent_dropout: fractions of the inputs and of h dropped in training, the same ones at every step of
            a sequence (Gal and Ghahramani 2016). With recurrent_dropout the steps are composed of ops, and slower.
        seed: of a generator of its own for the two.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last states h and c.
        go_backwards: from the last step to the first; outputs in that order.
        stateful: a batch goes on where the one before ended, row by row, until ``reset_states()``.
        unroll: accepted as in Keras; steps are unrolled where they are recorded.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Call arguments:
        initial_state: the state before the first step (a list of both, of an LSTM), Tensors or symbolic tensors; zeros
            by default.

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
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int | None = None,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "kernel_initializer": kernel_initializer, "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer, "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            units, activation, use_bias, activity_regularizer, dropout, recurrent_dropout, seed, return_sequences,
            return_state, go_backwards, stateful, unroll, settings, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    def _bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return None

        def bias(shape: Any, dtype: Any = "float32") -> Any:
            value = self.bias_initializer(shape, dtype).numpy().copy()
            value[self.units : 2 * self.units] = 1
            return value

        return bias

    def _activations(self) -> dict[str, Any]:
        return {"activation": self.activation, "recurrent_activation": self.recurrent_activation}

    def _sequence(self, x: Any, states: list[Any], mask: Any, names: dict[str, Any]) -> list[Any]:
        return list(ops.lstm(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], states[1], mask=mask,
            reverse=self.go_backwards, **names,
        ))  # fmt: skip

    def _step(self, parts: list[Any], states: list[Any], drops: list[Any]) -> list[Any]:
        h, c = states
        kernels = ops.split(self.recurrent_kernel, 4, 1)
        i, f, g, o = (p + _product(h, k, d) for p, k, d in zip(parts, kernels, drops, strict=True))
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        return [gate(o) * self.activation(c), c]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), with Keras' gates z, r, h.

    Args:
        units: size of the state, > 0.
        activation, recurrent_activation: ``"tanh"`` and ``"sigmoid"``; names or functions. Those in
            ``activations.RECURRENT`` run in one op.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer: ``True``, ``"glorot_uniform"``,
            ``"orthogonal"``, ``"zeros"``.
        reset_after: the reset gate acts after the product with the recurrent kernel, which then has a bias of its own.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: put in force after every update.
        dropout, recurrent_dropout: fractions of the inputs and of h dropped in training, the same ones at every step of
            a sequence (Gal and Ghahramani 2016). With recurrent_dropout the steps are composed of ops, and slower.
        seed: of a generator of its own for the two.
        return_sequences: outputs of all steps rather than of the last.
        return_state: also the last state.
        go_backwards: from the last step to the first; outputs in that order.
        stateful: a batch goes on where the one before ended, row by row, until ``reset_states()``.
        unroll: accepted as in Keras; steps are unrolled where they are recorded.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Call arguments:
        initial_state: the state before the first step (a list of both, of an LSTM), Tensors or symbolic tensors; zeros
            by default.

    Shapes:
        x (N, T, F) → (N, units) or (N, T, units); kernel (F, 3 units), recurrent_kernel (units, 3 units). A masked step
        leaves the state as it was.
    """

    gates, states = 3, 1

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None, bias_constraint: Any = None,
        dropout: float = 0.0, recurrent_dropout: float = 0.0,
        seed: int | None = None, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, unroll: bool = False, reset_after: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        settings = {
            "kernel_initializer": kernel_initializer, "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer, "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            units, activation, use_bias, activity_regularizer, dropout, recurrent_dropout, seed, return_sequences,
            return_state, go_backwards, stateful, unroll, settings, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _activations(self) -> dict[str, Any]:
        return {"activation": self.activation, "recurrent_activation": self.recurrent_activation}

    def _sequence(self, x: Any, states: list[Any], mask: Any, names: dict[str, Any]) -> list[Any]:
        return list(ops.gru(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0], reset_after=self.reset_after, mask=mask,
            reverse=self.go_backwards, **names,
        ))  # fmt: skip

    def _input_biases(self) -> list[Any]:
        bias = self.bias[0] if self.use_bias and self.reset_after else self.bias
        return [None] * 3 if bias is None else ops.split(bias, 3, 0)

    def _step(self, parts: list[Any], states: list[Any], drops: list[Any]) -> list[Any]:
        h = states[0]
        kernels = ops.split(self.recurrent_kernel, 3, 1)
        biases = ops.split(self.bias[1], 3, 0) if self.use_bias and self.reset_after else [0.0] * 3
        gate = self.recurrent_activation
        z, r = (gate(parts[i] + _product(h, kernels[i], drops[i]) + biases[i]) for i in (0, 1))
        fed = h if drops[2] is None else h * drops[2]
        if self.reset_after:
            new = parts[2] + r * (_product(fed, kernels[2]) + biases[2])
        else:
            new = parts[2] + _product(r * fed, kernels[2])
        return [z * h + (1.0 - z) * self.activation(new)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
