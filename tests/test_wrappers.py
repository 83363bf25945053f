"""NetClassifier and NetRegressor: networks as estimators."""

import copy
import pickle

import numpy as np
import pytest

import pylearn
from pylearn import callbacks, random
from pylearn.base import clone
from pylearn.datasets import digits
from pylearn.layers import Conv2D, Dense, Flatten, Input, Layer, Reshape
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.wrappers import NetClassifier, NetRegressor


def blobs(n=90, k=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    return rng.normal(size=(n, 4)) + 3 * np.eye(4)[y], y


def net(input_shape, n_outputs, width=8, act="relu"):
    return Sequential([Input(input_shape), Dense(width, act), Dense(n_outputs, "softmax")])


def compiled(input_shape, n_outputs):
    model = Sequential([Input(input_shape), Dense(n_outputs)])
    model.compile("sgd", pylearn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def one_unit(input_shape, n_outputs):
    return Sequential([Input(input_shape), Dense(8, "relu"), Dense(1, "sigmoid")])


def one_hot(input_shape, n_outputs):
    model = net(input_shape, n_outputs)
    model.compile(SGD(0.1), "categorical_crossentropy")
    return model


class Doubled(Layer):
    def call(self, x):
        return x * 2.0


def own_layer(input_shape, n_outputs):
    return Sequential([Input(input_shape), Doubled(), Dense(n_outputs, "softmax")])


@pytest.mark.parametrize("build", [None, net, compiled, one_hot, own_layer])
def test_labels_of_any_kind(build):
    X, y = blobs()
    for labels in (y, np.array(["x", "y", "z"])[y], [("a", "b", "c")[i] for i in y]):
        model = NetClassifier(build, epochs=30, learning_rate=0.02, random_state=0).fit(X, labels)
        assert model.score(X, labels) > 0.9
        proba = model.predict_proba(X)
        assert proba.shape == (90, 3) and proba.dtype == np.float64
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        np.testing.assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
        assert len(model.history_["loss"]) == 30 and model.n_features_in_ == 4


@pytest.mark.parametrize("build", [None, one_unit])
def test_two_classes(build):
    X, y = blobs(k=2)
    model = NetClassifier(build, epochs=30, learning_rate=0.02, random_state=0).fit(X, y == 1)
    assert model.score(X, y == 1) > 0.9 and model.predict_proba(X).shape == (90, 2)
    assert model.predict(X).dtype == bool


def test_parameters_reach_build():
    model = NetClassifier(net, width=5)
    assert model.get_params()["width"] == 5 and model.get_params()["act"] == "relu"
    assert model.set_params(act="tanh", epochs=2) is model
    X, y = blobs()
    layer = clone(model).fit(X, y).model_.layers[0]
    assert layer.units == 5 and layer.activation.__name__ == "tanh"
    assert "width=5" in repr(model) and "epochs=2" in repr(model) and "dropout" not in repr(model)
    hidden = NetClassifier(hidden=(7, 6), dropout=0.5, epochs=1).fit(X, y).model_.layers
    assert [getattr(layer, "units", None) for layer in hidden] == [7, None, 6, None, 3]
    for bad in (
        lambda: NetClassifier(net, wide=3),
        lambda: NetClassifier(net).set_params(wide=3),
        lambda: NetClassifier(net, hidden=3).fit(X, y),
    ):
        with pytest.raises((TypeError, ValueError), match=r"net\(\) takes: \['width', 'act'\]"):
            bad()
    with pytest.raises(TypeError, match=r"'hiden' .*did you mean 'hidden'"):
        NetClassifier(hiden=3)
    anything = NetClassifier(lambda shape, n, **options: net(shape, n, **options), width=3)
    assert anything.get_params()["width"] == 3 and clone(anything).fit(X, y).model_.layers[0].units == 3


def test_compiled_networks_keep_their_settings():
    X, y = blobs()
    model = NetClassifier(compiled, epochs=1).fit(X, y)
    assert isinstance(model.model_.optimizer, SGD)
    optimizer = SGD(0.5)
    model = NetClassifier(net, optimizer=optimizer, learning_rate=0.25, epochs=1).fit(X, y)
    assert float(model.model_.optimizer.learning_rate) == 0.25 and float(optimizer.learning_rate) == 0.5


def test_same_seed_same_network():
    X, y = blobs()
    before = random.default_generator().state()
    first = NetClassifier(epochs=3, dropout=0.2, random_state=3).fit(X, y)
    assert random.default_generator().state() == before  # the caller's draws are not disturbed
    second = NetClassifier(epochs=3, dropout=0.2, random_state=3).fit(X, y)
    other = NetClassifier(epochs=3, dropout=0.2, random_state=4).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (first.predict_proba(X) != other.predict_proba(X)).any()
    NetClassifier(epochs=1, random_state=np.random.RandomState(0)).fit(X, y)


def test_weights():
    X, y = blobs()
    counts = np.arange(len(y)) // 3 % 3
    weighted = NetClassifier(batch_size=200, epochs=10, random_state=0, shuffle=False).fit(X, y, counts)
    repeated = NetClassifier(batch_size=200, epochs=10, random_state=0, shuffle=False)
    repeated.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5)
    rare = NetClassifier(class_weight={0: 0.0}, epochs=20, learning_rate=0.02, random_state=0).fit(X, y)
    assert 0 not in rare.predict(X)


def test_images_and_sparse_rows():
    (X, y), _ = digits.load_data(size=8)
    X, y = X[:300] / 16, y[:300]

    def cnn(input_shape, n_outputs, filters=4):
        return Sequential(
            [Input(input_shape), Reshape((*input_shape, 1)), Conv2D(filters, 3, activation="relu"), Flatten(),
             Dense(n_outputs, "softmax")]
        )  # fmt: skip

    model = NetClassifier(cnn, filters=6, epochs=3, random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (300, 10)
    assert model.predict(X[:1]).shape == (1,)
    with pytest.raises(ValueError, match=r"rows of shape \(8, 7\)"):
        model.predict(X[:, :, :7])
    flat = X.reshape(300, 64)
    rows, columns = np.nonzero(flat)
    csr = pylearn.CSR(np.searchsorted(rows, np.arange(301)), columns, flat[rows, columns], flat.shape)
    dense, sparse = (NetClassifier(epochs=3, random_state=0).fit(data, y) for data in (flat, csr))
    np.testing.assert_allclose(sparse.predict_proba(csr), dense.predict_proba(flat), rtol=1e-5)
    np.testing.assert_allclose(
        sparse.predict_proba(csr.rows(slice(0, 1))), dense.predict_proba(flat[:1]), rtol=1e-5
    )


def test_regressor():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, -1.0, 0.5]
    model = NetRegressor(epochs=60, learning_rate=0.01, random_state=0).fit(X, y)
    assert model.predict(X).shape == (200,) and model.score(X, y) > 0.95
    both = NetRegressor(epochs=60, learning_rate=0.01, random_state=0).fit(X, np.stack([y, -y], axis=1))
    assert both.predict(X).shape == (200, 2) and both.score(X, np.stack([y, -y], axis=1)) > 0.95
    assert NetRegressor(epochs=1).fit(X, y[:, None]).predict(X).shape == (200,)
    with pytest.raises(ValueError, match="the network has 1 outputs, y has 2"):
        NetRegressor(one_unit).fit(X, np.stack([y, y], axis=1))


def test_going_on():
    X, y = blobs()
    warm = NetClassifier(epochs=2, warm_start=True, random_state=0).fit(X, y)
    weights = warm.model_
    assert warm.fit(X, y).model_ is weights
    cold = NetClassifier(epochs=2, random_state=0).fit(X, y)
    assert cold.fit(X, y).model_ is not weights
    part = NetClassifier(random_state=0, learning_rate=0.02)
    part.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    for _ in range(30):
        part.partial_fit(X, y)
    assert part.score(X, y) > 0.9
    with pytest.raises(ValueError, match="label 7, which is not among classes"):
        part.partial_fit(X, np.full(len(X), 7))
    number = NetRegressor(random_state=0).partial_fit(X, y)
    first = number.model_
    assert number.partial_fit(X, y).model_ is first


@pytest.mark.parametrize("build", [None, compiled, own_layer])
def test_pickles_and_copies(build):
    X, y = blobs()
    model = NetClassifier(build, epochs=3, random_state=0).fit(X, y)
    state = random.default_generator().state()
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        other.set_params(warm_start=True, random_state=1).fit(X, y)
    assert random.default_generator().state() == state
    assert isinstance(model.__getstate__()["_model_bytes"], bytes)
    assert pickle.loads(pickle.dumps(NetClassifier(build))).get_params() == NetClassifier(build).get_params()


def test_callbacks_are_copied():
    X, y = blobs()
    stopping = callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=10.0)
    model = NetClassifier(epochs=9, callbacks=[stopping], random_state=0)
    assert len(model.fit(X, y).history_["loss"]) == len(model.fit(X, y).history_["loss"]) == 2
    assert stopping.model is None
    split = NetClassifier(epochs=2, validation_split=0.2, random_state=0).fit(X, np.sort(y))
    assert len(split.history_["val_loss"]) == 2


def test_errors():
    X, y = blobs()
    for build, error, message in (
        (3, TypeError, "build must be a function"),
        (net((4,), 3), TypeError, "build must be a function"),
        (lambda shape, n: None, TypeError, "build must return a model"),
        (one_unit, ValueError, "the network has 1 outputs, y has 3 classes"),
        (lambda shape, n: Sequential([Input(shape), Reshape((2, 2))]), ValueError, "one output"),
    ):
        with pytest.raises(error, match=message):
            NetClassifier(build, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="random_state"):
        NetClassifier(random_state="x").fit(X, y)
    with pytest.raises(ValueError, match="only one class"):
        NetClassifier().fit(X, np.zeros(len(y)))
    with pytest.raises(ValueError, match="not fitted yet"):
        NetClassifier().predict(X)


# ---- beside scikit-learn


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [NetClassifier(), NetRegressor()])
def test_check_estimator(estimator):
    checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="scikit-learn is not installed")
    checks.check_estimator(estimator)


def test_in_scikit_learns_tools():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.base import clone as their_clone
    from sklearn.base import is_classifier, is_regressor
    from sklearn.ensemble import BaggingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = blobs()
    names = np.array(["x", "y", "z"])[y]
    pipeline = make_pipeline(StandardScaler(), NetClassifier(epochs=5, random_state=0))
    grid = {"hidden": [4, 16], "learning_rate": [1e-3, 1e-2], "dropout": [0.0, 0.2]}
    search = GridSearchCV(pipeline, {f"netclassifier__{n}": v for n, v in grid.items()}, cv=3).fit(X, names)
    assert search.best_score_ > 0.8 and set(search.predict(X)) <= set(names)
    wide = GridSearchCV(NetClassifier(net, epochs=2, random_state=0), {"width": [2, 9]}, cv=2).fit(X, y)
    assert wide.best_estimator_.model_.layers[0].units == wide.best_params_["width"]
    bag = BaggingClassifier(NetClassifier(epochs=5, learning_rate=0.02), n_estimators=3, random_state=0).fit(
        X, names
    )
    assert bag.score(X, names) > 0.8
    assert cross_val_score(NetRegressor(epochs=2), X, y, cv=3).shape == (3,)
    assert is_classifier(NetClassifier()) and is_regressor(NetRegressor())
    assert their_clone(NetClassifier(net, width=3)).width == 3
    texts = make_pipeline(TfidfVectorizer(), NetClassifier(epochs=30, learning_rate=0.05, random_state=0))
    assert (
        texts.fit(
            ["a big cat", "the cat sat", "red bus", "a fast bus"] * 5, ["cat", "cat", "bus", "bus"] * 5
        ).score(["cat", "bus"], ["cat", "bus"])
        == 1
    )
