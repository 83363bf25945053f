"""Policies of precision: what is rounded to bfloat16 and what is not, who has which policy, and what files keep."""

import numpy as np
import pytest

import pylearn
from pylearn import config, layers, mixed_precision, models, ops
from pylearn.blocks import Residual
from pylearn.datasets import digits
from pylearn.layers import Conv2D, Dense, Flatten, Input, MultiHeadAttention, TimeDistributed
from pylearn.models import Sequential, clone_model, load_model
from pylearn.reference import round_bf16
from pylearn.utils import set_random_seed

MIXED = "mixed_bfloat16"


@pytest.fixture(autouse=True)
def the_policy_is_restored():
    assert mixed_precision.global_policy().name == "float32"
    yield
    mixed_precision.set_global_policy("float32")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def product(a, b):
    """The float64 product of operands rounded to bfloat16."""
    return np.matmul(round_bf16(a).astype("float64"), round_bf16(b).astype("float64"))


# -- what is computed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 40), (3, 5, 40), (2, 3, 4, 40)])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "gelu"])
def test_a_dense_layer_multiplies_rounded_operands(shape, activation):
    layer, x = Dense(7, activation, bias_initializer="ones", dtype=MIXED), normal(*shape)
    y = layer(x)
    kernel = layer.kernel.numpy()
    want = Dense(7, activation, dtype="float64").activation(product(x, kernel) + 1.0)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y.numpy(), want, rtol=1e-5, atol=1e-5)
    if activation is None:  # and the rounding is there to be seen
        assert np.abs(y.numpy() - (x.astype("float64") @ kernel + 1.0)).max() > 1e-4


@pytest.mark.parametrize("shape", [(6, 40), (3, 5, 40)])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_its_gradients_are_such_products_too(shape, activation):
    layer, x, weigh = Dense(7, activation, dtype=MIXED), normal(*shape), normal(*shape[:-1], 7, seed=1)
    y = layer(x).numpy()

    def total(x):
        return ops.sum(layer.run(x) * weigh)

    x_here = pylearn.asarray(x)
    of_kernel, of_bias = (
        g.numpy() for g in pylearn.value_and_grad(lambda: total(x_here), wrt=layer.weights)()[1]
    )
    of_x = pylearn.grad(total)(x_here).numpy()
    upper = (weigh * (y > 0) if activation else weigh).astype("float64")
    flat, rows = upper.reshape(-1, 7), x.reshape(-1, 40)
    np.testing.assert_allclose(of_kernel, product(rows.T, flat), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of_x, product(upper, layer.kernel.numpy().T), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of_bias, flat.sum(0), rtol=1e-5, atol=1e-5)


def test_the_projections_of_attention_are_rounded_and_the_rest_is_not():
    layer, x = MultiHeadAttention(2, 8, bias_initializer=0.5, dtype=MIXED), normal(3, 5, 12)
    y = layer(x, x).numpy()

    def project(x, kernel, bias, into):
        size = np.prod(x.shape[2:])
        flat = ops.matmul_bf16(ops.reshape(x, (15, size)), ops.reshape(kernel, (size, -1)))
        return ops.reshape(flat + ops.reshape(bias, (-1,)), into)

    q, k, v = (
        project(pylearn.asarray(x), kernel, bias, (3, 5, 2, 8))
        for kernel, bias in (
            (layer.query_kernel, layer.query_bias),
            (layer.key_kernel, layer.key_bias),
            (layer.value_kernel, layer.value_bias),
        )
    )
    inner = ops.scaled_dot_product_attention(q, k, v)
    want = project(inner, layer.output_kernel, layer.output_bias, (3, 5, 12))
    np.testing.assert_array_equal(y, want.numpy())


def test_convolutions_over_one_place_are_products():
    x = normal(2, 5, 6, 16)
    one = Conv2D(4, 1, activation="relu", bias_initializer=0.1, dtype=MIXED)
    got = one(x).numpy()
    want = np.maximum(product(x, one.kernel.numpy()[0, 0]) + 0.1, 0)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    for arguments in ({"kernel_size": 3}, {"kernel_size": 1, "strides": 2}, {"kernel_size": 1, "groups": 2}):
        mixed, exact = Conv2D(4, dtype=MIXED, **arguments), Conv2D(4, **arguments)
        mixed(x), exact(x)
        exact.set_weights(mixed.get_weights())
        np.testing.assert_array_equal(mixed(x).numpy(), exact(x).numpy())


def test_sparse_rows_and_no_rows():
    layer, x = Dense(3, dtype=MIXED), normal(4, 6)
    x[x < 0.5] = 0
    rows, columns = x.nonzero()
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=4))])
    sparse = pylearn.CSR(starts, columns, x[rows, columns], x.shape)
    np.testing.assert_allclose(layer(sparse).numpy(), x @ layer.kernel.numpy(), atol=1e-6)
    assert layer(x[:0]).shape == (0, 3)
    assert Dense(3, dtype=MIXED)(normal(0, 5, 6)).shape == (0, 5, 3)


# -- training ---------------------------------------------------------------------------------------------------------


def classifier(policy, size=8, hidden=64):
    return Sequential(
        [
            Flatten(input_shape=(size, size)),
            Dense(hidden, "relu"),
            Dense(hidden, "relu"),
            Dense(10, "softmax"),
        ],
        dtype=policy,
    )


def test_digits_are_learnt_as_well_as_in_float32():
    (x, y), (x_test, y_test) = digits.load_data(8)
    x, x_test = x / np.float32(x.max()), x_test / np.float32(x.max())
    accuracy = {}
    for policy in ("float32", MIXED):
        set_random_seed(1)
        model = classifier(policy)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=32, epochs=15, verbose=0)
        accuracy[policy] = model.evaluate(x_test, y_test, verbose=0)[1]
    assert accuracy["float32"] > 0.9
    assert abs(accuracy[MIXED] - accuracy["float32"]) <= 0.01, accuracy


def test_weights_and_the_optimizers_state_are_float32_and_steps_below_a_rounding_add_up():
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))], dtype=MIXED)
    model.compile(pylearn.optimizers.SGD(1e-4, momentum=0.5), "mse")
    ones = np.ones((4, 1), "float32")
    for _ in range(3):
        model.train_on_batch(ones, 0 * ones)
    (kernel,) = model.weights
    assert kernel.dtype == "float32"
    assert {s.dtype for update in model.optimizer._slots().values() for s in update.values()} == {
        np.dtype("float32")
    }
    # bfloat16's next number below 1 is 0.996: the steps of 2e-4 and more would be lost in it
    assert 0.998 < kernel.numpy().item() < 0.9995


def test_recorded_steps_are_eager_steps():
    weights = []
    for eagerly in (False, True):
        set_random_seed(3)
        model = classifier(MIXED)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.run_eagerly = eagerly
        model.fit(normal(100, 8, 8), np.arange(100) % 10, batch_size=16, epochs=3, verbose=0)
        assert all((step.plan is None) == eagerly for _, step in model._steps)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert a.tobytes() == b.tobytes()


# -- who has which policy ---------------------------------------------------------------------------------------------


def test_the_global_policy_is_of_layers_made_from_then_on():
    before = Dense(2)
    mixed_precision.set_global_policy(MIXED)
    after, own = Dense(2), Dense(2, dtype="float32")
    assert mixed_precision.global_policy() == mixed_precision.DTypePolicy(MIXED) == config.dtype_policy()
    assert [layer.dtype_policy.name for layer in (before, after, own)] == ["float32", MIXED, "float32"]
    assert (after.dtype, after.variable_dtype, after.compute_dtype) == ("float32", "float32", "bfloat16")
    assert (own.dtype, own.variable_dtype, own.compute_dtype) == ("float32", "float32", "float32")
    config.set_dtype_policy("float64")
    model = Sequential([Input((3,)), Dense(2)])
    assert model.predict(np.full((1, 3), 0.1)).dtype == "float64" and model.inputs[0].dtype == "float64"


def test_a_scope_ends():
    with mixed_precision.policy_scope(MIXED) as policy:
        assert policy.name == MIXED and Dense(2).compute_dtype == "bfloat16"
        with pytest.raises(RuntimeError, match="policy_scope"):
            mixed_precision.set_global_policy("float64")
    assert Dense(2).compute_dtype == "float32"


@pytest.mark.parametrize(
    "name, near",
    [("mixed_bfloat61", MIXED), ("mixed_float16", MIXED), ("bfloat16", MIXED), ("flaot32", "float32"),
     ("float46", "float64"), (np.float16, MIXED)],
)  # fmt: skip
def test_unknown_names_name_the_nearest(name, near):
    for ask in (
        mixed_precision.set_global_policy,
        mixed_precision.get,
        lambda name: Dense(2, dtype=name),
        lambda name: Sequential([Dense(2)], dtype=name),
    ):
        with pytest.raises(ValueError, match=f"did you mean '{near}'"):
            ask(name)
    assert mixed_precision.global_policy().name == "float32"
    for other in (3.5, object(), "int32"):
        with pytest.raises(ValueError, match="dtype policy"):
            Dense(2, dtype=other)


def test_a_models_policy_is_that_of_its_layers_that_were_given_none():
    head = Dense(2, dtype="float32", name="head")
    inner = Sequential([TimeDistributed(Dense(3, name="shared")), head])
    x = Input((4, 5))
    made = [
        Sequential([Input((4, 5)), Dense(3), inner], dtype=MIXED),
        models.Model(inputs=x, outputs=inner(Dense(3)(x)), dtype=MIXED),
    ]

    class Own(models.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.inner = (
                Dense(3),
                Sequential([TimeDistributed(Dense(3)), Dense(2, dtype="float32")]),
            )

        def call(self, x):
            return self.inner(self.first(x))

    made.append(Own(dtype=MIXED))
    for model in made:
        found, waiting = {}, [model]
        while waiting:
            layer = waiting.pop()
            found.setdefault(type(layer).__name__, []).append(layer.compute_dtype)
            waiting += layer._sublayers
        assert sorted(found["Dense"]) == ["bfloat16", "bfloat16", "float32"]
        assert model.predict(normal(2, 4, 5), verbose=0).shape == (2, 4, 2)
    plain = Sequential([Dense(2, dtype=MIXED), Dense(2)])
    assert [layer.compute_dtype for layer in plain.layers] == ["bfloat16", "float32"]


def test_a_blocks_projection_has_its_policy():
    block = Residual(Dense(6), dtype=MIXED)
    block(normal(2, 4))
    assert [layer.compute_dtype for layer in block._sublayers] == ["bfloat16", "bfloat16"]
    again = Residual.from_config(block.get_config())
    again(normal(2, 4))
    assert [layer.compute_dtype for layer in again._sublayers] == ["bfloat16", "bfloat16"]


def test_a_trained_model_may_be_given_another_policy():
    x, y = normal(32, 8, 8), np.arange(32) % 10
    model = classifier("float32")
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=2, verbose=0)
    exact = model.predict(x)
    model.dtype_policy = MIXED
    mixed = model.predict(x)
    assert 0 < np.abs(mixed - exact).max() < 0.01
    again = clone_model(model)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x), mixed)
    for one in (model, again):  # recorded steps of before are not replayed
        one.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=one is again)
        one.fit(x, y, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    model.dtype_policy = "float32"
    again.dtype_policy = "float32"
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    with pytest.raises(ValueError, match="keeps weights in float64"):
        model.dtype_policy = "float64"


# -- files ------------------------------------------------------------------------------------------------------------


def test_files_keep_the_policy(tmp_path):
    x = normal(4, 8, 8)
    for policy, elsewhere in ((MIXED, "float32"), ("float32", MIXED), ("float32", "float64")):
        mixed_precision.set_global_policy(policy)
        model = classifier(None)
        y = model.predict(x)
        model.save(tmp_path / "m.pylearn", overwrite=True)
        mixed_precision.set_global_policy(elsewhere)
        again = load_model(tmp_path / "m.pylearn")
        assert {layer.dtype_policy.name for layer in [again, *again.layers]} == {policy}
        np.testing.assert_array_equal(again.predict(x), y)


class Pair(layers.Layer):
    """A layer that makes others, without a dtype among its arguments."""

    def __init__(self, units):
        super().__init__()
        self.units, self.a, self.b = units, Dense(units), Dense(units, dtype="float32")

    def build(self, input_shape):
        self.a.ensure_built(input_shape)
        self.b.ensure_built(input_shape)

    def call(self, x):
        return self.a(x) + self.b(x)


def test_files_keep_the_policies_of_a_layers_own_layers(tmp_path):
    with mixed_precision.policy_scope(MIXED):
        model = Sequential([Input((5,)), Pair(3)])
    model.save(tmp_path / "m.pylearn")
    pair = load_model(tmp_path / "m.pylearn", custom_objects={"Pair": Pair}).layers[0]
    assert [layer.dtype_policy.name for layer in (pair, pair.a, pair.b)] == [MIXED, MIXED, "float32"]


def test_the_configuration_holds_the_policy_that_is_in_force():
    layer = Dense(2, dtype=MIXED)
    assert layer.get_config()["dtype"] == MIXED
    layer.dtype_policy = "float32"
    assert "dtype" not in layer.get_config()
    by_arguments = layers.UpSampling2D(dtype=mixed_precision.DTypePolicy(MIXED))
    assert by_arguments.get_config()["dtype"] == MIXED


def test_summaries_are_alike():
    texts = []
    for policy in ("float32", MIXED):
        layers.naming.reset()
        texts.append(str(classifier(policy).summary(print_fn=lambda *_: None)))
    assert texts[0] == texts[1]


def test_keras_files_keep_it(tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("h5py")
    dense = keras.layers.Dense(2, dtype=MIXED)
    keras.Sequential([keras.Input((3,)), dense, keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    model = load_model(tmp_path / "m.keras")
    assert [layer.dtype_policy.name for layer in model.layers] == [MIXED, "float32"]
    mine, x = model.layers[0], normal(4, 3)
    for name in ("dtype", "variable_dtype", "compute_dtype"):
        assert getattr(mine, name) == getattr(dense, name)
    np.testing.assert_allclose(mine(x).numpy(), product(x, mine.kernel.numpy()), rtol=1e-5, atol=1e-6)
