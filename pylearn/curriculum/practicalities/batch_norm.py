"""Batch normalisation: ten sigmoid layers that learn nothing, and learn.

A sigmoid's slope is at most ¼, so ten of them hand back a millionth of the gradient or less: the first layers stay
as they are. Batch normalisation gives each unit mean 0 and variance 1 over the batch, then a scale and a shift that
are learned (Ioffe and Szegedy 2015): units work where the slope is largest, and gradients keep their size.

The data: 1,437 handwritten digits of 8×8 pixels, 360 to test on; ten hidden layers of 64 sigmoid units, Adam.
The course's numbers: test accuracy at most 0.3 without, at least 0.9 with batch normalisation.

Question: in testing there may be one digit only. With which mean and variance is it normalised then?

Try: (a) activation="relu" without normalisation. (b) batch_size=2: what are the mean and variance of two numbers
worth?
"""

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Activation, BatchNormalization, Dense, Flatten
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def train(data, validation, normalise, epochs, seed, verbose):
    set_random_seed(seed)
    model = Sequential([Flatten(input_shape=(8, 8))])
    for _ in range(10):
        model.add(Dense(64, use_bias=not normalise))
        if normalise:
            model.add(BatchNormalization(momentum=0.9))
        model.add(Activation("sigmoid"))
    model.add(Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(data[0], data[1], epochs=epochs, validation_data=validation, verbose=verbose).history


def main(epochs: int = 20, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train without and with; returns the accuracies by name."""
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    data, validation = (X / 16.0, y), (X_test / 16.0, y_test)
    runs = {
        name: train(data, validation, normalise, epochs, seed, verbose)
        for name, normalise in (("without", False), ("with", True))
    }
    scores = {name: run["val_accuracy"][-1] for name, run in runs.items()}
    report.at_most("test accuracy without", scores["without"], 0.3)
    report.at_least("test accuracy with batch normalisation", scores["with"], 0.9)

    def draw(axes):
        for panel, metric in zip(axes, ("loss", "accuracy")):
            for name, run in runs.items():
                (line,) = panel.plot(range(1, epochs + 1), run[metric], label=f"{name}, training")
                panel.plot(
                    range(1, epochs + 1),
                    run[f"val_{metric}"],
                    ":",
                    color=line.get_color(),
                    label=f"{name}, test",
                )
            panel.set(xlabel="epoch", title=metric, xticks=range(0, epochs + 1, 5))
            panel.legend(fontsize=8)

    report.drawing(plot, draw, panels=2)
    return scores
