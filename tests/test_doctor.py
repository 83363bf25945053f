"""overfit_check, diagnose, lr_find: what they say of models that are ill in a known way; that they change nothing."""

import math
import time

import numpy as np
import pytest

import pylearn
from pylearn import layers, ops
from pylearn.datasets import digits
from pylearn.layers import BatchNormalization, Dense, Dropout, Flatten, Input, Layer
from pylearn.models import Model, Sequential
from pylearn.optimizers import SGD, Adam
from pylearn.training.rate_range import RateRange, smooth, suggest
from pylearn.utils import set_random_seed, to_categorical

(DIGITS, LABELS), _ = digits.load_data()
DIGITS = DIGITS / 255.0
RNG = np.random.RandomState(0)
X = RNG.randn(300, 5)
Y = X @ [1.0, -2.0, 0.5, 0.0, 1.0] + 0.1 * RNG.randn(300)


def network(optimizer="adam", head="softmax", loss="sparse_categorical_crossentropy", hidden=None, **kwargs):
    set_random_seed(0)
    hidden = [Dense(100, activation="relu", name="hidden", **kwargs)] if hidden is None else hidden
    model = Sequential([Input((28, 28)), Flatten(), *hidden, Dense(10, activation=head, name="head")])
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def regressor(*layers, optimizer="adam", loss="mse"):
    set_random_seed(0)
    model = Sequential([Input((5,)), *(layers or (Dense(32, activation="relu"), Dense(1)))])
    model.compile(optimizer, loss, metrics=["mae"])
    return model


# -- overfit_check -----------------------------------------------------------------------------------------------------


def test_a_sound_model_learns_32_digits_by_heart_in_less_than_a_second():
    model = network()
    model.overfit_check(DIGITS[:100], LABELS[:100])  # what is loaded once
    began = time.perf_counter()
    check = model.overfit_check(DIGITS, LABELS)
    assert time.perf_counter() - began < 1.0
    assert (
        check.verdict == "overfits" and check.ok and bool(check) and check.score == 1.0 and check.rows == 32
    )
    assert check.losses[-1] < check.losses[0] and check.steps == len(check.losses) and check.seconds < 1.0
    assert "by heart" in check.sentence and "overfits" in repr(check)


@pytest.mark.parametrize("y", ["ids", "one-hot"])
def test_targets_in_another_order_than_the_inputs_are_found(y):
    shuffled = np.random.RandomState(1).permutation(LABELS)
    if y == "one-hot":
        shuffled = to_categorical(shuffled)
        check = network(loss="categorical_crossentropy").overfit_check(DIGITS, shuffled)
    else:
        check = network().overfit_check(DIGITS, shuffled)
    assert check.verdict == "unrelated targets" and "shuffled apart" in check.sentence and not check.ok


class Shuffle(Layer):
    def call(self, x):
        return ops.flip(x, 0)


def test_a_layer_that_shuffles_its_rows_is_named():
    check = network(hidden=[Dense(30, activation="relu"), Shuffle(name="shuffle")]).overfit_check(
        DIGITS, LABELS
    )
    assert check.verdict == "mixed rows" and "'shuffle'" in check.sentence


def test_dead_relus_are_named():
    check = network(bias_initializer=-100.0).overfit_check(DIGITS, LABELS)
    assert check.verdict == "dead units" and "'hidden'" in check.sentence and "leaky_relu" in check.sentence


@pytest.mark.parametrize("optimizer", [lambda: SGD(1e3), lambda: Adam(1e3)])
def test_a_learning_rate_that_is_too_high_is_named_with_one_that_works(optimizer):
    check = network(optimizer()).overfit_check(DIGITS, LABELS)
    assert check.verdict == "learning rate" and "1000 is too high" in check.sentence
    rate = float(check.sentence.rpartition(" ")[2])
    again = network(type(optimizer())(rate)).overfit_check(DIGITS, LABELS)
    assert again.losses[min(50, again.steps - 1)] < again.losses[0]


def test_regression_slow_and_without_gradient():
    assert regressor().overfit_check(X, Y).ok
    assert (
        regressor().overfit_check(X, np.random.RandomState(3).permutation(Y)).verdict == "unrelated targets"
    )
    slow = regressor(optimizer=SGD(1e-7)).overfit_check(X, Y, steps=50)
    assert slow.verdict == "slow" and "lr_find" in slow.sentence
    model = regressor()
    model.trainable = False
    assert model.overfit_check(X, Y, steps=30).verdict == "no gradient"


def test_the_curve_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    regressor().overfit_check(X, Y).plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


# -- what they leave behind ------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["overfit_check", "diagnose", "lr_find"])
@pytest.mark.parametrize(
    "optimizer", [lambda: Adam(0.01), lambda: SGD(0.01, 0.9, gradient_accumulation_steps=2)]
)
@pytest.mark.parametrize("before", [0, 2])
def test_nothing_changes(look, optimizer, before):
    def run(between):
        set_random_seed(0)
        layers = [Dense(8, activation="relu"), BatchNormalization(), Dropout(0.3), Dense(1)]
        model = Sequential([Input((5,)), *layers])
        model.compile(optimizer(), "mse", metrics=["mae"])
        mine = model.optimizer
        if before:
            model.fit(X, Y, epochs=before, verbose=0, batch_size=60)
        if between:
            state, history = model.optimizer.state(), model.history
            weights, generator = model.get_weights(), pylearn.random.default_generator().state()
            logs = model._compiled.logs() if before else None
            getattr(model, look)(X, Y)
            assert model.optimizer is mine and model.history is history
            assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
            assert pylearn.random.default_generator().state() == generator
            after = model.optimizer.state()
            assert state.keys() == after.keys() and all(np.array_equal(state[k], after[k]) for k in state)
            assert logs is None or model._compiled.logs() == logs
        return model.fit(X, Y, epochs=3, verbose=0, batch_size=60).history, model.get_weights()

    (a, u), (b, v) = run(False), run(True)
    assert a == b and all(np.array_equal(p, q) for p, q in zip(u, v, strict=True))


# -- diagnose --------------------------------------------------------------------------------------------------


def test_a_sound_model_has_no_findings():
    found = network().diagnose(DIGITS, LABELS, validation_split=0.2)
    assert not found.findings and len(found) == 0 and "nothing found" in str(found)
    assert [name for name, _, _ in found.gradients] == ["hidden", "head"]
    assert not regressor().diagnose(X, Y, validation_data=(X[:3] + 1, Y[:3])).findings


def deep(activation, initializer="glorot_uniform", depth=20):
    return [
        Dense(20, activation=activation, kernel_initializer=initializer, name=f"d{i}") for i in range(depth)
    ]


@pytest.mark.parametrize(
    "model, x, y, kind, words",
    [
        (lambda: network(bias_initializer=-100.0), DIGITS, LABELS, "dead units", ("all 100 units", "'hidden'")),
        (lambda: network(), DIGITS * 255, LABELS, "unscaled input", ("x / 255.0",)),
        (lambda: regressor(), X * 1e-4, Y, "unscaled input", ("x.mean(0)",)),
        (lambda: regressor(), X * [1, 1, 1e4, 1, 1] / 1e4, Y, "unscaled input", ("column 2",)),
        (lambda: regressor(), X, Y * 1e4, "unscaled target", ("y.std()",)),
        (lambda: network(head="linear"), DIGITS, LABELS, "head and loss", ("softmax", "from_logits=True")),
        (lambda: network(head="sigmoid"), DIGITS, LABELS, "head and loss", ("softmax",)),
        (lambda: network(loss=pylearn.losses.SparseCategoricalCrossentropy(from_logits=True)), DIGITS, LABELS,
         "head and loss", ("twice",)),
        (lambda: network(loss="binary_crossentropy"), DIGITS, to_categorical(LABELS), "head and loss",
         ("categorical_crossentropy",)),
        (lambda: network(loss="mse"), DIGITS, to_categorical(LABELS), "head and loss", ("cross-entropy",)),
        (lambda: regressor(Dense(1, activation="relu")), X, Y, "head and loss", ("outside [0, inf]", "linear")),
        (lambda: regressor(Dense(1, activation="tanh")), X, Y, "head and loss", ("outside [-1, 1]",)),
        (lambda: regressor(Dense(1, activation="softmax"), loss="binary_crossentropy"), X, (Y > 0) * 1.0,
         "head and loss", ("always 1",)),
        (lambda: regressor(Dense(1), loss="binary_crossentropy"), X, (Y > 0) * 1.0, "head and loss", ("sigmoid",)),
        (lambda: regressor(*deep("sigmoid"), Dense(1)), X, Y, "vanishing gradient", ("'d0'", "relu")),
        (lambda: regressor(*deep("linear", pylearn.initializers.RandomNormal(stddev=1.0)), Dense(1)), X, Y,
         "exploding gradient", ("clipnorm",)),
        (lambda: regressor(Dense(4), Shuffle(name="mixes"), Dense(1)), X, Y, "mixed rows", ("'mixes'",)),
        (lambda: regressor(), np.where(np.arange(300)[:, None] == 7, np.nan, X), Y, "not finite", ("row 7",)),
        (lambda: regressor(), X, np.where(np.arange(300) == 9, np.inf, Y), "not finite", ("y", "row 9")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_with_advice(model, x, y, kind, words):
    found = model().diagnose(x, y)
    assert kind in found.kinds, str(found)
    sentence = next(f.sentence for f in found if f.kind == kind)
    assert all(word in sentence for word in words), sentence
    assert sentence in str(found) and str(found) == repr(found)


def test_rows_of_the_validation_in_the_training_are_found():
    x = np.concatenate([X, X[5:8]])
    found = regressor().diagnose(X, Y, validation_data=(x[298:], np.zeros(5)))
    assert found.kinds == ["leaking validation"]
    assert "5 of 5 rows" in found.findings[0].sentence and "row 0 is row 298" in found.findings[0].sentence
    again = regressor().diagnose(x, np.append(Y, Y[5:8]), validation_split=0.05)
    assert "3 of 16 rows" in again.findings[0].sentence


def test_a_frozen_model_and_one_of_several_inputs():
    model = regressor()
    model.trainable = False
    assert model.diagnose(X, Y).kinds == ["no gradient"]
    a, b = Input((5,), name="a"), Input((5,), name="b")
    both = Model([a, b], [Dense(1, name="p")(a), Dense(3, activation="relu", name="q")(b)])
    both.compile("sgd", {"p": "mse", "q": "sparse_categorical_crossentropy"})
    found = both.diagnose([X, X * 100], {"p": Y, "q": np.arange(300) % 3})
    assert found.kinds == ["unscaled input", "head and loss"] and "x['b']" in found.findings[0].sentence
    with pytest.raises(RuntimeError, match="compile the model"):
        Sequential([Dense(1)]).diagnose(X, Y)


# -- lr_find -----------------------------------------------------------------------------------------------------------


def test_the_suggested_rate_trains_well(tmp_path):
    found = network("sgd").lr_find(DIGITS, LABELS)
    assert 1e-4 < found.suggestion < 5.0 and f"{found.suggestion:.2g}" in repr(found)
    rates, losses = found.history["learning_rate"], found.history["loss"]
    assert len(rates) == len(losses) == len(found.history["smoothed"]) <= 300 and rates[0] == 1e-6
    assert np.allclose(np.diff(np.log(rates)), np.log(1e7) / 299)

    def after(rate):
        return network(SGD(rate)).fit(DIGITS, LABELS, epochs=2, verbose=0, on_nan="stop").history["loss"][-1]

    assert after(found.suggestion) < 0.8 * after(found.suggestion / 100)
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "lr.png")
    assert (tmp_path / "lr.png").stat().st_size > 1000


def digits_mlp():
    return Sequential([Dense(100, activation="relu", input_shape=(64,)), Dense(10, activation="softmax")])


def digits_cnn():
    return Sequential([
        layers.Reshape((8, 8, 1), input_shape=(64,)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.Flatten(), Dense(10, activation="softmax"),
    ])  # fmt: skip


@pytest.mark.parametrize("optimizer, tuned", [
    (SGD, 0.3), (lambda rate: SGD(rate, momentum=0.9), 0.05), (Adam, 0.005),
], ids=["sgd", "momentum", "adam"])  # fmt: skip
@pytest.mark.parametrize("net", [digits_mlp, pytest.param(digits_cnn, marks=pytest.mark.slow)])
def test_the_suggestion_is_as_good_as_a_tuned_rate(net, optimizer, tuned):
    """Tuned by hand: the best of nine rates from 0.0003 to 2, for each."""
    (x, y), (x_test, y_test) = digits.load_data(size=8)
    x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16

    def compiled(rate):
        set_random_seed(0)
        model = net()
        model.compile(optimizer(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    found = compiled(0.01).lr_find(x, y)
    accuracy = []
    for rate in (found.suggestion, tuned):
        model = compiled(rate)
        losses = model.fit(x, y, epochs=15, verbose=0).history["loss"]
        accuracy.append(model.evaluate(x_test, y_test, verbose=0)[1])
        assert np.diff(losses).max() < 0.05 * losses[0] and losses[-1] < 0.1 * losses[0]
    assert accuracy[0] >= accuracy[1] - 0.01


def test_few_steps_are_no_trap_for_momentum():
    """The loss falls late; the smoothed loss shows it where it falls, and the explosion after it changes nothing."""
    (x, y), _ = digits.load_data(size=8)
    x = x.reshape(-1, 64) / 16
    set_random_seed(0)
    model = digits_mlp()
    model.compile(SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    assert 0.01 < model.lr_find(x, y, steps=100).suggestion < 0.2
    losses = np.r_[np.full(60, 2.0), np.linspace(2.0, 1.0, 21), np.full(20, 1.0)]
    assert np.abs(np.argmin(np.diff(smooth(losses))) - 70) <= 1 and np.allclose(smooth(np.full(7, 3.0)), 3.0)
    rates = np.geomspace(1e-6, 10, 101).tolist()
    for spike in (3.0, 1e9):
        found = RateRange(rates, [*losses[:-1], spike], losses.tolist())
        assert found.suggestion == RateRange(rates, losses.tolist(), losses.tolist()).suggestion


def test_noise_of_the_first_steps_is_no_slope():
    """The running mean of few losses moves with each of them; that is no reason to suggest the first rates."""
    rates = np.geomspace(1e-6, 1.0, 60)
    smoothed = np.interp(np.arange(60), [0, 2, 40, 50, 59], [3.0, 2.0, 2.0, 1.5, 4.0])
    assert rates[38] <= suggest(list(rates), list(smoothed)) <= rates[52]


def test_lr_find_refuses_what_cannot_be_searched():
    model = regressor()
    with pytest.raises(ValueError, match="0 < start_lr < stop_lr"):
        model.lr_find(X, Y, start_lr=1.0, stop_lr=0.1)
    with pytest.raises(ValueError, match="at least 10 steps"):
        model.lr_find(X, Y, steps=3)
    with pytest.raises(FloatingPointError, match="not finite before the first update"):
        model.lr_find(np.full_like(X, np.nan), Y)
    assert all(np.isfinite(w).all() for w in model.get_weights()) and math.isfinite(
        model.evaluate(X, Y, verbose=0)[0]
    )


# -- freezing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [2, -1, "last"])
def test_frozen_layers_keep_their_bits(to):
    set_random_seed(0)
    names = ["first", "norm", "last"]
    model = Sequential([Dense(6, activation="relu", input_shape=(5,), name=names[0]), BatchNormalization(name=names[1]),
                        Dense(1, name=names[2])])  # fmt: skip
    model.compile(Adam(0.01, weight_decay=0.1), "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    before = {name: model.get_layer(name).get_weights() for name in names}
    model.freeze_to(to)
    assert [layer.trainable for layer in model.layers] == [False, False, True]
    model.fit(X, Y, epochs=2, verbose=0)
    for name in names:
        after = model.get_layer(name).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)) == (name != "last")
    model.freeze_to(0)
    model.fit(X, Y, epochs=1, verbose=0)
    assert not np.array_equal(before["first"][0], model.get_weights()[0])
    with pytest.raises(ValueError, match="did you mean 'last'"):
        model.freeze_to("lst")
    with pytest.raises(ValueError, match="out of range"):
        model.freeze_to(7)
