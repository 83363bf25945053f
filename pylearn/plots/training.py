"""Curves of training."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pylearn.plots import canvas


def history(history: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """Curves of a training run: one panel per metric, training and validation in it.

    Args:
        history: what ``fit`` returned, or its ``.history`` dict of name → one value per epoch.
        path: file to write (the suffix chooses the format); None writes none.

    Returns:
        the ``matplotlib.figure.Figure``, which notebooks show. pyplot is not involved: no window opens and
        no state is left behind.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: there is nothing to plot.
    """
    record: Mapping[str, Any] = getattr(history, "history", history)
    names = [name for name in record if not (name.startswith("val_") and name[4:] in record)]
    if not names or not any(len(record[name]) for name in names):
        raise ValueError("the history is empty: no epoch has been trained")
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = canvas.figure(4.5 * columns, 3.2 * rows)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in record:
                epochs = range(1, len(record[key]) + 1)
                axes.plot(epochs, record[key], label=label, marker="." if len(epochs) < 30 else None)
        axes.set(xlabel="epoch", title=name.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if f"val_{name}" in record:
            axes.legend()
    return canvas.finish(figure, path)


def learning_rate(
    rate: Any, steps: int = 1000, ax: Any = None, path: str | os.PathLike[str] | None = None
) -> Any:
    """A schedule's rate over the steps; or, of a search for a rate, the loss over the rate.

    Args:
        rate: a schedule or function ``step → rate``; or a dict (or what has such a ``.history``) with
            ``"learning_rate"`` and ``"loss"``, one value per step.
        steps: how many to draw of a schedule.
        ax: axes to draw in, instead of a new figure.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: a dict without these keys.
    """
    axes = canvas.one(ax, 5, 3.4)
    if callable(rate):
        axes.plot(range(steps), [float(rate(step)) for step in range(steps)])
        axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    else:
        record = getattr(rate, "history", rate)
        if "learning_rate" not in record or "loss" not in record:
            raise ValueError(
                f"need a schedule, or 'learning_rate' and 'loss'; got {', '.join(map(str, record))}"
            )
        rates, losses = np.asarray(record["learning_rate"]), np.asarray(record["loss"])
        axes.plot(rates, losses)
        best = int(np.nanargmin(losses))
        axes.axvline(rates[best], color=canvas.GREY, linestyle=":", label=f"lowest at {rates[best]:.2g}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend()
    axes.grid(alpha=0.3)
    return canvas.finish(axes.figure, path)


def curve(
    x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str, path: str | os.PathLike[str] | None = None,
    *, log_x: bool = False, mark: float | None = None, title: str = "",
) -> Any:  # fmt: skip
    """One line, such as the loss over learning rates.

    Args:
        x, y: its points.
        xlabel, ylabel: of the axes.
        path: file to write; None writes none.
        log_x: logarithmic x.
        mark: an x to point at.
        title: above it.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ImportError: matplotlib is absent.
    """
    axes = canvas.one(None, 5.5, 3.5)
    axes.plot(x, y)
    if mark is not None:
        axes.axvline(mark, color="C1", linestyle="--", label=f"{mark:.2g}")
        axes.legend()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale="log" if log_x else "linear")
    axes.grid(alpha=0.3)
    return canvas.finish(axes.figure, path)
