"""Many fits in one process: memory stays where it is."""

import gc

import numpy as np
import pytest

from pylearn.layers import Dense
from pylearn.models import Sequential
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
