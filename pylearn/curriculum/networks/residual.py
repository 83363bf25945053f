"""Residual network: forty layers learn once there is a way around them.

Through many layers the signal and its gradient shrink, so a plain network of 40 layers stays where it began. A
residual block computes max(0, x + f(x)): the gradient goes around f as well as through it, and f only has to learn
what to change (He et al. 2015).

The data: 1,437 handwritten digits of 8×8 pixels, 360 to test on; 40 layers of 64 units, the inner 38 in pairs, plain
or as residual blocks.
The course's numbers: test accuracy below 0.3 for the plain network, above 0.90 for the residual one, after 5 epochs.

Question: both networks have the same number of weights. What does the plain one's first layer get to learn from?

Try: (a) pairs=2: does the plain network still fail? (b) kernel_initializer="he_normal" in the plain network.
"""

from pylearn import plots
from pylearn.blocks import Residual
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten, Input
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def network(residual: bool, pairs: int = 19, units: int = 64) -> Sequential:
    """2 · pairs + 2 layers, the inner ones in pairs that have a way around or not."""
    model = Sequential([Input((8, 8)), Flatten(), Dense(units, activation="relu")])
    for _ in range(pairs):
        if residual:
            model.add(Residual(Dense(units, activation="relu"), Dense(units), activation="relu"))
        else:
            model.add(Dense(units, activation="relu"))
            model.add(Dense(units, activation="relu"))
    model.add(Dense(10, activation="softmax"))
    return model


def main(epochs: int = 5, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train both and test; returns the scores by name."""
    (X_train, y_train), (X_test, y_test) = digits.load_data(size=8)
    scores = {}
    for name, residual in (("plain", False), ("residual", True)):
        set_random_seed(seed)
        model = network(residual)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            X_train / 16, y_train, epochs=epochs, validation_data=(X_test / 16, y_test), verbose=verbose
        )
        scores[name] = model.evaluate(X_test / 16, y_test, verbose=0)[1]
    report.at_most("test accuracy, plain", scores["plain"], 0.3)
    report.at_least("test accuracy, residual", scores["residual"], 0.90)
    report.picture(plot, plots.history, history)
    return scores


if __name__ == "__main__":
    main()
