"""Sparse activations: a penalty on what the units say, not on their weights.

An L1 penalty on the activations, λ Σ|h|, added to the loss of each example, makes silence cheap: a unit speaks only
where it helps. Weights stay large; each example is described by few units, which can be looked at one by one.

The data: 1,437 handwritten digits of 8×8 pixels, 360 to test on; one hidden layer of 100 rectified units.
The course's numbers: with λ = 0.003 the active share of units falls from 0.80 to about 0.47, at no loss of accuracy.

Question: without any penalty, which share of rectified units is silent for a given digit?

Try: (a) l1(0.03). (b) kernel_regularizer=l1(0.001) instead: are the activations sparse, too?
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Input
from pylearn.models import Model
from pylearn.regularizers import l1
from pylearn.utils import set_random_seed


def train(data, test, penalty, epochs, seed, verbose):
    """Accuracy on the test digits, and the hidden activations there."""
    set_random_seed(seed)
    x = Input((64,))
    hidden = Dense(100, activation="relu", activity_regularizer=penalty)(x)
    model = Model(x, Dense(10, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data[0], data[1], epochs=epochs, verbose=verbose)
    return model.evaluate(test[0], test[1], verbose=0)[1], Model(x, hidden).predict(test[0])


def main(
    epochs: int = 30, seed: int = 0, verbose: int = 1, plot: str | None = None, strength: float = 3e-3
) -> dict[str, float]:
    """Train without and with the penalty; returns the scores by name."""
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    data, test = (X.reshape(-1, 64) / 16.0, y), (X_test.reshape(-1, 64) / 16.0, y_test)
    plain, loud = train(data, test, None, epochs, seed, verbose)
    sparse, quiet = train(data, test, l1(strength), epochs, seed, verbose)
    scores = {
        "plain": plain,
        "sparse": sparse,
        "active": float((loud > 0).mean()),
        "few": float((quiet > 0).mean()),
    }
    print(f"active share {scores['active']:.3f} without, {scores['few']:.3f} with the penalty")
    report.at_most("active share with, as a part of without", scores["few"] / scores["active"], 0.75)
    report.at_least("test accuracy without", plain, 0.955)
    report.at_least("test accuracy with", sparse, 0.955)

    def draw(axes):
        for name, values in (("without", loud), ("with penalty", quiet)):
            axes[0].hist((values > 0).mean(axis=1), bins=np.linspace(0, 1, 26), alpha=0.6, label=name)
            axes[1].plot(np.sort(values.mean(axis=0))[::-1], label=name)
        axes[0].set(xlabel="share of active units", ylabel="digits")
        axes[1].set(xlabel="units, from loud to quiet", ylabel="mean activation")
        axes[0].legend()
        axes[1].legend()

    report.drawing(plot, draw, panels=2)
    return scores
