"""Gradient accumulation: four batches of 8 are one batch of 32.

The gradient of a mean is the mean of gradients: adding those of four small batches up before the one update gives
the step of a batch four times as large, in a fourth of the memory. An update after each small batch is another
path: its gradients are taken at weights that have moved.

The data: 1,408 handwritten digits of 8×8 pixels in one order; three networks with the same first weights, SGD.
The course's number: after training, the weights of 4×8 and of 1×32 differ by at most 1e-6.

Question: a network with batch normalisation would not agree to 1e-6. What does a batch of 8 not know?

Try: (a) gradient_accumulation_steps=4 with "adam" at rate 1e-3. (b) 4×8 with four times the learning rate of 1×8:
how near are they?
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.utils import set_random_seed


def train(X, y, batch_size, steps, epochs, seed, verbose):
    """The weights after training, in one row, and the history."""
    set_random_seed(seed)
    model = Sequential([Flatten(input_shape=(8, 8)), Dense(32, activation="tanh"), Dense(10, "softmax")])
    model.compile(SGD(0.1, gradient_accumulation_steps=steps), "sparse_categorical_crossentropy")
    history = model.fit(X, y, epochs=epochs, batch_size=batch_size, shuffle=False, verbose=verbose)
    return np.concatenate([w.ravel() for w in model.get_weights()]), history.history["loss"]


def main(epochs: int = 5, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train three times; returns the largest differences of weights."""
    (X, y), _ = digits.load_data(size=8)
    rows = len(X) // 32 * 32
    X, y = X[:rows] / 16.0, y[:rows]
    large, curve = train(X, y, 32, None, epochs, seed, verbose)
    summed, summed_curve = train(X, y, 8, 4, epochs, seed, verbose)
    small, small_curve = train(X, y, 8, None, epochs, seed, verbose)
    scores = {"4×8": float(np.abs(summed - large).max()), "8": float(np.abs(small - large).max())}
    report.at_most("4×8 and 1×32: largest difference", scores["4×8"], 1e-6)
    report.at_least("8 without accumulation and 1×32", scores["8"], 0.01)
    report.picture(
        plot,
        plots.history,
        {"loss, 1×32": curve, "loss, 4×8": summed_curve, "loss, 8 alone": small_curve},
    )
    return scores
