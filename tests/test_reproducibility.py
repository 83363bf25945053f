"""The same bits: captured and eager, any number of threads, one seed, and across a save."""

import warnings

import numpy as np
import pytest

import pylearn
from pylearn.layers import Activation, Dense, Dropout, Input
from pylearn.models import Sequential, load_model
from pylearn.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, Lion, Nadam, RMSprop
from pylearn.schedules import ExponentialDecay
from pylearn.utils import set_random_seed


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    X = rng.rand(330, 20).astype("float32")
    return X, rng.randint(0, 5, 330)


def mlp(run_eagerly=False, optimizer=None):
    set_random_seed(3)
    model = Sequential(
        [
            Dense(32, activation="relu", input_shape=(20,), kernel_regularizer="l2"),
            Dropout(0.3),
            Dense(16, activation="tanh", activity_regularizer="l1"),
            Dense(5),
            Activation("softmax"),
        ]
    )
    optimizer = optimizer or Adam(ExponentialDecay(0.01, 20, 0.9))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


def same(a, b):
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b))


def test_captured_equals_eager_for_200_steps(data):
    X, y = data
    results = []
    for run_eagerly in (False, True):
        model = mlp(run_eagerly)
        history = model.fit(X, y, batch_size=32, epochs=19, verbose=0, validation_split=0.1)  # 190 + 19 steps
        results.append((model.get_weights(), history.history, model.optimizer.state()))
        assert model.optimizer.iterations == 19 * 10
        recorded = [step.plan is not None for (kind, *_), step in model._steps if kind == "train"]
        assert recorded == ([False, False] if run_eagerly else [True, True])
    assert same(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert same([*results[0][2].values()], [*results[1][2].values()])


def test_capture_can_be_turned_off_by_environment(data):
    X, y = data
    a = mlp()
    a.fit(X, y, epochs=3, verbose=0)
    pylearn.replay.set_capture(False)
    try:
        b = mlp()
        b.fit(X, y, epochs=3, verbose=0)
        assert all(step.plan is None for _, step in b._steps)
    finally:
        pylearn.replay.set_capture(True)
    assert same(a.get_weights(), b.get_weights())


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads(data, threads):
    X, y = data
    before = pylearn.num_threads()
    try:
        results = []
        for n in (1, threads):
            pylearn.set_num_threads(n)
            model = mlp()
            model.fit(X, y, epochs=3, batch_size=64, verbose=0)
            results.append([*model.get_weights(), model.predict(X)])
        assert same(*results)
    finally:
        pylearn.set_num_threads(before)


def test_one_seed_one_result_and_another_seed_another(data):
    X, y = data

    def run(seed):
        set_random_seed(seed)
        model = Sequential(
            [Dense(8, activation="relu", input_shape=(20,)), Dropout(0.5), Dense(5, activation="softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(X, y, epochs=2, verbose=0)
        return model.get_weights()

    assert same(run(1), run(1))
    assert not same(run(1), run(2))


OPTIMIZERS = [
    Adam(0.01),
    Adam(0.01, amsgrad=True, global_clipnorm=0.5),
    Adam(weight_decay=0.01),
    SGD(0.05, momentum=0.9, nesterov=True),
    SGD(0.05, clipvalue=0.01, gradient_accumulation_steps=7),
    RMSprop(0.01),
    RMSprop(0.01, momentum=0.9, centered=True, clipnorm=0.1),
    Adadelta(1.0),
    Adagrad(0.05),
    Adamax(0.01),
    Nadam(0.01, gradient_accumulation_steps=3),
    Lion(0.001, weight_decay=0.1),
]


@pytest.mark.parametrize(
    "optimizer", [*OPTIMIZERS, Adam(0.01, use_ema=True, ema_overwrite_frequency=5)], ids=repr
)
def test_captured_training_gives_the_eager_bits(data, optimizer):
    X, y = data
    results = []
    for eager in (True, False):
        model = mlp(eager, optimizer=optimizer)
        history = model.fit(X, y, epochs=3, verbose=0)
        results.append(
            (model.get_weights(), history.history, model.optimizer.state(), model.optimizer.iterations)
        )
    (a, history_a, state_a, steps_a), (b, history_b, state_b, steps_b) = results
    assert same(a, b) and history_a == history_b and same([*state_a.values()], [*state_b.values()])
    assert steps_a == steps_b > 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_save_load_continue_equals_not_stopping(data, tmp_path, optimizer):
    X, y = data
    straight = mlp(optimizer=optimizer)
    straight.fit(X, y, epochs=5, verbose=0)

    stopped = mlp(optimizer=optimizer)
    stopped.fit(X, y, epochs=2, verbose=0)
    stopped.save(tmp_path / "m.pylearn")
    pylearn.random.seed(99)  # as in another process
    loaded = load_model(tmp_path / "m.pylearn")
    history = loaded.fit(X, y, epochs=5, initial_epoch=2, verbose=0)
    assert history.epoch == [2, 3, 4]
    assert same(straight.get_weights(), loaded.get_weights())
    assert same([*straight.optimizer.state().values()], [*loaded.optimizer.state().values()])
    assert loaded.optimizer.iterations == straight.optimizer.iterations


def test_loaded_model_and_original_go_on_alike(data, tmp_path):
    X, y = data
    model = mlp()
    model.fit(X, y, epochs=1, verbose=0)
    model.save(tmp_path / "m.pylearn")
    twin = load_model(tmp_path / "m.pylearn")
    model.fit(X, y, epochs=2, verbose=0)
    twin.fit(X, y, epochs=2, verbose=0)
    assert same(model.get_weights(), twin.get_weights())


def test_a_seed_after_loading_wins(data, tmp_path):
    X, y = data
    model = mlp()
    model.fit(X, y, epochs=1, verbose=0)
    model.save(tmp_path / "m.pylearn")
    results = []
    for seed in (1, 2):
        twin = load_model(tmp_path / "m.pylearn")
        set_random_seed(seed)
        twin.fit(X, y, epochs=1, verbose=0)
        results.append(twin.get_weights())
    assert not same(*results)


def test_the_rate_may_change_while_training(data):
    X, y = data

    class Halve(pylearn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.01 / (epoch + 1)

    results = []
    for run_eagerly in (False, True):
        model = mlp(run_eagerly, optimizer=SGD(0.5))
        model.fit(X, y, epochs=4, verbose=0, callbacks=[Halve()])
        assert model.optimizer.learning_rate == 0.0025
        results.append(model.get_weights())
    assert same(*results)


def test_a_python_number_that_changes_is_found(data):
    X, y = data
    factor = [1.0]

    class Scaled(pylearn.layers.Layer):
        def call(self, x):
            return x * factor[0]

        def compute_output_shape(self, shape):
            return shape

    class Change(pylearn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            factor[0] = 1.0 + epoch // 3

    results = []
    for run_eagerly in (False, True):
        set_random_seed(0)
        model = Sequential([Input((20,)), Scaled(), Dense(5, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
        if run_eagerly:
            model.fit(X, y, batch_size=330, epochs=8, verbose=0, callbacks=[Change()])
        else:
            with pytest.warns(UserWarning, match="recorded again"):
                model.fit(X, y, batch_size=330, epochs=8, verbose=0, callbacks=[Change()])
        results.append(model.get_weights())
    assert same(*results)


def test_a_step_whose_python_changes_each_time_runs_eagerly(data):
    """NumPy's random numbers, a counter: what the recording cannot see is found, said once, and not frozen."""
    X, y = data

    class Noise(pylearn.layers.Layer):
        def call(self, x, training=False):
            return x + draws.normal(size=x.shape).astype("float32") if training else x

    results = []
    for run_eagerly in (False, True):
        draws = np.random.RandomState(3)
        set_random_seed(0)
        model = Sequential([Input((20,)), Noise(), Dense(5, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y, batch_size=len(X) // 8, epochs=2, verbose=0)
        assert ["NumPy array" in str(w.message) for w in caught] == ([] if run_eagerly else [True])
        results.append(model.get_weights())
    assert same(*results)


def test_settings_of_a_layer_may_change_between_fits(data):
    X, y = data
    results = []
    for run_eagerly in (False, True):
        model = mlp(run_eagerly)
        model.fit(X, y, epochs=2, verbose=0)
        model.layers[1].rate = 0.0
        model.layers[0].trainable = False
        kept = model.layers[0].get_weights()
        model.fit(X, y, epochs=2, verbose=0)
        assert same(kept, model.layers[0].get_weights())
        results.append(model.get_weights())
    assert same(*results)


def test_user_step_equals_fit(data):
    X, y = data
    X, y = X[:320], y[:320]
    a = mlp(optimizer=Adam(0.01))
    a.fit(X, y, epochs=3, shuffle=False, verbose=0)

    b = mlp(optimizer=Adam(0.01))
    optimizer = Adam(0.01)
    loss_function = pylearn.losses.get("sparse_categorical_crossentropy")

    def loss(x, t):
        return loss_function(t, b(x, training=True)) + sum(b.losses)

    @pylearn.capture
    def step(x, t):
        value, grads = pylearn.value_and_grad(loss, wrt=b.trainable_weights)(x, t)
        optimizer.apply(grads, b.trainable_weights)
        return value

    labels = y.astype("int64")
    for _ in range(3):
        for i in range(0, 320, 32):
            step(X[i : i + 32], labels[i : i + 32])
    for u, v in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(u, v, rtol=2e-4, atol=2e-6)
