"""Recurrent layers: dropout, states, other activations, both directions."""

import numpy as np
import pytest

import pylearn
from pylearn import layers, ops
from pylearn.layers import GRU, LSTM, Bidirectional, Dense, Input, SimpleRNN
from pylearn.utils import set_random_seed

KINDS = [lambda **k: SimpleRNN(4, **k), lambda **k: LSTM(4, **k), lambda **k: GRU(4, **k),
         lambda **k: GRU(4, reset_after=False, **k)]  # fmt: skip


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def my_tanh(x):
    return ops.tanh(x)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_steps_composed_of_ops_equal_the_op(make, backwards, masked):
    x = normal(3, 5, 2)
    mask = pylearn.asarray(np.arange(5) < np.array([[5], [2], [0]])) if masked else None
    settings = {"return_sequences": True, "return_state": True, "go_backwards": backwards, "dtype": "float64"}
    fused, composed = make(**settings), make(activation=my_tanh, **settings)
    for layer in (fused, composed):
        layer(x)
    weights = [w + 0.1 * normal(*w.shape, seed=5) for w in fused.get_weights()]
    for layer in (fused, composed):
        layer.set_weights(weights)
    for a, b in zip(fused(x, mask=mask), composed(x, mask=mask), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)


def test_dropped_inputs_are_the_same_at_every_step():
    layer = SimpleRNN(6, "linear", use_bias=False, dropout=0.5, return_sequences=True, kernel_initializer="identity",
                      recurrent_initializer="zeros")  # fmt: skip
    x = np.ones((50, 7, 6), "float32")
    np.testing.assert_array_equal(layer(x).numpy(), x)
    set_random_seed(0)
    y = layer(x, training=True).numpy()
    assert set(np.unique(y)) == {0, 2}
    assert (y == y[:, :1]).all() and (y[0] != y[1]).any()
    assert abs((y[:, 0] == 0).mean() - 0.5) < 3 * 0.5 / np.sqrt(300)


def test_dropped_states_are_the_same_at_every_step():
    layer = SimpleRNN(6, "linear", use_bias=False, recurrent_dropout=0.25, return_sequences=True,
                      kernel_initializer="zeros", recurrent_initializer="identity")  # fmt: skip
    x, h = np.zeros((50, 3, 6), "float32"), np.ones((50, 6), "float32")
    np.testing.assert_array_equal(layer(x, initial_state=[h]).numpy(), 1)
    y = layer(x, initial_state=[h], training=True).numpy()
    for t in range(3):
        np.testing.assert_allclose(y[:, t], np.where(y[:, 0] > 0, (4 / 3) ** (t + 1), 0), rtol=1e-5)
    assert 0 < (y == 0).mean() < 1


@pytest.mark.parametrize("make", KINDS)
def test_dropout_keeps_the_mean_and_learns(make):
    set_random_seed(1)
    model = pylearn.Sequential([make(dropout=0.2, recurrent_dropout=0.2, input_shape=(6, 2)), Dense(1)])
    model.compile(pylearn.optimizers.Adam(0.02), "mse")
    x = normal(64, 6, 2)
    y = x[:, -1].sum(-1)
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=30, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.5 * first


@pytest.mark.parametrize("make", KINDS)
def test_a_stateful_layer_goes_on(make):
    x = normal(4, 6, 3)
    whole = make(return_sequences=True)
    layer = make(return_sequences=True, stateful=True)
    for each in (whole, layer):
        each(x[:, :1])
    layer.set_weights(whole.get_weights())
    want = whole(x).numpy()
    layer.reset_states()
    for _ in range(2):
        got = np.concatenate([layer(x[:, :2]).numpy(), layer(x[:, 2:]).numpy()], axis=1)
        np.testing.assert_allclose(got, want, atol=1e-6)
        layer.reset_states()
    layer(x)
    with pytest.raises(ValueError, match=r"had 4 rows, this one 2.*reset_states\(\)"):
        layer(x[:2])
    layer.reset_states()
    np.testing.assert_allclose(layer(x[:2]).numpy(), want[:2], atol=1e-6)
    states = [np.ones((2, 4))] * layer.states
    layer.reset_states(states)
    np.testing.assert_allclose(layer(x[:2]).numpy(), whole(x[:2], initial_state=states).numpy(), atol=1e-6)
    with pytest.raises(ValueError, match="states of shape"):
        layer.reset_states([np.ones((2, 5))] * layer.states)


def test_stateful_training_is_the_same_recorded_or_not():
    found = []
    for eagerly in (False, True):
        set_random_seed(3)
        model = pylearn.Sequential(
            [Input((5, 2), batch_size=4), LSTM(3, stateful=True, unroll=True), Dense(1)]
        )
        model.compile("adam", "mse")
        model.run_eagerly = eagerly
        for _ in range(3):
            model.fit(normal(12, 5, 2), normal(12, 1, seed=1), batch_size=4, shuffle=False, verbose=0)
            before = model.layers[0]._states[4][0].numpy().copy()
            model.reset_states()
        assert before.any() and not model.layers[0]._states[4][0].numpy().any()
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("cls", [LSTM, GRU])
def test_an_encoder_hands_its_states_to_a_decoder(cls, tmp_path):
    set_random_seed(0)
    source, target = Input((5, 3), name="source"), Input((4, 2), name="target")
    _, *states = cls(6, return_state=True, name="encoder")(source)
    y = cls(6, return_sequences=True, name="decoder")(target, initial_state=states)
    model = pylearn.Model([source, target], Dense(1)(y))
    model.compile("adam", "mse")
    x = [normal(16, 5, 3), normal(16, 4, 2, seed=1)]
    losses = model.fit(x, normal(16, 4, 1, seed=2), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    _, *given = model.get_layer("encoder")(x[0])
    want = model.get_layer("decoder")(x[1], initial_state=given).numpy()
    np.testing.assert_allclose(model.predict(x), model.layers[-1](want).numpy(), atol=1e-6)
    model.save(tmp_path / "m.pylearn")
    np.testing.assert_array_equal(
        pylearn.models.load_model(tmp_path / "m.pylearn").predict(x), model.predict(x)
    )


def test_both_directions_with_states_are_two_layers():
    x, states = normal(2, 5, 3), [normal(2, 4, seed=i) for i in range(4)]
    layer = Bidirectional(LSTM(4, return_sequences=True, return_state=True))
    y, *last = layer(x, initial_state=states)
    a, *first = layer.forward_layer(x, initial_state=states[:2])
    b, *second = layer.backward_layer(x, initial_state=states[2:])
    np.testing.assert_allclose(y.numpy(), np.concatenate([a.numpy(), b.numpy()[:, ::-1]], -1), atol=1e-6)
    for got, want in zip(last, [*first, *second], strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-6)


def test_an_encoder_in_both_directions_in_a_model():
    x = Input((5, 3))
    y, h, c, h2, c2 = Bidirectional(LSTM(4, return_state=True))(x)
    states = [layers.Concatenate()([h, h2]), layers.Concatenate()([c, c2])]
    model = pylearn.Model(x, LSTM(8, return_sequences=True)(layers.RepeatVector(3)(y), initial_state=states))
    assert model.predict(normal(2, 5, 3)).shape == (2, 3, 8)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LSTM(3)([normal(2, 4, 3), normal(2, 3)]), "expected 2 initial states, got 1"),
        (
            lambda: LSTM(3)(normal(2, 4, 3), initial_state=[normal(2, 3), normal(2, 4)]),
            "initial state must have shape",
        ),
        (lambda: GRU(3, recurrent_dropout=1.0), "recurrent_dropout"),
        (
            lambda: Bidirectional(GRU(3))(normal(2, 4, 3), initial_state=[normal(2, 3)]),
            "expected 2 initial states",
        ),
        (
            lambda: Bidirectional(GRU(3), backward_layer=GRU(3, go_backwards=True, return_state=True)),
            "return_state",
        ),
        (lambda: LSTM(3).reset_states([1]), "stateful=True"),
    ],
)
def test_wrong_calls_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
