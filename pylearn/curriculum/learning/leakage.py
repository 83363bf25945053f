"""Validation leaks: the best of many models is not as good as it looks.

A score on validation rows is an estimate with an error. Choosing the best of many models chooses the luckiest error
too, so the winner's validation score is too high; more so the more models are tried and the fewer rows there are.
Its score on rows that took no part in the choice is honest. Here nothing can be learned: the labels are coin flips,
and every model's true accuracy is one half.

The data: handwritten digits with random labels: 100 to choose by, 1,000 to test on, and 200 random networks.
The course's number: the winner's validation score lies at least two standard errors (0.1) above its test score.

Question: 200 models guess at 100 coin flips. How many does the best of them get right, about?

Try: (a) 20 and 2,000 models. (b) 1,000 rows to choose by: what happens to the gap, and why?
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Dense, Input
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def main(
    seed: int = 0, verbose: int = 1, plot: str | None = None, models: int = 200, rows: int = 100
) -> dict[str, float]:
    """Choose the best of random models; returns the scores by name."""
    set_random_seed(seed)
    rng = np.random.default_rng(seed)
    (X, _), _ = digits.load_data(size=8)
    X = rng.permutation(X.reshape(-1, 64) / 16.0 - 0.3)
    y = rng.integers(0, 2, len(X))
    choose, test = slice(0, rows), slice(rows, rows + 1000)

    found = []
    for _ in range(models):
        model = Sequential([Input((64,)), Dense(16, activation="tanh"), Dense(1)])
        right = (model.predict(X).ravel() > 0) == y
        found.append((right[choose].mean(), right[test].mean()))
    validation, tested = np.array(found).T
    best = int(validation.argmax())
    error = float(np.sqrt(0.25 / rows))
    if verbose:
        print(f"mean of all models: validation {validation.mean():.3f}, test {tested.mean():.3f}")
        print(f"the winner:         validation {validation[best]:.3f}, test {tested[best]:.3f}")
    gap = float(validation[best] - tested[best])
    report.at_least("validation above test, in standard errors", gap / error, 2)

    def draw(axes):
        axes[0].scatter(validation, tested, s=12, alpha=0.6, label="models")
        axes[0].scatter(
            validation[best], tested[best], s=90, facecolors="none", edgecolors="red", label="the winner"
        )
        axes[0].axhline(0.5, color="grey", linestyle=":", label="the truth")
        axes[0].set(
            xlabel="accuracy on validation rows",
            ylabel="accuracy on test rows",
            xlim=(0.3, 0.7),
            ylim=(0.3, 0.7),
        )
        axes[0].legend(loc="lower right")

    report.drawing(plot, draw)
    return {"validation": float(validation[best]), "test": float(tested[best]), "gap": gap / error}
