"""What every lesson ends with: results beside the numbers they must reach, and a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def score(what: str, value: float, course: float, tolerance: float) -> None:
    """A result and the number it must be, for the default arguments."""
    _line(what, value, abs(value - course) <= tolerance, f"must be {_number(course)} ± {tolerance:g}")


def at_least(what: str, value: float, floor: float) -> None:
    """A result and the least it must be."""
    _line(what, value, value >= floor, f"must be at least {floor:g}")


def at_most(what: str, value: float, ceiling: float) -> None:
    """A result and the most it may be."""
    _line(what, value, value <= ceiling, f"must be at most {ceiling:g}")


def _line(what: str, value: float, reached: bool, bar: str) -> None:
    print(f"{what:<44}{_number(value, 4):>9}   ({bar}{'' if reached else ': NOT reached'})")


def _number(value: float, digits: int = 6) -> str:
    whole = float(value).is_integer() and abs(value) >= 10
    return f"{value:,.0f}" if whole else f"{value:.{digits}g}"


def picture(path: str | None, draw: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Calls a function of ``pylearn.plots`` with ``path``; without matplotlib, says how to get it."""
    if path is None:
        return
    try:
        draw(*args, path=path, **kwargs)
    except ImportError as error:
        print(f"no picture: {error}")
    else:
        print(f"drawn in {path}")


def drawing(
    path: str | None,
    draw: Callable[[list[Any]], Any],
    panels: int = 1,
    size: tuple[float, float] = (4.6, 3.6),
) -> None:
    """Gives ``draw`` matplotlib's axes of so many panels side by side, and writes the figure."""

    def make(path: str) -> None:
        from pylearn.plots import canvas

        figure = canvas.figure(size[0] * panels, size[1])
        draw([figure.add_subplot(1, panels, i + 1) for i in range(panels)])
        canvas.finish(figure, path)

    picture(path, make)
