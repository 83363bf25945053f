"""First overfit: a network that cannot learn 32 digits by heart has a mistake in it.

Before looking for a model that generalises, see that it can learn at all: a network with more weights than a few
rows have numbers must bring its loss on them to nearly nothing. It takes a second, and when it fails the way in
which it fails says what is wrong. ``model.overfit_check`` does this and puts the model back as it was.

The data: handwritten digits of 8×8 pixels, 32 of them in each check; one sound network, two broken ones, and
one whose labels are a row late.
The course's numbers: all 32 digits right in less than a second; each of the three mistakes called by its name.

Question: all pixels and labels of the second network are in order. Why can it not learn even one digit?

Try: (a) bias=-2.0: some units still live. (b) A GaussianNoise(1.0) layer first: is that a mistake, too?
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.utils import set_random_seed


def network(seed, optimizer="adam", bias=0.0):
    set_random_seed(seed)
    model = Sequential([Flatten(input_shape=(8, 8))])
    model.add(Dense(64, activation="relu", bias_initializer=bias, name="hidden"))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(
    seed: int = 0, verbose: int = 1, plot: str | None = None, rows: int = 32, bias: float = -100.0
) -> dict[str, float]:
    """Check four networks; returns the score, the seconds and the mistakes that were found."""
    (X, y), _ = digits.load_data(size=8)
    X = X / 16.0
    network(seed).overfit_check(X, y, n=rows, steps=10)  # what is loaded once is not timed
    checks = {
        "overfits": network(seed).overfit_check(X, y, n=rows),
        "dead units": network(seed, bias=bias).overfit_check(X, y, n=rows),
        "learning rate": network(seed, SGD(1000.0)).overfit_check(X, y, n=rows),
        "unrelated targets": network(seed).overfit_check(X, np.roll(y, 1), n=rows),
    }
    for mistake, check in checks.items() if verbose else ():
        print(f"{mistake:<20}{check}")
    sound = checks.pop("overfits")
    found = sum(check.verdict == mistake for mistake, check in checks.items())
    report.at_least("the sound network: accuracy on its rows", sound.score, 1.0)
    report.at_most("seconds that took", sound.seconds, 1.0)
    report.at_least("mistakes called by their name", found, 3)

    def draw(axes):
        for name, check in {"sound": sound, **checks}.items():
            axes[0].plot(np.maximum(check.losses, 1e-4), label=name)
        axes[0].set(xlabel="step", ylabel="loss on the rows", xlim=(0, 200), yscale="log", ylim=(1e-2, 1e4))
        axes[0].legend(fontsize=8)

    report.drawing(plot, draw)
    return {"score": sound.score, "seconds": sound.seconds, "found": found}
