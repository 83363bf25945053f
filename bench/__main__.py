"""``python -m bench kernels|train|report``; see the package's docstring."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import ROOT, cases, environment, kernels, peers, records, report, timing, train
from bench.cases import Case, Mismatch
from bench.records import Record

CASES: dict[str, Sequence[Case]] = {"kernels": kernels.CASES, "train": train.CASES}


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m bench", description="Verify, then time, against the peers."
    )
    commands = main.add_subparsers(dest="command", required=True)
    for command in CASES:
        p = commands.add_parser(command)
        p.add_argument(
            "names", nargs="*", metavar="NAME", help="words that a case's name must contain; all by default"
        )
        p.add_argument(
            "--threads", type=_counts, default=None, metavar="N,…", help="default: 1 and all processors"
        )
        p.add_argument("--quick", action="store_true", help="light cases, few rounds: to see that it works")
        p.add_argument(
            "--check", action="store_true", help="exit 1 unless the speeds of bench/checks.py are reached"
        )
        p.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
        p.add_argument("--record", action="store_true", help="write the record into bench/results/")
        p.add_argument("--list", action="store_true", help="name the cases")
        p.add_argument(
            "--here", action="store_true", help=argparse.SUPPRESS
        )  # one number of threads, in this process
    commands.add_parser("report", help="write bench/RESULTS.md from bench/results/")
    return main


def _counts(text: str) -> list[int]:
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= n <= 256 for n in counts):
        raise argparse.ArgumentTypeError(f"numbers of threads, 1 to 256, with commas: got {text!r}")
    return counts


def chosen(command: str, names: Sequence[str], quick: bool) -> list[Case]:
    """The cases whose "name label" contains every word of one of ``names``; all without names.

    Raises:
        ValueError: a name that no case has.
    """
    found = []
    for name in names:
        match = [c for c in CASES[command] if all(word in f"{c.name} {c.label}" for word in name.split())]
        if not match:
            known = ", ".join(dict.fromkeys(case.name for case in CASES[command]))
            raise ValueError(
                f"no case of '{command}' is called {name!r}; there are {known} (--list names all)"
            )
        found += match
    if not names:
        found = [case for case in CASES[command] if not (quick and case.heavy)]
    return [case for case in CASES[command] if case in found]


def run_here(command: str, todo: Sequence[Case], threads: int, quick: bool) -> Record:
    """Measures in this process, printing as it goes; a case that does not compute what it should is noted instead."""
    effort = timing.QUICK if quick else timing.FULL
    sides = ["numpy", *(name for name in ("torch", "jax") if name not in peers.absent())]
    with environment.threads_set(threads):
        ceilings = cases.ceilings(quick)
        record = Record(command, environment.describe(), {str(threads): ceilings}, [], quick, peers.absent())
        print("\n".join(report.about(record)))
        print(report.header(sides), flush=True)
        for case in todo:
            try:
                row = cases.measure(case, threads, effort, ceilings)
            except Mismatch as e:
                record.wrong.append(str(e))
                print(f"NOT TIMED: {e}", flush=True)
                continue
            record.rows.append(row)
            print(report.line(row, sides), flush=True)
        record.rows[:] = [cases.related(row, ceilings) for row in record.rows]
    return record


def run(args: argparse.Namespace, todo: Sequence[Case]) -> Record:
    """A process for each number of threads: most libraries read theirs when they are loaded."""
    parts = []
    for threads in args.threads or sorted({1, environment.processors()}):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.json"
            command = [sys.executable, "-m", "bench", args.command, *args.names, "--here"]
            command += ["--threads", str(threads), "--json", str(path), *(["--quick"] if args.quick else [])]
            done = subprocess.run(command, cwd=ROOT, env=environment.thread_environment(threads), check=False)
            if done.returncode:
                sys.exit(done.returncode)
            parts.append(records.load(path))
        print(flush=True)
    first = parts[0]
    ceilings = {threads: ceiling for part in parts for threads, ceiling in part.ceilings.items()}
    rows = sorted((row for part in parts for row in part.rows), key=lambda row: _place(todo, row))
    wrong = [text for part in parts for text in part.wrong]
    return Record(first.what, first.environment, ceilings, rows, first.quick, first.absent, wrong)


def _place(todo: Sequence[Case], row: cases.Row) -> tuple[int, int]:
    return [(case.name, case.label) for case in todo].index((row.name, row.label)), row.threads


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.command == "report":
        report.RESULTS_FILE.write_text(report.markdown(records.load_all()), encoding="utf-8")
        print(f"wrote {report.RESULTS_FILE.relative_to(ROOT)}")
        return 0
    if args.list:
        print("\n".join(f"{case.name} {case.label}" for case in CASES[args.command]))
        return 0
    try:
        todo = chosen(args.command, args.names, args.quick)
        if args.here:
            run_here(args.command, todo, args.threads[0], args.quick).save(args.json)
            return 0
    except ValueError as e:
        print(f"python -m bench: {e}", file=sys.stderr)
        return 2
    record = run(args, todo)
    print("\n".join(report.means(record.rows)))
    for check in record.checks:
        print(check.text())
    paths = [args.json] if args.json else []
    paths += [records.RESULTS / record.file_name()] if args.record else []
    for path in paths:
        record.save(path)
        print(f"wrote {path}")
    for text in record.wrong:
        print(f"NOT TIMED: {text}", file=sys.stderr)
    if record.wrong:
        return 2
    if args.check and not record.checks:
        print("--check: none of these cases has a speed to reach", file=sys.stderr)
        return 2
    return 1 if args.check and not all(check.holds for check in record.checks) else 0


if __name__ == "__main__":
    sys.exit(main())
