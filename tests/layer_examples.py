"""One or more examples of every layer, for the batteries: arguments, and the shapes of its inputs' rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pylearn import activations, blocks, layers


@dataclass(frozen=True)
class Example:
    cls: type[layers.Layer]
    arguments: dict[str, Any]
    rows: tuple[tuple[int, ...], ...]  # one input, or several
    ids: int = 0  # inputs are ids below this
    call: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        said = "-".join(
            f"{k}={_said(v)}" for k, v in {**self.arguments, **self.call}.items() if k != "layers"
        )
        rows = "x".join(map(str, self.rows)) if len(self.rows) > 1 or "layers" in self.arguments else ""
        return "-".join(part for part in (self.cls.__name__, said, rows) if part)

    def make(self, **more: Any) -> layers.Layer:
        dtype = {k: v for k, v in more.items() if k == "dtype"}  # inner layers have their own

        def copy(value: Any) -> Any:
            if isinstance(value, list):
                return [copy(v) for v in value]
            return (
                type(value).from_config({**value.get_config(), **dtype})
                if isinstance(value, layers.Layer)
                else value
            )

        copied = {k: copy(v) for k, v in self.arguments.items()}
        return self.cls(*copied.pop("layers", ()), **copied, **more)

    def inputs(self, n: int, dtype: str = "float32", seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        made = [
            rng.integers(0, self.ids, (n, *row)) if self.ids else rng.standard_normal((n, *row)).astype(dtype)
            for row in self.rows
        ]
        return made if len(made) > 1 else made[0]


def _said(value: Any) -> str:
    return type(value).__name__ if isinstance(value, layers.Layer) else getattr(value, "__name__", str(value))


def _of(cls: type[layers.Layer], *rows: tuple[int, ...], ids: int = 0, call: dict | None = None, **arguments: Any
        ) -> Example:  # fmt: skip
    return Example(cls, arguments, rows, ids, call or {})


L = layers
EXAMPLES = [
    _of(L.Dense, (5,), units=3, activation="relu", kernel_regularizer="l2", kernel_initializer="he_normal",
        activity_regularizer="l1"),
    _of(L.Dense, (2, 5), units=3, use_bias=False),
    _of(L.Dense, (5,), units=3, kernel_constraint="max_norm", bias_constraint="non_neg"),
    _of(L.Activation, (4,), activation="elu"),
    _of(L.ReLU, (4,)),
    _of(L.ReLU, (4,), max_value=1.0, negative_slope=0.1, threshold=0.2),
    _of(L.LeakyReLU, (4,)),
    _of(L.PReLU, (4,), alpha_initializer=0.25),
    _of(L.PReLU, (4, 5, 3), shared_axes=[1, 2], alpha_initializer="random_normal"),
    _of(L.ELU, (4,), alpha=0.7),
    _of(L.Softmax, (4,)),
    _of(L.Softmax, (3, 4), axis=[1, 2]),
    _of(L.Lambda, (4,), function=activations.mish),
    _of(L.Lambda, (4,), function=activations.leaky_relu, arguments={"negative_slope": 0.3}, output_shape=(4,)),
    _of(L.Masking, (4, 3)),
    _of(L.ActivityRegularization, (4,), l1=0.1, l2=0.2),
    _of(L.Rescaling, (4, 3), scale=0.5, offset=[1.0, 2.0, 3.0]),
    _of(L.Normalization, (4, 3)),
    _of(L.Normalization, (4, 3), axis=None, mean=0.5, variance=2.0),
    _of(L.Normalization, (3,), mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0], invert=True),
    _of(L.Flatten, (2, 3)),
    _of(L.Reshape, (2, 3), target_shape=(3, -1)),
    _of(L.Permute, (2, 3, 4), dims=[3, 1, 2]),
    _of(L.RepeatVector, (3,), n=4),
    _of(L.Dropout, (6,), rate=0.25),
    _of(L.Dropout, (6, 3), rate=0.25, noise_shape=(None, 1, None), seed=4),
    _of(L.SpatialDropout1D, (6, 4), rate=0.5),
    _of(L.SpatialDropout2D, (3, 4, 4), rate=0.5),
    _of(L.GaussianDropout, (6,), rate=0.25),
    _of(L.GaussianNoise, (6,), stddev=0.25, seed=3),
    _of(L.Add, (3,), (3,)),
    _of(L.Add, (4, 3), (3,), (1, 3)),
    _of(L.Subtract, (3,), (3,)),
    _of(L.Multiply, (2, 3), (2, 1)),
    _of(L.Average, (3,), (3,), (3,)),
    _of(L.Maximum, (3,), (3,)),
    _of(L.Minimum, (3,), (3,)),
    _of(L.Concatenate, (3,), (2,)),
    _of(L.Concatenate, (3, 4), (2, 4), axis=1),
    _of(L.Dot, (3,), (3,), axes=1, normalize=True),
    _of(L.Dot, (2, 3), (3, 4), axes=[2, 1]),
    _of(L.Dot, (2, 3, 4), (5, 4), axes=-1),
    _of(L.Conv1D, (9, 3), filters=4, kernel_size=3, activation="relu"),
    _of(L.Conv1D, (9, 4), filters=6, kernel_size=2, padding="causal", dilation_rate=2, groups=2),
    _of(L.Conv1D, (9, 3), filters=4, kernel_size=3, padding="same", strides=2, activation="sigmoid"),
    _of(L.Conv2D, (7, 6, 2), filters=4, kernel_size=3, activation="tanh"),
    _of(L.Conv2D, (7, 6, 2), filters=4, kernel_size=(3, 2), padding="same", strides=2, use_bias=False),
    _of(L.Conv2D, (7, 6, 2), filters=2, kernel_size=2, dilation_rate=2, kernel_regularizer="l2"),
    _of(L.Conv2D, (7, 6, 2), filters=2, kernel_size=2, kernel_constraint="unit_norm", bias_constraint="non_neg"),
    _of(L.DepthwiseConv1D, (9, 3), kernel_size=3, depth_multiplier=2, activation="relu"),
    _of(L.DepthwiseConv1D, (9, 3), kernel_size=2, padding="same", strides=2, use_bias=False),
    _of(L.DepthwiseConv2D, (7, 6, 2), kernel_size=3, depth_multiplier=2, padding="same"),
    _of(L.DepthwiseConv2D, (7, 6, 2), kernel_size=(3, 2), strides=2, activation="tanh"),
    _of(L.SeparableConv1D, (9, 3), filters=4, kernel_size=3, padding="same", dilation_rate=2),
    _of(L.SeparableConv2D, (7, 6, 2), filters=4, kernel_size=3, depth_multiplier=2, activation="relu"),
    _of(L.SeparableConv2D, (7, 6, 2), filters=4, kernel_size=3, strides=2, padding="same", use_bias=False),
    _of(L.Conv1DTranspose, (5, 3), filters=4, kernel_size=3, strides=2),
    _of(L.Conv1DTranspose, (5, 3), filters=4, kernel_size=4, strides=3, padding="same", output_padding=1),
    _of(L.Conv1DTranspose, (5, 3), filters=4, kernel_size=3, strides=2, padding="same", output_padding=1),
    _of(L.Conv1DTranspose, (5, 3), filters=4, kernel_size=2, strides=4, padding="same", output_padding=3),
    _of(L.Conv2DTranspose, (5, 4, 2), filters=3, kernel_size=3, strides=2, padding="same", activation="relu"),
    _of(L.Conv2DTranspose, (5, 4, 2), filters=3, kernel_size=(3, 2), strides=(1, 3), output_padding=(0, 1)),
    _of(L.Conv2DTranspose, (5, 4, 2), filters=3, kernel_size=2, dilation_rate=2, use_bias=False),
    _of(L.ZeroPadding1D, (4, 3), padding=(1, 2)),
    _of(L.ZeroPadding2D, (4, 5, 3), padding=((1, 0), (2, 3))),
    _of(L.Cropping1D, (5, 3)),
    _of(L.Cropping2D, (5, 6, 3), cropping=(1, 2)),
    _of(L.UpSampling1D, (4, 3), size=3),
    _of(L.UpSampling2D, (4, 5, 3), size=(2, 3)),
    _of(L.UpSampling2D, (4, 5, 3), interpolation="bilinear"),
    _of(L.PixelShuffle, (4, 5, 8), upscale_factor=2),
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
    _of(L.GroupNormalization, (4, 6), groups=3),
    _of(L.GroupNormalization, (3, 4, 6), groups=-1, scale=False),
    _of(L.RMSNormalization, (4, 6)),
    _of(L.RMSNormalization, (4, 6), axis=[1, 2], epsilon=1e-3),
    _of(L.Embedding, (6,), ids=7, input_dim=7, output_dim=3),
    _of(L.Embedding, (6,), ids=7, input_dim=7, output_dim=3, mask_zero=True, embeddings_constraint="unit_norm"),
    _of(L.SimpleRNN, (5, 3), units=4),
    _of(L.SimpleRNN, (5, 3), units=4, activation="relu", return_sequences=True, go_backwards=True),
    _of(L.LSTM, (5, 3), units=4),
    _of(L.LSTM, (5, 3), units=4, return_sequences=True, recurrent_activation="hard_sigmoid"),
    _of(L.LSTM, (5, 3), units=4, return_state=True, use_bias=False),
    _of(L.GRU, (5, 3), units=4, return_sequences=True),
    _of(L.GRU, (5, 3), units=4, reset_after=False),
    _of(L.SimpleRNN, (5, 3), units=4, activation="linear", dropout=0.3, recurrent_dropout=0.3),
    _of(L.SimpleRNN, (5, 3), units=4, activation="sigmoid", recurrent_constraint="max_norm"),
    _of(L.LSTM, (5, 3), units=4, activation="relu", recurrent_activation="linear", return_sequences=True),
    _of(L.LSTM, (5, 3), units=4, activation="gelu", return_sequences=True, return_state=True),
    _of(L.LSTM, (5, 3), units=4, dropout=0.3, recurrent_dropout=0.2, return_sequences=True, go_backwards=True),
    _of(L.LSTM, (5, 3), (4,), (4,), units=4, dropout=0.3),
    _of(L.GRU, (5, 3), units=4, dropout=0.2, recurrent_dropout=0.3),
    _of(L.GRU, (5, 3), units=4, activation="mish", reset_after=False, recurrent_dropout=0.3, use_bias=False),
    _of(L.GRU, (5, 3), (4,), units=4, return_state=True),
    _of(L.Bidirectional, (5, 3), layer=L.SimpleRNN(4, return_sequences=True, return_state=True), merge_mode="ave"),
    _of(L.Bidirectional, (5, 3), (2,), (2,), (2,), (2,), layer=L.LSTM(2)),
    _of(L.Bidirectional, (5, 3), layer=L.GRU(2, return_state=True), merge_mode=None),
    _of(L.TimeDistributed, (5, 3), layer=L.Dense(4, activation="relu")),
    _of(L.TimeDistributed, (3, 7, 6, 2), layer=L.Conv2D(2, 3)),
    _of(L.TimeDistributed, (3, 5), layer=L.BatchNormalization()),
    _of(L.Attention, (5, 6), (4, 6)),
    _of(L.Attention, (5, 6), (4, 3), (4, 6), use_scale=True, score_mode="concat", dropout=0.2),
    _of(L.Attention, (5, 6), (5, 6), use_scale=True,
        call={"return_attention_scores": True, "use_causal_mask": True}),
    _of(L.AdditiveAttention, (5, 6), (4, 6), (4, 6)),
    _of(L.AdditiveAttention, (5, 6), (5, 6), use_scale=False, call={"use_causal_mask": True}),
    _of(L.Bidirectional, (5, 3), layer=L.LSTM(4, return_sequences=True)),
    _of(L.Bidirectional, (5, 3), layer=L.GRU(4), merge_mode="sum"),
    _of(L.MultiHeadAttention, (5, 6), (5, 6), num_heads=2, key_dim=3),
    _of(L.MultiHeadAttention, (5, 6), (4, 8), num_heads=2, key_dim=3, value_dim=2, output_shape=7, dropout=0.2),
    _of(L.MultiHeadAttention, (5, 6), (5, 6), num_heads=2, key_dim=3, use_bias=False, kernel_constraint="max_norm",
        call={"use_causal_mask": True}),
    _of(L.MultiHeadAttention, (5, 6), (4, 6), (4, 5), num_heads=2, key_dim=3, call={"return_attention_scores": True}),
    _of(L.RandomFlip, (6, 5, 2)),
    _of(L.RandomFlip, (6, 5, 2), mode="vertical", seed=1),
    _of(L.RandomTranslation, (6, 5, 2), height_factor=0.3, width_factor=[-0.2, 0.1], fill_mode="constant"),
    _of(L.RandomRotation, (6, 5, 2), factor=0.1),
    _of(L.RandomZoom, (6, 5, 2), height_factor=0.3, interpolation="nearest", fill_mode="nearest"),
    _of(L.RandomZoom, (6, 5, 2), height_factor=0.3, width_factor=[0.1, 0.2], fill_mode="wrap"),
    _of(L.RandomContrast, (6, 5, 2), factor=0.4, value_range=(-3, 3)),
    _of(L.RandomBrightness, (6, 5, 2), factor=[-0.1, 0.3], value_range=(-3, 3)),
    _of(L.CenterCrop, (6, 5, 2), height=3, width=4),
    _of(L.CenterCrop, (6, 5, 2), height=8, width=4),
    _of(L.Resizing, (6, 5, 2), height=3, width=7),
    _of(L.Resizing, (6, 5, 2), height=9, width=4, interpolation="nearest", crop_to_aspect_ratio=True),
    _of(L.Resizing, (6, 5, 2), height=9, width=4, pad_to_aspect_ratio=True, fill_value=0.5),
    _of(blocks.Residual, (4,), layers=[L.Dense(4, "relu", name="in"), L.Dense(4, name="out")], activation="relu"),
    _of(blocks.Residual, (4,), layers=[L.Dense(6, name="only")]),
    _of(blocks.Residual, (6, 6, 2), layers=[L.Conv2D(4, 3, strides=2, padding="same", name="only")], normalize=True),
]  # fmt: skip
