"""Early stopping: the best epoch is not the last.

The loss on the training rows goes down for ever; that on new rows turns at some point, where the network begins to
learn the sample's noise by heart. Validation rows show where: remember the weights of the best epoch, stop when
nothing better comes for a while ("patience"), and put them back.

The data: 200 handwritten digits, a fifth of them with a wrong label, 360 to validate on; a network far too large
for it.
The course's numbers: the weights put back have the best epoch's loss to 1e-6; training on makes it 1.3 times as
large.

Question: the accuracy may still rise after the loss has turned. How can the one get better and the other worse?

Try: (a) patience=1: does it stop too early? (b) Dropout(0.5) after each hidden layer: where is the best epoch now?
"""

import numpy as np

from pylearn import plots
from pylearn.callbacks import EarlyStopping
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def main(
    epochs: int = 60, seed: int = 0, verbose: int = 1, plot: str | None = None, patience: int = 8
) -> dict[str, float]:
    """Train to the end, and with early stopping; returns the losses by name."""
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    rng = np.random.default_rng(seed)
    X, y = X[:200] / 16.0, y[:200].copy()
    y[:40] = rng.integers(0, 10, 40)
    test = (X_test / 16.0, y_test)

    def train(callbacks):
        set_random_seed(seed)
        model = Sequential([Flatten(input_shape=(8, 8)), Dense(256, activation="relu"), Dense(256, activation="relu"),
                            Dense(10, activation="softmax")])  # fmt: skip
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(X, y, epochs=epochs, validation_data=test, callbacks=callbacks, verbose=verbose)
        return history.history, model.evaluate(test[0], test[1], verbose=0)[0]

    record, last = train([])
    stopped, restored = train([EarlyStopping("val_loss", patience=patience, restore_best_weights=True)])
    best = min(record["val_loss"])
    print(
        f"best epoch {int(np.argmin(record['val_loss'])) + 1}, stopped after {len(stopped['loss'])} of {epochs}"
    )
    report.at_most("restored loss from the best epoch's", abs(restored - best), 1e-6)
    report.at_least("loss at the end, as multiple of the best", last / best, 1.3)
    report.picture(plot, plots.history, record)
    return {"best": best, "restored": restored, "last": last}
