"""Attention with one head: of products (Luong) and of sums (Bahdanau)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import asarray
from pylearn.layers.dropout import Noisy

_FAR = 1e9  # subtracted from the scores of masked places, as in Keras


def causal(queries: int, keys: int, earlier: int = 0) -> Any:
    """(queries, keys), True where a query may look: at itself and at those before; ``earlier`` keys come first."""
    return ops.tril(asarray(np.ones((queries, keys), "bool")), earlier)


class _Attention(Noisy):
    """Weights of the values, from the scores that a subclass makes of queries and keys."""

    def __init__(
        self, dropout: float = 0.0, seed: int | None = None, causal: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.dropout = self.fraction("dropout", dropout)
        self.causal = bool(causal)
        self.scale: Any = None

    def __call__(self, x: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        """The layer on ``[query, value]`` or ``[query, value, key]``, with ``mask=[query_mask, value_mask]``."""
        if not isinstance(x, list) or len(x) not in (2, 3):
            raise ValueError(
                f"{self.name}: call it on a list: layer([query, value]) or layer([query, value, key])"
            )
        return super().__call__(x, *args, mask=mask, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)

    def _check(self, shapes: Any) -> None:
        shapes = [tuple(s) for s in shapes]
        if any(len(s) != 3 for s in shapes):
            raise ValueError(
                f"{self.name}: query, value and key must be (batch, steps, features), got {shapes}"
            )
        query, value, key = shapes[0], shapes[1], shapes[-1]
        if query[-1] != key[-1] or value[1] != key[1] or len({s[0] for s in shapes}) > 1:
            raise ValueError(
                f"{self.name}: query and key must have as many features, value and key as many steps, and all as many "
                f"rows, got query {query}, value {value}, key {key}"
            )

    def scores(self, query: Any, key: Any) -> Any:
        """(N, T, S)"""
        raise TypeError(f"{type(self).__name__} has no scores: write one")

    def call(
        self, x: Any, training: bool = False, mask: Any = None, return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        self._check([t.shape for t in x])
        x = [t if t.dtype == self.dtype else ops.cast(t, self.dtype) for t in x]
        query, value, key = x[0], x[1], x[-1]
        query_mask, value_mask = (mask[0], mask[1]) if isinstance(mask, (list, tuple)) else (None, None)
        scores = self.scores(query, key)
        keep = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), 1)
        if use_causal_mask or self.causal:
            before = causal(scores.shape[1], scores.shape[2])
            keep = before if keep is None else ops.logical_and(keep, before)
        if keep is not None:
            scores = ops.where(keep, scores, scores - _FAR)
        weights = ops.softmax(scores, axis=-1)
        if training:
            weights = self.dropped(weights, self.dropout)
        y = ops.matmul(weights, value)
        if query_mask is not None:
            y = ops.where(ops.expand_dims(ops.cast(query_mask, "bool"), -1), y, 0.0)
        return [y, weights] if return_attention_scores else y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, (list, tuple)) else None

    def compute_output_shape(self, input_shape: Any, return_attention_scores: bool = False, **_: Any) -> Any:
        self._check(input_shape)
        query, value = input_shape[0], input_shape[1]
        y = (*query[:-1], value[-1])
        return [y, (*query[:-1], value[1])] if return_attention_scores else y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout, "causal": self.causal}


class Attention(_Attention):
    """softmax(scores) · value, with scores query · keyᵀ (Luong et al. 2015).

    Called as ``layer([query, value])`` or ``layer([query, value, key])``; ``key`` is ``value`` by default.

    Args:
        use_scale: multiply the scores by a weight that is learned, 1 at first.
        score_mode: ``"dot"``, or ``"concat"``: weight · sum(tanh(scale · (query + key))) over the features.
        dropout: share of the attention weights dropped in training.
        seed: of a generator of its own.
        causal: ``use_causal_mask`` at every call.
        **kwargs: ``name``, ``trainable``, ``dtype``.

    Call arguments:
        mask: ``[query_mask, value_mask]``, (N, T) and (N, S), None for either: values that are masked are not looked
            at, queries that are masked give zeros.
        return_attention_scores: give ``[y, weights]``, the weights (N, T, S).
        use_causal_mask: a step looks at itself and at those before.

    Shapes:
        query (N, T, D), value (N, S, E), key (N, S, D) → (N, T, E).

    >>> import numpy as np
    >>> y, weights = Attention()([np.ones((2, 5, 8)), np.ones((2, 4, 8))], return_attention_scores=True)
    >>> y.shape, weights.shape, float(weights[0, 0, 0])
    ((2, 5, 8), (2, 5, 4), 0.25)
    """

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None,
        causal: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(dropout, seed, causal, **kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"Attention: score_mode must be 'dot' or 'concat', got {score_mode!r}")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if self.use_scale:
            self.scale = self.add_weight("scale", (), "ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight("concat_score_weight", (), "ones")

    def scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
            return scores if self.scale is None else scores * self.scale
        sums = ops.expand_dims(query, 2) + ops.expand_dims(key, 1)
        sums = sums if self.scale is None else sums * self.scale
        return ops.sum(ops.tanh(sums), axis=-1) * self.concat_score_weight

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale, "score_mode": self.score_mode}


class AdditiveAttention(_Attention):
    """softmax(scores) · value, with scores sum(scale · tanh(query + key)) over the features (Bahdanau et al. 2014).

    Called as ``layer([query, value])`` or ``layer([query, value, key])``; ``key`` is ``value`` by default.

    Args:
        use_scale: whether there is a scale, a weight for each feature; 1 otherwise.
        dropout: share of the attention weights dropped in training.
        seed: of a generator of its own.
        causal: ``use_causal_mask`` at every call.
        **kwargs: ``name``, ``trainable``, ``dtype``.

    Call arguments:
        mask, return_attention_scores, use_causal_mask: as for ``Attention``.

    Shapes:
        query (N, T, D), value (N, S, E), key (N, S, D) → (N, T, E); scale (D,).
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dropout, seed, causal, **kwargs)
        self.use_scale = bool(use_scale)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if self.use_scale:
            size = input_shape[0][-1]
            if size is None:
                raise ValueError(
                    f"{self.name}: the number of features must be known, got shapes {input_shape}"
                )
            self.scale = self.add_weight("scale", (size,), "glorot_uniform")

    def scores(self, query: Any, key: Any) -> Any:
        near = ops.tanh(ops.expand_dims(query, 2) + ops.expand_dims(key, 1))
        return ops.sum(near if self.scale is None else near * self.scale, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale}
