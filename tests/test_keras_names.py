"""Spellings that people bring from Keras: short forms, other names, the order of arguments."""

import importlib
import inspect

import numpy as np
import pytest

import pylearn
from pylearn import activations, constraints, layers, metrics, ops, optimizers
from pylearn.layers import Dense, Input
from pylearn.models import Sequential, load_model

RNG = np.random.RandomState(1)
X, Y = RNG.rand(30, 3).astype("float32"), RNG.rand(30, 1).astype("float32")


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"]
)
def test_short_forms_of_merging_are_the_layers(name):
    a, b = RNG.rand(4, 3), RNG.rand(4, 3)
    layer = getattr(layers, name.capitalize())
    assert np.array_equal(getattr(layers, name)([a, b]).numpy(), layer()([a, b]).numpy())
    assert getattr(layers, name)([Input((3,)), Input((3,))], name="merged").node.layer.name == "merged"


def test_short_forms_take_their_axes():
    a, b = RNG.rand(4, 2, 3), RNG.rand(4, 5, 3)
    assert layers.concatenate([a, b], axis=1).shape == (4, 7, 3)
    assert layers.dot([a, b], axes=2).shape == (4, 2, 5)


def test_other_names_are_the_same_things():
    assert layers.MaxPool2D is layers.MaxPooling2D and layers.GlobalAvgPool1D is layers.GlobalAveragePooling1D
    assert constraints.max_norm is constraints.MaxNorm
    from pylearn.optimizers.schedules import ExponentialDecay

    assert ExponentialDecay is pylearn.schedules.ExponentialDecay
    model = Sequential([Dense(2, input_shape=(3,)), layers.BatchNormalization()])
    for ours, theirs in (
        ("weights", "variables"), ("trainable_weights", "trainable_variables"),
        ("non_trainable_weights", "non_trainable_variables"),
    ):  # fmt: skip
        assert all(a is b for a, b in zip(getattr(model, ours), getattr(model, theirs), strict=True))
    assert Input(batch_shape=(None, 3, 2)).shape == (None, 3, 2) and Input(batch_shape=(5, 3)).shape == (5, 3)


def test_files_are_called_filepath(tmp_path):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.save(filepath=tmp_path / "m.pylearn")
    model.save_weights(filepath=tmp_path / "w.pylearn")
    model.load_weights(filepath=tmp_path / "w.pylearn")
    assert np.array_equal(load_model(filepath=tmp_path / "m.pylearn").predict(X), model.predict(X))


def test_activations_take_their_settings():
    x = np.array([-3.0, -0.5, 0.5, 1.5, 9.0])
    want = np.minimum(np.where(x >= 1.0, x, 0.1 * (x - 1.0)), 6.0)
    np.testing.assert_allclose(activations.relu(x, negative_slope=0.1, max_value=6.0, threshold=1.0), want)
    np.testing.assert_allclose(activations.relu(x), np.maximum(x, 0))
    np.testing.assert_allclose(activations.elu(x, alpha=2.0), np.where(x > 0, x, 2 * np.expm1(x)), rtol=1e-12)


@pytest.mark.parametrize(
    "room", ["layers", "losses", "optimizers", "metrics", "callbacks", "initializers", "constraints"]
)
def test_arguments_that_both_have_come_in_one_order(room):
    keras = pytest.importorskip("keras", reason="keras is not installed")
    ours, theirs = importlib.import_module(f"pylearn.{room}"), getattr(keras, room)
    positional = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    compared = 0
    for cls in ours.ALL.values() if isinstance(ours.ALL, dict) else ours.ALL:
        other = getattr(theirs, cls.__name__, None)
        if other is None or not isinstance(cls, type):
            continue
        lists = [
            [
                p.name
                for p in list(inspect.signature(c.__init__).parameters.values())[1:]
                if p.kind in positional
            ]
            for c in (cls, other)
        ]
        both = set(lists[0]) & set(lists[1]) - {"name", "dtype"}
        assert [n for n in lists[0] if n in both] == [n for n in lists[1] if n in both], cls.__name__
        compared += 1
    assert compared > 2


class Shuffling:
    """A data set as Keras' ``PyDataset``."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[10 * i : 10 * i + 10], Y[10 * i : 10 * i + 10]

    def on_epoch_end(self):
        self.epochs += 1


def test_a_data_set_hears_of_the_end_of_an_epoch():
    model, data = Sequential([Dense(1, input_shape=(3,))]), Shuffling()
    model.compile("sgd", "mse")
    model.fit(data, epochs=4, verbose=0, max_queue_size=0)
    assert data.epochs == 4 and model.optimizer.iterations == 12


class MeanDistance(metrics.Metric):
    """Keras' example, with ``add_weight``."""

    def __init__(self, name="distance", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ops.assign_add(self.total, ops.sum(ops.cast(ops.abs(y_true - y_pred), "float64")))
        ops.assign_add(self.count, float(y_true.size))

    def result(self):
        return self.total.item() / self.count.item()


def test_a_metric_of_ones_own_may_say_add_weight():
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[MeanDistance(), "mae"])
    history = model.fit(X, Y, batch_size=7, epochs=3, verbose=0).history
    assert history["distance"] == pytest.approx(history["mae"], rel=1e-6)
    with pytest.raises(ValueError, match="begins with zeros"):
        metrics.Mean().add_weight(initializer="ones")


def test_results_of_all_metrics_in_a_step_of_ones_own():
    class Own(pylearn.Model):
        def train_step(self, data):
            x, y = data

            def loss_of():
                y_pred = self(x, training=True)
                return self.compute_loss(y=y, y_pred=y_pred), y_pred

            (loss, y_pred), grads = pylearn.value_and_grad(
                loss_of, wrt=self.trainable_variables, has_aux=True
            )()
            self.optimizer.apply(grads, self.trainable_variables)
            self.compute_metrics(x, y, y_pred)
            return {**self.get_metrics_result(), "loss": loss}

    x = Input((3,))
    model = Own(x, Dense(1)(x))
    model.compile(optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=2, verbose=0).history
    assert set(history) == {"loss", "mae"} and history["mae"][1] > 0
    model.reset_metrics()
    assert model.get_metrics_result()["mae"] == 0.0


def two_outputs(**settings):
    x = Input((3,))
    model = pylearn.Model(x, [Dense(1, name="price")(x), Dense(3, activation="softmax", name="kind")(x)])
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], **settings)
    return model.fit(X, [Y, np.arange(30) % 3], verbose=0).history


def test_a_list_of_metrics_has_one_for_each_output():
    assert set(two_outputs(metrics=["mae", "accuracy"])) == {
        "loss", "price_loss", "kind_loss", "price_mae", "kind_accuracy",
    }  # fmt: skip
    both = two_outputs(metrics=["mae", ["accuracy", "sparse_categorical_crossentropy"]])
    assert {"price_mae", "kind_accuracy", "kind_sparse_categorical_crossentropy"} < set(both)


def test_a_metric_with_and_without_weights():
    model = Sequential([Dense(3, "softmax", input_shape=(3,))])
    model.compile(
        "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"]
    )
    ids = np.arange(30) % 3
    weights = np.where(model.predict(X).argmax(1) == ids, 1.0, 0.0)
    results = model.evaluate(X, ids, sample_weight=weights, return_dict=True, verbose=0)
    assert results["accuracy"] == pytest.approx(weights.mean()) and results["weighted_accuracy"] == 1.0


def test_every_batch_of_a_generator_is_checked():
    model = Sequential([Dense(3, "softmax", input_shape=(3,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="label 5 in row 0, but the model has 3 classes"):
        model.fit(((X, np.full(30, label)) for label in (0, 1, 2, 5)), verbose=0)
