"""Residual blocks: what they compute, and that deep networks of them learn."""

import numpy as np
import pytest

import pylearn
from pylearn.blocks import Residual
from pylearn.curriculum.networks import residual
from pylearn.layers import Conv1D, Conv2D, Dense, Flatten
from pylearn.models import ResNet, load_model
from pylearn.utils import set_random_seed


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_it_adds_its_input():
    inner = [Dense(4, "tanh", name="in"), Dense(4, name="out")]
    layer = Residual(*inner, activation="relu")
    x = normal(3, 4)
    y = layer(x).numpy()
    want = np.maximum(x + inner[1](inner[0](x)).numpy(), 0)
    np.testing.assert_allclose(y, want, atol=1e-6)
    assert len(layer.weights) == 4


@pytest.mark.parametrize(
    "row, inner, count",
    [((4,), [Dense(6)], 4), ((8, 3), [Conv1D(5, 3, strides=2, padding="same")], 4),
     ((9, 8, 3), [Conv2D(3, 3, strides=(2, 1), padding="same")], 4), ((9, 8, 3), [Conv2D(3, 3, padding="same")], 2)],
)  # fmt: skip
def test_shapes_that_differ_are_projected(row, inner, count):
    layer = Residual(*inner)
    assert layer(normal(2, *row)).shape == (2, *inner[0].compute_output_shape((None, *row))[1:])
    assert len(layer.weights) == count


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Residual(Dense(6), projection="never")(normal(2, 4)), r"rows of \(6,\) of rows of \(4,\)"),
        (lambda: Residual(Flatten(), Dense(3))(normal(2, 4, 5)), "give a projection"),
        (lambda: Residual(Conv2D(3, 3))(normal(2, 9, 9, 3)), "cannot be added"),
        (lambda: Residual(), "give it layers"),
        (lambda: Residual(Dense(3, name="a"), Dense(3, name="a")), "called alike"),
        (lambda: Residual(Dense(3), projection="maybe"), "projection must be"),
    ],
)
def test_what_cannot_be_is_explained(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_resnet_of_twenty_layers():
    model = ResNet()
    assert sum(w.size for w in model.trainable_weights) == 272_474  # as the paper's, with projections
    assert model.output_shape == (None, 10)
    with pytest.raises(ValueError, match="6 n"):
        ResNet(depth=21)


def test_a_small_resnet_learns_and_saves(tmp_path):
    set_random_seed(0)
    x = normal(96, 8, 8, 1)
    y = np.arange(96) % 3
    x[y == 1, :4] += 1
    x[y == 2, :, :4] += 1
    model = ResNet(depth=8, input_shape=(8, 8), classes=3, width=4)
    model.compile(pylearn.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=8, batch_size=16, verbose=0).history
    assert history["accuracy"][-1] > 0.9
    model.save(tmp_path / "m.pylearn")
    np.testing.assert_array_equal(load_model(tmp_path / "m.pylearn").predict(x), model.predict(x))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forty_layers_learn_with_a_way_around_them_and_not_without(seed):
    scores = residual.main(seed=seed, verbose=0)
    assert scores["plain"] < 0.3 and scores["residual"] > 0.90
