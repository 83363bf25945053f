"""``pylearn bench [KERNEL…]``: check kernels against their NumPy references, then time both."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pylearn import cli


def add(commands: Any) -> None:
    parser = commands.add_parser("bench", help="check kernels against NumPy, then time against NumPy")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="all by default; --list names them")
    parser.add_argument("--list", action="store_true", help="name the kernels")
    parser.add_argument("--seconds", type=_seconds, default=0.2, metavar="S", help="per side and case (0.2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    from pylearn import benchmark

    known = benchmark.kernels()
    if args.list:
        print("\n".join(known))
        return cli.EXIT_OK
    for name in args.kernels:
        if name not in known:
            raise cli.unknown("kernel", name, known)
    environment = benchmark.environment()
    if not args.json:
        print("  ".join(f"{key} {value}" for key, value in environment.items()))
        print(benchmark.Row.header(), flush=True)
    rows = []
    for row in benchmark.run(args.kernels, args.seconds):
        rows.append(row)
        if not args.json:
            print(row.text(), flush=True)
    if args.json:
        print(json.dumps({"environment": environment, "rows": [row.record() for row in rows]}, indent=2))
    else:
        print(benchmark.summary(rows))
    return cli.EXIT_OK if all(row.verified for row in rows) else cli.EXIT_FAILED


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 60, got {value:g}")
    return value
