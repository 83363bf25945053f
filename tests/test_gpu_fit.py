"""Training on the GPU: the CPU's losses, dropout and order of rows, and the same bits however steps are run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu_checks import needs_gpu

import pylearn
from pylearn import Sequential, layers, ops, replay
from pylearn.layers import (
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNormalization,
    MaxPooling2D,
    MultiHeadAttention,
)
from pylearn.training import run

pytestmark = needs_gpu


def images(n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8, 8, 1)).astype("float32")
    return x, (x.mean((1, 2, 3)) > 0).astype("int64") + (x[:, 0, 0, 0] > 1)


def sequences(n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.integers(1, 20, (n, 6))
    return x, (x[:, 0] > 9).astype("int64")


def mlp() -> Sequential:
    return Sequential([Flatten(input_shape=(8, 8, 1)), Dense(16, "relu"), Dropout(0.3), Dense(3, "softmax")])


def cnn() -> Sequential:
    return Sequential(
        [
            Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
            BatchNormalization(),
            MaxPooling2D(),
            Conv2D(4, 3, padding="same"),
            Flatten(),
            Dropout(0.2),
            Dense(3, "softmax"),
        ]
    )


def lstm() -> Sequential:
    return Sequential([Embedding(20, 5, mask_zero=True, input_shape=(6,)), LSTM(7), Dense(2, "softmax")])


class Attending(layers.Layer):
    """A block of a transformer, small."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attend, self.norm = MultiHeadAttention(2, 4), LayerNormalization()

    def build(self, input_shape: Any) -> None:
        self.norm.ensure_built(input_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.norm(x + self.attend(x, x, use_causal_mask=True, training=training))


def transformer() -> Sequential:
    return Sequential(
        [
            Embedding(20, 8, input_shape=(6,)),
            Attending(),
            layers.GlobalAveragePooling1D(),
            Dense(2, "softmax"),
        ]
    )


MODELS = {
    "mlp": (mlp, images),
    "cnn": (cnn, images),
    "lstm": (lstm, sequences),
    "transformer": (transformer, sequences),
}


def train(name: str, device: str, epochs: int = 3, optimizer: str = "adam", **fit: Any) -> tuple[Any, Any]:
    """History and model after 8 steps an epoch."""
    make, data = MODELS[name]
    pylearn.random.seed(7)
    model = make()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.to(device)
    x, y = data()
    return model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, **fit).history, model


def bits(model: Any) -> list[bytes]:
    return [w.tobytes() for w in model.get_weights()]


@pytest.mark.parametrize("name", MODELS)
def test_losses_are_the_cpus(name: str) -> None:
    want, on_cpu = train(name, "cpu")
    got, on_gpu = train(name, "cuda")
    assert all(w.device == "cuda" for w in on_gpu.weights)
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=2e-4)
    np.testing.assert_allclose(got["accuracy"], want["accuracy"], atol=2 / 64)
    x, _ = MODELS[name][1]()
    np.testing.assert_allclose(on_gpu.predict(x), on_cpu.predict(x), atol=2e-3)
    assert isinstance(on_gpu.predict(x), np.ndarray)
    assert on_gpu.evaluate(*MODELS[name][1](), verbose=0)[0] == pytest.approx(
        on_cpu.evaluate(*MODELS[name][1](), verbose=0)[0], rel=1e-3
    )


@pytest.mark.parametrize("name", MODELS)
def test_recorded_and_eager_steps_give_the_same_bits(name: str) -> None:
    _, recorded = train(name, "cuda", 2)
    replay.set_capture(False)
    try:
        _, eager = train(name, "cuda", 2)
    finally:
        replay.set_capture(True)
    assert bits(recorded) == bits(eager)


def test_many_steps_in_one_graph_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOOK_EVERY", 4)
    calls = []
    may = run.Run._may_run_ahead
    monkeypatch.setattr(run.Run, "_may_run_ahead", lambda *a: calls.append(may(*a)) or calls[-1])
    _, ahead = train("mlp", "cuda")
    assert any(calls)
    monkeypatch.setattr(run.Run, "_may_run_ahead", lambda *a: False)
    _, single = train("mlp", "cuda")
    assert bits(ahead) == bits(single)
    monkeypatch.setattr(run.Run, "_may_run_ahead", may)
    in_order, _ = train("mlp", "cuda", shuffle=False)
    want, _ = train("mlp", "cpu", shuffle=False)
    np.testing.assert_allclose(in_order["loss"], want["loss"], rtol=2e-4)


def test_dropout_and_shuffles_are_the_cpus_bit_for_bit() -> None:
    masks, orders = [], []
    for device in ("cpu", "cuda"):
        pylearn.random.seed(11)
        with pylearn.device(device):
            ones = pylearn.asarray(np.ones((33, 7), "float32"))
            masks.append([ops.dropout(ones, 0.4).numpy() for _ in range(3)])
            orders.append(pylearn.random.permutation(100).numpy())
    assert all(np.array_equal(a, b) for a, b in zip(*masks, strict=True))
    assert np.array_equal(*orders)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "nadam"])
def test_optimizers(optimizer: str) -> None:
    want, _ = train("mlp", "cpu", 2, optimizer)
    got, _ = train("mlp", "cuda", 2, optimizer)
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=5e-4)


def test_a_model_moves_in_the_middle() -> None:
    """Weights, metrics, slots and the step count go along; training goes on as it would have."""
    want, _ = train("mlp", "cpu", 4)
    _, model = train("mlp", "cuda", 2)
    model.to("cpu")
    assert model.device == "cpu" and all(w.device == "cpu" for w in model.weights)
    got = model.fit(*images(), batch_size=8, epochs=4, initial_epoch=2, verbose=0).history
    np.testing.assert_allclose(got["loss"], want["loss"][2:], rtol=2e-3)


def test_under_the_context(tmp_path: Any) -> None:
    with pylearn.device("cuda"):
        pylearn.random.seed(0)
        model = mlp()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(*images(), batch_size=8, epochs=1, verbose=0)
    assert model.device == "cuda" and model.weights[0].device == "cuda"
    assert np.isfinite(model.predict(images()[0])).all()  # outside of it too
    assert model(images()[0][:2]).device == "cuda"
    model.save(tmp_path / "m.pylearn")
    again = pylearn.models.load_model(tmp_path / "m.pylearn")
    assert again.device == "cpu"
    np.testing.assert_allclose(again.predict(images()[0]), model.predict(images()[0]), atol=1e-5)


def test_what_is_not_finite_is_skipped_and_named() -> None:
    x, y = images()
    x[37] = np.nan
    pylearn.random.seed(7)
    model = mlp().to("cuda")
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 5.*row 37"):
        model.fit(x, y, batch_size=8, epochs=1, verbose=0, shuffle=False)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_labels_out_of_range_are_named() -> None:
    x, y = images()
    model = mlp().to("cuda")
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises((ValueError, IndexError), match="7"):
        model.fit(x, np.where(np.arange(64) == 40, 7, y), batch_size=8, epochs=1, verbose=0)
