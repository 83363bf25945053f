"""Layers: shapes, weights, names, configurations, arguments, masks."""

import numpy as np
import pytest
import scipy.sparse

import pylearn
from pylearn import initializers, layers, ops, regularizers
from pylearn.layers import Activation, Add, Concatenate, Dense, Dropout, Flatten, Input, Layer, Reshape
from pylearn.models import Model, Sequential
from pylearn.utils import set_random_seed


def test_dense_computes_what_it_says():
    rng = np.random.RandomState(0)
    for shape in [(4, 3), (2, 5, 3), (0, 3), (1, 2, 2, 3)]:
        x = rng.randn(*shape).astype("float32")
        layer = Dense(6, activation="tanh", bias_initializer="random_normal")
        y = layer(x)
        want = np.tanh(x @ layer.kernel.numpy() + layer.bias.numpy())
        assert y.shape == (*shape[:-1], 6) == layer.compute_output_shape(shape)
        np.testing.assert_allclose(y.numpy(), want, atol=1e-5)
    no_bias = Dense(2, use_bias=False)
    no_bias(np.ones((1, 3)))
    assert no_bias.bias is None and no_bias.count_params() == 6


@pytest.mark.parametrize("name", sorted(pylearn.activations.ALL))
def test_every_activation_by_name_in_dense_and_alone(name):
    x = np.linspace(-2, 2, 12, dtype="float32").reshape(3, 4)
    dense = Dense(4, activation=name, kernel_initializer="identity")
    np.testing.assert_allclose(dense(x).numpy(), Activation(name)(x).numpy(), atol=1e-6)
    assert dense.get_config()["activation"] in pylearn.activations.ALL


def test_activations_follow_their_formulas():
    x = np.linspace(-4, 4, 17)
    a = pylearn.activations
    np.testing.assert_allclose(a.relu6(3 * x), np.clip(3 * x, 0, 6))
    np.testing.assert_allclose(a.leaky_relu(x), np.where(x > 0, x, 0.2 * x))
    np.testing.assert_allclose(a.mish(x), x * np.tanh(np.log1p(np.exp(x))), atol=1e-12)
    np.testing.assert_allclose(a.hard_silu(x), x * np.clip(x / 6 + 0.5, 0, 1), atol=1e-12)
    np.testing.assert_allclose(a.gelu(x, approximate=True), a.gelu(x), atol=1e-2)
    assert a.get(None) is a.linear
    with pytest.raises(ValueError, match="did you mean 'softmax'"):
        a.get("sofmax")
    with pytest.raises(TypeError):
        a.get(3)


def test_names_are_unique_and_weights_have_paths():
    layers.naming.reset()
    model = Sequential([Dense(2, input_shape=(3,)), Dense(2), Dense(1, name="head")])
    assert [layer.name for layer in model.layers] == ["dense", "dense_1", "head"]
    assert [w.name for w in model.weights] == [
        "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "head/kernel", "head/bias",
    ]  # fmt: skip
    inner = Sequential([Dense(2, name="a")], name="inner")
    x = Input((3,))
    outer = Model(inputs=x, outputs=Dense(1, name="b")(inner(x)))
    assert [w.name for w in outer.weights] == ["inner/a/kernel", "inner/a/bias", "b/kernel", "b/bias"]
    with pytest.raises(ValueError, match="two layers are called 'same'"):
        Sequential([Dense(2, name="same", input_shape=(3,)), Dense(2, name="same")])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Dense(3, activaton="relu"), "did you mean 'activation'"),
        (lambda: Dense(3, kernel_regulariser="l2"), "did you mean 'kernel_regularizer'"),
        (lambda: Dense(3, kernel_constraint="max_nrm"), "did you mean 'max_norm'"),
        (lambda: Flatten(input_shpe=(2, 2)), "did you mean 'input_shape'"),
        (lambda: Dropout(0.5, noise_shape=(1, 2))(np.ones((3, 4)), training=True), "noise_shape"),
        (lambda: Input(shap=(2,)), "did you mean 'shape'"),
        (lambda: Input(), "needs shape="),
        (lambda: Dense(3).add_weight("w", (1,), constraint="x"), "unknown constraint 'x'"),
        (lambda: regularizers.L2(l3=1), "it takes l2"),
        (lambda: initializers.RandomNormal(std=1), "did you mean 'stddev'"),
        (lambda: Dense("ten"), "units must be a whole number"),
    ],
)
def test_unknown_arguments_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(0),
        lambda: Dense(2.5),
        lambda: Dense(3, kernel_initializer="glorot_unform"),
        lambda: Dense(3, kernel_regularizer="l5"),
        lambda: Dense(3, dtype="int32"),
        lambda: Dropout(1.0),
        lambda: Dropout(-0.1),
        lambda: Reshape((-1, -1)),
        lambda: Input((-3,)),
        lambda: Dense(3, name="a/b"),
        lambda: Flatten(data_format="channels_first"),
        lambda: regularizers.L1(-1),
        lambda: Dense(3)(np.float32(1)),
        lambda: Reshape((5,))(np.ones((2, 6))),
        lambda: Dense(2)(Dense(1)),
    ],
)
def test_bad_values_are_refused(make):
    with pytest.raises((ValueError, TypeError)):
        make()


def test_shape_errors_name_the_layer():
    layer = Dense(2, name="head")
    layer(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"head: expected 3 values on the last axis, got shape \(4, 5\)"):
        layer(np.ones((4, 5)))
    with pytest.raises(ValueError, match="fold: rows of shape"):
        Sequential([Reshape((5,), name="fold", input_shape=(2, 3))])
    with pytest.raises(ValueError, match="has 2 weights, got 1"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match="weight head/bias has shape"):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    with pytest.raises(ValueError, match="not built yet"):
        Dense(2).set_weights([np.ones((3, 2)), np.ones(2)])


def test_flatten_and_reshape():
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    assert Flatten()(x).shape == (2, 12)
    assert Flatten()(np.ones(5)).shape == (5, 1)
    np.testing.assert_array_equal(Reshape((2, -1))(x).numpy(), x.reshape(2, 2, 6))
    assert Reshape((2, -1)).compute_output_shape((None, 3, 4)) == (None, 2, 6)
    assert Flatten().compute_output_shape((None, 3, None)) == (None, None)
    assert Flatten()(np.ones((0, 2, 2))).shape == (0, 4)


def test_dropout_drops_scales_and_rests():
    set_random_seed(0)
    x = np.ones((200, 500), "float32")
    layer = Dropout(0.2)
    y = layer(x, training=True).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1.25)}
    n, p = y.size, 0.2
    assert abs((y == 0).mean() - p) < 3 * np.sqrt(p * (1 - p) / n)
    assert np.array_equal(layer(x).numpy(), x)
    assert not np.array_equal(layer(x, training=True).numpy(), y)


def test_merging_layers():
    a, b = np.ones((2, 3), "float32"), np.full((2, 3), 2, "float32")
    np.testing.assert_array_equal(Add()([a, b]).numpy(), a + b)
    assert Concatenate()([a, b]).shape == (2, 6)
    assert Concatenate(axis=1).compute_output_shape([(None, 2), (None, 3)]) == (None, 5)
    with pytest.raises(ValueError, match="list of at least two"):
        Add()(a)
    with pytest.raises(ValueError, match="one shape"):
        Add()([a, np.ones((2, 4))])
    with pytest.raises(ValueError, match="must agree on all axes"):
        Concatenate()([np.ones((2, 2, 2)), np.ones((2, 3, 2))])


def test_symbolic_tensors_have_no_values():
    x = Input((3,))
    for bad in (
        lambda: x + 1,
        lambda: 2 * x,
        lambda: x[0],
        lambda: np.asarray(x),
        lambda: bool(x),
        lambda: len(x),
    ):
        with pytest.raises(TypeError, match="has no values"):
            bad()
    with pytest.raises(TypeError, match="cannot be mixed"):
        Add()([x, np.ones((2, 3))])


class Scale(Layer):
    def __init__(self, power=1, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def build(self, input_shape):
        self.scale = self.add_weight("scale", (input_shape[-1],), "ones", regularizer="l1")
        self.seen = self.add_weight("seen", (), "zeros", trainable=False)

    def call(self, x, training=False):
        return x * self.scale**self.power if training else x * self.scale


def test_own_layers():
    model = Sequential([Input((3,)), Scale(2), Dense(1)])
    assert model.output_shape == (None, 1)
    assert [w.name.split("/")[1] for w in model.layers[0].weights] == ["scale", "seen"]
    assert len(model.trainable_weights) == 3 and len(model.non_trainable_weights) == 1
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3)), np.zeros(8), epochs=2, verbose=0)
    assert model.layers[0].get_config()["power"] == 2  # from the constructor's arguments
    again = Scale.from_config(model.layers[0].get_config())
    assert again.power == 2 and again.name == model.layers[0].name


def test_output_shape_by_trial_run_leaves_the_random_numbers_alone():
    class Noisy(Layer):
        def call(self, x):
            return ops.concatenate([x, ops.dropout(x, 0.5)], axis=-1)

    set_random_seed(1)
    before = pylearn.random.default_generator().state()
    y = Noisy()(Input((4, 5)))
    assert y.shape == (None, 4, 10)
    assert pylearn.random.default_generator().state() == before


def test_nested_layers_are_found():
    class Block(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.parts = [Dense(4, name="one"), Dense(3, name="two")]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    block = Block(name="block")
    assert block(np.ones((2, 5))).shape == (2, 3)
    assert len(block.weights) == 4
    block.trainable = False
    assert block.trainable_weights == [] and len(block.non_trainable_weights) == 4
    model = Sequential([Input((5,)), Block(name="b")])
    assert [w.name for w in model.weights] == ["b/one/kernel", "b/one/bias", "b/two/kernel", "b/two/bias"]


def test_init_before_super_is_explained():
    class Forgetful(Layer):
        def __init__(self):
            self.inner = Dense(1)

    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
        Forgetful()


def test_regularizers_and_activity_join_the_loss():
    x = np.random.RandomState(0).rand(4, 3).astype("float32")
    layer = Dense(2, kernel_regularizer=regularizers.l1_l2(0.1, 0.2), bias_regularizer="l2", activity_regularizer="l1",
                  bias_initializer="ones")  # fmt: skip
    y = layer(x).numpy()
    w = layer.kernel.numpy()
    got = sorted(float(v) for v in layer.losses)
    want = sorted([0.1 * np.abs(w).sum() + 0.2 * (w**2).sum(), 0.01 * 2, 0.01 * np.abs(y).sum() / 4])
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert len(layer(x).shape) == 2 and len(layer.losses) == 3  # of the last call only


def test_csr_input_equals_dense():
    m = scipy.sparse.random(7, 20, 0.2, format="csr", random_state=0)
    layer = Dense(3, activation="sigmoid")
    np.testing.assert_allclose(layer(m).numpy(), layer(m.toarray()).numpy(), atol=1e-6)
    np.testing.assert_allclose(
        layer(pylearn.CSR.from_scipy(m)).numpy(), layer(m.toarray()).numpy(), atol=1e-6
    )


def test_masks_travel_beside_tensors():
    seen = []

    class MakeMask(Layer):
        supports_masking = True

        def call(self, x):
            return x

        def compute_output_shape(self, shape):
            return shape

        def compute_mask(self, x, mask=None):
            return ops.not_equal(x[..., 0], 0.0)

    class Look(Layer):
        supports_masking = True

        def call(self, x, mask=None):
            seen.append(None if mask is None else mask.numpy())
            return x

        def compute_output_shape(self, shape):
            return shape

    model = Sequential([Input((3, 1)), MakeMask(), Dropout(0.5), Look()])
    x = np.array([[[1], [0], [2]]], "float32")
    model(x)
    np.testing.assert_array_equal(seen[-1], [[True, False, True]])
    assert Dense(2).compute_mask(x, "mask") == "mask" and Flatten().compute_mask(x, "mask") is None


def test_unknown_keys_of_a_configuration_are_told():
    spec = pylearn.registry.serialize(Dense(3, name="mine"))
    with pytest.warns(UserWarning, match="unknown key 'colour'"):
        Dense.from_config({**spec["config"], "colour": "red"})


# -- initializers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [registered.__name__ for registered in initializers.ALL])
def test_initializers_are_reproducible_and_survive_their_configuration(name):
    set_random_seed(5)
    initializer = initializers.get(pylearn.registry.snake(name))
    a = initializer((8, 8)).numpy()
    set_random_seed(5)
    b = initializers.get(pylearn.registry.serialize(initializer))((8, 8)).numpy()
    assert a.dtype == np.float32 and np.array_equal(a, b)
    assert initializer((8, 8), "float64").numpy().dtype == np.float64


@pytest.mark.parametrize(
    "name, std",
    [("glorot_uniform", np.sqrt(2 / 500)), ("glorot_normal", np.sqrt(2 / 500)), ("he_normal", np.sqrt(2 / 300)),
     ("he_uniform", np.sqrt(2 / 300)), ("lecun_normal", np.sqrt(1 / 300)), ("lecun_uniform", np.sqrt(1 / 300)),
     ("random_normal", 0.05), ("random_uniform", 0.1 / np.sqrt(12)), ("truncated_normal", 0.05 * 0.8796)],
)  # fmt: skip
def test_initializers_have_keras_moments(name, std):
    set_random_seed(0)
    w = initializers.get(name)((300, 200)).numpy().astype("float64")
    n = w.size
    assert abs(w.mean()) < 4 * std / np.sqrt(n)
    assert abs(w.std() / std - 1) < 4 / np.sqrt(2 * n)


@pytest.mark.parametrize("name", ["he_normal", "he_uniform"])
def test_twenty_relu_layers_keep_the_variance_of_their_activations(name):
    set_random_seed(0)
    x = np.random.RandomState(0).randn(512, 512).astype("float32")
    size = (x**2).mean()
    for _ in range(20):
        z = Dense(512, kernel_initializer=name)(x).numpy()
        assert 0.5 < z.var() / (2 * size) < 2.0  # 2: relu lets half of the second moment through
        x = np.maximum(z, 0.0)
    assert 0.5 < (x**2).mean() / size < 2.0


def test_initializers_special_cases():
    q = initializers.Orthogonal(2.0)((6, 3)).numpy()
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(3), atol=1e-5)
    assert initializers.fans((3, 3, 16, 32)) == (144, 288)
    assert np.array_equal(initializers.get(0.5)((2,)).numpy(), [0.5, 0.5])
    fixed = initializers.RandomNormal(seed=3)
    assert np.array_equal(fixed((4,)).numpy(), fixed((4,)).numpy())
    assert Dense(2, bias_initializer=0.1)(np.zeros((1, 2), "float32")).numpy().tolist() == [
        [np.float32(0.1)] * 2
    ]
    with pytest.raises(ValueError):
        initializers.Constant(np.ones(3))((4,))
