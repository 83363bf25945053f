"""Reshaping and densing: the same numbers in other rows, and who shares a layer's weights.

Reshape moves no number: it reads them in the same order into other axes. Permute does move them. Together they cut an
image into patches, and a dense layer then works on the last axis alone, so every patch meets the same weights, as in
a convolution whose stride is its window. After Flatten every pixel has weights of its own.

The data: 1,437 handwritten digits of 28×28 pixels, 360 to test on; cut into 16 patches of 7×7.
The course's numbers: a patch differs by exactly 0 from the same slice of the image; 1,600 weights for 32 units on a
patch against 25,120 on the flat image; test accuracy at least 0.93 with them.

Question: Reshape((16, 49)) alone gives the same shape. What would its first row be a picture of?

Try: (a) leave out Permute: how much accuracy does it cost? (b) Conv2D(32, 7, strides=7) in place of the first layers.
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten, Input, Permute, Reshape
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def cut():
    """28×28 pixels → 16 patches of 49."""
    return [Reshape((4, 7, 4, 7)), Permute((1, 3, 2, 4)), Reshape((16, 49))]


def main(epochs: int = 15, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Cut, compare, and train on the patches; returns the scores by name."""
    set_random_seed(seed)
    (X, y), (X_test, y_test) = digits.load_data()
    X, X_test = X / 255, X_test / 255
    pieces = Sequential([Input((28, 28)), *cut()]).predict(X[:1]).reshape(4, 4, 7, 7)
    apart = np.abs(pieces[2, 1] - X[0, 14:21, 7:14].astype("float32")).max()

    shared = Dense(32, activation="relu", name="shared")
    model = Sequential([Input((28, 28)), *cut(), shared, Flatten(), Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if verbose:
        model.summary()
    model.fit(X, y, epochs=epochs, verbose=verbose)
    flat = Sequential([Input((28, 28)), Flatten(), Dense(32)])
    accuracy = model.evaluate(X_test, y_test, verbose=0)[1]
    try:
        Sequential([Input((28, 28)), Reshape((16, 50))])
    except ValueError as error:
        print(error)
    report.at_most("a patch and the slice: difference", float(apart), 0)
    report.score("weights of 32 units on a patch", shared.count_params(), 49 * 32 + 32, 0)
    report.score("weights of 32 units on the flat image", flat.count_params(), 784 * 32 + 32, 0)
    report.at_least("test accuracy", accuracy, 0.93)
    report.picture(plot, plots.images, pieces.reshape(16, 7, 7), columns=4)
    return {"difference": float(apart), "accuracy": accuracy}
