"""Writes the golden files of this version: trained models, their inputs and what they give.

Run once per release, from the root: ``python tests/golden/write.py v0.1``. Files of earlier versions are never
written again; ``tests/test_golden.py`` loads them all.
"""

import sys
from pathlib import Path

import numpy as np

from pylearn import layers as L
from pylearn.models import Model, Sequential
from pylearn.optimizers import SGD, Adam, RMSprop
from pylearn.schedules import ExponentialDecay
from pylearn.utils import set_random_seed


def mlp():
    return Sequential([
        L.Dense(8, activation="relu", kernel_regularizer="l2", input_shape=(6,)), L.BatchNormalization(),
        L.Dropout(0.3), L.Dense(3, activation="softmax"),
    ], name="mlp"), Adam(ExponentialDecay(0.01, 10, 0.9)), "sparse_categorical_crossentropy"  # fmt: skip


def cnn():
    return Sequential([
        L.Input((8, 8, 1)), L.Conv2D(4, 3, padding="same", activation="relu"), L.MaxPooling2D(),
        L.Conv2D(6, 2, strides=2), L.Flatten(), L.Dense(3),
    ], name="cnn"), SGD(0.05, momentum=0.9, nesterov=True), "mse"  # fmt: skip


def lstm():
    return Sequential([
        L.Embedding(11, 4, mask_zero=True, input_length=7), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GRU(4),
        L.LayerNormalization(), L.Dense(1, activation="sigmoid"),
    ], name="lstm"), RMSprop(0.005), "binary_crossentropy"  # fmt: skip


def two_inputs():
    a, b = L.Input((5,), name="a"), L.Input((4, 6), name="b")
    shared = L.Dense(6, activation="tanh", name="shared")
    h = L.MultiHeadAttention(2, 3)(b, b)
    h = L.GlobalAveragePooling1D()(L.Add()([h, b]))
    out = L.Concatenate()([shared(L.Dense(6, activation="gelu")(a)), shared(h)])
    model = Model({"a": a, "b": b}, [L.Dense(1, name="x")(out), L.Dense(2, name="y")(out)], name="two_inputs")
    return model, Adam(0.01, amsgrad=True, clipnorm=1.0), "mse"


def data(name):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype("float32")
    match name:
        case "mlp":
            return {"x": normal(24, 6)}, {"y": rng.integers(0, 3, 24)}
        case "cnn":
            return {"x": normal(24, 8, 8, 1)}, {"y": normal(24, 3)}
        case "lstm":
            return {"x": rng.integers(0, 11, (24, 7))}, {"y": rng.integers(0, 2, 24)}
    return {"a": normal(24, 5), "b": normal(24, 4, 6)}, {"x": normal(24, 1), "y": normal(24, 2)}


def as_given(name, x, y):
    """What ``fit`` takes."""
    return (x, list(y.values())) if name == "two_inputs" else (x["x"], y["y"])


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def main(version):
    folder = Path(__file__).parent / version
    folder.mkdir()
    for build in (mlp, cnn, lstm, two_inputs):
        set_random_seed(0)
        model, optimizer, loss = build()
        model.compile(optimizer, loss)
        x, y = data(model.name)
        given = as_given(model.name, x, y)
        model.fit(*given, epochs=3, batch_size=8, verbose=0)
        model.save(folder / f"{model.name}.pylearn")
        arrays = {f"x_{key}": value for key, value in x.items()} | {
            f"y_{key}": value for key, value in y.items()
        }
        arrays |= {f"out_{i}": value for i, value in enumerate(as_list(model.predict(given[0])))}
        model.fit(
            *given, batch_size=8, verbose=0
        )  # one more epoch: needs the optimizer's state and the random numbers
        arrays |= {f"next_{i}": value for i, value in enumerate(as_list(model.predict(given[0])))}
        np.savez(folder / f"{model.name}.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
