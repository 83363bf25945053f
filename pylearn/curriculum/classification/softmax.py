"""Softmax regression: a network without hidden layers reads digits.

A linear score per class, z = xW + b, becomes a probability by the softmax, pₖ = exp(zₖ) / Σⱼ exp(zⱼ). The
loss is the cross-entropy −log p of the true class, the negative log-likelihood of a categorical variable.
Its gradient is p − y for the scores, so each example pushes the true class up and the others down by
exactly their probability.

The data: 1,437 handwritten digits of 28×28 pixels, 360 to test on. 784·10 + 10 = 7,850 parameters.
The course's number: test accuracy 0.961 ± 0.015 after 10 epochs of Adam.

Question: which two digits does a model that only adds up pixels mix up most?

Try: (a) pylearn.plots.filters(model.layers[1], shape=(28, 28)): what speaks for each digit? (b) 100 epochs.
"""

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.utils import set_random_seed, to_categorical


def main(epochs: int = 10, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train and test; returns the scores by name."""
    set_random_seed(seed)
    (X_train, y_train), (X_test, y_test) = digits.load_data()
    X_train, X_test = X_train / 255.0, X_test / 255.0
    y_train, y_test = to_categorical(y_train), to_categorical(y_test)

    model = Sequential()
    model.add(Flatten(input_shape=X_train.shape[1:]))
    model.add(Dense(10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    if verbose:
        model.summary()
    history = model.fit(X_train, y_train, epochs=epochs, validation_data=(X_test, y_test), verbose=verbose)

    loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
    report.at_least("test accuracy", accuracy, 0.946)
    report.picture(plot, plots.history, history)
    return {"accuracy": accuracy, "loss": loss}


if __name__ == "__main__":
    main()
