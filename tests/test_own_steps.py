"""train_step and test_step written by a subclass: captured and eager alike, two optimizers, what cannot be recorded."""

import warnings

import numpy as np
import pytest

import pylearn
from pylearn import losses, metrics, ops, optimizers
from pylearn.layers import Dense, Embedding, Input
from pylearn.models import Model, Sequential
from pylearn.utils import set_random_seed, unpack_x_y_sample_weight

RNG = np.random.RandomState(0)
X = RNG.rand(70, 4).astype("float32")
Y = (X @ [1, -2, 3, 0.5] + 0.1).astype("float32")[:, None]


class Own(Model):
    """Keras' example of a step of one's own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.head = Dense(6, "tanh"), Dense(1)

    def call(self, x, training=False):
        return self.head(self.hidden(x))

    def train_step(self, data):
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def loss_of():
            y_pred = self(x, training=True)
            return self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight), y_pred

        wrt = self.trainable_weights
        (loss, y_pred), grads = pylearn.value_and_grad(loss_of, wrt=wrt, has_aux=True)()
        self.optimizer.apply(grads, wrt)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, float(x.shape[0]))
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class Plain(Own):
    train_step = Model.train_step


class Super(Own):
    """The inherited step, called by name."""

    def train_step(self, data):
        return super(Own, self).train_step(data)


def fitted(cls, optimizer="adam", x=X, y=Y, **kwargs):
    set_random_seed(0)
    compiling = {k: kwargs.pop(k) for k in ("run_eagerly",) if k in kwargs}
    model = cls()
    model.compile(optimizer, "mse", metrics=["mae"], **compiling)
    history = model.fit(x, y, batch_size=16, epochs=5, verbose=0, **kwargs)
    return model, history.history


def same(a, b):
    return all(np.array_equal(u, v) for u, v in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cls", [Own, Super])
@pytest.mark.parametrize("weights", [None, RNG.rand(70).astype("float32")])
def test_an_own_step_trains_as_the_built_in_one_captured_or_not(cls, weights):
    plain, want = fitted(Plain, sample_weight=weights)
    captured, got = fitted(cls, sample_weight=weights)
    eager, also = fitted(cls, sample_weight=weights, run_eagerly=True)
    assert same(captured, eager) and got == also
    assert any(step.plan is not None for _, step in captured._steps)
    for a, b in zip(plain.get_weights(), captured.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert set(got) == {"loss", "mae"}
    for name in want:
        np.testing.assert_allclose(want[name], got[name], rtol=1e-5)
    assert captured.optimizer.iterations == 25
    assert captured.evaluate(X, Y, verbose=0) == pytest.approx(plain.evaluate(X, Y, verbose=0), rel=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_schedule_is_followed_inside_an_own_step():
    rate = pylearn.schedules.ExponentialDecay(0.1, 1, 0.8)
    captured, _ = fitted(Own, optimizers.SGD(rate))
    eager, _ = fitted(Own, optimizers.SGD(rate), run_eagerly=True)
    plain, _ = fitted(Plain, optimizers.SGD(rate))
    assert same(captured, eager)
    for a, b in zip(plain.get_weights(), captured.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


class GAN(Model):
    def __init__(self):
        super().__init__()
        self.generator = Sequential([Dense(16, "relu", input_shape=(2,)), Dense(1)])
        self.discriminator = Sequential([Dense(16, "relu", input_shape=(1,)), Dense(1)])
        self.d_metric = metrics.Mean("d_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn, **kwargs):
        super().compile(**kwargs)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real):
        n = real.shape[0]
        ones, zeros = np.ones((n, 1)), np.zeros((n, 1))
        fake = self.generator(pylearn.random.normal((n, 2)))

        def d_loss():
            on_real = self.loss_fn(ones, self.discriminator(real, training=True))
            return on_real + self.loss_fn(zeros, self.discriminator(fake, training=True))

        d, grads = pylearn.value_and_grad(d_loss, wrt=self.discriminator.trainable_weights)()
        self.d_optimizer.apply(grads, self.discriminator.trainable_weights)
        noise = pylearn.random.normal((n, 2))

        def g_loss():
            return self.loss_fn(ones, self.discriminator(self.generator(noise, training=True)))

        g, grads = pylearn.value_and_grad(g_loss, wrt=self.generator.trainable_weights)()
        self.g_optimizer.apply(grads, self.generator.trainable_weights)
        self.d_metric.update_state(d)
        return {"d_loss": self.d_metric.result(), "g_loss": g}


def gan(**kwargs):
    set_random_seed(3)
    model = GAN()
    model.compile(
        optimizers.Adam(5e-3), optimizers.Adam(5e-3), losses.BinaryCrossentropy(from_logits=True), **kwargs
    )
    return model


@pytest.mark.filterwarnings("error")
def test_a_gan_with_two_optimizers():
    data = np.random.RandomState(0).randn(512, 1) * 0.5 + 2
    results = []
    for eager in (False, True):
        model = gan(run_eagerly=eager)
        history = model.fit(data, batch_size=64, epochs=4, verbose=0).history
        results.append((model.get_weights(), history))
        assert any(step.plan is not None for _, step in model._steps) != eager
    assert all(np.array_equal(a, b) for a, b in zip(results[0][0], results[1][0]))
    assert results[0][1] == results[1][1] and set(results[0][1]) == {"d_loss", "g_loss"}
    model = gan()
    model.fit(data, batch_size=64, epochs=60, verbose=0)
    made = model.generator.predict(np.random.RandomState(1).randn(2000, 2))
    assert abs(made.mean() - 2) < 0.5  # began at about 0
    assert model.d_optimizer.iterations == model.g_optimizer.iterations == 480


def test_what_cannot_be_recorded_runs_eagerly_with_one_warning():
    class Reads(Own):
        def train_step(self, data):
            logs = super().train_step(data)
            self.seen = float(self.hidden.kernel.numpy().sum())
            return logs

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reads, got = fitted(Reads)
    assert (
        len(caught) == 1 and "runs eagerly" in str(caught[0].message) and "numpy()" in str(caught[0].message)
    )
    want, history = fitted(Own)
    assert same(reads, want) and got == history


def test_a_python_number_that_changes_is_found_and_the_step_runs_eagerly():
    class Drawn(Own):
        def train_step(self, data):
            x, y = data
            noise = np.random.default_rng(self.count).normal(size=x.shape).astype("float32")
            self.count += 1
            return super().train_step((x + 0.1 * noise, y))

    def run(**kwargs):
        Drawn.count = 0
        return fitted(Drawn, **kwargs)[0]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    assert len(caught) == 1 and "Drawn.train_step runs eagerly from now on" in str(caught[0].message)


@pytest.mark.parametrize(
    "returned, message",
    [
        (lambda loss: [loss], "Wrong.train_step must return a dict"),
        (lambda loss: {"loss": ops.stack([loss, loss])}, r"returned 'loss' of shape \(2,\)"),
        (lambda loss: {"loss": "low"}, "returned 'loss' as str"),
    ],
)
def test_a_wrong_result_is_named(returned, message):
    class Wrong(Own):
        def train_step(self, data):
            return returned(ops.mean(data[0]))

    with pytest.raises((TypeError, ValueError), match=message):
        fitted(Wrong)


@pytest.mark.filterwarnings("error")
def test_own_test_step_and_batches():
    class Tested(Own):
        def test_step(self, data):
            x, y = data
            return {"worst": ops.max(ops.abs(self(x) - y))}

    model, history = fitted(Tested, validation_data=(X, Y))
    assert set(history) == {"loss", "mae", "val_worst"}
    want = np.abs(model.predict(X) - Y).max()
    assert model.evaluate(X, Y, batch_size=70, verbose=0) == pytest.approx(want, rel=1e-6)
    assert set(model.test_on_batch(X, Y, return_dict=True)) == {"worst"}
    assert set(model.train_on_batch(X, Y, return_dict=True)) == {"loss", "mae"}
    generated = ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 70, 10))
    assert set(model.fit(generated, verbose=0).history) == {"loss", "mae"}


def test_what_is_not_finite_is_named_in_an_own_step():
    x = X.copy()
    x[33, 1] = np.nan
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 3: x is not finite in row 33"):
        fitted(Own, x=x, shuffle=False)


@pytest.mark.filterwarnings("error")
def test_masks_weights_and_several_outputs_reach_compute_loss():
    ids = np.random.RandomState(0).randint(0, 5, (40, 6))

    def make(own):
        set_random_seed(1)
        x = Input((6,), dtype="int64")
        h = Embedding(5, 4, mask_zero=True)(x)
        outputs = {"a": Dense(3, "softmax", name="a")(h), "b": Dense(1, name="b")(h)}
        base = Model(x, outputs)

        class Wrapped(type(base)):
            def train_step(self, data):
                return super().train_step(data)

        if own:
            base = Wrapped(x, outputs)
        base.compile("sgd", {"a": "sparse_categorical_crossentropy", "b": "mse"}, {"a": 1.0, "b": 0.5},
                     metrics={"a": ["accuracy"], "b": ["mae"]})  # fmt: skip
        y = {"a": ids % 3, "b": ids[..., None] * 0.1}
        history = base.fit(
            ids, y, epochs=3, batch_size=16, verbose=0, sample_weight=np.linspace(0, 1, 40)
        ).history
        return base.get_weights(), history

    (built_in, want), (own, got) = make(False), make(True)
    for a, b in zip(built_in, own):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for name in got:
        np.testing.assert_allclose(want[name], got[name], rtol=1e-5)


def test_whole_numbers_stay_whole_without_a_loss():
    seen = []

    class Looks(Model):
        def train_step(self, data):
            x, y = data
            seen.append((x.dtype.name, y.dtype.name))
            return {"n": ops.mean(x)}

    model = Looks()
    model.compile()
    model.fit(X, np.arange(70), verbose=0)
    assert seen[0] == ("float32", "int64")


class OwnFunctional(Model):
    """Keras' first example: no ``__init__`` and no ``call``, made from inputs and outputs."""

    train_step = Own.train_step


class OwnGraph(Model):
    """Inputs and outputs are made in the constructor."""

    def __init__(self, hidden=5, **settings):
        x = Input((4,))
        super().__init__(inputs=x, outputs=Dense(1)(Dense(hidden, "tanh")(x)), **settings)

    train_step = Own.train_step


def functional():
    x = Input((4,))
    return OwnFunctional(x, Dense(1)(Dense(6, "tanh")(x)), name="mine")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [functional, lambda: OwnGraph(3, name="mine")])
def test_a_subclass_is_made_from_inputs_and_outputs(make, tmp_path):
    captured, got = fitted(make)
    eager, also = fitted(make, run_eagerly=True)
    assert got == also and got["loss"][-1] < got["loss"][0] and same(captured, eager)
    assert any(step.plan is not None for _, step in captured._steps)
    assert isinstance(captured, Model) and captured.output_shape == (None, 1)
    captured.save(tmp_path / "m.pylearn")
    again = pylearn.models.load_model(tmp_path / "m.pylearn", custom_objects=[OwnFunctional, OwnGraph])
    assert type(again) is type(captured) and again.name == "mine"
    assert np.array_equal(again.predict(X), captured.predict(X))
    again.fit(X, Y, verbose=0)  # by the step of its own
    assert again.optimizer.iterations == captured.optimizer.iterations + 3


def test_inputs_and_outputs_beside_a_call():
    x = Input((4,))
    with pytest.raises(TypeError, match="Own is given inputs and outputs, and has a call of its own"):
        type("Own", (Model,), {"call": lambda self, x: x})(x, Dense(1)(x))
