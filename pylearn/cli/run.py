"""``pylearn run NAME``: train one lesson of the course and show its score beside the course's number."""

from __future__ import annotations

import argparse
import importlib
import inspect
from typing import Any

from pylearn import cli, curriculum


def add(commands: Any) -> None:
    parser = commands.add_parser("run", help="run a lesson; without a name, list them")
    parser.add_argument("name", nargs="?", metavar="NAME", help="lesson, as listed by `pylearn run`")
    parser.add_argument("--epochs", type=_positive, metavar="N", help="passes over the data")
    parser.add_argument("--seed", type=int, metavar="N", help="of initialisation, shuffling and dropout (0)")
    parser.add_argument("--quiet", action="store_true", help="no summary, no progress bar")
    plot = parser.add_mutually_exclusive_group()
    plot.add_argument("--plot", metavar="FILE", help="picture of the history (NAME.png)")
    plot.add_argument("--no-plot", action="store_true", help="write no picture")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    lessons = curriculum.lessons()
    if args.name is None:
        _list(lessons)
        return 0
    if args.name not in lessons:
        raise cli.unknown("lesson", args.name, list(lessons))
    main = importlib.import_module(lessons[args.name].module).main
    options: dict[str, Any] = {"plot": None if args.no_plot else args.plot or f"{args.name}.png"}
    for option in ("epochs", "seed"):
        if getattr(args, option) is not None:
            options[option] = getattr(args, option)
    if args.quiet:
        options["verbose"] = 0
    unusable = sorted(set(options) - set(inspect.signature(main).parameters) - {"plot"})
    if unusable:
        raise cli.UsageError(f"the lesson {args.name!r} has no --{', --'.join(unusable)}")
    main(**options)
    return 0


def _list(lessons: dict[str, curriculum.Lesson]) -> None:
    width = max(map(len, lessons)) + 2
    heading = None
    for name, lesson in lessons.items():
        if lesson.heading != heading:
            heading = lesson.heading
            print(f"{heading}:")
        print(f"  {name:<{width}}{lesson.summary}")
    print("\npylearn run NAME [--epochs N]")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
