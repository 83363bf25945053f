"""What every lesson ends with: scores beside the course's numbers, and a picture."""

from __future__ import annotations

from typing import Any


def score(what: str, value: float, course: float, tolerance: float) -> None:
    """Print a score beside the number the course states for the default number of epochs."""
    print(f"{what:<28}{value:8.4f}   (course: {course:g} ± {tolerance:g})")


def picture(history: Any, path: str | None) -> None:
    """Write the history's curves to ``path``; without matplotlib, say how to get them."""
    if path is None:
        return
    from pylearn import plots

    try:
        plots.history(history, path)
    except ImportError as error:
        print(f"no picture: {error}")
    else:
        print(f"history drawn in {path}")
