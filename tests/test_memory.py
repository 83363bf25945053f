"""Memory: many fits in one process leave it where it is, and a step takes no more than it needs."""

import gc

import numpy as np
import pytest

from pylearn import _core
from pylearn.layers import Dense, Input
from pylearn.models import Model, Sequential
from pylearn.utils import set_random_seed

resource = pytest.importorskip("resource")
RNG = np.random.RandomState(0)
X = RNG.rand(70, 4).astype("float32")
C = np.arange(70) % 3


def classifier():
    set_random_seed(0)
    model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def used():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def growth(once, before, then):
    for i in range(before):
        once(i)
    start = used()
    for i in range(then):
        once(i)
    return used() - start


def test_memory_does_not_grow_over_fits():
    def once(i):
        model = classifier()
        model.fit(X, C, epochs=3, verbose=0, validation_data=(X, C))
        model.predict(X)

    assert growth(once, 20, 60) < 5e6


@pytest.mark.slow
def test_memory_does_not_grow_over_200_fits():
    def once(i):
        model = classifier()
        if i % 2:
            model.fit(((X[k : k + 16], C[k : k + 16]) for k in range(0, 64, 16)), verbose=0)
        else:
            model.fit(X, C, epochs=3, verbose=0, validation_data=(X, C))
        model.overfit_check(X, C, steps=20)

    grown = growth(once, 40, 200)
    print(f"{grown / 1e6:.2f} MB over 200 fits")
    assert grown < 5e6


def deep(depth=12, units=100):
    x = h = Input((units,))
    for _ in range(depth):
        h = Dense(units, activation="relu")(h)
    return Model(inputs=x, outputs=Dense(1)(h))


def test_a_graph_lets_go_of_what_is_read_no_more():
    model, x = deep(), np.ones((10_000, 100), "float32")  # 4 MB a layer
    model(x[:1])
    _core.trim_memory()
    before = _core.memory()["held"]
    model(x)
    assert _core.memory()["held"] - before < 5 * x.nbytes


def test_a_recorded_step_does_not_hold_its_memory_twice():
    model, x, y = deep(), np.ones((10_000, 100), "float32"), np.zeros((10_000, 1), "float32")
    model.compile("sgd", "mse")
    for _ in range(3):
        model.train_on_batch(x, y)
    held = _core.memory()  # of the pool outside of the recording
    assert held["held"] - held["used"] < 2 * x.nbytes
    model.fit(x, y, batch_size=10_000, epochs=2, verbose=0)  # whose replays are compared with an eager loss
    held = _core.memory()
    assert held["held"] - held["used"] < 6 * x.nbytes
