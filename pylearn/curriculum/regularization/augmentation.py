"""Augmentation: digits moved at random while training, so that their place does not matter.

What must not change the answer can be taught: a network that sees every digit at another place in each epoch
cannot rely on single pixels, and the sample is as good as a larger one. The layer works in training only.

The data: 1,437 handwritten digits of 8×8 pixels; 360 to test on, as they are and moved by one pixel in four
directions. One hidden layer of 100 units.
The course's numbers: on moved digits a test accuracy at least 0.2 higher with augmentation, and at least 0.85; on
digits as they are at least 0.95.

Question: the training loss with augmentation is the higher one. Is that a bad sign?

Try: (a) RandomFlip("horizontal"): which digits suffer? (b) A convolutional network without augmentation.
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten, Input, RandomTranslation
from pylearn.models import Sequential
from pylearn.utils import set_random_seed

MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))


def moved(X, down, right):
    """Images moved by whole pixels; what comes in is empty."""
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return padded[:, 1 - down : 9 - down, 1 - right : 9 - right]


def train(X, y, first, epochs, seed, verbose):
    set_random_seed(seed)
    model = Sequential([Input((8, 8, 1)), *first, Flatten(), Dense(100, "relu"), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, y, epochs=epochs, verbose=verbose)
    return model


def main(epochs: int = 100, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train without and with; returns the accuracies by name."""
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    X, X_test = X[..., None] / 16.0, X_test[..., None] / 16.0
    shift = RandomTranslation(0.15, 0.15, fill_mode="constant", seed=seed)
    scores = {}
    for name, first in (("without", []), ("with", [shift])):
        model = train(X, y, first, epochs, seed, verbose)
        scores[name] = model.evaluate(X_test, y_test, verbose=0)[1]
        found = [model.evaluate(moved(X_test, *move), y_test, verbose=0)[1] for move in MOVES]
        scores[f"{name}, moved"] = float(np.mean(found))
    report.at_least("as they are, with augmentation", scores["with"], 0.95)
    report.at_least("moved, with augmentation", scores["with, moved"], 0.85)
    report.at_most("moved, without", scores["without, moved"], scores["with, moved"] - 0.2)
    seen = np.concatenate([X[:8], *(np.asarray(shift(X[:8], training=True)) for _ in range(3))])
    report.picture(plot, plots.images, seen, np.tile(y[:8], 4))
    return scores
