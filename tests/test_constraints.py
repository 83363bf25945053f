"""Constraints: their formulas, and that they hold after every update, recorded or not."""

import numpy as np
import pytest

import pylearn
from pylearn import constraints, layers, ops
from pylearn.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from pylearn.utils import set_random_seed


def norms(w, axis=0):
    return np.sqrt((w**2).sum(axis))


def test_formulas():
    w = np.random.default_rng(0).standard_normal((5, 7)) * 2
    np.testing.assert_allclose(norms(MaxNorm(1.5)(w)), np.minimum(norms(w), 1.5), rtol=1e-6)
    np.testing.assert_allclose(norms(UnitNorm()(w)), 1, rtol=1e-6)
    np.testing.assert_allclose(norms(UnitNorm(axis=1)(w), 1), 1, rtol=1e-6)
    np.testing.assert_allclose(norms(MinMaxNorm(2, 3)(w)), np.clip(norms(w), 2, 3), rtol=1e-6)
    half = MinMaxNorm(2, 3, rate=0.5)(w)
    np.testing.assert_allclose(norms(half), (np.clip(norms(w), 2, 3) + norms(w)) / 2, rtol=1e-6)
    np.testing.assert_array_equal(NonNeg()(w), np.maximum(w, 0))
    image = np.random.default_rng(1).standard_normal((3, 3, 2, 4))
    np.testing.assert_allclose(norms(MaxNorm(0.5, [0, 1, 2])(image), (0, 1, 2)), 0.5, rtol=1e-5)
    assert not MaxNorm(2)(np.zeros((3, 2))).any()


@pytest.mark.parametrize("cls", constraints.ALL)
def test_equal_keras(cls, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    w = np.random.default_rng(0).standard_normal((5, 7)).astype("float32")
    theirs = getattr(keras.constraints, cls.__name__)()(keras.ops.convert_to_tensor(w))
    np.testing.assert_allclose(cls()(w), keras.ops.convert_to_numpy(theirs), atol=1e-6)
    assert cls().get_config() == getattr(keras.constraints, cls.__name__)().get_config()


def test_by_name_and_from_configurations():
    for name, cls in (
        ("max_norm", MaxNorm),
        ("NonNeg", NonNeg),
        ("unit_norm", UnitNorm),
        ("min_max_norm", MinMaxNorm),
    ):
        assert type(constraints.get(name)) is cls
    for made in (MaxNorm(3, axis=[0, 1]), MinMaxNorm(0.5, 2.0, 0.3, 1)):
        again = constraints.get(pylearn.registry.serialize(made))
        assert type(again) is type(made) and again.get_config() == made.get_config()
    assert (
        constraints.get(None) is None
        and constraints.get(abs) is abs
        and type(constraints.get(NonNeg)) is NonNeg
    )
    for bad in (lambda: MaxNorm(-1), lambda: MinMaxNorm(2, 1), lambda: MinMaxNorm(rate=2), lambda: NonNeg(axis=1),
                lambda: constraints.get("max_nrm"), lambda: constraints.get(3)):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            bad()


def network():
    return pylearn.Sequential([
        layers.Input((6, 6, 1)),
        layers.Conv2D(3, 3, kernel_constraint=MaxNorm(0.5, axis=[0, 1, 2]), bias_constraint="non_neg"),
        layers.BatchNormalization(gamma_constraint="non_neg"),
        layers.Reshape((4, 12)),
        layers.LSTM(4, recurrent_constraint=MaxNorm(0.3), kernel_constraint=UnitNorm(axis=1)),
        layers.Dense(3, kernel_constraint="unit_norm"),
        layers.PReLU(alpha_constraint="non_neg"),
    ])  # fmt: skip


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 6, 6, 1)).astype("float32"), rng.standard_normal((20, 3)).astype(
        "float32"
    )


def test_they_hold_after_fit_and_recorded_steps_have_the_bits_of_eager_ones(tmp_path):
    weights = []
    for eagerly in (False, True):
        set_random_seed(0)
        model = network()
        model.compile(pylearn.optimizers.SGD(0.1), "mse")
        model.run_eagerly = eagerly
        model.fit(*data(), epochs=4, batch_size=8, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert a.tobytes() == b.tobytes()
    conv, norm, _, lstm, dense, prelu = model.layers
    assert norms(conv.kernel.numpy(), (0, 1, 2)).max() <= 0.5 + 1e-6
    assert conv.bias.numpy().min() >= 0 and norm.gamma.numpy().min() >= 0 and prelu.alpha.numpy().min() >= 0
    assert norms(lstm.recurrent_kernel.numpy()).max() <= 0.3 + 1e-6
    np.testing.assert_allclose(norms(lstm.kernel.numpy(), 1), 1, atol=1e-5)
    np.testing.assert_allclose(norms(dense.kernel.numpy()), 1, atol=1e-5)
    model.save(tmp_path / "m.pylearn")
    again = pylearn.models.load_model(tmp_path / "m.pylearn")
    again.fit(*data(), epochs=1, verbose=0)
    assert norms(again.layers[0].kernel.numpy(), (0, 1, 2)).max() <= 0.5 + 1e-6


def test_frozen_weights_are_left_alone_and_own_loops_may_constrain():
    layer = layers.Dense(2, kernel_constraint="unit_norm", trainable=False)
    layer(np.ones((1, 3)))
    assert layer.constrained_weights() == []
    layer.trainable = True
    ((weight, limit),) = layer.constrained_weights()
    assert weight is layer.kernel and isinstance(limit, UnitNorm)
    optimizer = pylearn.optimizers.SGD(0.1)
    optimizer.constraints = layer.constrained_weights()
    optimizer.apply([np.ones((3, 2), "float32"), np.ones(2, "float32")], layer.trainable_weights)
    np.testing.assert_allclose(norms(layer.kernel.numpy()), 1, atol=1e-5)


def test_a_function_is_a_constraint():
    def positive(w):
        return ops.abs(w)

    model = pylearn.Sequential([layers.Dense(2, kernel_constraint=positive, input_shape=(3,))])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.full((4, 2), -9.0), epochs=3, verbose=0)
    assert model.layers[0].kernel.numpy().min() >= 0


def test_they_hold_in_a_train_step_of_ones_own():
    class Mine(pylearn.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(2, kernel_constraint="unit_norm")

        def call(self, x):
            return self.head(x)

        def train_step(self, data):
            x, y = data
            loss, grads = pylearn.value_and_grad(
                lambda x: ops.mean(ops.square(self(x) - y)), wrt=self.trainable_weights
            )(x)
            self.optimizer.apply(grads, self.trainable_weights)
            return {"loss": loss}

    model = Mine()
    model.compile("sgd")
    model.fit(np.ones((8, 3)), np.full((8, 2), -9.0), batch_size=4, epochs=3, verbose=0)
    np.testing.assert_allclose(norms(model.head.kernel.numpy()), 1, atol=1e-5)
