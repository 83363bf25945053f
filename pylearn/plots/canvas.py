"""What the plots share: a figure without pyplot, so that no window opens and no state is left behind."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pylearn._lazy import optional

GREY = "#94a3b8"


def figure(width: float, height: float) -> Any:
    """An empty figure of this size in inches.

    Raises:
        ImportError: matplotlib is absent.
    """
    return optional("matplotlib.figure", "plot", "pylearn.plots").Figure(
        figsize=(width, height), layout="constrained"
    )


def one(ax: Any, width: float, height: float) -> Any:
    """The caller's axes, or those of a new figure."""
    return ax if ax is not None else figure(width, height).add_subplot()


def finish(drawn: Any, path: str | os.PathLike[str] | None) -> Any:
    """Writes the figure if there is a path; returns it."""
    if path is not None:
        drawn.savefig(path, dpi=120)
    return drawn


def grid(count: int, columns: int, size: float, titled: bool = False) -> tuple[Any, list[Any]]:
    """A figure with ``count`` places for pictures, without ticks."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    drawn = figure(size * columns, (size + (0.25 if titled else 0)) * rows)
    places = [drawn.add_subplot(rows, columns, i + 1) for i in range(count)]
    for place in places:
        place.set_axis_off()
    return drawn, places


def picture(values: Any) -> np.ndarray:
    """(H, W), (H, W, 1) or (H, W, 3) as imshow takes it."""
    image = np.asarray(values)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] not in (3, 4)):
        raise ValueError(f"a picture is (H, W), (H, W, 1) or (H, W, 3), got shape {np.shape(values)}")
    return image if image.ndim == 2 or image.dtype == np.uint8 else np.clip(image, 0, 1)
