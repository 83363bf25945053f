"""Every layer that Keras has too: the same configuration, weights and inputs give the same outputs and gradients."""

import os

import numpy as np
import pytest
from layer_examples import EXAMPLES, Example

import pylearn
from pylearn import layers, ops, structure
from pylearn.layers.augmentation import sample

# Not compared: Lambda's function is made of Keras' operations there; Keras has no PixelShuffle and no Residual.
OTHERWISE = {"Lambda", "PixelShuffle", "Residual"}
PAIRS = [e for e in EXAMPLES if e.cls.__name__ not in OTHERWISE]


def setup_module() -> None:
    """Keras takes seconds to import: only when these tests run."""
    global keras, torch
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")


def of_keras(layer: layers.Layer, arguments: dict):
    """Keras' layer of the same name and arguments."""
    cls = getattr(keras.layers, type(layer).__name__)

    def convert(name, value):
        if isinstance(value, layers.Layer):
            return of_keras(value, _arguments(value))
        return (
            keras.initializers.Constant(value)
            if "initializer" in name and isinstance(value, float)
            else value
        )

    if "AveragePooling" in cls.__name__ and "Global" not in cls.__name__:
        arguments = {"pool_size": 2, **arguments}  # Keras has a default for maxima only
    return cls(**{k: convert(k, v) for k, v in arguments.items()})


def _arguments(layer: layers.Layer) -> dict:
    args, kwargs = layer._arguments
    return {**dict(zip(pylearn.registry.parameters(type(layer)), args, strict=False)), **kwargs}


def call_keras(layer, xs: list, call: dict):
    """The outputs at rest, as a list. Several inputs are a list, separate arguments, or a sequence and its states."""
    if isinstance(layer, keras.layers.MultiHeadAttention):
        out = layer(*xs, **call)
    elif len(xs) > 1 and isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
        out = layer(xs[0], initial_state=xs[1:], **call)
    elif type(layer).__name__.startswith("Random"):  # which Keras applies unless told otherwise
        out = layer(xs[0], training=False)
    else:
        out = layer(xs if len(xs) > 1 else xs[0], **call)
    return list(out) if isinstance(out, (list, tuple)) else [out]


def difference(example: Example) -> float:
    """Largest difference of outputs and of gradients of the inputs."""
    mine, theirs = example.make(), of_keras(example.make(), example.arguments)
    given = structure.flatten(example.inputs(3))
    pack = (lambda xs: xs[0]) if len(given) == 1 else list
    outputs = structure.flatten(mine(pack(given), **example.call))
    call_keras(theirs, given, example.call)
    kept = [w for w in theirs.weights if "seed_generator" not in w.path]
    rng = np.random.default_rng(7)
    weights = [rng.uniform(0.05, 0.5, w.shape).astype("float32") for w in mine.weights]
    if isinstance(mine, layers.Normalization):  # which keeps its numbers elsewhere
        weights = [w.numpy() for w in mine.weights]
    else:
        assert [tuple(w.shape) for w in kept] == [w.shape for w in mine.weights]
        mine.set_weights(weights)
        for weight, value in zip(kept, weights, strict=True):
            weight.assign(value)
    weigh = [rng.uniform(0.5, 1.5, t.shape).astype("float32") for t in outputs]

    def total(*xs):
        return sum(
            ops.sum(t * w)
            for t, w in zip(structure.leaves(mine(pack(list(xs)), **example.call)), weigh, strict=True)
        )

    apart = []
    if example.ids:
        wanted = call_keras(theirs, given, example.call)
    else:
        leaves = [torch.tensor(x, requires_grad=True) for x in given]
        wanted = call_keras(theirs, leaves, example.call)
        sum((t * torch.tensor(w)).sum() for t, w in zip(wanted, weigh, strict=True)).backward()
        grads = pylearn.grad(total, argnums=tuple(range(len(given))))(*map(pylearn.asarray, given))
        for x, g, leaf in zip(given, grads, leaves, strict=True):
            want = np.zeros_like(x) if leaf.grad is None else leaf.grad.numpy()
            apart.append(np.abs(g.numpy() - want) / np.maximum(1.0, np.abs(want)))
    outputs = structure.flatten(mine(pack(given), **example.call))
    for got, want in zip(outputs, wanted, strict=True):
        want = want.detach().cpu().numpy()
        assert got.shape == want.shape
        apart.append(np.abs(got.numpy() - want) / np.maximum(1.0, np.abs(want)))
    return max(float(a.max()) if a.size else 0.0 for a in apart)


MASKED = [
    (layers.SimpleRNN, {"units": 4}), (layers.LSTM, {"units": 4, "return_sequences": True}),
    (layers.LSTM, {"units": 4, "return_sequences": True, "go_backwards": True, "activation": "gelu"}),
    (layers.GRU, {"units": 4, "return_state": True}), (layers.GRU, {"units": 4, "reset_after": False}),
    (layers.Bidirectional, {"layer": layers.LSTM(4, return_sequences=True)}),
    (layers.Bidirectional, {"layer": layers.GRU(4)}), (layers.GlobalAveragePooling1D, {}),
    (layers.BatchNormalization, {}), (layers.TimeDistributed, {"layer": layers.Dense(3)}),
]  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cls, arguments", MASKED)
def test_masks_are_those_of_keras(cls, arguments, training):
    mine = cls(**{k: type(v).from_config(v.get_config()) if isinstance(v, layers.Layer) else v
                  for k, v in arguments.items()})  # fmt: skip
    theirs = of_keras(mine, arguments)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, 3)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 0, 1], [0, 0, 1, 1, 1]], bool)
    mine(x)
    theirs(x)
    weights = [rng.uniform(0.05, 0.5, w.shape).astype("float32") for w in mine.weights]
    mine.set_weights(weights)
    theirs.set_weights(weights)
    got = structure.flatten(mine(x, mask=pylearn.asarray(mask), training=training))
    want = theirs(x, mask=torch.tensor(mask), training=training)
    for a, b in zip(got, want if isinstance(want, (list, tuple)) else [want], strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), atol=1e-5)
    for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_reading_between_pixels_is_keras(fill_mode, interpolation):
    rng = np.random.default_rng(0)
    x = rng.random((3, 6, 5, 2)).astype("float32")
    matrix = np.tile(np.array([1, 0, 0, 0, 1, 0, 0, 0], "float32"), (3, 1))
    matrix[:, :6] += rng.uniform(-0.3, 0.3, (3, 6)).astype("float32")
    matrix[:, [2, 5]] += rng.uniform(-9, 9, (3, 2)).astype("float32")
    want = keras.ops.image.affine_transform(x, torch.tensor(matrix), interpolation, fill_mode, 0.5)
    a0, a1, a2, b0, b1, b2 = (matrix[:, i].reshape(3, 1, 1) for i in range(6))
    column, row = np.arange(5, dtype="float32"), np.arange(6, dtype="float32")[:, None]
    places = (b0 * column + b1 * row + b2, a0 * column + a1 * row + a2)
    got = sample(pylearn.asarray(x), *map(pylearn.asarray, places), interpolation, fill_mode, 0.5)
    np.testing.assert_allclose(got.numpy(), want.numpy(), atol=2e-5)


@pytest.mark.parametrize("example", PAIRS, ids=lambda e: e.name)
def test_equals_keras(example):
    assert difference(example) < 1e-5
