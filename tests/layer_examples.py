"""One or more examples of every layer, for the batteries: arguments, and the shapes of its inputs' rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pylearn import layers


@dataclass(frozen=True)
class Example:
    cls: type[layers.Layer]
    arguments: dict[str, Any]
    rows: tuple[tuple[int, ...], ...]  # one input, or several
    ids: int = 0  # inputs are ids below this
    call: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        said = "-".join(f"{k}={v}" for k, v in self.arguments.items() if not isinstance(v, layers.Layer))
        return f"{self.cls.__name__}-{said}" if said else self.cls.__name__

    def make(self, **more: Any) -> layers.Layer:
        dtype = {k: v for k, v in more.items() if k == "dtype"}  # inner layers have their own
        copied = {
            k: type(v).from_config({**v.get_config(), **dtype}) if isinstance(v, layers.Layer) else v
            for k, v in self.arguments.items()
        }
        return self.cls(**copied, **more)

    def inputs(self, n: int, dtype: str = "float32", seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        made = [
            rng.integers(0, self.ids, (n, *row)) if self.ids else rng.standard_normal((n, *row)).astype(dtype)
            for row in self.rows
        ]
        return made if len(made) > 1 else made[0]


def _of(cls: type[layers.Layer], *rows: tuple[int, ...], ids: int = 0, call: dict | None = None, **arguments: Any
        ) -> Example:  # fmt: skip
    return Example(cls, arguments, rows, ids, call or {})


L = layers
EXAMPLES = [
    _of(L.Dense, (5,), units=3, activation="relu", kernel_regularizer="l2", kernel_initializer="he_normal",
        activity_regularizer="l1"),
    _of(L.Dense, (2, 5), units=3, use_bias=False),
    _of(L.Activation, (4,), activation="elu"),
    _of(L.Flatten, (2, 3)),
    _of(L.Reshape, (2, 3), target_shape=(3, -1)),
    _of(L.Dropout, (6,), rate=0.25),
    _of(L.Add, (3,), (3,)),
    _of(L.Concatenate, (3,), (2,)),
    _of(L.Conv1D, (9, 3), filters=4, kernel_size=3, activation="relu"),
    _of(L.Conv1D, (9, 4), filters=6, kernel_size=2, padding="causal", dilation_rate=2, groups=2),
    _of(L.Conv1D, (9, 3), filters=4, kernel_size=3, padding="same", strides=2, activation="sigmoid"),
    _of(L.Conv2D, (7, 6, 2), filters=4, kernel_size=3, activation="tanh"),
    _of(L.Conv2D, (7, 6, 2), filters=4, kernel_size=(3, 2), padding="same", strides=2, use_bias=False),
    _of(L.Conv2D, (7, 6, 2), filters=2, kernel_size=2, dilation_rate=2, kernel_regularizer="l2"),
    _of(L.MaxPooling1D, (7, 3)),
    _of(L.MaxPooling1D, (7, 3), pool_size=3, strides=1, padding="same"),
    _of(L.MaxPooling2D, (7, 6, 3)),
    _of(L.MaxPooling2D, (7, 6, 3), pool_size=(3, 2), strides=2, padding="same"),
    _of(L.AveragePooling1D, (7, 3), padding="same"),
    _of(L.AveragePooling2D, (7, 6, 3), pool_size=3, strides=(1, 2)),
    _of(L.GlobalMaxPooling1D, (5, 3)),
    _of(L.GlobalMaxPooling2D, (4, 5, 3), keepdims=True),
    _of(L.GlobalAveragePooling1D, (5, 3), keepdims=True),
    _of(L.GlobalAveragePooling2D, (4, 5, 3)),
    _of(L.BatchNormalization, (3,)),
    _of(L.BatchNormalization, (4, 5, 3), momentum=0.9, center=False),
    _of(L.LayerNormalization, (4, 6)),
    _of(L.LayerNormalization, (4, 6), axis=[1, 2], scale=False),
    _of(L.Embedding, (6,), ids=7, input_dim=7, output_dim=3),
    _of(L.SimpleRNN, (5, 3), units=4),
    _of(L.SimpleRNN, (5, 3), units=4, activation="relu", return_sequences=True, go_backwards=True),
    _of(L.LSTM, (5, 3), units=4),
    _of(L.LSTM, (5, 3), units=4, return_sequences=True, recurrent_activation="hard_sigmoid"),
    _of(L.LSTM, (5, 3), units=4, return_state=True, use_bias=False),
    _of(L.GRU, (5, 3), units=4, return_sequences=True),
    _of(L.GRU, (5, 3), units=4, reset_after=False),
    _of(L.Bidirectional, (5, 3), layer=L.LSTM(4, return_sequences=True)),
    _of(L.Bidirectional, (5, 3), layer=L.GRU(4), merge_mode="sum"),
    _of(L.MultiHeadAttention, (5, 6), (5, 6), num_heads=2, key_dim=3),
    _of(L.MultiHeadAttention, (5, 6), (4, 8), num_heads=2, key_dim=3, value_dim=2, output_shape=7, dropout=0.2),
]  # fmt: skip
