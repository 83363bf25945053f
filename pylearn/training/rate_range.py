"""The learning rate range test (Smith 2017, Cyclical learning rates for training neural networks)."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import plots
from pylearn.training.feed import Feed, prepare, whole
from pylearn.training.trial import Steps, undone

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

PAST = 0.9  # weight of the past in the mean that tells when to stop
DIVERGED = 4.0  # times the least of that mean so far
NEAR = 0.8  # weight of a neighbour, to both sides, in the smoothed loss
MEMORY = round(1 / (1 - NEAR))  # steps to each side that it is the mean of


class RateRange:
    """What ``model.lr_find`` found.

    Attributes:
        suggestion: a learning rate to train with; it also suits ``schedules.OneCycle`` as its maximum.
        history: ``learning_rate`` and ``loss`` of each step, and ``smoothed``, the loss's mean over the steps around.
    """

    def __init__(self, rates: list[float], losses: list[float], means: list[float]) -> None:
        highest = max(losses[: int(np.argmin(means)) + 1])  # how much higher it gets afterwards says nothing
        smoothed = smooth(np.minimum(losses, highest)).tolist()
        self.history = {"learning_rate": rates, "loss": losses, "smoothed": smoothed}
        self.suggestion = suggest(rates, smoothed)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """The smoothed loss over the rates, written to ``path`` when given; returns matplotlib's Figure.

        Raises:
            ImportError: matplotlib is absent.
        """
        return plots.curve(self.history["learning_rate"], self.history["smoothed"], "learning rate", "loss", path,
                           log_x=True, mark=self.suggestion)  # fmt: skip

    def __repr__(self) -> str:
        return f"<RateRange suggestion={self.suggestion:.2g} from {len(self.history['loss'])} steps>"


def smooth(losses: np.ndarray) -> np.ndarray:
    """Means over the steps around, the weights NEAR^distance.

    A mean of the past alone shows a fall about 1 / (1 - weight) steps late. The rates of that many steps differ by a
    factor, which would then be in the suggestion.
    """
    reach = 10 * MEMORY
    weights = NEAR ** np.abs(np.arange(-reach, reach + 1.0))
    total, weight = (np.convolve(a, weights)[reach : reach + len(a)] for a in (losses, np.ones(len(losses))))
    return total / weight


def suggest(rates: list[float], smoothed: list[float]) -> float:
    """The rate at which the loss falls steepest per decade, on the way down to its least."""
    low = int(np.argmin(smoothed))
    if low < 2:
        return rates[0]
    slopes = np.gradient(np.asarray(smoothed[: low + 1]), np.log10(rates[: low + 1]))
    few = min(MEMORY, low - 1)  # at first the mean is one of fewer batches, and its slope that of their noise
    return float(rates[few + int(np.argmin(slopes[few:]))])


def lr_find(
    model: Trainer, x: Any, y: Any, start: float, stop: float, steps: int, batch_size: int | None
) -> RateRange:
    if not 0.0 < start < stop < math.inf:
        raise ValueError(f"lr_find needs 0 < start_lr < stop_lr, got {start} and {stop}")
    steps = whole("steps", steps)
    if steps < 10:
        raise ValueError(f"lr_find needs at least 10 steps to see a slope, got {steps}")
    with undone(model):
        feed = Feed(model, prepare(model, x, y, None, None), batch_size, None)
        order = np.random.default_rng(0).permutation(feed.rows)
        step = Steps(model, feed, order)
        rates: list[float] = []
        losses: list[float] = []
        means: list[float] = []
        mean, best = 0.0, math.inf
        for i in range(steps):
            rate = start * (stop / start) ** (i / (steps - 1))
            loss = step(rate)
            if not math.isfinite(loss):
                break
            mean = PAST * mean + (1 - PAST) * loss
            value = mean / (1 - PAST ** (i + 1))
            rates.append(rate)
            losses.append(loss)
            means.append(value)
            best = min(best, value)
            if i > steps // 10 and best > 0 and value > DIVERGED * best:
                break
    if not rates:
        raise FloatingPointError("lr_find: the loss is not finite before the first update; look at x and y, or call "
                                 "model.diagnose(x, y)")  # fmt: skip
    return RateRange(rates, losses, means)
