"""Gradient clipping: a recurrent network that explodes, and does not.

A recurrent network applies one matrix at every step, so its gradient contains that matrix to the power of the
number of steps: with rectified units nothing bounds it. One step with such a gradient throws the weights so far
that nothing finite comes back. Clipping keeps the direction and limits the length: g ← g · min(1, c / |g|) over all
weights together (Pascanu et al. 2013).

The data: handwritten digits of 28×28 pixels, read row by row by an LSTM with rectified units; SGD at rate 1.
The course's numbers: without clipping a loss or gradient is not finite; with it all are, and the accuracy is at
least 0.8.

Question: the clipped run takes steps of at most 0.5 at rate 1. Why does a rate of 0.01 without clipping not do the
same?

Try: (a) clipvalue=0.5 instead: the direction changes too. (b) activation="tanh" without clipping.
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import LSTM, Dense, Input
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.utils import set_random_seed


def train(data, validation, epochs, seed, verbose, **limit):
    """The history of a run that stops at the first number that is not finite."""
    set_random_seed(seed)
    model = Sequential([Input((28, 28)), LSTM(32, activation="relu"), Dense(10, activation="softmax")])
    model.compile(SGD(1.0, **limit), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        data[0], data[1], epochs=epochs, validation_data=validation, verbose=verbose, on_nan="stop"
    )
    return history.history


def main(
    epochs: int = 12, seed: int = 0, verbose: int = 1, plot: str | None = None, length: float = 0.5
) -> dict[str, float]:
    """Train without and with clipping; returns the scores by name."""
    (X, y), (X_test, y_test) = digits.load_data()
    data, validation = (X / 255.0, y), (X_test / 255.0, y_test)
    free = train(data, validation, epochs, seed, verbose)
    clipped = train(data, validation, epochs, seed, verbose, global_clipnorm=length)
    finite = int(np.isfinite(free["loss"]).sum())
    print(f"without clipping it stops in epoch {len(free['loss'])} of {epochs}")
    report.at_most("epochs that stayed finite without clipping", finite, epochs - 1)
    report.at_least("epochs that stayed finite with it", int(np.isfinite(clipped["loss"]).sum()), epochs)
    report.at_least("test accuracy with it", clipped["val_accuracy"][-1], 0.8)
    report.picture(plot, plots.history, clipped)
    return {
        "free": finite,
        "clipped": len(clipped["loss"]),
        "accuracy": clipped["val_accuracy"][-1],
    }
