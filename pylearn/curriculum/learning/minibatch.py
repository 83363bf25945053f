"""Mini-batches: some examples at a time, and how many.

``fit`` with batches of one is the loop of the lesson ``sgd``: the same steps in the same order give the same
weights. A batch of B averages B gradients: its noise falls by √B, but there are B times fewer steps in a pass. In
between lies what works: enough steps, with gradients good enough, and products of matrices that a processor likes.

The data: ten measurements of 442 patients against the progression of diabetes.
The course's numbers: an epoch in batches of one equals the loop to 1e-6; R² 0.5141 ± 0.005 after 30 passes.

Question: at the same learning rate, which loss is lowest after 30 passes: with batches of 1, 32 or all 442?

Try: (a) a 32 times higher rate for batches of 32. (b) batches of 1 at rate 0.05: why does the curve not settle?
"""

import numpy as np

import pylearn
from pylearn.curriculum import report
from pylearn.datasets import diabetes
from pylearn.layers import Dense, Input
from pylearn.models import Sequential
from pylearn.optimizers import SGD
from pylearn.utils import set_random_seed

RATE = 1e-3


def by_hand(X, y):
    """One pass of the loop: the gradient of ½(x·w − y)², one example after the other."""
    gradient = pylearn.grad(lambda x, y, w: 0.5 * (x @ w - y) ** 2, argnums=2)
    w = np.zeros(X.shape[1])
    for x, target in zip(X, y):
        w = w - RATE * gradient(x, target, w)
    return w


def network(size):
    model = Sequential([Input((size,), dtype="float64"), Dense(1, use_bias=False, dtype="float64")])
    model.set_weights([np.zeros((size, 1))])
    model.compile(SGD(RATE / 2), "mse", metrics=["r2"])  # half: this loss has no ½
    return model


def main(
    epochs: int = 30,
    seed: int = 0,
    verbose: int = 1,
    plot: str | None = None,
    sizes: tuple[int, ...] = (1, 32, 442),
) -> dict[str, float]:
    """Compare the loop with ``fit``, then sizes of batches; returns the scores by name."""
    set_random_seed(seed)
    X, y = diabetes.load_all()
    X, y = X / X.std(axis=0), (y - y.mean()) / y.std()
    model = network(X.shape[1])
    model.fit(X, y, batch_size=1, shuffle=False, verbose=0)
    apart = float(np.abs(model.get_weights()[0].ravel() - by_hand(X, y)).max())

    curves, scores = {}, {"apart": apart}
    for size in sizes:
        model = network(X.shape[1])
        history = model.fit(X, y, batch_size=size, epochs=epochs, verbose=0)
        curves[f"batches of {size}"] = history.history["loss"]
        scores[f"r2_{size}"] = model.evaluate(X, y, verbose=0)[1]
        if verbose:
            print(
                f"batches of {size:>3}: R² {scores[f'r2_{size}']:.4f} after {epochs * -(-len(X) // size)} steps"
            )
    report.at_most("fit(batch_size=1) from the loop by hand", apart, 1e-6)
    report.score(f"R² with batches of {sizes[0]}", scores[f"r2_{sizes[0]}"], 0.5141, 0.005)

    def draw(axes):
        for name, losses in curves.items():
            axes[0].plot(range(1, epochs + 1), losses, label=name)
        axes[0].set(xlabel="pass over the data", ylabel="mean squared error", title="one rate, three sizes")
        axes[0].legend()

    report.drawing(plot, draw)
    return scores
