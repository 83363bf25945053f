"""Automatic differentiation: the exact slope of a program, at the price of running it about twice.

``pylearn.grad`` records what a function does to its arguments and applies the chain rule from the end to the start.
A difference quotient, (f(w + h) − f(w − h)) / 2h, needs two runs for every weight and is never exact: a large h
sees the curve, a small one the rounding.

The data: 353 diabetes patients, ten measurements; the mean square error of tanh of a linear function of them.
The course's number: the gradient and central differences with h = 1e-6 differ by at most 1e-6.

Question: a network has 100,000 weights. How many runs does each of the two ways take for one gradient?

Try: (a) a function of your own with a loop and an if. (b) X.astype("float32"): where does the curve turn up now?
"""

import numpy as np

import pylearn
from pylearn import ops, plots
from pylearn.curriculum import report
from pylearn.datasets import diabetes


def main(seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Compare; returns the difference at h = 1e-6."""
    (X, y), _ = diabetes.load_data()
    X, y = X * len(X) ** 0.5, (y - y.mean()) / y.std()
    w = np.random.default_rng(seed).normal(size=10)

    def loss(w):
        return ops.mean((ops.tanh(X @ w) - y) ** 2)

    exact = np.asarray(pylearn.grad(loss)(w))

    def apart(h):
        """Largest difference between the gradient and central differences."""
        steps = h * np.eye(10)
        slopes = [float(loss(w + step)) - float(loss(w - step)) for step in steps]
        return float(np.abs(np.array(slopes) / (2 * h) - exact).max())

    sizes = np.logspace(-12, 0, 25)
    found = [apart(h) for h in sizes]
    if verbose:
        print("gradient:", np.round(exact, 4))
    report.at_most("gradient and differences, h = 1e-6", apart(1e-6), 1e-6)
    report.picture(plot, plots.curve, sizes, np.log10(found), "h", "log10 of the difference", log_x=True)
    return {"difference": apart(1e-6)}
