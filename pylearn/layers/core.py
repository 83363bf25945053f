"""Dense, Activation, Lambda, Masking and ActivityRegularization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import activations, ops, registry, regularizers
from pylearn.layers.base import Layer, Shape
from pylearn.layers.products import linear
from pylearn.sparse import CSR


class Dense(Layer):
    """activation(x · kernel + bias), over the last axis.

    Under the policy ``"mixed_bfloat16"`` x and kernel, and the operands of their gradients, are rounded to bfloat16 for
    the product, which is summed in float32. A CSR matrix is multiplied in float32.

    Args:
        units: size of the output's last axis, > 0.
        activation: name or function.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: ``"glorot_uniform"`` and ``"zeros"``; a number is a constant.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: put in force after every update.
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``, ``input_dim``.

    Shapes:
        x (N, …, D) or a CSR matrix (N, D) → (N, …, units); kernel (D, units), bias (units,).

    Raises:
        TypeError: an argument that is not supported; names the closest one.
        ValueError: an input whose last axis has another size.

    >>> import numpy as np
    >>> layer = Dense(2, kernel_initializer="ones", bias_initializer=0.5)
    >>> layer(np.ones((1, 3))).numpy()
    array([[3.5, 3.5]], dtype=float32)
    """

    none_only = ("lora_rank",)

    supports_masking = True

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units <= 0:
            raise ValueError(f"Dense: units must be a whole number > 0, got {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.set_up(
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Shape) -> None:
        if not input_shape or len(input_shape) < 2:
            raise ValueError(f"{self.name}: Dense needs rows with at least one axis, got shape {input_shape}")
        size = input_shape[-1]
        if size is None:
            raise ValueError(f"{self.name}: the size of the last axis must be known, got shape {input_shape}")
        self.kernel = self.weight_for("kernel", (size, self.units))
        if self.use_bias:
            self.bias = self.weight_for("bias", (self.units,))

    def call(self, x: Any) -> Any:
        kernel = self.kernel
        if x.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"{self.name}: expected {kernel.shape[0]} values on the last axis, got shape {tuple(x.shape)}"
            )
        activation = self.activation
        if type(x) is CSR:
            if x.dtype != kernel.dtype:
                x = CSR(x.indptr, x.indices, x.values.astype(kernel.dtype), x.shape)
            y = x @ kernel
            return activation(y if self.bias is None else y + self.bias)
        if x.dtype != kernel.dtype:
            x = ops.cast(x, kernel.dtype)
        fused = activations.FUSED.get(activation)
        y = linear(self.dtype_policy, x, kernel, self.bias, fused)
        return y if fused else activation(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }  # fmt: skip


class Activation(Layer):
    """An activation as a layer of its own.

    Args:
        activation: name or function.
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        return self.activation(self.floats(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Lambda(Layer):
    """A function as a layer. It has no weights: write a ``Layer`` for a function with some.

    Args:
        function: of a Tensor, made of ``pylearn.ops``; it may also take ``training`` and ``mask``.
        output_shape: shape of a row of the output, or a function of the input's shape; found by a trial run if None.
        mask: the output's mask, or a function ``(x, mask)`` that gives it.
        arguments: keyword arguments that are handed on.
        **kwargs: ``name``, ``dtype``, ``input_shape``.

    Raises:
        ValueError: when a model is saved whose function is a lambda: files hold no code. Functions of ``pylearn.ops``
            and ``activations`` are saved by name; your own named functions too, and are given again as
            ``custom_objects`` when the model is loaded.

    >>> import numpy as np
    >>> Lambda(lambda x: x * 2 + 1)(np.array([[1.0, 2.0]])).numpy()
    array([[3., 5.]], dtype=float32)
    """

    def __init__(
        self, function: Any, output_shape: Any = None, mask: Any = None, arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.function = _function(function, "function")
        self.row_shape = (
            output_shape if output_shape is None or callable(output_shape) else tuple(output_shape)
        )
        self.mask = _function(mask, "mask") if callable(mask) or registry.is_config(mask) else mask
        self.arguments = dict(arguments or {})
        names = registry.argument_names(self.function)
        self._takes = [name for name in ("training", "mask") if name in names and name not in self.arguments]

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        known = {"training": training, "mask": mask}
        return self.function(x, **self.arguments, **{name: known[name] for name in self._takes})

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return self.mask(x, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.row_shape is None:
            return super().compute_output_shape(input_shape)
        return self.row_shape(input_shape) if callable(self.row_shape) else (input_shape[0], *self.row_shape)

    def get_config(self) -> dict[str, Any]:
        for function in (self.function, self.mask, self.row_shape):
            if callable(function) and getattr(function, "__name__", "<lambda>") == "<lambda>":
                raise ValueError(
                    f"{self.name}: Lambda cannot be saved with a lambda, since files hold no code. Use a named "
                    "function and pass it as custom_objects on loading, or write a Layer"
                )
            name = getattr(function, "__name__", None)
            if callable(function) and _named(name) not in (None, function):
                raise ValueError(
                    f"{self.name}: the function {name!r} has the name of one of pylearn's; call it otherwise"
                )
        shape = list(self.row_shape) if isinstance(self.row_shape, tuple) else self.row_shape
        return {
            **super().get_config(), "function": self.function, "output_shape": shape, "mask": self.mask,
            "arguments": self.arguments,
        }  # fmt: skip


def _named(name: Any) -> Any:
    """The function of pylearn of this name."""
    return activations.ALL.get(name) or (getattr(ops, name) if name in ops.OPS else None)


def _function(given: Any, argument: str) -> Callable[..., Any]:
    if registry.is_config(given):
        known = {name: getattr(ops, name) for name in ops.OPS} | activations.ALL
        return registry.deserialize(given, known, "function (pass your own as custom_objects)")
    if not callable(given):
        raise TypeError(f"Lambda: {argument} must be a function, got {given!r}")
    return given


class Masking(Layer):
    """Masks the steps whose values all equal ``mask_value``, and sets them to zero.

    Later layers that know masks pass over them.

    Args:
        mask_value: what padding is filled with.

    >>> import numpy as np
    >>> layer = Masking()
    >>> layer.compute_mask(layer(np.array([[[1.0, 2.0], [0.0, 0.0]]]))).numpy()
    array([[ True, False]])
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = float(mask_value)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3:
            raise ValueError(
                f"{self.name}: Masking needs (batch, steps, features), got shape {tuple(input_shape)}"
            )

    def call(self, x: Any) -> Any:
        x = self.floats(x)
        return ops.where(ops.any(ops.not_equal(x, self.mask_value), axis=-1, keepdims=True), x, 0.0)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(x, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


class ActivityRegularization(Layer):
    """Hands its input on, and adds l1 · sum|x| + l2 · sum x² per row to the loss.

    Args:
        l1, l2: weights of the two penalties, ≥ 0.
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = float(l1), float(l2)

    def call(self, x: Any) -> Any:
        return self.floats(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer")
        return {**config, "l1": self.l1, "l2": self.l2}
