"""The learning rate: find the largest that works, go up to it and down again.

A rate that is too small wastes steps, one that is too large throws the weights about. A range test shows both in
one short run: the rate grows tenfold every few steps, and the loss falls steepest where a good rate is (Smith
2017). A one-cycle schedule climbs to that rate, when the weights are far from everything, and ends with tiny steps.

The data: 1,437 handwritten digits of 8×8 pixels, 360 to test on; five epochs of SGD with momentum,
from three seeds.
The course's numbers: mean test accuracy at least 0.945 with the cycle; with a rate of 0.01 throughout, less.

Question: the test ends when the loss explodes. Why is the rate just before that too large for a whole training?

Try: (a) the cycle with ten times the rate that was found. (b) That rate throughout, without a cycle.
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.schedules import OneCycle
from pylearn.utils import set_random_seed


def network(rate, seed):
    set_random_seed(seed)
    model = Sequential([Flatten(input_shape=(8, 8)), Dense(100, "relu"), Dense(100, "relu")])
    model.add(Dense(10, activation="softmax"))
    model.compile(SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int = 5, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Find a rate and train with and without a cycle; returns the accuracies and the rate."""
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    X, X_test = X / 16.0, X_test / 16.0
    found = network(0.01, seed).lr_find(X, y)
    steps = epochs * -(-len(X) // 32)
    cycle = OneCycle(found.suggestion, total_steps=steps)
    scores, losses = {"rate": found.suggestion}, {}
    for name, rate in (("constant", 0.01), ("cycle", cycle)):
        reached = []
        for run in range(3):
            model = network(rate, seed + run)
            losses[name] = model.fit(X, y, epochs=epochs, verbose=verbose).history["loss"]
            reached.append(model.evaluate(X_test, y_test, verbose=0)[1])
        scores[name] = float(np.mean(reached))
    if verbose:
        print(f"found: a rate of {found.suggestion:.3g}")
    report.at_least("test accuracy with the cycle", scores["cycle"], 0.945)
    report.at_most("test accuracy with a rate of 0.01", scores["constant"], scores["cycle"])

    def draw(axes):
        rates = found.history["learning_rate"]
        axes[0].plot(rates, found.history["smoothed"])
        axes[0].axvline(found.suggestion, color="C1", linestyle="--", label=f"{found.suggestion:.2g}")
        axes[0].set(xscale="log", xlabel="learning rate", ylabel="loss", title="range test")
        axes[0].legend()
        axes[1].plot([cycle(step) for step in range(steps)])
        axes[1].set(xlabel="step", ylabel="learning rate", title="one cycle")
        for name, values in losses.items():
            axes[2].plot(range(1, epochs + 1), values, marker=".", label=name)
        axes[2].set(xlabel="epoch", ylabel="training loss", title="the two trainings")
        axes[2].legend()

    report.drawing(plot, draw, panels=3)
    return scores
