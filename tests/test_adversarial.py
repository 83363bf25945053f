"""Adversarial examples: against the formula, and the course's numbers."""

import numpy as np
import pytest

import pylearn
from pylearn import adversarial, random
from pylearn.adversarial import FGSM, PGD, fgsm, pgd
from pylearn.callbacks import LambdaCallback
from pylearn.datasets import digits
from pylearn.layers import Dense, Dropout, Embedding, Flatten, Input
from pylearn.models import Model, Sequential
from pylearn.utils import set_random_seed


def linear():
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[1.0], [-2.0], [0.0]]), np.array([0.5])])
    return model


def test_fgsm_is_the_formula():
    x, y = np.random.default_rng(0).uniform(size=(700, 3)), np.zeros(700)
    for clip in (None, (0.0, 1.0), (0.2, 0.6)):
        error = x @ [1.0, -2.0, 0.0] + 0.5
        want = x + 0.1 * np.sign(error)[:, None] * [1, -1, 0]
        want = want if clip is None else want.clip(*clip)
        for batch_size in (7, 256):
            np.testing.assert_allclose(fgsm(linear(), x, y, 0.1, clip, batch_size), want, atol=1e-6)


def test_pgd_stays_near_and_does_harm():
    x, y = np.random.default_rng(0).uniform(size=(90, 3)), np.zeros(90)
    model = linear()
    for start in (True, False):
        found = pgd(model, x, y, 0.1, steps=7, random_start=start)
        assert np.abs(found - x).max() <= 0.1 + 1e-6 and found.min() >= 0 and found.max() <= 1
        assert model.evaluate(found, y, verbose=0) > model.evaluate(x, y, verbose=0)
    one = pgd(model, x, y, 0.1, steps=1, step=0.1, random_start=False)
    np.testing.assert_allclose(one, fgsm(model, x, y, 0.1), atol=1e-6)


def test_the_course_numbers():
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    X, X_test = X.reshape(-1, 64) / 16, X_test.reshape(-1, 64) / 16

    def accuracies(model):
        attacked = [X_test, fgsm(model, X_test, y_test, 0.1), fgsm(model, X_test, y_test, 0.2)]
        return [model.evaluate(x, y_test, verbose=0)[1] for x in attacked]

    set_random_seed(0)
    nets = []
    for _ in range(2):
        model = Sequential([Input((64,)), Dense(100, "relu"), Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        nets.append(model)
    nets[0].fit(X, y, epochs=30, verbose=0)
    nets[1].fit(X, y, epochs=30, verbose=0, adversarial=FGSM(0.1))
    plain, trained = accuracies(nets[0]), accuracies(nets[1])
    np.testing.assert_allclose(plain, [0.972, 0.475, 0.014], atol=0.06)
    assert (np.array(trained) >= np.array([0.972, 0.783, 0.264]) - 0.06).all()
    assert trained[1] > plain[1] + 0.2


@pytest.mark.parametrize("attack", [FGSM(0.1), PGD(0.1, steps=3)])
def test_recorded_and_eager_training_agree(attack):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(70, 5)), rng.integers(0, 3, 70)
    weights = []
    for eagerly in (False, True):
        random.seed(3)
        model = Sequential([Input((5,)), Dense(8, "relu"), Dropout(0.2), Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
        with adversarial.training(model, attack):
            model.fit(x, y, epochs=4, batch_size=16, sample_weight=np.ones(70), verbose=0)
        assert "train_step" not in vars(model)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


def small(**options):
    random.seed(3)
    model = Sequential([Input((5,)), Dense(8, "relu"), Dropout(0.2), Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


X5, Y3 = np.random.default_rng(0).uniform(size=(70, 5)), np.arange(70) % 3


@pytest.mark.parametrize("attack", [FGSM(0.1), PGD(0.1, steps=3), lambda x, slope: x + 0.1 * slope(x)])
def test_fit_takes_the_attack(attack):
    options = {"epochs": 4, "batch_size": 16, "validation_split": 0.2, "verbose": 0}
    model = small()
    with adversarial.training(model, attack):
        want = model.fit(X5, Y3, **options).history
    other = small()
    assert other.fit(X5, Y3, adversarial=attack, **options).history == want
    assert "make_train_step" not in vars(other)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    plain = small()
    assert plain.fit(X5, Y3, **options).history != want
    recorded = []  # read inside of fit: its end forgets the steps
    look = LambdaCallback(
        on_train_end=lambda logs: recorded.extend(step for key, step in other._steps if key[0] == "train")
    )
    other.fit(X5, Y3, adversarial=attack, callbacks=[look], **options)
    assert recorded and all(step.plan is not None for step in recorded)


def test_batches_of_a_generator_are_attacked_too():
    def batches():
        for i in range(0, 64, 16):
            yield X5[i : i + 16], Y3[i : i + 16]

    histories = []
    for data in ((X5[:64], Y3[:64]), (batches(), None)):
        histories.append(
            small().fit(*data, batch_size=16, shuffle=False, adversarial=FGSM(0.1), verbose=0).history
        )
    assert histories[0] == histories[1]


def test_metrics_on_the_host_see_the_examples():
    model = linear()
    model.compile(pylearn.optimizers.SGD(0.0), "binary_crossentropy", metrics=["AUC"])
    x, y = np.random.default_rng(0).uniform(size=(70, 3)), np.arange(70) % 2
    (_, plain), (_, attacked) = (
        [values[0] for values in model.fit(x, y, adversarial=attack, verbose=0).history.values()]
        for attack in (None, FGSM(0.3))
    )
    assert 0 < attacked < plain - 0.1


def test_own_train_steps_see_the_examples():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return {"largest": pylearn.ops.max(data[0]), **super().train_step(data)}

    model = Own()
    model.compile(pylearn.optimizers.SGD(0.0), "mse")
    x, y = np.full((40, 3), 0.5), np.arange(40.0)
    assert model.fit(x, y, epochs=3, verbose=0).history["largest"] == [0.5] * 3
    np.testing.assert_allclose(
        model.fit(x, y, epochs=3, adversarial=FGSM(0.2), verbose=0).history["largest"], 0.7, atol=1e-6
    )


def test_one_attack_within_another():
    """The inner one ends with its fit, and the outer is in force again."""
    model = small()
    with adversarial.training(model, FGSM(0.1)):
        model.fit(X5, Y3, adversarial=FGSM(0.2), epochs=0, verbose=0)
        model.fit(X5, Y3, verbose=0)
    other = small()
    other.fit(X5, Y3, adversarial=FGSM(0.1), verbose=0)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_no_attack():
    model = linear()
    for wrong, message in (
        (0.1, "adversarial=0.1 is no attack; give an attack such as pylearn.adversarial.FGSM"),
        ("fgsm", "adversarial='fgsm' is no attack"),
        (True, "adversarial=True is no attack"),
        (FGSM, r"adversarial is the class FGSM; make one of it: FGSM\(0.1\)"),
        (lambda x: x, r"cannot be called with \(x, slope\)"),
    ):
        with pytest.raises(TypeError, match=message):
            model.fit(np.zeros((4, 3)), np.zeros(4), adversarial=wrong, verbose=0)
    assert "make_train_step" not in vars(model)


def test_training_ends_with_the_block():
    x, y = np.random.default_rng(0).uniform(size=(64, 3)), np.zeros(64)
    plain, other = linear(), linear()
    with pytest.raises(KeyError), adversarial.training(other, FGSM(0.1)):
        raise KeyError
    for model in (plain, other):
        model.fit(x, y, shuffle=False, epochs=2, verbose=0)
    for a, b in zip(plain.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_errors():
    model = linear()
    for bad in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="eps must be a number above 0"):
            fgsm(model, np.zeros((2, 3)), np.zeros(2), bad)
    with pytest.raises(ValueError, match="clip"):
        FGSM(0.1, clip=(1, 0))
    with pytest.raises(ValueError, match="steps"):
        PGD(0.1, steps=0)
    with pytest.raises(ValueError, match="batch_size"):
        fgsm(model, np.zeros((2, 3)), np.zeros(2), 0.1, batch_size=0)
    ids = Sequential([Input((3,), dtype="int64"), Embedding(5, 2), Flatten(), Dense(1)])
    a, b = Input((3,)), Input((3,))
    two = Model([a, b], Dense(1)(pylearn.layers.Add()([a, b])))
    for wrong, x in ((ids, np.zeros((2, 3), int)), (two, [np.zeros((2, 3))] * 2)):
        wrong.compile("sgd", "mse")
        with pytest.raises(ValueError, match="one input of real numbers"):
            fgsm(wrong, x, np.zeros(2), 0.1)
        with (
            pytest.raises(ValueError, match="one input of real numbers"),
            adversarial.training(wrong, FGSM(0.1)),
        ):
            wrong.fit(x, np.zeros(2), verbose=0)
