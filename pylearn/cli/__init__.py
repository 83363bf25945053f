"""The command line: ``pylearn info``, ``pylearn run``, ``pylearn bench``.

Exit codes: 0 success; 1 the command failed, or a benchmark's result differs from its reference; 2 wrong
usage, an unknown lesson or kernel included; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from pylearn._lazy import attach

ALL = ("info", "run", "bench")  # a command is a module here with ``add(subparsers)``

__getattr__, __dir__ = attach(__name__, ALL)

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

EXIT_CODES = "exit codes: 0 success, 1 failed (bench: a wrong result too), 2 usage, 130 interrupted"


class UsageError(Exception):
    """A wrong argument that argparse cannot know of; exit code 2."""


def parser() -> argparse.ArgumentParser:
    """The whole argument parser; each command's module adds its own part."""
    top = argparse.ArgumentParser(
        prog="pylearn", description="Machine learning on our own C++ kernels.", epilog=EXIT_CODES
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name in ALL:
        importlib.import_module(f"pylearn.cli.{name}").add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (argparse itself exits with 2 on wrong usage)."""
    top = parser()
    args = top.parse_args(argv)
    if args.version:
        import pylearn

        print(pylearn.__version__)
        return EXIT_OK
    if args.command is None:
        top.print_help()
        return EXIT_USAGE
    try:
        return int(args.execute(args))
    except UsageError as error:
        print(f"pylearn {args.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("\npylearn: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # as in `pylearn bench | head`; closing stdout must not raise again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (ImportError, OSError) as error:  # what the user can mend: a missing library, file or network
        print(f"pylearn {args.command}: {error}", file=sys.stderr)
        return EXIT_FAILED


def unknown(kind: str, name: str, known: Sequence[str]) -> UsageError:
    """The error for a name that is none of ``known``, with the closest ones."""
    import difflib

    near = difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
    return UsageError(f"no {kind} named {name!r}; {hint}")
