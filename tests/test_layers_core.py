"""Layers with promises of their own: scaling, frozen statistics, functions, ids, wrappers, axes."""

import warnings

import numpy as np
import pytest

import pylearn
from pylearn import layers, ops
from pylearn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Masking,
    MaxPooling2D,
    Normalization,
    TimeDistributed,
)
from pylearn.models import Sequential, load_model
from pylearn.utils import set_random_seed


def test_normalization_is_the_standard_scaler(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 4)) * [1, 5, 0.1, 0] + [3, -20, 0.5, 7]
    layer = Normalization()
    layer.adapt(x)
    got = layer(x).numpy()
    std = np.where(x.std(0) == 0, 1, x.std(0))
    np.testing.assert_allclose(got[:, :3], ((x - x.mean(0)) / std)[:, :3], atol=2e-5)
    exact = Normalization(dtype="float64")
    exact.adapt(x)
    np.testing.assert_allclose(exact(x).numpy(), (x - x.mean(0)) / std, atol=1e-6)
    parts = Normalization(dtype="float64")
    parts.adapt(iter([x[:100], x[100:130], x[130:]]))
    np.testing.assert_allclose(parts(x).numpy(), exact(x).numpy(), atol=1e-9)
    back = Normalization(mean=x.mean(0), variance=x.var(0), invert=True, dtype="float64")
    np.testing.assert_allclose(back(exact(x).numpy()).numpy(), x, atol=1e-6)

    model = Sequential([Input((4,)), layer, Dense(1)])
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.fit(x, x[:, 0], epochs=2, verbose=0)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "m.pylearn")
    np.testing.assert_array_equal(load_model(tmp_path / "m.pylearn").predict(x), model.predict(x))


def test_normalization_equals_scikit_learns():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(1).gamma(2.0, 3.0, (300, 5))
    layer = Normalization(dtype="float64")
    layer.adapt(x)
    np.testing.assert_allclose(layer(x).numpy(), preprocessing.StandardScaler().fit_transform(x), atol=1e-6)
    single = Normalization()
    single.adapt(x)
    np.testing.assert_allclose(single(x).numpy(), preprocessing.StandardScaler().fit_transform(x), atol=1e-6)


def test_normalization_along_other_axes():
    x = np.random.default_rng(0).random((20, 3, 4))
    whole = Normalization(axis=None, dtype="float64")
    whole.adapt(x)
    np.testing.assert_allclose(whole(x).numpy(), (x - x.mean()) / x.std(), atol=1e-9)
    places = Normalization(axis=(1, 2), dtype="float64")
    places.adapt(x)
    np.testing.assert_allclose(places(x).numpy(), (x - x.mean(0)) / x.std(0), atol=1e-9)
    for bad in (lambda: Normalization(mean=1.0), lambda: Normalization(axis=0),
                lambda: places.adapt(np.ones((3, 4, 4))),
                lambda: Normalization(mean=0.0, variance=1.0).adapt(x), lambda: whole.adapt(np.ones((0, 3, 4))),
                lambda: Normalization(axis=5)(x), lambda: Normalization(mean=[1, 2], variance=[1, 1])(x)):  # fmt: skip
        with pytest.raises(ValueError):
            bad()


def test_frozen_batch_normalization_is_at_rest_to_the_bit():
    set_random_seed(0)
    x = np.random.default_rng(0).standard_normal((30, 5)).astype("float32") * 3 + 1
    layer = BatchNormalization()
    for _ in range(3):
        layer(x, training=True)
    layer.trainable = False
    before = layer.get_weights()
    assert layer(x, training=True).numpy().tobytes() == layer(x, training=False).numpy().tobytes()
    model = Sequential([Input((5,)), layer, Dense(2)])
    model.compile("adam", "mse")
    model.fit(x, np.zeros((30, 2)), epochs=3, verbose=0)
    for a, b in zip(before, layer.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    layer.trainable = True
    model.compile("adam", "mse")
    model.fit(x, np.zeros((30, 2)), epochs=1, verbose=0)
    assert all((a != b).any() for a, b in zip(before, layer.get_weights(), strict=True))


def twice(x, times=2.0):
    return x * times


def test_lambda_works_and_files_hold_no_code(tmp_path):
    path = tmp_path / "m.pylearn"
    x = np.ones((2, 3), "float32")
    model = Sequential([Input((3,)), Lambda(lambda x: x * 2), Lambda(twice, arguments={"times": 3.0})])
    np.testing.assert_array_equal(model.predict(x), 6 * x)
    with pytest.raises(ValueError, match=r"Lambda cannot be saved with a lambda.*custom_objects"):
        model.save(path)
    named = Sequential([Input((3,)), Lambda(twice), Lambda(ops.square)])
    named.save(path)
    with pytest.raises(ValueError, match=r"unknown function.*'twice'"):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, custom_objects={"twice": twice}).predict(x), 4 * x)

    def square(x):
        return x

    with pytest.raises(ValueError, match="call it otherwise"):
        Sequential([Input((3,)), Lambda(square)]).save(path)
    with pytest.raises(TypeError, match="function must be a function"):
        Lambda(3)


def test_lambda_is_told_what_it_asks_for():
    seen = []

    def look(x, training, mask):
        seen.append((training, mask is not None))
        return x

    x = Input((4, 2))
    model = pylearn.Model(x, Dense(1)(Lambda(look, output_shape=(4, 2))(Masking()(x))))
    model.compile("sgd", "mse", run_eagerly=True)
    model.predict(np.ones((2, 4, 2)))
    model.fit(np.ones((2, 4, 2)), np.ones((2, 4, 1)), verbose=0)
    assert (False, True) in seen and (True, True) in seen
    assert Lambda(lambda x: x, mask=lambda x, mask: mask).compute_mask(1, "mask") == "mask"


def test_masking_hides_padding_from_a_recurrent_layer():
    x = np.random.default_rng(0).standard_normal((3, 6, 2)).astype("float32")
    x[0, 4:], x[1, 2:] = -1, -1
    model = Sequential([Input((6, 2)), Masking(-1.0), layers.LSTM(4)])
    for row, n in ((0, 4), (1, 2), (2, 6)):
        short = model.layers[1](x[row : row + 1, :n]).numpy()[0]
        np.testing.assert_allclose(model.predict(x)[row], short, atol=1e-6)


def test_merged_masks_are_those_of_keras():
    a, b = Input((3,), dtype="int64"), Input((3,), dtype="int64")
    ids = [np.array([[1, 0, 2]]), np.array([[0, 0, 4]])]
    table = Embedding(5, 2, mask_zero=True)
    for layer, want in ((layers.Add(), [1, 0, 1]), (layers.Concatenate(axis=1), [1, 0, 1, 0, 0, 1]),
                        (layers.Concatenate(), [1, 0, 1])):  # fmt: skip
        model = pylearn.Model([a, b], layers.GlobalAveragePooling1D()(layer([table(a), table(b)])))
        xs = [table(i) for i in ids]
        masks = [table.compute_mask(pylearn.asarray(i)) for i in ids]
        made = layer.compute_mask(xs, masks)
        np.testing.assert_array_equal(made.numpy(), [np.array(want, bool)])
        kept = layer(xs).numpy()[0][np.array(want, bool)].mean(0)
        np.testing.assert_allclose(model.predict(ids)[0], kept, atol=1e-6)
        assert layer.compute_mask(xs, [None, None]) is None
    half = layers.Concatenate(axis=1).compute_mask([table(i) for i in ids], [None, masks[1]])
    np.testing.assert_array_equal(half.numpy(), [[True, True, True, False, False, True]])
    assert layers.Add().compute_mask(xs, [None, masks[1]]) is None


def test_masks_in_recorded_steps_are_those_of_eager_ones():
    weights = []
    for eagerly in (False, True):
        set_random_seed(4)
        x = Input((6,), dtype="int64")
        h = Embedding(9, 4, mask_zero=True)(x)
        a = TimeDistributed(Dense(4, "relu"))(h)
        c = layers.Concatenate(axis=1)([BatchNormalization()(a), layers.Masking()(h)])
        d = layers.Bidirectional(layers.LSTM(3, return_sequences=True, recurrent_dropout=0.2))(c)
        e = layers.Attention(dropout=0.1)([d, d])
        f = layers.MultiHeadAttention(2, 3)(d, d, use_causal_mask=True)
        g = layers.Add()([d, e, layers.AdditiveAttention()([d, f]), layers.SpatialDropout1D(0.2)(f)])
        y = Dense(1)(layers.GlobalAveragePooling1D()(layers.ReLU()(g)))
        z = Dense(1)(layers.GRU(2, activation="gelu")(d))
        model = pylearn.Model(x, layers.Average()([y, z]))
        model.compile("adam", "mse", run_eagerly=eagerly)
        ids = np.random.default_rng(0).integers(0, 9, (22, 6))
        ids[:, 0] = 1
        ids[3:9, 3:] = 0
        model.fit(ids, np.ones(22), batch_size=8, epochs=3, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert np.isfinite(a).all() and a.tobytes() == b.tobytes()


def test_a_layer_at_every_step(tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype("float32")
    inner = layers.LSTM(6)
    layer = TimeDistributed(inner)
    y = layer(x).numpy()
    for t in range(4):
        np.testing.assert_allclose(y[:, t], inner(x[:, t]).numpy(), atol=1e-6)
    mask = np.random.default_rng(1).random((2, 4, 5)) < 0.5
    masked = layer(x, mask=pylearn.asarray(mask)).numpy()
    for t in range(4):
        np.testing.assert_allclose(
            masked[:, t], inner(x[:, t], mask=pylearn.asarray(mask[:, t])).numpy(), atol=1e-6
        )
    np.testing.assert_array_equal(
        layer.compute_mask(pylearn.asarray(x), pylearn.asarray(mask)).numpy(), mask.any(-1)
    )

    words = Sequential([Embedding(9, 4, mask_zero=True), layers.GRU(3)], name="words")
    model = Sequential([Input((4, 5), dtype="int64"), TimeDistributed(words), layers.GRU(2)])
    ids = np.random.default_rng(2).integers(0, 9, (3, 4, 5))
    model.save(tmp_path / "m.pylearn")
    np.testing.assert_array_equal(load_model(tmp_path / "m.pylearn").predict(ids), model.predict(ids))
    with pytest.raises(ValueError, match=r"needs \(batch, steps"):
        TimeDistributed(Dense(2))(np.ones((2, 3)))
    with pytest.raises(TypeError, match="must be a layer"):
        TimeDistributed(3)


def test_embedding_names_row_column_id_and_size():
    model = Sequential([Embedding(5, 2, input_length=3), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    assert model.output_shape == (None, 1) and model.layers[1].output.shape == (None, 6)
    x = np.zeros((64, 3), int)
    x[40, 1], x[50, 2] = 9, -1
    there = r"the id 9 at row 40, column 1 is out of range: there are 5 .* 0 to 4; 2 of"
    for call in (lambda: model.fit(x, np.zeros(64), batch_size=8, verbose=0), lambda: model.predict(x),
                 lambda: model.evaluate(x, np.zeros(64), verbose=0), lambda: model.train_on_batch(x, np.zeros(64)),
                 lambda: model(x), lambda: model.layers[0](x)):  # fmt: skip
        with pytest.raises(IndexError, match=there):
            call()
    x[40, 1] = 0
    with pytest.raises(IndexError, match=r"the id -1 at row 50, column 2"):
        model.predict(x)
    table = np.arange(10.0).reshape(5, 2)
    given = Embedding(5, 2, weights=[table], trainable=False, input_length=3)
    frozen = Sequential([given, Flatten(), Dense(1)])
    frozen.compile("sgd", "mse")
    x[50, 2] = 4
    frozen.fit(x, np.ones(64), verbose=0)
    np.testing.assert_array_equal(given.get_weights()[0], table)


def test_large_ids_stay_whole_numbers():
    layer = Embedding(2**24 + 3, 1, input_length=1, embeddings_initializer="zeros")
    model = Sequential([layer])
    table = np.zeros((2**24 + 3, 1), "float32")
    table[2**24 + 1], table[2**24] = 3, 5
    layer.set_weights([table])
    assert model.predict(np.array([[2**24 + 1]]))[0, 0, 0] == 3


def test_channels_are_asked_for_last():
    for make in (lambda: Conv2D(4, 3, data_format="channels_first"), lambda: MaxPooling2D(data_format="channels_first"),
                 lambda: Flatten(data_format="channels_first"),
                 lambda: layers.UpSampling2D(data_format="channels_first"),
                 lambda: layers.Conv2DTranspose(4, 3, data_format="channels_first")):  # fmt: skip
        with pytest.raises(ValueError, match=r"np\.moveaxis\(X, 1, -1\)"):
            make()
    for layer in (Conv2D(4, 3), MaxPooling2D(), layers.DepthwiseConv2D(3)):
        with pytest.raises(ValueError, match=r"X\[\.\.\., None\]"):
            layer(np.ones((5, 28, 28)))
    layer = Conv2D(4, 1, name="first")
    with pytest.warns(
        UserWarning, match=r"first: rows of shape \(3, 32, 32\) seem to have their channels first"
    ):
        layer(np.ones((2, 3, 32, 32)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(np.ones((2, 3, 32, 32)))
        for shape in ((2, 32, 32, 3), (2, 1, 1, 64), (2, 3, 3, 64), (2, 28, 28, 1)):
            Conv2D(4, 1)(np.ones(shape))


def test_dropout_of_whole_channels_and_shapes():
    set_random_seed(0)
    y = layers.SpatialDropout2D(0.5)(np.ones((20, 3, 4, 6)), training=True).numpy()
    assert (y == y[:, :1, :1]).all() and set(np.unique(y)) == {0, 2}
    y = layers.SpatialDropout1D(0.5)(np.ones((20, 5, 6)), training=True).numpy()
    assert (y == y[:, :1]).all() and 0.3 < (y == 0).mean() < 0.7
    y = layers.Dropout(0.5, noise_shape=(None, 1))(np.ones((50, 6)), training=True).numpy()
    assert (y == y[:, :1]).all() and 0.2 < (y == 0).mean() < 0.8
    a, b = (layers.Dropout(0.5, seed=3)(np.ones((9, 9)), training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_a_seeded_layer_goes_on_where_it_was_saved(tmp_path):
    x = np.random.default_rng(0).standard_normal((32, 4, 3)).astype("float32")

    def fit(model, epochs):
        model.fit(x, x[:, 0, 0], batch_size=8, epochs=epochs, verbose=0, shuffle=False)

    set_random_seed(0)
    model = Sequential([
        Input((4, 3)), layers.Dropout(0.3, seed=1), TimeDistributed(layers.GaussianNoise(0.1, seed=2)),
        layers.GRU(3, recurrent_dropout=0.2, seed=3), Dense(1),
    ])  # fmt: skip
    model.compile("adam", "mse")
    fit(model, 2)
    model.save(tmp_path / "m.pylearn")
    again = load_model(tmp_path / "m.pylearn")
    fit(model, 2)
    fit(again, 2)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_gaussian_noise_has_its_moments():
    set_random_seed(0)
    x = np.full((200, 500), 2.0, "float32")
    y = layers.GaussianNoise(0.3)(x, training=True).numpy().astype("float64")
    assert abs(y.mean() - 2) < 0.005 and abs(y.std() - 0.3) < 0.005
    y = layers.GaussianDropout(0.2)(x, training=True).numpy().astype("float64")
    assert abs(y.mean() - 2) < 0.01 and abs(y.std() - 2 * 0.5) < 0.01


def test_an_error_inside_names_the_innermost_layer_once():
    class Bad(layers.Layer):
        def call(self, x):
            return ops.matmul(x, np.ones((7, 2), "float32"))

    model = Sequential([Input((3,)), Dense(3), layers.Lambda(lambda x: x, output_shape=(3,))], name="outer")
    with pytest.raises(ValueError, match=r"^culprit: \[matmul\]"):
        Bad(name="culprit")(np.ones((2, 3)))
    with pytest.raises(ValueError, match="outer"):
        model([np.ones((2, 3)), np.ones((2, 3))])
