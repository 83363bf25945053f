"""The sample must be representative of the population.

A test score says something about new data only if the test rows were drawn as the new data will be. Files are often
sorted: by class, by date, by hospital. ``validation_split`` takes the last rows, before any shuffling, so of a
sorted file the validation rows are another population, and no network can have learned it.

The data: 1,437 handwritten digits, once sorted by digit and once in random order; the last fifth validates.
The course's numbers: accuracy on the held-out fifth at least 0.9 shuffled, at most 0.2 sorted.

Question: the digits 8 and 9 are in the last fifth of the sorted file. What will the network take them for?

Try: (a) fit(..., validation_split=0.2, stratify=True) on the sorted file. (b) Sort by the mean brightness instead.
"""

import warnings

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def train(X, y, epochs, verbose):
    model = Sequential(
        [Flatten(input_shape=X.shape[1:]), Dense(64, activation="relu"), Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        history = model.fit(X, y, epochs=epochs, validation_split=0.2, verbose=verbose)
    return model, history.history["val_accuracy"][-1], [str(warning.message) for warning in said]


def main(epochs: int = 15, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train on both orders; returns the scores by name."""
    set_random_seed(seed)
    (X, y), _ = digits.load_data(size=8)
    X = X / 16.0
    order = np.argsort(y, kind="stable")
    model, in_order, said = train(X[order], y[order], epochs, verbose)
    for message in said:
        print(f"pylearn warns: {message}")
    mixed = np.random.default_rng(seed).permutation(len(y))
    _, shuffled, _ = train(X[mixed], y[mixed], epochs, verbose)
    report.at_least("accuracy, shuffled rows", shuffled, 0.9)
    report.at_most("accuracy, sorted rows", in_order, 0.2)
    report.at_least("warnings about the sorted file", len(said), 1)
    held = order[-len(y) // 5 :]
    report.picture(plot, plots.confusion_matrix, y[held], model.predict(X[held]))
    return {"shuffled": shuffled, "sorted": in_order, "warnings": len(said)}
