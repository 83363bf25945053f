"""Random changes of images: what they do in training, and that each image has its own."""

import numpy as np
import pytest

import pylearn
from pylearn import layers
from pylearn.layers import (
    CenterCrop,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from pylearn.utils import set_random_seed

CHANGES = [
    lambda **k: RandomFlip(**k), lambda **k: RandomTranslation(0.2, 0.2, **k), lambda **k: RandomRotation(0.1, **k),
    lambda **k: RandomZoom(0.3, **k), lambda **k: RandomContrast(0.5, (0, 1), **k),
    lambda **k: RandomBrightness(0.3, (0, 1), **k),
]  # fmt: skip


def images(n=40):
    return np.random.default_rng(0).random((n, 7, 6, 2)).astype("float32")


@pytest.mark.parametrize("make", CHANGES)
def test_each_image_is_changed_otherwise_and_only_in_training(make):
    layer = make()
    one = images(1)
    x = np.repeat(one, 40, axis=0)
    np.testing.assert_array_equal(layer(x).numpy(), x)
    a, b = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert len({image.tobytes() for image in a}) >= 4
    assert (a != b).any()
    first, second = (make(seed=7)(x, training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", CHANGES)
def test_recorded_steps_draw_anew(make):
    set_random_seed(0)
    layer = make()
    run = pylearn.capture(lambda x: layer.run(x, training=True))
    x = pylearn.asarray(images())
    layer.ensure_built(x.shape)
    recorded = [run(x).numpy().copy() for _ in range(5)]
    set_random_seed(0)
    for got in recorded:
        np.testing.assert_array_equal(got, layer.run(x, training=True).numpy())
    assert len({r.tobytes() for r in recorded}) == 5


def test_flips_are_flips():
    x = images(200)
    y = RandomFlip("horizontal")(x, training=True).numpy()
    same, mirrored = (np.all(y == z, axis=(1, 2, 3)) for z in (x, x[:, :, ::-1]))
    assert (same ^ mirrored).all() and abs(same.mean() - 0.5) < 3 * 0.5 / np.sqrt(200)
    y = RandomFlip()(x, training=True).numpy()
    kinds = [np.all(y == z, axis=(1, 2, 3)) for z in (x, x[:, ::-1], x[:, :, ::-1], x[:, ::-1, ::-1])]
    assert np.sum(kinds, axis=0).tolist() == [1] * 200 and all(k.mean() > 0.1 for k in kinds)


def test_translations_move_down_and_right_by_whole_pixels():
    x = images(3)
    y = RandomTranslation((2 / 7, 2 / 7), (1 / 6, 1 / 6), "constant", fill_value=9.0)(
        x, training=True
    ).numpy()
    np.testing.assert_allclose(y[:, 2:, 1:], x[:, :-2, :-1], atol=1e-5)
    np.testing.assert_allclose(y[:, :2], 9, atol=1e-5)
    np.testing.assert_allclose(y[:, :, :1], 9, atol=1e-5)
    wrapped = RandomTranslation((2 / 7, 2 / 7), 0.0, "wrap")(x, training=True).numpy()
    np.testing.assert_allclose(wrapped, np.roll(x, 2, axis=1), atol=1e-5)


def test_a_quarter_turn_is_counter_clockwise():
    x = np.random.default_rng(0).random((2, 6, 6, 1)).astype("float32")
    y = RandomRotation((0.25, 0.25))(x, training=True).numpy()
    np.testing.assert_allclose(y, np.rot90(x, axes=(1, 2)), atol=1e-5)


def test_zoom_shows_the_middle():
    x = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    y = RandomZoom((-0.5, -0.5))(x, training=True).numpy()
    inner = y[:, 1:7, 1:7]
    assert inner.min() >= x[:, 1:7, 1:7].min() - 1e-6 and inner.max() <= x[:, 1:7, 1:7].max() + 1e-6
    np.testing.assert_allclose(RandomZoom((0.0, 0.0))(x, training=True).numpy(), x, atol=1e-6)
    wide = RandomZoom((0.0, 0.0), (1.0, 1.0), "constant")(x, training=True).numpy()
    assert not wide[:, :, :2].any() and wide[:, :, 3:5].any()


def test_contrast_and_brightness():
    x = images(5) * 0.5 + 0.25
    y = RandomContrast((0.0, 0.0), (0, 1))(x, training=True).numpy()
    np.testing.assert_allclose(y, x, atol=1e-6)
    y = RandomContrast((1.0, 0.0), (0, 1))(x, training=True).numpy()
    np.testing.assert_allclose(y.mean((1, 2)), x.mean((1, 2)), atol=1e-5)
    assert (y.std((1, 2)) <= x.std((1, 2)) + 1e-6).all()
    np.testing.assert_allclose(
        RandomBrightness((0.1, 0.1), (0, 1))(x, training=True).numpy(), x + 0.1, atol=1e-6
    )
    assert RandomBrightness((0.9, 0.9), (0, 1))(x, training=True).numpy().max() == 1


def test_sizes_are_changed_at_all_times():
    x = images(2)
    assert Resizing(14, 12, "nearest")(x).shape == (2, 14, 12, 2)
    np.testing.assert_array_equal(Resizing(14, 12, "nearest")(x).numpy(), x.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(CenterCrop(3, 4)(x).numpy(), x[:, 2:5, 1:5])


def test_a_network_learns_behind_them():
    set_random_seed(0)
    x = np.random.default_rng(1).random((160, 8, 8, 1)).astype("float32") * 0.3
    y = np.arange(160) % 2
    x[y == 1, 2:6, 2:6] += 0.6
    model = pylearn.Sequential([
        layers.Input((8, 8, 1)), RandomTranslation(0.15, 0.15), RandomFlip(), RandomRotation(0.05), layers.Flatten(),
        layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"),
    ])  # fmt: skip
    model.compile(pylearn.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=15, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.97


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: RandomFlip("diagonal"), "mode must be one of"),
        (lambda: RandomTranslation(1.5, 0.1), "height_factor"),
        (lambda: RandomTranslation(0.1, 0.1, fill_mode="mirror"), "fill_mode must be one of"),
        (lambda: RandomZoom(0.1, interpolation="bicubic"), "interpolation must be one of"),
        (lambda: RandomRotation((0.1, 0.2, 0.3)), "factor"),
        (lambda: RandomContrast(1.5), "factor"),
        (lambda: RandomBrightness(0.1, (1, 0)), "value_range"),
        (lambda: Resizing(3, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "one of"),
        (lambda: RandomFlip(data_format="channels_first"), r"np\.moveaxis\(X, 1, -1\)"),
        (lambda: RandomFlip()(np.ones((2, 28, 28))), r"X\[\.\.\., None\]"),
    ],
)
def test_wrong_calls_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
