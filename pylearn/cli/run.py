"""``pylearn run NAME``: run one lesson of the course, or a heading's, and show results beside the numbers to reach."""

from __future__ import annotations

import argparse
import importlib
import inspect
import textwrap
from typing import Any

from pylearn import cli, curriculum


def add(commands: Any) -> None:
    parser = commands.add_parser("run", help="run a lesson, or all of a heading; without a name, list them")
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="lesson or heading, as listed by `pylearn run`"
    )
    parser.add_argument("--epochs", type=_positive, metavar="N", help="passes over the data")
    parser.add_argument("--seed", type=int, metavar="N", help="of initialisation, shuffling and dropout (0)")
    parser.add_argument("--quiet", action="store_true", help="no summary, no progress bar")
    plot = parser.add_mutually_exclusive_group()
    plot.add_argument("--plot", metavar="FILE", help="picture (NAME.png); of one lesson only")
    plot.add_argument("--no-plot", action="store_true", help="write no picture")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    lessons = curriculum.lessons()
    if args.name is None:
        _list(lessons)
        return 0
    if args.name in lessons:
        _run(args, args.name, lessons[args.name])
        return 0
    if args.name not in curriculum.HEADINGS:
        raise cli.unknown("lesson", args.name, [*lessons, *curriculum.HEADINGS])
    chosen = {name: lesson for name, lesson in lessons.items() if lesson.heading == args.name}
    if not chosen:
        raise cli.UsageError(f"{args.name} has no lessons yet")
    if args.plot:
        raise cli.UsageError(
            "--plot names one file; run one lesson, or leave it out: pictures are called NAME.png"
        )
    for name, lesson in chosen.items():
        print(f"\n== {name}: {lesson.summary}")
        _run(args, name, lesson, alone=False)
    return 0


def _run(args: argparse.Namespace, name: str, lesson: curriculum.Lesson, alone: bool = True) -> None:
    """One lesson: its question, itself, and what to try; of several, each takes the options it has."""
    module = importlib.import_module(lesson.module)
    options: dict[str, Any] = {"plot": None if args.no_plot else args.plot or f"{name}.png"}
    for option in ("epochs", "seed"):
        if getattr(args, option) is not None:
            options[option] = getattr(args, option)
    if args.quiet:
        options["verbose"] = 0
    taken = inspect.signature(module.main).parameters
    unusable = sorted(set(options) - set(taken) - {"plot", "verbose"})
    if unusable and alone:
        raise cli.UsageError(f"the lesson {name!r} has no --{', --'.join(unusable)}")
    text = inspect.getdoc(module) or ""
    _say(text, "Question:")
    module.main(**{key: value for key, value in options.items() if key in taken})
    _say(text, "Try:")


def _say(text: str, start: str) -> None:
    """Prints the paragraph of the lesson's text that begins so."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(start):
            print(textwrap.fill(" ".join(paragraph.split()), 100))


def _list(lessons: dict[str, curriculum.Lesson]) -> None:
    width = max(map(len, lessons)) + 2
    heading = None
    for name, lesson in lessons.items():
        if lesson.heading != heading:
            heading = lesson.heading
            print(f"{heading}:")
        print(f"  {name:<{width}}{lesson.summary}")
    print("\npylearn run NAME [--epochs N]: a lesson, or all of a heading")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
