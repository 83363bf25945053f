"""Attention."""

from __future__ import annotations

from typing import Any

from pylearn import initializers, ops, regularizers
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import sizes_of


class MultiHeadAttention(Layer):
    """Several scaled dot-product attentions side by side (Vaswani et al. 2017).

    Called as ``layer(query, value, key=None)``; ``key`` is ``value`` by default.

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; ``key_dim`` by default.
        dropout: share of the attention weights dropped in training.
        use_bias: whether the projections have biases.
        output_shape: size of the output; the query's by default.
        kernel_initializer, bias_initializer: ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        **kwargs: ``name``, ``trainable``, ``dtype``.

    Call arguments:
        attention_mask: True where a query may look: broadcastable to (N, T, S).
        use_causal_mask: a step looks at itself and at those before.

    Shapes:
        query (N, T, D), value (N, S, E), key (N, S, K) → (N, T, D).

    >>> import numpy as np
    >>> x = np.ones((2, 5, 8))
    >>> MultiHeadAttention(num_heads=2, key_dim=4)(x, x, use_causal_mask=True).shape
    (2, 5, 8)
    """

    none_only = ("attention_axes", "kernel_constraint", "bias_constraint", "flash_attention", "seed")

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, use_bias: bool = True,
        output_shape: int | None = None, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = "MultiHeadAttention"
        self.num_heads = sizes_of(owner, "num_heads", num_heads, 1)[0]
        self.key_dim = sizes_of(owner, "key_dim", key_dim, 1)[0]
        self.value_dim = self.key_dim if value_dim is None else sizes_of(owner, "value_dim", value_dim, 1)[0]
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"{owner}: dropout is the share dropped and must be in [0, 1), got {dropout}")
        self.dropout = float(dropout)
        self.use_bias = bool(use_bias)
        self.output_size = (
            None if output_shape is None else sizes_of(owner, "output_shape", output_shape, 1)[0]
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def __call__(
        self, x: Any, *args: Any, training: bool | None = None, mask: Any = None, **kwargs: Any
    ) -> Any:
        """The layer on ``(query, value, key=None)``, or on a list of them."""
        given = [*x] if isinstance(x, list) else [x]
        given += [*args, *(kwargs.pop(name) for name in ("value", "key") if kwargs.get(name) is not None)]
        if len(given) not in (2, 3):
            raise ValueError(f"{self.name}: call it on query and value: layer(x, x)")
        return super().__call__(given, training=training, mask=mask, **kwargs)

    def build(self, input_shape: Any) -> None:
        shapes = list(input_shape)
        if any(len(s) != 3 or s[-1] is None for s in shapes):
            raise ValueError(
                f"{self.name}: query, value and key must be (batch, steps, features), got {shapes}"
            )
        query, value, key = shapes[0][-1], shapes[1][-1], shapes[-1][-1]
        out = self.output_size or query
        heads, wide = self.num_heads, (self.key_dim, self.value_dim)
        self.query_kernel, self.query_bias = self._projection("query", (query, heads, wide[0]))
        self.key_kernel, self.key_bias = self._projection("key", (key, heads, wide[0]))
        self.value_kernel, self.value_bias = self._projection("value", (value, heads, wide[1]))
        self.output_kernel, self.output_bias = self._projection("attention_output", (heads, wide[1], out), 1)

    def _projection(self, name: str, shape: tuple[int, ...], bias_axes: int = 2) -> tuple[Any, Any]:
        kernel = self.add_weight(f"{name}_kernel", shape, self.kernel_initializer, self.kernel_regularizer)
        if not self.use_bias:
            return kernel, None
        bias = self.add_weight(
            f"{name}_bias", shape[len(shape) - bias_axes :], self.bias_initializer, self.bias_regularizer
        )
        return kernel, bias

    def call(
        self, x: Any, training: bool = False, mask: Any = None, attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        query, value, key = x[0], x[1], x[-1]
        q = _project(query, self.query_kernel, self.query_bias)
        k = _project(key, self.key_kernel, self.key_bias)
        v = _project(value, self.value_kernel, self.value_bias)
        keep = None
        if attention_mask is not None:
            keep = ops.cast(attention_mask, "bool")
            keep = ops.expand_dims(keep, 1) if keep.ndim == 3 else keep
        padding = mask[1] if isinstance(mask, list | tuple) and len(mask) > 1 else None
        if padding is not None:  # (N, S): steps of the value that are only padding
            padding = ops.reshape(padding, (padding.shape[0], 1, 1, padding.shape[1]))
            keep = padding if keep is None else ops.logical_and(keep, padding)
        y = ops.scaled_dot_product_attention(
            q, k, v, mask=keep, is_causal=use_causal_mask, dropout=self.dropout if training else 0.0
        )
        heads, size, out = self.output_kernel.shape
        y = ops.reshape(y, (*y.shape[:2], heads * size))
        return ops.linear(y, ops.reshape(self.output_kernel, (heads * size, out)), self.output_bias)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, list | tuple) else None

    def compute_output_shape(self, input_shape: Any) -> Shape:
        query = input_shape[0]
        return (*query[:-1], self.output_size or query[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim,
            "value_dim": self.value_dim, "dropout": self.dropout, "use_bias": self.use_bias,
            "output_shape": self.output_size, "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer, "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
        }  # fmt: skip


def _project(x: Any, kernel: Any, bias: Any) -> Any:
    """(N, T, D) to heads (N, T, H, size)."""
    size, heads, wide = kernel.shape
    if x.dtype != kernel.dtype:
        x = ops.cast(x, kernel.dtype)
    y = ops.linear(
        x,
        ops.reshape(kernel, (size, heads * wide)),
        None if bias is None else ops.reshape(bias, (heads * wide,)),
    )
    return ops.reshape(y, (*y.shape[:2], heads, wide))
