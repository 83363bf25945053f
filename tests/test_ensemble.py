"""DeepEnsemble: bagged networks."""

import numpy as np
import pytest

from pylearn import random
from pylearn.datasets import digits
from pylearn.ensemble import DeepEnsemble
from pylearn.layers import Add, Dense, Input, Layer
from pylearn.models import Model, Sequential


def mlp(hidden=16):
    model = Sequential([Input((64,)), Dense(hidden, "relu"), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def flat():
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    return X.reshape(-1, 64) / 16, y, X_test.reshape(-1, 64) / 16, y_test


def nll(proba, y):
    return -np.log(np.maximum(proba[np.arange(len(y)), y], 1e-12)).mean()


@pytest.mark.parametrize("build", [mlp(100), lambda: mlp(100)])
def test_better_than_its_members(build):
    X, y, X_test, y_test = flat()
    ensemble = DeepEnsemble(build, n=5, random_state=0).fit(X, y, epochs=20, verbose=0)
    members = ensemble.predict_members(X_test)
    mean = ensemble.predict(X_test)
    np.testing.assert_allclose(mean, members.mean(axis=0))
    assert nll(mean, y_test) < np.mean([nll(p, y_test) for p in members])
    assert (mean.argmax(axis=1) == y_test).mean() >= 0.95
    assert len(ensemble.histories_) == 5 and len(ensemble.histories_[0].history["accuracy"]) == 20


def test_members_are_apart():
    X, y, *_ = flat()
    template = mlp()
    weights, state = template.get_weights(), random.default_generator().state()
    first = DeepEnsemble(template, n=2, random_state=1).fit(X, y, verbose=0)
    assert random.default_generator().state() == state
    for now, before in zip(template.get_weights(), weights):
        np.testing.assert_array_equal(now, before)
    assert not template.optimizer.built
    again = DeepEnsemble(template, n=2, random_state=1).fit(X, y, verbose=0)
    np.testing.assert_array_equal(again.predict_members(X), first.predict_members(X))
    a, b = first.predict_members(X[:9])
    assert (a != b).any()
    whole = DeepEnsemble(template, n=2, bootstrap=False).fit(X, y, sample_weight=np.ones(len(y)), verbose=0)
    assert whole.predict(X[:9]).shape == (9, 10)


class Halved(Layer):
    def call(self, x):
        return x * 0.5


def test_several_inputs_and_own_layers():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model([a, b], Dense(1)(Halved()(Add()([a, b]))))
    model.compile("sgd", "mse")
    x = [np.ones((20, 3)), np.zeros((20, 3))]
    ensemble = DeepEnsemble(model, n=2).fit(x, np.arange(20.0), verbose=0)
    assert ensemble.predict(x).shape == (20, 1)
    named = dict(zip("ab", x))
    assert DeepEnsemble(model, n=2).fit(named, np.arange(20.0), verbose=0).predict(named).shape == (20, 1)


def test_errors():
    X, y, *_ = flat()
    with pytest.raises(ValueError, match="n must be at least 1"):
        DeepEnsemble(mlp, n=0).fit(X, y)
    with pytest.raises(ValueError, match="as many rows"):
        DeepEnsemble(mlp).fit(X, y[:-1])
    with pytest.raises(ValueError, match="not fitted"):
        DeepEnsemble(mlp).predict(X)
    with pytest.raises(TypeError, match="compile the model"):
        DeepEnsemble(Sequential([Dense(1)])).fit(X, y)
    for wrong in (3, lambda: 3, lambda: Sequential([Dense(1)])):
        with pytest.raises(TypeError, match="a compiled model or a function that returns one"):
            DeepEnsemble(wrong).fit(X, y)
