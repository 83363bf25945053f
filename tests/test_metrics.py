"""Metrics against scikit-learn, streamed over unequal batches, weighted, and inside training."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics as sk

import pylearn
from pylearn import metrics, ops
from pylearn.layers import Dense
from pylearn.models import Sequential

RNG = np.random.RandomState(0)
CUTS = [0, 7, 8, 60, 100]


def stream(metric, y, p, w=None):
    metric.reset_state()
    for a, b in itertools.pairwise(CUTS):
        metric.update_state(y[a:b], p[a:b], None if w is None else w[a:b])
    return metric.result()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name, want",
    [
        ("mse", sk.mean_squared_error),
        ("mae", sk.mean_absolute_error),
        ("rmse", sk.root_mean_squared_error),
        ("r2", sk.r2_score),
    ],
)
@pytest.mark.parametrize("shape", [(100,), (100, 3)])
def test_regression_metrics_equal_sklearn(name, want, shape, weighted):
    y = 1e3 + RNG.randn(*shape)
    p = y + 0.3 * RNG.randn(*shape)
    w = RNG.rand(100) if weighted else None
    got = stream(metrics.get(name), y, p, w)
    if name == "rmse" and len(shape) == 2:
        expected = math.sqrt(sk.mean_squared_error(y, p, sample_weight=w))
    else:
        expected = want(y, p, sample_weight=w)
    np.testing.assert_allclose(got, expected, rtol=1e-10 if name == "r2" else 1e-12)


def test_r2_special_cases():
    y = np.ones(100)
    assert stream(metrics.R2(), y, y) == 1.0 == sk.r2_score(y, y)
    assert stream(metrics.R2(), y, y + 1) == 0.0 == sk.r2_score(y, y + 1)
    assert metrics.R2().result() == 0.0
    assert math.isnan(stream(metrics.R2(), np.arange(100.0), np.full(100, np.nan)))


@pytest.mark.parametrize("weighted", [False, True])
def test_classification_metrics_equal_sklearn(weighted):
    ids = RNG.randint(0, 5, 100)
    p = RNG.rand(100, 5).astype("float32")
    w = RNG.rand(100) if weighted else None
    hot = np.eye(5)[ids]
    want = sk.accuracy_score(ids, p.argmax(1), sample_weight=w)
    np.testing.assert_allclose(stream(metrics.SparseCategoricalAccuracy(), ids, p, w), want, rtol=1e-12)
    np.testing.assert_allclose(
        stream(metrics.SparseCategoricalAccuracy(), ids[:, None], p, w), want, rtol=1e-12
    )
    np.testing.assert_allclose(stream(metrics.CategoricalAccuracy(), hot, p, w), want, rtol=1e-12)
    for k in (1, 2, 4):
        want = sk.top_k_accuracy_score(ids, p, k=k, sample_weight=w)
        np.testing.assert_allclose(stream(metrics.TopKCategoricalAccuracy(k), hot, p, w), want, rtol=1e-12)
        np.testing.assert_allclose(
            stream(metrics.SparseTopKCategoricalAccuracy(k), ids, p, w), want, rtol=1e-12
        )
    y, q = RNG.randint(0, 2, 100), RNG.rand(100)
    for column in (y, y[:, None]):
        got = stream(metrics.BinaryAccuracy(), column, q, w)
        np.testing.assert_allclose(got, sk.accuracy_score(y, q > 0.5, sample_weight=w), rtol=1e-12)
    np.testing.assert_allclose(
        stream(metrics.Precision(), y, q, w), sk.precision_score(y, q > 0.5, sample_weight=w)
    )
    np.testing.assert_allclose(
        stream(metrics.Recall(), y, q, w), sk.recall_score(y, q > 0.5, sample_weight=w)
    )


def test_functions_mean_and_sum():
    assert metrics.binary_accuracy([1, 0, 1], [0.9, 0.9, 0.2]).tolist() == [1, 0, 0]
    assert metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]).tolist() == [1, 0]
    mean = metrics.Mean()
    mean.update_state([1, 2, 3])
    mean.update_state(5.0)
    assert mean.result() == 11 / 4 and metrics.Mean().result() == 0.0
    assert mean([0.0], [4.0]) == 11 / 8
    total = metrics.Sum()
    total.update_state([1.0, 2.0])
    total.update_state([1.0, 2.0], [1.0, 0.0])
    assert total.result() == 4.0
    assert metrics.Recall()([0, 0], [0.1, 0.2]) == 0.0


def test_shapes_never_broadcast():
    for metric in (
        metrics.MeanSquaredError(),
        metrics.R2(),
        metrics.CategoricalAccuracy(),
        metrics.Precision(),
    ):
        with pytest.raises(ValueError, match=r"\(4, 2\).*\(4, 3\)"):
            metric.update_state(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="it looks one-hot"):
        metrics.SparseCategoricalAccuracy().update_state(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="sample_weight"):
        metrics.MeanSquaredError().update_state(np.ones(4), np.ones(4), np.ones(3))


@pytest.mark.parametrize("cls", metrics.ALL)
def test_every_metric_survives_its_configuration(cls):
    made = cls("mse", name="mine") if cls is metrics.LossMetric else cls(name="mine")
    again = metrics.get(metrics.serialize(made))
    assert type(again) is cls and again.get_config() == made.get_config() and again.name == "mine"


def test_names():
    assert metrics.get("mse").name == "mse" and metrics.get("top_k_categorical_accuracy").k == 5
    assert metrics.get("hinge").name == "hinge"
    for bad, hint in [("accurac", "accuracy"), ("recal", "recall"), ("mea", "mean")]:
        with pytest.raises(ValueError, match=f"unknown metric '{bad}'; did you mean '{hint}'"):
            metrics.get(bad)
    with pytest.raises(TypeError):
        metrics.get(3)


def fitted(units, activation, loss, y, wanted, **kwargs):
    model = Sequential([Dense(units, activation=activation, input_shape=(4,))])
    model.compile("sgd", loss, metrics=wanted, **kwargs)
    X = RNG.rand(len(y), 4).astype("float32")
    return model, X, model.fit(X, y, batch_size=16, epochs=2, verbose=0).history


@pytest.mark.parametrize(
    "units, activation, loss, y, want",
    [
        (3, "softmax", "sparse_categorical_crossentropy", np.arange(50) % 3, "sparse"),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[np.arange(50) % 3], "categorical"),
        (1, "sigmoid", "binary_crossentropy", np.arange(50) % 2, "binary"),
    ],
)
def test_accuracy_is_resolved_and_exact_over_unequal_batches(units, activation, loss, y, want):
    model, X, history = fitted(units, activation, loss, y, ["accuracy"])
    p = model.predict(X)
    right = (
        (p.ravel() > 0.5) == y
        if want == "binary"
        else p.argmax(1) == (y if want == "sparse" else y.argmax(1))
    )
    assert model.evaluate(X, y, verbose=0, batch_size=16)[1] == right.mean()
    assert list(history) == ["loss", "accuracy"]
    assert abs(50 * history["accuracy"][-1] - round(50 * history["accuracy"][-1])) < 1e-12


def test_accuracy_on_a_regression_warns_once():
    y = RNG.randn(50)
    with pytest.warns(UserWarning, match="accuracy is for classification.*consider 'r2'") as caught:
        model, X, history = fitted(1, None, "mse", y, ["mae", "accuracy", "r2"])
        model.fit(X, y, verbose=0)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert history["accuracy"] == [0.0, 0.0]
    p = model.predict(X)
    want = [np.abs(p[:, 0] - y).mean(), 0.0, sk.r2_score(y, p)]
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0)[1:], want, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_accuracy_with_mse_on_classes_does_not_warn():
    fitted(1, "sigmoid", "mse", np.arange(50) % 2, ["accuracy"])
    fitted(3, "softmax", "mse", np.eye(3)[np.arange(50) % 3], ["accuracy"])


def test_own_metrics_and_weighted_metrics():
    class Largest(metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.value = self.add_variable()

        def update_state(self, y_true, y_pred, sample_weight=None):
            ops.assign(self.value, ops.maximum(self.value, ops.cast(ops.max(y_pred), "float64")))

        def result(self):
            return self.value.item()

    def bias(y_true, y_pred):
        return ops.mean(y_pred - y_true, axis=-1)

    y = RNG.rand(50)
    w = RNG.rand(50)
    model, X, _ = fitted(
        1, None, "mse", y, [Largest(), bias, "mae"], weighted_metrics=[metrics.MeanAbsoluteError("wmae")]
    )
    got = model.evaluate(X, y, sample_weight=w, verbose=0, return_dict=True)
    p = model.predict(X)[:, 0]
    np.testing.assert_allclose(got["largest"], p.max(), rtol=1e-6)
    np.testing.assert_allclose(got["bias"], (p - y).mean(), rtol=1e-4)
    np.testing.assert_allclose(got["mae"], np.abs(p - y).mean(), rtol=1e-5)
    np.testing.assert_allclose(got["wmae"], (w * np.abs(p - y)).sum() / w.sum(), rtol=1e-5)
    np.testing.assert_allclose(got["loss"], (w * (p - y) ** 2).mean(), rtol=1e-5)
    assert model.metrics_names == ["loss", "largest", "bias", "mae", "wmae"]


def test_metric_with_python_state_still_works():
    class Count(metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.n = 0.0

        def reset_state(self):
            self.n = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.n += float(ops.sum(y_true).item() * 0 + y_true.shape[0])

        def result(self):
            return self.n

    with pytest.warns(UserWarning, match="runs eagerly"):
        _, _, history = fitted(1, None, "mse", RNG.rand(50), [Count()])
    assert history["count"] == [50.0, 50.0]


def test_two_metrics_of_one_name_are_refused():
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=["mae", "mae"])
    with pytest.raises(ValueError, match="two metrics are called 'mae'"):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0)


def test_capture_of_a_metric():
    metric = metrics.SparseCategoricalAccuracy()
    ids, p = RNG.randint(0, 3, 32), RNG.rand(32, 3)

    @pylearn.capture
    def step(y, q):
        metric.update_state(y, q)

    for _ in range(5):
        step(pylearn.asarray(ids), pylearn.asarray(p))
    assert metric.count.item() == 160 and metric.result() == (p.argmax(1) == ids).mean()
