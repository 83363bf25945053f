"""Transfer: layers learned on one task, frozen, and a new head on another.

The first layers of a network find strokes, whatever is asked of them later. To use them again, take the model up to
a layer (get_layer), put a new head on it, and train the head alone (freeze_to): few weights, few examples, quick.

The data: handwritten digits of 8×8 pixels; a network learns 0 to 4, and a new head 5 to 9.
The course's numbers: the frozen weights are the same bit for bit after training; test accuracy on 5 to 9 at least
0.9. (It does not beat a network trained on 5 to 9 from scratch: digits are too simple to need it.)

Question: frozen layers with batch normalisation must not use the mean of the new batches either. Why not?

Try: (a) freeze_to(0) afterwards, at a tenth of the rate ("fine-tuning"). (b) Five examples of each digit.
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D
from pylearn.models import Model, Sequential
from pylearn.utils import set_random_seed


def main(epochs: int = 15, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Learn five digits, then five others; returns the scores."""
    set_random_seed(seed)
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    X, X_test = X[..., None] / 16.0, X_test[..., None] / 16.0
    first = Sequential([Input((8, 8, 1)), Conv2D(16, 3, padding="same", activation="relu"), MaxPooling2D(2)])
    first.add(Conv2D(32, 3, padding="same", activation="relu", name="strokes"))
    first.add(Flatten())
    first.add(Dense(5, activation="softmax"))
    first.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    first.fit(X[y < 5], y[y < 5], epochs=epochs, verbose=verbose)

    features = Flatten()(first.get_layer("strokes").output)
    second = Model(first.inputs, Dense(5, activation="softmax", name="head")(features))
    second.freeze_to("head")
    second.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if verbose:
        second.summary()
    before = [w.copy() for w in second.get_weights()[:-2]]
    history = second.fit(X[y > 4], y[y > 4] - 5, epochs=2 * epochs, verbose=verbose)
    same = all(np.array_equal(a, b) for a, b in zip(before, second.get_weights()[:-2], strict=True))
    accuracy = second.evaluate(X_test[y_test > 4], y_test[y_test > 4] - 5, verbose=0)[1]
    report.at_least("frozen weights unchanged (1 = yes)", float(same), 1)
    report.at_least("test accuracy on 5 to 9", accuracy, 0.9)
    report.picture(plot, plots.history, history)
    return {"accuracy": accuracy, "same": float(same)}
