"""Attention with several heads, and a cache for generation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pylearn import _core, ops
from pylearn._core import asarray
from pylearn.layers.attention import causal
from pylearn.layers.convolutional import sizes_of
from pylearn.layers.dropout import Noisy
from pylearn.layers.products import linear
from pylearn.mixed_precision import DTypePolicy


class _KeysAndValues(NamedTuple):
    keys: Any
    values: Any


class KeyValueCache(_KeysAndValues):
    """Keys (N, S, heads, key_dim) and values (N, S, heads, value_dim) of the steps so far.

    They are the beginning of arrays with room for more steps, which the caches of one generation share. A cache stays
    as it is when steps are added to it: going on from one cache twice gives two generations that know nothing of each
    other.
    """

    _room: _Room | None = None

    @property
    def steps(self) -> int:
        """How many steps it holds."""
        return int(self.keys.shape[1])

    def extended(self, keys: Any, values: Any) -> KeyValueCache:
        """These steps and those given after them."""
        added = _KeysAndValues(keys, values)
        if _core.is_recording() or _core.grad_enabled():  # neither follows a place written twice
            return KeyValueCache(*(ops.concatenate(pair, axis=1) for pair in zip(self, added, strict=True)))
        end = self.steps + keys.shape[1]
        room = self._room
        if room is None or room.filled != self.steps or room.steps < end:
            room = _Room(added, max(2 * end, _FIRST))
            room.add(self)
        room.add(added)
        return room.cache()


_FIRST = 16  # steps that a cache has room for at first


class _Room:
    """Arrays for keys and values of more steps than there are; twice as many each time they do not suffice.

    Args:
        like: of the sizes that the arrays have besides the steps.
        steps: how many they have room for.
    """

    def __init__(self, like: _KeysAndValues, steps: int) -> None:
        self.arrays = [
            asarray(np.zeros((array.shape[0], steps, *array.shape[2:]), array.dtype)) for array in like
        ]
        self.steps, self.filled = steps, 0

    def add(self, more: _KeysAndValues) -> None:
        begin, self.filled = self.filled, self.filled + more.keys.shape[1]
        for array, new in zip(self.arrays, more, strict=True):
            array[:, begin : self.filled] = new

    def cache(self) -> KeyValueCache:
        """What has been added until now."""
        made = KeyValueCache(*(array[:, : self.filled] for array in self.arrays))
        made._room = self
        return made


class MultiHeadAttention(Noisy):
    """Several scaled dot-product attentions side by side (Vaswani et al. 2017).

    Called as ``layer(query, value, key=None)``; ``key`` is ``value`` by default. Under the policy ``"mixed_bfloat16"``
    the operands of the four projections are rounded to bfloat16; the attention itself is float32.

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; ``key_dim`` by default.
        dropout: share of the attention weights dropped in training.
        use_bias: whether the projections have biases.
        output_shape: size of the output; the query's by default.
        kernel_initializer, bias_initializer: ``"glorot_uniform"``, ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: put in force after every update.
        seed: of a generator of its own for the dropout.
        causal: ``use_causal_mask`` at every call.
        **kwargs: ``name``, ``trainable``, ``dtype``.

    Call arguments:
        attention_mask: True where a query may look: broadcastable to (N, T, S).
        use_causal_mask: a step looks at itself and at those before.
        query_mask, value_mask, key_mask: True for steps that are not padding, (N, T) and (N, S); they travel by
            themselves in a model. Masked steps are not looked at; a query with nothing to look at gives the bias.
        return_attention_scores: give ``[y, weights]``, the weights (N, num_heads, T, S).
        cache: what ``empty_cache`` or the call before returned: give ``[y, cache]``. The steps of ``query`` come after
            those in the cache, and with ``use_causal_mask`` look at all of these too. So generation computes each step
            once: the outputs equal those of one call on all steps.

    Shapes:
        query (N, T, D), value (N, S, E), key (N, S, K) → (N, T, D).

    >>> import numpy as np
    >>> x = np.ones((2, 5, 8))
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> whole = layer(x, x, use_causal_mask=True)
    >>> cache = layer.empty_cache(rows=2)
    >>> for t in range(5):
    ...     step = x[:, t : t + 1]
    ...     y, cache = layer(step, step, use_causal_mask=True, cache=cache)
    >>> cache.steps, bool(np.allclose(y.numpy(), whole[:, 4:].numpy(), atol=1e-6))
    (5, True)
    """

    none_only = ("attention_axes", "flash_attention", "sliding_window", "use_gate")

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, use_bias: bool = True,
        output_shape: int | None = None, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, seed: int | None = None, causal: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, activity_regularizer=activity_regularizer, **kwargs)
        owner = "MultiHeadAttention"
        self.num_heads = sizes_of(owner, "num_heads", num_heads, 1)[0]
        self.key_dim = sizes_of(owner, "key_dim", key_dim, 1)[0]
        self.value_dim = self.key_dim if value_dim is None else sizes_of(owner, "value_dim", value_dim, 1)[0]
        self.dropout = self.fraction("dropout", dropout)
        self.causal = bool(causal)
        self.use_bias = bool(use_bias)
        self.output_size = (
            None if output_shape is None else sizes_of(owner, "output_shape", output_shape, 1)[0]
        )
        self.set_up(
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip

    def __call__(self, x: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        """The layer on ``(query, value, key=None)``, or on a list of them."""
        given = [*x] if isinstance(x, list) else [x]
        given += [*args, *(kwargs.pop(name) for name in ("value", "key") if kwargs.get(name) is not None)]
        if len(given) not in (2, 3):
            raise ValueError(f"{self.name}: call it on query and value: layer(x, x)")
        return super().__call__(given, mask=mask, **kwargs)

    def build(self, input_shape: Any) -> None:
        shapes = list(input_shape)
        self._check(shapes)
        query, value, key = shapes[0][-1], shapes[1][-1], shapes[-1][-1]
        out = self.output_size or query
        heads, wide = self.num_heads, (self.key_dim, self.value_dim)
        self.query_kernel, self.query_bias = self._projection("query", (query, heads, wide[0]))
        self.key_kernel, self.key_bias = self._projection("key", (key, heads, wide[0]))
        self.value_kernel, self.value_bias = self._projection("value", (value, heads, wide[1]))
        self.output_kernel, self.output_bias = self._projection("attention_output", (heads, wide[1], out), 1)

    def _projection(self, name: str, shape: tuple[int, ...], bias_axes: int = 2) -> tuple[Any, Any]:
        kernel = self.weight_for("kernel", shape, f"{name}_kernel")
        if not self.use_bias:
            return kernel, None
        return kernel, self.weight_for("bias", shape[len(shape) - bias_axes :], f"{name}_bias")

    def _check(self, shapes: list[Any]) -> None:
        shapes = [tuple(s) for s in shapes]
        if any(len(s) != 3 or s[-1] is None for s in shapes) or shapes[1][1] != shapes[-1][1]:
            raise ValueError(
                f"{self.name}: query, value and key must be (batch, steps, features), value and key of as many steps, "
                f"got {shapes}"
            )
        if self.built:
            kernels = (self.query_kernel, self.value_kernel, self.key_kernel)
            for what, shape, kernel in zip(
                ("query", "value", "key"), (*shapes[:2], shapes[-1]), kernels, strict=True
            ):
                if shape[-1] != kernel.shape[0]:
                    raise ValueError(
                        f"{self.name}: expected {kernel.shape[0]} features of the {what}, got shape {shape}"
                    )

    def empty_cache(self, rows: int, max_length: int = _FIRST) -> KeyValueCache:
        """A cache of no steps, to begin with.

        Args:
            rows: size of the batches.
            max_length: how many steps to make room for at once. More are no error: the room doubles whenever it does
                not suffice.

        Raises:
            ValueError: sizes below 1.
        """
        rows, room = (
            sizes_of("empty_cache", name, value, 1)[0]
            for name, value in (("rows", rows), ("max_length", max_length))
        )
        sizes = ((rows, 0, self.num_heads, n) for n in (self.key_dim, self.value_dim))
        return _Room(_KeysAndValues(*(np.zeros(size, self.dtype) for size in sizes)), room).cache()

    def call(
        self, x: Any, training: bool = False, mask: Any = None, attention_mask: Any = None,
        use_causal_mask: bool = False, query_mask: Any = None, value_mask: Any = None, key_mask: Any = None,
        return_attention_scores: bool = False, cache: KeyValueCache | None = None,
    ) -> Any:  # fmt: skip
        self._check([t.shape for t in x])
        use_causal_mask = use_causal_mask or self.causal
        q = _project(self.dtype_policy, x[0], self.query_kernel, self.query_bias)
        k = _project(self.dtype_policy, x[-1], self.key_kernel, self.key_bias)
        v = _project(self.dtype_policy, x[1], self.value_kernel, self.value_bias)
        earlier = 0
        if cache is not None:
            earlier = cache.steps
            self._check_cache(cache, k, v)
            cache = cache.extended(k, v)
            k, v = cache
        masks = list(mask) if isinstance(mask, list | tuple) else [mask, *[None] * (len(x) - 1)]
        given = [query_mask if query_mask is not None else masks[0], value_mask if value_mask is not None else masks[1],
                 key_mask if key_mask is not None else (masks[2] if len(masks) > 2 else None)]  # fmt: skip
        keep = self._visible(given, attention_mask, q.shape, k.shape)
        whole = use_causal_mask and earlier == 0  # the op's own causal mask counts from the beginning of both
        if use_causal_mask and not whole and q.shape[1] > 1:  # one step comes after all of the others
            keep = _both(keep, causal(q.shape[1], k.shape[1], earlier))
        if return_attention_scores:
            y, weights = self._with_weights(
                q, k, v, _both(keep, causal(q.shape[1], k.shape[1])) if whole else keep, training
            )
        else:
            y = ops.scaled_dot_product_attention(
                q, k, v, mask=keep, is_causal=whole, dropout=self.dropout if training else 0.0,
                generator=self._generator._state,
            )  # fmt: skip
        heads, size, out = self.output_kernel.shape
        y = ops.reshape(y, (*y.shape[:2], heads * size))
        y = linear(
            self.dtype_policy, y, ops.reshape(self.output_kernel, (heads * size, out)), self.output_bias
        )
        more = [
            *([weights] if return_attention_scores else []),
            *([cache] if cache is not None else []),
        ]
        return [y, *more] if more else y

    def _check_cache(self, cache: KeyValueCache, k: Any, v: Any) -> None:
        for held, new in zip(cache, (k, v), strict=True):
            if (held.shape[0], *held.shape[2:]) != (new.shape[0], *new.shape[2:]) or held.dtype != new.dtype:
                raise ValueError(
                    f"{self.name}: the cache is of {held.shape[0]} rows and heads {held.shape[2:]} {held.dtype}, this "
                    f"call of {new.shape[0]} rows and heads {new.shape[2:]} {new.dtype}; begin with "
                    f"empty_cache(rows={new.shape[0]}) of this layer"
                )

    def _visible(self, masks: list[Any], attention_mask: Any, q: Any, k: Any) -> Any:
        """Where queries may look, broadcastable to (N, H, T, S), or None for everywhere."""
        keep = None
        if attention_mask is not None:
            keep = ops.cast(attention_mask, "bool")
            if keep.ndim > 4:
                raise ValueError(
                    f"{self.name}: attention_mask must broadcast to (N, T, S), got {tuple(keep.shape)}"
                )
            keep = ops.expand_dims(keep, 1) if keep.ndim == 3 else keep
        for padding in masks[1:]:
            if padding is not None:  # (N, S): steps of the value or key that are only padding
                if padding.ndim != 2 or padding.shape[1] != k[1]:
                    raise ValueError(
                        f"{self.name}: a mask of shape {tuple(padding.shape)} does not fit {k[1]} steps of the value"
                    )
                keep = _both(keep, ops.reshape(ops.cast(padding, "bool"), (padding.shape[0], 1, 1, k[1])))
        return keep

    def _with_weights(self, q: Any, k: Any, v: Any, keep: Any, training: bool) -> tuple[Any, Any]:
        """What the op computes, with its weights (N, H, T, S)."""
        q, k, v = (ops.transpose(t, (0, 2, 1, 3)) for t in (q, k, v))
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * self.key_dim**-0.5
        if keep is not None:
            scores = ops.where(keep, scores, -1e30)
        weights = ops.softmax(scores, axis=-1)
        if keep is not None:
            weights = ops.where(keep, weights, 0.0)
        used = self.dropped(weights, self.dropout) if training else weights
        return ops.transpose(ops.matmul(used, v), (0, 2, 1, 3)), weights

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, list | tuple) else None

    def compute_output_shape(self, input_shape: Any, return_attention_scores: bool = False, **_: Any) -> Any:
        query = input_shape[0]
        y = (*query[:-1], self.output_size or query[-1])
        return [y, (query[0], self.num_heads, query[1], input_shape[1][1])] if return_attention_scores else y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim,
            "value_dim": self.value_dim, "dropout": self.dropout, "use_bias": self.use_bias,
            "output_shape": self.output_size, "causal": self.causal,
        }  # fmt: skip


def _both(keep: Any, more: Any) -> Any:
    return more if keep is None else ops.logical_and(keep, more)


def _project(policy: DTypePolicy, x: Any, kernel: Any, bias: Any) -> Any:
    """(N, T, D) to heads (N, T, H, size)."""
    size, heads, wide = kernel.shape
    if x.dtype != kernel.dtype:
        x = ops.cast(x, kernel.dtype)
    y = linear(
        policy,
        x,
        ops.reshape(kernel, (size, heads * wide)),
        None if bias is None else ops.reshape(bias, (heads * wide,)),
    )
    return ops.reshape(y, (*y.shape[:2], heads, wide))
