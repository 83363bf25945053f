"""The networks of nets.py with pylearn's layers, as a user of Keras writes them.

With ``plain`` dropout and noise are off, to compare losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import nets
from bench.cases import Missing
from bench.nets import NORM_EPSILON, Net


class Kept(list[Any]):
    """Notes the layers in the order they are made, which is that of the net's weights."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        from pylearn import layers

        if not hasattr(layers, name):
            raise Missing(f"pylearn.layers has no {name}")

        def make(*args: Any, **kwargs: Any) -> Any:
            layer = getattr(layers, name)(*args, **kwargs)
            self.append(layer)
            return layer

        return make


def build(net: Net, plain: bool = False) -> Any:
    """Compiled, with the net's weights.

    Raises:
        Missing: pylearn has no such layer.
    """
    kept = Kept()
    kind = net.name.split()[0].rstrip("0123456789")
    makers = {
        "cnn": _cnn,
        "resnet": _resnet,
        "textcnn": _text_cnn,
        "lstm": _lstm,
        "bilstm": _lstm,
        "vae": _vae,
        "gpt": _gpt,
    }
    model, loss = makers.get(kind, _mlp)(kept, net, plain)
    model.compile(optimizer="adam", loss=loss)
    for layer, arrays in zip((layer for layer in kept if layer.weights), net.weights(), strict=True):
        statistics = layer.get_weights()[len(arrays) :]  # batch normalisation's moving ones
        layer.set_weights([*arrays, *statistics])
    return model


def _mlp(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn.layers import Input
    from pylearn.models import Sequential

    sizes = [shapes[0] for _, shapes in net.layers]
    model = Sequential([Input((sizes[0][0],))])
    for _, units in sizes[:-1]:
        model.add(L.Dense(units, activation="relu"))
        if net.random and not plain:
            model.add(L.Dropout(0.2))
    regression = sizes[-1][1] == 1
    model.add(L.Dense(sizes[-1][1], activation=None if regression else "softmax"))
    return model, "mse" if regression else "sparse_categorical_crossentropy"


def _cnn(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn.models import Sequential

    layers = [
        L.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
        L.MaxPooling2D(2),
        L.Conv2D(64, 3, activation="relu"),
        L.MaxPooling2D(2),
        L.Flatten(),
        *([] if plain else [L.Dropout(0.5)]),
        L.Dense(10, activation="softmax"),
    ]
    return Sequential(layers), "sparse_categorical_crossentropy"


def _resnet(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn.layers import Input
    from pylearn.models import Model

    def conv_norm(x: Any, filters: int, kernel: int, stride: int) -> Any:
        x = L.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        return L.BatchNormalization(epsilon=NORM_EPSILON)(x)

    x = Input((32, 32, 3))
    h = L.Activation("relu")(conv_norm(x, 16, 3, 1))
    for _, filters, stride in nets.RESNET_BLOCKS:
        y = L.Activation("relu")(conv_norm(h, filters, 3, stride))
        y = conv_norm(y, filters, 3, 1)
        shortcut = conv_norm(h, filters, 1, stride) if stride > 1 else h
        h = L.Activation("relu")(L.Add()([y, shortcut]))
    y = L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(h))
    return Model(inputs=x, outputs=y), "sparse_categorical_crossentropy"


def _text_cnn(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn.layers import Input
    from pylearn.models import Sequential

    (words, features), (joined, _) = net.layers[0][1][0], net.layers[2][1][0]
    length = net.inputs(np.random.default_rng(), 1).shape[1]
    layers = [
        Input((length,), dtype="int64"),
        L.Embedding(words, features),
        L.Conv1D(250, 3, activation="relu"),
        L.GlobalMaxPooling1D() if joined == 250 else L.Flatten(),
        L.Dense(250, activation="relu"),
        L.Dense(1, activation="sigmoid"),
    ]
    return Sequential(layers), "binary_crossentropy"


def _lstm(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn import layers as pylearn_layers
    from pylearn.models import Sequential

    length = net.inputs(np.random.default_rng(), 1).shape[1]
    layers = [pylearn_layers.Input((length,), dtype="int64"), L.Embedding(*net.layers[0][1][0])]
    recurrent = net.layers[1:-1]
    for i, (_, shapes) in enumerate(recurrent):
        units, last = shapes[1][0], i + 1 == len(recurrent)
        if len(shapes) == 3:
            layers.append(L.LSTM(units, return_sequences=not last))
        else:
            if not hasattr(pylearn_layers, "LSTM"):
                raise Missing("pylearn.layers has no LSTM")
            layers.append(L.Bidirectional(pylearn_layers.LSTM(units, return_sequences=not last)))
    layers.append(L.Dense(1, activation="sigmoid"))
    return Sequential(layers), "binary_crossentropy"


def _vae(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn import ops, random
    from pylearn.layers import Input, Layer
    from pylearn.models import Model

    class Sample(Layer):
        """A draw from the normal distribution of the encoder; adds its divergence from the prior to the loss."""

        def call(self, x: Any) -> Any:
            mean, log_variance = x
            each = log_variance + 1.0 - mean * mean - ops.exp(log_variance)
            self.add_loss(ops.sum(each) * (-0.5 / mean.shape[0]))
            if plain:
                return mean
            return mean + ops.exp(log_variance * 0.5) * random.normal(mean.shape)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape[0]

    def loss(pixels: Any, logits: Any) -> Any:
        return ops.sum(ops.binary_cross_entropy(logits, pixels), axis=-1)

    x = Input((784,))
    h = L.Dense(400, activation="relu")(x)
    z = Sample()([L.Dense(20)(h), L.Dense(20)(h)])
    decoded = L.Dense(400, activation="relu")(z)
    return Model(inputs=x, outputs=L.Dense(784)(decoded)), loss


def _gpt(L: Kept, net: Net, plain: bool) -> Any:
    from pylearn.layers import Input, Layer
    from pylearn.models import Model

    words, d, heads, length = nets.GPT_WORDS, nets.GPT_WIDTH, nets.GPT_HEADS, nets.GPT_LENGTH

    class Position(Layer):
        """Adds a learned vector per position."""

        def build(self, input_shape: Any) -> None:
            self.table = self.add_weight("table", input_shape[1:])

        def call(self, x: Any) -> Any:
            return x + self.table

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    def norm(x: Any) -> Any:
        return L.LayerNormalization(epsilon=NORM_EPSILON)(x)

    ids = Input((length,), dtype="int64")
    h = L.Embedding(words, d)(ids)
    L.append(position := Position())
    h = position(h)
    for _ in range(nets.GPT_BLOCKS):
        n = norm(h)
        h = L.Add()([h, L.MultiHeadAttention(heads, d // heads)(n, n, use_causal_mask=True)])
        n = norm(h)
        wide = L.Dense(4 * d, activation="gelu")(n)
        h = L.Add()([h, L.Dense(d)(wide)])
    n = norm(h)
    return Model(
        inputs=ids, outputs=L.Dense(words, activation="softmax")(n)
    ), "sparse_categorical_crossentropy"
