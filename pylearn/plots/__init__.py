"""Plots of what was learned. Needs matplotlib (the ``plot`` extra); works without a display."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pylearn._lazy import optional

ALL = ("history", "curve")
__all__ = list(ALL)


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
    figure_module = optional("matplotlib.figure", "plot", "pylearn.plots")
    record: Mapping[str, Any] = getattr(history, "history", history)
    names = [name for name in record if not (name.startswith("val_") and name[4:] in record)]
    if not names or not any(len(record[name]) for name in names):
        raise ValueError("the history is empty: no epoch has been trained")
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = figure_module.Figure(figsize=(4.5 * columns, 3.2 * rows), layout="constrained")
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
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


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
    figure = optional("matplotlib.figure", "plot", "pylearn.plots").Figure(
        figsize=(5.5, 3.5), layout="constrained"
    )
    axes = figure.add_subplot()
    axes.plot(x, y)
    if mark is not None:
        axes.axvline(mark, color="C1", linestyle="--", label=f"{mark:.2g}")
        axes.legend()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale="log" if log_x else "linear")
    axes.grid(alpha=0.3)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
