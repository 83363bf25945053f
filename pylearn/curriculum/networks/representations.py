"""Learning representations: hidden layers make two moons separable by a line.

A network's last layer is a linear classifier, so the layers before it must turn the data until a line separates the
classes. A linear probe looks how far each has come: a linear classifier fitted, in closed form, to the outputs of one
layer of the trained network (Alain and Bengio 2016).

The data: two half circles of 500 points each that reach into each other, with noise; half of them test.
The course's numbers: a probe on the raw points below 0.9, on the last hidden layer at least 0.98.

Question: the network is trained on its output only. Will the first hidden layer be any better than the raw points?

Try: (a) Dense(..., activation="linear") in all hidden layers. (b) A probe on the layers of an untrained network.
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.layers import Dense, Input
from pylearn.linear_model import LinearRegression
from pylearn.models import Model
from pylearn.utils import set_random_seed


def moons(n, rng):
    """n points of two half circles and the class of each."""
    turn, y = np.pi * rng.random(n), np.arange(n) % 2
    x = np.column_stack([np.cos(turn) * (1 - 2 * y) + y, np.sin(turn) * (1 - 2 * y) + 0.5 * y])
    return (x + rng.normal(0, 0.12, x.shape)).astype("float32"), y


def probe(train, y_train, test, y_test):
    """Accuracy of a line: least squares on ±1."""
    line = LinearRegression().fit(train.astype("float64"), 2.0 * y_train - 1)
    return float(((line.predict(test.astype("float64")) > 0) == y_test).mean())


def main(epochs: int = 60, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train, then probe every layer; returns the accuracies by name."""
    set_random_seed(seed)
    X, y = moons(1000, np.random.default_rng(seed))
    (X_train, y_train), (X_test, y_test) = (X[:500], y[:500]), (X[500:], y[500:])

    x = h = Input((2,))
    hidden = []
    for units in (16, 8, 2):
        h = Dense(units, activation="tanh")(h)
        hidden.append(h)
    network = Model(x, Dense(1, activation="sigmoid")(h))
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    network.optimizer.learning_rate = 0.01
    network.fit(X_train, y_train, epochs=epochs, verbose=verbose)

    features = {"raw": (X_train, X_test)}
    for i, layer in enumerate(hidden, 1):
        until = Model(x, layer)
        features[f"hidden {i}"] = (until.predict(X_train), until.predict(X_test))
    scores = {name: probe(a, y_train, b, y_test) for name, (a, b) in features.items()}
    for name, accuracy in scores.items():
        print(f"linear probe on {name:<10} {accuracy:.3f}")
    report.at_most("probe on the raw points", scores["raw"], 0.9)
    report.at_least("probe on the last hidden layer", scores["hidden 3"], 0.98)

    def draw(axes):
        for panel, (name, (_, test)) in zip(axes, features.items()):
            centred = test - test.mean(axis=0)
            flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T  # the two widest directions
            panel.scatter(*flat.T, c=y_test, cmap="coolwarm", s=8)
            panel.set(title=f"{name}: {scores[name]:.3f}", xticks=[], yticks=[])

    report.drawing(plot, draw, panels=4, size=(3, 3.2))
    return scores
